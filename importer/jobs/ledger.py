"""What all jobs of a product have applied to its conversations, and what they have left over.

A row whose body was the last to be applied need not be sent again (`--skip-unchanged`), left-overs
come back in the next job (`--carry-over`), and a row of an earlier job is never sent after a later
job has set its conversation. For all this an entry must never claim what is not so: before a
request is sent, the conversation's entry is forgotten, and that lasts, wherever the run is killed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from importer.common.file_system import JournalMode
from importer.common.uuids import uuid_bytes, uuid_text
from importer.errors import JournalError
from importer.jobs import sqlite_file
from importer.jobs.records import Entry
from importer.model import Meaning

_FORMAT = 1
#: The ledger is read from the page cache of the system, without copies.
_MAPPED_BYTES = 1 << 30

_SENT = sqlite_file.insert("sent", ("conversation", "digest", "job", "at"), replace=True)
_LEFT_OVER = sqlite_file.insert(
    "left_over", ("conversation", "rating", "comment", "job"), replace=True
)


class Applied(NamedTuple):
    """The ledger's line on a conversation. `digest` is None if what is stored is not known.

    `job` is the number of the job that has set it, `at` when, in Unix seconds.
    """

    digest: bytes | None
    job: int
    at: float


class LedgerSession(NamedTuple):
    """The ledger as one job uses it; `job` is the job's number in it."""

    ledger: Ledger
    job: int


class Ledger:
    """The ledger in one file. It is asked by one thread and written by another.

    Every method raises `JournalError` when the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        """Open the ledger, or begin it."""
        self.path = path
        with self._explained():
            if not path.exists():
                _create(path)
            self._reader, self._writer = (sqlite_file.connect(path) for _ in range(2))
            mode = sqlite_file.journal_safely(self._writer, path)
            # What is forgotten here must not come back after a power cut.
            self._writer.execute("PRAGMA synchronous = FULL")
            if mode is JournalMode.WAL:  # a network file system may take away what is mapped
                self._reader.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}")
            (version,) = self._reader.execute("PRAGMA user_version").fetchone()
        if version != _FORMAT:
            self.close()
            raise JournalError(f"{path} is of format {version}; this version reads {_FORMAT}")

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
        self._writer.close()

    def enrol(self, folder: str, *, is_new: bool) -> LedgerSession:
        """Give the job in `folder` its number; that of a new job is higher than all before.

        A new job may have the folder of one that was removed. A job that began before there was a
        ledger has number 0: every job that is enrolled began later.
        """
        with self._explained():
            if is_new:
                self._writer.execute("INSERT OR REPLACE INTO job (folder) VALUES (?)", (folder,))
            found = self._writer.execute(
                "SELECT number FROM job WHERE folder = ?", (folder,)
            ).fetchone()
        return LedgerSession(self, int(found[0]) if found is not None else 0)

    def applied(self, conversation_id: str) -> Applied | None:
        """Return the line on a conversation, None if no job has sent anything for it."""
        with self._explained():
            row = self._reader.execute(
                "SELECT digest, job, at FROM sent WHERE conversation = ?",
                (uuid_bytes(conversation_id),),
            ).fetchone()
        return row and Applied(*row)

    def left_overs(self) -> Iterator[tuple[str, Meaning | None, str | None]]:
        """Yield conversation, rating and comment of what was left over."""
        with self._explained():
            for conversation, rating, comment in self._reader.execute(
                "SELECT conversation, rating, comment FROM left_over ORDER BY job, conversation"
            ):
                yield uuid_text(conversation), rating and Meaning(rating), comment

    def quiet_at(self) -> float:
        """Return when all requests made so far will have taken effect, in Unix seconds."""
        with self._explained():
            (quiet_at,) = self._reader.execute("SELECT quiet_at FROM state").fetchone()
        return float(quiet_at)

    def end_run(self, quiet_at: float) -> None:
        """Note when the last request of a run that ended cleanly will have taken effect."""
        with self._explained():
            self._writer.execute("UPDATE state SET quiet_at = ?", (quiet_at,))

    def write(self, job: int, entry: Entry) -> None:
        """Take in what happened to conversations: all of it or, if that fails, nothing."""
        with self._explained(), sqlite_file.transaction(self._writer):
            self._take_in(job, entry)

    def _take_in(self, job: int, entry: Entry) -> None:
        write = self._writer.executemany
        write(
            _SENT,
            [(uuid_bytes(conversation), None, job, entry.at) for conversation in entry.forgotten],
        )
        write(
            _SENT,
            [(uuid_bytes(f.conversation_id), digest, job, entry.at) for f, digest in entry.applied],
        )
        write(
            "DELETE FROM left_over WHERE conversation = ?",
            [(uuid_bytes(conversation),) for conversation in entry.done_with],
        )
        write(
            _LEFT_OVER,
            [(uuid_bytes(f.conversation_id), f.rating, f.comment, job) for f in entry.left_over],
        )
        self._writer.execute("UPDATE state SET quiet_at = ?", (entry.quiet_at,))

    def _explained(self) -> AbstractContextManager[None]:
        return sqlite_file.explained(
            f"the ledger {self.path}",
            "Free some disk space or fix the folder. Without the file every row is sent again, "
            "which is harmless",
        )


def _create(path: Path) -> None:
    with sqlite_file.creating(path, "ledger.sql") as db:
        db.execute(f"PRAGMA user_version = {_FORMAT}")
