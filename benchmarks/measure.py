"""Runs commands as whole processes and notes their time, CPU and peak memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
#: A command that takes longer hangs; in seconds.
_LONGEST = 3600.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used: seconds of wall clock and of CPU, and peak memory in MB."""

    seconds: float
    cpu: float
    peak: float


def python(module: str, *arguments: object) -> list[str]:
    """Return the command that runs a module with this interpreter."""
    return [sys.executable, "-m", module, *map(str, arguments)]


def run(
    command: Sequence[str],
    env: Mapping[str, str] | None = None,
    *,
    ok: int = 0,
    stdin: Path | None = None,
) -> Usage:
    """Run a command to its end, with what a file holds as its standard input, if one is given.

    Raises `RuntimeError`, with its output, on another exit code.
    """
    with tempfile.TemporaryFile() as output, (stdin or Path(os.devnull)).open("rb") as given:
        began = time.monotonic()
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=given, stdout=output, stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
        )  # fmt: skip
        try:
            _, status, used = _wait(process, began)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.monotonic() - began
        if os.waitstatus_to_exitcode(status) != ok:
            output.seek(0)
            said = output.read()[-3000:].decode(errors="replace")
            raise RuntimeError(f"{' '.join(command)}\n{said}")
    return Usage(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def _wait(
    process: subprocess.Popen[bytes], began: float
) -> tuple[int, int, resource.struct_rusage]:
    while True:
        found = os.wait4(process.pid, os.WNOHANG)
        if found[0]:
            process.returncode = found[1]
            return found
        if time.monotonic() - began > _LONGEST:
            raise RuntimeError(f"{process.args!r} takes too long")
        time.sleep(0.002)


def middle(usages: Sequence[Usage]) -> Usage:
    """Return the median of each figure."""
    return Usage(
        median(usage.seconds for usage in usages),
        median(usage.cpu for usage in usages),
        median(usage.peak for usage in usages),
    )
