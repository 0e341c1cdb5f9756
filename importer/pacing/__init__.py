"""When may the next request start? Sans-I/O: times are given as `now`, in seconds of one clock."""

from __future__ import annotations

from importer.pacing.circuit_breaker import CircuitBreaker, Suspicion
from importer.pacing.concurrency import ConcurrencyWindow
from importer.pacing.pacer import Finder, Limit, Pacer
from importer.pacing.rate import RateCap
from importer.pacing.rate_finder import RateFinder

__all__ = [
    "CircuitBreaker",
    "ConcurrencyWindow",
    "Finder",
    "Limit",
    "Pacer",
    "RateCap",
    "RateFinder",
    "Suspicion",
]
