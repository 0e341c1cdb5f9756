"""How a run shows itself where there is no terminal: log lines, as text or as JSON."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pythonjsonlogger.json import JsonFormatter

from importer.common.durations import format_duration
from importer.engine.progress import Progress
from importer.settings import ImportSettings
from importer.survey.progress import SurveyProgress
from importer.workflows.figures import (
    Speed,
    average_speed,
    deferred_rows,
    given_up_at,
    outcomes_so_far,
    share_done,
    start_line,
    survey_line,
    time_left,
    waiting_rows,
    what_holds,
)

_log = logging.getLogger("importer")

#: Seconds between two lines where there is no terminal: at least so many, and this share of the
#: time so far, so that the log of a long night can be read.
_LINE_INTERVAL = 5.0
_SHARE_OF_ELAPSED = 1 / 60


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


def log_notice(text: str) -> None:
    """Tell a person what they should know, as an observer does during a run."""
    _log.warning("%s", text, extra={"event": "notice"})


def log_configuration(files: Iterable[Path]) -> None:
    """Name the configuration files that were read."""
    for file in files:
        _log.info("configuration: %s", file, extra={"event": "configuration", "file": str(file)})


def describe(progress: Progress, speed: float) -> str:
    """Return the figures of a run in one line."""
    parts = [outcomes_so_far(progress), f"{speed:,.0f} rows/s", waiting_rows(progress)]
    if deferred := deferred_rows(progress):
        parts.append(f"deferred: {deferred}, {given_up_at(progress)}")
    if progress.only_deferred:
        parts.append("only deferred rows are left")
    else:
        parts.append(what_holds(progress))
        left = time_left(progress, speed)
        parts.append("" if left is None else f"{format_duration(left)} left")
    return " · ".join(filter(None, parts))


class LineObserver:
    """Writes a log line every few seconds, and one for each thing that happens."""

    def __init__(self) -> None:
        self._speed = Speed()
        self._next = self._next_survey = 0.0

    def surveying(self, progress: SurveyProgress) -> None:
        """See `Observer`."""
        now = time.monotonic()
        if now < self._next_survey:
            return
        if self._next_survey:  # a short survey needs no line
            _log.info(
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
        _log.info(
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
            _log.info(
                "%s · %s", share_done(progress), describe(progress, speed),
                extra={
                    "event": "progress",
                    "share": round(progress.share, 4),
                    "rows": progress.rows,
                    "rows_per_second": round(speed, 1),
                    "rows_per_second_average": round(average_speed(progress), 1),
                    "seconds_left": _rounded(time_left(progress, speed)),
                    "latency_p50": _rounded(progress.latencies[0]),
                    "latency_p95": _rounded(progress.latencies[1]),
                    "deferred": progress.deferred,
                    "next_due": _rounded(progress.next_due),
                    "next_check": _rounded(progress.next_check),
                    "gives_up": _rounded(progress.gives_up),
                    "retrying": progress.retrying,
                    "held_by": progress.held_by,
                    "limited_by": progress.limit,
                    "service_rate": _rounded(progress.service_rate),
                    "concurrency": progress.concurrency,
                    **{str(kind): number for kind, number in progress.outcomes.items()},
                },
            )  # fmt: skip
        self._next = now + max(_LINE_INTERVAL, _SHARE_OF_ELAPSED * progress.elapsed)

    def noticed(self, message: str) -> None:
        """See `Observer`."""
        log_notice(message)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
