"""What holds requests back besides the rate, and what is named as the limit."""

import pytest

from importer.pacing import Limit, Pacer
from importer.pacing.shared_rate import Lease
from tests.support.services import Play, Service, token_bucket


def a_pacer(concurrency: int = 64, rate: float | None = None) -> Pacer:
    return Pacer(0, concurrency=concurrency, rate=rate)


class Places:
    """A budget with a place a second."""

    def __init__(self) -> None:
        self.taken = 0

    def take(self, now: float, places: int) -> Lease:
        self.taken += places
        return Lease(now + 1, 1.0, places)


def test_who_only_looks_or_may_not_send_takes_no_place_of_the_group() -> None:
    places = Places()
    pacer = Pacer(0, concurrency=4, rate=1.0, budget=places)
    assert pacer.limit(0, 0) is Limit.NOTHING
    pacer.hold_back(5)
    assert pacer.wait(1) == 4
    assert places.taken == 0
    assert pacer.wait(5) == 1
    assert pacer.limit(5.5, 0) is Limit.RATE
    assert pacer.wait(6) == 0
    pacer.start(6)
    assert places.taken == 1


def test_retry_after_stops_all_requests_and_only_grows() -> None:
    pacer = a_pacer()
    pacer.refused(1, 0.9, retry_after=5)
    pacer.refused(1, 0.9, retry_after=3)
    assert pacer.wait(2) == 4
    assert pacer.paused_for(2) == 4
    assert pacer.wait(6) == 0


def test_a_pause_ends_when_requests_that_started_later_are_granted() -> None:
    pacer = a_pacer()
    pacer.refused(1, 0.9, retry_after=60)
    for number in range(5):
        assert pacer.paused_for(1.1)
        pacer.answered(1.1, 0.91 + number / 100, in_flight=10)
    assert not pacer.paused_for(1.1)
    pacer.refused(2, 1.9, retry_after=60)
    assert not pacer.paused_for(2), "only that one is meant again"


def test_a_pause_that_was_kept_to_its_end_shows_nothing_of_the_next() -> None:
    pacer = a_pacer()
    pacer.refused(1, 0.9, retry_after=5)
    assert pacer.wait(6) == 0
    pacer.start(6)
    for number in range(50):
        pacer.answered(6.1 + number / 100, 6 + number / 100, in_flight=1)
    pacer.refused(8, 7.9, retry_after=5)
    assert pacer.paused_for(8) == 5


def test_a_pause_of_a_service_that_refuses_everything_is_kept() -> None:
    pacer = a_pacer()
    for _ in range(30):
        pacer.refused(1, 0.9, retry_after=60)
    assert pacer.paused_for(1) == 60


def test_after_a_pause_requests_start_gently() -> None:
    pacer = a_pacer()
    Play(pacer, Service(), 5)
    pacer.hold_back(10)
    assert pacer.wait(6) == 4
    assert pacer.wait(10) == 0
    pacer.start(10)
    assert not pacer.has_slot(8)


def test_an_outage_of_seconds_fails_no_row_and_is_left_at_once() -> None:
    play = Play(a_pacer(), Service(down=lambda now: now % 4 >= 2), 60)
    assert len(play.stored) / 60 >= 0.38 * 64 / 0.05
    assert not play.lost


@pytest.mark.parametrize(
    ("service", "rate", "busy", "limit"),
    [
        (Service(), None, 0.1, Limit.CONCURRENCY),
        (Service(), 10.0, 0.1, Limit.RATE),
        (Service(token_bucket(500)), None, 0.1, Limit.SERVICE_LIMIT),
        (Service(latency=0.0005), None, 0.99, Limit.CPU),
        (Service(down=lambda now: now > 1), None, 0.1, Limit.OUTAGE),
    ],
    ids=["concurrency", "rate", "service limit", "cpu", "outage"],
)
def test_what_limits_a_run_is_named(
    service: Service, rate: float | None, busy: float, limit: Limit
) -> None:
    pacer = a_pacer(rate=rate)
    play = Play(pacer, service, 20, busy=busy)
    named = {pacer.limit(20.0 - part / 1000, play.most_in_flight) for part in range(5)}
    assert limit in named
    if limit is Limit.SERVICE_LIMIT:
        assert pacer.service_rate == pytest.approx(500, rel=0.05)


def test_a_pause_that_the_service_asks_for_is_no_outage_until_one_is_told() -> None:
    pacer = a_pacer()
    for _ in range(20):
        pacer.refused(1, 0.9, retry_after=600)
    assert pacer.breaker.is_probing
    assert pacer.limit(2, 0) is Limit.PAUSE


def test_caution_is_named_while_it_is_not_known_what_refusals_are_for() -> None:
    pacer = a_pacer()
    Play(pacer, Service(token_bucket(500)), 0.5)
    assert pacer.is_capped
    assert pacer.service_rate is None
