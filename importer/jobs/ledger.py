"""The ledger of a product: an index of the journals of its jobs (docs/reference.md, A14).

Nothing in it is more than the journals say. Without it all that it knows is read from them again;
only what jobs have left that are gone is lost then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from importer.errors import JournalError
from importer.jobs import sqlite_file
from importer.jobs.doubts import Doubt
from importer.jobs.forget import Forgotten, erase_comments_of, erase_from_ledger
from importer.jobs.keys import conversation_of, rank_of
from importer.jobs.ledger_lines import Lines
from importer.jobs.records import CarriedRow, JobRecord, JobState, Line, job_number
from importer.jobs.take_in import ENDED, take_in
from importer.model import Meaning, Rank

_FORMAT = 2
#: Conversations that are looked up in one statement.
_AT_ONCE = 500
_REMEDY = "Free some disk space or fix the folder, and run the same command again"
#: That it holds what cannot be may also be a defect of ours: a person decides.
IF_DAMAGED = (
    "Run the same command again. If that does not help, rename it: it is made anew from the "
    "journals of the jobs, and only what jobs have left that are gone is lost"
)

#: Stands before the number of a job whose left-overs are given up.
_GIVEN_UP = "given up: "
_WITH_COMMENTS = f"""
    SELECT run, count(*) FROM left_over LEFT JOIN state ON state.name = '{ENDED}' || run
    WHERE comment IS NOT NULL AND coalesce(value, 0) < ? GROUP BY run
"""
_LINE = "SELECT key, rank, body, coalesce(at, 0.0), run FROM conversation"


class LedgerJob(NamedTuple):
    """What the ledger knows of a job, from when it was there last."""

    number: int
    #: None if nothing but the number is known.
    id: str | None
    #: The name of its folder.
    folder: str | None
    state: JobState
    #: How many transactions of its journal are taken in.
    entries: int
    #: All of the journal is taken in, and no run has been at work on it since.
    complete: bool
    #: The number of its latest run through the product.
    last_run: int


_JOBS = sqlite_file.select("job", LedgerJob._fields) + " ORDER BY number"


class LeftOver(NamedTuple):
    """A row that is left over, by its conversation's key."""

    key: bytes
    row: CarriedRow


