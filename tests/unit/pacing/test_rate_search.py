"""What the search for a rate tries next, round by round.

`test_rate_finder` plays whole services.
"""

import pytest

from tests.support.rate_search import Search, limited, stepped


def test_nothing_is_capped_nor_taken_for_noise_before_too_much_is_refused() -> None:
    search = Search()
    assert search.holds(None)
    assert not search.sees(0.99, 193, 7), "it lasts a second"
    assert not search.sees(1.0, 16, 3), "and twenty responses"
    assert search.sees(1.0, 193, 7)
    assert search.holds(None)
    assert search.finder.tolerated == 0.005
    assert not search.sees(2.0, 0, 100), "all of it may be a stall"
    assert search.sees(2.0, 100, 0)
    assert search.holds(None)


def test_what_began_before_the_round_tells_nothing_of_it() -> None:
    search = Search()
    finder, now = search.finder, search.now
    assert not finder.weigh(now + 5, used=9, granted=99, refused=0, reach=0.9, is_loud=False)
    finder.restart(now)
    for _ in range(19):
        finder.granted(now + 1.5, now + 1)
        finder.granted(now + 1.5, now - 1)
        finder.refused(now + 1.5, now - 1)
    finder.start()
    for _ in range(5):
        assert search.holds(None)
        finder.refused(now + 1.5, now)
    assert search.tries(0.8 / 1.5 * 19 / 24), "one started in a second and a half"


def test_a_round_begins_again_with_nothing_seen() -> None:
    search = Search()
    finder, now = search.finder, search.now
    for _ in range(12):
        finder.granted(now + 0.5, now)
        finder.start()
    finder.refused(now + 0.5, now)
    finder.restart(now + 10)
    for _ in range(4):
        finder.refused(now + 11, now + 10)
    for _ in range(15):
        finder.granted(now + 11, now + 11)
    assert search.holds(None)
    finder.refused(now + 11, now + 11)
    assert search.tries(0.02), "none started"


def test_refusals_alone_are_a_stall() -> None:
    search = Search()
    for _ in range(30):
        search.finder.refused(search.now + 0.5, search.now)
    assert search.holds(None)


@pytest.mark.parametrize("last", ["granted", "refused"])
def test_any_response_may_end_a_round(last: str) -> None:
    search = Search()
    finder, now = search.finder, search.now
    for _ in range(24):
        finder.granted(now + 0.9, now)
    getattr(finder, last)(now + 1.1, now + 1)
    for _ in range(30):
        finder.refused(now + 1.2, now + 1.05)  # it began in the first round
    finder.granted(now + 1.2, now + 1.1)
    for _ in range(4):
        assert search.holds(None)
        finder.refused(now + 1.2, now + 1.1)
    assert search.tries(0.02)


def test_a_rate_is_kept_evenly_and_hardly_caught_up_with() -> None:
    search = Search()
    assert search.sees(1.0, 90, 10)
    cap = search.finder.cap
    assert cap is not None
    cap.start(1.0)
    cap.start(3.0)
    assert cap.wait(3.0) == pytest.approx(0.98 / 72)
    search = Search()
    assert search.sees(1.0, 4000, 1000)
    cap = search.finder.cap
    assert cap is not None
    cap.start(1.0)
    cap.start(3.0)
    for _ in range(30):
        assert cap.wait(3.0) == 0, "10 ms at 3,200 a second"
        cap.start(3.0)
    cap.start(3.0)
    cap.start(3.0)
    assert cap.wait(3.0) > 0


def test_a_limit_is_what_refuses_nothing_at_four_fifths_of_it() -> None:
    search = Search()
    assert search.sees(0.4, 80, 20), "too much is refused as soon as that is certain"
    assert search.tries(0.8 * 200)
    assert search.finder.tolerated == 0.2
    assert not search.sees(0.49, 80)
    assert not search.sees(0.5, 19)
    assert search.sees(0.5, 78, 2), "two are no more than chance"
    assert search.tries(0.98 * 200 / (1 - 2 / 80))
    assert search.finder.tolerated == pytest.approx(2 / 80 + 0.005)


