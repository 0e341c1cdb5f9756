import sqlite3
from pathlib import Path

import pytest

from importer.jobs import sqlite_file
from tests.support.jobs import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait for another program that has a file open."""
    connect = sqlite_file.connect

    def at_once(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
        db = connect(path, read_only=read_only)
        db.execute("PRAGMA busy_timeout = 0")
        return db

    monkeypatch.setattr(sqlite_file, "connect", at_once)
