"""Serves how a run stands, while it lasts, to browsers and monitors (`--status-listen`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from importer.common.durations import format_duration
from importer.engine.clock import Clock
from importer.engine.control import Control
from importer.engine.progress import Observer, Progress
from importer.model import Moment, OutcomeKind
from importer.reporting.standing import Figures, Standing
from importer.settings import ImportSettings
from importer.settings.addresses import host_and_port
from importer.survey.progress import SurveyProgress
from importer.workflows.figures import (
    Speed,
    average_speed,
    deferred_rows,
    given_up_at,
    left_in_words,
    share_done,
    time_left,
    waiting_rows,
    what_holds,
    workers_at_work,
)
from importer.workflows.liveness import Liveness

#: Seconds between two moments at first; when there are so many (an even number), two become one.
_INTERVAL = 1.0
_MOST_MOMENTS = 240


@asynccontextmanager
async def status_served(
    settings: ImportSettings, control: Control, clock: Clock, observers: Sequence[Observer]
) -> AsyncIterator[list[Observer]]:
    """Serve how the run of the block stands, if the settings say so; yield all who observe it.

    Raises `SettingsError` where nothing can listen.
    """
    address = settings.exports.status_listen
    if address is None:
        yield list(observers)
        return
    # Its library is heavy, and few runs are served.
    from importer.reporting.exporters.status_server import StatusServer  # noqa: PLC0415

    status = RunStatus(settings, control, clock)
    async with StatusServer(*host_and_port(address), status.standing) as server:
        for observer in observers:
            observer.noticed(f"how the run stands is shown at {server.url}")
        yield [*observers, status]


class RunStatus:
    """An observer that keeps how a run stands."""

    def __init__(self, settings: ImportSettings, control: Control, clock: Clock) -> None:
        self._settings = settings
        self._control = control
        self._clock = clock
        self._liveness = Liveness(
            clock.monotonic(),
            longest=settings.timeouts.total,
            lock=settings.job.wait_for_lock,
        )
        self._started_at = clock.wall()
        self._speed = Speed()
        self._history = History()
        self._latest: tuple[Progress, float, float] | None = None
        self._job = ""

    def surveying(self, progress: SurveyProgress) -> None:
        """See `Observer`."""
        self._liveness.surveying(progress, self._clock.monotonic())

    def started(
        self,
        folder: Path,
        settings: ImportSettings,  # noqa: ARG002 -- as observers have it
        already_settled: int,  # noqa: ARG002
    ) -> None:
        """See `Observer`."""
        self._job = folder.name

    def progressed(self, progress: Progress) -> None:
        """See `Observer`."""
        self._liveness.progressed(progress, self._clock.monotonic())
        self._history.add(progress, self._clock.wall())
        self._latest = progress, self._speed.update(progress), self._speed.now

    def noticed(self, message: str) -> None:
        """See `Observer`."""
        self._liveness.noticed(message, self._clock.monotonic())

    def standing(self) -> Standing:
        """Return how the run stands now."""
        stopping = self._control.end is not None
        target = self._settings.target
        return Standing(
            target.product_id,
            target.service,
            [path.name for path in self._settings.reading.inputs],
            self._started_at,
            self._clock.wall(),
            self._liveness.health(self._clock.monotonic(), stopping=stopping),
            None if self._latest is None else self._figures(*self._latest),
        )

    def _figures(self, progress: Progress, speed: float, now: float) -> Figures:
        return Figures(
            self._job, progress.share, progress.outcomes, progress.in_flight, progress.concurrency,
            {"deferral": progress.deferred, "retry": progress.retrying,
             "late_effect": progress.held},
            time_left(progress, speed), progress.statuses, progress.buckets,
            _lines(progress, speed, now),
            [(problem.times, _kind_in_words(kind))
             for kind, problem in reversed(list(progress.problems.items()))],
            progress.workers,
            self._history.moments,
        )  # fmt: skip


class History:
    """How a run has gone so far, in few moments however long it lasts."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []
        self._interval = _INTERVAL
        self._before = (0.0, 0)

    def add(self, progress: Progress, at: float) -> None:
        """Take in how the run stands at that time, in Unix seconds."""
        then, settled = self._before
        seconds = progress.elapsed - then
        if seconds < self._interval:
            return
        self._before = progress.elapsed, progress.settled_now
        self.moments.append(
            Moment(
                at, seconds, progress.settled_now - settled, progress.in_flight,
                progress.concurrency, progress.deferred, *progress.latencies, progress.limit, {},
            )
        )  # fmt: skip
        if len(self.moments) == _MOST_MOMENTS:
            self._interval *= 2
            pairs = zip(self.moments[::2], self.moments[1::2], strict=True)
            self.moments = [
                later._replace(
                    interval=first.interval + later.interval, settled=first.settled + later.settled
                )
                for first, later in pairs
            ]


def _lines(progress: Progress, speed: float, now: float) -> list[tuple[str, str]]:
    done = progress.rows - progress.outcomes[OutcomeKind.PENDING]
    time = [left_in_words(progress, speed), f"{format_duration(progress.elapsed)} so far"]
    deferred = deferred_rows(progress)
    lines = [
        ("rows", f"{done:,} of {progress.rows:,}, {share_done(progress)}"),
        ("time", ", ".join(filter(None, time))),
        ("speed", f"{now:,.0f} rows/s now, {average_speed(progress):,.0f} rows/s on average"),
        ("requests", f"{progress.in_flight:,} of {progress.concurrency:,} in flight"),
        ("workers", workers_at_work(progress)),
        ("limited by", what_holds(progress)),
        ("waiting", waiting_rows(progress)),
        ("deferred", f"{deferred}, {given_up_at(progress)}" if deferred else ""),
    ]
    return [(label, text) for label, text in lines if text]


def _kind_in_words(kind: str) -> str:
    what, _, status = kind.replace("_", " ").rpartition(" ")
    if what == "transient":
        return f"{'no response' if status == 'None' else status}, tried again"
    return f"{what} {status}"
