"""One job on many processes: what they add, and how they share a limit that nobody has told."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import psutil

from benchmarks import data
from benchmarks.bench import Bench, Table
from benchmarks.measure import ROOT, Usage, run
from benchmarks.servers import nginx, reset, sink, statistics

#: None is the command alone.
_NUMBERS = (None, 1, 2, 4)


def workers(bench: Bench) -> Table:
    """One process against several on the same machine, without the time that they take to start.

    The command's CPU is what it takes to read, hand out and record, in microseconds a row: at most
    5 with workers that are never waited for.
    """
    table: Table = [
        ("service", "workers", "rows/s", "ratio", "CPU s per 10,000 rows", "of the command, µs/row")
    ]
    rows = 200_000
    path = data.ratings(bench.folder, rows)
    with nginx() as url:
        _lines(bench, table, "without latency", path, url, rows)
    rows = 30_000
    path = data.ratings(bench.folder, rows)
    with sink(latency=0.05) as url:
        _lines(bench, table, "50 ms, 64 at once for each", path, url, rows, 64)
    rows = 1_000_000
    path = data.ratings(bench.folder, rows)
    for number in (1, 4):
        speed, _, own = _median(bench, path, "http://127.0.0.1:9", rows, number, ["--idle"], [])
        table.append(("none: workers do nothing", str(number), f"{speed:,.0f}", "", "", own))
    return table


def _lines(
    bench: Bench, table: Table, service: str, path: Path, url: str, rows: int, at_once: int = 0
) -> None:
    base = 0.0
    for number in _NUMBERS:
        options = ["--concurrency", at_once * (number or 1)] if at_once else []
        speed, used, own = _median(bench, path, url, rows, number, [], options)
        base = base or speed
        table.append(
            (service, "one process" if number is None else str(number), f"{speed:,.0f}",
             f"{speed / base:.2f}", f"{used.cpu / rows * 10_000:.2f}", own)
        )  # fmt: skip


def _median(
    bench: Bench,
    path: Path,
    url: str,
    rows: int,
    number: int | None,
    first: Sequence[object],
    options: Sequence[object],
) -> tuple[float, Usage, str]:
    """Return of the run in the middle: rows per second, all CPU, and the command's for a row."""
    found = sorted(
        (_speed(bench, path, url, rows, number, first, options) for _ in range(bench.runs)),
        key=lambda each: each[0],
    )
    speed, used, own = found[len(found) // 2]
    return speed, used, "" if number is None else f"{own / rows * 1e6:.1f}"


def _speed(
    bench: Bench,
    path: Path,
    url: str,
    rows: int,
    number: int | None,
    first: Sequence[object] = (),
    options: Sequence[object] = (),
) -> tuple[float, Usage, float]:
    figure = bench.folder / "cpu"
    if number is not None:
        options = ["--workers", number, *options]
    command = bench.command(path, url, "--late-effect", "1s", *options)
    at = command.index("importer")
    command[at : at + 1] = ["benchmarks.coordinator", str(figure), *map(str, first)]
    used = run(command, {"CLARITYQ_API_KEY": "key"})
    summary = bench.summary()
    began, ended = (datetime.fromisoformat(summary[key]) for key in ("started_at", "ended_at"))
    return rows / (ended - began).total_seconds(), used, float(figure.read_text())


def workers_limited(bench: Bench) -> Table:
    """Workers at a service that grants 500 requests/s and answers 429 beyond."""
    table: Table = [("workers", "rows/s", "of 500", "refused")]
    rows = 30_000
    path = data.ratings(bench.folder, rows)
    with sink(limit=500, latency=0.05) as url:
        for number in (None, 2, 8):
            reset(url)
            speed, _, _ = _speed(bench, path, url, rows, number)
            counts = statistics(url)
            refused = counts.get("PUT 429", 0)
            table.append(
                ("one process" if number is None else str(number), f"{speed:.0f}",
                 f"{speed / 500:.3f}", f"{refused / (counts['PUT 200'] + refused):.2%}")
            )  # fmt: skip
    return table


def workers_lost(bench: Bench) -> Table:
    """One of four workers is killed while they send; what two take to start; their memory.

    The others keep their rate, and only what the killed one had not yet told of is sent once more.
    """
    rows, number = 30_000, 4
    path = data.ratings(bench.folder, rows)
    with sink(latency=0.05) as url:
        command = bench.command(
            path, url, "--workers", number, "--concurrency", 16 * number, "--late-effect", "1s"
        )
        environment = {**os.environ, "CLARITYQ_API_KEY": "key"}
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        )
        while len(statistics(url)["timeline"]) < 9:
            time.sleep(0.1)
        found = _worker_processes(process.pid)
        peak = max(map(_peak, found))
        found[0].send_signal(signal.SIGKILL)
        at = len(statistics(url)["timeline"])
        if process.wait() != 0:
            raise RuntimeError(f"{command} ended with {process.returncode}")
        counts = statistics(url)
        alone, two = (_seconds_to_start(bench, url, options) for options in ([], ["--workers", 2]))
    granted = [second[0] for second in counts["timeline"]]
    before = sum(granted[at - 6 : at - 1]) / 5
    after = min(granted[at : at + 3])
    twice = counts["PUT 200"] - rows
    return [
        ("measure", "figure", "bar"),
        ("rows/s of four workers", f"{before:,.0f}", ""),
        ("the slowest second after one was killed, of the three others' rate",
         f"{after / (before * (number - 1) / number):.2f}", "at least 0.9"),
        ("sent twice, in seconds of the killed one's rate", f"{twice / (before / number):.2f}",
         "at most 1"),
        ("to start two workers, s", f"{two - alone:.2f}", "at most 1.5"),
        ("peak memory of a worker, MB", f"{peak:.0f}", "at most 100"),
    ]  # fmt: skip


def _worker_processes(command: int) -> list[psutil.Process]:
    children = psutil.Process(command).children(recursive=True)
    return [one for one in children if any("spawn_main" in word for word in one.cmdline())]


def _peak(process: psutil.Process) -> float:
    """Return the most memory that a process has used, in MB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _seconds_to_start(bench: Bench, url: str, options: Sequence[object]) -> float:
    """Return the seconds from the command to the moment when it could send."""
    path = data.ratings(bench.folder, 1)
    found = []
    for _ in range(bench.runs):
        began = time.time()
        bench.importer(path, url, "--late-effect", "1s", *options)
        found.append(datetime.fromisoformat(bench.summary()["started_at"]).timestamp() - began)
    return sorted(found)[len(found) // 2]
