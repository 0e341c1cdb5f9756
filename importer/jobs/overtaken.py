"""Rows of a job that give way to another row of it with their conversation.

That is one after them which was sent or is to be; where a column tells which rows are newer, one
`everywhere`: the last row need not be the newest (docs/reference.md, F3). Rows of left-over files
that say so do as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import Enum, auto

from importer.jobs import sqlite_file
from importer.jobs.doubts import doubts_of
from importer.jobs.journal_lines import IS_SETTLED, KIND_IDS
from importer.jobs.records import JobRecord, JobState
from importer.model import OutcomeKind, Reason

#: More than there are rows in a job.
_MOST = 2**62
#: Where the rows that were sent stand. One that gave way to a row of a later job counts, too.
_SENT = {
    "outcome": f"({IS_SETTLED} OR reason IN ('{Reason.LATER_JOB}', '{Reason.SET_BY_JOB}'))",
    "doubtful": "TRUE",
}
#: In one scan of each table, as each row has its candidates found by key.
_OVERTAKEN = """
    SELECT earlier.conversation, earlier.seq
    FROM (
        SELECT conversation, seq FROM {table}
        WHERE {condition} AND seq NOT IN (SELECT seq FROM ranked)
      ) AS later
      CROSS JOIN candidate AS earlier ON earlier.conversation = later.conversation
      AND earlier.seq < later.seq + :everywhere AND earlier.seq <> later.seq
"""
_TOLD = "SELECT seq FROM outcome JOIN placed USING (seq) WHERE kind = ? AND job = 0"


class Awaited(Enum):
    """Which rows of a job without an outcome are to be sent, by it or by the one in its place."""

    ALL = auto()
    #: Those that it has taken over from earlier jobs.
    CARRIED = auto()
    NONE = auto()

    def tables(self) -> dict[str, str]:
        """Return where rows stand that were sent or are to be, with a condition in SQL."""
        return self.own_tables() | ({} if self is Awaited.NONE else {"carried": "TRUE"})

    def own_tables(self) -> dict[str, str]:
        """Return the same, of those that may hold rows which the job has brought itself."""
        # What is kept of rows is of those that were to be sent.
        return _SENT | ({"kept": "TRUE"} if self is Awaited.ALL else {})


def awaited_of(job: JobRecord) -> Awaited:
    """Return which rows of a job are to be sent (docs/reference.md, A4, A17)."""
    if job.state is JobState.GIVEN_UP:
        return Awaited.NONE
    if job.state is JobState.REPLACED and not job.sent_anything:
        return Awaited.CARRIED
    return Awaited.ALL


def overtaken(
    db: sqlite_file.Connection, kind: OutcomeKind, awaited: Awaited, *, everywhere: bool
) -> set[int]:
    """Return the rows of `kind` (seq) in the journal `db` that give way."""
    with candidates(db):
        db.execute(
            "INSERT INTO candidate SELECT conversation, seq FROM outcome "
            "WHERE kind = ? AND conversation IS NOT NULL",
            (KIND_IDS[kind],),
        )
        found = {seq for _, seq in overtaken_candidates(db, awaited, everywhere=everywhere)}
    told = db.execute(_TOLD, (KIND_IDS[kind],))
    return found.union(seq for (seq,) in told)


def overtaken_candidates(
    db: sqlite_file.Connection, awaited: Awaited, *, everywhere: bool
) -> set[tuple[bytes, int]]:
    """Return the candidates (key and seq) that give way to rows that the job in `db` has brought.

    Rows of other jobs, carried over or from their left-over files, compare by their ranks.
    """
    found: set[tuple[bytes, int]] = set()
    with doubtful(db):
        for table, condition in awaited.own_tables().items():
            query = _OVERTAKEN.format(table=table, condition=condition)
            found.update(db.execute(query, {"everywhere": _MOST if everywhere else 0}))
    return found


@contextmanager
def candidates(
    db: sqlite_file.Connection, rows: Iterable[tuple[bytes, int]] = ()
) -> Iterator[None]:
    """Have a table of such rows (key and seq) in the block."""
    db.execute(
        "CREATE TEMP TABLE candidate "
        "(conversation BLOB, seq INTEGER, PRIMARY KEY (conversation, seq)) WITHOUT ROWID"
    )
    try:
        db.executemany("INSERT OR IGNORE INTO candidate VALUES (?, ?)", rows)
        yield
    finally:
        db.execute("DROP TABLE temp.candidate")


@contextmanager
def doubtful(db: sqlite_file.Connection) -> Iterator[None]:
    """Have a table of the rows that are in doubt in the block: they may have been sent."""
    db.execute("CREATE TEMP TABLE doubtful (seq INTEGER PRIMARY KEY, conversation BLOB)")
    try:
        rows = [(doubt.seq, doubt.key) for doubt in doubts_of(db) if doubt.in_doubt]
        db.executemany("INSERT OR IGNORE INTO temp.doubtful VALUES (?, ?)", rows)
        yield
    finally:
        db.execute("DROP TABLE temp.doubtful")
