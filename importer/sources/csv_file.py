"""Rows from CSV files of any common dialect, compressed or not, in bounded memory."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from importer.errors import InputError
from importer.model import Reason, Row
from importer.sources.base import Original
from importer.sources.columns import find_columns, folded_name
from importer.sources.csv_records import KEEP_BYTES, Record, RecordReader, kept_byte
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
            self._columns = find_columns(path, self.header, columns)
            if next(records, None) is None:
                raise InputError(f"{path} has a header but no rows")

    def batches(self, first_seq: int, size: int) -> Iterator[Sequence[Row]]:
        """Yield all rows; see `RowSource`."""
        place = self._columns
        id_at = place["conversation_id"]
        rating_at, comment_at = place.get("rating"), place.get("comment")
        seq = first_seq
        batch: list[Row] = []
        for line, fields, problem in self._data():
            if problem is not None:
                batch.append(_bad(seq, line, Reason.MALFORMED, problem))
            elif (byte := kept_byte("".join(fields))) is not None:
                batch.append(_bad(seq, line, Reason.BAD_BYTES, self._undecodable(fields, byte)))
            else:
                batch.append(
                    Row(
                        seq,
                        fields[id_at],
                        "" if rating_at is None else fields[rating_at],
                        "" if comment_at is None else fields[comment_at],
                        line,
                    )
                )
            seq += 1
            if len(batch) >= size:
                yield batch
                batch = []
        if batch:
            yield batch

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
        ):
            reader = RecordReader(text, self.delimiter)
            try:
                for number, record in enumerate(reader):
                    reader.width = width
                    if number % 256 == 0:
                        self._read = raw.tell()
                    yield record
            except DAMAGED as error:
                raise InputError(f"{self.path} is damaged or cut off: {error}") from None
            except UnicodeError as error:
                raise InputError(f"{self.path} is not {self.encoding}: {error}") from None
            except OSError as error:
                raise InputError(f"{self.path} cannot be read: {error.strerror or error}") from None
            self._read = self._size

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

    def _undecodable(self, fields: list[str], byte: int) -> str:
        column = next(
            (n for n, v in zip(self.header, fields, strict=True) if kept_byte(v) is not None), "?"
        )
        encoding = self.encoding.removesuffix("-sig")
        return (
            f"byte 0x{byte:02X} in column {column.strip()!r} is not valid {encoding}; "
            "if the whole file is in another encoding, give --encoding, such as cp1252"
        )


def _bad(seq: int, line: int, reason: Reason, detail: str) -> Row:
    return Row(seq, "", "", "", line, reason, detail)


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
