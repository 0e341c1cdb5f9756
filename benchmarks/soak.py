"""A run that lasts, through every kind of fault: what it holds must not grow with what it sends."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import psutil

from benchmarks import data
from benchmarks.bench import Bench, Table
from benchmarks.measure import ROOT
from benchmarks.servers import sink, statistics

#: Seconds between two looks at the process.
_STEP = 2.0
#: The first rows fill what has a fixed size.
_WARM = 0.1
_FAULTS = {
    "latency": 0.005, "noise": 0.01, "errors": 0.01, "resets": 0.005, "mute": 0.0005,
    "deferring": 0.02, "completes_after": 10.0, "failing": 0.0001,
}  # fmt: skip


def soak(bench: Bench) -> Table:
    """A run of half an hour or more (`--large`) through refusals, errors, resets, silence and 409s.

    Memory, open files and threads are looked at from a tenth of the rows on, every two seconds.
    """
    rows, rate = (5_000_000, 2_000) if bench.large else (100_000, 5_000)
    path = data.feedback(bench.folder, rows)
    with sink(**_FAULTS) as url:
        command = bench.command(
            path, url, "--rate", rate, "--read-timeout", "2s", "--defer-first", "5s"
        )
        began = time.monotonic()
        process = subprocess.Popen(
            command, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            env={**os.environ, "CLARITYQ_API_KEY": "key"},
        )  # fmt: skip
        looks = []
        while process.poll() is None:
            looks.append(_look(psutil.Process(process.pid), bench.job_folder))
            time.sleep(_STEP)
        seconds = time.monotonic() - began
        counts = statistics(url)
    if process.returncode not in (0, 1):  # the conversations that always fail
        raise RuntimeError(f"{command} ended with {process.returncode}")
    looks = looks[int(_WARM * len(looks)) :]
    half = len(looks) // 2
    summary = bench.summary()
    answers = {name: n for name, n in sorted(counts.items()) if name.startswith(("PUT", "GET"))}
    return [
        ("measure", "figure"),
        ("rows", f"{summary['rows']:,}"),
        ("minutes", f"{seconds / 60:.0f}"),
        ("what the service did", ", ".join(f"{name}: {n:,}" for name, n in answers.items())),
        ("outcomes", ", ".join(f"{n:,} {kind}" for kind, n in summary["outcomes"].items() if n)),
        ("most memory, first half and second, MB", _both(looks, half, 0)),
        ("most open files, first half and second", _both(looks, half, 1)),
        ("most threads, first half and second", _both(looks, half, 2)),
        ("journal, bytes a row", f"{looks[-1][3] / summary['rows']:.0f}"),
    ]


def _look(process: psutil.Process, jobs: Path) -> tuple[float, int, int, int]:
    """Return memory in MB, open files, threads, and the size of the journal in bytes."""
    try:
        with process.oneshot():
            size = sum(path.stat().st_size for path in jobs.glob("*/journal.sqlite"))
            memory = process.memory_info().rss / 1024**2
            return memory, process.num_fds(), process.num_threads(), size
    except psutil.Error:  # it has just ended
        return 0.0, 0, 0, sum(path.stat().st_size for path in jobs.glob("*/journal.sqlite"))


def _both(looks: list[tuple[float, int, int, int]], half: int, place: int) -> str:
    first, second = (max(look[place] for look in part) for part in (looks[:half], looks[half:]))
    return f"{first:.0f}, {second:.0f}"
