"""Which job a person means by a name, or by the beginning of one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from importer.common.text import did_you_mean
from importer.errors import JournalError, SettingsError
from importer.jobs.folders import base_name, job_folders, latest_like
from importer.jobs.identity import ProductKey, told_apart
from importer.jobs.journal_file import FILE_NAME
from importer.jobs.journal_head import read_head
from importer.jobs.surveys import UnreadJob, has_later, surveys_in
from importer.settings import SANDBOX


def find_job(jobs_dir: Path, text: str) -> Path:
    """Return the folder of the job that `text` names: a path, a name, or the beginning of one.

    Of a job's folders it is the latest. Raises `SettingsError` if there is none, or no single one.
    """
    if (Path(text) / FILE_NAME).is_file():
        return Path(text)
    folders = job_folders(jobs_dir)
    exact = [folder for folder in folders if folder.name == text]
    named = exact or [folder for folder in folders if folder.name.startswith(text)]
    jobs = {base_name(folder.name): folder for folder in named}
    if len(jobs) > 1:
        notes = _notes(list(jobs.values()))
        could_be = ", ".join(f"{name}{notes[folder]}" for name, folder in jobs.items())
        raise SettingsError(f"{text!r} is ambiguous: it could be {could_be}")
    if named:
        return named[-1]
    for survey in (*surveys_in(jobs_dir), *surveys_in(Path(text).parent)):
        if survey.folder.name.startswith(text) or str(survey.folder) == text:
            raise SettingsError(not_begun_in_words(survey, text))
    hint = did_you_mean(text, (folder.name for folder in folders), cutoff=0.3)
    raise SettingsError(
        f"there is no job {text!r} in {jobs_dir}{hint} (clarityq-import jobs lists them)"
    )


def not_begun_in_words(survey: UnreadJob, name: str) -> str:
    """Return what a person should know of a job, called by that name, that has no journal yet."""
    begins = survey.begins_as_newest if has_later(survey) else survey.begins
    return (
        f"{name} is not begun yet: its inputs were not read to their end, and nothing of "
        f"it was sent. jobs prune --keep-days removes what is left of it. {begins}"
    )


def unread_after(folder: Path, text: str) -> UnreadJob | None:
    """Return the latest job of the same command as the one in `folder` if it has no journal yet.

    None if `text` is more than the beginning of that one's name: then no other is meant.
    """
    if text == folder.name or not folder.name.startswith(text):
        return None
    latest = latest_like(folder)
    return next((one for one in surveys_in(folder.parent) if one.folder == latest), None)


def _notes(folders: Sequence[Path]) -> dict[Path, str]:
    """Return what tells these jobs apart: their products, and what is seldom meant, rehearsals."""
    products: dict[Path, ProductKey] = {}
    for folder in folders:
        with suppress(JournalError):
            products[folder] = read_head(folder).product
    told = told_apart(products.values())
    notes = dict.fromkeys(folders, "")
    for folder, product in products.items():
        parts = [f"product {told[product]}"] if told[product] else []
        parts += ["rehearsal"] if product.service == SANDBOX else []
        notes[folder] = f" ({', '.join(parts)})" if parts else ""
    return notes
