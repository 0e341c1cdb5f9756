"""Services made of arithmetic, and a client that sends to them as a pacer allows: no wall clock."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from importer.pacing import Pacer

#: Whether a request is granted, by its time in seconds and its latency.
Grant = Callable[[float, float], bool]

_LONGEST_BACKOFF = 60.0


def token_bucket(per_second: float, burst: int = 20) -> Grant:
    """Grant `per_second`, and up to `burst` at once after a quiet time."""
    tokens, at = float(burst), 0.0

    def grant(now: float, _: float) -> bool:
        nonlocal tokens, at
        tokens, at = min(burst, tokens + (now - at) * per_second), now
        if tokens < 1 - 1e-9:
            return False
        tokens -= 1
        return True

    return grant


def leaky_bucket(per_second: float, burst: int) -> Grant:
    """Grant as nginx's `limit_req` does, with `nodelay`: by the millisecond."""
    excess, at = 0.0, -1

    def grant(now: float, _: float) -> bool:
        nonlocal excess, at
        ms = int(now * 1000)
        more = 0.0 if at < 0 else max(0.0, excess - per_second * (ms - at) + 1000)
        if more > burst * 1000:
            return False
        excess, at = more, ms
        return True

    return grant


def fixed_window(quota: int, period: float, phase: float = 0.0) -> Grant:
    """Grant `quota` requests in each `period` seconds."""
    return varying_window(lambda _: quota, period, phase)


def varying_window(quota: Callable[[int], int], period: float, phase: float = 0.0) -> Grant:
    """Grant in each `period` seconds as many requests as `quota` says of its number, from 0 on."""
    number, used = -1, 0

    def grant(now: float, _: float) -> bool:
        nonlocal number, used
        if int((now + phase) / period) != number:
            number, used = int((now + phase) / period), 0
        used += 1
        return used <= quota(number)

    return grant


def banning(limit: Grant, seconds: float) -> Grant:
    """Grant nothing for so many seconds after each request that is beyond a limit."""
    until = 0.0

    def grant(now: float, latency: float) -> bool:
        nonlocal until
        if now < until:
            return False
        if limit(now, latency):
            return True
        until = now + seconds
        return False

    return grant


def refusing(limit: Grant, seconds: float, period: float) -> Grant:
    """Grant nothing in the first `seconds` of each `period`, whatever the rate is."""
    return lambda now, latency: now % period >= seconds and limit(now, latency)


