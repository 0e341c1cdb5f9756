"""What a row costs on the wire, against the bare loop: `peers/tuned.py`, in the same run."""

from __future__ import annotations

import os
import subprocess
import tomllib
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks import data
from benchmarks.bench import Bench, Table
from benchmarks.measure import ROOT, Usage, python, run
from benchmarks.servers import nginx

_ROWS = 200_000
#: The most memory that a job may take, in MB, and the most of the bare loop's CPU.
_PEAK = 200
_CPU = 0.45


class _Contest(NamedTuple):
    """The importer against the bare loop. `bar` is the least ratio of rows/s."""

    name: str
    bar: float
    concurrency: int
    tls: bool = False
    newest: bool = False


_CONTESTS = [
    _Contest("64 in flight", 2.2, 64),
    _Contest("256 in flight", 2.5, 256),
    _Contest("TLS, 64 in flight", 2.1, 64, tls=True),
    _Contest("Python 3.13, 64 in flight", 2.8, 64, newest=True),
]


def wire(bench: Bench) -> Table:
    """The whole job, CSV in, against the bare loop: rows/s, CPU and memory, each with its bar.

    `client` is the importer's client without the rest of a run.
    """
    table: Table = [
        ("measure", "tuned rows/s", "client", "importer", "bar", "CPU of tuned's", "bar", "peak MB",
         "bar")
    ]  # fmt: skip
    path = data.ratings(bench.folder, _ROWS)
    newest = _newest_python(bench.folder)
    for contest in _CONTESTS:
        if contest.newest and newest is None:
            continue
        interpreter = str(newest) if contest.newest else None
        certificate, authority = _certificate(bench.folder) if contest.tls else (None, None)
        with nginx(certificate) as url:
            extra = [] if authority is None else [authority]
            options: list[object] = ["--concurrency", contest.concurrency]
            options += [] if authority is None else ["--ca-file", authority]

            def peer(
                name: str,
                url: str = url,
                concurrency: int = contest.concurrency,
                extra: list[Path] = extra,
                interpreter: str | None = interpreter,
            ) -> Usage:
                command = python(f"benchmarks.peers.{name}", path, url, concurrency, *extra)
                return run(_with(interpreter, command))

            def importer(
                url: str = url,
                options: list[object] = options,
                interpreter: str | None = interpreter,
            ) -> Usage:
                command = bench.command(path, url, *options)
                return run(_with(interpreter, command), {"CLARITYQ_API_KEY": "key"})

            tuned, client, whole = bench.repeat(
                partial(peer, "tuned"), partial(peer, "client"), importer
            )
        table.append(
            (contest.name, f"{_ROWS / tuned.seconds:,.0f}",
             f"{tuned.seconds / client.seconds:.2f}", f"{tuned.seconds / whole.seconds:.2f}",
             f"{contest.bar}", f"{whole.cpu / tuned.cpu:.2f}", f"{_CPU}", f"{whole.peak:.0f}",
             f"{_PEAK}")
        )  # fmt: skip
    return table


def _with(interpreter: str | None, command: list[str]) -> list[str]:
    return command if interpreter is None else [interpreter, *command[1:]]


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Return a certificate with its key, and the authority that it is from."""
    import trustme  # noqa: PLC0415 -- of the extra `bench`

    certificate, authority = folder / "server.pem", folder / "authority.pem"
    if not certificate.exists():
        made = trustme.CA()
        made.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
        made.cert_pem.write_to_path(authority)
    return certificate, authority


def _newest_python(folder: Path) -> Path | None:
    """Return a Python 3.13 with the importer's dependencies, if there is one to begin with."""
    try:
        # pyenv's own `python3.13` starts only if it is chosen.
        chosen = subprocess.run(
            ["pyenv", "latest", "3.13"], capture_output=True, text=True, check=False
        ).stdout.strip()
    except FileNotFoundError:
        chosen = ""
    env = {**os.environ, **({"PYENV_VERSION": chosen} if chosen else {})}
    here = folder / "python-3.13"
    try:
        subprocess.run(["python3.13", "-m", "venv", here], check=True, env=env)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    constraints = ROOT / "constraints.txt"
    subprocess.run([here / "bin" / "pip", "install", "-q", *needed, "-c", constraints], check=True)
    return here / "bin" / "python"
