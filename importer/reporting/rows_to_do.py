"""How many rows of a job something is to be done about, as its journal and later jobs tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from importer.jobs.journal_file import JournalFile
from importer.jobs.journal_reader import JournalReader
from importer.jobs.outranked import outranked
from importer.jobs.overtaken import Awaited
from importer.jobs.read_again import Beside, read_again
from importer.jobs.records import WITHDRAWN, JobState, Totals
from importer.model import OutcomeKind, Reason
from importer.reporting.left_overs import FILE_OF_KIND
from importer.survey.findings import Findings


class Rest(NamedTuple):
    """The rows of a job about which something may be to do."""

    outcomes: Counter[OutcomeKind]
    reasons: Counter[tuple[OutcomeKind, Reason]]
    #: Of the rows that are left over, those that give way to others of the job.
    overtaken: Counter[tuple[OutcomeKind, Reason]]

    def to_fix(self, kind: OutcomeKind) -> Counter[Reason]:
        """Return of how many rows of a kind, by reason, it is worth the while to fix them.

        Without those whose attempts ran out, that nothing helps, or that are overtaken.
        """
        found = Counter[Reason]()
        for (one, reason), number in self.reasons.items():
            if one is kind and reason not in (Reason.RETRIES_EXHAUSTED, Reason.CONVERSATION_ERROR):
                found[reason] = number - self.overtaken[one, reason]
        return +found


def to_do(journal: JournalFile, done: Collection[int], awaited: Awaited = Awaited.ALL) -> Rest:
    """Return how many rows ended how, and why, without those that were forgotten, or are `done`.

    `awaited` are the rows without an outcome that are to be sent.
    """
    totals = journal.totals()
    found = Rest(Counter(totals.outcomes), Counter(totals.reasons), Counter())
    gone = {*done, *journal.forgotten_rows()}
    for kind in FILE_OF_KIND:
        overtaken = journal.overtaken(kind, awaited) if totals.outcomes[kind] else set[int]()
        for row in journal.outcomes(kind) if gone or overtaken else ():
            found.outcomes[kind] -= row.seq in gone
            if row.reason is not None:
                found.reasons[kind, row.reason] -= row.seq in gone
                found.overtaken[kind, row.reason] += row.seq in overtaken and row.seq not in gone
    return found


def leave_out_needless(rest: Rest) -> None:
    """Leave out rows that give way where all others of their file are done: nobody has to know."""
    for kind in FILE_OF_KIND:
        if not rest.to_fix(kind):
            give_way = {key: rows for key, rows in rest.overtaken.items() if key[0] is kind}
            rest.reasons.subtract(give_way)
            rest.overtaken.subtract(give_way)


def worth_fixing(journal: JournalFile, rest: Rest) -> dict[OutcomeKind, int]:
    """Return of how many of the rows it is worth the while to fix them, by kind, if there are."""
    # By a column it is not known whether the other row is newer.
    rows = rest if journal.newest_by() is None else rest._replace(overtaken=Counter())
    kinds = (OutcomeKind.REJECTED, OutcomeKind.FAILED)
    found = {kind: rows.to_fix(kind).total() for kind in kinds}
    return {kind: number for kind, number in found.items() if number}


def to_be_fixed(journal: JournalReader, beside: Sequence[Beside]) -> dict[OutcomeKind, int]:
    """Return how many rows a job has left over that only its files hold, and no other has imported.

    Rejected and failed ones: without those to which nothing helps, that give way to others of the
    job, or that the ledger knows (whose attempts ran out). None of a job that was taken back.
    `beside` are the jobs beside it. Raises `JournalError`.
    """
    if WITHDRAWN in journal.facts():
        return {}
    return worth_fixing(journal, to_do(journal, read_again(journal.folder, beside).rows))


def outranked_since(
    journal: JournalFile,
    done: Collection[int] = frozenset(),
    awaited: Awaited = Awaited.ALL,
    beside: Sequence[Beside] | None = None,
) -> dict[OutcomeKind, dict[int, bytes]]:
    """Return the rows that give way to later jobs, by kind, with their conversations' keys.

    Without those that give way to others of the job itself, and those that others have `done`.
    `awaited` are the rows without an outcome that are to be sent.
    """
    found = {}
    for kind, rows in outranked(journal.folder, FILE_OF_KIND, beside).items():
        gone = {*done, *journal.overtaken(kind, awaited)} if rows else ()
        if left := {seq: key for seq, key in rows.items() if seq not in gone}:
            found[kind] = left
    return found


def without_id(folder: Path, kind: OutcomeKind, done: Collection[int]) -> int:
    """Return of how many rows of a kind, without those that are `done`, the id was not read."""
    with JournalReader(folder) as journal:
        gone = {*done, *journal.forgotten_rows()}
        rows = journal.outcomes(kind)
        return sum(row.conversation_id is None and row.seq not in gone for row in rows)


def unread_rejected(journal: JournalFile, totals: Totals) -> int:
    """Return to how many of the rows that its survey has rejected no run of a job has come."""
    found = Findings.of_json(journal.survey()).rejected
    return max(0, found - totals.outcomes[OutcomeKind.REJECTED])


def joined_no_other(
    state: JobState,
    outcomes: Mapping[OutcomeKind, int],
    reasons: Mapping[tuple[OutcomeKind, Reason], int],
) -> dict[OutcomeKind, int]:
    """Return how many left-over rows no other job has of one in that state: replaced or given up.

    The successor has those of the replaced one that can be tried again (docs/reference.md, A5).
    """
    rows = {kind: outcomes[kind] for kind in FILE_OF_KIND}
    if state is JobState.REPLACED:
        exhausted = reasons.get((OutcomeKind.FAILED, Reason.RETRIES_EXHAUSTED), 0)
        rows[OutcomeKind.FAILED] -= exhausted
        del rows[OutcomeKind.NOT_COMPLETED]
    return {kind: number for kind, number in rows.items() if number}
