"""What holds requests back besides the rate, and what is named as the limit."""

import math

import pytest

from importer.pacing import CircuitBreaker, Limit, Pacer, RateCap
from importer.pacing.shared_rate import Lease
from tests.support.services import Play, Service, token_bucket


def a_pacer(concurrency: int = 64, rate: float | None = None) -> Pacer:
    return Pacer(0, concurrency=concurrency, rate=rate)


class Noting:
    """A finder that finds nothing, and notes what it is told."""

    def __init__(self) -> None:
        self.cap: RateCap | None = None
        self.is_searching = False
        self.told: list[tuple[object, ...]] = []

    def start(self) -> None:
        self.told.append(("start",))

    def granted(self, now: float, started: float) -> None:
        self.told.append(("granted", now, started))

    def refused(self, now: float, started: float) -> None:
        self.told.append(("refused", now, started))

    def restart(self, now: float) -> None:
        self.told.append(("restart", now))

    def resumed(self, now: float, *, stalled_at: float, waited: bool) -> None:
        self.told.append(("resumed", now, stalled_at, waited))


def stalled(pacer: Pacer, now: float, *, refused: bool = True) -> None:
    """Let so many requests fail that nothing succeeds any more."""
    for _ in range(10):
        if refused:
            pacer.refused(now, now - 0.1)
        else:
            pacer.failed(now, now - 0.1, 8, first=False)
    assert pacer.is_probing


def grown(pacer: Pacer, now: float) -> None:
    """Let sixteen be in flight at once."""
    for _ in range(8):
        pacer.answered(now, now - 0.1, in_flight=8)
    pacer.window.turn(now, cpu=0)
    assert pacer.has_slot(15)


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
    for _ in range(30):
        pacer.refused(3, 2.9, retry_after=60)
    assert pacer.paused_for(3) == 60, "nothing is granted any more"
    pacer.answered(64, 63.9, in_flight=1)
    pacer.refused(65, 64.9, retry_after=60)
    assert pacer.paused_for(65) == 60


def test_a_pause_lasts_as_long_as_no_more_is_granted_than_is_refused() -> None:
    pacer = a_pacer()
    for _ in range(6):
        pacer.refused(1, 0.9, retry_after=60)
        pacer.answered(1.1, 0.95, in_flight=10)
    assert pacer.paused_for(1.1)
    pacer.answered(1.1, 0.95, in_flight=10)
    assert not pacer.paused_for(1.1)


def test_a_pause_that_was_kept_to_its_end_shows_nothing_of_the_next() -> None:
    pacer = a_pacer()
    pacer.refused(1, 0.9, retry_after=5)
    for _ in range(4):
        pacer.answered(1.1, 0.95, in_flight=10)
    assert pacer.wait(6) == 0
    pacer.start(6)
    for number in range(50):
        pacer.answered(6.1 + number / 100, 6 + number / 100, in_flight=1)
    pacer.refused(8, 7.9, retry_after=5)
    pacer.answered(8, 7.95, in_flight=10)
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


def test_the_finder_is_told_of_all_answers_but_those_of_an_outage() -> None:
    finder, breaker = Noting(), CircuitBreaker(0)
    pacer = Pacer(0, concurrency=64, rate=None, breaker=breaker, finder=finder)
    assert pacer.breaker is breaker
    pacer.start(1)
    pacer.answered(1.1, 1, in_flight=8)
    pacer.refused(1.2, 1.1)
    pacer.failed(1.3, 1.2, 8, first=True)
    told = [("start",), ("granted", 1.1, 1), ("refused", 1.2, 1.1), ("granted", 1.3, 1.2)]
    assert finder.told == told
    grown(pacer, 2)
    stalled(pacer, 3, refused=False)
    finder.told.clear()
    pacer.refused(4, 3.9)
    pacer.failed(4, 3.9, 8, first=True)
    pacer.answered(4, 2.9, in_flight=8)
    assert finder.told == [("granted", 4, 2.9)], "that was sent before the outage"
    pacer.answered(5, 4.9, in_flight=8)
    assert finder.told[1:] == [("restart", 5), ("granted", 5, 4.9)]
    assert not pacer.has_slot(8), "gently"


@pytest.mark.parametrize(
    ("probes", "pause", "until", "waited"),
    [
        (0, None, 13, False),
        (1, None, 13, False),
        (2, None, 13, True),
        (0, 1, 11.5, False),
        (0, 2, 13, True),
    ],
)
def test_a_quota_that_is_used_up_is_told_from_refusals_of_a_moment(
    probes: int, pause: float | None, until: float, *, waited: bool
) -> None:
    finder = Noting()
    pacer = Pacer(0, concurrency=64, rate=None, finder=finder)
    stalled(pacer, 10)
    for _ in range(probes):
        pacer.refused(10.5, 10.5)
    if pause is not None:
        pacer.refused(10, 9.9, retry_after=pause)
        assert pacer.wait(10 + pause) == 0
        pacer.start(10 + pause)
    pacer.answered(until, until - 0.1, in_flight=1)
    assert finder.told[-2] == ("resumed", until, 10, waited)
    stalled(pacer, 20)
    pacer.answered(23, 22.9, in_flight=1)
    assert finder.told[-2] == ("resumed", 23, 20, False), "that pause is over"


def test_probes_go_out_one_at_a_time_also_after_a_time_without_any_limit() -> None:
    pacer = a_pacer()
    for now in (8, 9):
        assert pacer.wait(now) == 0
        pacer.start(now)
    stalled(pacer, 10)
    assert 0 < pacer.wait(10) < 1
    assert pacer.wait(12) == 0
    pacer.start(12)
    assert pacer.wait(12) == math.inf


