"""Writes summary and report of a job once more, when something has changed after its last run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from importer.errors import ImporterError
from importer.jobs.forget import Forgotten
from importer.jobs.journal_reader import JournalReader
from importer.jobs.read_again import Beside, read_beside
from importer.jobs.records import BEGINS, JobRecord, JobState, Totals
from importer.model import OutcomeKind, RunEnd, WorkerFigures
from importer.pacing import Limit
from importer.reporting.digests import Digests
from importer.reporting.jobs_behind import (
    closers_of,
    is_told_as_carried_over,
    jobs_begun_anew,
    jobs_behind,
    read_anew,
    telling_of_not_restored,
    telling_of_unread,
    with_rows_of,
)
from importer.reporting.journal_steps import (
    are_outdated,
    steps_by_journal,
    steps_of_closed,
)
from importer.reporting.left_overs import (
    FILE_OF_KIND,
    REPORT_NAME,
    SUMMARY_NAME,
    forgotten_outcomes,
)
from importer.reporting.report import write_report
from importer.reporting.steps import Step, StepKind, TakenUp, are_untold, still_to_do
from importer.reporting.summary import Measured, Summary, summarise
from importer.reporting.taken_up import closed_in_words, taken_up

_NOTHING = Forgotten([])
#: What a summary that cannot be read as one raises.
_UNREADABLE = (ImporterError, OSError, ValueError, LookupError, TypeError)


class LeftBehind(NamedTuple):
    """The left-over files of a job that another has ended, or a person."""

    files: list[Path]
    #: What a person should know of them, each in a sentence.
    remarks: list[str]
    #: How many pending rows no request was made for.
    not_begun: int = 0


def rewrite_summary(
    job: JobRecord,
    forgotten: Forgotten = _NOTHING,
    *,
    has_steps: bool = True,
    taken: Sequence[TakenUp] | None = None,
    left: LeftBehind | None = None,
    beside: Sequence[Beside] | None = None,
) -> None:
    """Write summary and report of a job, whose folder is there, from what its journal says by now.

    What is to be done next stays if it `has_steps`, is neither about rows that were forgotten nor
    about a file that others have `taken` up. If that is not given, it is as it is told already, or
    found out where other steps come: `beside` are the jobs beside it, if they are known. Of a job
    that was replaced or given up stays what no other has taken over. Of one that has just ended so,
    what it `left` behind is told, also if its latest run has written no summary. Where this is not
    possible the files are removed; with `taken` they stay, as nothing in them is wrong.
    """
    assert job.folder is not None  # noqa: S101 -- its folder is there
    folder, path = job.folder, job.folder / SUMMARY_NAME
    try:
        with JournalReader(folder) as journal:
            if left is None:
                old = json.loads(forgotten.scrubbed(path.read_text("utf-8")))
            else:
                old = _as_ended(journal, path, left)
            totals = journal.totals()
            since, by_now = str(old.get("since", "")), taken or ()
            are_new = has_steps and _has_other_steps(job, journal, old)
            if taken is None and left is None and are_new:
                by_now = [*taken_up(folder, beside)]
            if taken is not None or left is not None or are_new:
                closed = closed_in_words(job, totals.outcomes[OutcomeKind.PENDING], beside)
                words = [closed, *map(forgotten.scrubbed, map(str, by_now))]
                since = " ".join(words).strip() or since
            summary = summarise(
                journal, totals, RunEnd(old["end"]), old["message"],
                [folder / name for name in old["files"] if (folder / name).exists()],
                datetime.fromisoformat(old["ended_at"]).timestamp(),
                _steps(job, journal, old, by_now, beside) if has_steps else [],
                _measured(old),
                not_begun=old["not_begun"],
                since=since,
                working_folder=old.get("working_folder", ""),
                digests=_known_digests(journal, totals, old) if forgotten is _NOTHING else None,
            )  # fmt: skip
        summary.write()
        write_report(summary, is_closed=job.state.is_closed)
    except _UNREADABLE:
        for name in (SUMMARY_NAME, REPORT_NAME) if taken is None else ():
            with suppress(OSError):
                (folder / name).unlink()


def tell_taken_up(jobs: Sequence[JobRecord], by: Summary) -> None:
    """Let summary and report of other `jobs` of a product say what one has taken up of them.

    That is the one that `by` is the summary of.
    """
    with JournalReader(by.folder) as journal:
        inputs, origins = journal.inputs(), journal.origins()
        carried = journal.origins(of_carried=True)
        begun = [by.folder.name, *json.loads(journal.facts().get(BEGINS, "[]"))]
    others = [job for job in jobs if job.name != by.folder.name]
    behind = [*jobs_behind(others, by.inputs, with_rows_of(others, origins))]
    behind += [one for one in jobs_behind(jobs, (), carried) if not is_told_as_carried_over(one)]
    behind += jobs_begun_anew(jobs, by.folder, inputs)
    known = {job.number for job in behind}
    later = (one for one in telling_of_not_restored(jobs, by.folder) if one.number not in known)
    behind += later
    beside = read_beside(by.folder.parent) if behind else []
    for job in behind:
        assert job.folder is not None  # noqa: S101 -- see `jobs_behind`
        taken = list(taken_up(job.folder, beside))
        if taken or job.state.is_closed:  # of which the steps may be others by now
            rewrite_summary(job, taken=taken, beside=beside)
    for job, closed in closers_of(behind, others, beside):
        assert job.folder is not None  # noqa: S101 -- it has closed others
        folders = [one.folder for one in closed if one.folder is not None]
        needless = [
            TakenUp("", one.obsolete) for folder in folders for one in taken_up(folder, beside)
        ]  # what became of them their own summaries tell
        rewrite_summary(job, taken=[*taken_up(job.folder, beside), *needless], beside=beside)
    for job, name in telling_of_unread(jobs, begun):
        assert job.folder is not None  # noqa: S101 -- it tells
        as_other = "" if name == by.folder.name else f", as {by.folder.name}"
        told = TakenUp(f"{name} was begun since{as_other}.", {(StepKind.BEGIN, name)})
        rewrite_summary(job, taken=[*taken_up(job.folder), told])
    if found := read_anew(jobs, by.folder.name):
        rewrite_summary(found[0], taken=found[1])


def _as_ended(journal: JournalReader, path: Path, left: LeftBehind) -> dict[str, Any]:
    """Return the summary of the latest run of a job, with the files that it has left behind.

    Without one of that run, which was killed then, it is what the journal tells.
    """
    files = [file.name for file in left.files]
    with suppress(*_UNREADABLE):
        old = json.loads(path.read_text("utf-8"))
        if old["runs"] == journal.run_count():
            return {**old, "files": files, "not_begun": left.not_begun}
    last = journal.closed_run()
    assert last is not None  # noqa: S101 -- it has left something behind
    assert last.ended_at is not None  # noqa: S101 -- it has an end
    return {
        "end": last.end,
        "message": last.message,
        "files": files,
        "ended_at": datetime.fromtimestamp(last.ended_at, UTC).isoformat(),
        "next_steps": [],
        "limited_by": Limit.NOTHING,
        "service_rate": None,
        "not_begun": left.not_begun,
    }


def _measured(old: Mapping[str, Any]) -> Measured:
    # Keys are added as versions go on (docs/reference.md, F4).
    workers = [
        WorkerFigures(one["name"], 0.0, 0, one["rows"], one["lost"])
        for one in old.get("workers", ())
    ]
    return Measured(Limit(old["limited_by"]), old["service_rate"], workers=workers)


def _known_digests(
    journal: JournalReader, totals: Totals, old: Mapping[str, Any]
) -> Digests | None:
    """Return the digests that a summary holds, if nothing was done since that changes them."""
    last = journal.last_run()
    if totals.outcomes != old.get("outcomes"):  # of an ended job, rejected rows may be found still
        return None
    if last is None or last.ended_at is None or journal.run_count() != old["runs"]:
        return None
    return Digests.of_json(old) if old.get("digests") and not journal.forgotten_rows() else None


def _has_other_steps(job: JobRecord, journal: JournalReader, old: Mapping[str, Any]) -> bool:
    """Return whether the steps about a job, whose summary was `old`, are not those of then."""
    if job.state.is_closed or (job.state is JobState.ENDED and are_outdated(journal)):
        return True
    is_gone = any(not (journal.folder / name).exists() for name in old["files"])
    is_gone = is_gone or any(each.kind in FILE_OF_KIND for each in forgotten_outcomes(journal))
    return bool(is_gone and old["next_steps"] and old["end"] == RunEnd.FINISHED)


def _steps(
    job: JobRecord,
    journal: JournalReader,
    old: Mapping[str, Any],
    taken: Sequence[TakenUp],
    beside: Sequence[Beside] | None,
) -> list[Step]:
    """Return what is to be done about a job, whose summary was `old`."""
    if job.state.is_closed:
        steps = steps_of_closed(job, journal, beside=beside)
    elif _has_other_steps(job, journal, old):
        steps = steps_by_journal(journal, beside=beside)
    else:
        steps = [Step.of_json(step) for step in old["next_steps"]]
        if taken and job.state is JobState.ENDED and are_untold(steps):
            steps = steps_by_journal(journal, beside=beside)
    return still_to_do(steps, taken)
