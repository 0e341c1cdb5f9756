"""The journal of a job: the lasting record of its rows, in one SQLite file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from importer.common.row_set import RowSet
from importer.errors import JournalError
from importer.jobs import sqlite_file
from importer.jobs.journal_lines import (
    COLUMNS,
    KIND_IDS,
    KINDS,
    RUN_COLUMNS,
    moment_line,
    outcome_line,
    outcome_of,
    run_of,
)
from importer.jobs.records import Entry, InputFile, LastRun, Totals
from importer.model import Attempt, Deferral, Moment, Outcome, OutcomeKind, Reason, RunEnd, Warn

FILE_NAME = "journal.sqlite"

_FORMAT = "3"
_MOST = 2**63 - 1

#: A row that was sent, or gave way to one that was: it stands above the earlier rows of its
#: conversation for good.
_SENT = (
    OutcomeKind.SUCCEEDED, OutcomeKind.UNCHANGED, OutcomeKind.SUPERSEDED, OutcomeKind.FAILED,
    OutcomeKind.NOT_COMPLETED,
)  # fmt: skip
_SENT_IDS = ", ".join(str(KIND_IDS[kind]) for kind in _SENT)

_OVERTAKEN = f"""
    SELECT DISTINCT earlier.seq
    FROM outcome AS later JOIN temp.candidate AS earlier
      ON earlier.conversation = later.conversation AND earlier.seq < later.seq
    WHERE later.kind IN ({_SENT_IDS})
