"""How SQLite files are opened and written, and what goes wrong with them, in words."""

import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from importer.common.file_system import JournalMode
from importer.errors import JournalError
from importer.jobs import sqlite_file


@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_that_another_program_changes_is_no_reason_to_start_over(
    tmp_path: Path, read_only: bool
) -> None:
    path = tmp_path / "journal.sqlite"
    with (
        closing(sqlite3.connect(path)) as holder,
        closing(sqlite_file.connect(path, read_only=read_only)) as db,
    ):
        holder.execute("BEGIN EXCLUSIVE")
        db.execute("PRAGMA busy_timeout = 0")
        with (
            pytest.raises(JournalError, match=r"is locked\. Another program has it open"),
            sqlite_file.explained("the journal", "Start over with --restart"),
        ):
            db.execute("SELECT * FROM sqlite_schema")


def test_what_a_killed_process_has_begun_to_change_is_undone_also_to_read(tmp_path: Path) -> None:
    path, killed = tmp_path / "journal.sqlite", tmp_path / "killed.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE t (text)")
        db.execute("PRAGMA cache_size = 1")  # so that the change is in the file before it is whole
        db.executemany("INSERT INTO t VALUES (?)", [("x" * 500,)] * 200)
        for suffix in ("", "-journal"):
            shutil.copy(f"{path}{suffix}", f"{killed}{suffix}")
    with closing(sqlite_file.connect(killed, read_only=True)) as db:
        assert db.execute("SELECT count(*) FROM t").fetchone() == (0,)


@pytest.mark.parametrize("link", [True, False])
def test_a_file_that_may_not_be_opened_or_is_damaged_needs_no_disk_space(
    tmp_path: Path, link: bool
) -> None:
    path = tmp_path / "journal.sqlite"
    if not link:
        path.write_text("not a database " * 100)
    remedy = "that you may read and write it" if link else "The file is damaged"
    with (
        pytest.raises(JournalError, match=rf"the journal cannot be used: [a-z ]+\. .*{remedy}"),
        sqlite_file.explained("the journal", "Free some disk space"),
        closing(sqlite_file.connect(path)) as db,
    ):
        db.execute("SELECT 1 FROM job")
    with (
        pytest.raises(JournalError, match=r"used: Permission denied\. See that it is there"),
        sqlite_file.explained("the journal", "Free some disk space"),
    ):
        raise PermissionError(13, "Permission denied", str(path))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file with a table of one line."""
    path = tmp_path / "journal.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript("CREATE TABLE t (text); INSERT INTO t VALUES ('one')")
    return path


def test_outside_of_a_transaction_each_statement_lasts_whichever_thread_makes_it(
    path: Path,
) -> None:
    with closing(sqlite_file.connect(path)) as db, ThreadPoolExecutor() as other_thread:
        other_thread.submit(db.execute, "INSERT INTO t VALUES ('two')").result()
        with closing(sqlite_file.connect(path, read_only=True)) as reader:
            assert reader.execute("SELECT text FROM t").fetchall() == [("one",), ("two",)]
            with pytest.raises(sqlite_file.Error, match="readonly"):
                reader.execute("INSERT INTO t VALUES ('three')")


def test_files_are_attached_to_one_in_memory_to_be_read_from_any_thread(path: Path) -> None:
    with closing(sqlite_file.in_memory()) as db, ThreadPoolExecutor() as other_thread:
        db.execute("CREATE TABLE mine (text)")
        db.execute("INSERT INTO mine VALUES ('two')")
        with attached(db, path):
            found = other_thread.submit(db.execute, "SELECT * FROM mine, j.t").result()
            assert found.fetchall() == [("two", "one")]
            with pytest.raises(sqlite_file.Error, match="readonly"):
                db.execute("INSERT INTO j.t VALUES ('three')")


def test_who_may_not_write_reads_what_is_there_and_makes_no_file_beside_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def may_write(allowed: bool) -> None:
        monkeypatch.setattr("os.access", lambda *_: allowed)

    def lines() -> int:
        with closing(sqlite_file.connect(path, read_only=True)) as db:
            found = db.execute("SELECT count(*) FROM t").fetchone()[0]
            beside.append(sorted(one.name for one in path.parent.iterdir()))
            return int(found)

    beside: list[list[str]] = []
    with closing(sqlite_file.connect(path)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
    may_write(False)
    assert (lines(), beside.pop()) == (1, [path.name])
    may_write(True)
    with closing(sqlite_file.connect(path)) as writer:
        writer.execute("INSERT INTO t VALUES ('two')")
        may_write(False)
        assert lines() == 2, "what stands in the log of one who writes counts"


@pytest.mark.parametrize("read_only", ["file", "folder"])
def test_a_file_may_be_written_if_others_beside_it_may_be_as_well(
    path: Path, read_only: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sqlite_file.may_write(path)
    kept = {"file": path, "folder": path.parent}[read_only]
    monkeypatch.setattr("os.access", lambda one, _: one != kept)
    assert not sqlite_file.may_write(path)


@pytest.mark.parametrize(("mode", "usual"), [(JournalMode.WAL, 1), (JournalMode.TRUNCATE, 2)])
def test_all_is_synced_where_a_power_cut_could_leave_damage_and_what_has_to_last_everywhere(
    path: Path, mode: JournalMode, usual: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "journal_mode", lambda _: mode)
    with closing(sqlite_file.connect(path)) as db:

        def is_synced() -> int:
            return int(db.execute("PRAGMA synchronous").fetchone()[0])

        sqlite_file.journal_safely(db, path)
        assert is_synced() == usual
        with sqlite_file.synced(db):
            assert is_synced() == 2
        assert is_synced() == usual


def attached(db: sqlite_file.Connection, path: Path) -> AbstractContextManager[None]:
    return sqlite_file.attached(db, path, "j", what="the other", if_damaged="Bring it back")


def spoil(path: Path) -> None:
    """Leave only the beginning of a file as it was."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"?" * (size - 100))


