"""Left-over files close the circle: what failed can be imported as if it had not failed."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aiohttp import web

from importer.api import run_import
from importer.model import OutcomeKind
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings
from tests.support.data import conversation
from tests.support.server import serve

Make = Callable[..., ImportSettings]
Write = Callable[[Path, list[tuple[str, Any, str]]], Mapping[str, object]]

COMMENTS = [
    "", "fine", "16 bytes of text", "two\nlines", "a\r\nb", "lone\rreturn", 'say "so", twice',
    "\ttab", " space ", f"it said\n{conversation(9)},POSITIVE,no", "NULL", "=1+1", "é", "00123",
    "1.0", "x;y|z",
]  # fmt: skip
RATINGS: Mapping[str, list[Any]] = {
    "stars": ["5", "1.0", "4,0", "2/5", "★★★★☆", "4 stars", ""],
    "thumbs": ["up", "👎🏽", "1.0", "0", "+1", "true", ""],
}
ROWS = 40


def csv_file(path: Path, rows: list[tuple[str, Any, str]], delimiter: str, encoding: str) -> None:
    def cell(text: str) -> str:
        quoted = text.replace('"', '""')
        return f'"{quoted}"' if set(text) & set('"\r\n' + delimiter) else text

    lines = [["id", "rating", "reason", "job"], *([who, r, c, "x"] for who, r, c in rows)]
    text = "".join(delimiter.join(map(cell, line)) + "\n" for line in lines)
    path.write_bytes(text.encode(encoding))


def as_csv(cut_by: str, codec: str, **options: object) -> Write:
    def write(path: Path, rows: list[tuple[str, Any, str]]) -> Mapping[str, object]:
        csv_file(path.with_suffix(".csv"), rows, cut_by, codec)
        names = ["conversation_id=id", "comment=reason"]
        return {"column": names, "trust_quotes": True, **options}

    return write


def as_parquet(rating: Callable[[str], Any], kind: pa.DataType, *, nested: bool = False) -> Write:
    def write(path: Path, rows: list[tuple[str, Any, str]]) -> Mapping[str, object]:
        ids = pa.array([bytes.fromhex(who.replace("-", "")) for who, _, _ in rows], pa.binary(16))
        ratings = pa.array([rating(text) for _, text, _ in rows], kind)
        comments = pa.array([text.encode() for _, _, text in rows], pa.binary())
        columns = {"conversation_id": ids, "rating": ratings, "reason": comments}
        names = ["comment=reason"]
        if nested:
            columns["f"] = pa.StructArray.from_arrays([ratings, comments], ["rating", "reason"])
            del columns["rating"], columns["reason"]
            names = ["rating=f.rating", "comment=f.reason"]
        pq.write_table(pa.table(columns), path.with_suffix(".parquet"))
        return {"column": names, "encoding": "cp1252", "delimiter": ";"}

    return write


def number(text: str) -> float | None:
    return float(sum(map(ord, text)) % 5 + 1) if text else None


def decimal(text: str) -> Decimal | None:
    found = number(text)
    return None if found is None else Decimal(found)


def truth(text: str) -> bool | None:
    return None if not text else len(text) % 2 == 0


FORMATS: Mapping[str, tuple[Write, list[str]]] = {
    "csv": (as_csv(",", "utf-8"), ["stars", "thumbs"]),
    "semicolons, UTF-16": (as_csv(";", "utf-16", encoding="utf-16"), ["stars", "thumbs"]),
    "tabs, nulls": (as_csv("\t", "utf-8", null=["NULL"]), ["stars", "thumbs"]),
    "parquet, text": (as_parquet(str, pa.string()), ["stars", "thumbs"]),
    "parquet, float": (as_parquet(number, pa.float64()), ["stars"]),
    "parquet, decimal": (as_parquet(decimal, pa.decimal128(10, 3)), ["stars"]),
    "parquet, nested": (as_parquet(number, pa.float32(), nested=True), ["stars"]),
    "parquet, bool": (as_parquet(truth, pa.bool_()), ["thumbs"]),
}


async def refuse(_: web.Request) -> web.Response:
    return web.Response(status=404)


def stored(sandbox: Sandbox) -> dict[str, tuple[str | None, str | None]]:
    return {c: (f.rating, f.comment) for c, f in sandbox.feedback.items()}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "preset"), [(name, preset) for name, (_, some) in FORMATS.items() for preset in some]
)
async def test_what_failed_can_be_imported_as_it_is(
    name: str, preset: str, settings_for: Make, tmp_path: Path
) -> None:
    dice = random.Random(name + preset)
    rows = [
        (conversation(n), dice.choice(RATINGS[preset]), dice.choice(COMMENTS)) for n in range(ROWS)
    ]
    options = FORMATS[name][0](tmp_path / "in", rows)
    path = next(tmp_path.glob("in.*"))  # noqa: ASYNC240 -- a test of its own

    def settings(inputs: Path, url: str) -> ImportSettings:
        return settings_for(
            inputs,
            base_url=url,
            ratings=[preset, "3=CLEAR"],
            canary=0,
            **options,
        )

    async with serve(refuse) as url, Sandbox() as direct, Sandbox() as around:
        refused = await run_import(settings(path, url), api_key="any")
        expected = await run_import(settings(path, direct.url), api_key="any")
        sent = expected.outcomes[OutcomeKind.SUCCEEDED]
        assert refused.outcomes[OutcomeKind.FAILED] == sent > ROWS / 2
        again = await run_import(settings(refused.folder / "failed.csv", url), api_key="any")
        assert again.outcomes[OutcomeKind.FAILED] == again.rows == sent
        header = (again.folder / "failed.csv").read_bytes().decode("utf-8", "replace")
        assert header.count("import_reason") <= 1, "our columns do not pile up"
        last = await run_import(settings(again.folder / "failed.csv", around.url), api_key="any")
        assert last.outcomes[OutcomeKind.SUCCEEDED] == sent
    assert stored(around) == stored(direct)
