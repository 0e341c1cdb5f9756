"""What there is to see of a run: its figures for the observers, and its moments for the journal."""

# ruff: noqa: ARG002 -- the methods of an observer do nothing, unless they are written anew

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from importer.common.durations import format_duration
from importer.common.histogram import percentile
from importer.engine.clock import Clock
from importer.engine.journal_writer import JournalWriter
from importer.engine.row_queue import RowQueue
from importer.engine.statistics import Problem, Statistics
from importer.jobs.records import Totals
from importer.model import Moment, OutcomeKind, WorkerFigures
from importer.pacing import Limit, Pacer
from importer.settings import ImportSettings
from importer.survey.progress import SurveyProgress


@dataclass(frozen=True, slots=True)
class Progress:
    """A run at one moment."""

    #: All rows of the job.
    rows: int
    #: How much of them is done, from 0 to 1.
    share: float
    #: The job's so far, over all its runs.
    outcomes: Mapping[OutcomeKind, int]
    #: Rows that this run has completed.
    settled_now: int
    in_flight: int
    retrying: int
    deferred: int
    #: Rows that wait until requests of other jobs can take no effect any more.
    held: int
    #: Seconds until the next row is due that waits for a retry or is held back; None without one.
    next_send: float | None
    only_deferred: bool
    #: Seconds until the next status check of a deferred row; None if none is deferred.
    next_check: float | None
    #: Seconds until the last of the deferred rows is given up, at the latest; None as above.
    gives_up: float | None
    #: Seconds that a pause still lasts, which the service has asked for; 0 without one, and while
    #: the service is unavailable.
    paused_for: float
    #: What holds all requests back, in words; or empty.
    held_by: str
    #: What keeps the run from being faster.
    limit: Limit
    #: The service's limit as it was found, in requests per second; None without one.
    service_rate: float | None
    #: How many requests may be in flight.
    concurrency: int
    #: Seconds since the run began.
    elapsed: float
    #: The recent median and 95th percentile, in seconds.
    latencies: tuple[float | None, float | None]
    #: Those met so far, the latest last.
    problems: Mapping[str, Problem]
    #: The responses of this run by HTTP status, 0 for none, up to a second ago.
    statuses: Mapping[int, int]
    #: How many of them fell into each of `common.histogram.BUCKETS`.
    buckets: Sequence[int]
    #: The processes that send, those that were lost included; empty if it is this one alone.
    workers: Sequence[WorkerFigures] = ()


def outcomes_so_far(
    before: Mapping[OutcomeKind, int], counts: Mapping[OutcomeKind, int], rows: int
) -> dict[OutcomeKind, int]:
    """Return the outcomes of a job of so many rows: those before this run, and this run's."""
    outcomes = {kind: before[kind] + counts[kind] for kind in OutcomeKind}
    outcomes[OutcomeKind.PENDING] = 0
    outcomes[OutcomeKind.PENDING] = rows - sum(outcomes.values())
    return outcomes


@runtime_checkable
class Observer(Protocol):
    """Is told how a run goes. Its methods are called on the run's event loop and must be quick.

    A class that derives from it need only have those that it wants. What they raise ends the run.
    """

    def surveying(self, progress: SurveyProgress) -> None:
        """The inputs are read, before anything is sent; called several times a second."""
        return

    def started(self, folder: Path, settings: ImportSettings, already_settled: int) -> None:
        """The job is open; `already_settled` rows were done by earlier runs."""
        return

    def progressed(self, progress: Progress) -> None:
        """Called several times a second."""
        return

    def noticed(self, message: str) -> None:
        """Something happened that a person may want to know, such as a pause."""
        return


