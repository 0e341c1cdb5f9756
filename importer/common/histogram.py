"""How long responses took, counted in buckets whose bounds grow by a tenth."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

#: Upper bounds of the buckets, in seconds: each a tenth above the one before, 0.5 ms to four
#: minutes. So a percentile that is read from them is at most a tenth too high. What lies above them
#: all has one more bucket.
BUCKETS = tuple(0.0005 * 1.1**step for step in range(138))


def empty_buckets() -> list[int]:
    """Return the counts of all buckets, before anything was counted."""
    return [0] * (len(BUCKETS) + 1)


def bucket_of(seconds: float) -> int:
    """Return the place of the bucket that `seconds` falls into."""
    return bisect_left(BUCKETS, seconds)


def percentile(buckets: Sequence[int], share: float) -> float | None:
    """Return the seconds that `share` (0 to 1) of what was counted kept; None without any."""
    total = sum(buckets)
    if not total:
        return None
    place = bisect_left(list(accumulate(buckets)), share * total)
    return BUCKETS[min(place, len(BUCKETS) - 1)]
