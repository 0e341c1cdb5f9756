"""What a worker sees of the service's limit, for the one rate finder of the run. Sans-I/O."""

from __future__ import annotations

import math

import msgspec

from importer.pacing import RateCap
from importer.pacing.rate_finder import MOST_NOISE
from importer.pacing.rounds import Round

#: The rate that a worker brakes to by itself, as a share of what is granted.
_BRAKED = 0.8


class Told(msgspec.Struct, array_like=True, frozen=True):
    """What a worker is told of the pace."""

    #: The number of the round; counts begin anew with each.
    round: int
    #: Requests per second that it may start; None without a limit.
    rate: float | None
    #: The rate is tried, and not found yet.
    is_tried: bool
    #: The share that may be refused.
    tolerated: float
    #: Seconds from now for which nothing is to start: the service has asked another for a pause.
    hold: float
    #: Its own pause means nothing: others are granted what they ask for.
    lifts: bool


class Seen(msgspec.Struct, array_like=True, frozen=True):
    """What a worker has seen so far."""

    #: The round by whose rate it goes, and for how many seconds.
    round: int
    seconds: float
    #: Of the requests that started in these: how many there were, how many of them were granted and
    #: refused, and how many seconds into the round the latest of these started.
    started: int
    granted: int
    refused: int
    reach: float
    #: So much was refused in it that the worker has sent less than it was told.
    has_braked: bool
    #: How many requests were granted since the worker began.
    granted_in_all: int
    #: How often the service granted nothing and then granted again; the latest time: for how many
    #: seconds, and whether it had to be waited for (`RateFinder.resumed`).
    stalls: int
    stalled: float
    waited: bool
    #: Seconds that a pause still lasts for which this worker was asked.
    pause: float


class Tally:
    """A `Finder` in a worker: it goes by the rate that it is told, and counts what comes of it."""

    def __init__(self, now: float) -> None:
        self.cap: RateCap | None = None
        self.is_searching = False
        self._number = 0
        self._told: float | None = None
        self._begin(now, 0.0)
        self._granted = 0
        self._stalls = 0
        self._stalled, self._waited = 0.0, False

    def go_by(self, now: float, told: Told) -> None:
        """Go by another rate, and count anew in another round."""
        if told.round == self._number:
            if told.rate == self._told:
                return  # it may have braked since
        else:
            self._number = told.round
            self._begin(now, told.tolerated)
        self._told, self.is_searching = told.rate, told.is_tried
        self._set(told.rate)

    def seen(self, now: float, pause: float) -> Seen:
        """Return what there is to report; `pause` is that of this worker alone, in seconds."""
        current = self._round
        return Seen(
            self._number, now - current.began, current.started,
            current.responses - current.refused, current.refused, self._reach, self._braked,
            self._granted, self._stalls, self._stalled, self._waited, pause,
        )  # fmt: skip

    def start(self) -> None:
        """See `Finder`."""
        self._round.started += 1

    def granted(self, now: float, started: float) -> None:  # noqa: ARG002 -- as a finder has it
        """See `Finder`."""
        self._granted += 1
        self._count(started)

    def refused(self, now: float, started: float) -> None:
        """See `Finder`.

        Very many requests may be refused before the coordinator hears of it, so the worker brakes
        by itself until it is told another rate. One of many workers sees little: as long as there
        is no limit, two refusals are enough if they are too many for noise.
        """
        current = self._round
        if not self._count(started):
            return
        current.refused += 1
        is_sudden = self.cap is None and current.refused > 1 and current.share > MOST_NOISE
        is_much = is_sudden or current.exceeds(current.tolerated)
        if is_much and current.refused < current.responses:
            current.lasted = now - current.began
            self.is_searching = self._braked = True
            self._set(min(self._rate, _BRAKED * max(current.granted, 1.0)))

    def restart(self, now: float) -> None:
        """See `Finder`."""
        self._begin(now, self._round.tolerated)

    def resumed(self, now: float, *, stalled_at: float, waited: bool) -> None:
        """See `Finder`."""
        self._stalls += 1
        self._stalled, self._waited = now - stalled_at, waited

    def _begin(self, now: float, tolerated: float) -> None:
        self._round = Round(math.inf, tolerated, 0.0, 0.0, math.inf, began=now)
        self._reach, self._braked = 0.0, False

    def _set(self, rate: float | None) -> None:
        if rate is None:
            self.cap = None
        elif self.cap is None:
            self.cap = RateCap(rate, catch_up=0.01, evenly=True)
        elif self.cap.per_second != rate:
            self.cap.change(rate)

    @property
    def _rate(self) -> float:
        return math.inf if self.cap is None else self.cap.per_second

    def _count(self, started: float) -> bool:
        current = self._round
        if started < current.began:
            return False  # it was sent before this rate could show
        current.responses += 1
        self._reach = max(self._reach, started - current.began)
        return True
