"""Opens a file for reading, decompressed, and tells files by their first bytes."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import sys
import zipfile
import zlib
from enum import Enum
from pathlib import Path
from typing import BinaryIO, cast

from importer.common.text import shell_word
from importer.errors import InputError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: What a decompressor raises for a damaged or truncated file, or for one of another kind.
DAMAGED = (
    EOFError, gzip.BadGzipFile, zstd.ZstdError, zlib.error, lzma.LZMAError, zipfile.BadZipFile,
)  # fmt: skip


class FileKind(Enum):
    """What a file is, by its first bytes; the value is how they begin.

    What is text may have a mark and white space before it, and is in lower case here.
    """

    GZIP = (b"\x1f\x8b",)
    ZSTD = (b"\x28\xb5\x2f\xfd",)
    BZIP2 = (*(b"BZh%d1AY&SY" % level for level in range(1, 10)), b"BZh9\x17rE8P\x90")
    XZ = (b"\xfd7zXZ\x00",)
    ZIP = (b"PK\x03\x04", b"PK\x05\x06")
    PARQUET = (b"PAR1", b"PARE")
    OLD_WORKBOOK = (b"\xd0\xcf\x11\xe0",)
    SQLITE = (b"SQLite format 3\x00",)
    ORC = (b"ORC",)
    AVRO = (b"Obj\x01",)
    ARROW = (b"ARROW1\x00",)
    ARCHIVE = (b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a", b"\x04\x22\x4d\x18", b"\x1f\x9d")
    PDF = (b"%PDF-",)
    JSON = (b"{", b"[{", b"[\n", b"[\r", b"[ ")
    HTML = (b"<!doctype html", b"<html")
    XML = (b"<?xml",)
    OTHER = ()

    @classmethod
    def of(cls, start: bytes) -> FileKind:
        """Return the kind of a file that begins so."""
        text = start.removeprefix(codecs.BOM_UTF8).lstrip().lower()
        for kind in cls:
            if kind.value and (start.startswith(kind.value) or text.startswith(kind.value)):
                # A header may begin as well with these letters.
                is_header = kind is cls.ORC and start[3:4].isalnum()
                return cls.OTHER if is_header else kind
        return cls.OTHER


#: What to do with the kinds that are neither CSV nor Parquet.
_NOT_READ = {
    FileKind.PARQUET: "a Parquet file: give --format parquet, or a name that ends in .parquet",
    FileKind.OLD_WORKBOOK: "an old workbook: give --format excel, or a name that ends in .xls",
    FileKind.SQLITE: "an SQLite database: give it as sqlite:///PATH with --sql",
    FileKind.ORC: "an ORC file: convert it to Parquet or CSV",
    FileKind.AVRO: "an Avro file: convert it to Parquet or CSV",
    FileKind.ARROW: "an Arrow (Feather) file: convert it to Parquet or CSV",
    FileKind.ARCHIVE: "compressed (7z, RAR, LZ4 or .Z): decompress it",
    FileKind.PDF: "a PDF: export the table as CSV",
    FileKind.JSON: "JSON: give --format json, or a name that ends in .jsonl",
    FileKind.HTML: "a page of HTML, perhaps a log-in page: look at it in a browser, and save a "
    "table as CSV with a spreadsheet program",
    FileKind.XML: "XML: convert it to CSV or Parquet",
}
_WORKBOOK_PARTS = ("xl/", "[Content_Types].xml", "mimetype")
_WIDE = ("utf-16", "utf-32")
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)


def kind_of(path: Path, name: str) -> FileKind:
    """Return what kind of file it is. Raises `InputError` if it cannot be read."""
    try:
        with path.open("rb") as file:
            return FileKind.of(file.read(64))
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}") from None


def known_kind(path: Path, name: str) -> str:
    """Return what a file is and what to do with it, if it is neither text nor a workbook."""
    kind = kind_of(path, name)
    return "" if kind is FileKind.OLD_WORKBOOK else _NOT_READ.get(kind, "")


def open_binary(path: Path, name: str) -> tuple[BinaryIO, BinaryIO]:
    """Return the decompressed stream, and the raw one below it, whose position shows progress.

    How a file is compressed is told by its first bytes; `name` is what messages call it. Raises
    `InputError` if it cannot be opened. Both are to be closed.
    """
    kind = kind_of(path, name)
    try:
        raw = path.open("rb")
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}") from None
    match kind:
        case FileKind.GZIP:
            return cast("BinaryIO", gzip.GzipFile(fileobj=raw)), raw
        case FileKind.ZSTD:
            return cast("BinaryIO", zstd.ZstdFile(raw)), raw
        case FileKind.BZIP2:
            return cast("BinaryIO", bz2.BZ2File(raw)), raw
        case FileKind.XZ:
            return cast("BinaryIO", lzma.LZMAFile(raw)), raw
        case FileKind.ZIP:
            try:
                return _only_file_in(name, raw), raw
            except BaseException:
                raw.close()
                raise
        case _:
            return raw, raw


def check_is_text(name: str, start: bytes, encoding: str) -> None:
    """Raise `InputError` if a file that begins with `start`, decompressed, is known not to be text.

    `encoding` is the one that was given for it.
    """
    if (kind := FileKind.of(start[:64])) in _NOT_READ:
        raise InputError(f"{name} is not CSV, it is {_NOT_READ[kind]}")
    given = encoding.removesuffix("-sig")
    # In a comment a NUL is odd but harmless; no header has one, but for the wide encodings.
    header = start.partition(b"\n")[0]
    meant = _wide_encoding(header)
    if (codec := codecs.lookup(encoding).name).startswith(_WIDE):
        if b"\x00" not in start:
            raise InputError(f"{name} is not {given}: leave out --encoding, or give the right one")
        if codec in _WIDE and not start.startswith(_WIDE_MARKS):
            meant = meant or f"{given}-le or {given}-be"
            raise InputError(f"{name} has no byte order mark: give --encoding {meant}")
    elif start.startswith(_WIDE_MARKS):
        raise InputError(f"{name} is not {given}, it is UTF-16: give --encoding utf-16")
    elif meant is not None:
        raise InputError(f"{name} is not {given}, it seems to be UTF-16: give --encoding {meant}")
    elif b"\x00" in header:
        raise InputError(
            f"{name} is not text: its header holds NUL bytes. Export it as CSV or Parquet, or if "
            "it is compressed, decompress it"
        )


def name_within(path: Path, name: str) -> str:
    """Return the name of the one file in the archive at `path`; nothing if it is no archive.

    Raises `InputError`, with what the file is, if it is neither CSV nor Parquet.
    """
    kind = kind_of(path, name)
    if kind is FileKind.ZIP:
        stream, raw = open_binary(path, name)
        with raw, stream:
            return stream.name
    if kind in _NOT_READ and kind not in (FileKind.PARQUET, FileKind.JSON):
        raise InputError(f"{name} is not CSV, it is {_NOT_READ[kind]}")
    return ""


def _wide_encoding(header: bytes) -> str | None:
    """Return which UTF-16 a header without a mark is in, by where its NUL bytes are."""
    even, odd = header[0::2].count(0), header[1::2].count(0)
    half = len(header) // 4
    if odd > half and not even:
        return "utf-16-le"
    return "utf-16-be" if even > half and not odd else None


def _only_file_in(name: str, raw: BinaryIO) -> BinaryIO:
    """Return the one file in a zip archive as a stream. Raises `InputError` if there are others."""
    try:
        archive = zipfile.ZipFile(raw)
        names = archive.namelist()
        if any(one.startswith(_WORKBOOK_PARTS) for one in names):
            raise InputError(
                f"{name} is not CSV, it is a workbook: give --format excel, or a name that "
                "ends in .xlsx or .ods"
            )
        files = [one for one in names if not one.endswith("/") and not one.startswith("__MACOSX/")]
        if len(files) == 1:
            return cast("BinaryIO", archive.open(files[0]))
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise InputError(f"{name} is a zip archive that is damaged or cut off: {error}") from None
    except (NotImplementedError, RuntimeError) as error:
        raise InputError(
            f"{name} is a zip archive that cannot be read ({error}): extract it first"
        ) from None
    raise InputError(
        f"{name} is a zip archive of {len(files)} files: extract it "
        f"(unzip {shell_word(name)}) and name the files to import"
    )
