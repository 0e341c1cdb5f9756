"""What every reader of rows offers."""

from __future__ import annotations

import codecs
import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from importer.feedback.body import BodyCoder
from importer.feedback.newest import NewestBy
from importer.feedback.normalise import Normaliser
from importer.feedback.ratings import RatingTable
from importer.model import Feedback, Meaning, Outcome, Row
from importer.settings import InputFormat

#: Files below this, in bytes, are read row by row: they are done before pyarrow is loaded.
BY_COLUMN_FROM = 1024 * 1024

#: Rows that are read at a time, one by one: few enough to stay small, enough that the change of
#: threads costs nothing. In each reading it is the same number, or digests would differ.
BATCH_ROWS = 500

#: The length of a part's digest.
DIGEST_BYTES = 16
#: Three times as fast as the other ones, where the processor has instructions for it.
new_digest = hashlib.sha256


class Original(NamedTuple):
    """A row as it stands in the input: its number in the file and all its cells, as text."""

    number: int
    cells: Sequence[str]


class RowPart(NamedTuple):
    """Some rows that follow each other, one by one."""

    rows: Sequence[Row]

    def digest(self) -> bytes:
        """Return `DIGEST_BYTES` that are the same in each reading, for the same rows."""
        cells = [cell for row in self.rows for cell in _cells(row)]
        digest = new_digest("".join(cells).encode("utf-8", "surrogatepass"))
        # Without the lengths, a cell could take what another one loses.
        digest.update(array("Q", map(len, cells)).tobytes())
        return digest.digest()[:DIGEST_BYTES]


def recorded_name(source: RowSource) -> str:
    """Return what the journal calls an input: a local file by its whole path."""
    is_local = source.name == str(source.path)
    return str(source.path.absolute()) if is_local else source.name


def left_over_encoding(encoding: str) -> str:
    """Return in which encoding the left-over rows of an input without one are written.

    It holds any character, and is read as what it is beside CSV files in `encoding`: by its mark.
    """
    return "utf-8" if codecs.lookup(encoding).name == "utf-8" else "utf-8-sig"


def _cells(row: Row) -> tuple[str, ...]:
    return row.conversation_id, row.rating, row.comment, row.detail, row.newest, row.job


class Questions(NamedTuple):
    """What a survey asks about rows."""

    ratings: RatingTable
    #: Makes the numbers of bodies; None if they are not asked for.
    coder: BodyCoder | None = None
    #: Reads what tells the newest row; None if the last one wins.
    newest: NewestBy | None = None
    #: Returns the rank, as a number below 2**64, of a row with this cell `job`, None if the cell
    #: alone does not tell; None if all rows rank alike.
    rank_of: Callable[[str], int | None] | None = None


class PartSurvey(NamedTuple):
    """What can be told of many rows at once.

    `sure` rows can be sent as they are. What there is for each of them is packed, in their order;
    numbers take 8 bytes each, in the byte order of the machine.
    """

    sure: int
    #: The sure rows by what their rating means.
    meanings: Mapping[Meaning | None, int]
    #: How many of them have no comment.
    without_comment: int
    #: Comments over the limit, of all rows.
    long_comments: int
    #: The words in the rating column of the sure rows.
    words: Mapping[str, int]
    #: The ids of the sure rows, 16 bytes each.
    ids: bytes
    #: Their numbers.
    seqs: bytes
    #: Their bodies; None if they were not asked for.
    bodies: bytes | None
    #: What tells the newest: whole units, with sign, and fractions; None if it was not asked for.
    newest: tuple[bytes, bytes] | None
    #: Their ranks; None if they were not asked for.
    ranks: bytes | None
    #: Their cells `job`; none if ranks were not asked for.
    jobs: Mapping[str, int]
    #: The places (from 0) of all other rows: only the normaliser can tell what they become.
    others: Sequence[int]


class ColumnPart(Protocol):
    """Some rows that follow each other, by column."""

    first_seq: int

    def __len__(self) -> int: ...

    def row(self, place: int) -> Row:
        """Return the row at `place` (from 0), without its line unless it could not be read."""
        ...

    def line(self, place: int) -> int | None:
        """Return the physical line on which the row at `place` starts; see `Row.line`."""
        ...

    def digest(self) -> bytes:
        """Return `DIGEST_BYTES` that are the same in each reading, for the same bytes."""
        ...

    def survey(self, asked: Questions) -> PartSurvey:
        """Return what can be told without the normaliser."""
        ...

    def feedback(self, normalise: Normaliser) -> list[Feedback | Outcome]:
        """Return what `normalise` would make of each row."""
        ...


Part = RowPart | ColumnPart


class RowSource(Protocol):
    """One input. It can be read any number of times and gives the same rows each time."""

    #: What messages and the journal call it: a path, or an address without secrets.
    name: str
    #: The file that it is read from; that of an input which is no local file is a copy.
    path: Path
    format: InputFormat
    header: Sequence[str]
    #: The delimiter and the encoding in which left-over rows are written back.
    delimiter: str
    encoding: str

    @property
    def other_encoding(self) -> str | None:
        """In which encoding the whole file may be, once bytes were met that are not in this one.

        It is empty if none is likely, and None if there is none that is right for all lines.
        """
        ...

    @property
    def other_letters(self) -> str:
        """What the bytes beyond ASCII are in that encoding, by which a person sees if it is right.

        Empty if none is proposed.
        """
        ...

    @property
    def misread(self) -> int:
        """How many comments of the latest reading look like UTF-8, read in another encoding."""
        ...

    def batches(self, first_seq: int, size: int) -> Iterator[Sequence[Row]]:
        """Yield all rows in order, at most `size` at a time; the first one gets `first_seq`.

        Raises `InputError` if the file turns out to be damaged as a whole.
        """
        ...

    def parts(self, first_seq: int, size: int) -> Iterator[Part]:
        """Yield the same rows in the quickest way; a part may hold more than `size` of them."""
        ...

    def originals(self, numbers: Iterable[int]) -> Iterator[Original]:
        """Yield the rows with these numbers (from 1, ascending), with all their columns."""
        ...

    def progress(self) -> float:
        """Return the share (0 to 1) of the file that the latest `batches` or `parts` has read."""
        ...

    def remarks(self) -> Sequence[str]:
        """Return what a person should know of the file, after `batches` or `parts` has ended.

        What is odd in rows by column is among it if they were surveyed.
        """
        ...

    def close(self) -> None:
        """Give back what the source holds."""
        ...


class InOneEncoding:
    """For a `RowSource` whose text is in one encoding for sure: none other may be right."""

    other_encoding = None
    other_letters = ""
    misread = 0
