"""The journal writer: what was answered lasts, in order, and nobody waits for the disk."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from importer.clarityq.responses import Stored
from importer.engine.journal_writer import JournalWriter
from importer.engine.row_queue import QueuedRow
from importer.engine.wakeup import Wakeup
from importer.errors import JournalError
from importer.feedback.body import BodyCoder
from importer.jobs.entry import Entry
from importer.jobs.journal import Journal
from importer.jobs.journal_create import create_journal
from importer.jobs.journal_reader import JournalReader
from importer.jobs.keys import unsigned
from importer.jobs.records import InputFile, NewJob
from importer.model import Feedback, Meaning, Moment, Outcome, OutcomeKind, Reason
from tests.support.data import conversation

pytestmark = pytest.mark.anyio


def row(seq: int) -> QueuedRow:
    return QueuedRow(Feedback(seq, conversation(seq), Meaning.POSITIVE, None))


def outcome(
    seq: int, kind: OutcomeKind = OutcomeKind.SUCCEEDED, reason: Reason | None = None
) -> Outcome:
    return Outcome(seq, kind, conversation(seq), reason, attempts=1)


class GatedJournal(Journal):
    """A journal whose next write takes as long as the test wants."""

    gate: threading.Event | None = None

    def write(self, entry: Entry) -> None:
        gate, self.gate = self.gate, None
        assert gate is None or gate.wait(10)
        super().write(entry)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[GatedJournal]:
    inputs = [InputFile("in.csv", 1, 0, "0", rows=100_000, first_seq=1)]
    new = NewJob(inputs=inputs, facts={"product_id": "p", "base_url": "u"}, rows=100_000)
    create_journal(tmp_path, new, number=1, job_id="1").close()
    with closing(GatedJournal(tmp_path)) as opened:
        opened.begin_run(1, 0.0, {})
        yield opened


class Told:
    """Counts how often the writer has written."""

    def __init__(self) -> None:
        self.times = 0
        self.changed = Wakeup()

    def __call__(self) -> None:
        self.times += 1
        self.changed.notify()


CODER = BodyCoder("p", "u")


def writer_of(journal: Journal, told: Told) -> JournalWriter:
    return JournalWriter(journal, told, CODER, lambda: 42.0)


def settle(writer: JournalWriter, one: Outcome) -> None:
    writer.settle(one, row(one.seq))


async def test_a_write_keeps_all_that_was_noted(journal: GatedJournal) -> None:
    told = Told()
    writer = writer_of(journal, told)
    for seq in (2, 1):
        settle(writer, outcome(seq))
    writer.settle_unsent(outcome(3, OutcomeKind.REJECTED))
    assert not journal.settled().count, "nothing lasts yet"
    await writer.write()
    assert told.times == 1
    assert [kept.settled_at for kept in journal.outcomes()] == [42.0] * 3
    assert writer.counts == {OutcomeKind.SUCCEEDED: 2, OutcomeKind.REJECTED: 1}


async def test_two_moments_that_pass_before_a_write_are_both_kept(journal: GatedJournal) -> None:
    writer = writer_of(journal, Told())
    moments = [Moment(at, 1.0, 5, 0, 64, 0, None, None, "", {200: 5}) for at in (1.0, 1.1)]
    for moment in moments:
        writer.passed(moment)
    await writer.write()
    with JournalReader(journal.folder) as reader:
        assert reader.moments() == moments


async def test_a_write_that_is_cancelled_still_lasts_also_while_it_waits_for_another(
    journal: GatedJournal,
) -> None:
    journal.gate = gate = threading.Event()
    writer = writer_of(journal, Told())
    async with anyio.create_task_group() as tasks:
        for seq in (1, 2):
            settle(writer, outcome(seq))
            tasks.start_soon(writer.write)
            await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
        gate.set()
    assert journal.settled().count == 2


async def test_what_is_noted_during_a_write_goes_into_the_next(journal: GatedJournal) -> None:
    journal.gate = gate = threading.Event()
    told = Told()
    writer = writer_of(journal, told)
    async with anyio.create_task_group() as tasks:
        for seq in (1, 2):
            settle(writer, outcome(seq))
            tasks.start_soon(writer.write)
            await anyio.wait_all_tasks_blocked()
        assert told.times == 0
        gate.set()
    assert journal.settled().count == told.times == 2


async def test_a_disk_that_is_too_slow_holds_the_reader_back(journal: GatedJournal) -> None:
    writer = writer_of(journal, Told())
    seq = 0
    while writer.has_room:
        seq += 1
        settle(writer, outcome(seq))
    await writer.write()
    assert writer.has_room


async def test_a_journal_that_cannot_be_written_ends_the_run(journal: GatedJournal) -> None:
    writer = writer_of(journal, Told())
    settle(writer, outcome(1))
    await writer.write()
    settle(writer, outcome(1))  # a row has one outcome, and the journal sees to it
    with pytest.raises(JournalError):
        await writer.write()


async def test_the_journal_learns_what_is_stored_and_what_may_succeed_later(
    journal: GatedJournal,
) -> None:
    writer = writer_of(journal, Told())
    settle(writer, outcome(1))
    settle(writer, outcome(2, OutcomeKind.FAILED, Reason.RETRIES_EXHAUSTED))
    settle(writer, outcome(3, OutcomeKind.FAILED, Reason.REFUSED))
    other = outcome(4, OutcomeKind.FAILED, Reason.STORED_DIFFERS)
    writer.settle(other, row(4), Stored(Meaning.NEGATIVE, None))
    # An earlier request of these may still take effect.
    for one in (outcome(5, OutcomeKind.FAILED, Reason.STORED_DIFFERS), outcome(6)):
        still_open = row(one.seq)
        still_open.open = True
        stored = Stored(Meaning.NEGATIVE, None) if one.seq == 5 else None
        writer.settle(one, still_open, stored)
    settle(writer, outcome(7, OutcomeKind.NOT_COMPLETED, Reason.DEFERRAL_DEADLINE))
    await writer.write()

    positive, negative = (CODER(each, None) for each in (Meaning.POSITIVE, Meaning.NEGATIVE))
    bodies = {1: positive, 4: negative, 6: positive}
    kept = {seq for _, seq, *_ in rows_of(journal, "SELECT conversation, seq FROM kept")}
    known = dict(rows_of(journal, "SELECT seq, body FROM outcome WHERE body IS NOT NULL"))
    assert {seq: unsigned(body) for seq, body in known.items()} == bodies
    assert kept == {2, 7}
    assert rows_of(journal, "SELECT seq FROM outcome WHERE open") == [(5,), (6,)]


async def test_rows_that_may_be_sent_are_in_doubt_until_they_have_an_outcome(
    journal: GatedJournal, tmp_path: Path
) -> None:
    writer = writer_of(journal, Told())
    await writer.mark([row(seq).feedback for seq in (1, 2, 3)])
    settle(writer, outcome(2))
    await writer.write()
    with closing(Journal(tmp_path)) as after_a_kill:
        assert sorted(doubt.seq for doubt in after_a_kill.doubts()) == [1, 3]


def rows_of(journal: Journal, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(journal.path)) as db:
        return db.execute(query).fetchall()
