"""The rows that a new job takes over from earlier ones (docs/reference.md, A4, A5)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from importer.jobs.journal_file import JournalFile
from importer.jobs.ledger import LeftOver
from importer.jobs.records import CarriedRow
from importer.model import Rank


def pending_rows(folder: Path, number: int) -> Iterator[LeftOver]:
    """Yield the rows of the job with that number that are to be sent still, by key.

    Its journal has their bodies (`keeps_bodies`). Raises `JournalError`.
    """
    with closing(JournalFile(folder, read_only=True)) as journal:
        ranked, not_sent = journal.ranked(), journal.not_sent().values()
        for key, seq, conversation_id, rating, comment, deferred in journal.pending():
            if not any(seq in rows for rows in not_sent):
                rank = ranked.get(seq, Rank(number, number))
                yield LeftOver(key, CarriedRow(0, conversation_id, rank, rating, comment, deferred))


def highest_rows(rows: Iterator[LeftOver], floor: int) -> Iterator[CarriedRow]:
    """Yield of each conversation the row that ranks highest, numbered from 1.

    `rows` come by key. Those that rank below the `floor` are left where they are: a missing job may
    have set their conversation.
    """
    seq = 0
    for _, same in groupby(rows, attrgetter("key")):
        row: CarriedRow = max((each.row for each in same), key=attrgetter("rank"))
        if row.rank.first >= floor:
            seq += 1
            yield row._replace(seq=seq)
