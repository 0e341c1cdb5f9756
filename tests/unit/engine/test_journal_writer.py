"""The journal writer: what was answered lasts, in order, and nobody waits for the disk."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial
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
from importer.model import (
    Attempt,
    Call,
    Deferral,
    Feedback,
    Meaning,
    Moment,
    Outcome,
    OutcomeKind,
    Reason,
    Warn,
)
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


class HandsOver:
    """What a worker writes to: another writer takes all of it in."""

    def __init__(self, to: JournalWriter) -> None:
        self._to = to

    def mark(self, rows: object) -> None:
        raise AssertionError(rows)

    def write(self, entry: Entry) -> None:
        self._to.take_in(entry)


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


@pytest.mark.parametrize("change", ["write", "mark", "call"])
async def test_a_change_that_is_cancelled_still_lasts_also_while_it_waits_for_another(
    journal: GatedJournal, change: str
) -> None:
    journal.gate = gate = threading.Event()
    writer = writer_of(journal, Told())
    async with anyio.create_task_group() as tasks:
        settle(writer, outcome(1))
        tasks.start_soon(writer.write)
        await anyio.wait_all_tasks_blocked()
        match change:
            case "call":
                of_its_own = Entry(outcomes=[outcome(2)])
                tasks.start_soon(writer.call, partial(journal.write, of_its_own))
            case "mark":
                settle(writer, outcome(2))
                tasks.start_soon(writer.mark, [])
            case _:
                settle(writer, outcome(2))
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


async def test_what_was_answered_is_written_all_the_time(journal: GatedJournal) -> None:
    told = Told()
    writer = writer_of(journal, told)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(writer.write_forever)
        with anyio.fail_after(60):
            for seq in (1, 2):
                settle(writer, outcome(seq))
                while journal.settled().count < seq:
                    await told.changed.wait(60)
        tasks.cancel_scope.cancel()


async def test_requests_and_waits_are_kept_also_where_no_row_has_ended(
    journal: GatedJournal,
) -> None:
    writer = writer_of(journal, Told())
    attempt = Attempt(1, 1.0, Call.PUT, 409, "not completed", 2.0)
    writer.attempted(attempt)
    await writer.write()
    with JournalReader(journal.folder) as reader:
        assert reader.attempts(1) == [attempt]
    deferral = Deferral(1, 1, since=1.0, due=3.0, looks=1, looked_at=1.0)
    writer.defer(deferral)
    await writer.write()
    with JournalReader(journal.folder) as reader:
        assert reader.deferral(1) == deferral


async def test_a_journal_that_cannot_be_written_ends_the_run(journal: GatedJournal) -> None:
    writer = writer_of(journal, Told())
    settle(writer, outcome(1))
    await writer.write()
    settle(writer, outcome(1))  # a row has one outcome, and the journal sees to it
    with pytest.raises(JournalError):
        await writer.write()


@pytest.mark.parametrize("by_another_process", [False, True])
async def test_the_journal_learns_what_is_stored_and_what_may_succeed_later(
    journal: GatedJournal, *, by_another_process: bool
) -> None:
    main = writer_of(journal, Told())
    writer = JournalWriter(HandsOver(main), Told(), CODER, lambda: 1.0)
    writer = writer if by_another_process else main

    def settle(one: Outcome, stored: Stored | None = None, *, is_open: bool = False) -> None:
        sent = row(one.seq)
        sent.open = is_open  # an earlier request of it may still take effect
        writer.settle(one, sent, stored)

    negative = Stored(Meaning.NEGATIVE, None)
    settle(outcome(1))
    settle(outcome(2, OutcomeKind.FAILED, Reason.RETRIES_EXHAUSTED), is_open=True)
    settle(outcome(3, OutcomeKind.FAILED, Reason.REFUSED))
    settle(outcome(4, OutcomeKind.FAILED, Reason.STORED_DIFFERS), negative)
    settle(outcome(5, OutcomeKind.FAILED, Reason.STORED_DIFFERS), negative, is_open=True)
    settle(outcome(6), is_open=True)
    settle(outcome(7, OutcomeKind.NOT_COMPLETED, Reason.DEFERRAL_DEADLINE))
    settle(outcome(8)._replace(warning=Warn.COMMENT_TRUNCATED), is_open=True)
    settle(outcome(9)._replace(warning=Warn.ECHO_DIFFERS), negative)
    writer.defer(Deferral(10, 1, since=1.0, due=3.0, looks=1, looked_at=1.0))
    writer.attempted(Attempt(10, 1.0, Call.PUT, 409, "not completed", 2.0))
    await writer.write()
    await main.write()

    assert main.counts == {
        OutcomeKind.SUCCEEDED: 4, OutcomeKind.FAILED: 4, OutcomeKind.NOT_COMPLETED: 1,
    }  # fmt: skip
    sent, other = (CODER(each, None) for each in (Meaning.POSITIVE, Meaning.NEGATIVE))
    bodies = {1: sent, 4: other, 6: sent, 8: sent, 9: sent}
    kept = {seq for _, seq, *_ in rows_of(journal, "SELECT conversation, seq FROM kept")}
    known = dict(rows_of(journal, "SELECT seq, body FROM outcome WHERE body IS NOT NULL"))
    assert {seq: unsigned(body) for seq, body in known.items()} == bodies
    assert kept == {2, 7}
    assert rows_of(journal, "SELECT seq FROM outcome WHERE open") == [(2,), (5,), (6,), (8,)]
    with JournalReader(journal.folder) as reader:
        warned = {one.seq: one.warning for one in reader.with_warning(9)}
        assert warned == {8: Warn.COMMENT_TRUNCATED, 9: Warn.ECHO_DIFFERS}
        assert len(reader.attempts(10)) == 1
        assert reader.deferral(10)


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
