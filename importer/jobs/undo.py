"""What it takes to take a job back: what each of its conversations held before.

Decided from the journals of all jobs of the product, in a temporary file, so that memory does not
grow with them. The rules are in docs/design/across-jobs.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from importer.feedback.body import COMMENT_BITS, BodyCoder, rating_of
from importer.jobs import sqlite_file
from importer.jobs.bodies import Body, read_bodies
from importer.jobs.journal_file import JournalFile, attached
from importer.jobs.journal_lines import IS_LEFT_OVER, IS_SET, IS_SETTLED, KIND_IDS
from importer.jobs.keys import conversation_of, key_of, rank_number, rank_of, signed, unsigned
from importer.jobs.ledger import IF_DAMAGED
from importer.jobs.product_jobs import ProductJobs
from importer.jobs.records import JobRecord
from importer.model import Meaning, OutcomeKind, Rank, Reason

#: The input of the undo of a job, in the job's folder.
UNDO_NAME = "undo.jsonl"
#: What stands for the name of a job that is not known; no folder has it.
_UNKNOWN_JOB = "unknown-00000000-0"
_EXAMPLES = 3
_REMEDY = "Free some disk space or fix the folder, and run the same command again"

_SENT_AND_SET = (
    f"(kind = {KIND_IDS[OutcomeKind.SUCCEEDED]} "
    f"OR coalesce(reason = '{Reason.STORED_DIFFERS}', FALSE))"
)
_OUTCOMES = "journal.outcome LEFT JOIN journal.ranked USING (seq)"
_TARGETS = f"""
    INSERT INTO target (key, rank, in_doubt)
    SELECT conversation, coalesce(rank, :own), 0 FROM {_OUTCOMES} WHERE {_SENT_AND_SET}
    AND seq NOT IN (SELECT seq FROM journal.forgotten)
    ON CONFLICT (key) DO UPDATE SET rank = max(rank, excluded.rank)
"""
_IN_DOUBT = """
    INSERT INTO target (key, rank, in_doubt) VALUES (?, ?, 1)
    ON CONFLICT (key) DO NOTHING
"""
_LEFT_OVER = f"""
    SELECT count(*) FROM journal.outcome
    WHERE {IS_LEFT_OVER} AND conversation NOT IN (SELECT key FROM target)
    AND seq NOT IN (SELECT seq FROM journal.forgotten)
"""
_LATER = """
    UPDATE target SET later = 1
    WHERE key IN (SELECT conversation FROM journal.outcome WHERE {which})
"""
#: A row that was unchanged holds no body: it is that of the row before it.
_BEFORE = f"""
    UPDATE target SET before = row.rank, body = iif(row.is_unchanged, target.body, row.body)
    FROM (
        SELECT conversation, body, coalesce(rank, :own) AS rank,
            kind = {KIND_IDS[OutcomeKind.UNCHANGED]} AS is_unchanged
        FROM {_OUTCOMES} WHERE {IS_SET}
    ) AS row
    WHERE row.conversation = target.key AND row.rank < target.rank AND row.rank >= target.before
"""
#: A row in doubt leaves unknown what the service held.
_UNSURE = """
    UPDATE target SET before = :rank, body = NULL
    WHERE key = :key AND rank > :rank AND before < :rank
"""
#: What a later job has settled need not rank higher: a row of this job may be in doubt only. It was
#: settled in a run that is neither this job's nor that of an earlier one, tried again since.
_LATER_IN_LEDGER = """
    UPDATE target SET later = 1 WHERE
        EXISTS (SELECT 1 FROM ledger.conversation AS other
                WHERE other.key = target.key
                AND other.run > (SELECT min(number) FROM run WHERE own)
                AND other.run NOT IN (SELECT number FROM run)
                AND other.run NOT IN (SELECT last_run FROM ledger.job WHERE number < :job)
                AND other.rank & 0xffffffff NOT IN (SELECT number FROM own_undo))
        OR EXISTS (SELECT 1 FROM ledger.doubt AS other
                   WHERE other.key = target.key AND other.job > :job AND other.in_doubt
                   AND other.job NOT IN (SELECT number FROM own_undo))
