"""SQLite files: how they are made, opened, written and, when that fails, explained.

The only module that knows SQLite. Connections may move between threads, but each is used by one at
a time. Outside of `transaction` each statement lasts by itself.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path

from importer.common.file_system import JournalMode, journal_mode
from importer.common.files import atomic_write
from importer.errors import JournalError

Connection = sqlite3.Connection
#: Raised for a line whose key is in the table already.
DuplicateError = sqlite3.IntegrityError
#: What it says of a file that is not there, or belongs to somebody else.
_NOT_OPENED = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY)
#: What SQLite keeps beside a file.
SIDE_FILES = ("-wal", "-shm", "-journal")
#: What SQLite raises.
Error = sqlite3.Error
#: What is raised of a file that SQLite can read, and that holds what nobody has written there.
_IMPOSSIBLE = (
    ValueError, TypeError, AttributeError, LookupError, OverflowError, AssertionError, zlib.error
)  # fmt: skip
_START_OVER = "The file is damaged: look at the disk, and start over with --restart"
#: What a block of `explained` turns into a message.
EXPLAINED = (sqlite3.Error, OSError, *_IMPOSSIBLE)


@contextmanager
def creating(path: Path, schema: str) -> Iterator[Connection]:
    """Make the file at `path`, to be filled in the block; it is there whole or not at all.

    Afterwards it lasts, also after a power cut. `schema` names the file of its tables, which stands
    beside this module.
    """
    for suffix in SIDE_FILES:  # of one that is gone: SQLite would take them for those of this one
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    # SQLite gives its side files the permissions of the main one.
    with (
        atomic_write(path, durable=True) as temporary,
        closing(sqlite3.connect(temporary)) as db,
    ):
        # Until it has its name the file is worth nothing: it is synced once, when it is whole.
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        db.executescript(files("importer.jobs").joinpath(schema).read_text("utf-8"))
        yield db
        db.commit()


def connect(path: Path, *, read_only: bool = False) -> Connection:
    """Open the file at `path`, which must be there."""
    return sqlite3.connect(
        uri(path, read_only=read_only), uri=True, isolation_level=None, check_same_thread=False
    )


def in_memory() -> Connection:
    """Return a database without a file, to which others can be attached."""
    return sqlite3.connect(":memory:", uri=True, isolation_level=None, check_same_thread=False)


def uri(path: Path, *, read_only: bool = True) -> str:
    """Return how SQLite is told of a file that must be there, to open or attach it."""
    # What a killed process has begun to change can only be undone by who may write.
    begun = path.with_name(f"{path.name}-journal")
    mode = "ro" if read_only and not (begun.exists() and may_write(path)) else "rw"
    if read_only and not may_write(path) and not path.with_name(f"{path.name}-wal").exists():
        mode += "&immutable=1"  # else SQLite would make a side file
    return f"{path.absolute().as_uri()}?mode={mode}"


def journal_safely(db: Connection, path: Path) -> None:
    """Have changes to the file at `path` journalled in a way that is safe on its file system.

    What is deleted leaves no bytes in it, whatever SQLite was built for. A killed process then
    loses nothing. A power cut loses at most the last transactions of a write-ahead log. Raises
    `SettingsError` where there is no safe way.
    """
    mode = journal_mode(path.parent)
    db.execute("PRAGMA secure_delete = ON")
    db.execute(f"PRAGMA journal_mode = {mode}")
    # A rollback journal that was not synced could leave a damaged file behind.
    db.execute(f"PRAGMA synchronous = {'NORMAL' if mode is JournalMode.WAL else 'FULL'}")


def may_write(path: Path) -> bool:
    """Return whether the file at `path`, and others beside it, may be written."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


@contextmanager
def transaction(db: Connection) -> Iterator[None]:
    """Let all that is written in the block last or, after an exception, nothing of it."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


@contextmanager
def synced(db: Connection) -> Iterator[None]:
    """Let all that is written in the block last, also after a power cut, once it is left.

    The sync carries every earlier transaction of the file with it. After an exception nothing of
    the block lasts.
    """
    (usual,) = db.execute("PRAGMA synchronous").fetchone()
    db.execute("PRAGMA synchronous = FULL")
    try:
        with transaction(db):
            yield
    finally:
        db.execute(f"PRAGMA synchronous = {usual}")


class Changed:
    """Makes changes, and counts the lines that each has met by the table."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self.counts: Counter[str] = Counter()

    def __call__(self, table: str, statement: str) -> None:
        """Make a change in a table."""
        self.counts[table] += self._db.execute(statement).rowcount


