"""The rate that a service grants is found and used, and noise is not taken for a limit.

`python -m benchmarks pace` holds real servers to the same bars.
"""

import random
from collections.abc import Callable

import pytest

from importer.pacing import Pacer
from tests.support.services import (
    Grant,
    Play,
    Service,
    at_once,
    banning,
    fixed_window,
    in_turn,
    leaky_bucket,
    refusing,
    sliding_window,
    token_bucket,
    varying_window,
    window_used_by_another,
)

SEEDS = [1, pytest.param(2, marks=pytest.mark.slow)]
#: Rows per second of 64 requests in flight at 50 ms.
FREE = 64 / 0.05


def play(service: Service, seconds: float, concurrency: int = 64) -> Play:
    return Play(Pacer(0, concurrency=concurrency, rate=None), service, seconds)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("noise", "bar"), [(0.0, 0.99), (0.01, 0.95), (0.02, 0.93), (0.05, 0.88), (0.1, 0.8)]
)
def test_refusals_that_do_not_depend_on_the_rate_do_not_lower_it(
    noise: float, bar: float, seed: int
) -> None:
    assert play(Service(noise=noise, seed=seed), 60).rate() >= bar * FREE


@pytest.mark.slow
def test_a_run_does_not_become_slower_with_time_under_noise() -> None:
    found = play(Service(noise=0.02), 300)
    assert found.rate(240, 300) >= 0.99 * found.rate(60, 120)


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_errors_and_deferrals_do_not_hide_a_limit(seed: int) -> None:
    service = Service(token_bucket(300), noise=0.02, errors=0.02, pending=0.1, seed=seed)
    assert play(service, 60).rate() >= 0.9 * 300


@pytest.mark.parametrize(
    ("grant", "bar"),
    [
        (token_bucket(500), 0.95),
        (token_bucket(500, 500), 0.95),
        (leaky_bucket(500, 10), 0.95),
        (leaky_bucket(500, 0), 0.89),
        (sliding_window(500, 1), 0.9),
        (fixed_window(5000, 10, 3), 0.9),
    ],
    ids=["bucket", "large bucket", "limit_req", "limit_req no burst", "sliding", "10 s window"],
)
def test_a_limit_is_used_up_and_hardly_exceeded(grant: Grant, bar: float) -> None:
    found = play(Service(grant), 60)
    assert found.rate() >= bar * 500
    assert found.refused_share() < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("latency", [0.001, 0.01, 0.1])
@pytest.mark.parametrize("limit", [50, 3000])
def test_limits_of_all_sizes_are_found_at_all_latencies(limit: float, latency: float) -> None:
    found = play(Service(token_bucket(limit), latency=latency), 60)
    assert found.rate() >= 0.9 * min(limit, 64 / latency)


@pytest.mark.parametrize("phase", [0, 13, 26, 50])
def test_a_quota_for_each_minute_is_used_up_evenly_from_the_third_one_on(phase: float) -> None:
    found = play(Service(fixed_window(100, 60, phase)), 300)
    assert found.rate() >= 0.9 * 100 / 60
    assert found.refused_share(120) <= 0.01


def test_a_quota_that_says_when_to_come_again_is_used_up_as_well() -> None:
    service = Service(fixed_window(100, 60), retry_after=lambda now: 60 - now % 60)
    found = play(service, 300)
    assert found.rate() >= 0.9 * 100 / 60
    assert found.refused_share(120) <= 0.01


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.05])
def test_a_limit_that_falls_and_returns_is_followed_within_ten_seconds(noise: float) -> None:
    grant = in_turn((0, token_bucket(500)), (30, token_bucket(250)), (60, token_bucket(500)))
    found = play(Service(grant, noise=noise), 90)
    assert found.seconds_until(0.9 * 250, 30) <= 10
    assert found.seconds_until(0.9 * 500, 60) <= 10


def test_scattered_retry_after_concerns_its_row_alone() -> None:
    assert play(Service(noise=0.02, noise_retry_after=1), 60).rate() >= 0.9 * FREE


def test_a_limit_with_retry_after_is_found_too() -> None:
    found = play(Service(token_bucket(500), retry_after=lambda _: 1), 60)
    assert found.rate() >= 0.92 * 500


def test_a_limit_of_requests_in_flight_is_found_as_a_rate() -> None:
    assert play(Service(at_once(20)), 60).rate() >= 0.85 * 20 / 0.05


