"""Opens a file for reading, decompressed, and tells files by their first bytes."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import sys
import zipfile
import zlib
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import BinaryIO, cast

from importer.common.text import readable, shell_word
from importer.errors import InputError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: What a decompressor raises for a damaged or truncated file, or for one of another kind.
DAMAGED = (
    EOFError, gzip.BadGzipFile, zstd.ZstdError, zlib.error, lzma.LZMAError, zipfile.BadZipFile,
)  # fmt: skip
#: What reading a file raises, decompressed or not.
FAILURES = (*DAMAGED, OSError)
#: Files of an archive that a message names.
_MOST_NAMED = 10
#: So many bytes tell the kind of a file.
FIRST_BYTES = 512
_TAR_AT = 257


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
    ARCHIVE = (
        b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a", b"\x04\x22\x4d\x18", b"\x1f\x9d", b"\x5d\x00\x00"
    )  # fmt: skip
    #: It begins with a name.
    TAR = (b"ustar",)
    PDF = (b"%PDF-",)
    JSON = (b"{", b"[{", b"[\n", b"[\r", b"[ ")
    HTML = (b"<!doctype html", b"<html")
    XML = (b"<?xml",)
    #: Every file begins so, and it stands last. Python 3.11.2 would make `()` another object.
    OTHER = (b"",)

    @classmethod
    def of(cls, start: bytes) -> FileKind:
        """Return the kind of a file that begins so; `FIRST_BYTES` of it tell all kinds."""
        if start[_TAR_AT:].startswith(cls.TAR.value):
            return cls.TAR
        text = start.removeprefix(codecs.BOM_UTF8).lstrip().lower()
        kind = next(
            kind
            for kind in cls
            if kind is not cls.TAR and (start.startswith(kind.value) or text.startswith(kind.value))
        )
        # A header may begin as well with these letters.
        is_header = kind is cls.ORC and start[3:4].isalnum()
        return cls.OTHER if is_header else kind


#: What to do with the kinds that are neither CSV nor Parquet.
_NOT_READ = {
    FileKind.PARQUET: "a Parquet file: give --format parquet, or a name that ends in .parquet",
    FileKind.OLD_WORKBOOK: "an old workbook: give --format excel, or a name that ends in .xls",
    FileKind.SQLITE: "an SQLite database: give it as sqlite:///PATH with --sql",
    FileKind.ORC: "an ORC file: convert it to Parquet or CSV",
    FileKind.AVRO: "an Avro file: convert it to Parquet or CSV",
    FileKind.ARROW: "an Arrow (Feather) file: convert it to Parquet or CSV",
    FileKind.ARCHIVE: "compressed (7z, RAR, LZ4, .lzma or .Z): decompress it",
    FileKind.TAR: "a tar archive: extract it, and name the files to import",
    FileKind.PDF: "a PDF: export the table as CSV",
    FileKind.JSON: "JSON: give --format json, or a name that ends in .jsonl",
    FileKind.HTML: "a page of HTML, perhaps a log-in page: look at it in a browser, and save a "
    "table as CSV with a spreadsheet program",
    FileKind.XML: "XML: convert it to CSV or Parquet",
}
_WORKBOOK_PARTS = ("xl/", "[Content_Types].xml", "mimetype")
_WIDE = ("utf-16", "utf-32")
#: Of each mark the encoding that reads it, and the one that is meant. The longer ones come first:
#: one of them begins as a shorter one does.
_WIDE_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32", "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32", "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16", "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16", "utf-16-be"),
)  # fmt: skip


def kind_of(path: Path, name: str) -> FileKind:
    """Return what kind of file it is. Raises `InputError` if it cannot be read."""
    try:
        with path.open("rb") as file:
            return FileKind.of(file.read(FIRST_BYTES))
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}") from None


def known_kind(path: Path, name: str) -> str:
    """Return what a file is and what to do with it, if it is neither text nor a workbook."""
    kind = kind_of(path, name)
    return "" if kind is FileKind.OLD_WORKBOOK else _NOT_READ.get(kind, "")


def other_kind(path: Path, name: str) -> str:
    """Return what a file is and what to do with it, if it is surely no Parquet file."""
    match kind_of(path, name):
        case FileKind.PARQUET:
            return ""
        case FileKind.ZIP:
            return (
                "a workbook or a zip archive: give --format excel or csv, or another name. Parquet "
                "is to be extracted first"
            )
        case FileKind.OTHER:
            with path.open("rb") as file:
                start = file.read(FIRST_BYTES)
            is_text = (
                bool(start) and start.isascii() and start.decode().split("\n")[0].isprintable()
            )
            return "text: give --format csv, or another name" if is_text else ""
        case kind:
            return _NOT_READ.get(kind, "compressed: give --format csv, or another name")


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


def unreadable(name: str, error: BaseException) -> InputError:
    """Return what is to be raised for one of `FAILURES`."""
    # bz2 has no exception of its own, and raises one that is no word of the system's.
    if isinstance(error, OSError) and error.errno is not None:
        return InputError(f"{name} cannot be read: {error.strerror or error}")
    return InputError(f"{name} is damaged or cut off: {error}")


def check_is_text(name: str, start: bytes, encoding: str) -> None:
    """Raise `InputError` if a file that begins with `start`, decompressed, is known not to be text.

    `encoding` is the one that was given for it.
    """
    if (kind := FileKind.of(start[:FIRST_BYTES])) in _NOT_READ:
        raise InputError(f"{name} is not CSV, it is {_NOT_READ[kind]}")
    given = encoding.removesuffix("-sig")
    # In a comment a NUL is odd but harmless; no header has one, but for the wide encodings.
    header = start.partition(b"\n")[0]
    meant = _wide_encoding(header)
    marked = marked_encodings(start)
    if (codec := codecs.lookup(encoding).name).startswith(_WIDE):
        if b"\x00" not in start:
            raise InputError(f"{name} is not {given}: leave out --encoding, or give the right one")
        if marked and codec not in marked:
            raise InputError(f"{name} is not {given}: its mark says --encoding {marked[0]}")
        if not marked and meant is not None and codec not in ("utf-16", "utf-32", meant):
            raise InputError(f"{name} is not {given}, it seems to be --encoding {meant}")
        if codec in _WIDE and not marked:
            meant = meant or f"{given}-le or {given}-be"
            raise InputError(f"{name} has no byte order mark: give --encoding {meant}")
    elif marked:
        raise InputError(
            f"{name} is not {given}, it is {marked[0].upper()}: give --encoding {marked[0]}"
        )
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


def marked_encodings(start: bytes) -> Sequence[str]:
    """Return the encodings that a file's mark of a wide one allows, the usual one first."""
    return next((allowed for mark, *allowed in _WIDE_MARKS if start.startswith(mark)), [])


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
        files = [one for one in names if not _is_passed_over(one)]
        if len(files) == 1:
            return cast("BinaryIO", archive.open(files[0]))
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise InputError(f"{name} is a zip archive that is damaged or cut off: {error}") from None
    except (NotImplementedError, RuntimeError) as error:
        raise InputError(
            f"{name} is a zip archive that cannot be read ({error}): extract it first"
        ) from None
    if not files:
        raise InputError(f"{name} is a zip archive without a file")
    more = ", …" if len(files) > _MOST_NAMED else ""
    raise InputError(
        f"{name} is a zip archive of {len(files)} files ({readable(', '.join(files[:_MOST_NAMED]))}"
        f"{more}): extract it (unzip {shell_word(name)}) and name the files to import"
    )


def _is_passed_over(name: str) -> bool:
    """Return whether a name in an archive is a folder, or a hidden file of the system's."""
    return name.endswith("/") or name.startswith("__MACOSX/") or Path(name).name.startswith(".")
