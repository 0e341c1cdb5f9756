"""How a run stands that many processes work on: their figures as one. Sans-I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from importer.common.histogram import empty_buckets, percentile
from importer.engine.progress import Progress, outcomes_so_far
from importer.engine.row_queue import QueueStatistics
from importer.engine.statistics import Problem, interval_after
from importer.model import Moment, OutcomeKind, WorkerFigures
from importer.pacing import Limit


@dataclass(frozen=True, slots=True)
class Whole:
    """What the coordinator itself knows."""

    rows: int
    #: The job's before this run, and this run's so far.
    before: Mapping[OutcomeKind, int]
    counts: Mapping[OutcomeKind, int]
    #: The rows that it has not handed out, and in how many seconds the next of them is due.
    queue: QueueStatistics
    next_send: float | None
    next_check: float | None
    #: Rows that have been read and are not done.
    outstanding: int
    #: The deferred rows that workers have.
    deferred: int
    all_read: bool
    elapsed: float
    #: What it has met itself, such as rejected rows.
    problems: Mapping[str, Problem]
    #: Why nothing is sent at the moment, in words; or empty.
    held_by: str
    #: The service's limit as it was found, in requests per second; None without one.
    service_rate: float | None
    #: It has no CPU to spare, so that workers may wait for it.
    is_busy: bool
    workers: Sequence[WorkerFigures]


def merged(whole: Whole, present: Sequence[Progress], past: Sequence[Progress]) -> Progress:
    """Return how the run stands. `present` are the workers', and `past` of those that are gone."""
    outcomes = outcomes_so_far(whole.before, whole.counts, whole.rows)
    settled = whole.rows - outcomes[OutcomeKind.PENDING]
    deferred = whole.queue.deferred + whole.deferred
    everyone = [*present, *past]
    statuses: Counter[int] = Counter()
    for each in everyone:
        statuses.update(each.statuses)
    held_by = whole.held_by
    if not held_by and present and all(each.held_by for each in present):
        held_by = present[0].held_by
    buckets = added(each.buckets for each in everyone)
    return Progress(
        rows=whole.rows,
        share=settled / whole.rows if whole.rows else 1.0,
        outcomes=outcomes,
        settled_now=sum(whole.counts.values()),
        in_flight=sum(each.in_flight for each in present),
        retrying=sum(each.retrying for each in present),
        deferred=deferred,
        held=whole.queue.held,
        next_send=_least([whole.next_send, *(each.next_send for each in present)]),
        only_deferred=whole.all_read and deferred == whole.outstanding > 0,
        next_check=_least([whole.next_check, *(each.next_check for each in present)]),
        gives_up=max((each.gives_up for each in present if each.gives_up is not None),
                     default=None),
        paused_for=min((each.paused_for for each in present), default=0.0),
        held_by=held_by,
        limit=_most((each.limit for each in present), is_busy=whole.is_busy),
        service_rate=whole.service_rate,
        concurrency=sum(each.concurrency for each in present),
        elapsed=whole.elapsed,
        latencies=_latencies(present, buckets),
        problems=_problems([whole.problems, *(each.problems for each in everyone)]),
        statuses=statuses,
        buckets=buckets,
        workers=whole.workers,
    )  # fmt: skip


def added(histograms: Iterable[Sequence[int]]) -> list[int]:
    """Return the sum of histograms, bucket by bucket."""
    total = empty_buckets()
    for each in histograms:
        total = [before + more for before, more in zip(total, each, strict=True)]
    return total


def _least(values: Iterable[float | None]) -> float | None:
    return min((value for value in values if value is not None), default=None)


def _most(limits: Iterable[Limit], *, is_busy: bool) -> Limit:
    """Return what limits most of those that are limited: others may have to wait their turn."""
    counted = Counter(limit for limit in limits if limit is not Limit.NOTHING).most_common(1)
    if counted:
        return counted[0][0]
    return Limit.CPU if is_busy else Limit.NOTHING


def _latencies(
    present: Sequence[Progress], buckets: Sequence[int]
) -> tuple[float | None, float | None]:
    """Return the median of the workers' medians, and the worst of their 95th percentiles."""
    medians = sorted(each.latencies[0] for each in present if each.latencies[0] is not None)
    worst = max((each.latencies[1] or 0.0 for each in present), default=0.0)
    if medians:
        return medians[len(medians) // 2], worst
    return percentile(buckets, 0.5), percentile(buckets, 0.95)


def _problems(many: Iterable[Mapping[str, Problem]]) -> dict[str, Problem]:
    found: dict[str, Problem] = {}
    for problems in many:
        for kind, problem in problems.items():
            before = found.pop(kind, Problem(0, ""))
            found[kind] = Problem(before.times + problem.times, problem.latest)
    return found


class Moments:
    """Makes the moments of a run for its journal: what has changed since the one before."""

    def __init__(self) -> None:
        self._then = 0.0
        self._settled = 0
        self._statuses: Counter[int] = Counter()
        self._buckets = empty_buckets()

    def next(self, progress: Progress, at: float, *, last: bool = False) -> Moment | None:
        """Return the moment that ends `at` (Unix seconds); None if it is too early for one."""
        seconds = progress.elapsed - self._then
        if seconds <= 0 or (seconds < interval_after(progress.elapsed) and not last):
            return None
        statuses = Counter(progress.statuses)
        buckets = [
            max(0, now - before)
            for now, before in zip(progress.buckets, self._buckets, strict=True)
        ]
        moment = Moment(
            at, seconds, progress.settled_now - self._settled, progress.in_flight,
            progress.concurrency, progress.deferred, percentile(buckets, 0.5),
            percentile(buckets, 0.95), progress.limit, dict(statuses - self._statuses),
        )  # fmt: skip
        self._then, self._settled = progress.elapsed, progress.settled_now
        self._statuses, self._buckets = statuses, list(progress.buckets)
        return moment
