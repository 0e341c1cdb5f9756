"""What it takes to take a job back: what each of its conversations held before.

Decided from the journals of all jobs of the product, in a temporary file, so that memory does not
grow with them. The rules are in docs/design/across-jobs.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import NamedTuple

from importer.feedback.body import BodyCoder
from importer.jobs import sqlite_file
from importer.jobs.bodies import Body
from importer.jobs.keys import conversation_of, rank_of
from importer.jobs.product_jobs import ProductJobs
from importer.jobs.records import JobRecord
from importer.jobs.undo_search import UndoSearch
from importer.model import Meaning

#: What stands for the name of a job that is not known; no folder has it.
_UNKNOWN_JOB = "unknown-00000000-0"
_EXAMPLES = 3
_REMEDY = "Free some disk space or fix the folder, and run the same command again"


class Group(NamedTuple):
    """Conversations of which the same becomes."""

    number: int
    #: The first of them.
    examples: list[str]


class Undone(NamedTuple):
    """A conversation that is set again, with what it gets."""

    body: Body
    #: The job that first brought the row that is taken back, or the highest of those after it that
    #: were taken back before.
    job: str


class Undo:
    """What taking a job back means, by conversation. Made by `undoing`."""

    def __init__(
        self, db: sqlite_file.Connection, product: ProductJobs, job: JobRecord, search: UndoSearch
    ) -> None:
        self._db = db
        self._product = product
        self._job = job
        #: Rows of the job that wait to be tried again: they were never stored.
        self.left_over = search.left_over
        #: Rows of the job that were not sent, or refused.
        self.not_sent = search.not_sent
        #: The job was taken back before.
        self.is_withdrawn = search.is_withdrawn
        #: Rows that it has stored for earlier jobs: they stay.
        self.carried = search.carried

    def restored(self) -> Group:
        """Return the conversations of which it is known what they held before."""
        return self._group("NOT later AND known AND NOT waits")

    def waiting(self) -> Group:
        """Return those that get the row of an earlier job that this one had taken the place of."""
        return self._group("NOT later AND waits")

    def set_before(self) -> Group:
        """Return those of which it is not, and that an earlier job has set, or has tried to."""
        return self._group("NOT later AND NOT known AND set_by")

    def unknown(self) -> Group:
        """Return those of which it is not, nor of any earlier job."""
        return self._group("NOT later AND NOT known AND NOT set_by")

    def set_before_by(self) -> dict[str, int]:
        """Return the jobs that came last to `set_before`, oldest first, and to how many."""
        numbers = self._db.execute(
            "SELECT set_by, count(*) FROM target WHERE NOT later AND NOT known AND set_by "
            "GROUP BY set_by ORDER BY set_by"
        )
        return {self._product.name_of(number): conversations for number, conversations in numbers}

    def later(self) -> Group:
        """Return those that a later job has set, or has tried to, and has not been taken back."""
        return self._group("later >= -1 AND later <> 0")

    def after_all(self) -> Iterator[tuple[bytes, int]]:
        """Yield the keys of `waiting`, with the number of the job that has brought the row."""
        yield from self._db.execute("SELECT key, waits FROM target WHERE NOT later AND waits")

    def unknown_before(self, *, clear_unknown: bool) -> Iterator[tuple[bytes, int]]:
        """Yield the keys of `set_before` and `unknown`, with the number of the job that came last.

        Of those that it is to clear, only of `set_before`: of the others nobody asks later.
        """
        yield from self._db.execute(
            "SELECT key, set_by FROM target WHERE NOT later AND NOT known AND (set_by OR NOT ?)",
            (clear_unknown,),
        )

    def back(self) -> Group:
        """Return those that an earlier undo of the job has taken back."""
        return self._group("later < -1")

    def later_jobs(self) -> list[str]:
        """Return the names of the jobs that came last to some of these, the latest first.

        Undos are left out: what they have set is not wrong.
        """
        numbers = self._db.execute(
            "SELECT DISTINCT later FROM target WHERE later > 0 "
            "AND later NOT IN (SELECT number FROM job WHERE undoes IS NOT NULL) "
            "ORDER BY later DESC"
        )
        return [self._product.name_of(number) for (number,) in numbers]

    def later_undos(self) -> list[str]:
        """Return the names of the undos that came last to some of these, the latest first.

        There are some only where a later job is gone: nobody knows then what counts for nothing.
        """
        numbers = self._db.execute(
            "SELECT DISTINCT later FROM target WHERE later IN "
            "(SELECT number FROM job WHERE undoes IS NOT NULL) ORDER BY later DESC"
        )
        return [self._product.name_of(number) for (number,) in numbers]

    def stay(self) -> Group:
        """Return those of them that no undo brings back: the folder of a later job is gone."""
        return self._group(
            "later = -1 OR later IN (SELECT number FROM job WHERE undoes IS NOT NULL)"
        )

    def gone(self) -> list[str]:
        """Return the names of the later jobs whose folders are gone."""
        return [
            job.name or f"job {job.number}"
            for job in self._product.jobs[self._job.number :]
            if not job.is_here
        ]

    def earlier(self) -> list[str]:
        """Return the names of the jobs that have taken back some of the same one before."""
        numbers = self._db.execute("SELECT DISTINCT -later FROM target WHERE later < -1 ORDER BY 1")
        return [self._product.name_of(number) for (number,) in numbers]

    def taken_back(self) -> dict[str, str]:
        """Return the names of the jobs that were taken back, with the latest undo that did it."""
        name_of = self._product.name_of
        found = self._db.execute(
            "SELECT undoes, max(number) FROM job WHERE undoes IS NOT NULL GROUP BY undoes"
        )
        return {name_of(undone): name_of(undo) for undone, undo in found}

    def in_doubt(self) -> int:
        """Return of how many, other than later ones, it is not known whether the job set them."""
        return self._group("NOT later AND in_doubt").number

    def rows(self, *, clear_unknown: bool) -> Iterator[Undone]:
        """Yield what is sent, by key."""
        for key, rank, known, rating, comment in self._db.execute(
            "SELECT key, max(rank, above), known, rating, comment FROM target "
            "WHERE NOT later AND (known OR ?) ORDER BY key",
            (clear_unknown,),
        ):
            name = self._product.name_of(rank_of(rank).first) if rank_of(rank).first else ""
            meaning = (rating and Meaning(rating)) if known else Meaning.CLEAR
            yield Undone(Body(conversation_of(key), meaning, comment), name or _UNKNOWN_JOB)

    def _group(self, condition: str) -> Group:
        (number,) = self._db.execute(f"SELECT count(*) FROM target WHERE {condition}").fetchone()
        keys = self._db.execute(
            f"SELECT key FROM target WHERE {condition} ORDER BY key LIMIT ?", (_EXAMPLES,)
        )
        return Group(number, [conversation_of(key) for (key,) in keys])


@contextmanager
def undoing(product: ProductJobs, job: JobRecord) -> Iterator[Undo]:
    """Find out what it takes to take `job` back; it is known until the block is left.

    The product is held. Raises `JournalError` if a journal, the ledger or the disk cannot be used.
    """
    product.catch_up()
    path = product.jobs_dir / f".{product.key.name}.undo"
    try:
        with ExitStack() as stack:
            with sqlite_file.explained(f"the temporary file {path}", _REMEDY):
                with sqlite_file.creating(path, "undo.sql"):
                    pass
                db = stack.enter_context(closing(sqlite_file.connect(path)))
                db.execute("PRAGMA journal_mode = OFF")
                db.execute("PRAGMA synchronous = OFF")
                search = UndoSearch(db, product, job)
                search.find(BodyCoder(*product.key))
            yield Undo(db, product, job, search)
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)
