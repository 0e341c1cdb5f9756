"""How many requests are in flight, by what latency, failures and this machine's CPU show."""

import heapq

import pytest

from importer.pacing import ConcurrencyWindow, Limit, Pacer
from importer.pacing.concurrency import Hold
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


class Turns:
    """A window whose turns are of half a second each, and go as the test says."""

    def __init__(self, bound: int = 1000) -> None:
        self.now = 100.0
        self.cpu = 0.0
        self.window = ConcurrencyWindow(self.now, bound)

    def turn(
        self,
        latency: float = 0.05,
        *,
        failures: int = 0,
        answers: int | None = None,
        in_flight: int | None = None,
        busy: float = 0.0,
    ) -> int:
        """Let as many be answered as may be in flight, unless it says how many; return the size."""
        window = self.window
        self.now += 0.5
        for _ in range(failures):
            window.failed(self.now, in_flight or window.size)
        for _ in range(window.size if answers is None else answers):
            window.answered(self.now, latency, in_flight or window.size)
        assert window.is_due
        self.cpu += 0.5 * busy
        window.turn(self.now, self.cpu)
        return window.size

    def hold(self) -> Hold:
        return self.window.hold


def test_a_window_begins_small_and_doubles_up_to_its_bound() -> None:
    turns = Turns(bound=50)
    assert turns.window.size == 8
    assert [turns.turn() for _ in range(3)] == [16, 32, 50]
    assert turns.hold() is Hold.NONE
    assert turns.turn() == 50
    assert turns.hold() is Hold.BOUND
    assert Turns(bound=3).window.size == 3


def test_a_turn_is_over_when_as_many_were_answered_as_may_be_in_flight_and_not_too_soon() -> None:
    window = ConcurrencyWindow(100.0, 64)
    for _ in range(20):
        window.answered(100.04, 0.05, 8)
    due = [window.is_due]
    window.restart(100.04)
    for number in range(8):
        if number % 2:
            window.answered(100.09, 0.05, 8)
        else:
            window.failed(100.09, 8)
        due.append(window.is_due)
    assert due == [False] * 8 + [True]
    window.turn(100.09, cpu=0)
    assert [window.is_due] == [False]


@pytest.mark.parametrize("failing", [False, True])
def test_a_window_that_is_not_used_up_does_not_grow(*, failing: bool) -> None:
    turns = Turns()
    assert turns.turn(in_flight=7) == 8
    window = turns.window
    if failing:  # also those in flight with one that fails use it up
        window.failed(turns.now, 8)
    assert turns.turn(answers=20, in_flight=7) == (16 if failing else 8)
    turns.turn()
    size = window.size
    assert turns.turn(in_flight=7) == size


def test_what_many_failures_take_comes_back_little_by_little() -> None:
    turns = Turns()
    for _ in range(4):
        turns.turn()
    assert turns.turn(failures=13, answers=117) == 256, "a tenth is not many"
    assert turns.turn(failures=30, answers=226) == 153
    assert turns.hold() is Hold.SERVICE
    assert [turns.turn() for _ in range(3)] == [157, 161, 166]
    assert turns.hold() is Hold.SERVICE, "it only looks how far it can go"
    assert turns.turn(failures=200, answers=0) == 99
    few = Turns(bound=1)
    assert few.turn(failures=1, answers=0) == 1


def test_a_service_that_becomes_slow_gets_less_at_once_but_never_less_than_at_first() -> None:
    turns = Turns()
    assert [turns.turn(), turns.turn(0.1), turns.turn(0.05)] == [16, 32, 64]
    assert turns.turn(0.11) == 32, "the last step was too far"
    assert turns.hold() is Hold.SERVICE
    assert turns.turn(0.05) == 33
    assert [turns.turn(0.11) for _ in range(3)] == [28, 23, 19]
    small = Turns()
    assert small.turn(0.05, in_flight=7) == small.turn(0.5, in_flight=7) == 8


def test_the_lowest_latency_is_that_of_the_last_two_minutes() -> None:
    turns = Turns()
    sizes = [turns.turn(latency) for latency in (0.02, 0.02, 0.02, 0.039, 0.03)]
    assert sizes == [16, 32, 64, 128, 256]
    turns.now += 118.5
    assert turns.turn(0.041) == 128, "the third turn was 120 s ago"
    assert turns.turn(0.061) == 108, "and now the lowest is that of the fifth"
    assert turns.turn(0.059) == 111
    turns.now += 200
    assert turns.turn(0.5) == 114


def test_a_window_of_a_busy_machine_stays_and_then_grows_little_by_little() -> None:
    turns = Turns()
    assert turns.turn() == 16
    assert turns.turn(0.5, busy=0.9) == 16
    assert turns.hold() is Hold.CPU
    assert turns.turn(busy=0.89) == 17
    assert turns.hold() is Hold.NONE
    assert Turns().turn(busy=1.0) == 16, "how much of it the first turn has used is not known"


def test_after_a_pause_a_window_begins_anew() -> None:
    turns = Turns()
    for _ in range(4):
        turns.turn()
    turns.turn(failures=100, answers=100)
    turns.window.restart(turns.now)
    assert turns.window.size == 8
    turns.cpu += 100
    assert [turns.turn(), turns.turn()] == [16, 32]


def test_another_bound_holds_at_once() -> None:
    turns = Turns(bound=16)
    turns.turn()
    turns.turn()
    turns.window.change_bound(12)
    assert turns.window.size == 12
    turns.window.change_bound(20)
    assert turns.window.size == 12
    assert turns.turn() == 13, "no longer at the start"
    turns.window.change_bound(5)
    turns.window.restart(turns.now)
    assert turns.window.size == 5
