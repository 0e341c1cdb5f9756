"""How the rows of a query are copied, from the databases that are there."""

import datetime
import decimal
import sqlite3
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from importer.errors import InputError
from importer.settings import ImportSettings
from importer.settings.places import SourceAddress
from importer.sources.copies.carriers import open_copy, take_copy
from importer.sources.copies.partial_copy import CopyWatch
from tests.support.data import PRODUCT, conversation
from tests.support.databases import PASSWORD, mariadb, postgresql

sqlalchemy = pytest.importorskip("sqlalchemy")

ROWS = 12_345


def copied(address: str, sql: str, folder: Path, watch: CopyWatch | None = None) -> list[Any]:
    """Return the header, and all rows as they were read and as they stand in the copy."""
    settings = ImportSettings.of(inputs=[address], product_id=PRODUCT, sql=sql)
    place = SourceAddress(address)
    path = take_copy(place, 1, folder, settings, watch or CopyWatch()).path
    assert path.name == "1-query.rows.parquet"
    source = open_copy(path, place.label, settings)
    rows = [row for batch in source.batches(1, 500) for row in batch]
    originals = [list(one.cells) for one in source.originals(range(1, len(rows) + 1))]
    return [list(source.header), rows, originals]


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    path = tmp_path / "there.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE feedback (conversation_id, rating, comment, odd)")
        lines = ((conversation(n), "POSITIVE", f"100% {n}", None) for n in range(ROWS))
        db.executemany("INSERT INTO feedback VALUES (?, ?, ?, ?)", lines)
    return f"sqlite:///{path}"


def test_all_rows_of_a_query_are_copied_with_all_their_columns(sqlite: str, tmp_path: Path) -> None:
    told: list[str] = []
    sql = "SELECT *, ':x' AS \"a.b\" FROM feedback WHERE comment LIKE '100%'"
    header, rows, originals = copied(sqlite, sql, tmp_path, CopyWatch(told=told.append))
    assert header == ["conversation_id", "rating", "comment", "odd", "a.b"]
    assert [row.conversation_id for row in rows] == [conversation(n) for n in range(ROWS)]
    assert originals[1234] == [conversation(1234), "POSITIVE", "100% 1234", "", ":x"]
    assert f"{ROWS:,} rows, " in told[-1]


