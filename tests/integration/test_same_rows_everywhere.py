"""The same rows from every kind of source come to the same outcomes and the same final state."""

import contextlib
import csv
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from importer.api import run_import
from importer.model import OutcomeKind
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings
from tests.support.data import conversation
from tests.support.databases import mariadb, postgresql
from tests.support.file_server import FileServer, serving
from tests.support.kinds import write_kind
from tests.support.object_stores import S3_ENVIRONMENT, put, s3

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ROWS = 5000
HEADER = ("conversation_id", "rating", "comment", "channel")
_DICE = random.Random(18)


def logical_rows() -> list[tuple[str, ...]]:
    """Return rows of all that may be: repeated, empty, unknown, long, odd."""
    rows: list[tuple[str, ...]] = []
    for n in range(ROWS):
        rating = _DICE.choice(["5", "4", "1", "3", "", "7", "2"])
        comment = _DICE.choice(
            ["", f"comment {n}", 'a "quoted", one', "two\nlines", "é 🙂 \\N", "0012"]
        )
        key = conversation(_DICE.randrange(ROWS * 2)) if _DICE.random() < 0.98 else f"bad {n}"
        rows.append((key, rating, comment if _DICE.random() < 0.99 else "x" * 2001, "web"))
    return rows


TABLE = logical_rows()


_MEANINGS = {"5": "POSITIVE", "4": "POSITIVE", "1": "NEGATIVE", "2": "NEGATIVE", "": None}


def is_rejected(row: tuple[str, ...]) -> bool:
    key, rating, comment, _ = row
    if key.startswith("bad"):
        return True
    return rating != "3" and (rating == "7" or len(comment) > 2000 or rating == comment == "")


def expected_state() -> dict[str, tuple[str | None, str | None]]:
    """Return what the service holds at the end: the last row of each conversation that is sent."""
    sent = (row for row in TABLE if not is_rejected(row) and row[1] != "3")
    return {key: (_MEANINGS[rating], comment or None) for key, rating, comment, _ in sent}


#: Other compressions are read as gzip is.
_FILES = (".csv", ".csv.gz", ".zip", ".parquet", ".jsonl", ".json", ".xlsx")
_COPIES = ("stdin", "https", "s3", "frame")
_DATABASES = ("sqlite", "duckdb", "postgresql", "mariadb")


@contextlib.contextmanager
def place_of(
    kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield where the rows are in a source of that kind, and the options that it needs."""
    if kind in _FILES:
        yield str(write_kind(kind, folder / "in", HEADER, TABLE)), {}
    elif kind == "folder":
        (folder / "exports/day=1").mkdir(parents=True)
        (folder / "exports/_SUCCESS").touch()
        write_kind(".parquet", folder / "exports/day=1/part", HEADER, TABLE)
        yield str(folder / "exports"), {}
    elif kind == "stdin":
        with write_kind(".csv", folder / "in", HEADER, TABLE).open() as file:
            monkeypatch.setattr(sys, "stdin", file)
            yield "-", {"format": "csv"}
    elif kind == "https":
        path = write_kind(".csv.gz", folder / "in", HEADER, TABLE)
        with serving(FileServer(path.read_bytes(), cuts=[10_000])) as server:
            yield f"{server.url}/in.csv.gz?sig=secret", {}
    elif kind == "s3":
        pytest.importorskip("obstore")
        with s3() as endpoint:
            for name, value in (S3_ENVIRONMENT | {"AWS_ENDPOINT_URL": endpoint}).items():
                monkeypatch.setenv(name, value)
            put(endpoint, "in.csv", write_kind(".csv", folder / "in", HEADER, TABLE).read_bytes())
            yield "s3://exports/in.csv", {}
    elif kind == "frame":
        yield pd.DataFrame(TABLE, columns=list(HEADER)), {"in_order": True}
    else:
        sqlalchemy = pytest.importorskip("sqlalchemy")
        with database(kind, folder) as address:
            driver = {"postgresql": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}
            engine = sqlalchemy.create_engine(address.replace(kind, driver.get(kind, kind), 1))
            letters = " CHARACTER SET utf8mb4" if kind == "mariadb" else ""
            with engine.begin() as connection:
                connection.exec_driver_sql(
                    "CREATE TABLE feedback (n int, conversation_id text, rating text, "
                    f"comment text, channel text){letters}"
                )
                connection.execute(
                    sqlalchemy.text("INSERT INTO feedback VALUES (:n, :i, :r, :c, :h)"),
                    [dict(zip("nirch", (n, *row), strict=True)) for n, row in enumerate(TABLE)],
                )
            engine.dispose()
            yield address, {"sql": "SELECT * FROM feedback ORDER BY n", "in_order": True}


def database(kind: str, folder: Path) -> contextlib.AbstractContextManager[str]:
    """Run a database of that kind, and yield its address; skip the test if it is not there."""
    if kind == "postgresql":
        pytest.importorskip("psycopg")
        return postgresql()
    if kind == "mariadb":
        pytest.importorskip("pymysql")
        return mariadb()
    if kind == "duckdb":
        pytest.importorskip("duckdb_engine")
    return contextlib.nullcontext(f"{kind}:///{folder}/in.db")


@pytest.mark.parametrize("kind", [*_FILES, "folder", *_COPIES, *_DATABASES])
async def test_every_kind_comes_to_the_same(
    kind: str,
    tmp_path: Path,
    settings_for: Callable[..., ImportSettings],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Sandbox() as sandbox:
        with place_of(kind, tmp_path, monkeypatch) as (place, options):
            settings = settings_for(
                place, base_url=sandbox.url, ratings=["stars", "3=SKIP"], concurrency=32, **options
            )
            summary = await run_import(settings, api_key="any")
        state = {key: (one.rating, one.comment) for key, one in sandbox.feedback.items()}
    with (summary.folder / "rejected.csv").open(newline="", encoding="utf-8") as file:
        left_over = [[row[name] for name in (*HEADER, "row")] for row in csv.DictReader(file)]
    assert state == expected_state()
    assert left_over == [
        [*row, str(number)] for number, row in enumerate(TABLE, 1) if is_rejected(row)
    ]
    skipped = [row for row in TABLE if row[1] == "3" and not is_rejected(row)]
    found = {kind: rows for kind, rows in summary.outcomes.items() if rows}
    assert found == {
        OutcomeKind.SUCCEEDED: len(state),
        OutcomeKind.REJECTED: len(left_over),
        OutcomeKind.SKIPPED: len(skipped),
        OutcomeKind.SUPERSEDED: ROWS - len(state) - len(left_over) - len(skipped),
    }
