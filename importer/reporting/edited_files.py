"""Left-over files that a person has edited: what is written anew takes nothing away."""

from __future__ import annotations

import hashlib
from itertools import count
from pathlib import Path


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, by which it is told whether somebody has edited it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def set_aside(path: Path, written: str | None) -> Path | None:
    """Give a file that was edited another name and return it; None if it was not edited.

    `written` is the digest of what the importer has written there; None if that is not known.
    """
    if written is None or not path.exists() or digest_of(path) == written:
        return None
    names = (f"{path.stem}-edited{f'-{n}' if n > 1 else ''}{path.suffix}" for n in count(1))
    aside = next(one for name in names if not (one := path.with_name(name)).exists())
    path.rename(aside)
    return aside


def with_edited(folder: Path, name: str) -> list[Path]:
    """Return the file of that name in `folder` and those edited ones that were set aside."""
    path = folder / name
    return [one for one in (path, *sorted(folder.glob(f"{path.stem}-edited*{path.suffix}")))
            if one.exists()]  # fmt: skip


def edited_in(folder: Path) -> list[Path]:
    """Return all files in `folder` that were edited and set aside."""
    return sorted(folder.glob("*-edited*.csv"))
