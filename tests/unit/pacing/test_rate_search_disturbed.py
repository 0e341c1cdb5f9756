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
    ("after", "granted", "stalled", "waited", "rate", "is_found"),
    [
        (50, 120, 49, True, 120 / 60, True),
        (50, 120, 36, True, 120 / 60, True),
        (50, 120, 35, True, 120 / 50, True),
        (15.1, 120, 14, True, 120 / 60, True),
        (15, 120, 14, True, 120 / 15, True),
        (71.9, 120, 70, True, 120 / 60, True),
        (72, 120, 70, True, 120 / 72, True),
        (50, 20, 49, True, 20 / 60, True),
        (50, 19, 49, True, 19 / 50, False),
        (50, 120, 49, False, 120 / 50, False),
        (0.5, 120, 0.4, True, 120 / 0.5, False),
        (0, 5, 0, False, 5 / 0.01, False),
        (10, 0, 9, False, 0.02 / 0.98, False),
    ],
)
def test_a_quota_that_was_used_up_is_found_by_what_it_has_granted_in_its_period(
    after: float, granted: int, stalled: float, waited: bool, rate: float, is_found: bool
) -> None:
    search = Search()
    search.resumes(after, granted, stalled=stalled, waited=waited)
    assert (search.rate is None) == (waited and granted >= 20), "once shows nothing"
    search.resumes(after, granted, stalled=stalled, waited=waited)
    assert search.rate == pytest.approx(0.98 * rate)
    assert search.finder.is_searching == (not is_found)


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
    search.resumes(4.0, 30, stalled=2.0)
    assert search.holds(None), "what it was waited for may have been anything"
    search.resumes(5.0, 30, stalled=2.0)
    assert search.holds(0.98 * 30 / 5), "but not when it comes again"
