"""Where a job keeps the copies of inputs that are no local files, and which file an input is.

A copy that is whole has a name that begins with the number of its input; what is not yet whole
begins with a point.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from importer.jobs.records import InputFile

#: The folder of the copies, within that of the job.
FOLDER = "copies"


def copies_folder(folder: Path) -> Path:
    """Return where the job in `folder` keeps its copies."""
    return folder / FOLDER


def file_of(folder: Path, position: int, file: InputFile) -> Path:
    """Return the file of an input, by its position (from 0), of the job in `folder`.

    It may be gone.
    """
    if (path := Path(file.path)).is_absolute():
        return path
    copies = copies_folder(folder)
    return next(copies.glob(f"{position + 1}-*"), copies / f"{position + 1}-gone")


def remove_copies(folder: Path) -> None:
    """Remove the copies of the job in `folder`, as far as that is possible."""
    with suppress(OSError):
        shutil.rmtree(copies_folder(folder))
