"""Files that only their owner may read, and files that are complete whenever they are there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp

_PRIVATE = 0o600
#: How the names of files end that are not whole yet.
_UNFINISHED = ".new"


def private_opener(path: str, flags: int) -> int:
    """Open a file that only its owner may read; for `open(..., opener=...)`."""
    return os.open(path, flags, _PRIVATE)


def working_folder() -> str:
    """Return the working folder; empty if it is gone."""
    try:
        return str(Path.cwd())
    except OSError:
        return ""


@contextmanager
def atomic_write(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Yield the path of a new, empty, private file, which becomes `path` when the block is left.

    So `path` is never there in part, wherever the process is killed; see `clear_unfinished`. After
    an exception it is as it was. With `durable` it lasts then, also after a power cut. Raises
    `OSError`.
    """
    handle, name = mkstemp(_UNFINISHED, f".{path.name[:40]}-", path.absolute().parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        if durable:
            with temporary.open("rb") as whole:
                os.fsync(whole.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.absolute().parent)


def clear_unfinished(folder: Path) -> None:
    """Remove the files in `folder` that killed processes were writing; nobody may be at it now."""
    for path in folder.glob(f".*{_UNFINISHED}"):
        with suppress(OSError):
            path.unlink()


def sync_folder(folder: Path) -> None:
    """Let the names of the files in `folder` last, also after a power cut. Raises `OSError`."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
