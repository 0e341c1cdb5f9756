"""Nights that follow each other: what knowing the whole job, and the jobs before it, costs."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import data
from benchmarks.bench import Bench, Table
from benchmarks.measure import Usage, python, run
from benchmarks.servers import sink


def unchanged(bench: Bench) -> Table:
    """A nightly dump of which one row in a hundred has changed, with `--skip-unchanged`."""
    rows = 5_000_000 if bench.large else 500_000
    table = _header()
    with sink() as url:
        nights = _Nights(bench, url)
        nights.night(table, "first", data.ratings(bench.folder, rows), rows)
        nights.night(table, "1 % changed (bar 12)", data.ratings_changed(bench.folder, rows), rows)
        nights.night(table, "the same again", data.ratings_changed(bench.folder, rows), rows)
    return table


def repeated(bench: Bench) -> Table:
    """A dump in which 30 % of the rows repeat a conversation, with `--skip-unchanged`, twice."""
    rows = 600_000
    path = data.feedback_repeated(bench.folder, rows)
    table = _header()
    with sink() as url:
        nights = _Nights(bench, url)
        for night in ("first", "the same again (bar: 0 PUTs, 5 s)"):
            nights.night(table, night, path, rows)
    return table


def survey(bench: Bench) -> Table:
    """What the survey alone takes, and how it grows."""
    table: Table = [("rows", "seconds", "CPU \u00b5s a row", "peak MB")]
    for rows in (1_000_000, 20_000_000 if bench.large else 5_000_000):
        path = data.ratings(bench.folder, rows)
        used = run(python("importer", "check", path, "--rate", 100))
        table.append(
            (f"{rows:,}", f"{used.seconds:.1f}", f"{1e6 * used.cpu / rows:.2f}", f"{used.peak:.0f}")
        )
    return table


def resuming(bench: Bench) -> Table:
    """A job of which nine rows in ten are done: a whole run of it that sends one more row."""
    rows = 1_000_000 if bench.large else 200_000
    path = data.ratings(bench.folder, rows)
    with sink() as url:
        first = bench.importer(path, url, "--limit", rows * 9 // 10, ok=6)
        command = bench.command(path, url, "--limit", 1)
        command[command.index("--jobs-dir") + 1] = str(bench.folder / f"jobs-{bench.jobs - 1}")
        again = run(command, {"CLARITYQ_API_KEY": "key"}, ok=6)
    return [
        ("rows", "first run, s", "resumed, s", "bar"),
        (f"{rows:,}", f"{first.seconds:.1f}", f"{again.seconds:.1f}", "5"),
    ]


def _header() -> Table:
    return [("night", "rows", "PUTs", "seconds", "CPU \u00b5s a row", "peak MB", "ledger MB")]


class _Nights:
    """Imports one dump after the other into the same product."""

    def __init__(self, bench: Bench, url: str) -> None:
        self._bench = bench
        self._url = url
        self._folder = bench.folder / f"nights-{url.rpartition(':')[2]}"

    def night(self, table: Table, name: str, path: Path, rows: int) -> None:
        """Import the dump, and add a line to the table."""
        options = ["--jobs-dir", self._folder, "--skip-unchanged"]
        used: Usage = self._bench.importer(path, self._url, *options)
        (ledger,) = self._folder.glob("ledger-*.sqlite")
        job = max(self._folder.glob("*/summary.json"), key=lambda path: path.stat().st_mtime)
        puts = json.loads(job.read_text())["puts"]
        table.append(
            (name, f"{rows:,}", f"{puts:,}", f"{used.seconds:.1f}", f"{1e6 * used.cpu / rows:.1f}",
             f"{used.peak:.0f}", f"{ledger.stat().st_size / 1e6:.0f}")
        )  # fmt: skip
