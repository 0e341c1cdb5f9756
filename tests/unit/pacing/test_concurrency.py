"""How many requests are in flight, by what latency, failures and this machine's CPU show."""

import heapq

import pytest

from importer.pacing import Limit, Pacer
from tests.support.services import Play, Service


class Workers(Service):
    """A service of twenty workers that take 50 ms for each request; the others queue up."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.free = [0.0] * 20

    def answer(self, now: float) -> tuple[int, float, float | None]:
        begin = max(now, heapq.heappop(self.free))
        heapq.heappush(self.free, begin + 0.05)
        return 200, begin + 0.05 - now, None


def test_the_window_grows_to_the_bound_while_latency_is_flat() -> None:
    pacer = Pacer(0, concurrency=256, rate=None)
    play = Play(pacer, Service(), 20)
    assert play.rate() >= 0.97 * 256 / 0.05
    assert pacer.limit(20, 256) is Limit.CONCURRENCY


def test_more_in_flight_than_a_service_has_workers_is_only_a_queue() -> None:
    pacer = Pacer(0, concurrency=1000, rate=None)
    play = Play(pacer, Workers(), 60)
    assert play.rate(5) >= 0.97 * 20 / 0.05
    assert play.most_in_flight <= 200
    assert 20 <= pacer.window.size <= 60
    assert pacer.limit(60, 60) is Limit.SERVICE


class Hiccup(Service):
    """A service that is slow once, for half a second."""

    def answer(self, now: float) -> tuple[int, float, float | None]:
        return 200, 0.2 if 3 < now < 3.5 else 0.05, None


def test_a_large_window_that_shrank_for_a_moment_is_large_again_soon() -> None:
    play = Play(Pacer(0, concurrency=1000, rate=None), Hiccup(), 12)
    assert play.rate(8) >= 0.95 * 1000 / 0.05


def test_a_busy_machine_gets_no_more_in_flight() -> None:
    play = Play(Pacer(0, concurrency=1000, rate=None), Service(latency=0.001), 5, busy=0.99)
    assert play.most_in_flight <= 64


@pytest.mark.parametrize(("share", "shrinks"), [(0.01, False), (0.5, True)])
def test_failures_of_many_rows_shrink_the_window_and_those_of_few_do_not(
    *, share: float, shrinks: bool
) -> None:
    pacer = Pacer(0, concurrency=64, rate=None)
    Play(pacer, Service(), 5)
    assert pacer.window.size == 64
    for number in range(2000):
        now = 5 + number * 0.001
        if number % 100 < 100 * share:
            pacer.window.failed(now, 64)
        else:
            pacer.answered(now, now - 0.05, 64)
        if pacer.window.is_due:
            pacer.window.turn(now, cpu=0)
    assert (pacer.window.size < 16) is shrinks
