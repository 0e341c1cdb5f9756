"""The same table as a file of each kind that can be read."""

import csv
import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

Table = Sequence[Sequence[str]]


def _csv(path: Path, header: Sequence[str], rows: Table) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def _packed_csv(path: Path, header: Sequence[str], rows: Table) -> None:
    with gzip.open(path, "wt", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def _parquet(path: Path, header: Sequence[str], rows: Table) -> None:
    table = pa.table({name: [row[at] for row in rows] for at, name in enumerate(header)})
    pq.write_table(table, path, row_group_size=1000)


def _lines(path: Path, header: Sequence[str], rows: Table) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(dict(zip(header, row, strict=True))) + "\n")


def _array(path: Path, header: Sequence[str], rows: Table) -> None:
    objects = [dict(zip(header, row, strict=True)) for row in rows]
    path.write_text(json.dumps(objects, indent=1, ensure_ascii=False), "utf-8")


def _workbook(path: Path, header: Sequence[str], rows: Table) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    pytest.importorskip("python_calamine")
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("feedback")
    for row in [header, *rows]:
        sheet.append(row)
    book.save(path)


#: How to write a file of each kind, by the ending of its name.
KINDS: dict[str, Callable[[Path, Sequence[str], Table], None]] = {
    ".csv": _csv,
    ".csv.gz": _packed_csv,
    ".parquet": _parquet,
    ".jsonl": _lines,
    ".json": _array,
    ".xlsx": _workbook,
}


def write_kind(ending: str, path: Path, header: Sequence[str], rows: Table) -> Path:
    """Write a table as a file of that kind, and return its path with the ending."""
    file = path.with_name(path.name + ending)
    KINDS[ending](file, header, rows)
    return file
