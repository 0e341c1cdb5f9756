"""How the search for a rate tells a limit from noise, and goes on after quotas and stalls."""

import pytest

from tests.support.rate_search import Search, noisy, stepped


def test_noise_is_what_is_refused_as_well_at_a_rate_that_is_much_lower() -> None:
    search = Search()
    assert search.sees(1.0, 90, 10)
    assert search.sees(0.5, 30, 6)
    assert search.tries(0.8 * 60)
    assert search.finder.tolerated == 0.2
    assert not search.sees(1.5, 65, 6), "twelve refusals are expected of 72"
    assert search.sees(1.5, 68, 4)
    assert search.holds(None), "a third is no less than that"
    assert search.finder.tolerated == pytest.approx(4 / 72 + 0.005)
    assert search.sees(1.0, 94, 6)
    assert search.finder.tolerated == pytest.approx((4 + 6) / 172 + 0.005), "and it is learnt"


def test_a_limit_below_noise_is_what_refuses_less_than_a_third_of_it() -> None:
    search = Search()
    assert search.sees(1.0, 90, 10)
    assert search.sees(0.5, 30, 6)
    assert search.sees(3.0, 137, 7)
    assert search.tries(0.98 * 60 / (1 - 7 / 144))
    search = Search()
    assert search.sees(1.0, 90, 10)
    assert search.sees(0.5, 30, 6)
    assert search.sees(1.5, 69, 3)
    assert search.tries(0.98 * 60 / (1 - 3 / 72))
    assert search.finder.tolerated == pytest.approx(3 / 72 + 0.005), "few tell of it as well"


def test_a_lower_limit_may_show_in_the_second_trial_only() -> None:
    search = Search()
    assert search.sees(1.0, 90, 10)
    assert search.sees(0.5, 30, 6)
    assert search.sees(1.0, 24, 24)
    assert search.tries(0.8 * 24)
    assert search.sees(1.25, 20), "as little as of a first one"
    assert search.tries(0.98 * 24)


def test_noise_that_is_known_is_no_part_of_what_shows_a_limit() -> None:
    # A tenth more than the noise of a twelfth: is it a limit?
    search = noisy()
    assert search.sees(1.0, 140, 60)
    assert search.tries(0.8 * 140)
    assert search.sees(1.0, 224, 28)
    assert search.tries(0.98 * 140 / (1 - (20 + 28) / (240 + 252)))
    search = noisy()
    assert search.sees(1.0, 140, 60)
    assert search.sees(1.0, 82, 30, used=112)
    assert search.tries(0.8 * 82)
    before = 30 / 112 - 1 / 12
    assert not search.sees(1.0, int(12 / before) - 5, 5)
    assert search.sees(1.0, 220, 31)
    assert search.tries(0.98 * 82 / (1 - (20 + 31) / (240 + 251))), "less than a third of `before`"
    search = noisy()
    assert search.sees(1.0, 140, 60)
    assert search.sees(1.0, 82, 30, used=112)
    assert search.sees(1.0, 200, 40)
    assert search.holds(None)
    assert search.finder.tolerated == pytest.approx(40 / 240 + 0.005), "it is learnt anew"


def test_how_long_a_step_is_tried_depends_on_the_noise() -> None:
    search = stepped(100, 4)
    assert search.sees(0.5, 96, 4)
    assert search.holds(1.1 * 98 / 0.96)
    assert not search.sees(0.5, 86, 4)
    assert not search.sees(0.5, 92, 8)
    assert search.sees(0.5, 93, 7)
    assert search.holds(1.1 * 1.1 * 98 / 0.96)


def test_noise_is_learnt_from_all_rounds_at_the_rate_that_is_held() -> None:
    search = stepped(100, 4)
    assert search.sees(1.0, 182, 18)
    assert search.finder.tolerated == pytest.approx((3 * 4 + 18) / (3 * 100 + 200) + 0.005)


def test_noise_is_learnt_anew_where_a_fine_step_fails() -> None:
    search = stepped(1000, 8)
    assert search.sees(0.5, 992, 8)
    assert search.sees(1.0, 960, 40)
    assert search.holds(98 / (1 - 0.008)), "so little is no matter"
    search = stepped(1000, 12)
    assert search.sees(0.5, 988, 12)
    assert search.sees(1.0, 960, 40, used=100)
    assert search.holds(0.8 * 100 * 0.96)
    assert search.sees(0.5, 988, 12)
    rate = 0.98 * 100 * 0.96 / (1 - 0.012)
    assert search.holds(rate)
    assert search.sees(1.0, 988, 12)
    assert search.holds((1 + 0.05) * rate)
    assert search.sees(1.0, 960, 40, used=500)
    assert search.sees(1.0, 988, 12)
    assert search.holds(rate), "not above what was held before"


