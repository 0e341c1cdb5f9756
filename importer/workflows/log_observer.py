"""How a run goes, to the log of the package: for programs, and where there is no terminal."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from importer.engine.progress import Progress
from importer.errors import ExitCode
from importer.reporting.summary import Summary
from importer.settings import ImportSettings
from importer.survey.progress import SurveyProgress
from importer.workflows.figures import (
    Speed,
    average_speed,
    deferred_rows,
    given_up_at,
    left_in_words,
    outcomes_so_far,
    share_done,
    start_line,
    survey_line,
    time_left,
    waiting_rows,
    what_holds,
    workers_at_work,
)

#: What happens in a run; the notices are warnings.
RUN_LOG = logging.getLogger("importer.run")

#: Seconds between two lines about progress: at least so many, and this share of the time so far,
#: so that the log of a long night can be read.
_LINE_INTERVAL = 5.0
_SHARE_OF_ELAPSED = 1 / 60


def describe(progress: Progress, speed: float, now: float) -> str:
    """Return the figures of a run in one line; `speed`, lately and `now`, is in rows per second."""
    parts = [outcomes_so_far(progress), f"{now:,.0f} rows/s", waiting_rows(progress)]
    if workers := workers_at_work(progress):
        parts.append(f"workers: {workers}")
    if deferred := deferred_rows(progress):
        parts.append(f"deferred: {deferred}, {given_up_at(progress)}")
    if progress.only_deferred:
        parts.append("only deferred rows are left")
    else:
        parts.append(what_holds(progress))
        parts.append(left_in_words(progress, speed))
    return " · ".join(filter(None, parts))


class LogObserver:
    """Logs a line every few seconds, and one for each thing that happens.

    Each has the key `event`, and the figures as further keys (docs/reference.md, L2).
    """

    def __init__(self) -> None:
        self._speed = Speed(_LINE_INTERVAL)
        self._next = self._next_survey = 0.0

    def surveying(self, progress: SurveyProgress) -> None:
        """See `Observer`."""
        now = time.monotonic()
        if now < self._next_survey:
            return
        if self._next_survey:  # a short survey needs no line
            RUN_LOG.info(
                "%s", survey_line(progress),
                extra={
                    "event": "survey",
                    "share": round(progress.share, 4),
                    "rows": progress.rows,
                    "seconds_left": _rounded(progress.seconds_left),
                },
            )  # fmt: skip
        self._next_survey = now + _LINE_INTERVAL

    def started(self, folder: Path, settings: ImportSettings, already_settled: int) -> None:
        """See `Observer`."""
        RUN_LOG.info(
            "%s", start_line(folder, settings, already_settled),
            extra={"event": "started", "job": folder.name, "already_settled": already_settled},
        )  # fmt: skip

    def progressed(self, progress: Progress) -> None:
        """See `Observer`."""
        speed = self._speed.update(progress)
        now = time.monotonic()
        if now < self._next:
            return
        if self._next:
            RUN_LOG.info(
                "%s · %s", share_done(progress), describe(progress, speed, self._speed.now),
                extra={
                    "event": "progress",
                    "share": round(progress.share, 4),
                    "rows": progress.rows,
                    "rows_per_second": round(self._speed.now, 1),
                    "rows_per_second_average": round(average_speed(progress), 1),
                    "seconds_left": _rounded(time_left(progress, speed)),
                    "latency_p50": _rounded(progress.latencies[0]),
                    "latency_p95": _rounded(progress.latencies[1]),
                    "deferred": progress.deferred,
                    "next_send": _rounded(progress.next_send),
                    "next_check": _rounded(progress.next_check),
                    "gives_up": _rounded(progress.gives_up),
                    "retrying": progress.retrying,
                    "held_by": progress.held_by,
                    "limited_by": progress.limit,
                    "service_rate": _rounded(progress.service_rate),
                    "concurrency": progress.concurrency,
                    **_workers(progress),
                    **{str(kind): number for kind, number in progress.outcomes.items()},
                },
            )  # fmt: skip
        self._next = now + max(_LINE_INTERVAL, _SHARE_OF_ELAPSED * progress.elapsed)

    def noticed(self, message: str) -> None:
        """See `Observer`."""
        log_notice(message)


def _workers(progress: Progress) -> dict[str, int]:
    """Return how many processes send and how many were lost, if there are others than this one."""
    if not progress.workers:
        return {}
    lost = sum(worker.is_lost for worker in progress.workers)
    return {"workers": len(progress.workers) - lost, "workers_lost": lost}


def log_end(summary: Summary) -> None:
    """Log how a run ended; an end that asks for something is a warning."""
    level = logging.INFO if summary.exit_code is ExitCode.OK else logging.WARNING
    RUN_LOG.log(
        level, "%s", summary.verdict,
        extra={
            "event": "ended",
            "job": summary.folder.name,
            "exit_code": int(summary.exit_code),
            "next_steps": [step.as_json() for step in summary.next_steps],
        },
    )  # fmt: skip


def log_notice(text: str) -> None:
    """Log what a person should know."""
    RUN_LOG.warning("%s", text, extra={"event": "notice"})


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
