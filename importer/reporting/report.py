"""`report.html`: what happened in a job, for people. One file that needs no network."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from importer.common.durations import format_duration
from importer.common.files import atomic_write
from importer.common.text import counted, escaped
from importer.errors import JournalError
from importer.jobs.journal_reader import JournalReader
from importer.model import Moment, OutcomeKind, RunEnd
from importer.reporting import charts
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
        "steps": _steps(summary),
        "meanings": MEANINGS,
        "trouble": [kind for kind in OutcomeKind if kind not in _GOOD],
        "causes": history.causes(_MOST_CAUSES),
        "why": WHY,
        "warned": history.with_warning(_MOST_WARNINGS),
        "statuses": [(_status(code), number) for code, number in statuses.most_common()],
        "charts": _charts(moments, statuses, history),
        "runs": [past.run for past in runs],
        "settings": described_settings(runs[-1].settings) if runs else [],
        "active": sum(moment.interval for moment in moments),
        "RunEnd": RunEnd,
    }


def _steps(summary: Summary) -> list[str]:
    """Return what a person does now; empty if there is nothing to do."""
    steps = []
    if summary.end is not RunEnd.FINISHED:
        steps.append("Run the same command again: it goes on where it stopped.")
    for path in summary.files:
        kind = OutcomeKind(path.stem)
        rows = counted(summary.outcomes[kind], "row")
        if kind is OutcomeKind.NOT_COMPLETED:
            steps.append(f"Run the same command again later to try the {rows} not completed.")
        else:
            steps.append(f"Mend {path.name} ({rows}) in the job's folder, and import that file.")
    return steps


def _charts(
    moments: Sequence[Moment], statuses: Mapping[int, int], history: JournalReader
) -> list[tuple[str, str, Markup]]:
    """Return the charts there is something to draw in: title, description, SVG."""
    found: list[tuple[str, str, str]] = []
    if moments:
        found += [
            ("Rows per second", "Rows that were settled, over time (UTC).",
             charts.over_time(moments, {"rows/s": lambda m: m.settled / m.interval})),
            ("Latency", "How long answers took, in milliseconds: median and 95th percentile.",
             charts.over_time(moments, {"median": lambda m: _milliseconds(m.p50),
                                        "95th percentile": lambda m: _milliseconds(m.p95)})),
            ("Requests at once", "How many were allowed, and how many were in flight.",
             charts.over_time(moments, {"allowed": lambda m: m.concurrency,
                                        "in flight": lambda m: m.in_flight})),
        ]  # fmt: skip
    others = Counter({code: number for code, number in statuses.items() if code != 200})
    if others:
        names = {code: _status(code) for code, _ in others.most_common(charts.MOST_SERIES)}
        text = "Answers other than 200, over time."
        found.append(("Other answers", text, charts.answers_over_time(moments, names)))
    puts = history.puts_per_row()
    if set(puts) - {1}:
        bars = [(f"{number}", rows) for number, rows in puts.items()]
        found.append(("PUTs for a row", "How many rows took how many PUTs.",
                      charts.histogram("rows", bars)))  # fmt: skip
    waits = _bars(history.deferral_waits())
    if waits:
        text = "How long rows waited for their conversation to complete, until they were settled."
        found.append(("Deferral", text, charts.histogram("rows", waits)))
    # The charts escape what they are given.
    return [(title, text, Markup(svg)) for title, text, svg in found]  # noqa: S704


def _bars(waits: Iterable[float]) -> list[tuple[str, int]]:
    counts = Counter(bisect_left(_WAITS, wait) for wait in waits)
    if not counts:
        return []
    labels = [f"≤ {format_duration(bound)}" for bound in _WAITS] + ["longer"]
    return [(labels[place], counts[place]) for place in range(max(counts) + 1)]


def _status(code: int) -> str:
    return str(code) if code else "no answer"


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else 1000 * seconds


def _moment(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
