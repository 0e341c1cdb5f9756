"""Files that only their owner may read, and files that are complete whenever they are there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PRIVATE = 0o600


def private_opener(path: str, flags: int) -> int:
    """Open a file that only its owner may read; for `open(..., opener=...)`."""
    return os.open(path, flags, _PRIVATE)


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield the path of a new, empty, private file, which becomes `path` when the block is left.

    So `path` is never there in part, wherever the process is killed. After an exception it is as it
    was. Raises `OSError`.
    """
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE))
    yield temporary
    temporary.replace(path)


def sync_folder(folder: Path) -> None:
    """Let the names of the files in `folder` last, also after a power cut. Raises `OSError`."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