"""
#: INSERTs of so many rows. Each statement lets go of the interpreter's lock, and to get it back
#: from a busy event loop costs more than a row: so a batch is written with few statements.
_INSERTS = {rows: sqlite_file.insert("outcome", COLUMNS, rows=rows) for rows in (256, 32, 4, 1)}


class Journal:
    """The record of one job. Its methods are called by one thread at a time.

    Every method raises `JournalError` when the record cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        """Open the journal in `folder`. Raises `JournalError` if there is none to be used."""
        path = folder / FILE_NAME
        with explained(path):
            self._db = sqlite_file.connect(path)
            try:
                # Rows of transactions that a power cut loses are sent again.
                sqlite_file.journal_safely(self._db, path)
                check_format(self._db, path)
            except BaseException:
                self._db.close()
                raise
        self.path = path

    @classmethod
    def create(cls, folder: Path, inputs: Sequence[InputFile], facts: Mapping[str, str]) -> Journal:
        """Make the journal of a new job and open it. `facts` describe the job (no secrets)."""
        path = folder / FILE_NAME
        with explained(path), sqlite_file.creating(path, "journal.sql") as db:
            db.executemany(sqlite_file.insert("outcome_kind", ("id", "name")), enumerate(KINDS))
            db.executemany(
                sqlite_file.insert("job", ("name", "value")),
                [*facts.items(), ("format", _FORMAT), ("rows_read", "0")],
            )
            db.executemany(
                sqlite_file.insert("input", ("position", *InputFile._fields)),
                [(position, *file.line()) for position, file in enumerate(inputs)],
            )
        return cls(folder)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def inputs(self) -> list[InputFile]:
        """Return the files that the job began with."""
        with explained(self.path):
            rows = self._db.execute(
                sqlite_file.select("input", InputFile._fields) + " ORDER BY position"
            )
            return [InputFile.of_line(*row) for row in rows]

    def first_seqs(self) -> list[int | None]:
        """Return where the rows of each input begin, as far as that is known."""
        with explained(self.path):
            return [r[0] for r in self._db.execute("SELECT first_seq FROM input ORDER BY position")]

    def facts(self) -> dict[str, str]:
        """Return what the job was created with."""
        with explained(self.path):
            return dict(self._db.execute("SELECT name, value FROM job"))

    def last_run(self) -> LastRun | None:
        """Return how the latest run ended, or None if there was no run yet."""
        with explained(self.path):
            row = self._db.execute(
                sqlite_file.select("run", RUN_COLUMNS) + " ORDER BY number DESC LIMIT 1"
            ).fetchone()
        return row and run_of(row)

    def begin_run(self, now: float, quiet_at: float, settings: Mapping[str, object]) -> int:
        """Note that a run starts (Unix seconds), with what settings, and return its number."""
        with explained(self.path):
            number = self._db.execute(
                "INSERT INTO run (started_at, quiet_at, settings) VALUES (?, ?, ?)",
                (now, quiet_at, json.dumps(settings)),
            ).lastrowid
        assert number is not None  # noqa: S101 -- an INSERT has one
        return number

    def end_run(self, now: float, end: RunEnd, message: str, quiet_at: float) -> None:
        """Note how the run ended."""
        with explained(self.path):
            self._db.execute(
                "UPDATE run SET ended_at = ?, ended = ?, message = ?, quiet_at = ? "
                "WHERE number = (SELECT max(number) FROM run)",
                (now, end, message, quiet_at),
            )

    def write(self, entry: Entry) -> None:
        """Record all of `entry` or, if that fails, nothing."""
        with explained(self.path), sqlite_file.transaction(self._db):
            self._insert(entry.outcomes, entry.at)
            self._db.executemany(
                sqlite_file.insert("deferral", Deferral._fields, replace=True), entry.deferrals
            )
            self._db.executemany(sqlite_file.insert("attempt", Attempt._fields), entry.attempts)
            if (moment := entry.moment) is not None:
                self._db.execute(
                    sqlite_file.insert("moment", Moment._fields, replace=True),
                    moment_line(moment),
                )
            self._db.executemany(
                "UPDATE input SET first_seq = ? WHERE position = ?",
                [(seq, position) for position, seq in entry.first_seqs.items()],
            )
            self._db.execute(
                "UPDATE job SET value = max(CAST(value AS INTEGER), ?) WHERE name = 'rows_read'",
                (entry.rows_read,),
            )
            self._db.execute(
                "UPDATE run SET quiet_at = ? WHERE number = (SELECT max(number) FROM run)",
                (entry.quiet_at,),
            )

    def _insert(self, outcomes: Sequence[Outcome], at: float) -> None:
        done = 0
        for rows, statement in _INSERTS.items():
            while done + rows <= len(outcomes):
                values = (outcome_line(outcome, at) for outcome in outcomes[done : done + rows])
                self._db.execute(statement, list(chain.from_iterable(values)))
                done += rows

    def settled(self) -> RowSet:
        """Return the set of the rows that have an outcome."""
        rows = RowSet()
        with explained(self.path):
            for (seq,) in self._db.execute("SELECT seq FROM outcome"):
                rows.add(seq)
        return rows

    def deferrals(self) -> dict[int, Deferral]:
        """Return the rows that are still deferred, by seq."""
        with explained(self.path):
            rows = self._db.execute(
                sqlite_file.select("deferral", Deferral._fields)
                + " WHERE seq NOT IN (SELECT seq FROM outcome)"
            )
            return {deferral.seq: deferral for deferral in map(Deferral._make, rows)}

    def nothing_sent(self) -> bool:
        """Return whether no response of the service is recorded."""
        with explained(self.path):
            (sent,) = self._db.execute(
                "SELECT EXISTS (SELECT 1 FROM outcome WHERE attempts) "
                "OR EXISTS (SELECT 1 FROM deferral)"
            ).fetchone()
        return not sent

    def totals(self) -> Totals:
        """Return the job's figures."""
        outcomes = dict.fromkeys(OutcomeKind, 0)
        reasons: Counter[tuple[OutcomeKind, Reason]] = Counter()
        warnings: Counter[Warn] = Counter()
        puts = 0
        with explained(self.path):
            for kind, reason, warning, number, sent in self._db.execute(
                "SELECT kind, reason, warning, count(*), sum(attempts) FROM outcome "
                "GROUP BY kind, reason, warning"
            ):
                outcomes[KINDS[kind]] += number
                puts += sent
                if reason is not None:
                    reasons[KINDS[kind], Reason(reason)] += number
                if warning is not None:
                    warnings[Warn(warning)] += number
            rows = int(self._value("rows_read") or 0)
        outcomes[OutcomeKind.PENDING] = rows - sum(outcomes.values())
        return Totals(rows, outcomes, reasons, warnings, puts)

    def outcomes(
        self, kind: OutcomeKind | None = None, first: int = 1, last: int | None = None
    ) -> Iterator[Outcome]:
        """Yield the recorded outcomes from seq `first` to `last`, by seq; of one kind, if given."""
        with explained(self.path):
            for row in self._db.execute(
                sqlite_file.select("outcome", COLUMNS)
                + " WHERE seq BETWEEN ? AND ? AND kind = coalesce(?, kind) ORDER BY seq",
                (first, _MOST if last is None else last, None if kind is None else KIND_IDS[kind]),
            ):
                yield outcome_of(row)

    def overtaken(self, kind: OutcomeKind) -> set[int]:
        """Return the rows of `kind` (by seq) after which a row of their conversation was sent."""
        with explained(self.path):
            self._select_candidates([kind])
            return {seq for (seq,) in self._db.execute(_OVERTAKEN)}

    def reopen(
        self, kinds: Collection[OutcomeKind], reasons: Collection[Reason] = frozenset()
    ) -> int:
        """Make the rows that ended so (for these reasons, if any are given) pending again.

        Returns how many.

        A row stays as it is if a later row of its conversation was sent: to send it now would
        overwrite the newer feedback.
        """
        with explained(self.path), sqlite_file.transaction(self._db):
            self._select_candidates(kinds, reasons)
            reopened = f"SELECT seq FROM temp.candidate WHERE seq NOT IN ({_OVERTAKEN})"
            self._db.execute(f"DELETE FROM deferral WHERE seq IN ({reopened})")
            return self._db.execute(f"DELETE FROM outcome WHERE seq IN ({reopened})").rowcount

    def _select_candidates(
        self, kinds: Collection[OutcomeKind], reasons: Collection[Reason] = frozenset()
    ) -> None:
        """Gather such rows by conversation, so that later rows are found in one scan."""

        def marks(values: Collection[object]) -> str:
            return ", ".join("?" * len(values))

        self._db.execute("DROP TABLE IF EXISTS temp.candidate")
        self._db.execute(
            "CREATE TEMP TABLE candidate "
            "(conversation BLOB, seq INTEGER, PRIMARY KEY (conversation, seq)) WITHOUT ROWID"
        )
        self._db.execute(
            "INSERT INTO temp.candidate (conversation, seq) SELECT conversation, seq FROM outcome "
            f"WHERE kind IN ({marks(kinds)}) AND conversation IS NOT NULL "
            f"AND (? OR reason IN ({marks(reasons)}))",
            [*(KIND_IDS[kind] for kind in kinds), not reasons, *reasons],
        )

    def _value(self, name: str) -> str | None:
        return _fact(self._db, name)


def check_format(db: sqlite_file.Connection, path: Path) -> None:
    """Raise `JournalError` if the journal is not of the format that this version reads."""
    if (found := _fact(db, "format")) != _FORMAT:
        raise JournalError(
            f"{path} has journal format {found}, and this version reads format {_FORMAT}: finish "
            "the job with the version that began it, or start over with --restart"
        )


def _fact(db: sqlite_file.Connection, name: str) -> str | None:
    row = db.execute("SELECT value FROM job WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row[0])


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into a message for a person."""
    remedy = (
        "Free some disk space or fix the folder, and run the same command to resume, or start over "
        "with --restart"
    )
    with sqlite_file.explained(f"the journal {path}", remedy):
        try:
            yield
        except sqlite_file.DuplicateError as error:
            raise JournalError(
                f"{path}: a row got a second outcome ({error}); please report this"
            ) from None
