"""Rows from records that a reader yields one by one, whatever they are kept in."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from importer.model import Row
from importer.settings import ImportSettings, InputFormat
from importer.sources.base import Original, Part, RowPart, left_over_encoding
from importer.sources.columns import find_columns
from importer.sources.csv_records import Record
from importer.sources.csv_rows import RowMaker
from importer.sources.noticed import Noticed


class RecordSource(ABC):
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
        """Yield all rows; see `RowSource`."""
        return map(RowPart, self.batches(first_seq, size))

    def originals(self, numbers: Iterable[int]) -> Iterator[Original]:
        """Yield the rows with these numbers; see `RowSource`."""
        wanted = iter(numbers)
        next_wanted = next(wanted, None)
        with contextlib.closing(self.records()) as records:
            for number, record in enumerate(records, start=1):
                if next_wanted is None:
                    return
                if number == next_wanted:
                    yield Original(number, record.fields)
                    next_wanted = next(wanted, None)

    def remarks(self) -> Sequence[str]:
        """Return what the latest reading noticed; see `RowSource`."""
        return self._make.noticed.remarks(self._rows)

    def close(self) -> None:  # noqa: B027 -- most have nothing to close
        """Nothing stays open between two readings."""