def test_a_file_of_sqlite_may_have_any_name(sqlite: str, tmp_path: Path) -> None:
    odd = tmp_path / "export #2? a%20b.db"
    odd.write_bytes(Path(sqlite.removeprefix("sqlite:///")).read_bytes())
    _, rows, _ = copied(f"sqlite:///{quote(str(odd))}", "SELECT * FROM feedback LIMIT 3", tmp_path)
    assert len(rows) == 3


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT x FROM feedback", "no such column: x"),
        ("SELECT 1 AS a, 2 AS a", "two columns 'a'"),
        ("DELETE FROM feedback", "readonly database"),
    ],
)
def test_a_query_that_fails_is_explained_and_leaves_no_copy(
    sqlite: str, tmp_path: Path, sql: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        copied(sqlite, sql, tmp_path)
    assert not [*tmp_path.glob("1-*"), *tmp_path.glob(".1.*")], "nor a beginning of one"


def test_an_empty_result_is_a_table_without_rows(sqlite: str, tmp_path: Path) -> None:
    header, rows, _ = copied(sqlite, "SELECT * FROM feedback WHERE 0", tmp_path)
    assert header == ["conversation_id", "rating", "comment", "odd"]
    assert rows == []


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unable to open"):
        copied(f"sqlite:///{tmp_path}/none.db", "SELECT 1", tmp_path)
    assert not (tmp_path / "none.db").exists()


def test_a_query_that_takes_long_is_broken_off(sqlite: str, tmp_path: Path) -> None:
    def check() -> None:
        raise KeyboardInterrupt

    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
    with pytest.raises(KeyboardInterrupt):
        copied(sqlite, endless, tmp_path, CopyWatch(check=check))
    assert not [thread for thread in threading.enumerate() if thread.name == "query"]


def test_a_missing_extra_or_driver_is_one_line_with_the_command(
    sqlite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ImportSettings.of(inputs=[sqlite], product_id=PRODUCT)
    with pytest.raises(InputError, match="say what is read from it, as in --sql"):
        take_copy(SourceAddress(sqlite), 1, tmp_path, settings, CopyWatch())
    monkeypatch.setattr("importer.sources.copies.sql.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install 'psycopg\[binary\]'$"):
        copied("postgresql://host/db", "SELECT 1", tmp_path)
    with pytest.raises(InputError, match=r"names is not installed: .*\(mysql://\) and .*pymysql'$"):
        copied("mysql+cymysql://host/db", "SELECT 1", tmp_path)
    monkeypatch.setitem(sys.modules, "pyodbc", None)
    with pytest.raises(InputError, match="the kind 'mssql' need a package of their own"):
        copied("mssql://host/db", "SELECT 1", tmp_path)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    monkeypatch.delitem(sys.modules, "importer.sources.copies.sql")
    with pytest.raises(InputError, match=r"pip install 'clarityq-importer\[sql\]'$"):
        copied(sqlite, "SELECT 1", tmp_path)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    pytest.importorskip("psycopg")
    with postgresql() as address:
        yield address


@pytest.mark.slow
def test_postgresql_gives_its_own_types_as_text(server: str, tmp_path: Path) -> None:
    sql = """
        SELECT uuid_in('%s') AS conversation_id, 4.50::numeric AS rating, 'ü 100%%' AS comment,
            true AS flag, date '2026-11-23' AS day, timestamptz '2026-11-23 09:05:00+00' AS moment,
            ARRAY['a', 'b'] AS tags, '{"a": 1}'::json AS more, NULL AS nothing, 4.0::float8 AS four
    """.replace("%s", conversation(1)).replace("%%", "%")
    _, _, ((*cells,),) = copied(server, sql, tmp_path)
    assert cells == [
        conversation(1), "4.50", "ü 100%", "true", "2026-11-23", cells[5], '["a","b"]', '{"a":1}',
        "", "4",
    ]  # fmt: skip
    assert datetime.datetime.fromisoformat(cells[5]).timestamp() == 1795424700
    assert decimal.Decimal(cells[1]) == decimal.Decimal("4.5")
    assert str(uuid.UUID(cells[0])) == cells[0]


@pytest.mark.slow
def test_postgresql_gives_rows_as_they_come_and_is_not_changed(server: str, tmp_path: Path) -> None:
    sql = "SELECT gen_random_uuid() AS conversation_id, 'x' AS comment FROM generate_series(1, {})"
    _, rows, _ = copied(server, sql.format(ROWS), tmp_path)
    assert len(rows) == ROWS
    (tmp_path / "1-query.rows.parquet").unlink()
    sql = "SELECT gen_random_uuid() AS conversation_id, current_setting('{}') AS comment"
    _, (row,), _ = copied(server, sql.format("transaction_read_only"), tmp_path)
    assert row.comment == "on"
    (tmp_path / "1-query.rows.parquet").unlink()
    with pytest.raises(InputError, match="password authentication failed") as raised:
        copied(server.replace(PASSWORD, "an0ther-word"), "SELECT 1", tmp_path)
    assert "an0ther-word" not in str(raised.value)


@pytest.mark.slow
def test_mariadb_gives_rows_as_they_come(tmp_path: Path) -> None:
    pytest.importorskip("pymysql")
    with mariadb() as address:
        sql = "SELECT uuid() AS conversation_id, '100% ü' AS comment, seq AS n FROM seq_1_to_{}"
        _, rows, originals = copied(address, sql.format(ROWS), tmp_path)
        assert len(rows) == ROWS
        assert originals[-1][1:] == ["100% ü", str(ROWS)]
        (tmp_path / "1-query.rows.parquet").unlink()
        with pytest.raises(InputError, match="Access denied") as raised:
            copied(address.replace(PASSWORD, "an0ther-word"), "SELECT 1", tmp_path)
        assert "an0ther-word" not in str(raised.value)


@pytest.mark.slow
def test_duckdb_is_opened_for_reading_only_and_with_little_memory(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    pytest.importorskip("duckdb_engine")
    with duckdb.connect(str(tmp_path / "there.duckdb")) as database:
        database.execute(
            "CREATE TABLE f AS SELECT uuid() AS conversation_id, 'x' AS comment FROM range(12345)"
        )
    address = f"duckdb:///{tmp_path}/there.duckdb"
    _, rows, _ = copied(address, "SELECT * FROM f WHERE comment LIKE '%x'", tmp_path)
    assert len(rows) == ROWS
    (tmp_path / "1-query.rows.parquet").unlink()
    with pytest.raises(InputError, match="read-only"):
        copied(address, "DROP TABLE f", tmp_path)
    setting = "SELECT 1 AS a, current_setting('memory_limit') AS comment, '' AS conversation_id"
    _, (row,), _ = copied(address, setting, tmp_path)
    assert row.comment == "95.3 MiB"
    (tmp_path / "1-query.rows.parquet").unlink()
    _, (row,), _ = copied(f"{address}?memory_limit=1GB", setting, tmp_path)
    assert row.comment == "953.6 MiB"
    (tmp_path / "1-query.rows.parquet").unlink()
    with pytest.raises(InputError, match=r"more memory .*\?memory_limit=1GB$"):
        copied(f"{address}?memory_limit=1MB", "SELECT list(n) FROM range(1000000) t(n)", tmp_path)
