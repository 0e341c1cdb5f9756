"""The clocks that a run reads, in one place so that tests can bring their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """`monotonic` orders what happens within a run; `wall` (Unix seconds) is what lasts.

    `cpu` is the CPU time of this process so far, in seconds.
    """

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    cpu: Callable[[], float] = time.process_time
