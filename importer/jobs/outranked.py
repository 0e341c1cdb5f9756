"""Rows that a job has left over, and that give way to what later jobs have settled since.

Whoever fixes such a row, or tries it again, imports nothing (docs/reference.md, A6, A18). That is
asked without holding anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from operator import attrgetter
from pathlib import Path

from importer.errors import JournalError
from importer.jobs.folders import job_folders
from importer.jobs.journal_head import Head, read_head
from importer.jobs.journal_reader import JournalReader
from importer.jobs.ledger import known_jobs, known_ranks
from importer.jobs.read_again import Beside, read_again
from importer.jobs.records import WITHDRAWN
from importer.model import OutcomeKind


def outranked(
    folder: Path, kinds: Iterable[OutcomeKind], beside: Sequence[Beside] | None = None
) -> dict[OutcomeKind, dict[int, bytes]]:
    """Return the rows of the job in `folder` that give way to rows of later jobs, by kind.

    Their numbers (seq), with their conversations' keys. Those whose conversation could not be read
    are none of them, as that is not known. `beside` are the jobs beside it, if they are known.
    Raises `JournalError` if its journal cannot be read.
    """
    with JournalReader(folder) as journal:
        rows = {kind: journal.first_brought(kind) for kind in kinds}
    # For all kinds at once: all of a later journal may have to be looked through.
    keys = {key for some in rows.values() for _, key, _ in some}
    highest = _highest(folder, keys, beside) if keys else {}
    return {
        kind: {seq: key for seq, key, first in some if highest.get(key, 0) > first}
        for kind, some in rows.items()
    }


def _highest(
    folder: Path, keys: Collection[bytes], beside: Sequence[Beside] | None
) -> dict[bytes, int]:
    """Return which is the latest job that first brought a settled row, of each conversation.

    The ledger knows that, but for what it has not taken in yet of jobs after the one in `folder`.
    """
    ledger = read_head(folder).product.ledger(folder.parent)
    taken_in = {job.number: job.entries for job in known_jobs(ledger)[0]}
    found = {key: rank.first for key, rank in known_ranks(ledger, keys).items()}
    for head in _later(folder, beside):
        if head.entries > taken_in.get(head.number, 0):
            with suppress(JournalError), JournalReader(head.folder) as journal:
                for key, rank, _ in journal.settled_among(keys):
                    found[key] = max(rank.first, found.get(key, 0))
    return found


def _later(folder: Path, beside: Sequence[Beside] | None) -> list[Head]:
    """Return the later jobs of the product, the latest first."""
    own, heads = read_head(folder), [one.head for one in beside or ()]
    for other in job_folders(folder.parent) if beside is None else ():
        with suppress(JournalError):
            heads.append(read_head(other))
    found = [one for one in heads if one.product == own.product and one.number > own.number]
    return sorted(found, key=attrgetter("number"), reverse=True)


def left_over_later(
    folder: Path,
    kind: OutcomeKind,
    keys: Collection[bytes],
    beside: Sequence[Beside] | None = None,
) -> Path | None:
    """Return the folder of the latest job that has left over rows of these conversations itself.

    Of `kind`, after the job in `folder`: they count as newer than the rows of that. Without those
    that others have read, or that give way as well. None if there is no such job.
    """
    for head in filter(attrgetter("finished"), _later(folder, beside)):
        other = head.folder
        with suppress(JournalError), JournalReader(other) as journal:
            mine = {seq for seq, key, _ in journal.first_brought(kind) if key in keys}
            if mine and WITHDRAWN not in journal.facts():
                mine -= journal.overtaken(kind)
                mine -= {*read_again(other, beside).rows}
                if mine and mine - {*outranked(other, [kind], beside)[kind]}:
                    return other
    return None