"""
_UNSURE_IN_LEDGER = """
    UPDATE target SET body = NULL WHERE EXISTS (
        SELECT 1 FROM ledger.doubt AS other WHERE other.key = target.key AND other.job < :job
        AND other.in_doubt AND other.rank < target.rank AND other.rank > target.before
    )
"""


def undone_job(inputs: Iterable[str]) -> str | None:
    """Return the name of the job that one with these inputs takes back; None if it is an import."""
    paths = [Path(name) for name in inputs]
    return paths[0].parent.name if [path.name for path in paths] == [UNDO_NAME] else None


class Group(NamedTuple):
    """Conversations of which the same becomes."""

    number: int
    #: The first of them.
    examples: list[str]


class Undone(NamedTuple):
    """A conversation that is set again, with what it gets."""

    body: Body
    #: The job that first brought the row that is taken back.
    job: str


class Undo:
    """What taking a job back means, by conversation. Made by `undoing`."""

    def __init__(self, db: sqlite_file.Connection, product: ProductJobs, job: JobRecord) -> None:
        self._db = db
        self._product = product
        self._job = job
        #: Rows of the job that wait to be tried again: they were never stored.
        self.left_over = 0

    def restored(self) -> Group:
        """Return the conversations of which it is known what they held before."""
        return self._group("NOT later AND known")

    def unknown(self) -> Group:
        """Return those of which it is not."""
        return self._group("NOT later AND NOT known")

    def later(self) -> Group:
        """Return those that a later job has set, or has tried to."""
        return self._group("later")

    def earlier(self) -> list[str]:
        """Return the names of the jobs that have taken back the same one before."""
        numbers = self._db.execute("SELECT number FROM own_undo ORDER BY number")
        return [self._product.name_of(number) for (number,) in numbers]

    def in_doubt(self) -> int:
        """Return of how many, other than later ones, it is not known whether the job set them."""
        return self._group("NOT later AND in_doubt").number

    def brought_before(self) -> int:
        """Return of how many, other than later ones, an earlier job had brought the row first."""
        own = rank_number(Rank(self._job.number, self._job.number))
        return self._group(f"NOT later AND rank < {own}").number

    def rows(self, *, clear_unknown: bool) -> Iterator[Undone]:
        """Yield what is sent, by key."""
        for key, rank, known, rating, comment in self._db.execute(
            "SELECT key, rank, known, rating, comment FROM target "
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

    # How it is found out.

    def find(self, coder: BodyCoder) -> None:
        """Look through the journals of all jobs, and through what they have kept."""
        number = self._job.number
        self._take_targets()
        self._take_runs()
        gone = [job.number for job in self._product.jobs if job.folder is None]
        # What a job that is gone has set is known only if nothing has been set since.
        first = max((other for other in gone if other < number), default=0)
        for job in self._product.jobs:
            if job.folder is not None and job.number > number:
                self._take_later(job.folder, job.number)
            elif job.folder is not None and first < job.number < number:
                self._take_earlier(job.folder, job.number)
        path = self._product.key.ledger(self._product.jobs_dir)
        ledger = sqlite_file.attached(
            self._db, path, "ledger", what=f"the ledger {path}", if_damaged=IF_DAMAGED
        )
        with ledger, sqlite_file.transaction(self._db):
            self._db.execute(_LATER_IN_LEDGER, {"job": number})
            self._db.execute(_UNSURE_IN_LEDGER, {"job": number})
        self._resolve(coder)

    def _take_targets(self) -> None:
        assert self._job.folder is not None  # noqa: S101 -- its journal is there
        own = rank_number(Rank(self._job.number, self._job.number))
        with self._journal(self._job.folder) as doubts:
            self._db.execute(_TARGETS, {"own": own})
            self._db.executemany(_IN_DOUBT, [(key, rank or own) for key, rank in doubts])
            (self.left_over,) = self._db.execute(_LEFT_OVER).fetchone()

    def _take_runs(self) -> None:
        for job in self._product.jobs[: self._job.number]:
            if job.folder is not None:
                with closing(JournalFile(job.folder, read_only=True)) as journal:
                    runs = journal.run_numbers()
                own = job.number == self._job.number
                self._db.executemany(
                    "INSERT OR IGNORE INTO run (number, own) VALUES (?, ?)",
                    [(number, own) for number in runs],
                )

    def _take_later(self, folder: Path, number: int) -> None:
        with closing(JournalFile(folder, read_only=True)) as journal:
            is_own_undo = undone_job(f.path for f in journal.inputs()) == self._job.name
        with self._journal(folder) as doubts:
            if is_own_undo:
                # What an earlier undo of the same job has not set is tried again.
                self._db.execute("INSERT INTO own_undo (number) VALUES (?)", (number,))
                self._db.execute(_LATER.format(which=IS_SET))
                return
            self._db.execute(_LATER.format(which=IS_SETTLED))
            self._db.executemany(
                "UPDATE target SET later = 1 WHERE key = ?", [(key,) for key, _ in doubts]
            )

    def _take_earlier(self, folder: Path, number: int) -> None:
        own = rank_number(Rank(number, number))
        with self._journal(folder) as doubts:
            self._db.execute(_BEFORE, {"own": own})
            self._db.executemany(
                _UNSURE, [{"key": key, "rank": rank or own} for key, rank in doubts]
            )

    def _resolve(self, coder: BodyCoder) -> None:
        """Find the feedback that the numbers of bodies stand for."""
        plain = f"SELECT key, body FROM target WHERE body & {COMMENT_BITS} = 0"
        self._db.executemany(
            "UPDATE target SET known = 1, rating = ? WHERE key = ?",
            [
                (rating_of(unsigned(body) or 0) or Meaning.CLEAR, key)
                for key, body in self._db.execute(plain).fetchall()
            ],
        )
        for job in self._product.jobs:
            if job.folder is not None:
                self._take_texts(_texts(job.folder), coder)

    def _take_texts(self, texts: Iterable[Body], coder: BodyCoder) -> None:
        (some,) = self._db.execute(
            "SELECT EXISTS (SELECT 1 FROM target WHERE NOT known AND body IS NOT NULL)"
        ).fetchone()
        for conversation_id, rating, comment in texts if some else ():
            if comment is not None:
                self._db.execute(
                    "UPDATE target SET known = 1, rating = ?, comment = ? "
                    "WHERE key = ? AND body = ?",
                    (rating, comment, key_of(conversation_id), signed(coder(rating, comment))),
                )

    @contextmanager
    def _journal(self, folder: Path) -> Iterator[list[tuple[bytes, int | None]]]:
        """Attach the journal in `folder`; yield the keys of its rows in doubt with their ranks.

        A rank is a number, None if it is that of the job.
        """
        with closing(JournalFile(folder, read_only=True)) as journal:
            gone = journal.forgotten_rows()
            doubts = [each for each in journal.doubts() if each.in_doubt and each.seq not in gone]
            ranks = journal.ranked() if doubts else {}
        with attached(self._db, folder), sqlite_file.transaction(self._db):
            yield [
                (doubt.key, rank_number(ranks[doubt.seq]) if doubt.seq in ranks else None)
                for doubt in doubts
            ]


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
                undo = Undo(db, product, job)
                undo.find(BodyCoder(*product.key))
            yield undo
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _texts(folder: Path) -> Iterator[Body]:
    """Yield all that a job's folder has of what was to be sent."""
    with closing(JournalFile(folder, read_only=True)) as journal:
        yield from journal.bodies()
    yield from read_bodies(folder)
