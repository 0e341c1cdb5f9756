"""Opens a file for reading, decompressed by its name, and tells files by their first bytes."""

from __future__ import annotations

import gzip
import sys
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from importer.errors import InputError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: What a decompressor raises for a damaged or truncated file, or for one of another kind.
DAMAGED = (EOFError, gzip.BadGzipFile, zstd.ZstdError, zlib.error)

_SIGNATURES = (
    (b"PAR1", "a Parquet file: give --format parquet, or a name that ends in .parquet"),
    (b"\x1f\x8b", "compressed with gzip: give it a name that ends in .gz"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd: give it a name that ends in .zst"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook: extract it, or save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook: save it as CSV"),
    (b"SQLite format 3\x00", "an SQLite database: export the table as CSV"),
)
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")


def open_binary(path: Path) -> tuple[BinaryIO, BinaryIO]:
    """Return the decompressed stream, and the raw one below it, whose position shows progress.

    Raises `InputError` if the file cannot be opened. Both are to be closed.
    """
    try:
        raw = path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    match path.suffix.lower():
        case ".gz":
            return cast("BinaryIO", gzip.GzipFile(fileobj=raw)), raw
        case ".zst" | ".zstd":
            return cast("BinaryIO", zstd.ZstdFile(raw)), raw
        case _:
            return raw, raw


def check_is_text(path: Path, start: bytes, encoding: str) -> None:
    """Raise `InputError` if a file that begins with `start` is known not to be text."""
    for signature, what in _SIGNATURES:
        if start.startswith(signature):
            raise InputError(f"{path} is not text, it is {what}")
    wide = encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32"))
    if start.startswith(_WIDE_MARKS) and not wide:
        raise InputError(f"{path} is not UTF-8, it is UTF-16: give --encoding utf-16")
    # In a comment a NUL is odd but harmless; no header has one.
    if b"\x00" in start.partition(b"\n")[0] and not wide:
        raise InputError(
            f"{path} is not text: its header holds NUL bytes. "
            "If it is UTF-16, give --encoding utf-16"
        )
