"""The rows that a job has taken over from earlier jobs, as a source like any other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from importer.model import Row
from importer.settings import FIELDS, InputFormat
from importer.sources.base import InOneEncoding, Original, Part, RowPart
from importer.sources.own_columns import OWN_COLUMNS


class CarriedRows(InOneEncoding):
    """A `RowSource` of rows that are numbered from 1; `read` returns them anew each time.

    `path` stands for the name of a file.
    """

    #: As a left-over file has them, so that a row keeps the job that first brought it.
    header: Sequence[str] = (*FIELDS, *OWN_COLUMNS[1:])
    delimiter = ","
    encoding = "utf-8"
    format = InputFormat.CSV

    def __init__(self, path: Path, read: Callable[[], Iterable[Row]]) -> None:
        self.path = path
        self.name = str(path)
        self._read = read

    def batches(self, first_seq: int, size: int) -> Iterator[Sequence[Row]]:
        """Yield all rows in order, at most `size` at a time."""
        rest = iter(self._read())
        while rows := list(islice(rest, size)):
            yield [row._replace(seq=row.seq + first_seq - 1) for row in rows]

    def parts(self, first_seq: int, size: int) -> Iterator[Part]:
        """Yield the same rows as parts."""
        return map(RowPart, self.batches(first_seq, size))

    def originals(self, numbers: Iterable[int]) -> Iterator[Original]:
        """Yield the rows with these numbers (from 1, ascending)."""
        wanted = iter(numbers)
        number = next(wanted, None)
        for row in self._read():
            if row.seq == number:
                # Its number in the input of the job that brought it is not known any more.
                cells = (row.conversation_id, row.rating, row.comment, row.job, "")
                yield Original(row.seq, cells)
                number = next(wanted, None)

    def progress(self) -> float:
        """Return the share that has been read: they are few, so all or nothing."""
        return 1.0

    def remarks(self) -> Sequence[str]:
        """Return nothing: these rows were remarked on when they were read first."""
        return ()

    def close(self) -> None:
        """Nothing is held."""