def test_the_finest_step_is_as_large_as_the_noise_hides() -> None:
    search = stepped(100, 4)
    assert search.sees(0.5, 96, 4)
    assert search.sees(1.0, 50, 50, used=100)
    assert search.sees(0.5, 96, 4)
    rate = 0.98 * 50 / 0.96
    assert search.holds(rate)
    assert search.sees(1.0, 96, 4)
    assert search.holds((1 + 0.025 + 0.04) * rate)


@pytest.mark.parametrize(
    ("after", "granted", "stalled", "rate"),
    [
        (50, 120, 49, 120 / 60),
        (50, 120, 36, 120 / 60),
        (50, 120, 35, 120 / 50),
        (15.1, 120, 14, 120 / 60),
        (15, 120, 14, 120 / 15),
        (71.9, 120, 70, 120 / 60),
        (72, 120, 70, 120 / 72),
        (50, 23, 49, 23 / 60),
    ],
)
def test_a_quota_that_was_used_up_twice_is_found_by_what_it_has_granted_in_its_period(
    after: float, granted: int, stalled: float, rate: float
) -> None:
    search = Search()
    search.resumes(after, granted, stalled=stalled)
    assert search.tries(granted / (after - stalled) / 4), "once shows nothing"
    search.resumes(after, int(granted / 1.15), stalled=stalled)
    assert search.holds(0.98 * rate * int(granted / 1.15) / granted)


def test_what_a_service_grants_between_short_stalls_is_its_rate() -> None:
    search = Search()
    search.resumes(4, 120, stalled=2)
    assert search.holds(0.98 * 120 / 4)
    search = Search()
    search.resumes(0.5, 120, stalled=0.4)
    assert search.tries(0.98 * 120 / 0.5)
    search = Search()
    search.resumes(0, 5, stalled=0, waited=False)
    assert search.tries(0.98 * 5 / 0.01)


def test_a_service_that_grants_nothing_at_first_tells_no_rate() -> None:
    search = Search()
    search.resumes(10, 0, stalled=10)
    assert search.holds(None)
    search.resumes(0.1, 0, stalled=0.1, waited=False)
    assert search.holds(None)


def back(granted: int = 800) -> Search:
    """Return a search that comes back after 30 seconds without grants, at 100 a second before."""
    search = Search()
    search.resumes(30 + granted / 100, granted, stalled=30)
    assert search.tries(100 / 4)
    return search


def test_the_speed_of_before_a_stall_is_come_back_to_by_doubling() -> None:
    search = back()
    for rate in (25, 50, 100):
        assert search.tries(rate)
        assert not search.sees(0.39, rate)
        assert search.sees(0.4, rate)
    assert search.sees(0.4, 60, used=0.7 * 200 - 1)
    assert search.holds(None)


def test_a_limit_on_the_way_back_is_found_as_any_other() -> None:
    search = back()
    assert search.sees(0.4, 10)
    assert search.sees(0.4, 10, 10)
    assert search.tries(25 / 4)
    assert not search.sees(3.9, 24)
    assert search.sees(4.0, 24)
    assert search.tries(1.5 * 25 / 4)
    assert search.sees(0.3, 10, 10)
    assert search.tries(25 / 4)
    assert search.sees(3.2, 20), "a round is as short as ever"


@pytest.mark.parametrize("is_seen", [True, False])
def test_a_speed_that_is_refused_again_on_the_way_back_is_what_is_too_much(is_seen: bool) -> None:
    search = back()
    assert search.sees(0.4, 10)
    assert search.sees(0.4, 20)
    if is_seen:  # that too much is refused, before nothing is granted any more
        assert search.sees(0.4, 10, 10)
    search.resumes(12, 81, stalled=10)
    assert search.tries(50 / 4)
    assert not search.sees(9.9, 120)
    assert search.sees(10, 120), "as long as a mistake costs"
    assert search.tries(1.5 * 50 / 4)
    search.resumes(30, 420, stalled=10)
    assert search.tries(50 / 4), "it was the step"


