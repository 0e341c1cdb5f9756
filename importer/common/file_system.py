"""What kind of file system a folder is on, and how a database can be journalled there.

A write-ahead log needs memory that all its readers share, so SQLite cannot keep one on a file
system that several machines may mount: it would be damaged without a word.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import fcntl
import os
import sys
import tempfile
from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from importer.errors import SettingsError

#: Linux tells the kind as a number (statfs(2)); these can be mounted by several machines.
_SHARED = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFE534D42: "SMB",
    0xFF534D42: "SMB",
    0x01021997: "9P",
    0x5346414F: "AFS",
    0x6B414653: "AFS",
    0x73757245: "Coda",
    0x00C36400: "Ceph",
    0x0BD00BD0: "Lustre",
    0x19830326: "BeeGFS",
    0x47504653: "GPFS",
    0x01161970: "GFS2",
    0x7461636F: "OCFS2",
    0x786F4256: "a folder of the virtual machine's host",
    # sshfs, s3fs, gcsfuse, GlusterFS and others: what is behind it is not told.
    0x65735546: "FUSE",
}
_OTHERS = {0xEF53: "ext", 0x58465342: "XFS", 0x9123683E: "btrfs", 0x2FC12FC1: "ZFS",
           0x01021994: "tmpfs", 0x794C7630: "overlay"}  # fmt: skip
#: What `struct statfs` of macOS says of a file system that is on this machine.
_MNT_LOCAL = 0x00001000
#: More than any system's `struct statfs` takes, in bytes.
_ROOM = 4096


class FileSystem(NamedTuple):
    """A kind of file system."""

    #: What people call it.
    name: str
    #: Whether other machines may have it mounted as well.
    is_shared: bool


class JournalMode(StrEnum):
    """How SQLite is to journal a database, in its own words."""

    #: Fast; for file systems of one machine only.
    WAL = "wal"
    #: Slower, and safe wherever locks work.
    TRUNCATE = "truncate"


def file_system(folder: Path) -> FileSystem | None:
    """Return what `folder`, or the nearest folder above it that exists, is on; None if unknown."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if (told := statfs(there)) is None:
        return None
    if sys.platform == "darwin":
        flags = int.from_bytes(told[64:68], sys.byteorder)
        name = told[72:88].split(b"\0")[0].decode("ascii", "replace")
        return FileSystem(name, not flags & _MNT_LOCAL)
    # A field as wide as the machine's words; the kinds have 32 bits.
    kind = int.from_bytes(told[: ctypes.sizeof(ctypes.c_long)], sys.byteorder) & 0xFFFFFFFF
    if kind in _SHARED:
        return FileSystem(_SHARED[kind], is_shared=True)
    return FileSystem(_OTHERS.get(kind, f"kind 0x{kind:x}"), is_shared=False)


def statfs(path: Path) -> bytes | None:
    """Return what the system says of the file system that holds `path`; None if it says nothing."""
    call = _statfs()
    room = ctypes.create_string_buffer(_ROOM)
    if call is None or call(os.fsencode(path), room) != 0:
        return None
    return room.raw


@lru_cache(1)
def _statfs() -> Callable[..., int] | None:
    if sys.platform not in ("linux", "darwin"):
        return None
    library = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
    # On Intel machines macOS keeps an older layout under the plain name.
    for name in ("statfs$INODE64", "statfs"):
        if hasattr(library, name):
            call = getattr(library, name)
            call.argtypes, call.restype = [ctypes.c_char_p, ctypes.c_char_p], ctypes.c_int
            found: Callable[..., int] = call
            return found
    return None


def journal_mode(folder: Path) -> JournalMode:
    """Return how a database in `folder`, which must exist, can safely be journalled.

    Raises `SettingsError` where none is safe, since locks do not work there.
    """
    found = file_system(folder)
    if found is None or not found.is_shared:
        return JournalMode.WAL
    try:
        _try_locks(folder)
    except OSError as error:
        why = "it knows no locks" if error.errno in _NO_LOCKS else error.strerror
        raise SettingsError(
            f"--jobs-dir {folder} is on a network file system ({found.name}) where files cannot be "
            f"locked: {why}. Two runs could damage a job there: choose a folder on a local disk, "
            "or mount it with locks"
        ) from None
    return JournalMode.TRUNCATE


_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


def _try_locks(folder: Path) -> None:
    """Lock a new file in both ways that are used here: by range as SQLite does, and as a whole."""
    with tempfile.TemporaryFile(dir=folder, prefix=".locks-") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 512, 0x40000000)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
