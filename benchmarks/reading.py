"""What reading an input costs, in `check` and in a run, in both ways that the importer has."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks import data
from benchmarks.bench import Bench, Table
from benchmarks.measure import ROOT, Usage, python, run

_ROWS = 5_000_000
_READER = "benchmarks.peers.reader"


def checking(bench: Bench) -> Table:
    """`check` on five million rows, against pyarrow reading the file alone and the exact reader.

    Ratios are to pyarrow for the first file, and to the exact reader (row by row) for the others.
    """
    table: Table = [("file", "reader", "rows/s", "CPU \u00b5s per row", "CPU ratio", "peak MB")]
    comments = data.feedback(bench.folder, _ROWS)
    alone, check, exact = bench.repeat(
        lambda: run(python("benchmarks.peers.pyarrow_reader", comments)),
        lambda: run(python("importer", "check", comments)),
        lambda: run(python(_READER, comments, "check", "exact")),
    )
    name = "with comments"
    table += [
        _line(name, "pyarrow alone", alone, alone),
        _line(name, "check", check, alone),
        _line(name, "check, row by row", exact, alone),
    ]
    for name, path in (
        ("ratings only", data.ratings_only(bench.folder, _ROWS)),
        ("0.1 % odd lines", data.feedback_with_odd_lines(bench.folder, _ROWS, 0.001)),
        ("5 % odd lines", data.feedback_with_odd_lines(bench.folder, _ROWS, 0.05)),
    ):
        quick, exact = bench.repeat(
            lambda path=path: run(python(_READER, path, "check", "quick")),  # type: ignore[misc]
            lambda path=path: run(python(_READER, path, "check", "exact")),  # type: ignore[misc]
        )
        table += [
            _line(name, "check", quick, exact),
            _line(name, "check, row by row", exact, exact),
        ]
    return table


def reading(bench: Bench) -> Table:
    """What the reader of a run costs for five million rows with comments, without the rest."""
    table: Table = [("format", "rows", "row by row, CPU \u00b5s", "CPU \u00b5s")]
    for name, path in (
        ("CSV", data.feedback(bench.folder, _ROWS)),
        ("Parquet", data.feedback_in_parquet(bench.folder, _ROWS)),
    ):
        costs = [min(_cost(path, way) for _ in range(bench.runs)) for way in ("exact", "quick")]
        table.append((name, f"{_ROWS:,}", *(f"{cost:.2f}" for cost in costs)))
    return table


def _line(name: str, reader: str, used: Usage, base: Usage) -> tuple[str, ...]:
    return (
        name, reader, f"{_ROWS / used.seconds:,.0f}", f"{1e6 * used.cpu / _ROWS:.2f}",
        f"{base.cpu / used.cpu:.2f}", f"{used.peak:.0f}",
    )  # fmt: skip


def _cost(path: Path, way: str) -> float:
    """Return the CPU that a row takes, in microseconds."""
    done = subprocess.run(
        python(_READER, path, "run", way), cwd=ROOT, capture_output=True, text=True, check=True
    )
    rows, seconds = done.stdout.split()
    return 1e6 * float(seconds) / int(rows)