def test_a_rate_at_which_nothing_is_granted_in_the_end_is_measured_anew() -> None:
    search = back()
    assert search.sees(0.4, 10)
    search.resumes(12, 40, stalled=10)
    assert search.tries(25 / 4)
    assert not search.sees(9.9, 60)
    search.resumes(100, 300, stalled=10)
    assert search.holds(0.98 * 300 / 100)
    search.resumes(300, 600, stalled=10)
    assert search.holds(0.98 * 600 / 300), "also if none was granted at once"


def test_a_few_that_are_granted_tell_of_no_quota() -> None:
    search = back(19)
    search.resumes(12, 19, stalled=10)
    assert search.tries(100 / 8 / 4)
    assert not search.sees(1.0, 12)
    search.resumes(12, 19, stalled=10)
    assert search.tries(0.98 * 19 / 12)
    assert search.sees(12, 20)
    assert search.tries(1.4 * 0.98 * 19 / 12)


def test_a_stall_that_comes_as_soon_at_a_lower_rate_does_not_lower_it() -> None:
    search = Search()
    search.resumes(130, 3000, stalled=30)
    search.resumes(130, 3000, stalled=30)
    search.resumes(142, 2400, stalled=30)
    assert search.holds(0.98 * 2400 / 142), "it came later"
    search.resumes(142, 1900, stalled=30)
    assert search.tries(2400 / 112), "less than five sixths were granted: no quota"
    assert not search.sees(0.5, 11)
    assert search.sees(1.0, 22), "a round is as short as ever"
    assert search.tries(1.4 * 2400 / 112)
    search.resumes(120 + 30 - 1, 3100, stalled=30)
    assert search.tries(3100 / 120), "it is kept while they come after the same time"
    search.resumes(135, 3100, stalled=30)
    assert search.holds(0.98 * 3100 / 135), "but not when the time changes"


def test_a_stall_that_comes_as_soon_is_known_after_small_steps_down_as_well() -> None:
    search = Search()
    for granted in (3000, 3000, 2600):
        search.resumes(130, granted, stalled=30)
    assert search.holds(0.98 * 2600 / 130)
    search.resumes(130, 2300, stalled=30)
    assert search.tries(30), "the fastest of those that came as late"


def test_a_round_is_as_long_as_a_quota_lets_wait() -> None:
    search = Search()
    search.resumes(50, 120, stalled=49)
    search.resumes(50, 120, stalled=49)
    search.resumes(100, 93, stalled=30)
    assert search.holds(0.98 * 93 / 100)
    assert not search.sees(59.9, 88)
    assert search.sees(60, 88)
    assert search.holds(1.025 * 0.98 * 93 / 100)
    assert not search.sees(59.9, 999)
    assert search.sees(60, 999, used=0.1)
    assert search.holds(None)
    assert search.sees(1.0, 20), "as short as ever without one"
    search.resumes(600, 90, stalled=300)
    assert not search.sees(99.9, 99)
    assert search.sees(100, 99), "but not longer than that"


def test_what_was_granted_before_a_stall_counts_without_the_noise() -> None:
    search = stepped(100, 4)
    assert not search.sees(0.1, 9)
    search.resumes(64 + 60 - search.now, 480, stalled=1.0, waited=False)
    assert search.tries(0.98 * 480 / 60 / 0.96)
    assert search.sees(3.0, 24)
    assert search.tries(1.4 * 0.98 * 480 / 60 / 0.96)


def test_after_a_stall_the_search_goes_on_from_what_was_granted() -> None:
    search = Search()
    assert search.sees(1.0, 90, 10)
    search.resumes(1.0, 100, stalled=0.5, waited=False)
    assert search.tries(0.98 * 100 / 2), "during a trial"
    search.resumes(10.0, 200, stalled=0.5, waited=False)
    assert search.tries(0.98 * 200 / 10), "at the rate that is held"
    assert search.sees(1.0, 20)
    search.resumes(3.0, 30, stalled=0.5, waited=False)
    assert search.tries(0.98 * 200 / 10), "a step above it was too much"
    assert search.sees(1.0, 20)
    assert search.tries(1.2 * 0.98 * 200 / 10)
    search.resumes(4.0, 30, stalled=2.1)
    assert search.tries(30 / 2.9 / 4), "what it was waited for may have been anything"
    search.resumes(5.0, 30, stalled=2.1)
    assert search.holds(0.98 * 30 / 5), "but not when it comes again"
