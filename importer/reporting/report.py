"""`report.html`: what happened in a job, for people. One file that needs no network."""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

from importer.common.durations import format_duration
from importer.common.files import atomic_write
from importer.errors import ExitCode, JournalError
from importer.jobs.commands import command_line, path_argument
from importer.jobs.forget import Tombs
from importer.jobs.inputs import undone_job
from importer.jobs.journal_file import NO_COMMENTS
from importer.jobs.journal_reader import JournalReader, PastRun
from importer.jobs.records import CARRIED_OVER, CHANGES
from importer.model import Moment, OutcomeKind, RunEnd
from importer.reporting.charts import (
    FEWEST_MOMENTS,
    MOST_SERIES,
    Chart,
    histogram,
    over_time,
    requests_over_time,
    responses_over_time,
)
from importer.reporting.left_overs import REPORT_NAME, SUMMARY_NAME
from importer.reporting.pages import page_of
from importer.reporting.summary import Summary
from importer.reporting.wording import ENDS, MEANINGS, WARNINGS, WHY, status_in_words
from importer.settings import described_settings, settings_by_default
from importer.survey.changes import CHANGES as CHANGE_WORDS
from importer.survey.changes import Change

_MOST_CAUSES = 50
_MOST_WARNINGS = 20
_STORED_OR_TOLD = "200 (feedback accepted, or the status told that was asked for)"
_NEVER_SENT = "not done, and not sent by this job any more"
#: Upper bounds of the bars of the waits, in seconds.
_WAITS = (5, 15, 30, 60, 120, 300, 600, 1800, 3600, 6 * 3600)


