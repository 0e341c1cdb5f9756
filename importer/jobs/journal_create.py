"""Makes the journal of a new job: whole, and durable before it is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from importer.jobs import sqlite_file
from importer.jobs.journal import Journal
from importer.jobs.journal_file import FILE_NAME, FORMAT, explained
from importer.jobs.journal_lines import KINDS
from importer.jobs.keys import key_of, rank_number
from importer.jobs.records import CarriedRow, InputFile, JobState, NewJob, Placed, RankedRow

_CARRIED = ("seq", "conversation", "rating", "comment", "ask_status")
_KEPT = ("seq", "conversation", "rating", "comment")


def create_journal(
    folder: Path,
    new: NewJob,
    *,
    number: int,
    job_id: str,
    floor: int = 0,
    ends: Mapping[str, JobState] | None = None,
) -> Journal:
    """Make the journal of `new` in `folder` and open it.

    `number` is the job's among those of its product, `floor` the product's now, and `ends` the jobs
    that end with this one's beginning, by id. Raises `JournalError`; then there is no journal.
    """
    path = folder / FILE_NAME
    facts = {
        **new.facts,
        "format": FORMAT,
        "id": job_id,
        "number": str(number),
        "rows": str(new.rows),
        "floor": str(floor),
        "survey": new.survey,
        "keeps_bodies": str(int(new.kept is not None)),
    }
    with explained(path), sqlite_file.creating(path, "journal.sql") as db:
        db.executemany(sqlite_file.insert("outcome_kind", ("id", "name")), enumerate(KINDS))
        db.executemany(
            sqlite_file.insert("input", ("position", *InputFile._fields)),
            [(position, *file.line()) for position, file in enumerate(new.inputs)],
        )
        db.executemany(sqlite_file.insert("ends", ("id", "state")), (ends or {}).items())
        db.executemany(
            sqlite_file.insert("not_sent", ("reason", "rows")),
            [(reason, rows.pack()) for reason, rows in new.not_sent.items() if rows.count],
        )
        carried: list[tuple[int, int]] = []
        db.executemany(sqlite_file.insert("carried", _CARRIED), _carried(new.carried, carried))
        db.executemany(sqlite_file.insert("ranked", RankedRow._fields), carried)
        db.executemany(
            sqlite_file.insert("ranked", RankedRow._fields),
            ((seq, rank_number(rank)) for seq, rank in new.ranked),
        )
        db.executemany(sqlite_file.insert("placed", Placed._fields), new.placed)
        db.executemany(
            sqlite_file.insert("kept", _KEPT),
            ((f.seq, key_of(f.conversation_id), f.rating, f.comment) for f in new.kept or ()),
        )
        db.executemany(sqlite_file.insert("job", ("name", "value")), facts.items())
    return Journal(folder)


def _carried(
    rows: Iterable[CarriedRow], ranks: list[tuple[int, int]]
) -> Iterator[tuple[object, ...]]:
    """Yield the lines of the carried-over rows, and put their ranks into `ranks`."""
    for row in rows:
        ranks.append((row.seq, rank_number(row.rank)))
        yield row.seq, key_of(row.conversation_id), row.rating, row.comment, row.ask_status
