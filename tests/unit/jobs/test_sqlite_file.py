"""What goes wrong with SQLite files, in words."""

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
