"""What is asked of a large job once it has run, and what each answer costs."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from benchmarks import data
from benchmarks.bench import PRODUCT, Bench, Table
from benchmarks.measure import Usage, python, run
from benchmarks.servers import nginx

_LEFT = 1_000
_KEY = {"CLARITYQ_API_KEY": "key"}


def afterwards(bench: Bench) -> Table:
    """A job of which a thousand rows are left: one row more is sent, and the job is asked about."""
    rows = 10_000_000 if bench.large else 500_000
    path = data.ratings(bench.folder, rows)
    with nginx() as url:
        command = bench.command(path, url, "--concurrency", 256, "--limit", rows - _LEFT)
        table: Table = [("command", "rows", "seconds", "CPU \u00b5s a row", "peak MB", "bar, s")]
        _enter(table, "run, all but the last rows", rows, run(command, _KEY, ok=6), None)
        command[command.index("--limit") + 1] = "1"
        _enter(table, "run, resumed", rows, run(command, _KEY, ok=6), 120)
    (summary,) = bench.job_folder.glob("*/summary.json")
    kept = ("--jobs-dir", bench.job_folder)
    asked: dict[str, tuple[list[object], float]] = {
        "jobs": (["jobs"], 10),
        "jobs show": (["jobs", "show", summary.parent], 30),
        "explain": (["explain", _conversation(path, rows // 2)], 30),
        "outcomes": (["outcomes", summary.parent, "-o", bench.folder / "outcomes.csv"], 300),
        "outcomes --verify": (["outcomes", summary.parent, "--verify", summary], 120),
        "plan": (["plan", path, "--product-id", PRODUCT], 120),
        "undo, its table": (["undo", summary.parent], 120),
        "jobs abandon": (["jobs", "abandon", summary.parent], 120),
    }
    for name, (words, bar) in asked.items():
        _enter(table, name, rows, run(python("importer", *words, *kept), _KEY), bar)
    return table


def _enter(table: Table, name: str, rows: int, used: Usage, bar: float | None) -> None:
    table.append(
        (name, f"{rows:,}", f"{used.seconds:.1f}", f"{1e6 * used.cpu / rows:.2f}",
         f"{used.peak:.0f}", "" if bar is None else f"{bar:.0f} for 10,000,000")
    )  # fmt: skip


def _conversation(path: Path, row: int) -> str:
    with path.open() as lines:
        (line,) = islice(lines, row, row + 1)
    return line.partition(",")[0]
