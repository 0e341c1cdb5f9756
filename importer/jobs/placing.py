"""Which rows of left-over files give way to others that the job which wrote them had brought.

A row has a place there: its number in that job. What came after it may have been sent by the job
itself, or by one that has imported its left-over files since (docs/reference.md, F3, A18).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import NamedTuple

from importer.jobs import sqlite_file
from importer.jobs.journal_file import NO_COMMENTS, attached, newest_by
from importer.jobs.keys import rank_of
from importer.jobs.overtaken import Awaited, candidates, doubtful, overtaken_candidates
from importer.jobs.records import WITHDRAWN, JobRecord, Line
from importer.model import Rank

_BROUGHT_AGAIN = """
    SELECT later.conversation, rank, place
    FROM ranked CROSS JOIN {table} AS later USING (seq) LEFT JOIN placed USING (seq)
    WHERE rank >> 32 = :number AND {condition}
    AND later.conversation IN (SELECT conversation FROM candidate)
"""
_IS_PLACED = "SELECT EXISTS (SELECT 1 FROM placed WHERE job = ?)"


class PlacedRow(NamedTuple):
    """A row of a left-over file, by its conversation's key."""

    key: bytes
    #: Its number in the job that wrote it.
    place: int
    #: The job itself had no row after it that was sent or is to be.
    is_known: bool = False


class Placing(NamedTuple):
    """What is asked of the jobs of a product."""

    #: By number, ascending.
    jobs: Sequence[JobRecord]
    #: Which rows of a job without an outcome are to be sent.
    awaited_of: Callable[[JobRecord], Awaited]
    #: Which row ranks highest of those that are settled, of each of the conversations.
    look_up: Callable[[Iterable[bytes]], Mapping[bytes, Line]]

    def is_placed(self, number: int) -> bool:
        """Return whether later jobs have rows of that job with their places there."""
        with closing(sqlite_file.in_memory()) as db:
            for job in self.jobs[number:]:
                if job.folder is not None:
                    with attached(db, job.folder):
                        if db.execute(_IS_PLACED, (number,)).fetchone()[0]:
                            return True
        return False

    def give_way(self, number: int, rows: Sequence[PlacedRow]) -> set[PlacedRow]:
        """Return those of the rows, which the job of that number has written, that give way.

        To rows that the job itself has brought, where a column tells which are newer, wherever they
        stand. Raises `JournalError`.
        """
        origin = self.jobs[number - 1]
        beaten: set[tuple[bytes, int]] = set()
        is_whole = False
        with closing(sqlite_file.in_memory()) as db:
            unknown = [(row.key, row.place) for row in rows if not row.is_known]
            if origin.folder is not None:
                with candidates(db, unknown), attached(db, origin.folder):
                    facts = dict(db.execute("SELECT name, value FROM job"))
                    is_whole = NO_COMMENTS not in facts  # with which pending rows are dropped
                    if unknown:
                        beaten = overtaken_candidates(
                            db, self.awaited_of(origin), everywhere=newest_by(facts) is not None
                        )
            with candidates(db, ((row.key, row.place) for row in rows)):
                others = self._brought_again(db, origin, is_whole=is_whole)

        def gives_way(row: PlacedRow) -> bool:
            return (row.key, row.place) in beaten or any(
                not (is_whole or row.is_known) if other is None else other > row.place
                for other in others[row.key]
            )

        return set(filter(gives_way, rows))

    def _brought_again(
        self, db: sqlite_file.Connection, origin: JobRecord, *, is_whole: bool
    ) -> Mapping[bytes, Sequence[int | None]]:
        """Return the places of rows of that job that later ones have brought; None: not known.

        Those that a later one has only taken over are told by its own journal, if that `is_whole`;
        a job that was taken back has brought none.
        """
        found: dict[tuple[bytes, Rank], int | None] = {}
        if origin.folder is None:
            keys = [key for (key,) in db.execute("SELECT DISTINCT conversation FROM candidate")]
            lines = self.look_up(keys).values()
            found = {
                (line.key, line.rank): None for line in lines if line.rank.first == origin.number
            }
        for job in self.jobs[origin.number :]:
            if job.folder is None:
                continue
            with attached(db, job.folder), doubtful(db):
                if db.execute("SELECT 1 FROM job WHERE name = ?", (WITHDRAWN,)).fetchone():
                    continue
                for table, condition in self.awaited_of(job).tables().items():
                    query = _BROUGHT_AGAIN.format(table=table, condition=condition)
                    for key, number, place in db.execute(query, {"number": origin.number}):
                        rank = rank_of(number)
                        if not is_whole or rank.version != origin.number:
                            known = found.get((key, rank))
                            found[key, rank] = known if place is None else place
        places = defaultdict(list)
        for (key, _), place in found.items():
            places[key].append(place)
        return places
