"""What a row costs on the wire, against the bare loop (`peers/tuned.py`) in the same run.

Each figure stands beside the bar that it has to reach.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from benchmarks import data
from benchmarks.bench import Bench, Table
from benchmarks.measure import ROOT, Usage, python, run
from benchmarks.servers import certificate, nginx

_ROWS = 200_000
#: The most of the bare loop's CPU that a job may take, and the most memory, in MB.
_CPU = 0.45
_PEAK = 200


def wire(bench: Bench) -> Table:
    """The whole job, CSV in, 64 in flight, against the bare loop."""
    return _contest(bench, 64, bar=2.2)


def wire_256(bench: Bench) -> Table:
    """The same, 256 in flight."""
    return _contest(bench, 256, bar=2.5)


def wire_tls(bench: Bench) -> Table:
    """The same with TLS, 64 in flight, against the bare loop with TLS."""
    return _contest(bench, 64, bar=2.1, tls=True)


def wire_newest(bench: Bench) -> Table:
    """The same on Python 3.13, 64 in flight, against the bare loop on it."""
    interpreter = _newest_python(bench.folder)
    if interpreter is None:
        return [("figure",), ("there is no Python 3.13 on the path or in pyenv",)]
    return _contest(bench, 64, bar=2.8, interpreter=interpreter)


def _contest(
    bench: Bench,
    concurrency: int,
    *,
    bar: float,
    tls: bool = False,
    interpreter: str = sys.executable,
) -> Table:
    """Measure the bare loop, the importer's client without the rest, and the importer, in turn.

    `bar` is the least ratio of the importer's rows/s to the bare loop's.
    """
    path = data.ratings(bench.folder, _ROWS)
    pem, authority = certificate(bench.folder) if tls else (None, None)
    trusted = [authority] if authority else []

    with nginx(pem) as url:

        def peer(name: str) -> Usage:
            command = python(f"benchmarks.peers.{name}", path, url, concurrency, *trusted)
            return run([interpreter, *command[1:]])

        def importer() -> Usage:
            options = ["--ca-file", *trusted] if trusted else []
            command = bench.command(path, url, "--concurrency", concurrency, *options)
            return run([interpreter, *command[1:]], {"CLARITYQ_API_KEY": "key"})

        loop, client, job = bench.repeat(lambda: peer("tuned"), lambda: peer("client"), importer)
    return [
        ("measure", "figure", "bar"),
        ("the bare loop, rows/s", f"{_ROWS / loop.seconds:,.0f}", ""),
        ("the client alone, of that", f"{loop.seconds / client.seconds:.2f}", ""),
        ("the whole job, of that", f"{loop.seconds / job.seconds:.2f}", f"at least {bar}"),
        ("CPU, of the bare loop's", f"{job.cpu / loop.cpu:.2f}", f"at most {_CPU}"),
        ("peak memory, MB", f"{job.peak:.0f}", f"at most {_PEAK}"),
    ]


def _newest_python(folder: Path) -> str | None:
    """Return a Python 3.13 with the importer's dependencies, if there is one to begin with."""
    try:
        # pyenv's own `python3.13` starts only if it is chosen.
        latest = subprocess.run(
            ["pyenv", "latest", "3.13"], capture_output=True, text=True, check=False
        ).stdout.strip()
    except FileNotFoundError:
        latest = ""
    env = {**os.environ, **({"PYENV_VERSION": latest} if latest else {})}
    here = folder / "python-3.13"
    try:
        subprocess.run(["python3.13", "-m", "venv", here], check=True, env=env)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    constraints = ROOT / "constraints.txt"
    subprocess.run([here / "bin" / "pip", "install", "-q", *needed, "-c", constraints], check=True)
    return str(here / "bin" / "python")
