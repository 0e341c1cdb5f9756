"""Writes inputs, each in the format that its name tells."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.oracle.drive import Row

EARLY = "early "
"""How the comment of a row begins that another row of its conversation takes the place of."""

DATED = "at"
"""The column that says which row is the newest."""


def write(path: Path, lines: Sequence[Row], *, dated: bool = False) -> None:
    """Write an input with the usual three columns, and with a number for the age of each row."""
    names = ("conversation_id", "rating", "comment", *([DATED] if dated else []))
    cells = [(*line, "1" if line[2].startswith(EARLY) else "2")[: len(names)] for line in lines]
    if path.suffix == ".parquet":
        columns = zip(*cells, strict=True) if cells else ([] for _ in names)
        pq.write_table(pa.table({n: list(c) for n, c in zip(names, columns, strict=True)}), path)
        return
    text = io.StringIO()
    if ".jsonl" in path.suffixes:
        text.writelines(
            json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) + "\n"
            for row in cells
        )
    else:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(cells)
    raw = text.getvalue().encode()
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
