"""How a run shows itself while it lasts: a live line on a terminal, log lines elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from pythonjsonlogger.json import JsonFormatter
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar

from importer.cli.console import messages
from importer.control import Progress
from importer.model import OutcomeKind
from importer.pacing import Limit
from importer.quantities import counted, format_duration
from importer.settings import ImportSettings

_log = logging.getLogger("importer")

#: Seconds between two lines where there is no terminal.
_LINE_INTERVAL = 5.0
_RATE_WINDOW = 10.0

#: What keeps a run from being faster, in words.
LIMITS = {
    Limit.CONCURRENCY: "the bound of --concurrency",
    Limit.RATE: "the cap of --rate",
    Limit.SERVICE: "the service",
    Limit.CPU: "this machine's CPU",
}


@contextmanager
def logging_to_stderr(*, as_json: bool, quiet: bool) -> Iterator[None]:
    """Send the importer's log to standard error, as text or as JSON lines (docs/reference.md)."""
    handler = logging.StreamHandler(sys.stderr)
    if as_json:
        formatter: logging.Formatter = JsonFormatter(
            "%(levelname)s %(message)s", timestamp="time", rename_fields={"levelname": "level"}
        )
    else:
        formatter = logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S")
    handler.setFormatter(formatter)
    _log.addHandler(handler)
    _log.setLevel(logging.WARNING if quiet else logging.INFO)
    _log.propagate = False
    try:
        yield
    finally:
        _log.removeHandler(handler)


class _Speed:
    """Rows settled per second, over the last few seconds."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque()

    def update(self, progress: Progress) -> float:
        self._points.append((progress.elapsed, progress.settled_now))
        while self._points[-1][0] - self._points[0][0] > _RATE_WINDOW:
            self._points.popleft()
        (then, before), (now, after) = self._points[0], self._points[-1]
        return (after - before) / (now - then) if now > then else 0.0


def describe(progress: Progress, speed: float) -> str:
    """Return the figures of a run in one line."""
    done = progress.outcomes
    parts = [f"{done[OutcomeKind.SUCCEEDED]:,} succeeded"]
    parts += [
        f"{done[kind]:,} {str(kind).replace('_', ' ')}"
        for kind in OutcomeKind
        if done[kind] and kind not in (OutcomeKind.SUCCEEDED, OutcomeKind.PENDING)
    ]
    parts.append(f"{speed:,.0f} rows/s")
    if progress.deferred:
        parts.append(f"{progress.deferred:,} deferred")
    if progress.retrying:
        parts.append(f"{progress.retrying:,} waiting for a retry")
    if progress.only_deferred and progress.next_due is not None:
        due = datetime.now().astimezone() + timedelta(seconds=progress.next_due)
        parts.append(f"only deferred rows are left, the next try is at {due:%H:%M:%S}")
    elif progress.held_by:
        parts.append(progress.held_by)
    else:
        if progress.limit in LIMITS:
            parts.append(f"limited by {LIMITS[progress.limit]}")
        if (left := time_left(progress)) is not None:
            parts.append(f"{format_duration(left)} left")
    return " · ".join(parts)


def time_left(progress: Progress) -> float | None:
    """Return the estimated seconds until all rows have been sent once; None if unknown."""
    if not 0.01 < progress.share < 1 or progress.elapsed < 2:
        return None
    return progress.elapsed * (1 - progress.share) / progress.share


class LineObserver:
    """Writes a log line every few seconds, and one for each thing that happens."""

    def __init__(self) -> None:
        self._speed = _Speed()
        self._next = 0.0

    def started(self, folder: Path, settings: ImportSettings, already_settled: int) -> None:
        """See `Observer`."""
        went_on = f"; {counted(already_settled, 'row')} settled before" if already_settled else ""
        _log.info(
            "importing into product %s, job %s%s", settings.product_id, folder, went_on,
            extra={"event": "started", "job": folder.name, "already_settled": already_settled},
        )  # fmt: skip

    def progressed(self, progress: Progress) -> None:
        """See `Observer`."""
        speed = self._speed.update(progress)
        now = time.monotonic()
        if now < self._next:
            return
        if self._next:
            _log.info(
                "%.0f %% read · %s", 100 * progress.share, describe(progress, speed),
                extra={
                    "event": "progress",
                    "share": round(progress.share, 4),
                    "rows_read": progress.rows_read,
                    "rows_per_second": round(speed, 1),
                    "deferred": progress.deferred,
                    "retrying": progress.retrying,
                    "held_by": progress.held_by,
                    "limited_by": progress.limit,
                    "concurrency": progress.concurrency,
                    **{str(kind): number for kind, number in progress.outcomes.items()},
                },
            )  # fmt: skip
        self._next = now + _LINE_INTERVAL

    def noticed(self, message: str) -> None:
        """See `Observer`."""
        _log.warning("%s", message, extra={"event": "notice"})


class BarObserver:
    """Draws one live line on the terminal; a context manager."""

    def __init__(self) -> None:
        self._speed = _Speed()
        self._console = messages()
        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TaskProgressColumn(),
            TextColumn("{task.fields[figures]}", markup=False),
            console=self._console,
            refresh_per_second=4,
            transient=True,
        )
        self._task = self._bar.add_task("Importing", total=1.0, figures="starting")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def started(self, folder: Path, settings: ImportSettings, already_settled: int) -> None:
        """See `Observer`."""
        went_on = f"; {counted(already_settled, 'row')} settled before" if already_settled else ""
        self._console.print(f"Importing into product {settings.product_id}, job {folder}{went_on}.")

    def progressed(self, progress: Progress) -> None:
        """See `Observer`."""
        figures = describe(progress, self._speed.update(progress))
        self._bar.update(self._task, completed=progress.share, figures=figures)

    def noticed(self, message: str) -> None:
        """See `Observer`."""
        self._console.print(message)
