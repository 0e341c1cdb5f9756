"""How a run finds its pace with services that refuse, for a reason or for none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks import data
from benchmarks.bench import Bench, Table
from benchmarks.servers import nginx, sink, statistics

_LATENCY = 0.05
#: The exit code of a run whose time box has ended.
_TIME_BOX = 6


@dataclass
class Run:
    """What a service granted and refused in each second of a run, and what the run says of it."""

    granted: list[int]
    refused: list[int]
    stored: int
    summary: dict[str, Any]

    def rate(self, since: int = 0, until: int | None = None) -> float:
        """Return the requests granted per second, between two seconds of the run."""
        part = self.granted[since:until]
        return sum(part) / len(part)

    def refused_share(self, since: int = 0) -> float:
        """Return the share of requests that were refused from that second on."""
        refused, granted = sum(self.refused[since:]), sum(self.granted[since:])
        return refused / max(1, refused + granted)


def play(bench: Bench, seconds: int, *options: object, **service: float | tuple[float, ...]) -> Run:
    """Import for some seconds from a file without an end into a sink with these options."""
    path = data.ratings(bench.folder, 200_000)
    with sink(**{"latency": _LATENCY, **service}) as url:
        bench.importer(
            path,
            url,
            "--max-duration",
            f"{seconds}s",
            "--defer-first",
            "1s",
            *options,
            ok=_TIME_BOX,
        )
        counts = statistics(url)
    timeline = counts["timeline"][:seconds]
    return Run(
        [granted for granted, _ in timeline],
        [refused for _, refused in timeline],
        counts["PUT 200"],
        bench.summary(),
    )


def pace(bench: Bench, seed: int = 1, minute: int = 60) -> Table:
    """Services that refuse: what is granted of what could be, and the share refused."""
    table: Table = [("service", "granted", "bar", "refused", "limited by")]

    def line(name: str, share: float, bar: float, run: Run, since: int = 0) -> None:
        table.append(
            (name, f"{share:.3f}", f"{bar:.2f}", f"{run.refused_share(since):.2%}",
             run.summary["limited_by"])
        )  # fmt: skip
        print(*table[-1], flush=True)  # noqa: T201 -- some of these take minutes

    free = play(bench, minute, seed=seed)
    line("without refusals, rows/s of 1,280", free.rate() / 1280, 0.97, free)
    for noise, bar in ((0.01, 0.95), (0.02, 0.93), (0.05, 0.88)):
        run = play(bench, minute, noise=noise, seed=seed)
        line(f"{noise:.0%} random 429", run.stored / free.stored, bar, run)
    run = play(
        bench, minute, noise=0.02, errors=0.02, deferring=0.1, completes_after=10.0, limit=300,
        seed=seed,
    )  # fmt: skip
    line("2 % 429, 2 % 503, 10 % 409, 300/s", run.rate() / 300, 0.9, run)
    run = play(bench, minute, limit=500, seed=seed)
    line("500/s, token bucket", run.rate() / 500, 0.95, run)
    with nginx() as url:
        for name, below, bar in (("burst of 10", "limited", 0.95), ("no burst", "strict", 0.92)):
            run = _nginx(bench, f"{url}/{below}", minute)
            line(f"500/s, limit_req, {name}", run.rate() / 500, bar, run)
    run = play(bench, 5 * minute, quota=100, seed=seed)
    line(
        "100 a minute, 5 minutes, refused from the third on", run.rate() / (100 / 60), 0.9, run, 120
    )
    run = play(bench, 75, limit=500, limit_later=(250.0, 30.0, 55.0), seed=seed)
    line("500/s falls to 250, from second 10 after on", run.rate(40, 55) / 250, 0.9, run)
    line("and returns, the same", run.rate(65, 75) / 500, 0.9, run)
    run = play(bench, minute, noise=0.02, retry_after=1, seed=seed)
    line("2 % random 429 with Retry-After: 1", run.stored / free.stored, 0.9, run)
    run = play(bench, minute, limit=500, retry_after=1, seed=seed)
    line("500/s with Retry-After: 1", run.rate() / 500, 0.95, run)
    run = play(bench, minute, down=(4.0, 2.0), seed=seed)
    failed = run.summary["outcomes"]["failed"]
    line(f"503 for 2 s of every 4 s ({failed} rows failed)", run.stored / free.stored, 0.38, run)
    return table


def _nginx(bench: Bench, url: str, seconds: int) -> Run:
    """Import for some seconds into nginx, which counts nothing: the run's own figures."""
    path = data.ratings(bench.folder, 200_000)
    bench.importer(path, url, "--max-duration", f"{seconds}s", ok=_TIME_BOX)
    summary = bench.summary()
    stored = summary["outcomes"]["succeeded"]
    refused = summary["puts"] - stored
    return Run([stored // seconds] * seconds, [refused // seconds] * seconds, stored, summary)
