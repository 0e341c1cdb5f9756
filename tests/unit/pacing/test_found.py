"""How far the search for a rate goes on from what it has found, and how long it stays there."""

import pytest

from importer.pacing.found import FINE, LEAST_STEP, STEP, Found


def test_steps_that_go_well_become_twice_as_long_up_to_the_rate_itself() -> None:
    found = Found(100.0)
    rates = []
    for _ in range(3):
        found.rise()
        rates.append(found.rate)
    assert rates == pytest.approx([140, 252, 504])


def test_a_step_too_far_is_halved_and_only_the_second_one_that_goes_well_is_doubled() -> None:
    found = Found(100.0)
    found.stay(LEAST_STEP)
    assert (found.rate, found.step) == (100, STEP / 2)
    found.rise()
    assert found.rate == pytest.approx(120)
    assert found.step == STEP / 2
    found.rise()
    assert found.step == STEP
    for _ in range(9):
        found.stay(LEAST_STEP)
    assert found.step == LEAST_STEP


def test_a_rate_that_was_found_is_held_for_longer_each_time_until_it_grows_by_much() -> None:
    found = Found(100.0, step=2 * FINE)
    held = []
    for _ in range(6):
        found.stay(LEAST_STEP)
        held.append(found.rounds)
    assert held == [1, 2, 4, 8, 8, 8]
    found.rise()
    assert found.rounds == 8, "a fine step shows little"
    found.rise()
    found.rise()
    assert found.step == FINE
    found.rise()
    assert (found.rounds, found.step) == (8, 2 * FINE)
    found.rise()
    assert found.rounds == 1


def test_what_was_measured_is_old_as_soon_as_a_step_fails() -> None:
    found = Found(100.0)
    found.stay(LEAST_STEP)
    assert (found.rate, found.is_old) == (100, True)
    found.change(90.0)
    assert (found.rate, found.is_old) == (90, False)
    found.stay(LEAST_STEP)
    found.restart(Found(50.0, LEAST_STEP, rounds=4))
    assert (found.rate, found.step, found.rounds) == (50, LEAST_STEP, 4)
    assert (found.rate, found.is_old) == (50, False)
    found.rise()
    assert found.step == 2 * LEAST_STEP
