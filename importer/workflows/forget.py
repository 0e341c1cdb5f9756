"""Forgets conversations in a jobs folder, and certifies what was found where.

The inputs of the user, backups and the service are not touched.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from importer.common.files import atomic_write, clear_unfinished
from importer.errors import SettingsError
from importer.jobs.commands import command_line, path_argument
from importer.jobs.copies import copies_folder
from importer.jobs.folders import unfinished_surveys
from importer.jobs.forget import Forgotten, JournalEraser
from importer.jobs.identity import ProductKey
from importer.jobs.inputs import UNDO_NAME
from importer.jobs.journal_file import FILE_NAME as JOURNAL
from importer.jobs.journal_file import explained
from importer.jobs.journal_reader import JournalReader
from importer.jobs.key_source import note_on_key
from importer.jobs.ledger import Ledger, left_over_comments
from importer.jobs.lock import hold, lock_names
from importer.jobs.own_commands import how_to_resume
from importer.jobs.product_jobs import ProductJobs, clear_removed, hold_jobs, read_heads
from importer.jobs.read_again import read_beside
from importer.jobs.records import JobRecord
from importer.jobs.sqlite_file import SIDE_FILES
from importer.model import OutcomeKind
from importer.reporting.digests import Digests
from importer.reporting.left_overs import REPORT_NAME, SUMMARY_NAME
from importer.workflows.forget_files import (
    drop_files,
    forget_bodies,
    forget_copies,
    forget_left_overs,
    forget_lines,
    holds,
)
from importer.workflows.rewrite_summary import rewrite_summary

#: What is not looked into, in the words of the certificate.
NOT_TOUCHED = (
    "the inputs themselves, wherever they are, and copies of files of the jobs folder elsewhere",
    "backups and snapshots, and what the disk keeps of overwritten blocks",
    "the feedback in the service, and other jobs folders",
)
_CERTIFICATE = "forgotten-"
#: What the tables of a journal hold, in words.
_TABLES = {
    "outcome": "outcomes", "attempt": "requests", "deferral": "deferrals", "doubt": "doubts",
    "kept": "feedback to carry over", "carried": "feedback carried over", "job": "settings",
    "doubt_window": "rows being sent", "run": "runs", "after_all": "feedback sent by undos",
    "unknown_before": "feedback that undos could not restore",
}  # fmt: skip
#: One that was not made whole has another name.
_OF_JOURNAL = {f"{JOURNAL}{suffix}" for suffix in ("", *SIDE_FILES)}


class Certificate(dict[str, Any]):
    """What was found where, without anything personal; `path` is where it is written.

    `not_found` are the ids of which nothing was found.
    """

    path: Path
    not_found: Sequence[str]

    @property
    def is_complete(self) -> bool:
        """Return whether nothing is left in the jobs folder."""
        return not self["left"]


def forget(jobs_dir: Path, conversation_ids: Sequence[str]) -> Certificate:
    """Take conversations out of all files of a jobs folder; return and write the certificate.

    Raises `JobHeldError` if a run is at work on a job, `SettingsError` if a job is not finished.
    """
    forgotten = Forgotten(conversation_ids)
    # Before the locks are looked for: whoever works in one of them holds one that is there.
    surveys = set(unfinished_surveys(jobs_dir))
    with ExitStack() as stack:
        heads, remarks = read_heads(jobs_dir)
        if remarks:
            raise SettingsError(f"{remarks[0]}. Nothing was forgotten: first move it away")
        keys = sorted({head.product for head in heads})
        # A product whose first job has no journal yet has a lock only.
        for name in sorted(lock_names(jobs_dir) - {key.name for key in keys}):
            stack.enter_context(hold(jobs_dir, name))
        products = [stack.enter_context(hold_jobs(jobs_dir, key)) for key in keys]
        for product in products:
            _check_finished(product)
        clear_removed(jobs_dir)
        surveys.intersection_update(unfinished_surveys(jobs_dir))
        for folder in surveys:
            with suppress(FileNotFoundError):
                shutil.rmtree(copies_folder(folder))
        jobs: list[dict[str, Any]] = []
        to_rewrite: list[JobRecord] = []
        beside = read_beside(jobs_dir)
        for product in products:
            product.catch_up()
            for job in product.jobs:
                if job.folder is not None:
                    entry, is_other = _forget_job(job, product.key, forgotten)
                    jobs.append(entry)
                    to_rewrite += [job] if is_other else []
            if found := product.forget(forgotten):
                jobs.append({"ledger": product.key.ledger(jobs_dir).name, "found": dict(found)})
        # Last: what a summary tells rests on other journals, which have to know it by the same key.
        for job in to_rewrite:
            rewrite_summary(job, forgotten, beside=beside)
        held = surveys.union(
            job.folder for product in products for job in product.jobs if job.folder is not None
        )
        return _certified(jobs_dir, held, forgotten, [job for job in jobs if job["found"]])


def drop_comments(product: ProductJobs, job: JobRecord) -> bool:
    """Drop all comments of a job that is at rest, and keep its outcomes.

    Returns whether there was something to drop. The product is held.
    """
    assert job.folder is not None  # noqa: S101 -- its journal is there
    return product.drop_comments(
        job, partial(drop_files, job.folder), partial(rewrite_summary, job, has_steps=False)
    )


def left_over_by_gone(ledger: Path, here: Iterable[Path], before: float) -> dict[int, int]:
    """Return how many rows with a comment jobs have left over that are gone, by their runs.

    As the ledger at that path knows, without holding anything, and of jobs that ended before then
    (Unix seconds), or nobody knows when. `here` are the folders of the product's other jobs. Raises
    `JournalError`.
    """
    rows = left_over_comments(ledger, before)
    for folder in here if rows else ():
        with JournalReader(folder) as journal:
            for run in journal.run_numbers():
                rows.pop(run, None)
    return rows


def drop_left_over_comments(ledger: Path, runs: Collection[int]) -> None:
    """Let no byte stay of the comments of rows that these runs, of jobs that are gone, have left.

    The rows go with them. Also without any runs, of which the comments may be in the side files
    still. Raises `JobHeldError` if a run is at work, and `JournalError`.
    """
    with hold(ledger.parent, ledger.stem), closing(Ledger(ledger)) as index:
        index.erase_comments_of(runs)


def _check_finished(product: ProductJobs) -> None:
    for job in product.jobs:
        if job.is_in_the_way and job.folder is not None:
            resume = how_to_resume(job.folder)
            raise SettingsError(
                f"the job {job.name} is not finished, and may still send what is to be forgotten. "
                f"Nothing was forgotten: resume the job first\n  {resume}{note_on_key(resume)}\n"
                f"or give it up\n  {command_line(['jobs', 'abandon', path_argument(job.folder)])}"
            )


def _forget_job(
    job: JobRecord, product: ProductKey, forgotten: Forgotten
) -> tuple[dict[str, Any], bool]:
    """Take the conversations out of one job, but for its summary and report.

    Return what was in it, and whether these are to be written once more.
    """
    assert job.folder is not None  # noqa: S101 -- its journal is there
    folder = job.folder
    clear_unfinished(folder)  # of a compressed one nobody sees what it holds
    with explained(folder / JOURNAL), JournalReader(folder) as journal:
        record = json.loads(journal.facts()["settings"])
        before = Digests.of(journal).outcomes
        is_pending = journal.totals().outcomes[OutcomeKind.PENDING] > 0
    found = Counter({
        "kept bodies": forget_bodies(folder, forgotten),
        "input of the undo": forget_lines(folder / UNDO_NAME, forgotten),
        "left-over files": forget_left_overs(folder, record, forgotten),
        "copies": forget_copies(folder, record, forgotten),
    })  # fmt: skip
    # Also where no line is found: the pages of lines that were deleted before are still there.
    with closing(JournalEraser(folder)) as eraser:
        # Of a row that is pending the journal need not know the conversation: an input may hold it.
        may_be_there = bool(+found) or is_pending
        tombs = forgotten.tombs(product)
        erased = eraser.erase(forgotten, tombs, in_files=may_be_there)
        was_killed_then = eraser.has_forgotten(tombs)  # maybe: before it told so
    found.update({f"journal: {_TABLES[table]}": number for table, number in erased.items()})
    told = [folder / name for name in (SUMMARY_NAME, REPORT_NAME)]
    found["summary and report"] = sum(path.exists() and holds(path, forgotten) for path in told)
    with JournalReader(folder) as journal:
        after = Digests.of(journal).outcomes
    entry = {
        "job": folder.name, "found": dict(+found),
        "outcomes_sha256": {"before": before, "after": after},
    }  # fmt: skip
    return entry, bool(+found) or was_killed_then


def _certified(
    jobs_dir: Path, held: Collection[Path], forgotten: Forgotten, jobs: list[dict[str, Any]]
) -> Certificate:
    """Look through all files once more, and write down what was found."""
    removed, left = _sweep(jobs_dir, {folder.name for folder in held}, forgotten)
    at = datetime.now(UTC)
    certificate = Certificate(
        at=at.isoformat(timespec="seconds"), conversations=len(forgotten.ids),
        found=len(forgotten.found), jobs_and_ledgers=jobs, removed=removed, left=left,
        not_touched=list(NOT_TOUCHED),
    )  # fmt: skip
    certificate.not_found = sorted(forgotten.ids - forgotten.found)
    certificate.path = jobs_dir / f"{_CERTIFICATE}{at:%Y%m%dT%H%M%S%fZ}.json"
    try:
        with atomic_write(certificate.path) as temporary:
            temporary.write_text(json.dumps(certificate, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise SettingsError(f"{certificate.path} cannot be written: {error.strerror}") from None
    return certificate


def _sweep(
    jobs_dir: Path, held: Collection[str], forgotten: Forgotten
) -> tuple[list[str], list[str]]:
    """Remove the files of the importer that still hold an id; return these, and all others.

    They are details of defects, files that were being written, damaged ledgers. `held` names the
    folders in which nobody else is at work.
    """
    removed, left = [], []
    for path in sorted(jobs_dir.rglob("*")):
        name = path.relative_to(jobs_dir)
        if path.is_symlink() or not path.is_file() or name.name.startswith(_CERTIFICATE):
            continue
        is_ours = (
            name.parts[0] in held
            or str(name).startswith(".")
            or (name.parent == Path() and name.name.startswith("ledger-"))
        )
        is_record = path.name in _OF_JOURNAL or path.suffix in (".sqlite", ".lock")
        if forgotten.is_in(str(name)):
            left.append(forgotten.scrubbed(str(name)))
        elif holds(path, forgotten):
            if is_ours and not is_record:
                path.unlink()
                removed.append(str(name))
            else:
                left.append(str(name))
    return removed, left