def test_a_limit_that_is_gone_is_forgotten() -> None:
    found = play(Service(in_turn((0, token_bucket(100)), (20, lambda *_: True))), 60)
    assert found.rate(50, 60) >= 0.95 * FREE


@pytest.mark.parametrize("retry_after", [None, 5.0])
@pytest.mark.parametrize(("began", "lasted"), [(0.4, 12), (1, 30), (2, 8), (20, 40)])
def test_a_service_that_refuses_everything_once_is_soon_used_as_before(
    began: float, lasted: float, retry_after: float | None
) -> None:
    over = began + lasted
    grant = in_turn((0, lambda *_: True), (began, lambda *_: False), (over, lambda *_: True))
    service = Service(grant, latency=0.2, retry_after=lambda _: retry_after)
    found = play(service, over + lasted + 20)
    noticed = min(at for at in found.granted if at > over + 0.3)
    assert noticed - over <= 0.7 * lasted, "probes come at doubling intervals"
    assert found.seconds_until(0.9 * 64 / 0.2, noticed) <= 3


@pytest.mark.parametrize(("began", "lasted"), [(0.0, 10), (0.02, 30), (0.08, 2)])
def test_a_run_that_begins_while_everything_is_refused_is_soon_as_fast_as_any(
    began: float, lasted: float
) -> None:
    over = began + lasted
    grant = in_turn((-1, lambda *_: True), (began, lambda *_: False), (over, lambda *_: True))
    found = play(Service(grant, latency=0.2), 2 * over + 60)
    assert found.rate(2 * over + 10, 2 * over + 60) >= 0.95 * 64 / 0.2


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("ban", "bar"), [(10, 0.25), (30, 0.2), (60, 0.1)])
@pytest.mark.parametrize(
    "limit",
    [lambda: token_bucket(100), lambda: sliding_window(100, 1), lambda: fixed_window(100, 1)],
    ids=["bucket", "sliding", "fixed"],
)
def test_a_service_that_bans_who_is_too_fast_is_kept_below_its_limit(
    limit: Callable[[], Grant], ban: float, bar: float, seed: int
) -> None:
    found = play(Service(banning(limit(), ban), seed=seed), 900)
    assert found.rate() >= bar * 100
    assert found.refused_share() <= 0.015


@pytest.mark.parametrize(
    ("grant", "possible"),
    [
        (lambda: window_used_by_another(2400, 60, 50), 17),
        (lambda: refusing(token_bucket(40), 10, 60), 40 * 50 / 60),
        (lambda: refusing(token_bucket(40), 30, 60), 40 * 30 / 60),
        (lambda: refusing(token_bucket(40), 3, 30), 40 * 27 / 30),
    ],
    ids=["another client", "10 s a minute", "30 s a minute", "3 s of 30"],
)
@pytest.mark.parametrize("concurrency", [200, pytest.param(64, marks=pytest.mark.slow)])
def test_stalls_that_come_whatever_the_rate_is_do_not_lower_it(
    grant: Callable[[], Grant], possible: float, concurrency: int
) -> None:
    found = play(Service(grant()), 1500, concurrency)
    assert found.rate(300) >= possible / 2
    assert found.rate(900) >= 0.9 * found.rate(300, 900)


def varied(seed: int) -> Callable[[int], int]:
    """Return quotas of 60 to 140, at random."""
    draw = random.Random(seed)
    quotas = [draw.randint(60, 140) for _ in range(20)]
    return lambda number: quotas[number]


@pytest.mark.parametrize(
    ("quota", "bar"),
    [
        (lambda number: 160 if number % 2 else 100, 0.1),
        (lambda number: 1600 if number % 2 else 1000, 0.02),
        (lambda number: 100 if number < 5 else 50, 0.13),
        (lambda number: 200 - 8 * number, 0.11),
        (varied(1), 0.13),
        pytest.param(varied(2), 0.13, marks=pytest.mark.slow),
        pytest.param(varied(3), 0.13, marks=pytest.mark.slow),
    ],
    ids=["alternating", "large", "halved", "shrinking", "varied 1", "varied 2", "varied 3"],
)
@pytest.mark.parametrize("phase", [0, pytest.param(30, marks=pytest.mark.slow)])
def test_quotas_that_vary_are_used_and_not_tried_again_and_again(
    quota: Callable[[int], int], bar: float, phase: float
) -> None:
    found = play(Service(varying_window(quota, 60, phase)), 1140)
    assert found.rate() > 0.65 * sum(map(quota, range(19))) / 1140
    assert found.refused_share() <= bar
