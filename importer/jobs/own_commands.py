"""The commands of a job that is there, as its journal tells them: its own, and that of its undo."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from importer.errors import JournalError, UnfinishedJobError
from importer.jobs.commands import (
    ONCE,
    command_line,
    options_told,
    path_argument,
    replacing_command,
    run_command,
    taking_back,
)
from importer.jobs.inputs import undone_job
from importer.jobs.journal_file import JournalFile
from importer.jobs.journal_reader import JournalReader
from importer.jobs.key_source import note_on_key
from importer.jobs.records import CLEARS_UNKNOWN, UNDO_SENDS, WITHDRAWN, JobRecord
from importer.model import RunEnd
from importer.settings import ImportSettings
from importer.settings.derive import options_of
from importer.settings.groups import (
    Deferral,
    Exports,
    JobRules,
    Pacing,
    Retries,
    Target,
    Timeouts,
)

#: The option of an undo that clears what it would leave.
CLEARS = "--clear-unknown"
#: What an undo has from the job that it takes back.
SAME_IN_UNDO = (Target, Pacing, Retries, Deferral, Timeouts)
#: The options that the command `undo` has.
OPTIONS_OF_UNDO = {
    *options_of((Pacing, Retries, Deferral, Timeouts, Exports)),
    *options_of((JobRules,)).keys() - {"restart", "as_new", "keep_copies"},
    "ca_file", "trust_env", "max_failures", "canary", "outage_for", "keep_bodies",
}  # fmt: skip


def in_the_way(
    job: JobRecord, settings: ImportSettings, key_source: Sequence[str] = ()
) -> UnfinishedJobError:
    """Return what is raised where `job` is unfinished, and these settings would begin another.

    It holds two commands (docs/reference.md, A2), with the options that say where the key is, if
    some were given: `key_source`. Raises `JournalError` if its journal cannot be read.
    """
    assert job.folder is not None  # noqa: S101 -- its journal is there
    why_not = ""
    if settings.ledger.carry_over and not job.keeps_bodies:
        why_not = (
            "Its rows cannot be carried over: it began without --carry-over, and what they would "
            "send is not kept. "
        )
    resume = how_to_resume(job.folder, key_source)
    replacing = replacing_command(settings, key_source)
    instead = f"or give it up for good, and begin this one:\n  {replacing}"
    if settings.retry is not None:
        abandon = command_line(["jobs", "abandon", path_argument(job.folder)])
        instead = f"or give it up for good, then retry:\n  {abandon}"
    return UnfinishedJobError(
        f"{is_not_finished(job.name)} "
        f"{why_not}Resume it first:\n  {resume}\n{instead}{note_on_key(resume, instead)}"
    )


def is_not_finished(job: str) -> str:
    """Return that a job is in the way of another, in a sentence; it begins in lower case."""
    return f"the job {job} of this product is not finished, and only one may be at a time."


def how_to_resume(folder: Path, key_source: Sequence[str] = ()) -> str:
    """Return the command that resumes the job in `folder`. Raises `JournalError`.

    `key_source` are the options that say where the key is, if its own run has not said that.
    """
    with JournalReader(folder) as journal:
        own = own_command(journal)
        in_sandbox = "--sandbox" in own
        key = () if in_sandbox else journal.key_source() or key_source
        last = journal.last_run()
        names = ["limit", "quiet"] if last and last.end is RunEnd.LIMIT else ["quiet"]
        return command_line([*own, *key, *taking_back(names, journal.taken_back())])


def own_command(journal: JournalFile, inputs: Sequence[str] | None = None) -> list[str]:
    """Return the words of the command that resumes a job, or begins it anew.

    If other `inputs` are given, with these in the place of its own.
    """
    last, folder = journal.last_run(), journal.folder
    # It may have been killed before its first run.
    settings = journal.latest_settings() if last else json.loads(journal.facts()["settings"])
    if inputs is not None:
        settings = {**settings, "inputs": inputs}
    return resuming(settings | jobs_dir_of(folder), last.end if last else None)


def jobs_dir_of(folder: Path) -> dict[str, str]:
    """Return the option that says where the job in `folder` is, as it can be given anywhere."""
    there, usual = folder.parent.absolute(), JobRules().jobs_dir
    return {"jobs_dir": str(usual if there == usual.absolute() else there)}


def resuming(record: Mapping[str, object], end: RunEnd | None = None) -> list[str]:
    """Return the same for a job whose latest run had the settings `record`, and this `end`."""
    without = (*ONCE, "limit") if end is RunEnd.LIMIT else ONCE
    inputs = record["inputs"]
    assert isinstance(inputs, Sequence)  # noqa: S101 -- a record holds a list of paths
    if undone_job(inputs) is not None:
        return _undo_command(record, Path(inputs[0]).parent, without)
    return run_command(record, without)


def _undo_command(
    record: Mapping[str, object], undone: Path, without: Collection[str]
) -> list[str]:
    """Return the command of the undo, with these settings, of the job in the folder `undone`."""
    same: Mapping[str, object] = {}
    clears: Sequence[str] = ()
    with suppress(JournalError), JournalReader(undone) as journal:
        same, clears = journal.latest_settings(), clearing(journal.facts())
    inherited = {
        name for name in options_of(SAME_IN_UNDO) if name in same and same[name] == record.get(name)
    }
    if record.get("label") == label_of_undo(undone):
        inherited.add("label")
    # The folder of the job tells where the jobs are.
    without = {*without, "jobs_dir", *inherited, *record.keys() - OPTIONS_OF_UNDO}
    return ["undo", str(undone), *options_told(record, without), *clears, "--yes"]


def clearing(facts: Mapping[str, str]) -> list[str]:
    """Return the option of an undo that clears what is unknown, if these facts say that it does."""
    return [CLEARS] if facts.get(CLEARS_UNKNOWN) == "1" else []


def has_undo_to_begin(facts: Mapping[str, str]) -> bool:
    """Return whether these facts are of a job that is taken back, by an undo that sends something.

    If none has begun that was cut off before, and its command is to be given again.
    """
    return WITHDRAWN in facts and int(facts.get(UNDO_SENDS, 0)) > 0


def how_to_undo(journal: JournalFile) -> str:
    """Return the command of the undo of a job, as it was given before it was cut off."""
    words = ["undo", str(journal.folder.absolute()), *clearing(journal.facts()), "--yes"]
    return command_line([*words, *journal.key_source()])


def label_of_undo(folder: Path) -> str:
    """Return what an undo of the job in `folder` is labelled, unless somebody labels it."""
    return f"undo of {folder.name}"
