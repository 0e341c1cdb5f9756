"""The rows that a new job takes over from earlier ones (docs/reference.md, A4, A5)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from importer.jobs.journal_file import JournalFile
from importer.jobs.keys import key_of
from importer.jobs.ledger import LeftOver
from importer.jobs.records import CarriedRow
from importer.model import Rank


def pending_rows(folder: Path, number: int) -> Iterator[LeftOver]:
    """Yield the rows of the job with that number that are to be sent still, by key.

    Its journal has their bodies (`keeps_bodies`). Raises `JournalError`.
    """
    with closing(JournalFile(folder, read_only=True)) as journal:
        ranked, not_sent = journal.ranked(), journal.not_sent().values()
        for key, seq, conversation_id, rating, comment, ask_status in journal.pending():
            if not any(seq in rows for rows in not_sent):
                rank = ranked.get(seq, Rank(number, number))
                row = CarriedRow(0, conversation_id, rank, rating, comment, ask_status)
                yield LeftOver(key, row)


def carried_rows(folder: Path) -> list[LeftOver]:
    """Return the rows that the job in `folder` has taken over itself, by key.

    All of them: what it has decided on them rests on rows of its own, too. Raises `JournalError`.
    """
    with closing(JournalFile(folder, read_only=True)) as journal:
        rows = [LeftOver(key_of(row.conversation_id), row) for row in journal.carried()]
    return sorted(rows, key=attrgetter("key"))


def outranked_rows(folder: Path) -> Iterator[LeftOver]:
    """Yield the rows that the job in `folder` has taken over and sends others of its own for.

    They come by key. Raises `JournalError`.
    """
    with closing(JournalFile(folder, read_only=True)) as journal:
        for row in journal.outranked():
            yield LeftOver(key_of(row.conversation_id), row)


def highest_rows(rows: Iterator[LeftOver]) -> Iterator[CarriedRow]:
    """Yield of each conversation the row that ranks highest, from number 1; `rows` come by key."""
    for seq, (_, same) in enumerate(groupby(rows, attrgetter("key")), 1):
        row: CarriedRow = max((each.row for each in same), key=attrgetter("rank"))
        yield row._replace(seq=seq)
