"""Rows from CSV files of any common dialect, compressed or not, in bounded memory."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import cast

from importer.errors import InputError
from importer.model import Row
from importer.sources.base import BY_COLUMN_FROM, Original, Part, RowPart
from importer.sources.columns import find_columns, folded_name
from importer.sources.csv_records import KEEP_BYTES, Record, RecordReader
from importer.sources.csv_rows import RowMaker
from importer.sources.location import DAMAGED, check_is_text, open_binary

_DELIMITERS = ",;\t|"
_SAMPLE = 64 * 1024


class CsvSource:
    """One CSV file; a `RowSource`."""

    def __init__(
        self,
        path: Path,
        columns: Mapping[str, str],
        *,
        delimiter: str | None = None,
        encoding: str = "utf-8",
    ) -> None:
        self.path = path
        # "-sig" reads files with and without a byte order mark.
        plain = encoding.lower().replace("_", "-") in ("utf-8", "utf8")
        self.encoding = "utf-8-sig" if plain else encoding
        self._size = max(1, path.stat().st_size)
        self._read = 0
        self.delimiter = delimiter or _detect_delimiter(self._sample(), columns)
        with contextlib.closing(self._records(None)) as records:
            first = next(records, None)
            if first is None:
                raise InputError(f"{path} has no header: it holds nothing but blank lines")
            if first.problem is not None:
                raise InputError(f"{path}, line {first.line}: the header: {first.problem}")
            self.header: Sequence[str] = [name.removeprefix("\ufeff") for name in first.fields]
            places = find_columns(path, self.header, columns)
            self._make = RowMaker(self.header, places, self.encoding)
            if next(records, None) is None:
                raise InputError(f"{path} has a header but no rows")

    def batches(self, first_seq: int, size: int) -> Iterator[Sequence[Row]]:
        """Yield all rows; see `RowSource`."""
        with contextlib.closing(self._data()) as records:
            rows = self._make.rows(records, first_seq)
            while batch := list(islice(rows, size)):
                yield batch

    def parts(self, first_seq: int, size: int) -> Iterator[Part]:
        """Yield all rows, by column where that is sure to be exact; see `RowSource`."""
        if self._size < BY_COLUMN_FROM:
            yield from map(RowPart, self.batches(first_seq, size))
            return
        from importer.sources import blocks, csv_parts  # noqa: PLC0415 -- loads numpy and pyarrow

        if not csv_parts.is_parsed_alike(self.delimiter):
            yield from map(RowPart, self.batches(first_seq, size))
            return
        stream, raw = open_binary(self.path)
        with raw, stream, self._explained():
            found = blocks.Blocks(
                cast("blocks.ByteStream", stream),
                self.encoding,
                csv_parts.BLOCK,
                compressed=stream is not raw,
            )
            reader = csv_parts.TwoTierReader(found, self._make, self.delimiter, csv_parts.BLOCK)
            for part in reader.parts(first_seq):
                self._read = raw.tell()
                yield part
        self._read = self._size

    def originals(self, numbers: Iterable[int]) -> Iterator[Original]:
        """Yield the rows with these numbers; see `RowSource`."""
        wanted = iter(numbers)
        next_wanted = next(wanted, None)
        with contextlib.closing(self._data()) as records:
            for number, record in enumerate(records, start=1):
                if next_wanted is None:
                    return
                if number == next_wanted:
                    yield Original(number, record.fields)
                    next_wanted = next(wanted, None)

    def progress(self) -> float:
        """Return the share of the file's bytes that was read; see `RowSource`."""
        return min(1.0, self._read / self._size)

    def close(self) -> None:
        """Nothing stays open between two readings."""

    def _data(self) -> Generator[Record, None, None]:
        records = self._records(len(self.header))
        next(records)
        return records

    def _records(self, width: int | None) -> Generator[Record, None, None]:
        """Yield the header and then the rows, which must have `width` fields if it is given."""
        stream, raw = open_binary(self.path)
        with (
            raw,
            stream,
            io.TextIOWrapper(stream, self.encoding, errors=KEEP_BYTES, newline="") as text,
            self._explained(),
        ):
            reader = RecordReader(text, self.delimiter)
            for number, record in enumerate(reader):
                reader.width = width
                if number % 256 == 0:
                    self._read = raw.tell()
                yield record
            self._read = self._size

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what a stream raises into `InputError`."""
        try:
            yield
        except DAMAGED as error:
            raise InputError(f"{self.path} is damaged or cut off: {error}") from None
        except UnicodeError as error:
            raise InputError(f"{self.path} is not {self.encoding}: {error}") from None
        except OSError as error:
            raise InputError(f"{self.path} cannot be read: {error.strerror or error}") from None

    def _sample(self) -> str:
        stream, raw = open_binary(self.path)
        with raw, stream:
            try:
                start = stream.read(_SAMPLE)
            except DAMAGED as error:
                raise InputError(
                    f"{self.path} is damaged or cut off, or not what its name says: {error}"
                ) from None
            except OSError as error:
                raise InputError(f"{self.path} cannot be read: {error.strerror or error}") from None
        check_is_text(self.path, start, self.encoding)
        return start.decode(self.encoding, KEEP_BYTES)


def _detect_delimiter(sample: str, columns: Mapping[str, str]) -> str:
    """Return the delimiter with which the header shows the id's column, or else most columns."""
    wanted = folded_name(columns.get("conversation_id", "conversation_id"))
    best = (False, 0, 0)
    chosen = _DELIMITERS[0]
    lines = io.StringIO(sample.lstrip("\ufeff\r\n"), newline="")
    for rank, delimiter in enumerate(_DELIMITERS):
        lines.seek(0)
        try:
            header = next(csv.reader(lines, delimiter=delimiter), [])
        except csv.Error:
            continue
        hit = any(folded_name(name) == wanted for name in header)
        if (score := (hit, len(header), -rank)) > best:
            best, chosen = score, delimiter
    return chosen