class Reporter(ABC):
    """Tells the observers of a run, and keeps what limited it."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers
        self._limits: Counter[Limit] = Counter()

    @property
    def limit(self) -> Limit:
        """Return what kept the run from being faster, most of its time."""
        return max(self._limits, key=lambda limit: self._limits[limit], default=Limit.NOTHING)

    @property
    @abstractmethod
    def service_rate(self) -> float | None:
        """See `Progress`."""

    @property
    @abstractmethod
    def latencies(self) -> Sequence[int]:
        """Return how many answers fell into each of `common.histogram.BUCKETS`."""

    def notice(self, message: str) -> None:
        """Tell the observers what has happened; an empty message is nothing."""
        for observer in self._observers if message else ():
            observer.noticed(message)

    def _tell(self, progress: Progress) -> None:
        self._limits[progress.limit] += 1
        for observer in self._observers:
            observer.progressed(progress)


class ProgressReporter(Reporter):
    """Looks at the parts of a run, changes none of them, and tells the observers.

    `before` are the job's figures before this run, and `defer_for` is how long a conversation is
    waited for, in seconds.
    """

    def __init__(
        self,
        queue: RowQueue,
        pacer: Pacer,
        writer: JournalWriter,
        statistics: Statistics,
        before: Totals,
        observers: Sequence[Observer],
        clock: Clock,
        defer_for: float,
    ) -> None:
        super().__init__(observers)
        self.statistics = statistics
        self._queue = queue
        self._pacer = pacer
        self._writer = writer
        self._before = before
        self._clock = clock
        self._defer_for = defer_for
        self._started = clock.monotonic()

    @property
    def service_rate(self) -> float | None:
        """See `Reporter`."""
        return self._pacer.service_rate

    @property
    def latencies(self) -> Sequence[int]:
        """See `Reporter`."""
        return self.statistics.all_answers

    def report(self, *, all_read: bool, last: bool = False) -> None:
        """Tell the observers how the run stands, and record the moment if it is time.

        `all_read` says that the queue holds all rows that are not done. The `last` moment is
        always kept.
        """
        progress = self._progress(all_read=all_read)
        self._note_moment(progress, last=last)
        self._tell(progress)

    def _progress(self, *, all_read: bool) -> Progress:
        now = self._clock.monotonic()
        queue = self._queue.statistics()
        counts = self._writer.counts
        rows = self._before.rows
        outcomes = outcomes_so_far(self._before.outcomes, counts, rows)
        settled = rows - outcomes[OutcomeKind.PENDING]
        newest = self._queue.newest_deferral()
        pause = self._pacer.paused_for(now)
        next_send = seconds_until(self._queue.next_send(), now)
        limit = self._pacer.limit(now, queue.in_flight)
        if limit is Limit.NOTHING and queue.held and not (queue.ready or queue.in_flight):
            limit = Limit.LATE_EFFECT
        held = ""
        if self._pacer.breaker.is_open:
            held = "the service is unavailable"
        elif pause > 0:
            held = f"paused for {format_duration(pause)}"
            if limit is Limit.LATE_EFFECT:
                held += ": earlier requests may still take effect"
        return Progress(
            rows=rows,
            share=settled / rows if rows else 1.0,
            outcomes=outcomes,
            settled_now=counts.total(),
            in_flight=queue.in_flight,
            retrying=queue.retrying,
            deferred=queue.deferred,
            held=queue.held,
            next_send=None if next_send is None else max(next_send, pause),
            only_deferred=all_read and queue.deferred == len(self._queue) > 0,
            next_check=seconds_until(self._queue.next_check(), now),
            gives_up=None if newest is None else seconds_until(newest + self._defer_for, now),
            paused_for=0.0 if self._pacer.breaker.is_open else pause,
            held_by=held,
            limit=limit,
            service_rate=self._pacer.service_rate,
            concurrency=self._pacer.window.size,
            elapsed=now - self._started,
            latencies=self.statistics.latencies(),
            problems=self.statistics.problems,
            statuses=self.statistics.all_statuses,
            buckets=self.statistics.all_answers,
        )

    def _note_moment(self, progress: Progress, *, last: bool) -> None:
        """Record the figures of the interval that ends now, if one does."""
        now = self._clock.monotonic()
        ended = self.statistics.turn(now, progress.settled_now, last=last)
        if ended is None:
            return
        interval, seconds, settled = ended
        self._writer.passed(
            Moment(
                self._clock.wall(),
                seconds,
                settled,
                progress.in_flight,
                progress.concurrency,
                progress.deferred,
                percentile(interval.buckets, 0.5),
                percentile(interval.buckets, 0.95),
                progress.limit,
                interval.statuses,
            )
        )


def seconds_until(time: float | None, now: float) -> float | None:
    """Return the seconds from `now` until then, never less than 0; None for no time."""
    return None if time is None else max(0.0, time - now)
