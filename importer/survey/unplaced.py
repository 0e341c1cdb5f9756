"""Rows of left-over files whose place among the rows of their job decides.

The job that wrote them did not know what came after them: it could not read their conversation, or
was not finished. So it is looked up once they are fixed (docs/reference.md, F3, A18).
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Protocol

from importer.jobs.folders import NamedRow
from importer.jobs.placing import PlacedRow
from importer.survey.superseded import NEW, Candidate
from importer.survey.survey import left_over_rank

#: Rows that are looked up at once: each time, the journal of a job is read through.
_MANY = 50_000


class Origins(Protocol):
    """What is asked of the jobs that may have written left-over files. It raises `JournalError`."""

    def number_of(self, name: str) -> int | None:
        """Return the number of the job with this name; None if it is not known."""
        ...

    def is_placed(self, name: str) -> bool:
        """Return whether rows of that job's files are to be compared with others of them."""
        ...

    def give_way(self, name: str, rows: Sequence[PlacedRow]) -> set[PlacedRow]:
        """Return those of the job's rows that give way to others of it."""
        ...


class Unplaced:
    """Collects such rows, and gives them back as candidates with a rank."""

    def __init__(self, origins: Origins) -> None:
        self._origins = origins
        #: The rank of the rows of each job; None if each has to be looked up.
        self._ranks: dict[str, int | None] = {}
        self._rows: defaultdict[str, list[tuple[int | None, Candidate]]] = defaultdict(list)
        self._waiting = 0
        self._seqs, self._places = array("q"), array("q")

    def rank_of(self, job: str) -> int | None:
        """Return the rank of a row with this cell `job`, None if it has to be looked up."""
        named = NamedRow.parse(job)
        if named is None:
            return NEW
        if named.seq is not None:
            return None
        if named.job not in self._ranks:
            rank = left_over_rank(self._origins.number_of(named.job))
            self._ranks[named.job] = None if self._origins.is_placed(named.job) else rank
        return self._ranks[named.job]

    def add(self, job: str, row: Candidate) -> Iterator[Candidate]:
        """Take a row of which `rank_of` its cell `job` is None; yield those that are ranked now."""
        named = NamedRow.parse(job)
        assert named is not None  # noqa: S101 -- see `rank_of`
        self._rows[named.job].append((named.seq, row))
        self._waiting += 1
        if self._waiting >= _MANY:
            yield from self.ranked()

    def ranked(self) -> Iterator[Candidate]:
        """Yield the rows that were not yet."""
        for name, rows in self._rows.items():
            number = self._origins.number_of(name)
            beaten = self._origins.give_way(name, [PlacedRow(row.key, seq) for seq, row in rows])
            for place, row in rows:
                origin = None if PlacedRow(row.key, place) in beaten else number
                if place is not None:
                    self._seqs.append(row.seq)
                    self._places.append(place)
                yield row._replace(rank=left_over_rank(origin))
        self._rows.clear()
        self._waiting = 0

    def placed(self) -> Iterator[tuple[int, int]]:
        """Yield the rows that say where they stood in their job (seq), with that."""
        yield from zip(self._seqs, self._places, strict=True)
