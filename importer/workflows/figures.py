"""The figures of a run that every view of it shows, in words."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from pathlib import Path

from importer.common.durations import format_duration
from importer.common.text import counted
from importer.engine.progress import Progress
from importer.model import OutcomeKind
from importer.reporting.wording import limit_in_words, words
from importer.settings import ImportSettings
from importer.survey.progress import SurveyProgress

#: Seconds over which the speed is averaged.
_RATE_WINDOW = 10.0


class Speed:
    """Rows done per second, over the last few seconds."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque()

    def update(self, progress: Progress) -> float:
        """Take in how the run stands now; return rows per second."""
        self._points.append((progress.elapsed, progress.settled_now))
        while self._points[-1][0] - self._points[0][0] > _RATE_WINDOW:
            self._points.popleft()
        (then, before), (now, after) = self._points[0], self._points[-1]
        return (after - before) / (now - then) if now > then else 0.0


def start_line(folder: Path, settings: ImportSettings, already_settled: int) -> str:
    """Return what a run begins with: what it does, and that it is a rehearsal if it is one."""
    does = "REHEARSAL in the sandbox: importing" if settings.target.sandbox else "importing"
    note = ""
    if already_settled:
        note = f"; {counted(already_settled, 'row')} already done"
    elif folder.name.rpartition("-")[2] != "1" and not settings.ledger.skip_unchanged:
        note = ", a new one of this command: all its rows are sent"
    return f"{does} into product {settings.target.product_id}, job {folder}{note}"


def survey_line(progress: SurveyProgress) -> str:
    """Return how far the survey has come."""
    left = progress.seconds_left
    more = "" if left is None else f", {format_duration(left)} left"
    rows = counted(progress.rows, "row")
    return f"surveying the inputs: {progress.share:.0%}, {rows}{more}; nothing is sent yet"


def outcomes_so_far(progress: Progress) -> str:
    """Return the outcomes that there are, in words."""
    done = progress.outcomes
    parts = [f"{done[OutcomeKind.SUCCEEDED]:,} succeeded"]
    parts += [
        f"{done[kind]:,} {words(kind)}"
        for kind in OutcomeKind
        if done[kind] and kind not in (OutcomeKind.SUCCEEDED, OutcomeKind.PENDING)
    ]
    return " · ".join(parts)


def waiting_rows(progress: Progress) -> str:
    """Return how many rows wait for what, and until when the next one does; or nothing."""
    parts = []
    if progress.deferred:
        parts.append(f"{progress.deferred:,} deferred")
    if progress.retrying:
        parts.append(f"{progress.retrying:,} waiting for a retry")
    if progress.held:
        parts.append(
            f"{progress.held:,} held back: requests of an earlier run may still take effect"
        )
    if parts and progress.next_due is not None:
        due = datetime.now().astimezone() + timedelta(seconds=progress.next_due)
        parts.append(f"the next is due at {due:%H:%M:%S}")
    return " · ".join(parts)


def what_holds(progress: Progress) -> str:
    """Return what keeps the run from being faster, in words; or nothing."""
    if progress.held_by:
        return progress.held_by
    if progress.in_flight and progress.latencies[0] is None:
        return f"no response to {counted(progress.in_flight, 'request')} in flight"
    return limit_in_words(progress.limit, progress.service_rate, progress.latencies[0])


def average_speed(progress: Progress) -> float:
    """Return the rows done per second since the run began."""
    return progress.settled_now / progress.elapsed if progress.elapsed > 0 else 0.0


def time_left(progress: Progress, speed: float) -> float | None:
    """Return the seconds until all rows are done at `speed` (rows per second); None if unknown."""
    if progress.elapsed < 2 or speed <= 0 or progress.share >= 1:
        return None
    return progress.outcomes[OutcomeKind.PENDING] / speed
