"""When a request may start: rate cap, pause, breaker."""

import math

import pytest

from importer.pacing import Breaker, Pacing, RateCap


def test_the_rate_cap_spreads_requests_evenly() -> None:
    cap = RateCap(10)
    now = 0.0
    starts: list[float] = []
    while len(starts) < 30:
        if (wait := cap.wait(now)) == 0:
            cap.start(now)
            starts.append(now)
        now += wait or 0.0
    assert starts[-1] - starts[0] == pytest.approx(2.9, abs=0.06)


def test_the_rate_cap_never_lets_a_burst_through_after_a_quiet_time() -> None:
    cap = RateCap(10)
    cap.start(0)
    started = 0
    while cap.wait(1000) == 0:
        cap.start(1000)
        started += 1
    assert started <= 2


def failing(breaker: Breaker, times: int, now: float) -> None:
    for _ in range(times):
        breaker.failed(now)


def test_the_breaker_opens_only_when_nothing_but_failures_came_for_a_while() -> None:
    breaker = Breaker(0, threshold=20, certain=50, patience=5)
    failing(breaker, 49, now=4.9)
    assert not breaker.is_open, "a short hiccup"
    breaker.answered(5)
    failing(breaker, 19, now=20)
    assert not breaker.is_open, "few failures in a quiet time"
    failing(breaker, 1, now=20)
    assert breaker.is_open


def test_many_failures_on_end_need_no_patience() -> None:
    breaker = Breaker(0, threshold=20, certain=50, patience=5)
    failing(breaker, 50, now=0.2)
    assert breaker.is_open


def test_a_service_that_says_it_is_too_many_is_alive() -> None:
    breaker = Breaker(0, threshold=20, certain=50, patience=5)
    for _ in range(500):
        breaker.failed(0.2, refused=True)
    assert not breaker.is_open


def test_rows_that_failed_while_others_were_answered_tell_nothing_of_the_service() -> None:
    breaker = Breaker(0, threshold=20, certain=50, patience=5)
    for now in range(100):
        breaker.failed(now, telling=False)
    assert not breaker.is_open


def test_an_open_breaker_lets_one_probe_through_at_growing_intervals() -> None:
    breaker = Breaker(0, first_probe=1, max_probe=4)
    failing(breaker, 20, now=10)
    assert breaker.wait(10) == 1
    now, waits = 11.0, []
    for _ in range(4):
        assert breaker.wait(now) == 0
        breaker.start()
        assert math.isinf(breaker.wait(now)), "one at a time"
        breaker.failed(now)
        waits.append(breaker.wait(now))
        now += waits[-1]
    assert waits == [2, 4, 4, 4]
    breaker.start()
    breaker.answered(now)
    assert not breaker.is_open
    assert breaker.wait(now) == 0


def test_failures_of_requests_sent_before_it_opened_do_not_delay_the_probe() -> None:
    breaker = Breaker(0)
    failing(breaker, 80, now=10)
    assert breaker.wait(11) == 0


def test_a_pause_holds_everything_back_and_only_grows() -> None:
    pacing = Pacing(0, concurrency=8, rate=1000)
    pacing.pause(5)
    pacing.pause(3)
    assert pacing.wait(1) == 4
    assert pacing.paused_for(1) == 4
    assert pacing.wait(5) == 0