def window_used_by_another(quota: int, period: float, per_second: float) -> Grant:
    """Grant `quota` requests in each `period`, of which another client uses so many a second."""
    number, used = -1, 0

    def grant(now: float, _: float) -> bool:
        nonlocal number, used
        if now // period != number:
            number, used = int(now // period), 0
        if used + now % period * per_second >= quota:
            return False
        used += 1
        return True

    return grant


def sliding_window(quota: int, period: float) -> Grant:
    """Grant at most `quota` in any `period` seconds."""
    log: deque[float] = deque()

    def grant(now: float, _: float) -> bool:
        while log and log[0] <= now - period:
            log.popleft()
        if len(log) >= quota:
            return False
        log.append(now)
        return True

    return grant


def at_once(most: int) -> Grant:
    """Grant while fewer than `most` requests are in flight at the service."""
    ends: list[float] = []

    def grant(now: float, latency: float) -> bool:
        while ends and ends[0] <= now:
            heapq.heappop(ends)
        if len(ends) >= most:
            return False
        heapq.heappush(ends, now + latency)
        return True

    return grant


def in_turn(*parts: tuple[float, Grant]) -> Grant:
    """Grant as the latest part does whose time has come; each is (from seconds, grant)."""

    def grant(now: float, latency: float) -> bool:
        return [part for since, part in parts if since <= now][-1](now, latency)

    return grant


@dataclass
class Service:
    """What a request meets. Shares are of 1; `down` says when everything gets 503.

    `noise` is refused whatever the rate, `errors` get 503, `pending` 409.
    """

    grant: Grant = lambda _now, _latency: True
    latency: float = 0.05
    noise: float = 0.0
    errors: float = 0.0
    pending: float = 0.0
    retry_after: Callable[[float], float | None] = lambda _: None
    noise_retry_after: float | None = None
    down: Callable[[float], bool] = lambda _: False
    varies: bool = False
    seed: int = 1
    random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def answer(self, now: float) -> tuple[int, float, float | None]:
        """Return status, latency (seconds) and `Retry-After` of a request that is sent now."""
        draw = self.random.random
        latency = self.latency * (0.9 + 0.2 * draw())
        if self.varies:
            latency = self.latency * (0.2 + 0.8 * self.random.expovariate(1))
        if self.down(now):
            return HTTPStatus.SERVICE_UNAVAILABLE, latency, None
        if draw() < self.noise:
            return HTTPStatus.TOO_MANY_REQUESTS, latency, self.noise_retry_after
        if not self.grant(now, latency):
            return HTTPStatus.TOO_MANY_REQUESTS, latency, self.retry_after(now)
        number = draw()
        if number < self.errors:
            return HTTPStatus.SERVICE_UNAVAILABLE, latency, None
        if number < self.errors + self.pending:
            return HTTPStatus.CONFLICT, latency, None
        return HTTPStatus.OK, latency, None


class Play:
    """An endless supply of rows, sent to a service for some seconds.

    `granted` and `refused` are the times of the answers that are not and that are a 429; `stored`
    counts the 200s, `lost` the rows that failed eight times.
    """

    def __init__(self, pacer: Pacer, service: Service, seconds: float, busy: float = 0.1) -> None:
        self.seconds = seconds
        self.granted: list[float] = []
        self.refused: list[float] = []
        self.stored: list[float] = []
        self.lost = self.most_in_flight = 0
        jitter = random.Random(service.seed)
        retries: list[tuple[float, int]] = []
        ends: list[tuple[float, int, float, int, float | None, int]] = []
        now, number = 0.0, 0
        while now < seconds:
            wait = pacer.wait(now)
            if not wait and pacer.has_slot(len(ends)):
                failures = 0
                if retries and retries[0][0] <= now:
                    failures = heapq.heappop(retries)[1]
                pacer.start(now)
                status, latency, retry_after = service.answer(now)
                number += 1
                heapq.heappush(ends, (now + latency, number, now, status, retry_after, failures))
                self.most_in_flight = max(self.most_in_flight, len(ends))
                continue
            if not ends or (wait and ends[0][0] > now + wait):
                # The smallest step keeps a time that is not moved by `wait` from standing still.
                now += max(min(wait, seconds), 1e-7)
                continue
            now, _, started, status, retry_after, failures = heapq.heappop(ends)
            in_flight = len(ends) + 1
            self.tell(pacer, now, started, in_flight, status, retry_after, failures)
            if status == HTTPStatus.OK:
                self.stored.append(now)
            if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
                failures += not pacer.is_probing
                backoff = jitter.random() * min(_LONGEST_BACKOFF, 0.5 * 2 ** max(0, failures - 1))
                if failures < 8:
                    due = now + max(backoff, retry_after or 0.0)
                    heapq.heappush(retries, (due, failures))
                else:
                    self.lost += 1
            if pacer.window.is_due:
                pacer.window.turn(now, cpu=busy * now)

    def tell(
        self, pacer: Pacer, now: float, started: float, in_flight: int, status: int,
        retry_after: float | None, failures: int,
    ) -> None:  # fmt: skip
        """Note an answer, and tell a pacer of it; the row had failed so often before."""
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            self.refused.append(now)
            pacer.refused(now, started, retry_after=retry_after)
            return
        self.granted.append(now)
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            pacer.failed(now, started, in_flight, first=not failures)
        else:
            pacer.answered(now, started, in_flight)

    def rate(self, since: float = 0.0, until: float | None = None) -> float:
        """Return the requests granted per second between two times."""
        until = until or self.seconds
        return sum(since <= at < until for at in self.granted) / (until - since)

    def refused_share(self, since: float = 0.0) -> float:
        """Return the share of the answers after `since` that were refusals."""
        refused = sum(at >= since for at in self.refused)
        return refused / max(1, refused + sum(at >= since for at in self.granted))

    def seconds_until(self, rate: float, since: float) -> float:
        """Return after how many seconds from `since` two seconds reach `rate`; inf if never."""
        start = since
        while start + 2 <= self.seconds:
            if self.rate(start, start + 2) >= rate:
                return start - since
            start += 0.5
        return float("inf")