@contextmanager
def erasing(db: Connection, gone: Mapping[bytes, bytes]) -> Iterator[Changed]:
    """Let what is deleted or overwritten in the block leave no byte in the file or beside it.

    The table `temp.gone` has the lines of `gone` meanwhile. The file is made anew afterwards,
    without free pages, and its write-ahead log is emptied. If the block is left and that fails, the
    changes last and their bytes may still be there: see `empty_log`.
    """
    db.execute("PRAGMA temp_store = MEMORY")
    db.execute("CREATE TEMP TABLE gone (key BLOB PRIMARY KEY, tomb BLOB NOT NULL) WITHOUT ROWID")
    db.executemany("INSERT INTO temp.gone (key, tomb) VALUES (?, ?)", gone.items())
    with synced(db):
        yield Changed(db)
    db.execute("PRAGMA temp_store = DEFAULT")  # which drops the table
    db.execute("VACUUM")
    empty_log(db)


def empty_log(db: Connection) -> None:
    """Bring all that is in the write-ahead log into the file itself, and leave none in the log.

    Raises what SQLite raises if another program holds it up.
    """
    (is_busy, *_) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if is_busy:
        error = sqlite3.OperationalError("another program reads it")
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise error


@contextmanager
def attached(
    db: Connection, path: Path, name: str, *, what: str, if_damaged: str
) -> Iterator[None]:
    """Attach the file at `path` to `db` in the block, by that name.

    SQLite does not tell in which of two files it finds damage. If it is in this one, that is a
    `JournalError` of it; for `what` and `if_damaged` see `explained`.
    """
    with explained(what, if_damaged, if_damaged=if_damaged):
        db.execute(f"ATTACH DATABASE ? AS {name}", (uri(path),))
    try:
        yield
    except Error as error:
        if is_damage(error) and not _is_whole(path):
            with explained(what, if_damaged, if_damaged=if_damaged):
                raise
        raise
    finally:
        db.execute(f"DETACH DATABASE {name}")


def _is_whole(path: Path) -> bool:
    """Return whether SQLite finds no damage in any page of the file; that reads all of it."""
    try:
        with closing(connect(path, read_only=True)) as db:
            return bool(db.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except Error:
        return False


@contextmanager
def explained(what: str, remedy: str, *, if_damaged: str = _START_OVER) -> Iterator[None]:
    """Turn what SQLite and the file system raise into a message for a person: a `JournalError`.

    `what` names the file. `remedy` says in sentences what to do if the cause is not known, and
    `if_damaged` if the file holds what nobody has written there.
    """
    try:
        yield
    except EXPLAINED as error:
        said = (error.strerror if isinstance(error, OSError) else "") or str(error)
        if isinstance(error, _IMPOSSIBLE):
            said = f"it holds what cannot be ({said})"
        code = _code(error)
        if code == sqlite3.SQLITE_BUSY:
            remedy = "Another program has it open: close that one, and run the same command again"
        elif isinstance(error, PermissionError) or code in _NOT_OPENED:
            remedy = (
                "See that it is there and that you may read and write it and its folder; a job "
                "belongs to the user who began it"
            )
        elif is_damage(error) or isinstance(error, _IMPOSSIBLE):
            remedy = if_damaged
        raise JournalError(f"{what} cannot be used: {said}. {remedy}") from None


def text(value: object) -> str | None:
    """Return what a column of text holds. Raises `ValueError` where that is something else."""
    if value is None or isinstance(value, str):
        return value
    raise ValueError("a value that is no text stands in a column of text")


def is_damage(error: BaseException) -> bool:
    """Return whether SQLite says that the file is no database, or none that is whole."""
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _code(error: BaseException) -> int:
    """Return the code of an error of SQLite's; what is above these bits says more of the same."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def insert(table: str, columns: Sequence[str], *, rows: int = 1, replace: bool = False) -> str:
    """Return the statement that puts so many lines of these columns into a table."""
    line = f"({', '.join('?' * len(columns))})"
    verb = "INSERT OR REPLACE" if replace else "INSERT"
    return f"{verb} INTO {table} ({', '.join(columns)}) VALUES {', '.join([line] * rows)}"


def select(table: str, columns: Sequence[str]) -> str:
    """Return the statement that reads these columns of all lines, to be narrowed down."""
    return f"SELECT {', '.join(columns)} FROM {table}"
