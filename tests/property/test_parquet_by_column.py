"""Parquet by column, against reading it row by row: no field, number or message may differ."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq

from importer.common.row_set import RowSet
from importer.engine.reader import Input, Item, read_rows
from importer.errors import InputError
from importer.feedback.normalise import Normaliser
from importer.feedback.ratings import RatingTable
from importer.settings import ImportSettings
from importer.sources.base import RowPart
from importer.sources.parquet.file import ParquetSource
from importer.workflows.check_inputs import check_inputs
from tests.support.data import conversation
from tests.support.parts import all_rows

Make = Callable[..., ImportSettings]
WORDS = ["POSITIVE", "NEGATIVE", "CLEAR", "", " ", "odd", "up", "\u00a0", None]
COMMENTS = [
    "fine",
    "",
    " ",
    None,
    "é" * 2001,
    "x" * 2000,
    "two\nlines",
    "🙏",
    "\u2003",
    "nul\0",
    "é",
]
TABLE = RatingTable.parse(["thumbs", "odd=SKIP"])
FILES = 150


def ids(dice: random.Random, rows: int) -> pa.Array:
    who = [conversation(dice.randrange(rows)) for _ in range(rows)]
    if dice.random() < 0.5:
        odd: list[str | None] = [None, "", "x", who[0].upper(), "{" + who[0] + "}", "é" * 18]
        return pa.array([dice.choice(odd) if dice.random() < 0.1 else one for one in who])
    if dice.random() < 0.2:
        return pa.array([bytes.fromhex(one.replace("-", "")) for one in who], pa.binary(16))
    return pa.array(who, dice.choice([pa.string(), pa.large_string(), pa.binary()]))


def ratings(dice: random.Random, rows: int) -> pa.Array:
    match dice.randrange(6):
        case 0:
            return pa.array(
                [dice.choice([0.0, -0.0, 1.0, 4.5, float("nan"), None]) for _ in range(rows)]
            )
        case 1:
            return pa.array([dice.choice([0, 1, 5, None]) for _ in range(rows)])
        case 2:
            return pa.array([dice.choice([True, False, None]) for _ in range(rows)])
        case 3:
            return pa.array([dice.choice(WORDS) for _ in range(rows)]).dictionary_encode()
        case 4:
            return pa.nulls(rows)
        case _:
            return pa.array([dice.choice(WORDS) for _ in range(rows)])


def comments(dice: random.Random, rows: int) -> pa.Array:
    texts = [dice.choice(COMMENTS) for _ in range(rows)]
    match dice.randrange(4):
        case 0:
            spoilt = [None if one is None else one.encode() for one in texts]
            spoilt[dice.randrange(rows)] = b"bad \xff byte"
            return pa.array(spoilt, pa.binary()).view(pa.string())
        case 1:
            return pa.array(texts).dictionary_encode()
        case _:
            return pa.array(texts, dice.choice([pa.string(), pa.large_string()]))


def write(folder: Path, number: int) -> Path:
    dice = random.Random(number)
    rows = dice.choice([1, 30, 600, 3000])
    columns = {"conversation_id": ids(dice, rows)}
    if dice.random() < 0.9:
        columns["rating"] = ratings(dice, rows)
    if dice.random() < 0.8 or "rating" not in columns:
        columns["comment"] = comments(dice, rows)
    path = folder / "in.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=dice.choice([100, 5000]))
    return path


def see(settings: ImportSettings, path: Path, from_size: int) -> tuple[object, ...]:
    items: list[Item] = []
    with patch("importer.sources.parquet.file.BY_COLUMN_FROM", from_size):
        source = ParquetSource(path, {})
        rows = all_rows(source.parts(1, 500))
        assert source.progress() == 1
        for batch in read_rows([Input(source, Normaliser(TABLE))], RowSet()):
            items += batch
        try:
            found = check_inputs(settings)
        except InputError as error:  # there is no rating column for the rating table
            return rows, items, str(error)
    return rows, items, replace(found), list(found.words.items()), list(found.problems)


def test_files_are_read_alike_in_both_ways(tmp_path: Path, settings_for: Make) -> None:
    for number in range(FILES):
        path = write(tmp_path, number)
        settings = settings_for(path, ratings=TABLE)
        assert see(settings, path, 0) == see(settings, path, 1 << 60), f"file {number}"


def test_common_types_are_read_by_column(tmp_path: Path) -> None:
    who = [conversation(number) for number in range(10)]
    texts: Sequence[pa.Array] = [
        pa.array(["POSITIVE"] * 10),
        pa.array(["POSITIVE"] * 10).dictionary_encode(),
        pa.array([1] * 10),
        pa.array([True] * 10),
        pa.array([4.0, float("nan")] * 5),
    ]
    path = tmp_path / "in.parquet"
    for column in texts:
        pq.write_table(pa.table({"conversation_id": who, "rating": column}), path)
        with patch("importer.sources.parquet.file.BY_COLUMN_FROM", 0):
            (part,) = ParquetSource(path, {}).parts(1, 500)
        assert not isinstance(part, RowPart)
