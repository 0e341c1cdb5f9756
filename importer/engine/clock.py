"""The clocks that a run reads, in one place so that tests can bring their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

#: Linux: of the thread that reads it, nanoseconds on a CPU, in the queue for one, and turns.
_SCHEDULING = Path("/proc/thread-self/schedstat")


def cpu_wanted() -> float:
    """Return the seconds of CPU that this process has used, or waited for behind others.

    Only Linux tells of the waiting, and only for the thread that asks, which runs the event loop.
    """
    used = time.process_time()
    try:
        waited = int(_SCHEDULING.read_bytes().split()[1])
    except (OSError, ValueError, IndexError):
        return used
    return used + waited / 1e9


@dataclass(frozen=True, slots=True)
class Clock:
    """`monotonic` orders what happens within a run; `wall` (Unix seconds) is what lasts.

    `cpu` is the CPU time that this process has wanted so far, in seconds.
    """

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    cpu: Callable[[], float] = cpu_wanted
