"""How a run finds the pace that a service can bear, played against services made of arithmetic."""

from __future__ import annotations

import heapq
from collections.abc import Callable

import pytest

from importer.pacing import Limit, Pacing

#: Returns the latency (seconds) and whether it is refused, of a request at a time among so many.
Service = Callable[[float, int], tuple[float, bool]]


class Play:
    """An endless supply of rows, sent to a service as `pacing` allows, up to a time."""

    def __init__(self, pacing: Pacing, service: Service, seconds: float, busy: float = 0.1) -> None:
        self.granted: list[float] = []
        self.refused: list[float] = []
        self.most_in_flight = 0
        now, in_flight = 0.0, 0
        ends: list[tuple[float, float, bool]] = []
        while now < seconds:
            wait = pacing.wait(now)
            if not wait and pacing.has_slot(in_flight):
                pacing.start(now)
                in_flight += 1
                self.most_in_flight = max(self.most_in_flight, in_flight)
                latency, refused = service(now, in_flight)
                heapq.heappush(ends, (now + latency, now, refused))
            elif ends and (not wait or ends[0][0] <= now + wait):
                now, started, refused = heapq.heappop(ends)
                if refused:
                    pacing.refused(now, started)
                    self.refused.append(now)
                else:
                    pacing.answered(now, started, in_flight)
                    self.granted.append(now)
                in_flight -= 1
                if pacing.window.is_due:
                    pacing.window.turn(now, cpu=busy * now)
            else:
                now += wait

    def rate(self, since: float, until: float) -> float:
        """Return the rows per second between two times."""
        return sum(since <= at < until for at in self.granted) / (until - since)


def bucket(limit: float, burst: int, latency: float) -> Service:
    """Grant `limit` requests per second, and `burst` at once after a quiet time."""
    state = {"tokens": float(burst), "at": 0.0}

    def answer(now: float, _: int) -> tuple[float, bool]:
        state["tokens"] = min(burst, state["tokens"] + (now - state["at"]) * limit)
        state["at"] = now
        if state["tokens"] < 1:
            return latency, True
        state["tokens"] -= 1
        return latency, False

    return answer


@pytest.mark.parametrize("latency", [0.0005, 0.01, 0.1])
@pytest.mark.parametrize("limit", [50, 500, 3000])
@pytest.mark.parametrize("burst", [5, 100])
def test_a_limit_that_only_429_tells_of_is_used_up_and_hardly_exceeded(
    limit: float, burst: int, latency: float
) -> None:
    pacing = Pacing(0, concurrency=64, rate=None)
    play = Play(pacing, bucket(limit, burst, latency), 60)
    reachable = min(limit, 64 / latency)
    assert play.rate(0, 60) >= 0.95 * reachable
    assert len(play.refused) <= 0.02 * len(play.granted) + 100
    if limit < 64 / latency:
        assert pacing.limit(60, 1) is Limit.SERVICE


def test_a_limit_that_is_raised_is_noticed() -> None:
    low, high = bucket(100, 10, 0.01), bucket(300, 10, 0.01)
    pacing = Pacing(0, concurrency=64, rate=None)
    play = Play(pacing, lambda now, n: (low if now < 30 else high)(now, n), 240)
    assert play.rate(10, 30) == pytest.approx(100, rel=0.05)
    assert play.rate(200, 240) == pytest.approx(300, rel=0.05)


def test_a_quota_for_each_minute_is_taken_up_again_after_a_minute() -> None:
    used: dict[int, int] = {}

    def quota(now: float, _: int) -> tuple[float, bool]:
        minute = int(now / 60)
        used[minute] = used.get(minute, 0) + 1
        return 0.02, used[minute] > 1200

    play = Play(Pacing(0, concurrency=64, rate=None), quota, 300)
    assert len(play.granted) >= 0.8 * 5 * 1200
    assert len(play.refused) <= 0.15 * len(play.granted)


def test_the_window_grows_to_the_bound_while_latency_is_flat() -> None:
    pacing = Pacing(0, concurrency=256, rate=None)
    play = Play(pacing, lambda *_: (0.05, False), 20)
    assert play.rate(0, 20) >= 0.97 * 256 / 0.05
    assert pacing.limit(20, 256) is Limit.CONCURRENCY


def test_the_window_stays_near_what_the_service_can_do_at_once() -> None:
    """More in flight than a service has workers is only a queue."""
    pacing = Pacing(0, concurrency=1000, rate=None)
    free = [0.0] * 20

    def workers(now: float, _: int) -> tuple[float, bool]:
        begin = max(now, heapq.heappop(free))
        heapq.heappush(free, begin + 0.05)
        return begin + 0.05 - now, False

    play = Play(pacing, workers, 60)
    assert play.rate(5, 60) >= 0.97 * 20 / 0.05
    assert play.most_in_flight <= 200
    assert 20 <= pacing.window.size <= 60
    assert pacing.limit(60, 60) is Limit.SERVICE


def test_a_busy_machine_gets_no_more_in_flight_and_is_named() -> None:
    pacing = Pacing(0, concurrency=1000, rate=None)
    play = Play(pacing, lambda _, n: (0.0001 * n, False), 10, busy=0.99)
    assert play.most_in_flight <= 64
    assert pacing.limit(10, play.most_in_flight) is Limit.CPU


def test_failures_of_many_rows_shrink_the_window_and_those_of_few_rows_do_not() -> None:
    for share, shrinks in [(0.01, False), (0.5, True)]:
        pacing = Pacing(0, concurrency=64, rate=None)
        Play(pacing, lambda *_: (0.05, False), 5)
        assert pacing.window.size == 64
        for number in range(2000):
            now = 5 + number * 0.001
            if number % 100 < 100 * share:
                pacing.failed(now, 64, first=True)
            else:
                pacing.answered(now, now - 0.05, 64)
            if pacing.window.is_due:
                pacing.window.turn(now, cpu=0)
        assert (pacing.window.size < 16) is shrinks


def test_after_a_pause_requests_start_gently() -> None:
    pacing = Pacing(0, concurrency=64, rate=None)
    Play(pacing, lambda *_: (0.05, False), 5)
    pacing.pause(10)
    assert not pacing.has_slot(8)
    assert pacing.limit(6, 0) is Limit.SERVICE


def test_the_cap_of_the_user_is_named_as_the_limit() -> None:
    pacing = Pacing(0, concurrency=64, rate=10)
    play = Play(pacing, lambda *_: (0.01, False), 10)
    assert play.rate(0, 10) == pytest.approx(10, rel=0.05)
    pacing.start(10)
    assert pacing.limit(10, 1) is Limit.RATE
