"""The folders of the jobs.

Each start of a job from scratch gets a folder of its own, with the next number:
`feedback-1f0c2a9b-1`, `feedback-1f0c2a9b-2`, and so on.
"""

from __future__ import annotations

import re
from pathlib import Path

from importer.common.text import did_you_mean
from importer.errors import SettingsError
from importer.jobs.journal import FILE_NAME

_FOLDER = re.compile(r"(?P<name>.+-[0-9a-f]{8})-(?P<number>\d+)")


def job_folders(jobs_dir: Path) -> list[Path]:
    """Return the folders of all jobs, by name and number."""
    found = []
    for folder in jobs_dir.iterdir() if jobs_dir.is_dir() else ():
        match = _FOLDER.fullmatch(folder.name)
        if match and (folder / FILE_NAME).is_file():
            found.append((match["name"], int(match["number"]), folder))
    return [folder for _, _, folder in sorted(found)]


def folders_of(jobs_dir: Path, name: str) -> dict[int, Path]:
    """Return the folders of the job of that name by number, whatever they hold."""
    return {
        int(match["number"]): folder
        for folder in jobs_dir.iterdir()
        if (match := _FOLDER.fullmatch(folder.name)) and match["name"] == name
    }


def find_job(jobs_dir: Path, text: str) -> Path:
    """Return the folder of the job that `text` names: a path, a name, or the beginning of one.

    Of a job's folders it is the latest. Raises `SettingsError` if there is none, or no single one.
    """
    if (Path(text) / FILE_NAME).is_file():
        return Path(text)
    folders = job_folders(jobs_dir)
    exact = [folder for folder in folders if folder.name == text]
    named = exact or [folder for folder in folders if folder.name.startswith(text)]
    jobs = {folder.name.rpartition("-")[0] for folder in named}
    if len(jobs) > 1:
        raise SettingsError(f"{text!r} is ambiguous: it could be {', '.join(sorted(jobs))}")
    if named:
        return named[-1]
    hint = did_you_mean(text, (folder.name for folder in folders), cutoff=0.3)
    raise SettingsError(
        f"there is no job {text!r} in {jobs_dir}{hint} (clarityq-import jobs lists them)"
    )
