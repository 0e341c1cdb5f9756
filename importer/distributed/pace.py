"""One pace for all workers: what they see goes to one rate finder, and its rate is shared out.

Each worker alone would see too little, and mistake the load of the others for a lower limit.
Sans-I/O; times are seconds of the coordinator's clock.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable

from importer.distributed.pauses import Pauses
from importer.distributed.tally import Seen, Told
from importer.pacing import RateFinder

#: With a lower share than this (requests per second) a worker sends nothing, and others send more:
#: many slow workers start requests at the same moments, and take long to hear of another rate.
_LEAST_SHARE = 50.0
#: With many workers something comes all the time; it is looked at after so many seconds.
_GLANCE = 0.01
#: After so many seconds others have their turn.
_TURN = 5.0
#: What was seen in a shorter time tells no rate.
_SHORTEST = 0.05
#: If nothing is granted to anybody for so many seconds it is a stall. What a worker tells may be
#: late by so many.
_STALL = 0.4
_LATE = 0.2
_NOTHING = Seen(0, 0.0, 0, 0, 0, 0.0, False, 0, 0, 0.0, False, 0.0)


class Pace:
    """Finds the rate that the service grants to all workers together.

    The finder goes by rounds, each at one rate. In a round with a lower rate nothing is counted
    until all workers go by it: what the others still send is refused to those that do already.
    """

    def __init__(self, now: float) -> None:
        self._finder = RateFinder(now)
        #: The number of the round.
        self.number = 1
        #: Whether workers are waited for that do not go by the round's rate yet.
        self._settles = False
        #: Those that are there, in the order in which they have their turns.
        self._workers: list[Hashable] = []
        self._senders: set[Hashable] = set()
        #: Those that may be sending: they have not told yet that they do not.
        self._sending: set[Hashable] = set()
        self._turn_ends = now + _TURN
        #: When it was looked who is there the last time, and how many there were.
        self._called, self._present = -math.inf, 0
        self._weighed = -math.inf
        self._began = now
        self._seen: dict[Hashable, Seen] = {}
        self._pauses = Pauses()
        self._granted_at: dict[Hashable, float] = {}
        self._resumed_at = now

    @property
    def service_rate(self) -> float | None:
        """The service's limit in requests per second, if one was found."""
        cap = self._finder.cap
        return cap.per_second if cap is not None and not self._finder.is_searching else None

    def places(self, workers: int) -> int:
        """Return how many of so many workers are to send at a time, at least 1."""
        return int(max(1, min(workers, self._rate / _LEAST_SHARE)))

    def sends(self, worker: Hashable) -> bool:
        """Return whether it is the worker's turn. Without a limit it is everybody's."""
        return math.isinf(self._rate) or not self._senders or worker in self._senders

    def tell(
        self,
        worker: Hashable,
        present: Collection[Hashable],
        now: float,
        *,
        idle: Collection[Hashable] = (),
    ) -> Told:
        """Return what `worker` is told.

        `present` are those that can be told something, and of these `idle` have no rows that can be
        sent.
        """
        if now >= self._called + _GLANCE or len(present) != self._present:
            self._called, self._present = now, len(present)
            if self._call([each for each in present if each in self._seen], idle, now):
                self._begin(now, is_lower=True)
        if self.sends(worker):
            self._sending.add(worker)
        share = None if math.isinf(self._rate) else self._rate / self.places(len(self._workers))
        return Told(
            self.number, share, self._finder.is_searching, self._finder.tolerated,
            self._pauses.hold(worker, now), self._pauses.lifts(worker),
        )  # fmt: skip

    def heard(self, worker: Hashable, seen: Seen, now: float) -> None:
        """A worker tells what it has seen."""
        before = self._seen.get(worker, _NOTHING)
        self._seen[worker] = seen
        if seen.round == self.number and not self.sends(worker):
            self._sending.discard(worker)
        self._pauses.heard(worker, seen.pause, seen.granted_in_all, now)
        is_back = seen.stalls > before.stalls and self._had_stalled(worker, now, seen.stalled)
        if is_back:
            self._resumed_at = now
            self._finder.resumed(now, stalled_at=now - seen.stalled, waited=seen.waited)
        if seen.granted_in_all > before.granted_in_all:
            # What ended a stall counts for what comes after it.
            self._finder.add_granted(seen.granted_in_all - before.granted_in_all)
            self._granted_at[worker] = now
        if is_back:
            self._begin(now, is_lower=True)
        elif not self._settles:
            self._weigh(now)
        elif all(self.is_known_by(each) for each in (*self._senders, *self._sending)):
            self._begin(now, is_lower=False)

    def gone(self, worker: Hashable) -> None:
        """A worker sends nothing any more."""
        self._seen.pop(worker, None)
        self._sending.discard(worker)
        self._pauses.gone(worker)
        self._granted_at.pop(worker, None)

    def _had_stalled(self, worker: Hashable, now: float, seconds: float) -> bool:
        """Return whether the service has granted nothing to anybody for so many seconds.

        Of a worker alone it means nothing: with few requests many are refused in a row by chance.
        """
        began = now - seconds
        if began <= self._resumed_at:
            return False  # the others have met the same, and tell of it later
        others = [at for each, at in self._granted_at.items() if each != worker]
        return not others or (seconds >= _STALL and max(others) < began + _LATE)

    def is_known_by(self, worker: Hashable) -> bool:
        """Return whether it has told that it goes by the rate of this round, or sends nothing.

        One that has told nothing yet has not begun.
        """
        seen = self._seen.get(worker)
        return seen is None or seen.round == self.number or worker not in self._sending

    def _begin(self, now: float, *, is_lower: bool) -> None:
        """Count anew, after a lower rate only when all workers go by it."""
        self.number += 1
        self._settles, self._began = is_lower, now
        self._finder.restart(now)

    def _weigh(self, now: float) -> None:
        """Let the finder see what has come of the round so far."""
        if now < self._weighed + _GLANCE:
            return
        self._weighed = now
        seen = [self._seen[each] for each in self._senders if each in self._seen]
        known = [each for each in seen if each.round == self.number]
        if len(known) < len(self._senders):
            return  # what the others do would not show
        # Those that have told nothing since the round began do as the others do.
        counted = [each for each in known if each.seconds > (now - self._began) / 2]
        if not counted or 2 * len(counted) < len(known):
            return
        before = self._rate
        is_over = self._finder.weigh(
            now,
            used=sum(each.started / max(each.seconds, _SHORTEST) for each in counted)
            * len(known)
            / len(counted),
            granted=sum(each.granted for each in counted),
            refused=sum(each.refused for each in counted),
            reach=max(each.reach for each in counted),
            is_loud=any(each.has_braked for each in counted),
        )
        if is_over:
            if now >= self._turn_ends:
                self._turn(now)
            self._begin(now, is_lower=self._rate < before)

    @property
    def _rate(self) -> float:
        return math.inf if self._finder.cap is None else self._finder.cap.per_second

    def _turn(self, now: float) -> None:
        """Let others send."""
        self._turn_ends = now + _TURN
        senders = len(self._senders)
        self._workers = self._workers[senders:] + self._workers[:senders]

    def _call(self, present: Collection[Hashable], idle: Collection[Hashable], now: float) -> bool:
        """Choose who sends; return whether that changes the rate of any."""
        self._workers = [each for each in self._workers if each in present]
        self._workers += [each for each in present if each not in self._workers]
        most = self.places(len(self._workers))
        if most < len(self._workers):
            # Whoever has nothing to send gives way.
            self._workers.sort(key=lambda each: each in idle)
            if now >= self._turn_ends and self._workers[0] in idle:
                self._turn(now)  # all have deferred rows at most, which are due now and then
        senders = set(self._workers[:most])
        changed = senders != self._senders and not math.isinf(self._rate)
        self._senders = senders
        self._sending |= senders
        return changed
