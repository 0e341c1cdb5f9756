"""How rows come into a run: marked before they can be sent, as many as there is room for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from importer.common.row_set import RowSet
from importer.engine.clock import Clock
from importer.engine.control import Control
from importer.engine.intake import Intake
from importer.engine.journal_writer import JournalWriter
from importer.engine.reader import Batch
from importer.engine.resume import ResumeState
from importer.engine.row_queue import RowQueue, RowState, Wait
from importer.engine.statistics import Problem, Statistics
from importer.errors import InputError
from importer.feedback.body import BodyCoder
from importer.jobs.entry import Entry
from importer.jobs.records import Totals
from importer.model import (
    Deferral,
    Feedback,
    Meaning,
    Outcome,
    OutcomeKind,
    Rank,
    Reason,
    RunEnd,
)
from importer.settings import ImportSettings
from tests.support.data import conversation

pytestmark = pytest.mark.anyio
Make = Callable[..., ImportSettings]


def row(seq: int) -> Feedback:
    return Feedback(seq, conversation(seq), Meaning.POSITIVE, None)


def rows(first: int, last: int) -> list[Feedback]:
    return [row(seq) for seq in range(first, last + 1)]


def rejected(seq: int) -> Outcome:
    return Outcome(seq, OutcomeKind.REJECTED, None, Reason.UNKNOWN_RATING, "meh")


def replaced(seq: int) -> Outcome:
    return Outcome(seq, OutcomeKind.SUPERSEDED, conversation(seq), Reason.LATER_ROW)


class Door:
    """An intake whose batches, and whose time, are those of the test."""

    def __init__(
        self,
        settings: ImportSettings,
        *batches: Batch,
        fewest_marked: int | None = 50,
        deferrals: dict[int, Deferral] | None = None,
        not_completed: Sequence[str] = (),
        damaged: bool = False,
    ) -> None:
        self.now = 100.0
        self.marked: list[list[int]] = []
        self.queued_at_mark: list[int] = []
        self.queued_at_read: list[int] = []
        self.entries: list[Entry] = []
        self.queue = RowQueue()
        self.control = Control()
        self.statistics = Statistics(self.now)
        clock = Clock(lambda: self.now, lambda: 1000 + self.now, lambda: 0.0)
        self.writer = JournalWriter(self, lambda: None, BodyCoder("p", "u"), clock.wall)
        totals = Totals(0, {}, {}, {}, 0)
        resumed = ResumeState(totals, RowSet(), deferrals or {}, not_completed)
        self.intake = Intake(
            settings, resumed, self._read(batches, damaged=damaged), self.queue, self.writer,
            self.statistics, self.control, clock, fewest_marked,
        )  # fmt: skip

    def _read(self, batches: Sequence[Batch], *, damaged: bool) -> Iterator[Batch]:
        for batch in batches:
            self.queued_at_read.append(len(self.queue))
            yield batch
        if damaged:
            raise InputError("in.csv is damaged")

    def mark(self, rows: Sequence[tuple[int, str]]) -> None:
        self.marked.append([seq for seq, _ in rows])
        self.queued_at_mark.append(len(self.queue))

    def write(self, entry: Entry) -> None:
        self.entries.append(entry)

    async def until_queued(self, rows: int) -> None:
        """Return when so many rows are in the queue, and the intake waits."""
        with anyio.fail_after(60):
            while len(self.queue) < rows:
                await anyio.lowlevel.checkpoint()
        await anyio.wait_all_tasks_blocked()

    def send(self, most: int) -> list[int]:
        """Let up to so many rows be sent; return which."""
        sent: list[int] = []
        while len(sent) < most and (taken := self.queue.next_ready(self.now)):
            sent.append(taken.feedback.seq)
            self.queue.done(taken)
        self.intake.room_may_be()
        return sent


@pytest.fixture
def having(settings_for: Make) -> Make:
    """Return a maker of settings of which the input is of no concern."""
    return lambda **options: settings_for(Path("in.csv"), **options)


async def test_rows_are_marked_before_they_can_be_sent_and_the_others_are_recorded(
    having: Make,
) -> None:
    door = Door(having(), [row(1), rejected(2), row(3), replaced(4)])
    await door.intake.work()
    assert (door.marked, door.queued_at_mark) == ([[1, 3]], [0])
    assert door.send(9) == [1, 3]
    assert door.writer.counts == {OutcomeKind.REJECTED: 1, OutcomeKind.SUPERSEDED: 1}
    assert door.statistics.problems == {"rejected: unknown_rating": Problem(1, "meh")}
    assert door.intake.admitted == 4
    assert door.intake.is_over


async def test_rows_that_came_marked_are_not_marked_again_and_wait_for_no_others(
    having: Make,
) -> None:
    door = Door(having(), rows(1, 3), rows(4, 5), fewest_marked=None)
    await door.intake.work()
    assert door.marked == []
    assert door.queued_at_read == [0, 3]
    assert door.send(9) == [1, 2, 3, 4, 5]


async def test_few_rows_wait_for_more_until_none_come_for_now(having: Make) -> None:
    door = Door(having(), rows(1, 3), rows(4, 6), [], rows(7, 8), [rejected(9)])
    await door.intake.work()
    assert door.marked == [[1, 2, 3, 4, 5, 6], [7, 8]]


async def test_no_more_rows_are_read_than_there_is_room_for(having: Make) -> None:
    door = Door(having(), rows(1, 120), rows(121, 200))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(door.intake.work)
        for marked in ([50], [50, 50], [50, 50, 50], [50, 50, 50, 50]):
            await door.until_queued(50)
            assert [len(each) for each in door.marked] == marked
            assert not door.intake.is_over
            door.intake.room_may_be()
            await anyio.wait_all_tasks_blocked()
            assert len(door.queue) == 50, "nothing has changed"
            assert len(door.send(50)) == 50
    assert door.intake.is_over
    assert door.intake.admitted == 200


async def test_a_run_that_is_stopped_reads_no_further(having: Make) -> None:
    door = Door(having(), rows(1, 120), [rejected(121)])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(door.intake.work)
        await door.until_queued(50)
        door.control.stop(RunEnd.SIGINT)
        door.intake.room_may_be()
    assert door.intake.is_over
    assert len(door.queue) == door.intake.admitted == 50
    assert not door.writer.counts


@pytest.mark.parametrize("full", ["of rows that are retried", "of outcomes not yet written"])
async def test_nothing_is_read_while_memory_is_full(having: Make, full: str) -> None:
    door = Door(having(), rows(1, 50), rows(51, 60), fewest_marked=None)
    if full == "of rows that are retried":
        door.queue.add(rows(100_001, 120_000))
        while taken := door.queue.next_ready(door.now):
            door.queue.wait(taken, Wait(RowState.RETRYING, 10.0, 1), door.now)
    else:
        for seq in range(100_001, 120_001):
            door.writer.settle_unsent(replaced(seq))
    already = len(door.queue)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(door.intake.work)
        # One batch is taken in before it is looked.
        await door.until_queued(already + 50)
        assert len(door.send(50)) == 50
        await anyio.wait_all_tasks_blocked()
        assert door.intake.admitted == 50
        await door.writer.write()
        door.now += 10
        door.send(20_000)
    assert door.intake.admitted == 60


async def test_the_more_is_done_in_a_second_the_more_rows_are_marked_together(having: Make) -> None:
    door = Door(having(), rows(1, 900), rows(901, 1000))
    for seq in range(2001, 4001):
        door.writer.settle_unsent(replaced(seq))
    door.now += 4
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(door.intake.work)
        for _ in range(2):
            await door.until_queued(500)
            assert len(door.send(500)) == 500
    assert [len(each) for each in door.marked] == [500, 500]


@pytest.mark.parametrize("end", [3, 4])
async def test_a_limit_counts_the_rows_that_are_sent(having: Make, end: int) -> None:
    batches: list[Batch] = [
        [rejected(1), row(2)],
        [row(3), rejected(4), row(5), rejected(6), row(7), rejected(8)],
    ]
    door = Door(having(limit=end), *batches, [row(9)])
    await door.intake.work()
    assert len(door.queued_at_read) == 2
    assert door.send(9) == [2, 3, 5, 7][:end]
    assert door.intake.has_reached_limit
    assert door.writer.counts == {OutcomeKind.REJECTED: end - 1}
    assert door.intake.admitted == 2 * end - 1
    other = Door(having(limit=4), rows(1, 3))
    await other.intake.work()
    assert other.send(9) == [1, 2, 3]
    assert not other.intake.has_reached_limit


async def test_what_would_not_be_sent_can_be_recorded_alone(having: Make) -> None:
    door = Door(having(limit=1), [row(1), rejected(2)], [row(3), replaced(4)])
    await door.intake.record_unsent()
    assert [outcome.seq for entry in door.entries for outcome in entry.outcomes] == [2, 4]
    assert (len(door.queue), door.marked) == (0, [])


async def test_a_damaged_input_ends_the_run_and_what_came_before_is_not_lost(having: Make) -> None:
    door = Door(having(), rows(1, 50), damaged=True)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(door.intake.work)
        await door.until_queued(50)
        assert len(door.send(50)) == 50
    assert (door.control.end, door.control.message) == (RunEnd.INPUT_FAILED, "in.csv is damaged")
    assert door.intake.is_over


async def test_a_row_that_was_deferred_waits_on(having: Make) -> None:
    deferral = Deferral(1, 2, since=1090.0, due=1100.1, looks=3, looked_at=1095.0)
    far_off = deferral._replace(seq=3, due=9000.0)
    door = Door(having(defer_max=7.0), rows(1, 3), deferrals={1: deferral, 3: far_off})
    await door.intake.work()
    assert door.send(9) == [2]
    assert door.queue.next_check() == pytest.approx(100.1)
    waiting = door.queue.next_ready(101.0)
    assert waiting is not None
    assert (waiting.feedback.seq, waiting.attempts, waiting.looks) == (1, 2, 3)
    assert door.queue.next_check() == 107.0, "a clock may be set"


async def test_of_a_conversation_that_was_not_completed_the_status_is_asked_for_first(
    having: Make,
) -> None:
    door = Door(having(), rows(1, 2), not_completed=[conversation(2)])
    await door.intake.work()
    found = [door.queue.next_ready(door.now) for _ in range(2)]
    assert {row.feedback.seq: row.ask_status for row in found if row} == {1: False, 2: True}


async def test_a_row_is_held_back_of_which_a_request_of_another_job_may_take_effect(
    having: Make,
) -> None:
    door = Door(having(late_effect=30.0), rows(1, 4))
    held = {
        conversation(1): [Rank(4, 4)],
        conversation(2): [Rank(5, 5)],
        conversation(3): [Rank(2, 3)],
        conversation(4): [Rank(5, 5), Rank(4, 4)],
    }
    door.intake.hold_back(held, {3: Rank(2, 3)}, 5)
    door.now += 1
    await door.intake.work()
    assert door.send(9) == [2, 3]
    assert door.queue.count(RowState.HELD) == 2
    assert door.queue.next_send() == 130.0, "from the beginning of the run on"
