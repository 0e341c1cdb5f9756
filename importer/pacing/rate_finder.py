"""Finds how many requests per second the service grants, from what it refuses.

Nobody publishes the limit, so it is measured. A service refuses what is above its limit and, if it
is not quite well, a share of everything, whatever the rate: noise. Only the former calls for a
lower rate. What tells them apart is a trial at a lower rate: a limit refuses nothing there, noise
refuses as much as before.

The search goes by rounds. The rate is constant in a round, and only the responses to requests that
started in it count.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import TypeAlias, TypeVar

from importer.pacing.found import FINE, LEAST_STEP, STEP, Found
from importer.pacing.rate import RateCap
from importer.pacing.rounds import SURE, End, Noise, Round
from importer.pacing.stall import Stall

#: A round lasts at least so many seconds, and so many responses.
ROUND = 0.5
_RESPONSES = 20
_SHORTEST_ROUND = 0.125
#: A share that may be refused beyond noise.
_SLACK = 0.005
#: A share above this one is never taken for noise.
MOST_NOISE = 0.2
#: The rate of a trial, and of what is held, as shares of what was granted.
_TRIAL = 0.8
_BELOW = 0.98
#: Less than this share of a cap is used: something else limits the run.
_USED = 0.7
#: Refusals that tell noise from half of it.
_PROOF = 12
#: A stall that was waited for so many seconds need not concern the limit. The way back from it
#: doubles this share of the speed, and its rounds have a length of their own.
_LONG_STALL = 2.0
_FIRST_SHARE = 1 / 8
_WAY_BACK = 4.0
_SLOWEST = 0.02


_Result = TypeVar("_Result")
#: A part of the search: it yields each round as planned, is sent it back as it went, and returns.
Search: TypeAlias = Generator[Round, Round, _Result]


class RateFinder:
    """Sets `cap` by what is granted and refused. There is none before anything is refused.

    `is_searching` tells a cap that is tried from one that was found.
    """

    def __init__(self, now: float) -> None:
        self.cap: RateCap | None = None
        self.is_searching = False
        self._noise = Noise()
        self._length = ROUND
        # Since when it has granted, without a stall in between, and how much.
        self._origin, self._granted = now, 0
        self._resumed = Found(math.inf)
        self._is_known = False
        #: The latest one that was waited for, and the speed that is kept whatever such ones do.
        self._stall: Stall | None = None
        self._kept = 0.0
        self._begin(now, 0.0)

    @property
    def tolerated(self) -> float:
        """The share of this round's requests that may be refused."""
        return self._round.tolerated

    def start(self) -> None:
        """A request starts."""
        self._round.started += 1

    def granted(self, now: float, started: float) -> None:
        """A request that `started` then was not refused."""
        self._granted += 1
        current = self._round
        if started >= current.began:
            current.responses += 1
            if current.is_over(started):
                self._next(now, End.QUIET)

    def refused(self, now: float, started: float) -> None:
        """A request that `started` then was refused with a 429."""
        current = self._round
        if started < current.began:
            return  # it was sent before this rate could show
        current.responses += 1
        current.refused += 1
        if current.refused == current.responses:
            return  # a stall, it may be: the circuit breaker sees to that
        if current.exceeds(current.tolerated):
            self._next(now, End.LOUD)
        elif current.is_over(started):
            self._next(now, End.QUIET)

    def add_granted(self, number: int) -> None:
        """So many requests were granted that others have sent."""
        self._granted += number

    def weigh(
        self, now: float, *, used: float, granted: int, refused: int, reach: float, is_loud: bool
    ) -> bool:
        """Take in what the round has shown so far where others send; return whether it is over.

        `used` are the requests per second that have started in it, and `reach` is how many seconds
        into it the latest of those began that are answered. `is_loud`: they send less than they
        may, because too much was refused.
        """
        current = self._round
        current.started = round(used * (now - current.began))
        current.responses, current.refused = granted + refused, refused
        if granted and (is_loud or current.exceeds(current.tolerated)):
            current.rate = min(current.rate, used)
            self._next(now, End.LOUD)
        elif granted and current.is_over(current.began + reach):
            self._next(now, End.QUIET)
        return current is not self._round

    def restart(self, now: float) -> None:
        """Begin the round again: what it has shown so far tells nothing."""
        current = self._round
        current.began, current.started, current.responses, current.refused = now, 0, 0, 0

    def resumed(self, now: float, *, stalled_at: float, waited: bool) -> None:
        """The service grants again after it had granted nothing since `stalled_at`.

        Had it to be `waited` for, that shows nothing the first time: any service may refuse
        everything for a while, and the search begins anew. Was as much granted as before the
        latest such stall, a quota was used up. Stalls that come whatever the rate is lower nothing.
        """
        stall = Stall(self._granted, now - self._origin, now - stalled_at)
        self._origin, self._granted = now, 0
        kept = stall.kept_speed(self._stall, self._kept) if waited else 0.0
        is_quota = waited and stall.is_telling and stall.is_like(self._stall)
        self._is_known = is_quota or kept > 0  # at which rate to go on
        if waited:
            self._stall, self._kept = stall.or_faster(self._stall), kept
        is_first = self._length == ROUND and not self._is_known
        if not stall.granted or (waited and is_first and stall.seconds > _LONG_STALL):
            self._begin(now, stall.speed)
            return
        if waited and stall.is_telling:
            self._length = ROUND if kept else max(self._length, stall.period)
        rate = (kept or _BELOW * stall.rate) / (1 - self._noise.share)
        step = LEAST_STEP if stall.is_telling and self._length > ROUND else STEP
        self._resumed = Found(max(rate, _SLOWEST), step)
        self._next(now, End.STALLED)

    def _begin(self, now: float, speed: float) -> None:
        """Begin the search, and come back to the speed by steps; 0 is an unknown one."""
        self._search = self._rounds(speed)
        self._enter(now, next(self._search))

    def _next(self, now: float, end: End) -> None:
        ended = self._round
        ended.lasted, ended.end = now - ended.began, end
        self._enter(now, self._search.send(ended))

    def _enter(self, now: float, current: Round) -> None:
        self._round, current.began = current, now
        rate = current.rate
        if math.isinf(rate):
            self.cap = None
        elif self.cap is None:
            self.cap = RateCap(rate, catch_up=0.01, evenly=True)
        else:
            self.cap.change(rate)

    # The search, from its beginning. It has no end.

    def _rounds(self, speed: float) -> Search[None]:
        if speed:
            yield from self._return(speed)
        while True:
            self.is_searching, self._length = False, ROUND
            seen = yield self._plan(math.inf, rounds=2)
            if seen.end is End.QUIET:
                if self._noise.share:
                    self._noise.learn(seen)
                continue
            self.is_searching = True
            found = Found(math.inf)
            if seen.end is End.STALLED:
                found.restart(self._resumed)
            elif not (yield from self._trial(seen, found)):
                continue
            yield from self._follow(found)

    def _return(self, speed: float) -> Search[None]:
        """Come back to a speed by steps that double it: it may be the speed that was refused."""
        self.is_searching, self._length = True, _WAY_BACK
        found = Found(_FIRST_SHARE * speed, 1.0)
        if (yield from self._probe(found)):
            is_rate = not self._is_known
            if is_rate:
                found.rate /= 4  # that it was too much shows late
            yield from self._follow(found, is_after_probe=is_rate)

    def _trial(self, loud: Round, found: Found) -> Search[bool]:
        """Too much was refused: find the rate that is granted, or return False if it is noise."""
        noise = self._noise
        granted, before, enough = loud.granted, None, float(_RESPONSES)
        while True:
            seen = yield self._plan(_TRIAL * granted, tolerated=MOST_NOISE, enough=enough)
            if seen.end is End.STALLED:
                found.restart(self._resumed)
                return True
            if seen.end is End.LOUD:  # too much for noise: the limit is lower
                granted, before, enough = seen.granted, None, _RESPONSES
            elif before is None and seen.exceeds(noise.share + _SLACK):
                # Noise, or a limit that is lower still. Once more: does the share fall?
                granted, before = seen.granted, seen.share - noise.share
                enough = _PROOF / before
            elif before is None or seen.share - noise.share < before / 3:
                noise.learn(seen, surely=True)
                found.change(_BELOW * granted / (1 - noise.share))
                return True
            else:
                noise.forget()
                noise.learn(seen, surely=True)
                return False

    def _follow(self, found: Found, *, is_after_probe: bool = False) -> Search[None]:
        """Hold a rate and look above it, until something else limits the run."""
        while True:
            self.is_searching = found.step > FINE
            enough = max(_RESPONSES, _RESPONSES * found.rounds**2 / 4)
            seen = yield self._plan(found.rate, rounds=found.rounds, enough=enough)
            if seen.end is End.STALLED:
                # If nothing was granted at this rate, it was the probe that was refused.
                if self._is_known or seen.refused < seen.responses or not is_after_probe:
                    found.restart(self._resumed)
                is_after_probe = False
            elif seen.end is End.QUIET:
                if self._length == _WAY_BACK:
                    self._length = ROUND  # so much is granted, and goes on to be
                self._noise.learn(seen)
                if not (yield from self._probe(found)):
                    return
                is_after_probe = True
            elif found.is_old:  # what was granted then was granted for a burst only
                found.change(_BELOW * seen.granted / (1 - self._noise.share))
            else:
                yield from self._trial(seen, found)

    def _probe(self, found: Found) -> Search[bool]:
        """Go above a rate, step by step, until too much is refused.

        Returns False if something else limits the run meanwhile.
        """
        while True:
            seen = yield self._plan(
                found.rate * (1 + found.step),
                # The longer the step, the sooner a burst that is allowed is used up.
                rounds=min(1.0, FINE / found.step),
                enough=self._telling(found.step),
                unclear=self._noise.share + found.step / 3,
            )
            if seen.end is not End.QUIET:
                break
            if seen.used < _USED * seen.rate:
                return False
            found.rise()
        is_fine = found.step <= FINE
        found.stay(min(LEAST_STEP + self._noise.share, FINE))
        if seen.end is End.STALLED:
            if self._is_known:  # and measured anew
                found.restart(self._resumed)
        elif is_fine and self._noise.share > 2 * _SLACK:
            # Is it still so much? What was learnt too high would never show.
            before = found.rate
            yield from self._trial(seen, found)
            found.change(min(before, found.rate))
        return True

    def _plan(
        self,
        rate: float,
        *,
        tolerated: float | None = None,
        rounds: float = 1,
        enough: float = _RESPONSES,
        unclear: float = math.inf,
    ) -> Round:
        if tolerated is None:
            tolerated = min(self._noise.share + _SLACK, MOST_NOISE)
        seconds = max(rounds * self._length, _SHORTEST_ROUND)
        return Round(max(rate, _SLOWEST), tolerated, seconds, enough, unclear)

    def _telling(self, step: float) -> float:
        """Return how many responses show that `step` more than is granted is too much."""
        root = SURE * math.sqrt(self._noise.share + _SLACK)
        return ((root + math.sqrt(root * root + 4 * step * SURE)) / (2 * step)) ** 2
