"""`report.html`: what happened in a job, for people. One file that needs no network."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from importer.common.durations import format_duration
from importer.common.files import atomic_write
from importer.common.text import counted, escaped
from importer.errors import JournalError
from importer.jobs.journal_reader import JournalReader
from importer.model import Moment, OutcomeKind, RunEnd
from importer.reporting.charts import (
    MOST_SERIES,
    Chart,
    histogram,
    over_time,
    responses_over_time,
)
from importer.reporting.left_overs import REPORT_NAME
from importer.reporting.summary import Summary
from importer.reporting.wording import MEANINGS, WHY, words
from importer.settings import described_settings

_MOST_CAUSES = 50
_MOST_WARNINGS = 20
#: Upper bounds of the bars of the waits, in seconds.
_WAITS = (5, 15, 30, 60, 120, 300, 600, 1800, 3600, 6 * 3600)
_GOOD = (OutcomeKind.SUCCEEDED, OutcomeKind.UNCHANGED, OutcomeKind.SUPERSEDED, OutcomeKind.SKIPPED)


def write_report(summary: Summary) -> None:
    """Write the report of the job into its folder. Raises `JournalError`."""
    path = summary.folder / REPORT_NAME
    with JournalReader(summary.folder) as history:
        page = _environment().get_template("report.html.j2").render(_facts(summary, history))
    try:
        # A lone surrogate cannot be written as UTF-8: it is shown escaped.
        with atomic_write(path) as temporary:
            temporary.write_text(page, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise JournalError(f"{path} cannot be written: {error.strerror}") from None


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("importer.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": format_duration,
        "moment": _moment,
        "number": lambda number: f"{number:,}",
        "rows": partial(counted, noun="row"),
        "words": words,
        "visible": escaped,
    }
    return environment


def _facts(summary: Summary, history: JournalReader) -> dict[str, Any]:
    moments = history.moments()
    runs = history.runs()
    statuses: Counter[int] = Counter()
    for moment in moments:
        statuses.update(moment.statuses)
    return {
        "summary": summary,
        "good": sum(summary.outcomes[kind] for kind in _GOOD),
        "steps": summary.next_steps,
        "meanings": MEANINGS,
        "trouble": [kind for kind in OutcomeKind if kind not in _GOOD],
        "causes": history.causes(_MOST_CAUSES),
        "why": WHY,
        "warned": history.with_warning(_MOST_WARNINGS),
        "statuses": [(_status(code), number) for code, number in statuses.most_common()],
        "charts": _charts(moments, statuses, history),
        "runs": [record.run for record in runs],
        "settings": described_settings(runs[-1].settings) if runs else [],
        "active": sum(moment.interval for moment in moments),
        "RunEnd": RunEnd,
    }


def _charts(
    moments: Sequence[Moment], statuses: Mapping[int, int], history: JournalReader
) -> list[Chart]:
    """Return the charts there is something to draw in."""
    found: list[Chart] = []
    if moments:
        found += [
            over_time("Rows per second", "Rows that were completed, over time.", "rows/s", moments,
                      {"rows/s": lambda m: m.settled / m.interval}),
            over_time("Latency", "How long responses took: median and 95th percentile.",
                      "milliseconds", moments,
                      {"median": lambda m: _milliseconds(m.p50),
                       "95th percentile": lambda m: _milliseconds(m.p95)}),
            over_time("Requests in flight", "How many were allowed, and how many there were.",
                      "requests", moments,
                      {"allowed": lambda m: m.concurrency, "in flight": lambda m: m.in_flight}),
        ]  # fmt: skip
    others = Counter({code: number for code, number in statuses.items() if code != 200})
    if others:
        names = {code: _status(code) for code, _ in others.most_common(MOST_SERIES)}
        note = "HTTP responses other than 200, over time."
        found.append(responses_over_time("Other responses", note, moments, names))
    puts = history.puts_per_row()
    if set(puts) - {1}:
        note = "How many rows took how many PUTs."
        bars = {f"{number}": rows for number, rows in puts.items()}
        found.append(histogram("PUTs for a row", note, "PUTs", bars))
    if waits := _waits(history.deferral_waits()):
        note = "How long deferred rows waited for their conversation to complete."
        found.append(histogram("Deferral", note, "wait", waits))
    return found


def _waits(waits: Iterable[float]) -> dict[str, int]:
    counts = Counter(bisect_left(_WAITS, wait) for wait in waits)
    labels = [f"≤ {format_duration(bound)}" for bound in _WAITS] + ["longer"]
    return {labels[place]: counts[place] for place in range(max(counts, default=-1) + 1)}


def _status(code: int) -> str:
    return str(code) if code else "no answer"


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else 1000 * seconds


def _moment(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
