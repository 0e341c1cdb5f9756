"""The journal in one SQLite file."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from importlib.resources import files
from itertools import chain
from pathlib import Path

from importer.common.files import atomic_write
from importer.common.row_set import RowSet
from importer.common.uuids import hyphenated
from importer.errors import JournalError
from importer.jobs.records import Entry, InputFile, LastRun, Totals
from importer.model import Deferral, Outcome, OutcomeKind, Reason, RunEnd, Warn

FILE_NAME = "journal.sqlite"

_KINDS = list(OutcomeKind)
KIND_IDS = {kind: number for number, kind in enumerate(_KINDS)}
_FORMAT = "2"
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
_COLUMN_NAMES = (
    "seq", "kind", "conversation", "attempts", "http_status", "updated_at", "reason", "detail",
    "warning", "settled_at",
)  # fmt: skip
COLUMNS = ", ".join(_COLUMN_NAMES)
_VALUES = f"({', '.join('?' * len(_COLUMN_NAMES))})"
#: INSERTs of so many rows. Each statement lets go of the interpreter's lock, and to get it back
#: from a busy event loop costs more than a row: so a batch is written with few statements.
_INSERTS = {
    rows: f"INSERT INTO outcome ({COLUMNS}) VALUES {', '.join([_VALUES] * rows)}"
    for rows in (256, 32, 4, 1)
}


class SqliteJournal:
    """A `Journal`. Its connection may move between threads, but is used by one at a time."""

    def __init__(self, folder: Path) -> None:
        """Open the journal in `folder`. Raises `JournalError` if there is none to be used."""
        path = folder / FILE_NAME
        with explained(path):
            self._db = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw",
                uri=True, isolation_level=None, check_same_thread=False,
            )  # fmt: skip
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                # With WAL, a killed process loses nothing; a power cut loses at most the last
                # transactions, whose rows are then sent again.
                self._db.execute("PRAGMA synchronous = NORMAL")
                found = self._value("format")
            except BaseException:
                self._db.close()
                raise
        self.path = path
        if found != _FORMAT:
            self._db.close()
            raise JournalError(f"{path} is of format {found}; this version reads {_FORMAT}")

    @classmethod
    def create(
        cls, folder: Path, inputs: Sequence[InputFile], facts: Mapping[str, str]
    ) -> SqliteJournal:
        """Make the journal of a new job and open it. `facts` describe the job (no secrets)."""
        path = folder / FILE_NAME
        # SQLite gives its side files the permissions of the main one.
        with (
            explained(path),
            atomic_write(path) as temporary,
            closing(sqlite3.connect(temporary)) as db,
        ):
            schema = files("importer.jobs").joinpath("journal.sql").read_text("utf-8")
            db.executescript(schema)
            db.executemany("INSERT INTO outcome_kind VALUES (?, ?)", enumerate(_KINDS))
            db.executemany(
                "INSERT INTO job VALUES (?, ?)",
                [*facts.items(), ("format", _FORMAT), ("rows_read", "0")],
            )
            db.executemany(
                "INSERT INTO input VALUES (?, ?, ?, ?, NULL)",
                [(position, *file) for position, file in enumerate(inputs)],
            )
            db.commit()
        return cls(folder)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def inputs(self) -> list[InputFile]:
        """Return the files that the job began with."""
        with explained(self.path):
            rows = self._db.execute("SELECT path, size, digest FROM input ORDER BY position")
            return [InputFile(*row) for row in rows]

    def first_seqs(self) -> list[int | None]:
        """See `Journal`."""
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
                "SELECT number, started_at, ended_at, ended, message, quiet_at FROM run "
                "ORDER BY number DESC LIMIT 1"
            ).fetchone()
        return row and LastRun(row[0], row[1], row[2], row[3] and RunEnd(row[3]), row[4], row[5])

    def begin_run(self, now: float, quiet_at: float, settings: Mapping[str, object]) -> int:
        """See `Journal`."""
        with explained(self.path):
            number = self._db.execute(
                "INSERT INTO run (started_at, quiet_at, settings) VALUES (?, ?, ?)",
                (now, quiet_at, json.dumps(settings)),
            ).lastrowid
        assert number is not None  # noqa: S101 -- an INSERT has one
        return number

    def end_run(self, now: float, end: RunEnd, message: str, quiet_at: float) -> None:
        """See `Journal`."""
        with explained(self.path):
            self._db.execute(
                "UPDATE run SET ended_at = ?, ended = ?, message = ?, quiet_at = ? "
                "WHERE number = (SELECT max(number) FROM run)",
                (now, end, message, quiet_at),
            )

    def write(self, entry: Entry) -> None:
        """See `Journal`."""
        with explained(self.path), self._transaction():
            self._insert(entry.outcomes, entry.at)
            self._db.executemany(
                "INSERT OR REPLACE INTO deferral VALUES (?, ?, ?, ?, ?, ?)", entry.deferrals
            )
            self._db.executemany("INSERT INTO attempt VALUES (?, ?, ?, ?, ?, ?)", entry.attempts)
            if (moment := entry.moment) is not None:
                self._db.execute(
                    "INSERT OR REPLACE INTO moment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (*moment[:-1], json.dumps(moment.statuses)),
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
                values = (_to_sql(outcome, at) for outcome in outcomes[done : done + rows])
                self._db.execute(statement, list(chain.from_iterable(values)))
                done += rows

    def settled(self) -> RowSet:
        """See `Journal`."""
        rows = RowSet()
        with explained(self.path):
            for (seq,) in self._db.execute("SELECT seq FROM outcome"):
                rows.add(seq)
        return rows

    def deferrals(self) -> dict[int, Deferral]:
        """See `Journal`."""
        with explained(self.path):
            rows = self._db.execute(
                "SELECT * FROM deferral WHERE seq NOT IN (SELECT seq FROM outcome)"
            )
            return {row[0]: Deferral(*row) for row in rows}

    def nothing_sent(self) -> bool:
        """Return whether no answer of the service is recorded."""
        with explained(self.path):
            (sent,) = self._db.execute(
                "SELECT EXISTS (SELECT 1 FROM outcome WHERE attempts) "
                "OR EXISTS (SELECT 1 FROM deferral)"
            ).fetchone()
        return not sent

    def totals(self) -> Totals:
        """See `Journal`."""
        outcomes = dict.fromkeys(OutcomeKind, 0)
        reasons: Counter[tuple[OutcomeKind, Reason]] = Counter()
        warnings: Counter[Warn] = Counter()
        puts = 0
        with explained(self.path):
            for kind, reason, warning, number, sent in self._db.execute(
                "SELECT kind, reason, warning, count(*), sum(attempts) FROM outcome "
                "GROUP BY kind, reason, warning"
            ):
                outcomes[_KINDS[kind]] += number
                puts += sent
                if reason is not None:
                    reasons[_KINDS[kind], Reason(reason)] += number
                if warning is not None:
                    warnings[Warn(warning)] += number
            rows = int(self._value("rows_read") or 0)
        outcomes[OutcomeKind.PENDING] = rows - sum(outcomes.values())
        return Totals(rows, outcomes, reasons, warnings, puts)

    def outcomes(
        self, kind: OutcomeKind | None = None, first: int = 1, last: int | None = None
    ) -> Iterator[Outcome]:
        """See `Journal`."""
        with explained(self.path):
            for row in self._db.execute(
                f"SELECT {COLUMNS} FROM outcome WHERE seq BETWEEN ? AND ? "
                "AND kind = coalesce(?, kind) ORDER BY seq",
                (first, _MOST if last is None else last, None if kind is None else KIND_IDS[kind]),
            ):
                yield outcome_of(row)

    def overtaken(self, kind: OutcomeKind) -> set[int]:
        """See `Journal`."""
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
        with explained(self.path), self._transaction():
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
            "INSERT INTO temp.candidate SELECT conversation, seq FROM outcome "
            f"WHERE kind IN ({marks(kinds)}) AND conversation IS NOT NULL "
            f"AND (? OR reason IN ({marks(reasons)}))",
            [*(KIND_IDS[kind] for kind in kinds), not reasons, *reasons],
        )

    def _value(self, name: str) -> str | None:
        row = self._db.execute("SELECT value FROM job WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into a message for a person."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise JournalError(
            f"{path}: a row was settled twice ({error}); please report this"
        ) from None
    except (sqlite3.Error, OSError) as error:
        raise JournalError(
            f"the journal {path} cannot be used: {error}. Free the disk or mend the folder and "
            "run the same command to go on, or start over with --restart"
        ) from None


def _to_sql(outcome: Outcome, at: float) -> tuple[object, ...]:
    conversation = outcome.conversation_id
    return (
        outcome.seq,
        KIND_IDS[outcome.kind],
        None if conversation is None else bytes.fromhex(conversation.replace("-", "")),
        outcome.attempts,
        outcome.http_status,
        outcome.updated_at,
        outcome.reason,
        outcome.detail or None,
        outcome.warning,
        at,
    )


def outcome_of(row: Sequence[object]) -> Outcome:
    """Return the outcome that a line of `COLUMNS` holds."""
    seq, kind, conversation, attempts, status, updated_at, reason, detail, warning, at = row
    assert isinstance(seq, int)  # noqa: S101 -- the columns' types are the schema's
    assert isinstance(kind, int)  # noqa: S101
    assert isinstance(attempts, int)  # noqa: S101
    return Outcome(
        seq,
        _KINDS[kind],
        hyphenated(conversation.hex()) if isinstance(conversation, bytes) else None,
        Reason(str(reason)) if reason is not None else None,
        str(detail or ""),
        status if isinstance(status, int) else None,
        attempts,
        str(updated_at) if updated_at is not None else None,
        Warn(str(warning)) if warning is not None else None,
        at if isinstance(at, float) else None,
    )
