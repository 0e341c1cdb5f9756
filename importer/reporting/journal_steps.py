"""What is to be done about the rows that a job has left over, as only its journal tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from importer.jobs.commands import NOT_OF_LEFT_OVERS, Again, options_told, path_argument
from importer.jobs.journal_file import JournalFile
from importer.jobs.journal_reader import JournalReader
from importer.jobs.records import JobRecord
from importer.model import OutcomeKind, Reason, RunEnd
from importer.reporting.endings import Step, next_steps
from importer.reporting.left_overs import FILE_OF_KIND, LEFT_OVER_NAMES, forgotten_outcomes
from importer.reporting.wording import status_in_words


def steps_by_journal(journal: JournalReader) -> list[Step]:
    """Return what is to be done about the rows that a job has left over.

    For a job that has ended, of which only the journal tells how it stands. Rows of which all but
    the count is forgotten are left out. Raises `JournalError`.
    """
    folder, totals, settings = journal.folder, journal.totals(), journal.runs()[-1].settings
    outcomes, reasons = Counter(totals.outcomes), Counter(totals.reasons)
    for outcome in forgotten_outcomes(journal):
        outcomes[outcome.kind] -= 1
        if outcome.reason is not None:
            reasons[outcome.kind, outcome.reason] -= 1
    again = _again(folder, settings)
    files = [path for name in LEFT_OVER_NAMES if (path := folder / name).exists()]
    return next_steps(
        RunEnd.FINISHED, outcomes, reasons, folder, files, again,
        {kind: len(journal.overtaken(kind)) for kind in FILE_OF_KIND},
        carries_over=settings["carry_over"], refused_with=refused_with(journal, reasons),
    )  # fmt: skip


def steps_of_replaced(job: JobRecord, journal: JournalReader) -> list[Step]:
    """Return how those rows of a replaced job are imported that its successor has not taken over.

    They are none if it was started over. Raises `JournalError`.
    """
    folder, runs = journal.folder, journal.runs()
    if not job.keeps_bodies or not runs:  # it may have been killed before its first run
        return []
    again = _again(folder, runs[-1].settings)
    return [
        Step(f"To import the rows of {path}, which joined no other job: fix it, then",
             again.of_file(path))
        for kind in (OutcomeKind.REJECTED, OutcomeKind.FAILED)
        if (path := folder / FILE_OF_KIND[kind]).exists()
    ]  # fmt: skip


def _again(folder: Path, settings: Mapping[str, Any]) -> Again:
    # The command of the import would begin a new job if nothing is left to try (J4).
    return Again(
        ["retry", path_argument(folder)], options_told(settings, without=NOT_OF_LEFT_OVERS)
    )


def refused_with(journal: JournalFile, reasons: Mapping[tuple[OutcomeKind, Reason], int]) -> str:
    """Return the status of the first row that the service refused, in words; empty without one.

    `reasons` are the counts of the journal. Not what the service said: it may quote a comment.
    """
    if not reasons.get((OutcomeKind.FAILED, Reason.REFUSED)):
        return ""
    failed = journal.outcomes(OutcomeKind.FAILED)
    first = next((one for one in failed if one.reason is Reason.REFUSED), None)
    return "" if first is None or first.http_status is None else status_in_words(first.http_status)
