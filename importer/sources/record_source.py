"""Rows from records that a reader yields one by one, whatever they are kept in."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from importer.model import Row
from importer.settings import ImportSettings, InputFormat
from importer.sources.base import (
    BY_COLUMN_FROM,
    InOneEncoding,
    Original,
    Part,
    RowPart,
    left_over_encoding,
)
from importer.sources.columns import CELLS, find_columns
from importer.sources.noticed import Noticed
from importer.sources.row_maker import Record, RowMaker, originals_among

#: Rows that are turned into columns together, and characters after which there are enough of them:
#: a row may hold long texts that nobody asks for.
_BLOCK_ROWS, _BLOCK_TEXT = 2000, 1 << 21


class RecordSource(InOneEncoding, ABC):
    """A `RowSource` whose subclass only yields its records, and says how far it has come."""

    format: InputFormat

    def __init__(
        self, path: Path, name: str, header: Sequence[str], settings: ImportSettings
    ) -> None:
        self.path = path
        self.name = name
        self.header = header
        self.delimiter = settings.reading.delimiter or ","
        self.encoding = left_over_encoding(settings.reading.encoding)
        mapping = settings.mapping
        places = find_columns(name, header, mapping.columns, mapping.newest_by)
        self._make = RowMaker(header, places, "utf-8", mapping.nulls)
        self._no_fields = [""] * len(header)
        self._rows = 0

    @abstractmethod
    def records(self) -> Generator[Record, None, None]:
        """Yield all records, with a text for each column; without lines, theirs is None.

        Raises `InputError` if the input turns out to be damaged as a whole.
        """

    @abstractmethod
    def progress(self) -> float:
        """Return the share that was read; see `RowSource`."""

    def batches(self, first_seq: int, size: int) -> Iterator[Sequence[Row]]:
        """Yield all rows; see `RowSource`."""
        self._rows, self._make.noticed = 0, Noticed()
        with contextlib.closing(self.records()) as records:
            rows = self._make.rows(records, first_seq)
            while batch := list(islice(rows, size)):
                self._rows += len(batch)
                yield batch

    def parts(self, first_seq: int, size: int) -> Iterator[Part]:
        """Yield all rows, of a large file by column; see `RowSource`."""
        if self.path.stat().st_size < BY_COLUMN_FROM:
            yield from map(RowPart, self.batches(first_seq, size))
            return
        self._rows, self._make.noticed = 0, Noticed()
        with contextlib.closing(self.records()) as records:
            while some := _block(records):
                seq = first_seq + self._rows
                self._rows += len(some)
                yield self._part(some, seq)

    def _part(self, records: Sequence[Record], seq: int) -> Part:
        from importer.sources.by_column.noticing import emptied  # noqa: PLC0415 -- loads numpy
        from importer.sources.by_column.part import ColumnBlock  # noqa: PLC0415 -- as above
        from importer.sources.by_column.text_columns import (  # noqa: PLC0415 -- as above
            empty_cells,
            strings,
        )

        make = self._make
        odd = {
            place: next(make.rows([record], seq + place))
            for place, record in enumerate(records)
            if record.problem is not None
        }
        fields = [
            record.fields if record.problem is None else self._no_fields for record in records
        ]
        try:
            columns = [
                strings([cells[make.places[field]] for cells in fields])
                if field in make.places
                else empty_cells(len(records))
                for field in CELLS
            ]
        except UnicodeEncodeError:  # the row maker tells which row is no text
            return RowPart(list(make.rows(records, seq)))
        columns[1:3] = [emptied(column, make.nulls) for column in columns[1:3]]
        return ColumnBlock(
            seq, columns, make.noticed, line_of=lambda place: records[place].line, odd=odd
        )

    def originals(self, numbers: Iterable[int]) -> Iterator[Original]:
        """Yield the rows with these numbers; see `RowSource`."""
        with contextlib.closing(self.records()) as records:
            yield from originals_among(records, numbers)

    def remarks(self) -> Sequence[str]:
        """Return what the latest reading noticed; see `RowSource`."""
        return self._make.noticed.remarks(self._rows, self._make.nulls)

    def close(self) -> None:
        """Nothing stays open between two readings."""


def _block(records: Iterable[Record]) -> list[Record]:
    """Take the next records; in each reading they are the same."""
    some: list[Record] = []
    text = 0
    for record in records:
        some.append(record)
        text += sum(map(len, record.fields))
        if len(some) >= _BLOCK_ROWS or text >= _BLOCK_TEXT:
            break
    return some
