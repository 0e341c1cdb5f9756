"""Places that several runs share are leased few at a time, and none is kept for later."""

import pytest

from importer.pacing.shared_rate import Lease, LeasedCap


class Places:
    """A budget whose places are free a second after they are asked for, if it is known."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.is_known = True

    def take(self, now: float, places: int) -> Lease | None:
        if not self.is_known:
            return None
        self.asked.append(places)
        return Lease(now + 1, 0.01, places)


def use(cap: LeasedCap, now: float, places: int) -> float:
    """Start so many requests as soon as it is allowed; return when the last one started."""
    for _ in range(places):
        now += cap.wait(now)
        cap.start(now)
    return now


def test_more_places_are_leased_at_a_time_as_long_as_they_are_used_up() -> None:
    places = Places()
    cap = LeasedCap(100.0, places)
    now = use(cap, 10.0, 1 + 2 + 4 + 8 + 10 + 10)
    assert places.asked == [1, 2, 4, 8, 10, 10]
    now = use(cap, now, 1)
    assert cap.wait(now) == pytest.approx(0.01), "one by one"
    assert cap.wait(now + 0.14) == 0, "a little late is not too late"
    assert cap.wait(now + 1) == 1, "the other nine are lost"
    assert places.asked == [1, 2, 4, 8, 10, 10, 10, 1]


def test_of_a_rate_of_a_few_a_second_one_place_is_leased_at_a_time() -> None:
    places = Places()
    use(LeasedCap(5.0, places), 10.0, 4)
    assert places.asked == [1, 1, 1, 1]


def test_to_look_leases_nothing() -> None:
    places = Places()
    cap = LeasedCap(100.0, places)
    assert cap.peek(10.0) == 0
    assert places.asked == []
    assert cap.wait(10.0) == 1
    assert cap.peek(10.5) == pytest.approx(0.5)
    assert cap.peek(12.0) == 0


def test_a_budget_that_cannot_tell_right_now_is_asked_again_soon() -> None:
    places = Places()
    places.is_known = False
    cap = LeasedCap(100.0, places)
    assert 0 < cap.wait(10.0) < 0.1
    places.is_known = True
    assert cap.wait(10.002) == pytest.approx(1)
