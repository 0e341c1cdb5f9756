"""Finds the feedback that the numbers of bodies stand for, when a job is taken back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from importer.feedback.body import COMMENT_BITS, BodyCoder, rating_of
from importer.jobs import sqlite_file
from importer.jobs.bodies import Body, read_bodies
from importer.jobs.journal_file import JournalFile
from importer.jobs.keys import key_of, signed, unsigned
from importer.jobs.records import JobRecord
from importer.model import Meaning


def find_bodies(db: sqlite_file.Connection, jobs: Sequence[JobRecord], coder: BodyCoder) -> None:
    """Enter rating and comment of the targets whose `body` is known, as far as some job has it."""
    plain = f"SELECT key, body FROM target WHERE body & {COMMENT_BITS} = 0"
    db.executemany(
        "UPDATE target SET known = 1, rating = ? WHERE key = ?",
        [
            (rating_of(unsigned(body) or 0) or Meaning.CLEAR, key)
            for key, body in db.execute(plain).fetchall()
        ],
    )
    for job in jobs:
        if job.folder is not None:
            _take_texts(db, _texts(job.folder), coder)


def _take_texts(db: sqlite_file.Connection, texts: Iterable[Body], coder: BodyCoder) -> None:
    (some,) = db.execute(
        "SELECT EXISTS (SELECT 1 FROM target WHERE NOT known AND body IS NOT NULL)"
    ).fetchone()
    for conversation_id, rating, comment in texts if some else ():
        if comment is not None:
            db.execute(
                "UPDATE target SET known = 1, rating = ?, comment = ? WHERE key = ? AND body = ?",
                (rating, comment, key_of(conversation_id), signed(coder(rating, comment))),
            )


def _texts(folder: Path) -> Iterator[Body]:
    """Yield all that a job's folder has of what was to be sent."""
    with closing(JournalFile(folder, read_only=True)) as journal:
        yield from journal.bodies()
    yield from read_bodies(folder)
