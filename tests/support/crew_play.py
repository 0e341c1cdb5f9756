"""Several workers that send to a service of arithmetic, and the pace that is found for all."""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass, field
from http import HTTPStatus

from importer.distributed.budgets import period
from importer.distributed.pace import Pace
from importer.distributed.tally import Tally
from importer.pacing import Pacer
from tests.support.services import Play, Service

#: Seconds between two exchanges, and that a message is under way.
UNDER_WAY = 0.003


#: When its request started, its status, its `Retry-After`, and how often the row had failed.
Answer = tuple[float, int, float | None, int]


@dataclass(eq=False)
class Sender:
    """A worker: its pacer, and what it has in flight."""

    pacer: Pacer
    tally: Tally
    exchanges_at: float = 0.0
    in_flight: int = 0
    #: When it looks whether it may start a request.
    looks_at: float = math.inf
    retries: list[tuple[float, int]] = field(default_factory=list)


class CrewPlay(Play):
    """An endless supply of rows, sent by so many workers; see `Play` for the figures.

    `leaves_at` is when the first worker is gone, and `joins_at` when one more is there.
    """

    def __init__(
        self,
        workers: int,
        service: Service,
        seconds: float,
        concurrency: int = 64,
        leaves_at: float = math.inf,
        joins_at: float = math.inf,
    ) -> None:
        self.seconds = seconds
        self.granted, self.refused, self.stored = [], [], []
        self.pace = Pace(0.0)
        self._service = service
        self._jitter = random.Random(service.seed)
        self._crew: list[Sender] = []
        self._events: list[tuple[float, int, str, Sender, Answer]] = []
        self._number = 0
        self._concurrency = concurrency
        for _ in range(workers):
            self._join(0.0)
        now = 0.0
        while now < seconds:
            now, _, what, sender, answer = heapq.heappop(self._events)
            if now >= leaves_at:
                leaves_at = math.inf
                self.pace.gone(self._crew.pop(0))
            if now >= joins_at:
                joins_at = math.inf
                self._join(now)
            if sender not in self._crew:
                continue
            if what == "exchange":
                if now < sender.exchanges_at:
                    continue
                self._exchange(sender, now)
            elif what == "answer":
                self._answer(sender, now, *answer)
            elif now < sender.looks_at:
                continue  # it has looked meanwhile
            self._send(sender, now)

    def _join(self, now: float) -> None:
        tally = Tally(now)
        sender = Sender(Pacer(now, concurrency=1, rate=None, finder=tally), tally)
        sender.pacer.allow_until(-math.inf)
        self._crew.append(sender)
        self._plan(sender, now + 0.1 * self._jitter.random())

    def _push(
        self, at: float, what: str, sender: Sender,
        answer: Answer = (0.0, 0, None, 0),
    ) -> None:  # fmt: skip
        self._number += 1
        heapq.heappush(self._events, (at, self._number, what, sender, answer))

    def _exchange(self, sender: Sender, now: float) -> None:
        before = self.pace.number
        told = self.pace.tell(sender, self._crew, now - UNDER_WAY)
        sender.tally.go_by(now, told)
        seen = sender.tally.seen(now, sender.pacer.asked_for(now))
        sender.pacer.share(None, max(1, self._concurrency // self.pace.places(len(self._crew))))
        sender.pacer.hold(now, told.hold, lifts=told.lifts)
        sender.pacer.allow_until(math.inf if self.pace.sends(sender) else -math.inf)
        self.pace.heard(sender, seen, now + UNDER_WAY)
        self._plan(sender, now + self._period(sender))
        for other in self._crew if self.pace.number != before else ():
            if not self.pace.is_known_by(other):
                self._plan(other, min(other.exchanges_at, now + 0.02))

    def _period(self, sender: Sender) -> float:
        return period(self.pace.places(len(self._crew))) if self.pace.sends(sender) else 0.5

    def _plan(self, sender: Sender, at: float) -> None:
        sender.exchanges_at = at
        self._push(at, "exchange", sender)

    def _send(self, sender: Sender, now: float) -> None:
        pacer = sender.pacer
        while not (wait := pacer.wait(now)) and pacer.has_slot(sender.in_flight):
            failures = 0
            if sender.retries and sender.retries[0][0] <= now:
                failures = heapq.heappop(sender.retries)[1]
            pacer.start(now)
            sender.in_flight += 1
            status, latency, retry_after = self._service.answer(now)
            self._push(now + latency, "answer", sender, (now, status, retry_after, failures))
        sender.looks_at = math.inf
        if 0 < wait < math.inf:
            sender.looks_at = now + max(wait, 1e-7)
            self._push(sender.looks_at, "look", sender)

    def _answer(
        self, sender: Sender, now: float, started: float, status: int, retry_after: float | None,
        failures: int,
    ) -> None:  # fmt: skip
        pacer, in_flight = sender.pacer, sender.in_flight
        sender.in_flight -= 1
        self.tell(pacer, now, started, in_flight, status, retry_after, failures)
        if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            failures += not pacer.is_probing
            backoff = self._jitter.random() * min(60.0, 0.5 * 2 ** max(0, failures - 1))
            heapq.heappush(sender.retries, (now + max(backoff, retry_after or 0.0), failures))
        if pacer.window.is_due:
            pacer.window.turn(now, cpu=0.1 * now)
