"""Which rows of left-over files give way to others that the job which wrote them had brought.

A row has a place there: its number in that job. What came after it may have been sent by the job
itself, or by one that has imported its left-over files since (docs/reference.md, F3, A18).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import NamedTuple

from importer.jobs import sqlite_file
from importer.jobs.journal_file import attached
from importer.jobs.journal_lines import ids_of
from importer.jobs.keys import rank_of
from importer.jobs.overtaken import (
    NOT_RANKED,
    Awaited,
    candidates,
    doubtful,
    overtaken_candidates,
)
from importer.jobs.records import JobRecord, Line
from importer.model import OutcomeKind, Rank

_IN_FILES = ids_of([OutcomeKind.REJECTED, OutcomeKind.FAILED, OutcomeKind.NOT_COMPLETED])
_LAST = f"""
    SELECT conversation, max(seq) FROM outcome
    WHERE kind IN ({_IN_FILES}) AND conversation IN (SELECT conversation FROM candidate)
    GROUP BY conversation
"""
_BROUGHT_AGAIN = """
    SELECT later.conversation, rank, place
    FROM ranked CROSS JOIN {table} AS later USING (seq) LEFT JOIN placed USING (seq)
    WHERE rank >> 32 = :number AND {condition}
    AND later.conversation IN (SELECT conversation FROM candidate)
"""
_IS_PLACED = """
    SELECT EXISTS (SELECT 1 FROM placed JOIN ranked USING (seq) WHERE rank >> 32 = ?)
"""


class PlacedRow(NamedTuple):
    """A row of a left-over file, by its conversation's key."""

    key: bytes
    #: Its number in the job that wrote it; None: that of the last such row of its conversation.
    place: int | None


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

    def give_way(
        self, number: int, rows: Sequence[PlacedRow], *, by_newest: bool
    ) -> set[PlacedRow]:
        """Return those of the rows, which the job of that number has written, that give way.

        Where a column tells which rows are newer, that is to any other row; `by_newest` says so
        where the journal of the job is gone. Raises `JournalError`.
        """
        origin = self.jobs[number - 1]
        with closing(sqlite_file.in_memory()) as db:
            with candidates(db, ((row.key, row.place or 0) for row in rows)):
                last: dict[bytes, int] = {}
                if origin.folder is not None:
                    with attached(db, origin.folder):
                        last = dict(db.execute(_LAST))
                        by_newest = _is_by_newest(db)
                others = self._brought_again(db, origin, last)
            places = {row: last.get(row.key, 0) if row.place is None else row.place for row in rows}
            beaten = set()
            if origin.folder is not None:
                own = ((row.key, place) for row, place in places.items())
                with candidates(db, own), attached(db, origin.folder):
                    beaten = overtaken_candidates(
                        db, NOT_RANKED, self.awaited_of(origin), everywhere=by_newest
                    )

        def gives_way(row: PlacedRow) -> bool:
            place = places[row]
            return (row.key, place) in beaten or any(
                other is None or (other != place if by_newest else other > place)
                for other in others[row.key]
            )

        return set(filter(gives_way, rows))

    def _brought_again(
        self, db: sqlite_file.Connection, origin: JobRecord, last: Mapping[bytes, int]
    ) -> Mapping[bytes, Sequence[int | None]]:
        """Return the places of rows of that job that later ones have brought; None: not known.

        `last` are the places of the last rows that are in its files, for those that do not say it.
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
                for table, condition in self.awaited_of(job).tables().items():
                    query = _BROUGHT_AGAIN.format(table=table, condition=condition)
                    for key, number, place in db.execute(query, {"number": origin.number}):
                        rank = rank_of(number)
                        if rank.version != origin.number:  # its own row, only taken over
                            known = found.get((key, rank))
                            found[key, rank] = known if place is None else place
        places = defaultdict(list)
        for (key, _), place in found.items():
            places[key].append(last.get(key) if place is None else place)
        return places


def _is_by_newest(db: sqlite_file.Connection) -> bool:
    """Return whether a column told the job which rows are newer."""
    (settings,) = db.execute("SELECT value FROM job WHERE name = 'settings'").fetchone() or ("{}",)
    return json.loads(settings).get("newest_by") is not None
