"""What others have read of the rows that a job has left over, whatever the files are called.

Rows are known by their places: the job that first brought them, and their numbers there. Those that
have none, since a job had taken them over, are known by that job and their conversation.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing, suppress
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from importer.errors import JournalError
from importer.jobs import sqlite_file
from importer.jobs.folders import job_folders
from importer.jobs.identity import ProductKey
from importer.jobs.journal_file import JournalFile, attached
from importer.jobs.journal_head import Head, read_head
from importer.jobs.journal_lines import KIND_IDS, ids_of
from importer.jobs.records import WITHDRAWN, InputFile, JobState, job_number
from importer.model import NOT_IMPORTED, OutcomeKind

_LEFT_OVER = {KIND_IDS[kind] for kind in NOT_IMPORTED}
_SUPERSEDED = KIND_IDS[OutcomeKind.SUPERSEDED]
_IS_LEFT_OVER = f"kind IN ({ids_of(NOT_IMPORTED)})"
_MINE = f"""
    INSERT INTO mine
    SELECT seq, conversation, :own, seq FROM outcome WHERE {_IS_LEFT_OVER}
    UNION ALL
    SELECT seq, conversation, job, place FROM outcome JOIN placed USING (seq)
    WHERE {_IS_LEFT_OVER} AND job > 0
    UNION ALL
    SELECT seq, conversation, rank >> 32, NULL FROM outcome JOIN ranked USING (seq)
    WHERE {_IS_LEFT_OVER} AND rank >> 32 > 0 AND seq NOT IN (SELECT seq FROM placed)
"""
_READ = """
    SELECT mine.seq, placed.seq, kind
    FROM placed CROSS JOIN mine USING (job, place) LEFT JOIN outcome ON outcome.seq = placed.seq
    UNION
    SELECT mine.seq, ranked.seq, kind
    FROM ranked CROSS JOIN outcome USING (seq) CROSS JOIN mine USING (conversation)
    WHERE place IS NULL AND job = rank >> 32
    AND ranked.seq NOT IN (SELECT seq FROM placed UNION SELECT seq FROM carried)
"""
_BEFORE = f"""
    SELECT mine.seq FROM placed CROSS JOIN outcome USING (seq)
    CROSS JOIN mine ON mine.conversation = outcome.conversation AND mine.job = placed.job
    WHERE mine.place <= placed.place AND NOT {_IS_LEFT_OVER}
