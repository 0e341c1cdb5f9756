"""What a run measures of itself: latencies, statuses, and the problems that it met. Sans-I/O."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from importer.common.histogram import bucket_of, empty_buckets, percentile

_SHORTEST_INTERVAL = 1.0
_SHARE_OF_ELAPSED = 1 / 500
_MOST_PROBLEMS = 100


def interval_after(elapsed: float) -> float:
    """Return how long the next moment of a run lasts, in seconds when `elapsed` of it have gone by.

    It is a second, and in a long run a share of the time so far, so that the moments of a job of
    any length stay few.
    """
    return max(_SHORTEST_INTERVAL, _SHARE_OF_ELAPSED * elapsed)


class Problem(NamedTuple):
    """Rows or requests that met the same trouble: how many, and what it said the last time."""

    times: int
    latest: str


class Interval:
    """What was measured since `began` (seconds of a clock that does not run backwards)."""

    __slots__ = ("began", "buckets", "settled_before", "statuses")

    def __init__(self, began: float, settled_before: int) -> None:
        self.began = began
        self.settled_before = settled_before
        self.buckets = empty_buckets()
        self.statuses: Counter[int] = Counter()


class Statistics:
    """Gathers what the requests of a run show; costs next to nothing for each."""

    def __init__(self, now: float) -> None:
        self.problems: dict[str, Problem] = {}
        #: The responses of all ended intervals, by bucket, and by HTTP status (0: none came). Both
        #: grow in place, so that whoever holds them sees the same intervals in each.
        self.all_answers = empty_buckets()
        self.all_statuses: Counter[int] = Counter()
        self._started = now
        self._interval = Interval(now, 0)
        self._before = self._interval

    def answered(self, seconds: float, http_status: int | None) -> None:
        """A request took `seconds`; `http_status` is None if it had no response."""
        interval = self._interval
        interval.statuses[http_status or 0] += 1
        if http_status is not None:  # how soon nothing comes tells nothing of the service
            interval.buckets[bucket_of(seconds)] += 1

    def met(self, kind: str, detail: str) -> None:
        """Something went wrong: `kind` groups what is alike, `detail` tells of this case."""
        before = self.problems.pop(kind, Problem(0, ""))
        # Popped and put back: the latest stand last, and the oldest is forgotten.
        self.problems[kind] = Problem(before.times + 1, detail)
        if len(self.problems) > _MOST_PROBLEMS:
            del self.problems[next(iter(self.problems))]

    def turn(
        self, now: float, settled: int, *, last: bool = False
    ) -> tuple[Interval, float, int] | None:
        """End the interval if it has lasted long enough: return it, its seconds, its rows.

        `settled` is how many rows the run has done so far. The `last` one may be short.
        """
        interval = self._interval
        length = now - interval.began
        if length <= 0 or (length < interval_after(now - self._started) and not last):
            return None
        self._before, self._interval = interval, Interval(now, settled)
        both = zip(self.all_answers, interval.buckets, strict=True)
        self.all_answers[:] = [before + more for before, more in both]
        self.all_statuses.update(interval.statuses)
        return interval, length, settled - interval.settled_before

    def latencies(self) -> tuple[float | None, float | None]:
        """Return the recent median and 95th percentile, in seconds; None without responses."""
        recent = [
            now + before
            for now, before in zip(self._interval.buckets, self._before.buckets, strict=True)
        ]
        return percentile(recent, 0.5), percentile(recent, 0.95)