def write_report(summary: Summary, *, is_closed: bool = False) -> None:
    """Write the report of the job into its folder. Raises `JournalError`.

    Of one that `is_closed` (`JobState.is_closed`), no pending row is sent any more.
    """
    path = summary.folder / REPORT_NAME
    with JournalReader(summary.folder) as history:
        page = page_of("report.html.j2", _facts(summary, history, is_closed=is_closed))
    try:
        # A lone surrogate cannot be written as UTF-8: it is shown escaped.
        with atomic_write(path) as temporary:
            temporary.write_text(page, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise JournalError(f"{path} cannot be written: {error.strerror}") from None


class RunFigures(NamedTuple):
    """One run of the job. Times are Unix seconds, durations seconds."""

    started_at: float
    #: None if it was killed.
    seconds: float | None
    end: RunEnd | None
    #: Rows that were done in it.
    rows: int
    #: Responses of the service in it.
    responses: int

    @property
    def speed(self) -> float:
        """The rows that were done in a second; 0 if that is not known."""
        return self.rows / self.seconds if self.seconds else 0.0


def _facts(summary: Summary, history: JournalReader, *, is_closed: bool) -> dict[str, Any]:
    moments = history.moments()
    records = history.runs()
    statuses: Counter[int] = Counter()
    for moment in moments:
        statuses.update(moment.statuses)
    runs = _runs(summary, records, moments)
    settings = records[-1].settings if records else {}
    never_sent = {OutcomeKind.PENDING: _NEVER_SENT} if is_closed else {}
    return {
        "summary": summary,
        "undoes": undone_job(summary.inputs),
        "imported": history.imported(),
        "changes": [
            (CHANGE_WORDS[Change(change)], number)
            for change, number in json.loads(history.facts().get(CHANGES, "{}")).items()
            if number
        ],
        "forgotten": len(history.forgotten_rows()),
        "tombs": Tombs(history).as_ids,
        "has_no_comments": NO_COMMENTS in history.facts(),
        "meanings": {**MEANINGS, **never_sent},
        "row": partial(_row_in_words, history.places()),
        "causes": history.causes(_MOST_CAUSES),
        "why": WHY,
        "warned": history.with_warning(_MOST_WARNINGS),
        "warnings": WARNINGS,
        "status": status_in_words,
        "statuses": _statuses(statuses, summary.outcomes[OutcomeKind.SUCCEEDED]),
        "charts": _charts(moments, statuses, history),
        "runs": runs,
        "killed": RunEnd.KILLED,
        "ends": ENDS,
        "inputs": history.inputs(),
        "verify": command_line(
            ["outcomes", "--verify", path_argument(summary.folder / SUMMARY_NAME)]
        ),
        "settings": described_settings(settings),
        "by_default": settings_by_default(settings),
        "mood": _mood(summary),
    }


def _row_in_words(places: Sequence[tuple[str, int]], seq: int) -> str:
    """Return which row of which input a row of the job is; of one input, it need not be named."""
    path, first = next(place for place in reversed(places) if place[1] <= seq)
    of = "" if len(places) == 1 else f" of {Path(path).name}"
    of = " of those carried over" if path == CARRIED_OVER else of
    return f"row {seq - first + 1:,}{of}"


def _statuses(statuses: Counter[int], stored: int) -> list[tuple[str, int]]:
    """Return how often the service gave which answer, in words; `stored` are the rows that are."""
    names = {code: status_in_words(code) for code in statuses}
    if statuses[HTTPStatus.OK] > stored:
        names[HTTPStatus.OK] = _STORED_OR_TOLD
    return [(names[code], number) for code, number in statuses.most_common()]


def _mood(summary: Summary) -> str:
    """Return in which colour the verdict stands; see `style.css.j2`."""
    if summary.exit_code is ExitCode.OK:
        return "good"
    as_wanted = summary.end in (RunEnd.FINISHED, RunEnd.TIME_BOX, RunEnd.LIMIT)
    return "warn" if as_wanted else "bad"


def _runs(
    summary: Summary, records: Sequence[PastRun], moments: Sequence[Moment]
) -> list[RunFigures]:
    """Return the figures of each run, the oldest first. The latest is not closed yet."""
    runs = []
    starts = [record.run.started_at for record in records]
    for number, (run, _) in enumerate(records):
        last = number == len(records) - 1
        end, ended_at = (summary.end, summary.ended_at) if last else (run.end, run.ended_at)
        until = math.inf if last else starts[number + 1]
        own = [moment for moment in moments if run.started_at <= moment.at < until]
        runs.append(
            RunFigures(
                run.started_at,
                None if ended_at is None else max(0.0, ended_at - run.started_at),
                end,
                sum(moment.settled for moment in own),
                sum(n for moment in own for code, n in moment.statuses.items() if code),
            )
        )
    return runs


def _charts(
    moments: Sequence[Moment], statuses: Mapping[int, int], history: JournalReader
) -> list[Chart]:
    """Return the charts there is something to draw in."""
    found: list[Chart] = []
    if len(moments) >= FEWEST_MOMENTS:
        courses = [
            over_time("Rows per second", "Rows that were completed, over time.", "rows/s", moments,
                      {"rows/s": lambda m: m.settled / m.interval}),
            over_time("Response times", "Within which time half of the responses came, and 95 of "
                      "100.", "milliseconds", moments,
                      {"half": lambda m: _milliseconds(m, m.p50),
                       "95 of 100": lambda m: _milliseconds(m, m.p95)}),
            requests_over_time(moments),
        ]  # fmt: skip
        found += [chart for chart in courses if chart.has_course]
    others = Counter({code: number for code, number in statuses.items() if code != 200})
    if others and len(moments) >= FEWEST_MOMENTS:
        names = {code: status_in_words(code) for code, _ in others.most_common(MOST_SERIES)}
        note = "What the service answered where it stored nothing, over time."
        found.append(responses_over_time("Other responses", note, moments, names))
    puts = history.puts_per_row()
    if set(puts) - {1}:
        note = "How often feedback was sent until its row was done."
        bars = {f"{number}": rows for number, rows in puts.items()}
        found.append(histogram("Attempts for a row", note, "attempts", bars))
    if waits := _waits(history.deferral_waits()):
        note = "How long rows waited for a conversation that was not completed."
        found.append(histogram("Waiting for conversations", note, "wait", waits))
    return found


def _waits(waits: Iterable[float]) -> dict[str, int]:
    counts = Counter(bisect_left(_WAITS, wait) for wait in waits)
    labels = [f"≤ {format_duration(bound)}" for bound in _WAITS] + ["longer"]
    return {labels[place]: counts[place] for place in range(max(counts, default=-1) + 1)}


def _milliseconds(moment: Moment, seconds: float | None) -> float | None:
    """Return a latency of the moment; None if it had none: what failed at once was no response."""
    return 1000 * seconds if seconds is not None and any(moment.statuses) else None
