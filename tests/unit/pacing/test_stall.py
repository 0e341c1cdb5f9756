"""What whiles in which a service grants nothing tell, one compared with the one before."""

import pytest

from importer.pacing.stall import Stall


def stall(granted: int, granting: float = 10.0) -> Stall:
    """Return one that came when so many requests were granted in so many seconds."""
    return Stall(granted, granting + 50, 50)


FAST = stall(200)


@pytest.mark.parametrize(
    ("before", "now", "speed"),
    [
        (None, stall(100), 0),
        (FAST, stall(100), 20),  # as late as before, although half as much was granted
        (FAST, stall(100, 12), 0),  # later
        (FAST, stall(190), 0),  # as much was granted: it is a quota
        (FAST, stall(10), 0),  # so few tell nothing
    ],
)
def test_stalls_that_come_as_late_although_less_is_granted_come_whatever_the_rate_is(
    before: Stall | None, now: Stall, speed: float
) -> None:
    assert now.kept_speed(before, 0) == speed


def test_while_a_speed_is_kept_it_is_enough_that_they_come_as_late() -> None:
    assert stall(210).kept_speed(FAST, 20) == 21
    assert stall(210, 12).kept_speed(FAST, 20) == 0


def test_of_two_that_are_alike_the_next_is_compared_with_the_faster_and_else_the_latest() -> None:
    for fewer, alike in ((stall(190), True), (stall(100), False), (stall(190, 12), False)):
        assert fewer.or_faster(FAST) == (FAST if alike else fewer)
    faster = stall(210)
    assert (faster.or_faster(FAST), faster.or_faster(None)) == (faster, faster)