def test_of_two_rates_the_lower_one_counts() -> None:
    finder = Noting()
    pacer = Pacer(0, concurrency=64, rate=10.0, finder=finder)
    assert (pacer.is_capped, pacer.service_rate) == (False, None)
    finder.cap = RateCap(5.0)
    assert (pacer.is_capped, pacer.service_rate) == (True, 5.0)
    pacer.wait(1)
    pacer.start(1)
    assert pacer.wait(1) == pytest.approx(0.2, abs=0.06)
    assert pacer.limit(1, 0) is Limit.SERVICE_LIMIT
    finder.is_searching = True
    assert (pacer.limit(1, 0), pacer.service_rate) == (Limit.CAUTION, None)
    finder.cap = RateCap(20.0)
    assert pacer.limit(1, 0) is Limit.RATE


def test_what_holds_all_requests_back_is_named() -> None:
    pacer = a_pacer()
    assert (pacer.limit(1, 7), pacer.limit(1, 8)) == (Limit.NOTHING, Limit.NOTHING)
    for _ in range(8):
        pacer.answered(1, 0.9, in_flight=8)
    pacer.window.turn(1, cpu=0)
    pacer.share(None, 10)
    for _ in range(10):
        pacer.answered(2, 1.9, in_flight=10)
    pacer.window.turn(2, cpu=0)
    assert (pacer.limit(2, 8), pacer.limit(2, 9)) == (Limit.NOTHING, Limit.CONCURRENCY)
    pacer.hold_back(10)
    assert pacer.limit(9, 9) is Limit.LATE_EFFECT
    pacer.refused(11, 10.9, retry_after=5)
    assert pacer.limit(11, 9) is Limit.PAUSE
    stalled(pacer, 12)
    assert [pacer.limit(now, 9) for now in (15, 16)] == [Limit.PAUSE, Limit.OUTAGE]
    pacer.refused(17, 16.9, retry_after=60)
    assert pacer.limit(17, 9) is Limit.OUTAGE, "it has lasted for too long to be a pause"


def test_what_waits_for_late_effects_waits_whatever_is_granted() -> None:
    pacer = a_pacer()
    pacer.refused(1, 0.9, retry_after=60)
    for number in range(9):
        pacer.answered(1.1, 0.91 + number / 100, in_flight=10)
    pacer.hold_back(10)
    for number in range(9):
        pacer.answered(2, 1.91 + number / 100, in_flight=10)
    assert pacer.wait(5) == 5
    other = a_pacer()
    assert other.wait(1) == 0
    other.hold_back(10)
    assert other.wait(1) == 9


def test_after_a_pause_that_others_were_asked_for_requests_start_gently() -> None:
    pacer = a_pacer()
    grown(pacer, 1)
    assert pacer.wait(2) == 0
    pacer.hold(2, 5, lifts=False)
    assert (pacer.wait(3), pacer.paused_for(3), pacer.asked_for(3)) == (4, 4, 0)
    pacer.hold(3, 9, lifts=False)
    assert pacer.wait(3) == 9
    pacer.hold(3, 0, lifts=False)
    assert pacer.wait(3) == pacer.paused_for(3) == 0
    pacer.start(3)
    assert pacer.has_slot(15)
    pacer.hold(3, 1, lifts=False)
    assert pacer.wait(4) == 0
    pacer.start(4)
    assert not pacer.has_slot(8)
    grown(pacer, 5)
    assert pacer.wait(5) == 0
    pacer.start(5)
    assert pacer.has_slot(15), "once"


@pytest.mark.parametrize("lifts", [False, True])
def test_a_pause_may_be_lifted_by_what_others_have_seen(*, lifts: bool) -> None:
    pacer = a_pacer()
    pacer.refused(1, 0.9, retry_after=60)
    assert pacer.asked_for(1) == 60
    pacer.hold(1, 0, lifts=lifts)
    assert pacer.asked_for(1) == (0 if lifts else 60)
    other = a_pacer()
    other.hold(1, 0, lifts=lifts)
    other.refused(1, 0.9, retry_after=60)
    assert other.asked_for(1) == 60, "there was none to lift"


def test_who_may_send_until_a_time_may_not_then_unless_it_is_told_anew() -> None:
    pacer = a_pacer()
    pacer.allow_until(10)
    assert pacer.wait(9.9) == 0
    assert pacer.wait(10) == math.inf
    pacer.allow_until(20)
    assert pacer.wait(15) == 0


def test_who_may_send_again_probes_at_once() -> None:
    pacer = a_pacer()
    stalled(pacer, 10)
    for now in range(11, 19):
        pacer.refused(now, now)
    pacer.allow_until(100)
    pacer.allow_until(200)
    assert pacer.wait(18) > 10
    pacer.allow_until(-math.inf)
    pacer.allow_until(-math.inf)
    assert pacer.wait(18) == math.inf
    pacer.allow_until(200)
    assert pacer.wait(18) == 0


def test_a_share_of_a_rate_takes_its_place() -> None:
    pacer = a_pacer()
    assert pacer.wait(1) == 0
    pacer.share(None, 4)
    assert not pacer.has_slot(4)
    assert pacer.wait(1) == 0
    for now, rate in ((10, 1.0), (20, 2.0)):
        pacer.share(rate, 4)
        assert pacer.wait(now) == 0
        pacer.start(now)
        assert pacer.wait(now) == pytest.approx(1 / rate, abs=0.06)
    pacer.share(None, 4)
    assert pacer.wait(20) > 0


def test_a_rate_alone_does_not_make_requests_start_gently() -> None:
    pacer = a_pacer(rate=1000.0)
    grown(pacer, 1)
    assert pacer.wait(2) == 0
    pacer.start(2)
    assert pacer.has_slot(15)


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
