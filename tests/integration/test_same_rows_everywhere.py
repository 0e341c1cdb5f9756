"""The same rows from every kind of source come to the same outcomes and the same final state."""

import contextlib
import csv
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from importer.api import run_import
from importer.model import OutcomeKind
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings
from tests.support.data import conversation
from tests.support.databases import postgresql
from tests.support.file_server import FileServer, serving
from tests.support.kinds import KINDS, write_kind

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


@contextlib.contextmanager
def place_of(kind: str, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where the rows are in a source of that kind, and the options that it needs."""
    if kind in KINDS:
        yield str(write_kind(kind, folder / "in", HEADER, TABLE)), {}
    elif kind == "https":
        path = write_kind(".csv.gz", folder / "in", HEADER, TABLE)
        with serving(FileServer(path.read_bytes(), cuts=[10_000])) as server:
            yield f"{server.url}/in.csv.gz?sig=secret", {}
    elif kind == "stdin":
        yield "-", {"format": "csv"}
    else:
        sqlalchemy = pytest.importorskip("sqlalchemy")
        with contextlib.ExitStack() as stack:
            address = f"sqlite:///{folder}/in.db"
            if kind == "postgresql":
                pytest.importorskip("psycopg")
                address = stack.enter_context(postgresql())
            engine = sqlalchemy.create_engine(address.replace("postgresql:", "postgresql+psycopg:"))
            with engine.begin() as connection:
                connection.exec_driver_sql(
                    "CREATE TABLE feedback (n int, conversation_id text, rating text, "
                    "comment text, channel text)"
                )
                connection.execute(
                    sqlalchemy.text("INSERT INTO feedback VALUES (:n, :i, :r, :c, :h)"),
                    [dict(zip("nirch", (n, *row), strict=True)) for n, row in enumerate(TABLE)],
                )
            engine.dispose()
            yield address, {"sql": "SELECT * FROM feedback ORDER BY n", "in_order": True}


@pytest.mark.parametrize("kind", [*KINDS, "https", "stdin", "sqlite", "postgresql"])
async def test_every_kind_comes_to_the_same(
    kind: str,
    tmp_path: Path,
    settings_for: Callable[..., ImportSettings],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if kind == "stdin":
        path = write_kind(".csv", tmp_path / "in", HEADER, TABLE)
        monkeypatch.setattr(sys, "stdin", path.open())
    async with Sandbox() as sandbox:
        with place_of(kind, tmp_path) as (place, options):
            settings = settings_for(
                place, base_url=sandbox.url, ratings=["stars", "3=SKIP"], concurrency=32, **options
            )
            summary = await run_import(settings, api_key="any")
        state = {key: (one.rating, one.comment) for key, one in sandbox.feedback.items()}
    if kind == "stdin":
        sys.stdin.close()
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
