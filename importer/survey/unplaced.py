"""Rows of left-over files by their places in the job that wrote them (docs/reference.md, F3, A18).

Which rows of their conversation came after them is looked up where that job did not know it: it
could not read the conversation, or was not finished. So it is where other rows of its files were
imported before.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Protocol

from importer.jobs.folders import OVERTAKEN_JOB, NamedRow
from importer.jobs.placing import PlacedRow
from importer.jobs.records import Placed
from importer.sources.base import PartSurvey
from importer.survey.superseded import NEW, Candidate
from importer.survey.survey import left_over_rank, place_of

#: Rows that are looked up at once: each time, the journal of a job is read through.
_MANY = 50_000
#: No job has a row of a higher number.
_LAST = 2**31 - 1


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
    """Collects such rows, and gives them back as candidates with a rank.

    `by_newest`: a column tells which rows are newer, so of those that are imported together their
    places do not decide.
    """

    def __init__(self, origins: Origins, *, by_newest: bool) -> None:
        self._origins = origins
        self._by_newest = by_newest
        #: The number of each job, and whether each of its rows has to be looked up.
        self._jobs: dict[str, tuple[int | None, bool]] = {}
        self._rows: defaultdict[str, list[tuple[PlacedRow, Candidate]]] = defaultdict(list)
        self._waiting = 0
        #: Of each job (number) the rows that say where they stood there: seq and place in turn.
        self._placed: defaultdict[int, array[int]] = defaultdict(partial(array, "I"))

    def rank_of(self, job: str, *, other: int = NEW) -> int | None:
        """Return the rank of a row with this cell `job`, None if it has to be looked up.

        It is `other` where the cell names no job.
        """
        named = NamedRow.parse(job)
        if named is None:
            return other
        number, is_placed = self._job(named.job)
        if named.seq is None:
            return left_over_rank(number)
        if self._by_newest or is_placed or not named.is_known:
            return None
        return left_over_rank(number, named.seq)

    def knows(self, name: str) -> bool:
        """Return whether the job with this name is of the product, or stands for one."""
        return name == OVERTAKEN_JOB or self._job(name)[0] is not None

    def note(self, job: str, seq: int, *, is_valid: bool) -> None:
        """Note where the row `seq` stood, whatever becomes of it, if its cell `job` says so.

        Of one that is not valid also that it gives way: it does so however it is fixed.
        """
        named = NamedRow.parse(job)
        if named == NamedRow(OVERTAKEN_JOB) and not is_valid:
            self._placed[0].extend((seq, 0))
        elif named is not None and named.seq is not None:
            self._note(seq, self._job(named.job)[0], named.seq)

    def note_part(self, part: PartSurvey) -> None:
        """Note where the sure rows of a part stood."""
        assert part.ranks is not None  # noqa: S101 -- they are asked for where jobs may be named
        for seq, rank in zip(array("Q", part.seqs), array("Q", part.ranks), strict=True):
            if rank != NEW:
                self._note(seq, *place_of(rank))

    def placed(self) -> Iterator[Placed]:
        """Yield the rows that say where they stood."""
        for job, rows in self._placed.items():
            for seq, place in zip(rows[::2], rows[1::2], strict=True):
                yield Placed(seq, job, place)

    def _note(self, seq: int, job: int | None, place: int) -> None:
        if job and 0 < place <= _LAST:
            self._placed[job].extend((seq, place))

    def add(self, job: str, row: Candidate) -> Iterator[Candidate]:
        """Take a row of which `rank_of` its cell `job` is None; yield those that are ranked now."""
        named = NamedRow.parse(job)
        assert named is not None and named.seq is not None  # noqa: PT018, S101 -- see `rank_of`
        self._rows[named.job].append((PlacedRow(row.key, named.seq, named.is_known), row))
        self._waiting += 1
        if self._waiting >= _MANY:
            yield from self.ranked()

    def ranked(self) -> Iterator[Candidate]:
        """Yield the rows that were not yet."""
        for name, rows in self._rows.items():
            number, _ = self._job(name)
            beaten = self._origins.give_way(name, [placed for placed, _ in rows])
            for placed, row in rows:
                origin = None if placed in beaten else number
                place = 0 if self._by_newest else placed.place
                yield row._replace(rank=left_over_rank(origin, place))
        self._rows.clear()
        self._waiting = 0

    def _job(self, name: str) -> tuple[int | None, bool]:
        if name not in self._jobs:
            self._jobs[name] = self._origins.number_of(name), self._origins.is_placed(name)
        return self._jobs[name]
