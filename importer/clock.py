"""The two clocks that a run reads, in one place so that tests can bring their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """`monotonic` orders what happens within a run; `wall` (Unix seconds) is what lasts."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