class Ledger:
    """The ledger in one file. Its methods are called by one thread at a time.

    Every method raises `JournalError` when the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        """Open the ledger; begin it anew if there is none that can be used."""
        self.path = path
        with self._explained():
            self._db = _opened(path) or _anew(path)
            # What is left over is deleted when its time has come, long before `prune` asks for it.
            self._db.execute("PRAGMA secure_delete = ON")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # The jobs.

    def jobs(self) -> list[LedgerJob]:
        """Return all jobs that it has ever known, by number."""
        with self._explained():
            return [_job(row) for row in self._db.execute(_JOBS)]

    def note_jobs(self, jobs: Iterable[JobRecord], *, synced: bool = False) -> None:
        """Note where the jobs stand: their folders, states and runs."""
        within = sqlite_file.synced if synced else sqlite_file.transaction
        with self._explained(), within(self._db):
            self._db.executemany(
                "INSERT INTO job (number, id, folder, state, last_run) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (number) DO UPDATE SET id = excluded.id, folder = excluded.folder, "
                "state = excluded.state, last_run = max(last_run, excluded.last_run)",
                [(job.number, job.id or None, job.name, job.state, job.last_run) for job in jobs],
            )

    def note_run(self, number: int, run: int) -> None:
        """Note, durably, that a run is at work on the job: it has more than was taken in."""
        with self._explained(), sqlite_file.synced(self._db):
            self._db.execute(
                "UPDATE job SET last_run = ?, complete = 0 WHERE number = ?", (run, number)
            )

    @property
    def floor(self) -> int:
        """The number at or below which nothing is sure (docs/reference.md, A15)."""
        return self._state("floor")

    @property
    def quiet_run(self) -> int:
        """The run of which, like of those before it, no request takes effect any more."""
        return self._state("quiet_run")

    def raise_to(self, *, floor: int = 0, quiet_run: int = 0) -> None:
        """Raise the floor, or the number of the latest quiet run; neither ever sinks."""
        with self._explained(), sqlite_file.transaction(self._db):
            self._db.executemany(
                "UPDATE state SET value = max(value, ?) WHERE name = ?",
                [(floor, "floor"), (quiet_run, "quiet_run")],
            )

    def _state(self, name: str) -> int:
        with self._explained():
            row = self._db.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
            return int(row[0])

    # The conversations.

    def take_in(
        self, job: JobRecord, known: int, doubts: Sequence[Doubt], *, synced: bool = False
    ) -> None:
        """Take in the job's journal beyond its first `known` entries, and its `doubts` anew.

        The journal is synced. With `synced` the ledger is as well, afterwards.
        """
        with self._explained():
            take_in(self._db, job, known, doubts, synced=synced)

    def lines(self, part: int) -> Lines:
        """Return the conversations whose keys begin with the byte `part`, by key."""
        after = bytes([part + 1]) if part < 255 else b"\xff" * 17
        with self._explained():
            return Lines.of_rows(
                self._db.execute(
                    f"{_LINE} WHERE key >= ? AND key < ? ORDER BY key", (bytes([part]), after)
                )
            )

    def look_up(self, keys: Iterable[bytes]) -> dict[bytes, Line]:
        """Return the lines of those of the conversations that have one."""
        with self._explained():
            return _looked_up(self._db, list(keys))

    def erase(self, forgotten: Forgotten, tombs: Mapping[bytes, bytes]) -> Counter[str]:
        """Take conversations out; see `erase_from_ledger`."""
        with self._explained():
            return erase_from_ledger(self._db, forgotten, tombs)

    def erase_comments_of(self, runs: Collection[int]) -> None:
        """Take out what is left over of these runs and has a comment."""
        with self._explained():
            erase_comments_of(self._db, runs)

    def note_forgotten(self) -> None:
        """Note that conversations were taken out, of journals that may be gone one day."""
        with self._explained():
            self._db.execute("INSERT OR REPLACE INTO state (name, value) VALUES ('forgotten', 1)")

    @property
    def has_forgotten(self) -> bool:
        """Whether conversations were taken out."""
        with self._explained():
            found = self._db.execute("SELECT 1 FROM state WHERE name = 'forgotten'").fetchone()
        return found is not None

    def note_given_up(self, numbers: Iterable[int]) -> None:
        """Note that what these jobs have brought is not tried again: they may be gone one day."""
        with self._explained(), sqlite_file.transaction(self._db):
            self._db.executemany(
                "INSERT OR REPLACE INTO state (name, value) VALUES (?, ?)",
                [(f"{_GIVEN_UP}{number}", number) for number in numbers],
            )

    def given_up(self) -> set[int]:
        """Return the numbers of the jobs whose left-overs are given up."""
        with self._explained():
            found = self._db.execute(
                "SELECT value FROM state WHERE name LIKE ?", (f"{_GIVEN_UP}%",)
            )
            return {int(number) for (number,) in found}

    def conversations(self) -> int:
        """Return how many conversations there are."""
        with self._explained():
            (number,) = self._db.execute("SELECT count(*) FROM conversation").fetchone()
        return int(number)

    def left_overs(self) -> Iterator[LeftOver]:
        """Yield what is left over, by key; the rows have no number yet (0)."""
        with self._explained():
            for key, rank, rating, comment, ask_status in self._db.execute(
                "SELECT key, rank, rating, comment, ask_status FROM left_over ORDER BY key"
            ):
                yield LeftOver(
                    key,
                    CarriedRow(
                        0, conversation_of(key), rank_of(rank), rating and Meaning(rating),
                        sqlite_file.text(comment), bool(ask_status),
                    ),
                )  # fmt: skip

    def doubts(self) -> Iterator[tuple[bytes, int, int, int, bool]]:
        """Yield key, job, rank (as a number), run, and whether it is in doubt, of each open row."""
        with self._explained():
            for key, job, rank, run, in_doubt in self._db.execute(
                "SELECT key, job, rank, run, in_doubt FROM doubt ORDER BY key"
            ):
                yield key, job, rank, run, bool(in_doubt)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        with sqlite_file.explained(f"the ledger {self.path}", _REMEDY, if_damaged=IF_DAMAGED):
            try:
                yield
            except sqlite_file.Error as error:
                if not sqlite_file.is_damage(error):
                    raise
                for suffix in ("", *sqlite_file.SIDE_FILES):
                    with suppress(FileNotFoundError):
                        path = self.path.with_name(self.path.name + suffix)
                        path.replace(self.path.with_name(f"{self.path.name}.damaged{suffix}"))
                raise JournalError(
                    f"the ledger {self.path} was damaged ({error}) and is set aside: run the same "
                    "command again, and it is made anew from the journals of the jobs"
                ) from None


def known_jobs(path: Path) -> tuple[list[LedgerJob], int]:
    """Return the jobs that the ledger at `path` knows, and its floor, without holding anything.

    There are none if there is no ledger, or none that can be used.
    """
    try:
        with closing(sqlite_file.connect(path, read_only=True)) as db:
            jobs = [_job(row) for row in db.execute(_JOBS)]
            (floor,) = db.execute("SELECT value FROM state WHERE name = 'floor'").fetchone()
    except sqlite_file.EXPLAINED:
        return [], 0
    return jobs, floor


def known_ranks(path: Path, keys: Iterable[bytes]) -> dict[bytes, Rank]:
    """Return the highest rank that is settled of each of the conversations that the ledger knows.

    Of the one at `path`, without holding anything: as far as it has taken the journals in. There
    are none if there is no ledger, or none that can be used.
    """
    try:
        with closing(sqlite_file.connect(path, read_only=True)) as db:
            return {key: line.rank for key, line in _looked_up(db, list(keys)).items()}
    except sqlite_file.EXPLAINED:
        return {}


def left_over_comments(path: Path, before: float) -> dict[int, int]:
    """Return how many rows with a comment are left over of which run, by its number.

    Of the ledger at `path`, and of jobs that ended before then (Unix seconds) or of which it does
    not know when they did, without holding anything. There are none if there is no ledger, or none
    that can be used.
    """
    try:
        with closing(sqlite_file.connect(path, read_only=True)) as db:
            return dict(db.execute(_WITH_COMMENTS, (before,)))
    except sqlite_file.EXPLAINED:
        return {}


def _looked_up(db: sqlite_file.Connection, keys: Sequence[bytes]) -> dict[bytes, Line]:
    found: dict[bytes, Line] = {}
    for start in range(0, len(keys), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        lines = Lines.of_rows(
            db.execute(f"{_LINE} WHERE key IN ({', '.join('?' * len(some))})", some)
        )
        found.update(zip(lines.keys, lines.each(), strict=True))
    return found


def _job(row: Sequence[Any]) -> LedgerJob:
    number, job_id, folder, state, entries, complete, last_run = row
    return LedgerJob(
        job_number(number), job_id, folder, JobState(state), int(entries), bool(complete),
        int(last_run),
    )  # fmt: skip


def _opened(path: Path) -> sqlite_file.Connection | None:
    """Return the ledger if it is there, whole and of this format, else None."""
    if not path.exists():
        return None
    db = sqlite_file.connect(path)
    try:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == _FORMAT:
            sqlite_file.journal_safely(db, path)
            db.execute("SELECT count(*) FROM job").fetchone()
            return db
    except sqlite_file.Error as error:
        db.close()
        if sqlite_file.is_damage(error):
            return None
        raise
    db.close()
    if version > _FORMAT:
        raise JournalError(
            f"{path} has ledger format {version}, and this version reads format {_FORMAT}: use "
            "the version that wrote it"
        )
    return None


def _anew(path: Path) -> sqlite_file.Connection:
    with sqlite_file.creating(path, "ledger.sql") as db:
        db.execute(f"PRAGMA user_version = {_FORMAT}")
    db = sqlite_file.connect(path)
    sqlite_file.journal_safely(db, path)
    return db
