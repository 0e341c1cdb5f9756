"""A copy that is being taken: what every kind of address copies into."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from importer.common.files import atomic_write, private_opener, sync_folder
from importer.common.text import size_text
from importer.errors import ScratchError
from importer.settings.places import SourceAddress

#: Seconds between two words on a copy under way.
_INTERVAL = 15.0
#: Bytes that stay free beside a copy, for the survey and the journal.
_KEPT_FREE = 16 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)
#: How the name of a copy of rows ends, which is Parquet whatever the format of the files is.
ROWS_ENDING = ".rows.parquet"


@dataclass(frozen=True, slots=True)
class CopyWatch:
    """What is asked, and told, while copies are taken. `check` raises if it is to stop.

    `not_read` is told of an input that is not looked at, and when the copy was taken (in words)
    that is gone on with in its place.
    """

    check: Callable[[], None] = lambda: None
    told: Callable[[str], None] = lambda _: None
    not_read: Callable[[SourceAddress, str], None] = lambda _, __: None


class CopyOrigin(msgspec.Struct, frozen=True):
    """What is known of the original of a copy that is not yet whole; no secrets."""

    name: str
    #: What proves that it is still the same, such as an ETag; empty if nothing does.
    version: str = ""
    #: In bytes; None if it is not known.
    size: int | None = None


class PartialCopy:
    """A copy that is being taken: what is there of it, and of what.

    `path` is the file that grows. Its methods raise `InputError` and `ScratchError`, and whatever
    `watch.check` raises.
    """

    def __init__(self, folder: Path, number: int, name: str, watch: CopyWatch) -> None:
        self.path = folder / f".{number}.part"
        self.name = name
        self.watch = watch
        self.original: CopyOrigin | None = None
        #: How many rows there are, if that is known.
        self.rows: int | None = None
        self._record = folder / f".{number}.json"
        self._told = time.monotonic()
        with suppress(OSError, msgspec.DecodeError):
            original = msgspec.json.decode(self._record.read_bytes(), type=CopyOrigin)
            if original.name == name and self.path.exists():
                self.original = original

    @property
    def size(self) -> int:
        """How many bytes there are, of a part that is gone on with."""
        return self.path.stat().st_size if self.original is not None else 0

    def begin(self, original: CopyOrigin) -> None:
        """Begin from the first byte."""
        self.check_space(original.size or 0)
        with suppress(FileNotFoundError):
            self._record.unlink()
        with open(self.path, "wb", opener=private_opener):
            pass
        self.path.chmod(0o600)
        with atomic_write(self._record) as temporary:
            temporary.write_bytes(msgspec.json.encode(original))
        self.original = original
        size = "" if original.size is None else f" ({size_text(original.size)})"
        self.watch.told(f"copying {self.name}{size}")

    def append(self, pieces: Iterable[bytes]) -> None:
        """Append pieces of bytes."""
        with self.path.open("ab") as file:
            try:
                for piece in pieces:
                    self.watch.check()
                    file.write(piece)
                    self.grew(file.tell())
            except OSError as error:
                if error.errno in _FULL:
                    raise ScratchError(f"{self.path.parent}: {error.strerror}") from None
                raise

    def grew(self, size: int) -> None:
        """Say now and then how far the copy has come, in bytes."""
        if (now := time.monotonic()) - self._told >= _INTERVAL:
            self._told = now
            whole = self.original and self.original.size
            of = f" of {size_text(whole)}" if whole else ""
            self.watch.told(f"copied {size_text(size)}{of} of {self.name}")

    def check_space(self, size: int) -> None:
        """Raise `ScratchError` if there is no room for `size` bytes more."""
        folder = self.path.parent
        free = shutil.disk_usage(folder).free
        if free < size + _KEPT_FREE:
            raise ScratchError(
                f"the copy of {self.name} needs {size_text(size)} in {folder}, and "
                f"{size_text(free)} are free: free some disk space, or choose another --jobs-dir. "
                "Nothing was sent"
            )

    def finish(self, file_name: str) -> Path:
        """Let the copy last, and give it its name; return its path."""
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        whole = self.path.with_name(f"{self.path.stem[1:]}-{file_name}")
        self.path.replace(whole)
        sync_folder(whole.parent)
        with suppress(OSError):
            self._record.unlink()
        return whole
