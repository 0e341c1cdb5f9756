"""The folders of the jobs.

Each start of a job from scratch gets a folder of its own, with the next number:
`feedback-1f0c2a9b-1`, `feedback-1f0c2a9b-2`, and so on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple, Self

from importer.common.files import sync_folder
from importer.common.text import trimmed
from importer.errors import SettingsError
from importer.jobs.journal_file import FILE_NAME

_JOB = r"(?P<job>(?P<name>[^.].*-[0-9a-f]{8})-(?P<number>\d+))"
_FOLDER = re.compile(_JOB)
_ROW = re.compile(_JOB + r"((?P<mark>[@#])(?P<seq>.*))?", re.DOTALL)
_PLACE = re.compile(r"\d{1,18}", re.ASCII)

#: Stands for the job of a row that gives way to others: it is the name of none, so that the row
#: ranks below all others when it is imported after all (docs/reference.md, A18).
OVERTAKEN_JOB = "overtaken-00000000-1"


def base_name(folder: str) -> str:
    """Return what the names of the folders share that one command has made: without the number."""
    return folder.rpartition("-")[0]


class NamedRow(NamedTuple):
    """What the cell `job` of a left-over file says: the job that first brought the row.

    `seq` is the row's number in that job. `is_known`: the job knew its conversation, and has marked
    it if another row of that came after it.
    """

    job: str
    seq: int | None = None
    is_known: bool = False

    def __str__(self) -> str:
        mark = "#" if self.is_known else "@"
        return self.job if self.seq is None else f"{self.job}{mark}{self.seq}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return what the cell says, None if it names no job.

        What another program has put around it does not matter. With a number that no row can have,
        it names one that nobody knows.
        """
        text = trimmed(text)
        match = _ROW.fullmatch(text)
        if match is None or match["seq"] is None:
            return None if match is None else cls(match["job"])
        if not _PLACE.fullmatch(match["seq"]):
            return cls(text)
        return cls(match["job"], int(match["seq"]), match["mark"] == "#")


def job_folders(jobs_dir: Path) -> list[Path]:
    """Return the folders of all jobs, by name and number."""
    found = []
    for folder in jobs_dir.iterdir() if jobs_dir.is_dir() else ():
        match = _FOLDER.fullmatch(folder.name)
        if match and _has_journal(folder):
            found.append((match["name"], int(match["number"]), folder))
    return [folder for _, _, folder in sorted(found)]


def _has_journal(folder: Path) -> bool:
    """Return whether it has one, as far as that may be known."""
    try:
        return (folder / FILE_NAME).is_file()
    except PermissionError:
        return True


def folders_of(jobs_dir: Path, name: str) -> dict[int, Path]:
    """Return the folders of the job of that name by number, whatever they hold."""
    return {
        int(match["number"]): folder
        for folder in jobs_dir.iterdir()
        if (match := _FOLDER.fullmatch(folder.name)) and match["name"] == name
    }


def latest_like(folder: Path) -> Path:
    """Return the latest folder of the command that the job in `folder` is of, which is there."""
    return max(folders_of(folder.parent, base_name(folder.name)).items())[1]


def claim_folder(jobs_dir: Path, name: str, *, restart: bool, taken: Collection[str] = ()) -> Path:
    """Return the folder of a job of that name that is about to begin; it has no journal yet.

    It is a new one, or that of a job whose survey was not finished. The names in `taken` are those
    of earlier jobs, which may be gone: they are not used again. Raises `SettingsError` if the
    latest job of that name has lost its journal, unless it is to `restart`.
    """
    folders = folders_of(jobs_dir, name)
    latest = max(folders, default=0)
    if latest and not (folders[latest] / FILE_NAME).exists():
        folder = folders[latest]
        if not (folder / "summary.json").exists() and folder.name not in taken:
            os.utime(folder)  # somebody works in it
            return folder
        if (folder / "summary.json").exists() and not restart:
            raise SettingsError(
                f"{folder} has lost its {FILE_NAME}: put it back to resume, or start over with "
                "--restart"
            )
    number = latest + 1
    while f"{name}-{number}" in taken:
        number += 1
    folder = jobs_dir / f"{name}-{number}"
    folder.mkdir(mode=0o700)
    sync_folder(jobs_dir)
    return folder


def unfinished_surveys(jobs_dir: Path) -> list[Path]:
    """Return the folders of jobs that were stopped before they had a journal."""
    return sorted(
        folder
        for folder in (jobs_dir.iterdir() if jobs_dir.is_dir() else ())
        if _FOLDER.fullmatch(folder.name)
        and folder.is_dir()
        and not _has_journal(folder)
        and not (folder / "summary.json").exists()
    )
