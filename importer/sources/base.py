"""What every reader of rows offers, and how columns are found by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from importer.common.text import nearest
from importer.errors import InputError
from importer.model import Row
from importer.settings import FIELDS


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


def find_columns(path: Path, header: Sequence[str], names: Mapping[str, str]) -> dict[str, int]:
    """Return the position of each field's column; fields without a column are left out.

    `names` maps fields to source columns where they differ. Case and surrounding space do not
    matter. Raises `InputError`, naming the columns found, if `conversation_id` or a column that
    was asked for is missing, if one of them is there twice, or if neither `rating` nor `comment`
    is there.
    """
    folded = [_fold(name) for name in header]
    occurrences = Counter(folded)
    found: dict[str, int] = {}
    for field in FIELDS:
        wanted = names.get(field, field)
        times = occurrences[_fold(wanted)]
        if times > 1:
            raise InputError(f"{path}: column {wanted!r} is there {times} times; {_list(header)}")
        if times == 1:
            found[field] = folded.index(_fold(wanted))
        elif field in names or field == "conversation_id":
            meant = nearest(_fold(wanted), folded)
            hint = header[folded.index(meant)].strip() if meant is not None else "NAME"
            raise InputError(
                f"{path}: there is no column {wanted!r}; {_list(header)}. "
                f"If another one holds it: --column '{field}={hint}'"
            )
    if len(found) == 1:
        raise InputError(
            f"{path}: there is no column 'rating' and no column 'comment'; {_list(header)}. "
            "If others hold them: --column rating=NAME --column comment=NAME"
        )
    return found


def _fold(name: str) -> str:
    return name.strip().casefold()


def _list(header: Sequence[str]) -> str:
    most = 30
    names = ", ".join(repr(name.strip()[:60]) for name in header[:most])
    more = f" and {len(header) - most} more" if len(header) > most else ""
    return f"the columns are {names}{more}"
