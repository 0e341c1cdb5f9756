"""The beginning of an input with all its columns, before it is known which one holds what."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from importer.common.text import trimmed
from importer.errors import InputError
from importer.settings import InputFormat
from importer.settings.groups import Reading
from importer.sources.csv.encodings import other_encoding
from importer.sources.csv.records import RecordReader
from importer.sources.csv.sample import Sample
from importer.sources.kept_bytes import KEEP_BYTES
from importer.sources.location import (
    FAILURES,
    check_is_text,
    marked_encodings,
    open_binary,
    unreadable,
)
from importer.sources.registry import check_file, format_of, reader_of

_UTF8 = "utf-8-sig"
_PIECE = 1 << 20
_MOST_ROWS = 1000


class Preview(NamedTuple):
    """The first rows of a file."""

    header: Sequence[str]
    #: As text; a row may have more or fewer cells than the header.
    rows: Sequence[Sequence[str]]
    #: How the file is probably encoded; None if that is as the settings say, empty if it is not
    #: known.
    encoding: str | None
    #: How many lines seem to be above the header; None if that is as the settings say.
    skip_lines: int | None = None


def preview(path: Path, reading: Reading, columns: Mapping[str, str]) -> Preview:
    """Return the beginning of a file, whose fields are in `columns` as far as they are known.

    Raises `InputError` if it cannot be read.
    """
    check_file(path, str(path))
    found = format_of(path, str(path), reading.format)
    if found is InputFormat.PARQUET:
        return _parquet(path)
    if found is not InputFormat.CSV:
        module = reader_of(found, str(path))
        skip = None
        if found is InputFormat.EXCEL:
            skip = module.find_skip(path, str(path), reading, columns)
            reading = reading if skip is None else replace(reading, skip_lines=skip)
        header, rows = module.first_rows(path, str(path), reading, _MOST_ROWS)
        return Preview([trimmed(name) for name in header], rows, None, skip)
    stream, raw = open_binary(path, str(path))
    try:
        with raw, stream:
            start = stream.read(_PIECE)
            others = iter(partial(stream.read, _PIECE), b"")
            encoding = _encoding_of(start, others, reading)
    except FAILURES as error:
        raise unreadable(str(path), error) from None
    codec = encoding or reading.encoding
    codec = _UTF8 if codecs.lookup(codec).name == "utf-8" else codec
    check_is_text(str(path), start, codec)
    if len(start) == _PIECE:  # the last line may be cut in the middle
        start = start[: start.rfind(b"\n") + 1] or start
    text = start.decode(codec, KEEP_BYTES)
    sample = Sample(text, reading.skip_lines)
    if (skip := sample.better_skip(columns)) is not None:
        sample = Sample(text, skip)
    sample.check_is_header(str(path), columns)
    dialect = sample.dialect(columns, reading.delimiter, trust_quotes=reading.trust_quotes)
    records = RecordReader(io.StringIO(text, newline=dialect.newline), dialect)
    header, *rows = [
        record.fields for record in islice(records, 1 + _MOST_ROWS) if record.problem is None
    ] or [[]]
    return Preview([trimmed(name) for name in header], rows, encoding, skip)


def _encoding_of(start: bytes, others: Iterable[bytes], reading: Reading) -> str | None:
    """Return the encoding that a file seems to be in, if that is another one than was said.

    It is empty if none is likely.
    """
    if codecs.lookup(reading.encoding).name != "utf-8":
        return None
    if marked := marked_encodings(start):
        return marked[0]
    if start.startswith(codecs.BOM_UTF8):
        return None
    found = other_encoding(chain([start], others), None)
    return None if found == "utf-8" else found


def _parquet(path: Path) -> Preview:
    import pyarrow as pa  # noqa: PLC0415 -- heavy, and only for these files
    import pyarrow.parquet as pq  # noqa: PLC0415

    from importer.sources.cell_text import as_text  # noqa: PLC0415
    from importer.sources.parquet.cells import original_text  # noqa: PLC0415
    from importer.sources.parquet.schema import column_of, column_paths  # noqa: PLC0415

    try:
        with pq.ParquetFile(path) as file:
            paths = list(column_paths(file.schema_arrow))
            batch = next(file.iter_batches(_MOST_ROWS), None)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path} is not a Parquet file, or it is damaged: {error}") from None
    columns = [] if batch is None else [column_of(batch, path) for path in paths]
    cells = [[original_text(cell, as_text) for cell in column] for column in columns]
    return Preview([".".join(path) for path in paths], list(zip(*cells, strict=True)), None)
