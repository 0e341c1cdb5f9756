"""How a run shows itself on a terminal: a few lines that stay where they are."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from importer.cli.console import messages, plain
from importer.common.durations import format_duration
from importer.engine.progress import Progress
from importer.settings import ImportSettings
from importer.survey.progress import SurveyProgress
from importer.workflows.figures import (
    Speed,
    average_speed,
    outcomes_so_far,
    start_line,
    survey_line,
    time_left,
    waiting_rows,
    what_holds,
)

#: Seconds between two views: to draw one costs about as much as to send fifty rows.
_INTERVAL = 0.5
_PROBLEMS_SHOWN = 3
_BAR_WIDTH = 24


class LiveObserver:
    """Draws the run; a context manager. Lines that do not fit are cut, never wrapped."""

    def __init__(self, console: Console | None = None) -> None:
        self._speed = Speed()
        self._console = console or messages()
        self._next = 0.0
        self._live = Live(
            Text("Starting …"), console=self._console, auto_refresh=False, transient=True
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def surveying(self, progress: SurveyProgress) -> None:
        """See `Observer`."""
        self._live.update(_line(survey_line(progress)), refresh=True)

    def started(self, folder: Path, settings: ImportSettings, already_settled: int) -> None:
        """See `Observer`."""
        self._console.print(f"{start_line(folder, settings, already_settled)}.")

    def progressed(self, progress: Progress) -> None:
        """See `Observer`."""
        speed = self._speed.update(progress)
        now = time.monotonic()
        if now >= self._next:
            self._live.update(picture(progress, speed), refresh=True)
            self._next = now + _INTERVAL

    def noticed(self, message: str) -> None:
        """See `Observer`."""
        self._console.print(message)


def picture(progress: Progress, speed: float) -> Group:
    """Return how a run stands, to be drawn; `speed` is in rows per second."""
    head = Table.grid(padding=(0, 1))
    head.add_row(
        ProgressBar(total=1.0, completed=progress.share, width=_BAR_WIDTH),
        _line(f"{progress.share:4.0%} done"),
        _line(_time(progress, speed)),
    )
    figures = Table.grid(padding=(0, 2))
    figures.add_column(style="dim", no_wrap=True)
    figures.add_column(no_wrap=True, overflow="ellipsis")
    figures.add_row("rows/s", f"{speed:,.0f} now · {average_speed(progress):,.0f} on average")
    figures.add_row("outcomes", outcomes_so_far(progress))
    in_flight = f"{progress.in_flight:,} of {progress.concurrency:,} in flight"
    figures.add_row("requests", " · ".join(filter(None, [in_flight, what_holds(progress)])))
    p50, p95 = progress.latencies
    if p50 is not None and p95 is not None:
        figures.add_row("latency", f"{format_duration(p50)} median · {format_duration(p95)} p95")
    if waiting := waiting_rows(progress):
        figures.add_row("waiting", waiting)
    latest = list(progress.problems.values())[-_PROBLEMS_SHOWN:]
    for number, problem in enumerate(reversed(latest)):
        figures.add_row(
            "" if number else "problems", _line(f"{problem.times:,} × {problem.latest}")
        )
    return Group(head, figures)


def _time(progress: Progress, speed: float) -> str:
    if progress.only_deferred:
        return "only deferred rows are left"
    left = time_left(progress, speed)
    passed = f"{format_duration(progress.elapsed)} so far"
    return passed if left is None else f"{passed}, {format_duration(left)} left"


def _line(text: str) -> Text:
    return Text(plain(text), no_wrap=True, overflow="ellipsis")
