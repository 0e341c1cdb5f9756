"""Inputs of any size, the same each time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

COLUMNS = ("conversation_id", "rating", "comment")
_BLOCK = 100_000


def ratings(folder: Path, rows: int) -> Path:
    """Write a CSV file of conversations that differ, all POSITIVE and without a comment."""
    path = folder / f"ratings-{rows}.csv"
    if not path.exists():
        with path.open("w") as file:
            file.write(",".join(COLUMNS) + "\n")
            for ids in _ids(rows):
                file.writelines(f"{conversation},POSITIVE,\n" for conversation in ids)
    return path


def ratings_in_parquet(folder: Path, rows: int) -> Path:
    """Write the same as Parquet, with row groups of a million rows."""
    path = folder / f"ratings-{rows}.parquet"
    if not path.exists():
        schema = pa.schema([(name, pa.string()) for name in COLUMNS])
        with pq.ParquetWriter(path, schema) as writer:
            gathered: list[str] = []
            for ids in _ids(rows):
                gathered += ids
                if len(gathered) >= 1_000_000:
                    _write(writer, schema, gathered)
                    gathered = []
            if gathered:
                _write(writer, schema, gathered)
    return path


def feedback(folder: Path, rows: int) -> Path:
    """Write a CSV file with comments of all lengths, about 125 bytes a row."""
    path = folder / f"feedback-{rows}.csv"
    dice = random.Random(2)
    comments = [
        " ".join(dice.choices(["fine", "slow", "wrong", "thanks", "unclear"], k=n))
        for n in range(40)
    ]
    if not path.exists():
        with path.open("w") as file:
            file.write(",".join(COLUMNS) + "\n")
            for ids in _ids(rows):
                file.writelines(
                    f'{who},{("POSITIVE", "NEGATIVE", "")[n % 3]},"{comments[n % 40]}"\n'
                    for n, who in enumerate(ids)
                )
    return path


def _ids(rows: int) -> Iterator[list[str]]:
    dice = random.Random(1)
    for start in range(0, rows, _BLOCK):
        number = min(_BLOCK, rows - start)
        yield [str(UUID(int=dice.getrandbits(128), version=4)) for _ in range(number)]


def _write(writer: pq.ParquetWriter, schema: pa.Schema, ids: list[str]) -> None:
    columns = [ids, ["POSITIVE"] * len(ids), [""] * len(ids)]
    writer.write_table(pa.table(columns, schema=schema), row_group_size=1_000_000)
