"""Rows of left-over files whose conversation the job that wrote them could not read.

Whether another row of their conversation comes after them was not known when they were written, so
it is looked up once they are fixed (docs/reference.md, F3, A18).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Protocol

from importer.jobs.folders import NamedRow
from importer.survey.superseded import NEW, Candidate
from importer.survey.survey import left_over_rank

#: Rows that are looked up at once: each time, the journal of a job is read through.
_MANY = 50_000


class Origins(Protocol):
    """What is asked of the jobs that may have written left-over files. It raises `JournalError`."""

    def number_of(self, name: str) -> int | None:
        """Return the number of the job with this name; None if it is not known."""
        ...

    def give_way(self, name: str, rows: Sequence[tuple[bytes, int]]) -> set[tuple[bytes, int]]:
        """Return those of the job's rows (key and seq there) that give way to others of it."""
        ...


class Unplaced:
    """Collects such rows, and gives them back as candidates with a rank."""

    def __init__(self, origins: Origins) -> None:
        self._origins = origins
        self._rows: defaultdict[str, list[tuple[int, Candidate]]] = defaultdict(list)
        self._waiting = 0

    def rank_of(self, job: str) -> int | None:
        """Return the rank of a row with this cell `job`, None if it has to be looked up."""
        named = NamedRow.parse(job)
        if named is None:
            return NEW
        return left_over_rank(self._origins.number_of(named.job)) if named.seq is None else None

    def add(self, job: str, row: Candidate) -> Iterator[Candidate]:
        """Take a row of which `rank_of` its cell `job` is None; yield those that are ranked now."""
        named = NamedRow.parse(job)
        assert named is not None and named.seq is not None  # noqa: PT018, S101 -- see `rank_of`
        self._rows[named.job].append((named.seq, row))
        self._waiting += 1
        if self._waiting >= _MANY:
            yield from self.ranked()

    def ranked(self) -> Iterator[Candidate]:
        """Yield the rows that were not yet."""
        for name, rows in self._rows.items():
            number = self._origins.number_of(name)
            beaten = self._origins.give_way(name, [(row.key, seq) for seq, row in rows])
            for seq, row in rows:
                origin = None if (row.key, seq) in beaten else number
                yield row._replace(rank=left_over_rank(origin))
        self._rows.clear()
        self._waiting = 0
