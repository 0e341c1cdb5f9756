"""What is measured. Each scenario returns a table: a header and rows of text."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from benchmarks import data
from benchmarks.afterwards import afterwards
from benchmarks.bench import PRODUCT, Bench, Table
from benchmarks.measure import Usage, python, run
from benchmarks.nights import repeated, resuming, survey, unchanged
from benchmarks.pace import pace
from benchmarks.reading import checking, reading
from benchmarks.servers import nginx, reset, sink, statistics
from benchmarks.soak import soak
from benchmarks.sources import sources
from benchmarks.wire import wire, wire_256, wire_newest, wire_tls
from benchmarks.workers import workers, workers_limited, workers_lost

_IMPORTER = "clarityq-import"
#: Peers that are tools of their own, and what has to be installed for each.
_TOOLS = {"dlt_destination": "dlt", "drt_sync": "drt"}


def sending(bench: Bench) -> Table:
    """A service without latency: what sending costs."""
    table: Table = [("at once", "client", "rows/s", "ratio", "CPU s per 10,000 rows", "peak MB")]
    with nginx() as url:
        for concurrency in (64, 256):
            names = ["tuned", _IMPORTER, "naive", "raw_socket"]
            rows = [200_000, 200_000, 50_000, 200_000]
            if concurrency == 64:
                slow = ["httpx_async", "requests_threads", *_tools()]
                names, rows = names + slow, rows + [5_000] * len(slow)
            paths = [data.ratings(bench.folder, number) for number in rows]

            def measure(name: str, path: Path, concurrency: int = concurrency) -> Usage:
                if name == _IMPORTER:
                    return bench.importer(path, url, "--concurrency", concurrency)
                return run(python(f"benchmarks.peers.{name}", path, url, concurrency))

            found = bench.repeat(
                *(partial(measure, name, path) for name, path in zip(names, paths, strict=True))
            )
            curl = run(_curl(bench, url, concurrency))
            base = rows[0] / found[0].seconds
            for name, number, used in zip(
                [*names, "curl --parallel"], [*rows, 50_000], [*found, curl], strict=True
            ):
                speed = number / used.seconds
                table.append(
                    (str(concurrency), name, f"{speed:,.0f}", f"{speed / base:.2f}",
                     f"{used.cpu / number * 10_000:.2f}", f"{used.peak:.0f}")
                )  # fmt: skip
            wrk = _wrk(url, concurrency)
            table.append((str(concurrency), "wrk", f"{wrk:,.0f}", f"{wrk / base:.2f}", "", ""))
    return table


def _tools() -> list[str]:
    return [name for name, package in _TOOLS.items() if find_spec(package) is not None]


def latency(bench: Bench) -> Table:
    """A service that takes 50 ms for each answer, against what wrk reaches."""
    table: Table = [("at once", "rows", "wrk requests/s", "importer rows/s", "ratio", "bar")]
    with sink(latency=0.05) as url:
        for concurrency, rows, bar in (
            (64, 50_000, 0.97), (256, 150_000, 0.95), (1000, 400_000, 0.85),
        ):  # fmt: skip
            path = data.ratings(bench.folder, rows)
            reached = [_wrk(url, concurrency)]
            (used,) = bench.repeat(partial(bench.importer, path, url, "--concurrency", concurrency))
            reached.append(_wrk(url, concurrency))
            best = max(reached)
            speed = rows / used.seconds
            table.append(
                (str(concurrency), f"{rows:,}", f"{best:,.0f}", f"{speed:,.0f}",
                 f"{speed / best:.3f}", f"at least {bar}")
            )  # fmt: skip
    return table


def limited(bench: Bench) -> Table:
    """A service that grants 500 requests/s and answers 429 without `Retry-After` beyond."""
    table: Table = [("service", "rows/s", "of 500", "refused")]
    path = data.ratings(bench.folder, 30_000)
    with sink(limit=500) as url:
        speeds, shares = [], []
        for _ in range(bench.runs):
            reset(url)
            used = bench.importer(path, url)
            counts = statistics(url)
            speeds.append(30_000 / used.seconds)
            shares.append(counts.get("PUT 429", 0) / (counts["PUT 200"] + counts["PUT 429"]))
        table.append(_limited_line("sink", speeds, shares))
    with nginx() as url:
        speeds, shares = [], []
        for _ in range(bench.runs):
            used = bench.importer(path, f"{url}/limited")
            speeds.append(30_000 / used.seconds)
            puts = int(str(bench.summary()["puts"]))
            shares.append((puts - 30_000) / puts)
        table.append(_limited_line("nginx limit_req", speeds, shares))
    return table


def failing(bench: Bench) -> Table:
    """One conversation in a hundred always answers 503: the others must not suffer."""
    table: Table = [("always 503", "other rows/s", "ratio")]
    path = data.ratings(bench.folder, 100_000)
    speeds: dict[float, list[float]] = {0.0: [], 0.01: []}
    with sink(latency=0.01) as good, sink(latency=0.01, failing=0.01) as bad:
        for _ in range(bench.runs):
            for share, url in ((0.0, good), (0.01, bad)):
                reset(url)
                bench.importer(path, url, "--max-attempts", 4, ok=1 if share else 0)
                counts = statistics(url)
                speeds[share].append(counts["PUT 200"] / counts["seconds"])
    best = [sorted(found)[len(found) // 2] for found in speeds.values()]
    for share, speed in zip(speeds, best, strict=True):
        table.append((f"{share:.0%}", f"{speed:,.0f}", f"{speed / best[0]:.2f}"))
    return table


def deferring(bench: Bench) -> Table:
    """A fifth of the conversations complete 30 s after they were first asked for."""
    rows, rate = 60_000, 3_000
    ideal = rows / rate + 30
    path = data.ratings(bench.folder, rows)
    with sink(deferring=0.2, completes_after=30) as url:
        used = bench.importer(path, url, "--rate", rate)
        counts = statistics(url)
    deferred = counts["PUT 409"]
    others = counts["PUT 200"] - 0.2 * rows
    puts = (counts["PUT 200"] + counts["PUT 409"] - others) / (0.2 * rows)
    return [
        ("rows", "seconds", "of the ideal time", "PUTs for a deferred row", "409s"),
        (f"{rows:,}", f"{used.seconds:.1f}", f"{used.seconds / ideal:.3f}", f"{puts:.2f}",
         f"{deferred:,}"),
    ]  # fmt: skip


def memory(bench: Bench) -> Table:
    """Peak memory of an import, for inputs of different sizes."""
    sizes = (200_000, 10_000_000 if bench.large else 1_000_000)
    table: Table = [("format", "rows", "peak MB")]
    with nginx() as url:
        for name, make in (("CSV", data.ratings), ("Parquet", data.ratings_in_parquet)):
            for rows in sizes:
                used = bench.importer(make(bench.folder, rows), url)
                table.append((name, f"{rows:,}", f"{used.peak:.0f}"))
    return table


def million_deferred(bench: Bench) -> Table:
    """A million rows deferred at once, while a hundred thousand others go on."""
    rows = 1_100_000 if bench.large else 110_000
    path = data.ratings(bench.folder, rows)
    with sink(deferring=10 / 11, completes_after=rows / 5_000) as url:
        used = bench.importer(path, url, "--defer-first", rows / 5_000)
    return [
        ("rows", "deferred", "seconds", "peak MB"),
        (f"{rows:,}", f"{rows * 10 // 11:,}", f"{used.seconds:.0f}", f"{used.peak:.0f}"),
    ]


def startup(bench: Bench) -> Table:
    """What `--help` costs."""
    (used,) = bench.repeat(lambda: run(python("importer", "--help")))
    code = (
        "import sys; sys.argv = ['clarityq-import', '--help']\n"
        "from importer.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'pandas', 'pyarrow', 'aiohttp'} & set(sys.modules)), file=sys.stderr)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stderr.strip()
    return [("command", "CPU s", "heavy modules"), ("--help", f"{used.cpu:.2f}", loaded)]


SCENARIOS: dict[str, Callable[[Bench], Table]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        sending, wire, wire_256, wire_tls, wire_newest, latency, limited, failing, deferring,
        checking, reading, sources, memory, million_deferred, survey, unchanged, repeated, resuming,
        afterwards, startup, pace, workers, workers_limited, workers_lost, soak,
    )
}  # fmt: skip


def _limited_line(
    name: str, speeds: Sequence[float], shares: Sequence[float]
) -> tuple[str, str, str, str]:
    speed, share = sorted(speeds)[len(speeds) // 2], sorted(shares)[len(shares) // 2]
    return name, f"{speed:,.0f}", f"{speed / 500:.3f}", f"{share:.2%}"


def _wrk(url: str, connections: int) -> float:
    path = f"{url}/api/v1/products/{PRODUCT}/conversations/{PRODUCT}/feedback"
    done = subprocess.run(
        ["wrk", "-t", "1", "-c", str(connections), "-d", "10", path],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert found is not None
    return float(found[1])


def _curl(bench: Bench, url: str, concurrency: int) -> list[str]:
    """Return a curl command for 50,000 rows; it has them from a file of its own form."""
    path = bench.folder / f"curl-{concurrency}.txt"
    with path.open("w") as file, data.ratings(bench.folder, 50_000).open() as rows:
        next(rows)
        for row in rows:
            target = f"{url}/api/v1/products/p/conversations/{row[:36]}/feedback"
            file.write(
                f'next\nrequest = PUT\nurl = "{target}"\nheader = "X-API-Key: key"\n'
                'header = "Content-Type: application/json"\noutput = /dev/null\n'
                'data = "{\\"rating\\":\\"POSITIVE\\"}"\n'
            )
    path.write_text(path.read_text().removeprefix("next\n"))
    return ["curl", "-s", "--parallel", "--parallel-max", str(concurrency), "--config", str(path)]