def replace(path: Path) -> None:
    path.write_bytes(b"?" * path.stat().st_size)


@pytest.mark.parametrize("damage", [spoil, replace])
def test_damage_is_told_of_the_file_that_has_it(
    tmp_path: Path, path: Path, damage: Callable[[Path], None]
) -> None:
    own = tmp_path / "own.sqlite"
    shutil.copy(path, own)
    told = r"^the other cannot be used: .*\. Bring it back$"

    def read(statement: str, damaged: Path) -> None:
        with closing(sqlite_file.connect(own)) as db, attached(db, path):
            damage(damaged)
            db.execute(statement).fetchall()

    def fail_otherwise() -> None:
        with closing(sqlite_file.in_memory()) as db, attached(db, path):
            damage(path)
            raise sqlite_file.Error("no damage")

    with pytest.raises(JournalError, match=told):
        read("SELECT * FROM j.t", path)
    with pytest.raises(JournalError, match=told):
        read("SELECT * FROM j.t", path)  # which cannot be attached any more
    shutil.copy(own, path)
    with pytest.raises(sqlite_file.Error, match="no damage"):
        fail_otherwise()
    shutil.copy(own, path)
    with pytest.raises(sqlite_file.Error):
        read("SELECT * FROM main.t", own)


def test_a_file_that_is_not_there_to_be_attached_is_named(tmp_path: Path) -> None:
    with (
        closing(sqlite_file.in_memory()) as db,
        pytest.raises(JournalError, match=r"^the other cannot be used: .*See that it is there"),
        attached(db, tmp_path / "gone.sqlite"),
    ):
        pass


def test_what_is_no_text_in_a_column_of_text_is_damage() -> None:
    assert [sqlite_file.text(value) for value in (None, "", "text")] == [None, "", "text"]
    with (
        pytest.raises(JournalError, match=r"it holds what cannot be .*The file is damaged"),
        sqlite_file.explained("the journal", "Free some disk space"),
    ):
        sqlite_file.text(b"bytes")
