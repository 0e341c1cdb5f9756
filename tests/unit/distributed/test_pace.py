"""Many workers find the pace that the service grants, as one process does; no wall clock."""

import pytest

from importer.distributed.pace import Pace
from importer.distributed.tally import Seen
from tests.support.crew_play import CrewPlay
from tests.support.services import (
    Service,
    fixed_window,
    in_turn,
    token_bucket,
)

#: Requests per second of 64 in flight at 50 ms.
FREE = 64 / 0.05


@pytest.mark.parametrize(
    ("workers", "early_bar"), [(2, 0.04), (8, 0.04), pytest.param(64, 0.05, marks=pytest.mark.slow)]
)
def test_a_limit_is_used_up_and_hardly_exceeded(workers: int, early_bar: float) -> None:
    found = CrewPlay(workers, Service(token_bucket(500)), 30)
    assert found.rate(15) >= 0.95 * 500
    assert found.refused_share(15) < 0.02
    early = sum(at < 15 for at in found.refused)
    assert early < early_bar * (early + sum(at < 15 for at in found.granted))


@pytest.mark.parametrize("workers", [2, pytest.param(32, marks=pytest.mark.slow)])
def test_below_what_is_worth_sharing_few_workers_send(workers: int) -> None:
    found = CrewPlay(workers, Service(token_bucket(50)), 40)
    assert found.rate(15) >= 0.95 * 50
    assert found.refused_share(15) < 0.05


def test_without_a_limit_nothing_holds_the_workers() -> None:
    assert CrewPlay(4, Service(), 8).rate(4) >= 0.99 * FREE


def test_refusals_that_do_not_depend_on_the_rate_do_not_lower_it() -> None:
    assert CrewPlay(4, Service(noise=0.02), 15).rate(5) >= 0.93 * FREE


def test_a_limit_that_falls_and_returns_is_followed_within_ten_seconds() -> None:
    grant = in_turn((0, token_bucket(500)), (20, token_bucket(250)), (40, token_bucket(500)))
    found = CrewPlay(4, Service(grant), 60)
    assert found.seconds_until(0.9 * 250, 20) <= 10
    assert found.seconds_until(0.9 * 500, 40) <= 10


@pytest.mark.slow
def test_a_quota_for_each_minute_is_used_up_from_the_third_one_on() -> None:
    found = CrewPlay(4, Service(fixed_window(100, 60, 13)), 300)
    assert found.rate() >= 0.9 * 100 / 60
    assert found.refused_share(120) <= 0.05


@pytest.mark.slow
def test_workers_that_leave_and_join_do_not_change_what_is_granted() -> None:
    found = CrewPlay(3, Service(token_bucket(500)), 35, leaves_at=15.0, joins_at=25.0)
    assert found.rate(10) >= 0.93 * 500


def test_a_limit_with_retry_after_is_found_too() -> None:
    found = CrewPlay(8, Service(token_bucket(500), retry_after=lambda _: 1), 30)
    assert found.rate(10) >= 0.92 * 500


def capped() -> Pace:
    """Return a pace for the workers a and b at which one of them sends."""
    pace = Pace(0.0)
    loud = Seen(1, 1.0, 100, 10, 30, 0.9, False, 10, 0, 0.0, False, 0.0)
    for worker, now in (("a", 1.0), ("b", 1.1), ("a", 1.2)):
        pace.tell(worker, "ab", now)
        pace.heard(worker, loud, now)
    pace.tell("a", "ab", 1.3)
    return pace


def test_without_a_limit_whoever_comes_may_send_at_once() -> None:
    pace = Pace(0.0)
    pace.tell("a", "ab", 0.0)
    pace.heard("a", Seen(1, 0.1, 9, 9, 0, 0.1, False, 9, 0, 0.0, False, 0.0), 0.1)
    pace.tell("a", "ab", 0.2)
    assert pace.sends("b")


def test_a_worker_without_rows_to_send_gives_way() -> None:
    pace = capped()
    assert (pace.places(2), pace.sends("a"), pace.sends("b")) == (1, True, False)
    pace.tell("a", "ab", 1.4, idle="a")
    assert (pace.sends("a"), pace.sends("b")) == (False, True)


def test_workers_whose_rows_are_all_deferred_take_turns() -> None:
    pace, turns = capped(), set()
    for second in range(2, 20):
        pace.tell("a", "ab", float(second), idle="ab")
        turns.add(pace.sends("a"))
    assert turns == {True, False}
