"""What the same rows cost from each kind of source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from benchmarks import data
from benchmarks.bench import Bench, Table
from benchmarks.kinds import QUERY, make
from benchmarks.measure import Usage, python, run
from benchmarks.servers import certificate, nginx

#: The most that a sheet takes here: it is read into memory as a whole.
_WORKBOOK_ROWS = 200_000


class _Source(NamedTuple):
    """How `check` is given a source."""

    words: tuple[object, ...]
    env: Mapping[str, str] = {}
    stdin: Path | None = None


class _MissingError(Exception):
    """What a source needs is not installed."""


def sources(bench: Bench) -> Table:
    """`check` of the same rows with comments from each kind of source, with the copy, beside CSV.

    Memory has a bar of 300 MB, but for workbooks. What others do (servers, the data) is not in it.
    """
    rows = 5_000_000 if bench.large else 500_000
    table: Table = [
        ("source", "rows", "rows/s", "CPU s per million rows", "of CSV's", "peak MB", "bar")
    ]
    base = 0.0
    for name, place in _KINDS.items():
        number = min(rows, _WORKBOOK_ROWS) if name == "Excel" else rows
        try:
            _check_needs(name)
            with place(bench.folder, number) as source:
                used = _check(bench, source)
        except _MissingError as error:
            table.append((name, "", str(error), "", "", "", ""))
            continue
        cost = 1e6 * used.cpu / number
        base = base or cost
        table.append(
            (name, f"{number:,}", f"{number / used.seconds:,.0f}", f"{cost:.2f}",
             f"{cost / base:.1f}", f"{used.peak:.0f}", "" if name == "Excel" else "300")
        )  # fmt: skip
    return table


def _check_needs(name: str) -> None:
    if missing := [one for one in _NEEDS.get(name, ()) if find_spec(one) is None]:
        raise _MissingError(f"{', '.join(missing)} is not installed")


def _check(bench: Bench, source: _Source) -> Usage:
    command = python("importer", "check", *source.words)
    (used,) = bench.repeat(lambda: run(command, source.env, stdin=source.stdin))
    return used


@contextmanager
def _local(folder: Path, rows: int, *, ending: str) -> Iterator[_Source]:
    """Give a file, which goes again but for the CSV file: others are made from it."""
    comments = data.feedback(folder, rows)
    if ending == ".csv":
        yield _Source((comments,))
        return
    path = comments.with_name(f"{comments.stem}{ending}")
    if ending == ".parquet":
        data.feedback_in_parquet(folder, rows)
    else:
        make(path, rows)
    try:
        yield _Source((path,))
    finally:
        path.unlink()


@contextmanager
def _stdin(folder: Path, rows: int) -> Iterator[_Source]:
    yield _Source(("-", "--format", "csv"), stdin=data.feedback(folder, rows))


@contextmanager
def _https(folder: Path, rows: int) -> Iterator[_Source]:
    comments = data.feedback(folder, rows)
    server, authority = certificate(folder)
    with nginx(server, files=folder) as url:
        yield _Source((f"{url}/files/{comments.name}", "--ca-file", authority))


@contextmanager
def _s3(folder: Path, rows: int) -> Iterator[_Source]:
    """Give an object of a store; nginx answers as one does: ranges, ETag, If-Match."""
    comments = data.feedback(folder, rows)
    with nginx(files=folder) as url:
        credentials = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}
        env = {**credentials, "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": url}
        yield _Source((f"s3://files/{comments.name}",), env)


@contextmanager
def _embedded(folder: Path, rows: int, *, scheme: str) -> Iterator[_Source]:
    data.feedback(folder, rows)
    path = folder / f"there.{scheme}"
    try:
        make(f"{scheme}:///{path}", rows)
        yield _Source((f"{scheme}:///{path}", "--sql", QUERY))
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _server(_: Path, rows: int, *, kind: str) -> Iterator[_Source]:
    import pytest  # noqa: PLC0415 -- of the extra `dev`

    from tests.support import databases  # noqa: PLC0415 -- as above

    server: Callable[[], AbstractContextManager[str]] = getattr(databases, kind)
    try:
        with server() as address:
            make(address, rows)
            yield _Source(("--sql", QUERY), {"CLARITYQ_SQL_URL": address})
    except pytest.skip.Exception as skipped:
        raise _MissingError(str(skipped)) from None


_KINDS: Mapping[str, Callable[[Path, int], AbstractContextManager[_Source]]] = {
    "CSV": partial(_local, ending=".csv"),
    "CSV, gzip": partial(_local, ending=".csv.gz"),
    "CSV, zip": partial(_local, ending=".zip"),
    "Parquet": partial(_local, ending=".parquet"),
    "JSON lines": partial(_local, ending=".jsonl"),
    "JSON array": partial(_local, ending=".json"),
    "Excel": partial(_local, ending=".xlsx"),
    "standard input (CSV)": _stdin,
    "HTTPS (CSV)": _https,
    "S3 (CSV)": _s3,
    "SQLite": partial(_embedded, scheme="sqlite"),
    "DuckDB": partial(_embedded, scheme="duckdb"),
    "PostgreSQL": partial(_server, kind="postgresql"),
    "MariaDB": partial(_server, kind="mariadb"),
}
#: The modules that a kind needs beside those of the importer.
_NEEDS = {
    "Excel": ("openpyxl", "python_calamine"),
    "S3 (CSV)": ("obstore",),
    "SQLite": ("sqlalchemy",),
    "DuckDB": ("sqlalchemy", "duckdb_engine"),
    "PostgreSQL": ("sqlalchemy", "psycopg", "pytest"),
    "MariaDB": ("sqlalchemy", "pymysql", "pytest"),
}
