"""Opens an input with the reader for its kind."""

from __future__ import annotations

import errno
import re
import stat
from collections import Counter
from pathlib import Path

from importer.common.text import composed, nearest, shell_word
from importer.errors import InputError
from importer.settings import ImportSettings, InputFormat
from importer.sources.base import RowSource
from importer.sources.location import FileKind, kind_of, name_within

_CSV_ENDINGS = {".csv", ".tsv", ".tab", ".psv", ".txt"}
_PARQUET_ENDINGS = {".parquet", ".pq"}
_COMPRESSION_ENDINGS = {".gz", ".gzip", ".zst", ".zstd", ".bz2", ".xz", ".zip"}
#: `Path` makes one slash of two.
_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):/(?P<rest>[^/].*)")


def open_source(path: Path, settings: ImportSettings) -> RowSource:
    """Open one input and check its header. The caller closes it.

    Raises `InputError` if the file is not there, cannot be read, is not what its name says, or
    lacks a column.
    """
    check_file(path)
    if format_of(path, settings.reading.format) is InputFormat.PARQUET:
        from importer.sources.parquet import ParquetSource  # noqa: PLC0415 -- pyarrow is heavy

        return ParquetSource(
            path,
            settings.mapping.columns,
            settings.mapping.nulls,
            newest_by=settings.mapping.newest_by,
            delimiter=settings.reading.delimiter,
            encoding=settings.reading.encoding,
        )
    from importer.sources.csv_file import CsvSource  # noqa: PLC0415 -- only what the input needs

    return CsvSource(
        path,
        settings.mapping.columns,
        delimiter=settings.reading.delimiter,
        encoding=settings.reading.encoding,
        newest_by=settings.mapping.newest_by,
        skip_lines=settings.reading.skip_lines,
        trust_quotes=settings.reading.trust_quotes,
        nulls=settings.mapping.nulls,
    )


def check_file(path: Path) -> None:
    """Raise `InputError`, with what may be meant, unless `path` is a file that holds something."""
    try:
        found = path.stat()
    except OSError as error:
        hint = _what_is_meant(path) if error.errno == errno.ENOENT else ""
        raise InputError(f"{path}: {error.strerror}{hint}") from None
    except ValueError as error:  # a NUL in the name
        raise InputError(f"{path}: {error}") from None
    if stat.S_ISDIR(found.st_mode):
        raise InputError(f"{path} is a directory: {_files_in(path)}")
    if not stat.S_ISREG(found.st_mode):
        raise InputError(
            f"{path} is not a regular file: an import reads its input more than once, so save it "
            "to a file first"
        )
    if found.st_size == 0:
        raise InputError(f"{path} is empty: it holds 0 bytes, not even a header")


def _what_is_meant(path: Path) -> str:
    """Return the end of the message on a file that is not there: what may be meant instead."""
    if str(path) == "-":
        return (
            "; standard input cannot be imported, since an import reads its input more than once: "
            "save it to a file first"
        )
    if address := _ADDRESS.fullmatch(str(path)):
        return (
            f"; {address['scheme']}://{address['rest']} is an address, and inputs are files: "
            "download it first"
        )
    if path.is_symlink():
        return f"; it is a link to {path.readlink()}, which does not exist"
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.exists()]
    except OSError:
        return ""
    twin = next((name for name in names if composed(name) == composed(path.name)), None)
    if twin is not None:
        return (
            "; there is a file whose name looks the same and is other characters (another Unicode "
            f"form): {shell_word(str(path.with_name(twin)))}"
        )
    meant = nearest(path.name, names, cutoff=0.75)
    return f"; did you mean {shell_word(str(path.with_name(meant)))}?" if meant else ""


def _files_in(folder: Path) -> str:
    """Return how to name the files that a folder holds."""
    try:
        names = [entry.name for entry in folder.iterdir() if entry.is_file()]
    except OSError as error:
        return f"and it cannot be listed ({error.strerror})"
    known = _CSV_ENDINGS | _PARQUET_ENDINGS
    endings = Counter(
        "".join(Path(name).suffixes[-2:]) if _inner_ending(name) in known else ""
        for name in names
        if not name.startswith((".", "_"))
    )
    del endings[""]
    if not endings:
        return "and it holds no CSV or Parquet files"
    ((ending, _),) = endings.most_common(1)
    ending = ending if Path(ending).suffix in _COMPRESSION_ENDINGS else Path(f"x{ending}").suffix
    return f"name the files in it, such as {shell_word(str(folder))}/*{ending}"


def _inner_ending(name: str) -> str:
    """Return the ending of a name, in lower case, without that of a compression."""
    path = Path(name)
    if path.suffix.lower() in _COMPRESSION_ENDINGS:
        path = path.with_suffix("")
    return path.suffix.lower()


def format_of(path: Path, given: InputFormat | None) -> InputFormat:
    """Return the format of a file: the one that is `given`, or by its name."""
    if given is not None:
        return given
    ending = _inner_ending(path.name)
    if ending in _CSV_ENDINGS:
        return InputFormat.CSV
    if ending in _PARQUET_ENDINGS or kind_of(path) is FileKind.PARQUET:
        return InputFormat.PARQUET
    if _inner_ending(name_within(path)) in _CSV_ENDINGS:
        return InputFormat.CSV
    raise InputError(
        f"{path}: its name does not tell the format. If it is CSV (with any delimiter), add "
        "--format csv"
    )
