"""One job on many processes: what they add, and how they share a limit that nobody has told."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from benchmarks import data
from benchmarks.bench import Bench, Table
from benchmarks.measure import Usage
from benchmarks.servers import nginx, reset, sink, statistics

#: None is the command alone.
_NUMBERS = (None, 1, 2, 4)


def workers(bench: Bench) -> Table:
    """One process against several on the same machine, without the time that they take to start."""
    table: Table = [("service", "workers", "rows/s", "ratio", "CPU s per 10,000 rows")]
    rows = 200_000
    path = data.ratings(bench.folder, rows)
    with nginx() as url:
        _lines(bench, table, "without latency", path, url, rows)
    rows = 30_000
    path = data.ratings(bench.folder, rows)
    with sink(latency=0.05) as url:
        _lines(bench, table, "50 ms, 64 at once for each", path, url, rows, 64)
    return table


def _lines(
    bench: Bench, table: Table, service: str, path: Path, url: str, rows: int, at_once: int = 0
) -> None:
    base = 0.0
    for number in _NUMBERS:
        options: list[object] = [] if number is None else ["--workers", number]
        if at_once:
            options += ["--concurrency", at_once * (number or 1)]
        found = sorted(
            (_speed(bench, path, url, rows, options) for _ in range(bench.runs)),
            key=lambda each: each[0],
        )
        speed, used = found[len(found) // 2]
        base = base or speed
        table.append(
            (service, "one process" if number is None else str(number), f"{speed:,.0f}",
             f"{speed / base:.2f}", f"{used.cpu / rows * 10_000:.2f}")
        )  # fmt: skip


def _speed(
    bench: Bench, path: Path, url: str, rows: int, options: list[object]
) -> tuple[float, Usage]:
    used = bench.importer(path, url, "--late-effect", "1s", *options)
    summary = bench.summary()
    began, ended = (datetime.fromisoformat(summary[key]) for key in ("started_at", "ended_at"))
    return rows / (ended - began).total_seconds(), used


def workers_limited(bench: Bench) -> Table:
    """Workers at a service that grants 500 requests/s and answers 429 beyond."""
    table: Table = [("workers", "rows/s", "of 500", "refused")]
    rows = 30_000
    path = data.ratings(bench.folder, rows)
    with sink(limit=500, latency=0.05) as url:
        for number in (None, 2, 8):
            reset(url)
            options: list[object] = [] if number is None else ["--workers", number]
            speed, _ = _speed(bench, path, url, rows, options)
            counts = statistics(url)
            refused = counts.get("PUT 429", 0)
            table.append(
                ("one process" if number is None else str(number), f"{speed:.0f}",
                 f"{speed / 500:.3f}", f"{refused / (counts['PUT 200'] + refused):.2%}")
            )  # fmt: skip
    return table
