"""What goes wrong with SQLite files, in words."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from importer.errors import JournalError
from importer.jobs import sqlite_file


def test_a_file_that_another_program_holds_is_no_reason_to_start_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with closing(sqlite3.connect(path)) as holder, closing(sqlite_file.connect(path)) as db:
        holder.execute("BEGIN EXCLUSIVE")
        db.execute("PRAGMA busy_timeout = 0")
        with (
            pytest.raises(JournalError, match=r"is locked\. Another program has it open"),
            sqlite_file.explained("the journal", "Start over with --restart"),
        ):
            db.execute("BEGIN IMMEDIATE")


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
