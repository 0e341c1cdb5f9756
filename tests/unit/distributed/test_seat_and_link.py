"""Both ends of the wire: what each makes of exchanges that are lost, doubled and late."""

import math
import threading

import pytest

from importer.common.row_set import RowSet
from importer.distributed.link import Link
from importer.distributed.seat import Seat
from importer.distributed.tally import Told
from importer.distributed.wire import pack, read_grant, read_reply
from importer.engine.resume import ResumeState
from importer.engine.row_queue import QueuedRow
from importer.errors import JournalError
from importer.jobs.entry import Entry
from importer.jobs.records import Totals
from importer.jobs.worker_mark import LEASE
from importer.model import Feedback, Meaning, Outcome, OutcomeKind
from tests.support.data import conversation

TOLD = Told(1, None, False, 0.0, 0.0, False)
ENTRY = Entry(outcomes=[Outcome(1, OutcomeKind.SUCCEEDED, conversation(1))], bodies={1: 2**63})


def feedback(seq: int) -> Feedback:
    return Feedback(seq, conversation(seq), Meaning.POSITIVE, None)


def fresh() -> ResumeState:
    return ResumeState(Totals(0, dict.fromkeys(OutcomeKind, 0), {}, {}, 0), RowSet(), {})


def test_rows_are_sent_again_until_they_are_acknowledged_and_are_taken_once() -> None:
    seat, link = Seat("a", 0.0), Link(lambda: 5.0)
    seat.hand([feedback(2)], [QueuedRow(feedback(1))], [])
    first = seat.grant(None, 4, TOLD)
    link.exchange(first)  # its reply is lost
    second = seat.grant(None, 4, TOLD, closed=True)
    reply = link.exchange(read_grant(pack(second)))
    link.exchange(first)  # late, and once more

    seat.replied(read_reply(pack(reply)), 1.0)

    assert not seat.grant(None, 4, TOLD).batches
    rows = [row.seq for batch in link.batches(fresh(), set()) for row in batch]
    assert rows == [1, 2]


def test_an_entry_is_taken_in_once_and_kept_until_it_is_recorded() -> None:
    seat, link = Seat("a", 0.0), Link(lambda: 5.0)
    writing = threading.Thread(target=link.write, args=(ENTRY,))
    writing.start()
    while (reply := link.exchange(seat.grant(None, 4, TOLD))).entry is None:
        pass
    assert seat.replied(reply, 1.0) == ENTRY
    assert seat.replied(link.exchange(seat.grant(None, 4, TOLD)), 1.0) is None

    seat.recording()
    seat.recorded()
    assert link.exchange(seat.grant(None, 4, TOLD)).entry is None
    writing.join(timeout=10)
    assert not writing.is_alive()


def test_nothing_is_recorded_any_more_when_the_coordinator_is_gone() -> None:
    link = Link(lambda: 0.0)
    link.cut()
    with pytest.raises(JournalError):
        link.write(ENTRY)


def test_a_worker_may_send_until_a_lease_after_its_latest_reply_that_was_heard() -> None:
    clock = 100.0
    seat, link = Seat("a", 0.0), Link(lambda: clock)
    first = seat.grant(None, 4, TOLD)
    assert first.until == -math.inf
    seat.replied(link.exchange(first), 7.0)
    clock = 103.0  # the next grant is under way for long
    assert seat.grant(None, 4, TOLD).until == 100.0 + LEASE
    assert seat.grant(None, 4, TOLD, may_send=False).until == -math.inf
