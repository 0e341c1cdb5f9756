"""The files that a folder or a pattern stands for, in the order of their names.

Numbers in names count by their value, so that the tenth export is later than the ninth: of each
conversation the last row wins.

As Spark and its like write them: parts in folders within folders, beside files that only tell that
all is there.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path

from importer.errors import InputError
from importer.settings import InputFormat
from importer.sources.registry import has_known_ending

_WILD = "*?["
_NUMBER = re.compile(r"(\d+)", re.ASCII)


def files_of(path: Path, given: InputFormat | None) -> list[Path]:
    """Return the files that a path stands for: itself, unless it is a folder or a pattern.

    Passed over in a folder are hidden files, those whose name begins with `_`, empty ones, and,
    unless their format is `given`, those whose name tells none. If nothing is left it is the path
    itself, of which `registry` tells what is wrong. Raises `InputError` if it cannot be listed.
    """
    if path.is_dir():
        found = sorted(_within(path), key=_order)
    elif any(sign in str(path) for sign in _WILD) and not path.exists():
        names = glob.glob(str(path), recursive=True)  # noqa: PTH207
        found = sorted(map(Path, names), key=_order)
        return [one for one in found if one.is_file()] or [path]
    else:
        return [path]
    files = [one for one in found if given is not None or has_known_ending(one.name)]
    return files or [path]  # of which is told what it holds


def _order(path: Path) -> tuple[list[list[str | int]], Path]:
    """Return what a path is sorted by: its parts, cut into text and numbers by turns."""
    cut = (_NUMBER.split(part) for part in path.parts)
    parts = [[int(one) if at % 2 else one for at, one in enumerate(part)] for part in cut]
    return parts, path


def _within(folder: Path) -> Iterator[Path]:
    try:
        for where, folders, names in os.walk(folder, onerror=_raised):
            folders[:] = [name for name in folders if not name.startswith((".", "_"))]
            for name in names:
                file = Path(where, name)
                if not name.startswith((".", "_")) and file.stat().st_size:
                    yield file
    except OSError as error:
        raise InputError(f"{error.filename or folder}: {error.strerror}") from None


def _raised(error: OSError) -> None:
    raise error
