"""The journal writer: what was answered lasts, in order, and nobody waits for the disk."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from importer.engine import journal_writer
from importer.engine.journal_writer import JournalWriter
from importer.engine.lanes import Lane
from importer.engine.wakeup import Wakeup
from importer.errors import JournalError
from importer.jobs.journal import Journal
from importer.jobs.ledger import Ledger
from importer.jobs.records import Entry, InputFile
from importer.model import Feedback, Meaning, Outcome, OutcomeKind, Reason
from tests.support.data import conversation

pytestmark = pytest.mark.anyio


def lane(seq: int) -> Lane:
    return Lane(Feedback(seq, conversation(seq), Meaning.POSITIVE, None))


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
    opened = GatedJournal.create(tmp_path, [InputFile("in.csv", 1, "0")], {"product_id": "p"})
    assert isinstance(opened, GatedJournal)
    opened.begin_run(0.0, 0.0, {})
    with closing(opened):
        yield opened


class Told:
    """Keeps which rows the writer says are recorded, and checks that the journal has them."""

    def __init__(self, journal: Journal) -> None:
        self.seqs: list[int] = []
        self.changed = Wakeup()
        self._journal = journal

    def __call__(self, lanes: Sequence[Lane]) -> None:
        self.seqs += [lane.feedback.seq for lane in lanes]
        assert all(seq in self._journal.settled() for seq in self.seqs)
        self.changed.notify()


def writer_of(journal: Journal, told: Told, **more: object) -> JournalWriter:
    return JournalWriter(journal, told, lambda: 77.0, lambda: 42.0, **more)  # type: ignore[arg-type]


async def test_a_write_keeps_all_that_was_noted_and_then_tells_whose_outcomes_last(
    journal: GatedJournal,
) -> None:
    told = Told(journal)
    writer = writer_of(journal, told)
    for seq in (2, 1):
        writer.settle(outcome(seq), lane(seq))
    writer.settle(outcome(3, OutcomeKind.REJECTED))
    writer.read(3, {0: 1})
    assert told.seqs == [], "nothing lasts yet"
    await writer.write()
    assert told.seqs == [2, 1], "a rejected row stands in no lane"
    assert journal.totals().rows == 3
    assert journal.first_seqs() == [1]
    assert [kept.settled_at for kept in journal.outcomes()] == [42.0] * 3
    run = journal.last_run()
    assert run is not None
    assert run.quiet_at == 77.0
    assert writer.counts == {OutcomeKind.SUCCEEDED: 2, OutcomeKind.REJECTED: 1}


async def test_a_write_that_is_cancelled_still_lasts_also_while_it_waits_for_another(
    journal: GatedJournal,
) -> None:
    journal.gate = gate = threading.Event()
    writer = writer_of(journal, Told(journal))
    async with anyio.create_task_group() as tasks:
        for seq in (1, 2):
            writer.settle(outcome(seq), lane(seq))
            tasks.start_soon(writer.write)
            await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
        gate.set()
    assert journal.settled().count == 2


async def test_what_is_noted_during_a_write_goes_into_the_next_and_stays_behind_it(
    journal: GatedJournal,
) -> None:
    journal.gate = gate = threading.Event()
    told = Told(journal)
    writer = writer_of(journal, told)
    async with anyio.create_task_group() as tasks:
        for seq in (1, 2):
            writer.settle(outcome(seq), lane(seq))
            tasks.start_soon(writer.write)
            await anyio.wait_all_tasks_blocked()
        await anyio.sleep(0.05)
        assert told.seqs == []
        gate.set()
    assert told.seqs == [1, 2]


async def test_a_row_that_waits_for_the_record_is_not_kept_waiting(
    journal: GatedJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_writer, "INTERVAL", 60.0)
    told = Told(journal)
    writer = writer_of(journal, told)
    writer.settle(outcome(1), lane(1))
    writer.flush_soon()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(writer.write_forever)
        await told.changed.wait(10)
        assert told.seqs == [1], "asked before the writer begins to wait"
        await anyio.wait_all_tasks_blocked()
        writer.settle(outcome(2), lane(2))
        writer.flush_soon()
        await told.changed.wait(10)
        assert told.seqs == [1, 2], "asked while it waits"
        tasks.cancel_scope.cancel()


async def test_a_disk_that_is_too_slow_holds_the_reader_back(journal: GatedJournal) -> None:
    writer = writer_of(journal, Told(journal))
    seq = 0
    while writer.has_room:
        seq += 1
        writer.settle(outcome(seq))
    await writer.write()
    assert writer.has_room


async def test_a_journal_that_cannot_be_written_ends_the_run(journal: GatedJournal) -> None:
    writer = writer_of(journal, Told(journal))
    writer.settle(outcome(1))
    await writer.write()
    writer.settle(outcome(1))  # a row has one outcome, and the journal sees to it
    with pytest.raises(JournalError):
        await writer.write()


async def test_the_ledger_learns_what_was_stored_and_what_may_succeed_later(
    journal: GatedJournal, tmp_path: Path
) -> None:
    with closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        session = ledger.enrol("job", is_new=True)
        writer = writer_of(journal, Told(journal), ledger=session)
        writer.settle(outcome(1), lane(1))
        writer.settle(outcome(2, OutcomeKind.FAILED, Reason.RETRIES_EXHAUSTED), lane(2))
        writer.settle(outcome(3, OutcomeKind.FAILED, Reason.REFUSED), lane(3))
        await writer.write()
        assert ledger.applied(conversation(1)) is not None
        assert [left[0] for left in ledger.left_overs()] == [conversation(2)]
        assert ledger.quiet_at() == 77.0

        writer.forget(lane(1))
        await writer.write()
        stored = ledger.applied(conversation(1))
        assert stored is not None
        assert stored.digest is None
