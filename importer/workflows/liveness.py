"""Whether a run makes progress, or waits for a reason that it names. Sans-I/O."""

from __future__ import annotations

from importer.common.text import counted, is_or_are
from importer.engine.progress import Progress
from importer.model import OutcomeKind
from importer.pacing import Limit
from importer.reporting.standing import Health
from importer.survey.progress import SurveyProgress
from importer.workflows.figures import deferred_rows, given_up_at, survey_line, waiting_rows

#: Seconds without a sign of what is told several times a second: the program hangs, or its disk.
_SILENCE = 60.0
#: The same where one step may take long: before the first row, and after the last.
_LONG_STEP = 900.0
#: Seconds by which a response may be late.
_MARGIN = 15.0


class Liveness:
    """Is told how a run goes, and says how it is. Times are seconds of one monotonic clock.

    `longest` is how many seconds a request may take, and `lock` how long the run waits for another.
    """

    def __init__(self, now: float, *, longest: float, lock: float) -> None:
        self._longest = longest + _MARGIN
        self._step = _LONG_STEP + lock
        self._heard = self._moved = now
        self._words = "Preparing: opening the inputs, or waiting for another run to end"
        self._reason = ""
        self._signs: tuple[int, ...] = ()
        self._has_begun = self._is_at_work = False

    def noticed(self, message: str, now: float) -> None:
        """Something happened that a person may want to know, such as that an input is copied."""
        if not self._has_begun:
            self._heard = now
            self._words = f"Preparing: {message}"

    def surveying(self, progress: SurveyProgress, now: float) -> None:
        """The inputs are read, before anything is sent."""
        self._heard = now
        self._words = _sentence(survey_line(progress))

    def progressed(self, progress: Progress, now: float) -> None:
        """Rows are sent."""
        self._heard, self._has_begun = now, True
        self._is_at_work = progress.outcomes[OutcomeKind.PENDING] > 0
        troubles = sum(problem.times for problem in progress.problems.values())
        signs = (
            progress.settled_now, troubles, progress.deferred, progress.retrying, progress.held
        )  # fmt: skip
        if signs != self._signs:
            self._signs, self._moved = signs, now
        self._reason = _reason(progress)
        if not self._is_at_work:
            self._words = "Finishing: all rows are done, and the results are written"
        elif self._reason:
            self._words = f"Waiting: {self._reason}"
        else:
            done = progress.rows - progress.outcomes[OutcomeKind.PENDING]
            rows = counted(progress.rows, "row")
            self._words = f"Working: {done:,} of {rows} {is_or_are(done)} done"

    def health(self, now: float, *, stopping: bool) -> Health:
        """Return how the run is; `stopping` says that it was told to end."""
        silence = now - self._heard
        if stopping:
            return Health(silence < self._step, "Stopping: what is in flight is recorded")
        if not self._is_at_work:
            return Health(silence < self._step, self._words)
        if silence >= _SILENCE:
            return Health(False, f"Stalled: the run has shown no sign of life for {silence:.0f} s")
        still = now - self._moved
        if not self._reason and still >= self._longest:
            return Health(False, f"Stalled: nothing has come of any request for {still:.0f} s")
        return Health(True, self._words)


def _reason(progress: Progress) -> str:
    """Return what the run waits for, in words; or nothing if it should make progress."""
    if progress.held_by:
        return progress.held_by
    if progress.in_flight:
        return ""
    if progress.limit is Limit.RATE:
        return "for the next request of --rate"
    if not (progress.next_send or progress.next_check):
        return ""
    if progress.only_deferred:
        return f"only deferred rows are left: {deferred_rows(progress)}, {given_up_at(progress)}"
    return waiting_rows(progress) or f"deferred rows: {deferred_rows(progress)}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
