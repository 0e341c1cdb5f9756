"""What counts as an outage, what is a hiccup, and how the service is probed in both."""

import math

import pytest

from importer.pacing import CircuitBreaker, Suspicion


def fail(breaker: CircuitBreaker, times: int, now: float, *, refused: bool = False) -> None:
    for _ in range(times):
        breaker.failed(now, now - 0.01, refused=refused)


def probes(breaker: CircuitBreaker) -> bool:
    return breaker.is_probing


@pytest.mark.parametrize("requests_per_second", [0.5, 2, 100])
def test_nothing_but_failures_for_five_seconds_is_an_outage_however_few(
    requests_per_second: float,
) -> None:
    breaker = CircuitBreaker(0)
    now = 10.0
    while not breaker.is_open:
        fail(breaker, 1, now)
        now += 1 / requests_per_second
        assert now < 20
    assert breaker.failing_for(now) >= 5


def test_a_service_that_never_answers_is_unavailable_at_the_first_time_out() -> None:
    breaker = CircuitBreaker(0)
    breaker.failed(30, started=0)
    assert breaker.is_open
    assert breaker.is_probing


def test_a_request_that_times_out_while_others_are_answered_is_no_outage() -> None:
    breaker = CircuitBreaker(0)
    breaker.succeeded(29.9, 29.8)
    breaker.failed(30, started=0)
    assert not breaker.is_open
    assert not breaker.is_probing


def test_scattered_failures_do_not_stop_a_run() -> None:
    breaker = CircuitBreaker(0)
    for number in range(10_000):
        now = number / 100
        if number % 10 == 0:
            fail(breaker, 1, now)
        else:
            breaker.succeeded(now, now - 0.01)
        assert not breaker.is_probing


@pytest.mark.parametrize("successes", [0, 1])
def test_more_failures_in_a_row_than_chance_explains_are_probed_at_once(successes: int) -> None:
    breaker = CircuitBreaker(0)
    for _ in range(successes):
        breaker.succeeded(0.5, 0.4)
    fail(breaker, 3, 1.0)
    assert not probes(breaker)
    fail(breaker, 1, 1.0)
    assert probes(breaker)
    assert not breaker.is_open, "it may be over in a moment"
    assert breaker.wait(1.0) == 0.125


def test_the_more_fails_at_all_times_the_more_failures_in_a_row_are_chance() -> None:
    breaker = CircuitBreaker(0)
    for number in range(2000):
        fail(breaker, 1, number / 100)
        breaker.succeeded(number / 100, number / 100 - 0.01)
    fail(breaker, 15, 20.0)
    assert not probes(breaker)
    fail(breaker, 15, 20.1)
    assert probes(breaker)
    for number in range(2000):
        breaker.succeeded(21 + number / 100, 21 + number / 100 - 0.01)
    fail(breaker, 5, 41.0)
    assert probes(breaker), "hardly any failed of late"


def test_rows_that_failed_often_while_others_succeeded_tell_nothing_of_the_service() -> None:
    breaker = CircuitBreaker(0)
    for now in range(100):
        breaker.failed(now, now - 0.01, suspicion=Suspicion.STRONG)
    assert not breaker.is_probing


def test_rows_that_failed_once_before_show_an_outage_by_its_length_alone() -> None:
    breaker = CircuitBreaker(0)
    for tenth in range(49):
        breaker.failed(10 + tenth / 10, 10 + tenth / 10, suspicion=Suspicion.SOME)
    assert not breaker.is_probing
    breaker.failed(15, 15, suspicion=Suspicion.SOME)
    assert breaker.failing_for(15) == 5
    assert breaker.is_open


@pytest.mark.parametrize(("refused", "growth"), [(False, 1.1), (True, 2.0)])
def test_probes_go_out_one_at_a_time_at_growing_intervals(*, refused: bool, growth: float) -> None:
    breaker = CircuitBreaker(0)
    fail(breaker, 20, 10, refused=refused)
    now = 10 + breaker.wait(10)
    waits = []
    for _ in range(4):
        assert breaker.wait(now) == pytest.approx(0, abs=1e-9)
        breaker.start()
        assert math.isinf(breaker.wait(now)), "one at a time"
        breaker.failed(now, now, refused=refused)
        waits.append(breaker.wait(now))
        now += waits[-1]
    assert waits == pytest.approx([0.125 * growth**n for n in (1, 2, 3, 4)])
    assert breaker.probes == 4
    assert breaker.refuses is refused


def test_who_could_not_look_for_long_probes_at_once_and_then_often_again() -> None:
    breaker = CircuitBreaker(0)
    fail(breaker, 20, 10, refused=True)
    for now in range(11, 19):
        breaker.failed(now, now, refused=True)
    assert breaker.wait(18) > 10
    breaker.hasten()
    assert breaker.wait(18) == 0
    breaker.failed(18, 18, refused=True)
    assert breaker.wait(18) == 0.25


def test_the_first_probe_that_succeeds_ends_it() -> None:
    breaker = CircuitBreaker(0)
    fail(breaker, 20, 10)
    breaker.failed(16, 15.9)
    assert breaker.failing_for(16) > 5
    breaker.start()
    breaker.succeeded(17, 16.9)
    assert (breaker.is_open, breaker.wait(17), breaker.failing_for(17)) == (False, 0, 0)


def test_what_was_sent_before_the_first_probe_neither_ends_nor_delays_it() -> None:
    breaker = CircuitBreaker(0)
    fail(breaker, 20, 10)
    for _ in range(60):
        breaker.failed(10.1, started=9.9)
    assert breaker.wait(10.125) == 0
    breaker.succeeded(10.13, 9.9)
    assert breaker.is_probing
