"""The figures of a run that every view of it shows, in words."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from math import floor
from pathlib import Path

from importer.common.durations import format_duration
from importer.common.text import counted
from importer.engine.progress import Progress
from importer.jobs.inputs import undone_job
from importer.model import OutcomeKind
from importer.pacing import Limit
from importer.reporting.wording import limit_in_words, words
from importer.settings import ImportSettings
from importer.survey.progress import SurveyProgress

#: The speed is that of the last seconds: so many, and more until so many rows were done in them.
_RATE_WINDOW = 10.0
_FEWEST_ROWS = 10
#: And the one of now, for who looks at it: of so many, whatever holds the rows back.
_NOW = 2.0
#: Seconds between two points, and the number of them that is kept.
_RATE_STEP = 0.2
_MOST_POINTS = 3000
#: Of a moment in so many seconds, the seconds are told as well.
_SOON = 600.0


class Speed:
    """Rows done per second, lately, while there were rows to send and nothing held them back.

    `now` is over the last `seconds`, whatever holds the rows back.
    """

    def __init__(self, seconds: float = _NOW) -> None:
        #: Rows done per second in these seconds.
        self.now = 0.0
        self._seconds = seconds
        self._latest: deque[tuple[float, int]] = deque()
        self._points: deque[tuple[float, int]] = deque(maxlen=_MOST_POINTS)
        self._held = 0.0
        self._seen = 0.0

    def update(self, progress: Progress) -> float:
        """Take in how the run stands now; return rows per second.

        The time of a pause does not count, nor that in which all rows wait: it tells nothing of
        what comes after it.
        """
        self._note(progress.elapsed, progress.settled_now)
        waiting = progress.retrying + progress.held + progress.deferred
        waits = not progress.in_flight and progress.outcomes[OutcomeKind.PENDING] <= waiting
        if progress.held_by or waits:
            self._held += progress.elapsed - self._seen
        self._seen = progress.elapsed
        points, now = self._points, progress.elapsed - self._held
        if not points or now - points[-1][0] >= _RATE_STEP:
            points.append((now, progress.settled_now))
        while (
            len(points) > 2
            and points[-1][0] - points[1][0] >= _RATE_WINDOW
            and points[-1][1] - points[1][1] >= _FEWEST_ROWS
        ):
            points.popleft()
        (start, before), (end, after) = points[0], points[-1]
        return (after - before) / (end - start) if end > start else 0.0

    def _note(self, elapsed: float, settled: int) -> None:
        latest = self._latest
        if not latest or elapsed - latest[-1][0] >= _RATE_STEP:
            latest.append((elapsed, settled))
        while len(latest) > 1 and elapsed - latest[1][0] >= self._seconds:
            latest.popleft()
        (start, before) = latest[0]
        self.now = (settled - before) / (elapsed - start) if elapsed > start else 0.0


def start_line(folder: Path, settings: ImportSettings, already_settled: int) -> str:
    """Return what a run begins with: what it does, and that it is a rehearsal if it is one."""
    does = "REHEARSAL in the sandbox: importing" if settings.target.sandbox else "importing"
    note = ""
    if already_settled:
        note = f"; {counted(already_settled, 'row')} already done"
    elif undone_job(map(str, settings.reading.inputs)) is not None:
        note = ", which takes back another"
    elif folder.name.rpartition("-")[2] != "1":
        is_compared = settings.ledger.skip_unchanged and not settings.job.restart
        does_so = "whose rows count as the newest" if is_compared else "which starts over"
        note = f", a new one of this command, {does_so}"
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


def share_done(progress: Progress) -> str:
    """Return how much of the job is done; all of it only when nothing is left."""
    return f"{floor(100 * progress.share)}% done"


def waiting_rows(progress: Progress) -> str:
    """Return how many rows wait for a retry or for requests of other jobs; or nothing."""
    parts = []
    if progress.retrying:
        parts.append(f"{progress.retrying:,} waiting to be sent again")
    if progress.held:
        parts.append(
            f"{progress.held:,} held back: requests of an earlier run may still take effect"
        )
    if parts and progress.next_send is not None:
        parts.append(f"the next is due at {_time_of_day(progress.next_send, seconds_too=True)}")
    return " · ".join(parts)


def deferred_rows(progress: Progress) -> str:
    """Return how many rows wait for their conversations, and when the next is checked."""
    if not progress.deferred or progress.next_check is None:
        return f"{progress.deferred:,}" if progress.deferred else ""
    check = _time_of_day(progress.next_check, seconds_too=True)
    return f"{progress.deferred:,}, next check at {check}"


def given_up_at(progress: Progress) -> str:
    """Return when the last of the deferred rows is given up; or nothing."""
    if progress.gives_up is None:
        return ""
    is_soon = progress.gives_up < _SOON
    return f"gives up at {_time_of_day(progress.gives_up, seconds_too=is_soon)}"


def what_holds(progress: Progress) -> str:
    """Return what keeps the run from being faster, in words; or nothing."""
    if progress.held_by:
        return progress.held_by
    if progress.in_flight and progress.latencies[0] is None:
        return f"no response to {counted(progress.in_flight, 'request')} in flight"
    return limit_in_words(progress.limit, progress.service_rate, progress.latencies[0])


def workers_at_work(progress: Progress) -> str:
    """Return how many processes send and how fast each is, and how many were lost; or nothing."""
    if not progress.workers:
        return ""
    speeds = [each.speed for each in progress.workers if not each.is_lost]
    lost = len(progress.workers) - len(speeds)
    text = f"{len(speeds):,} at work"
    if speeds:
        each = (
            f"{min(speeds):,.0f} to {max(speeds):,.0f}" if len(speeds) > 1 else f"{speeds[0]:,.0f}"
        )
        text += f", {each} rows/s each"
    return f"{text}, {lost:,} lost" if lost else text


def average_speed(progress: Progress) -> float:
    """Return the rows done per second since the run began."""
    return progress.settled_now / progress.elapsed if progress.elapsed > 0 else 0.0


def time_left(progress: Progress, speed: float) -> float | None:
    """Return the seconds until all rows are done at `speed` (rows per second); None if unknown.

    Rows that wait are not done before the first of them is due. How long conversations take that
    are not completed is not known: when most of what is left waits for them, neither is the end;
    nor is it in an outage.
    """
    unknown = (progress.held_by and not progress.paused_for) or progress.limit is Limit.OUTAGE
    if progress.elapsed < 2 or speed <= 0 or progress.share >= 1 or unknown:
        return None
    to_send = progress.outcomes[OutcomeKind.PENDING] - progress.deferred
    if to_send < progress.deferred or not to_send:
        return None
    return max(progress.paused_for + to_send / speed, progress.next_send or 0.0)


def left_in_words(progress: Progress, speed: float) -> str:
    """Return how long the rows to send take at `speed`, and how many others wait; or nothing."""
    left = time_left(progress, speed)
    if left is None:
        return ""
    waiting = f" and {counted(progress.deferred, 'deferred row')}" if progress.deferred else ""
    return f"{format_duration(left)} left{waiting}"


def _time_of_day(seconds: float, *, seconds_too: bool = False) -> str:
    """Return the time of day in so many seconds, with the date if that is not today."""
    now = datetime.now().astimezone()
    time = now + timedelta(seconds=seconds)
    text = f"{time:%H:%M:%S}" if seconds_too else f"{time:%H:%M}"
    return text if time.date() == now.date() else f"{text} on {time.day} {time:%b}"