"""


class Beside(NamedTuple):
    """What is asked of a job by those beside it that look for what became of their rows."""

    head: Head
    #: Without their blocks.
    inputs: Sequence[InputFile]
    #: The numbers of the jobs that first brought rows which it has read; see `JournalFile.origins`.
    origins: Collection[int]
    #: The least of those that first brought rows which it has taken over; None without such rows.
    first_carried: int | None


class Again(NamedTuple):
    """What another job has read of the rows that a job has left over."""

    #: The numbers of those that it has read, there.
    rows: Collection[int]
    #: Of how many of the left-over rows it has a row about which nobody has to do anything, as it
    #: was imported, or is not to be; without those that gave way to others.
    imported: int
    #: It was taken back since.
    is_withdrawn: bool = False


class ReadAgain(NamedTuple):
    """What others have read of the rows that a job has left over."""

    #: Those (seq) of which nothing is to be done any more in the job's own name.
    rows: Collection[int] = frozenset()
    #: Of these, those of which nothing is to be done in any other's either.
    done: Collection[int] = frozenset()
    #: By the folders of the others.
    by: Mapping[Path, Again] = MappingProxyType({})
    #: Of `done`, those that none has imported: each gives way to another of its conversation.
    give_way: Collection[int] = frozenset()


def read_beside(jobs_dir: Path) -> list[Beside]:
    """Return what those jobs hold, whose journals can be read, by name and number.

    Read once, it serves for all jobs that are asked about.
    """
    found = []
    for folder in job_folders(jobs_dir):
        with suppress(JournalError), closing(JournalFile(folder, read_only=True)) as journal:
            inputs = [file._replace(blocks=b"") for file in journal.inputs()]
            origins, carried = journal.origins(), journal.first_carried()
            found.append(Beside(read_head(folder), inputs, origins, carried))
    return found


def read_again(folder: Path, beside: Sequence[Beside] | None = None) -> ReadAgain:
    """Return what later jobs, those `beside` it, have read of what a job has left over.

    One that has sent nothing, and has not ended, has done nothing about them. What another has left
    over again is its own affair. Rows that come before one of their conversation which it has
    imported would give way to that. What a job has read that was taken back stays to be done.
    Raises `JournalError` if the job's own journal cannot be read.
    """
    with closing(sqlite_file.in_memory()) as db:
        others, replaced = _that_read_left_overs(folder, beside)
        if not others:
            return ReadAgain()
        db.execute(
            "CREATE TEMP TABLE mine (seq INTEGER, conversation BLOB, job INTEGER, place INTEGER)"
        )
        db.execute("CREATE INDEX temp.by_place ON mine (job, place)")
        db.execute("CREATE INDEX temp.by_conversation ON mine (conversation)")
        with attached(db, folder):
            db.execute(_MINE, {"own": job_number(_facts(db)["number"])})
        rows, done, imported = set[int](), set[int](), set[int]()
        by: dict[Path, Again] = {}
        for other in others:
            with suppress(JournalError), attached(db, other.folder):
                found = _read_by(db, is_replaced=other.id in replaced)
                rows |= found.rows
                done |= found.done
                imported |= found.imported
                if found.again is not None:
                    by[other.folder] = found.again
        return ReadAgain(rows, done, by, done - imported)


def _that_read_left_overs(
    folder: Path, beside: Sequence[Beside] | None
) -> tuple[list[Head], set[str]]:
    """Return the later jobs that have read rows of jobs which this one has rows of, and have begun.

    Also the ids of the jobs that were replaced.
    """
    with closing(JournalFile(folder, read_only=True)) as own:
        facts = own.facts()
        number = job_number(facts["number"])
        origins = {number, *own.origins(), *own.origins(of_carried=True)}
    found: list[Head] = []
    replaced: set[str] = set()
    for other in read_beside(folder.parent) if beside is None else beside:
        head = other.head
        if head.product == ProductKey.of(facts) and head.number > number:
            replaced |= {job for job, end in head.ends.items() if end is JobState.REPLACED}
            found += [head] if head.sent_anything and origins & {*other.origins} else []
    return found, replaced


class _Read(NamedTuple):
    """What one other job has read of the rows (seq), for `ReadAgain`."""

    rows: AbstractSet[int] = frozenset()
    done: AbstractSet[int] = frozenset()
    imported: AbstractSet[int] = frozenset()
    again: Again | None = None


def _read_by(db: sqlite_file.Connection, *, is_replaced: bool) -> _Read:
    """Return what the other job, whose journal is attached, has read of the rows in `mine`.

    What is pending of one that was replaced has joined the one that did.
    """
    read, settled, done, imported = set[int](), set[int](), set[int](), set[int]()
    for seq, there, kind in db.execute(_READ):
        read.add(there)
        if kind in _LEFT_OVER or (kind is None and is_replaced):
            settled.add(seq)
        elif kind is not None:
            done.add(seq)
            imported |= {seq} if kind != _SUPERSEDED else set()
    is_withdrawn = WITHDRAWN in _facts(db)
    again = Again(read, len(imported), is_withdrawn) if settled or done else None
    if is_withdrawn:
        return _Read(again=again)
    done.update(seq for (seq,) in db.execute(_BEFORE))
    return _Read(settled | done, done, imported, again)


def _facts(db: sqlite_file.Connection) -> dict[str, str]:
    return dict(db.execute("SELECT name, value FROM job"))
