"""Requests are spread evenly, and a lull is not made up for by a burst."""

from itertools import pairwise

import pytest

from importer.pacing import RateCap


def starts(cap: RateCap, number: int, *, late: float = 0.0) -> list[float]:
    """Return when so many requests start, if each timer fires `late` (seconds)."""
    now = 0.0
    found: list[float] = []
    while len(found) < number:
        if cap.wait(now) == 0:
            cap.start(now)
            found.append(now)
        else:
            now += cap.wait(now) + late
    return found


def test_requests_are_spread_evenly() -> None:
    found = starts(RateCap(10), 30)
    assert found[-1] - found[0] == pytest.approx(2.9, abs=0.06)


def test_a_quiet_time_earns_no_burst() -> None:
    cap = RateCap(10)
    cap.start(0)
    started = 0
    while cap.wait(1000) == 0:
        cap.start(1000)
        started += 1
    assert started <= 2


def test_late_timers_are_caught_up_with() -> None:
    assert starts(RateCap(100), 101, late=0.004)[-1] == pytest.approx(1.0, abs=0.06)
    so_fast = RateCap(4000, evenly=True)
    assert starts(so_fast, 4001, late=0.0002)[-1] == pytest.approx(1.0, abs=0.06), "too fast for it"


def test_where_no_burst_is_allowed_the_gaps_stay_nearly_even() -> None:
    found = starts(RateCap(100, evenly=True), 100, late=0.004)
    gaps = [later - earlier for earlier, later in pairwise(found)]
    assert min(gaps) >= 0.0098 - 1e-9
    assert max(gaps) <= 0.0145


def test_another_rate_counts_from_the_latest_request_on() -> None:
    cap = RateCap(1)
    cap.start(0)
    cap.change(10)
    assert cap.wait(0) == cap.peek(0) == pytest.approx(0.1)
    cap.start(0.1)
    assert cap.wait(0.1) == pytest.approx(0.1)