def test_a_limit_below_four_fifths_is_looked_for_further_down() -> None:
    search = Search()
    assert search.sees(1.0, 90, 10)
    assert search.sees(0.5, 36, 30, used=72)
    assert search.tries(0.8 * 72 * 36 / 66)
    assert search.sees(0.5, 1, 30)
    assert search.rate == pytest.approx(0.8 * 0.8 * 72 * 36 / 66 / 2), "half of what was tried"


def test_what_others_brake_for_is_as_much_as_they_send() -> None:
    search = Search()
    assert not search.sees(0.3, 0, 30, is_loud=True)
    assert search.sees(0.3, 30, 1, used=100, is_loud=True)
    assert search.tries(0.8 * 100 * 30 / 31)
    assert search.sees(0.3, 1, 30, used=40, is_loud=True)
    assert search.tries(0.8 * 40 / 2)


def test_a_limit_is_looked_for_above_by_steps_that_double_and_then_are_halved() -> None:
    search = limited()
    assert search.finder.tolerated == 0.005
    assert not search.sees(0.49, 40)
    assert not search.sees(0.5, 19)
    assert search.sees(0.5, 44), "the rate is held for a while"
    assert search.tries(1.4 * 88.2)
    assert not search.sees(0.12, 20)
    assert not search.sees(0.125, 9)
    assert search.sees(0.125, 10), "which is what shows whether 40 % more is too much"
    assert search.tries(1.4 * 1.8 * 88.2)
    assert not search.sees(0.12, 20)
    assert search.sees(0.125, 20)
    assert search.tries(1.4 * 1.8 * 2 * 88.2)
    assert search.sees(1.0, 100, 20)
    assert search.tries(1.4 * 1.8 * 88.2), "that was the last rate without"
    assert search.sees(0.5, 20)
    assert search.tries(1.4 * 1.8 * 1.5 * 88.2)


def test_a_step_that_is_neither_clear_in_one_way_nor_the_other_lasts_longer() -> None:
    search = limited()
    assert search.sees(0.5, 44)
    assert not search.sees(0.2, 19, 3), "more than a third of the step"
    assert search.sees(0.2, 21, 3)
    assert search.tries(1.4 * 1.8 * 88.2)


def test_the_finer_the_step_the_longer_it_and_the_rate_before_it_are_tried() -> None:
    search = stepped()
    assert search.sees(0.5, 49)
    assert search.holds(1.1 * 98)
    assert search.sees(1.0, 98, 30)
    assert not search.sees(0.99, 97)
    assert not search.sees(1.0, 19)
    assert search.sees(1.0, 98)
    assert search.holds(1.05 * 98)
    assert not search.sees(0.49, 104)
    assert not search.sees(0.5, 103)
    assert search.sees(0.5, 104)
    assert search.holds(1.05 * 1.05 * 98), "the first step after one that failed is not doubled"
    assert search.sees(0.5, 30, 20)
    assert search.holds(1.05 * 98)
    assert not search.sees(1.99, 200)
    assert not search.sees(2.0, 79)
    assert search.sees(2.0, 80)
    assert search.holds(1.025 * 1.05 * 98)
    assert not search.sees(0.5, 255)
    assert search.sees(0.5, 256)


def test_a_rate_of_which_little_is_used_is_no_longer_looked_for() -> None:
    search = limited()
    assert search.sees(0.5, 44, used=10), "to hold it tells nothing"
    assert search.sees(1.0, 90, used=0.7 * 1.4 * 88.2 + 1)
    assert search.tries(1.4 * 1.8 * 88.2)
    assert search.sees(1.0, 90, used=0.7 * 1.4 * 1.8 * 88.2 - 1)
    assert search.holds(None)
    assert not search.sees(0.99, 90)
    assert search.sees(1.0, 90)
    assert search.holds(None)


def test_what_is_refused_at_the_rate_that_is_held_lowers_it() -> None:
    search = limited()
    assert search.sees(0.5, 33, 11)
    assert search.tries(0.8 * 88 * 33 / 44), "what is granted is measured anew"
    assert search.sees(0.5, 33)
    assert search.tries(0.98 * 88 * 33 / 44)
    search = stepped(100, 4)
    assert search.sees(1.0, 70, 30, used=100)
    rate = 0.98 * 70 / 0.96
    assert search.holds(rate), "at once where a step has failed: a burst was used up"
    assert search.sees(1.0, 49, 21)
    assert search.holds(0.8 * 71 * 0.7)
