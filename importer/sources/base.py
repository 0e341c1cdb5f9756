"""What every reader of rows offers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from importer.model import Row


class Original(NamedTuple):
    """A row as it stands in the input: its number in the file and all its cells, as text.

    `surplus` holds the cells beyond the last column of a malformed CSV row.
    """

    number: int
    cells: Sequence[str]
    surplus: Sequence[str] = ()


class RowSource(Protocol):
    """One input file. It can be read any number of times and gives the same rows each time."""

    path: Path
    header: Sequence[str]
    #: The delimiter and the encoding in which left-over rows are written back.
    delimiter: str
    encoding: str

    def batches(self, first_seq: int, size: int) -> Iterator[Sequence[Row]]:
        """Yield all rows in order, at most `size` at a time; the first one gets `first_seq`.

        Raises `InputError` if the file turns out to be damaged as a whole.
        """
        ...

    def originals(self, numbers: Iterable[int]) -> Iterator[Original]:
        """Yield the rows with these numbers (from 1, ascending), with all their columns."""
        ...

    def progress(self) -> float:
        """Return the share (0 to 1) of the file that the latest `batches` has read."""
        ...

    def close(self) -> None:
        """Give back what the source holds."""
        ...
