"""One run at a time works on the jobs of a product (docs/reference.md, A1)."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from importer.common.files import private_opener
from importer.errors import JobHeldError, SettingsError

#: A listing takes the lock to see whether it is free, and lets go of it within so many seconds.
_A_LOOK = 0.5


@contextmanager
def hold(jobs_dir: Path, name: str) -> Iterator[None]:
    """Hold the lock of that name; the system lets go of it when the process ends, however it ends.

    Raises `JobHeldError` if another process holds it, `SettingsError` if the folder is read-only.
    """
    holder = jobs_dir / f".{name}.holder"
    lock = _lock(jobs_dir, name)
    try:
        lock.acquire(timeout=_A_LOOK)
    except Timeout:
        try:
            who = holder.read_text("utf-8")
        except OSError:
            who = "another process"
        raise JobHeldError(
            f"a job of this product is being worked on by {who}: wait for it to end (with "
            "--wait-for-lock 1h, for example), or stop it"
        ) from None
    except OSError as error:
        raise SettingsError(f"--jobs-dir {jobs_dir} cannot be written: {error.strerror}") from None
    try:
        with (
            suppress(OSError),  # who holds it is a help for others, and no more
            open(holder, "w", encoding="utf-8", opener=private_opener) as file,
        ):
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
        yield
    finally:
        # While it is held: afterwards the file may be that of the next one.
        with suppress(OSError):
            holder.unlink()
        lock.release()


def is_held(jobs_dir: Path, name: str) -> bool:
    """Return whether another process holds the lock of that name right now."""
    try:
        with _lock(jobs_dir, name).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False


def lock_names(jobs_dir: Path) -> set[str]:
    """Return the names of all locks of the folder that were ever held: they are never removed."""
    return {path.stem[1:] for path in jobs_dir.glob(".*.lock")}


def _lock(jobs_dir: Path, name: str) -> FileLock:
    # It may be let go of on another thread than the one that took it.
    return FileLock(jobs_dir / f".{name}.lock", mode=0o600, thread_local=False)
