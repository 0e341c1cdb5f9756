"""What there is to see of a run at a moment, and what of it is kept."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from importer.engine.clock import Clock
from importer.engine.journal_writer import JournalWriter
from importer.engine.progress import Observer, Progress, ProgressReporter
from importer.engine.row_queue import QueuedRow, RowQueue, RowState, Wait
from importer.engine.statistics import Problem, Statistics
from importer.feedback.body import BodyCoder
from importer.jobs.entry import Entry
from importer.jobs.records import Totals
from importer.model import Deferral, Feedback, Meaning, Moment, Outcome, OutcomeKind, Reason
from importer.pacing import Limit, Pacer, RateCap
from tests.support.data import conversation


def feedback(seq: int) -> Feedback:
    return Feedback(seq, conversation(seq), Meaning.POSITIVE, None)


class View(Observer):
    """A run of which the test moves the parts and the clock; it began at 100."""

    def __init__(self, rows: int = 10, **before: int) -> None:
        self.now = 100.0
        self.seen: list[Progress] = []
        self.said: list[str] = []
        self.entries: list[Entry] = []
        self.queue = RowQueue()
        self.pacer = Pacer(self.now, concurrency=64, rate=None)
        self.statistics = Statistics(self.now)
        clock = Clock(lambda: self.now, lambda: 1000 + self.now, lambda: 0.0)
        self.writer = JournalWriter(self, lambda: None, BodyCoder("p", "u"), clock.wall)
        outcomes = {kind: before.get(kind, 0) for kind in OutcomeKind}
        outcomes[OutcomeKind.PENDING] = rows - sum(outcomes.values())
        self.reporter = ProgressReporter(
            self.queue, self.pacer, self.writer, self.statistics,
            Totals(rows, outcomes, {}, {}, 0), [self], clock, 50.0,
        )  # fmt: skip

    def progressed(self, progress: Progress) -> None:
        self.seen.append(progress)

    def noticed(self, message: str) -> None:
        self.said.append(message)

    def mark(self, rows: Sequence[tuple[int, str]]) -> None:
        raise AssertionError(rows)

    def write(self, entry: Entry) -> None:
        self.entries.append(entry)

    def looks(self, *, all_read: bool = False, last: bool = False) -> Progress:
        self.reporter.report(all_read=all_read, last=last)
        return self.seen[-1]

    def take(self, seq: int) -> QueuedRow:
        self.queue.add([feedback(seq)])
        row = self.queue.next_ready(self.now)
        assert row is not None
        return row

    def settle(self, seq: int) -> None:
        self.writer.settle_unsent(Outcome(seq, OutcomeKind.REJECTED, None, Reason.MALFORMED))

    async def moments(self) -> list[Moment]:
        await self.writer.write()
        return [moment for entry in self.entries for moment in entry.moments]


def test_where_the_rows_stand_is_told() -> None:
    view = View(succeeded=2, rejected=1)
    view.settle(4)
    view.queue.wait(view.take(5), Wait(RowState.RETRYING, 3.0), view.now)
    view.queue.restore(feedback(6), Deferral(6, 1, 80.0, 107.0, 1, 80.0))
    view.queue.hold(feedback(7), 120.0)
    view.take(8)
    view.statistics.met("503", "no")
    view.now = 102.0
    view.statistics.answered(0.1, 200)
    found = view.looks()
    assert (found.rows, found.share, found.settled_now) == (10, 0.4, 1)
    assert {kind: rows for kind, rows in found.outcomes.items() if rows} == {
        OutcomeKind.SUCCEEDED: 2, OutcomeKind.REJECTED: 2, OutcomeKind.PENDING: 6,
    }  # fmt: skip
    assert (found.in_flight, found.retrying, found.deferred, found.held) == (1, 1, 1, 1)
    assert (found.next_send, found.next_check, found.gives_up) == (1.0, 5.0, 28.0)
    assert (found.paused_for, found.held_by, found.limit) == (0.0, "", Limit.NOTHING)
    assert (found.service_rate, found.concurrency) == (None, view.pacer.window.size)
    assert found.elapsed == 2.0
    assert found.latencies == pytest.approx((0.1, 0.1), rel=0.1)
    assert found.problems == {"503": Problem(1, "no")}
    assert (found.statuses, sum(found.buckets)) == ({200: 1}, 1), "of the moment that ends"
    assert view.reporter.latencies == found.buckets
    view.now = 200.0
    found = view.looks()
    assert (found.next_send, found.next_check, found.gives_up) == (0.0, 0.0, 0.0)


def test_of_a_job_without_rows_all_is_done() -> None:
    found = View(0).looks()
    assert (found.share, found.outcomes[OutcomeKind.PENDING]) == (1.0, 0)
    assert (found.next_send, found.next_check, found.gives_up) == (None, None, None)


def test_only_deferred_rows_are_left_when_all_are_read_and_none_waits_for_anything_else() -> None:
    view = View()
    assert not view.looks(all_read=True).only_deferred
    view.queue.restore(feedback(6), Deferral(6, 1, 80.0, 107.0, 1, 80.0))
    assert not view.looks().only_deferred
    assert view.looks(all_read=True).only_deferred
    view.take(8)
    assert not view.looks(all_read=True).only_deferred


def test_a_pause_is_told_with_what_it_is_for() -> None:
    view = View()
    view.queue.wait(view.take(5), Wait(RowState.RETRYING, 3.0), view.now)
    view.pacer.hold(view.now, 5.0, lifts=False)
    found = view.looks()
    assert (found.paused_for, found.next_send, found.limit) == (5.0, 5.0, Limit.PAUSE)
    assert found.held_by == "paused for 5.0 s"
    view.now += 4.5
    assert view.looks().held_by == "paused for 500 ms"
    view.now += 1
    found = view.looks()
    assert (found.paused_for, found.limit, found.held_by) == (0.0, Limit.NOTHING, "")
    view = View()
    view.pacer.hold_back(view.now + 30)
    found = view.looks()
    assert (found.paused_for, found.limit) == (30.0, Limit.LATE_EFFECT)
    assert found.held_by == "paused for 30 s: earlier requests may still take effect"


def test_an_outage_is_told_whatever_pause_was_asked_for() -> None:
    view = View()
    view.pacer.hold(view.now, 30.0, lifts=False)
    for _ in range(4):
        view.now += 3
        view.pacer.failed(view.now, view.now - 0.1, 1, first=True)
    found = view.looks()
    assert (found.held_by, found.paused_for) == ("the service is unavailable", 0.0)
    assert found.limit is Limit.OUTAGE


def test_rows_that_are_held_back_limit_a_run_that_has_no_others() -> None:
    view = View()
    assert view.looks().limit is Limit.NOTHING
    view.queue.hold(feedback(7), 120.0)
    view.pacer.hold(view.now, 5.0, lifts=False)
    assert view.looks().limit is Limit.PAUSE
    view.pacer.hold(view.now, 0.0, lifts=False)
    assert view.looks().limit is Limit.LATE_EFFECT
    view.queue.add([feedback(8)])
    assert view.looks().limit is Limit.NOTHING
    view.queue.next_ready(view.now)
    assert view.looks().limit is Limit.NOTHING
    assert view.reporter.limit is Limit.NOTHING, "three times out of five"


def test_what_limited_a_run_most_of_its_time_is_kept() -> None:
    view = View()
    assert view.reporter.limit is Limit.NOTHING
    view.looks()
    view.pacer.finder.cap = RateCap(100.0, catch_up=0.0)  # type: ignore[misc]
    view.pacer.start(view.now)
    view.looks()
    found = view.looks()
    assert {found.limit, view.reporter.limit} == {Limit.SERVICE_LIMIT}
    assert found.service_rate == view.reporter.service_rate == 100.0


@pytest.mark.anyio
async def test_a_moment_is_kept_of_each_second_and_of_the_end() -> None:
    view = View()
    view.take(8)
    for seconds in (0.1, 0.1, 0.1, 0.2):
        view.statistics.answered(seconds, 200)
    view.statistics.answered(9.0, None)
    view.now = 100.9
    view.looks()
    assert await view.moments() == []
    view.now = 101.5
    view.settle(4)
    view.looks()
    view.now = 101.75
    view.looks()
    (one,) = await view.moments()
    window = view.pacer.window.size
    assert one == Moment(
        1101.5, 1.5, 1, 1, window, 0, one.p50, one.p95, Limit.NOTHING, {200: 4, 0: 1}
    )
    assert (one.p50, one.p95) == pytest.approx((0.1, 0.2), rel=0.1)
    view.settle(5)
    view.looks(last=True)
    _, last = await view.moments()
    assert (last.interval, last.settled, last.p50, last.statuses) == (0.25, 1, None, {})


def test_what_is_noticed_is_told_unless_it_is_nothing() -> None:
    view = View()
    view.reporter.notice("a pause")
    view.reporter.notice("")
    assert view.said == ["a pause"]
