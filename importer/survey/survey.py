"""What a survey has found, and the ranks of the rows in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from importer.common.row_set import RowSet
from importer.jobs.keys import rank_number
from importer.jobs.keys import rank_of as rank_of_number
from importer.jobs.records import InputFile, Placed, RankedRow
from importer.model import Rank
from importer.survey.findings import Findings
from importer.survey.superseded import NEW, Contest, Winner

#: The version of rows of a left-over file: the job that is surveyed, which has no number yet. To it
#: is added the place of the row in the job that wrote the file, so rows of that compare by it.
_THIS_JOB = 2**31


@dataclass(slots=True)
class Survey:
    """What a survey has found. It is to be closed; then its winners cannot be had any more."""

    inputs: list[InputFile]
    findings: Findings
    #: The numbers of the valid rows in whose place another row of the job is sent.
    superseded: RowSet
    #: The rows of the inputs.
    rows: int
    #: The rows that were carried over; they have the numbers below those of the inputs.
    carried: int
    #: Whether a row may rank below those that are new in the job.
    is_ranked: bool
    #: Whether the bodies of the winners are known.
    has_bodies: bool
    contest: Contest
    #: Where the rows of left-over files stood, also of those that are not valid.
    placed: Iterable[Placed]

    @property
    def last_seq(self) -> int:
        """The highest number of a row."""
        return self.carried + self.rows

    def winners(self) -> Iterator[tuple[int, Iterable[Winner]]]:
        """Yield the parts (0 to 255), each with its winners by key; empty ones may be left out."""
        return self.contest.winners()

    def ranked(self, number: int) -> Iterator[RankedRow]:
        """Yield the winners of left-over files with their ranks, in the job of this number."""
        if self.is_ranked:
            for _, winners in self.winners():
                for winner in winners:
                    if winner.rank != NEW and winner.seq > self.carried:
                        yield RankedRow(winner.seq, rank_of(winner.rank, number))

    def close(self) -> None:
        """Give back the disk space."""
        self.contest.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def left_over_rank(origin: int | None, place: int = 0) -> int:
    """Return the rank, as a number, of a row of a left-over file that job `origin` has written.

    `place` is its number there, 0 if that does not matter. A job that is not known ranks below all
    others (docs/reference.md, A18).
    """
    return rank_number(Rank(origin or 0, _THIS_JOB + min(place, _THIS_JOB - 1)))


def place_of(packed: int) -> tuple[int, int]:
    """Return from which job, and which place there, a row with such a rank comes; 0: not known."""
    first, version = rank_of_number(packed)
    return first, max(0, version - _THIS_JOB)


def rank_of(packed: int, number: int) -> Rank:
    """Return the rank of a winner in the job of this number."""
    if packed == NEW:
        return Rank(number, number)
    first, version = rank_of_number(packed)
    return Rank(first, number if version >= _THIS_JOB else version)
