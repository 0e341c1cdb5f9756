"""Rows of a job that give way to another row of it with their conversation.

That is one after them which was sent or is to be; where a column tells which rows are newer, one
`everywhere`: the last row need not be the newest (docs/reference.md, F3).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import Enum

from importer.jobs import sqlite_file
from importer.jobs.journal_lines import IS_SETTLED, KIND_IDS
from importer.jobs.records import JobRecord, JobState
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
_OVERTAKEN = """
    SELECT earlier.conversation, earlier.seq
    FROM {table} AS later CROSS JOIN temp.candidate AS earlier
      ON earlier.conversation = later.conversation
      AND earlier.seq < later.seq + :everywhere AND earlier.seq <> later.seq
    WHERE {condition}
"""


class Awaited(Enum):
    """Which rows of a job without an outcome are to be sent, by it or by the one in its place."""

    ALL = ("kept", "carried")
    #: Those that it has taken over from earlier jobs.
    CARRIED = ("carried",)
    NONE = ()


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
    with _candidates(db):
        db.execute(
            "INSERT INTO temp.candidate SELECT conversation, seq FROM outcome "
            "WHERE kind = ? AND conversation IS NOT NULL",
            (KIND_IDS[kind],),
        )
        return {seq for _, seq in _overtaken(db, awaited, everywhere=everywhere)}


def give_way(
    db: sqlite_file.Connection, rows: Iterable[tuple[bytes, int]], *, everywhere: bool
) -> set[tuple[bytes, int]]:
    """Return those of `rows` (key and seq) that would give way, had the job known their keys."""
    with _candidates(db):
        db.executemany("INSERT OR IGNORE INTO temp.candidate VALUES (?, ?)", rows)
        return _overtaken(db, Awaited.ALL, everywhere=everywhere)


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


def _overtaken(
    db: sqlite_file.Connection, awaited: Awaited, *, everywhere: bool
) -> set[tuple[bytes, int]]:
    query = " UNION ".join(
        _OVERTAKEN.format(table=table, condition=_LATER[table])
        for table in ("outcome", *awaited.value)
    )
    return set(db.execute(query, {"everywhere": _MOST if everywhere else 0}))
