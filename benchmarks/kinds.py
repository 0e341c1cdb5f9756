"""The rows of `data.feedback` in each kind of source.

A process of its own makes them (`python -m benchmarks.kinds PLACE ROWS`), as those of `data`.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import data
from benchmarks.measure import ROOT, python

QUERY = "SELECT conversation_id, rating, comment FROM feedback"
_TABLE = "CREATE TABLE feedback (conversation_id char(36), rating varchar(20), comment text)"
_INSERT = "INSERT INTO feedback VALUES ({0}, {0}, {0})"
_BLOCK = 10_000


def make(place: Path | str, rows: int) -> None:
    """Fill a file, by its ending, or a database, by its address, with so many rows."""
    subprocess.run(python("benchmarks.kinds", place, rows), check=True, cwd=ROOT)


def _file(path: Path, rows: int) -> None:
    comments = path.with_name(f"feedback-{rows}.csv")
    match path.suffix:
        case ".gz":
            with comments.open("rb") as plain, gzip.open(path, "wb", 6) as packed:
                shutil.copyfileobj(plain, packed, 1 << 20)
        case ".zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.write(comments, comments.name)
        case ".jsonl":
            with path.open("w") as file:
                for row in data.rows_of_feedback(rows):
                    file.write(json.dumps(dict(zip(data.COLUMNS, row, strict=True))) + "\n")
        case ".json":
            with path.open("w") as file:
                for number, row in enumerate(data.rows_of_feedback(rows)):
                    file.write(",\n" if number else "[\n")
                    file.write(json.dumps(dict(zip(data.COLUMNS, row, strict=True))))
                file.write("\n]\n")
        case ".xlsx":
            import openpyxl  # noqa: PLC0415 -- of the extra `dev`

            book = openpyxl.Workbook(write_only=True)
            sheet = book.create_sheet("feedback")
            sheet.append(data.COLUMNS)
            for row in data.rows_of_feedback(rows):
                sheet.append(row)
            book.save(path)


def _database(address: str, rows: int) -> None:
    parts = urlsplit(address)
    found = data.rows_of_feedback(rows)
    match parts.scheme:
        case "sqlite":
            with closing(sqlite3.connect(parts.path[1:])) as database, database:
                database.execute(_TABLE)
                database.executemany(_INSERT.format("?"), found)
        case "duckdb":
            import duckdb  # noqa: PLC0415 -- of no extra

            comments = Path(parts.path[1:]).with_name(f"feedback-{rows}.csv")
            with duckdb.connect(parts.path[1:]) as columns:
                columns.execute(
                    "CREATE TABLE feedback AS SELECT * FROM read_csv(?, all_varchar = true)",
                    [str(comments)],
                )
        case "postgresql":
            import psycopg  # noqa: PLC0415 -- of the extra `dev`

            with psycopg.connect(address) as connection, connection.cursor() as cursor:
                cursor.execute(_TABLE)
                with cursor.copy("COPY feedback FROM STDIN") as into:
                    for row in found:
                        into.write_row(row)
        case _:
            import pymysql  # noqa: PLC0415 -- of the extra `dev`

            with (
                pymysql.connect(
                    host=parts.hostname, port=parts.port or 0, user=parts.username,
                    password=parts.password or "", database=parts.path[1:],
                ) as server,
                server.cursor() as cursor,
            ):  # fmt: skip
                cursor.execute(_TABLE)
                while some := list(islice(found, _BLOCK)):
                    cursor.executemany(_INSERT.format("%s"), some)
                server.commit()


if __name__ == "__main__":
    if "://" in sys.argv[1]:
        _database(sys.argv[1], int(sys.argv[2]))
    else:
        _file(Path(sys.argv[1]), int(sys.argv[2]))
