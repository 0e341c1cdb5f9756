"""Opens an input with the reader for its kind."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

from importer.common.text import nearest
from importer.errors import InputError
from importer.settings import ImportSettings, InputFormat
from importer.sources.base import RowSource

_CSV_ENDINGS = {".csv", ".tsv", ".tab", ".psv", ".txt"}
_PARQUET_ENDINGS = {".parquet", ".pq"}
_COMPRESSION_ENDINGS = {".gz", ".zst", ".zstd"}


def open_source(path: Path, settings: ImportSettings) -> RowSource:
    """Open one input and check its header. The caller closes it.

    Raises `InputError` if the file is not there, cannot be read, is not what its name says, or
    lacks a column.
    """
    _check_file(path)
    if _format_of(path, settings.reading.format) is InputFormat.PARQUET:
        from importer.sources.parquet import ParquetSource  # noqa: PLC0415 -- pyarrow is heavy

        return ParquetSource(path, settings.mapping.columns, settings.mapping.nulls)
    from importer.sources.csv_file import CsvSource  # noqa: PLC0415 -- only what the input needs

    return CsvSource(
        path,
        settings.mapping.columns,
        delimiter=settings.reading.delimiter,
        encoding=settings.reading.encoding,
        skip_lines=settings.reading.skip_lines,
        trust_quotes=settings.reading.trust_quotes,
        nulls=settings.mapping.nulls,
    )


def open_carried_over(path: Path, settings: ImportSettings) -> RowSource:
    """Open the rows that earlier jobs have left over, a file of the importer's own."""
    from importer.sources.csv_file import CsvSource  # noqa: PLC0415

    return CsvSource(path, settings.mapping.columns, delimiter=",", trust_quotes=True)


def _check_file(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        hint = ""
        if error.errno == errno.ENOENT:
            try:
                names = [entry.name for entry in path.parent.iterdir()]
            except OSError:
                names = []
            meant = nearest(path.name, names, cutoff=0.75)
            hint = f"; did you mean {path.with_name(meant)}?" if meant else ""
        raise InputError(f"{path}: {error.strerror}{hint}") from None
    if stat.S_ISDIR(mode):
        raise InputError(f"{path} is a directory: name the files in it, such as {path}/*.csv")
    if not stat.S_ISREG(mode):
        raise InputError(
            f"{path} is not a regular file: an import reads its input more than once, so save it "
            "to a file first"
        )
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty")


def _format_of(path: Path, given: InputFormat | None) -> InputFormat:
    if given is not None:
        return given
    ending = path.suffix.lower()
    if ending in _COMPRESSION_ENDINGS:
        ending = path.with_suffix("").suffix.lower()
    if ending in _CSV_ENDINGS:
        return InputFormat.CSV
    if ending in _PARQUET_ENDINGS:
        return InputFormat.PARQUET
    raise InputError(f"{path}: its name does not tell the format; add --format csv or parquet")
