"""Rows of a job that give way to another row of it with their conversation.

That is one after them which was sent or is to be; where a column tells which rows are newer, one
`everywhere`: the last row need not be the newest (docs/reference.md, F3).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from importer.jobs import sqlite_file
from importer.jobs.journal_lines import IS_SETTLED, KIND_IDS
from importer.model import OutcomeKind, Reason

#: More than there are rows in a job.
_MOST = 2**62
#: A row that gave way to one of a later job counts, too. What is kept of rows is of those that were
#: to be sent.
_LATER = {
    "outcome": f"{IS_SETTLED} OR reason IN ('{Reason.LATER_JOB}', '{Reason.SET_BY_JOB}')",
    "kept": "TRUE",
    "carried": "TRUE",
}
_OVERTAKEN = " UNION ".join(
    f"""
    SELECT earlier.conversation, earlier.seq
    FROM {table} AS later CROSS JOIN temp.candidate AS earlier
      ON earlier.conversation = later.conversation
      AND earlier.seq < later.seq + :everywhere AND earlier.seq <> later.seq
    WHERE {condition}
    """
    for table, condition in _LATER.items()
)


def overtaken(db: sqlite_file.Connection, kind: OutcomeKind, *, everywhere: bool) -> set[int]:
    """Return the rows of `kind` (seq) in the journal `db` that give way."""
    with _candidates(db):
        db.execute(
            "INSERT INTO temp.candidate SELECT conversation, seq FROM outcome "
            "WHERE kind = ? AND conversation IS NOT NULL",
            (KIND_IDS[kind],),
        )
        return {seq for _, seq in _overtaken(db, everywhere=everywhere)}


def give_way(
    db: sqlite_file.Connection, rows: Iterable[tuple[bytes, int]], *, everywhere: bool
) -> set[tuple[bytes, int]]:
    """Return those of `rows` (key and seq) that would give way, had the job known their keys."""
    with _candidates(db):
        db.executemany("INSERT OR IGNORE INTO temp.candidate VALUES (?, ?)", rows)
        return _overtaken(db, everywhere=everywhere)


@contextmanager
def _candidates(db: sqlite_file.Connection) -> Iterator[None]:
    # By conversation, so that the later rows are found in one scan.
    db.execute(
        "CREATE TEMP TABLE candidate "
        "(conversation BLOB, seq INTEGER, PRIMARY KEY (conversation, seq)) WITHOUT ROWID"
    )
    try:
        yield
    finally:
        db.execute("DROP TABLE temp.candidate")


def _overtaken(db: sqlite_file.Connection, *, everywhere: bool) -> set[tuple[bytes, int]]:
    return set(db.execute(_OVERTAKEN, {"everywhere": _MOST if everywhere else 0}))
