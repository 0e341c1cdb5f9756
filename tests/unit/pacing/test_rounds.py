"""What a round at one rate shows: what is granted, what is no chance, and what is noise."""

import math

import pytest

from importer.pacing.rounds import Noise, Round


def a_round(
    responses: int = 0,
    refused: int = 0,
    *,
    rate: float = 100.0,
    unclear: float = math.inf,
    began: float = 10.0,
) -> Round:
    """Return a round of half a second, in which two requests were sent for each response."""
    return Round(
        rate, 0.0, 0.5, 20, unclear, began=began, lasted=0.5, started=2 * responses,
        responses=responses, refused=refused,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("refused", "rate", "granted"),
    [(0, 100, 160), (10, 100, 120), (39, 100, 50), (39, math.inf, 4)],
)
def test_what_is_granted_is_what_was_sent_without_the_share_refused_and_half_the_cap_at_least(
    refused: int, rate: float, granted: float
) -> None:
    assert a_round(40, refused, rate=rate).granted == pytest.approx(granted)


def test_a_round_without_any_length_is_no_trouble() -> None:
    seen = a_round(2)
    seen.lasted = 0.0
    assert seen.used == 400


def test_more_refusals_than_chance_explains_are_certain() -> None:
    assert not a_round(100, 3).exceeds(0.0)
    assert a_round(100, 4).exceeds(0.0)
    assert not a_round(900, 21).exceeds(0.01)
    assert a_round(900, 22).exceeds(0.01)


def test_a_round_is_over_after_its_time_and_enough_responses() -> None:
    assert not a_round(19).is_over(10.5)
    assert not a_round(20).is_over(10.49)
    assert a_round(20).is_over(10.5)


def test_a_round_that_is_not_clear_goes_on_for_four_times_as_long() -> None:
    assert a_round(20, 1, unclear=0.05).is_over(11)
    assert not a_round(20, 2, unclear=0.05).is_over(11)
    assert not a_round(79, 8, unclear=0.05).is_over(11)
    assert a_round(80, 8, unclear=0.05).is_over(11)


def test_the_more_responses_a_round_has_the_more_its_noise_weighs() -> None:
    noise = Noise()
    noise.learn(a_round(200, 20))
    assert noise.share == pytest.approx(0.1)
    noise.learn(a_round(200, 30))
    assert noise.share == pytest.approx(0.125), "both alike"
    noise.learn(a_round(1000, 100))
    assert noise.share == pytest.approx(0.1), "that alone"
    noise.learn(a_round(125, 20))
    assert noise.share == pytest.approx(0.1 + 125 / 500 * 0.06), "of the latest 500"


def test_more_noise_is_not_learnt_from_a_few_responses_unless_it_is_sure() -> None:
    noise = Noise()
    noise.learn(a_round(99, 20))
    assert noise.share == 0
    noise.learn(a_round(40, 20), surely=True)
    assert noise.share == 0.5
    noise.learn(a_round(40, 10))
    assert noise.share == pytest.approx(0.375), "less is"
    other = Noise()
    other.learn(a_round(100, 20))
    assert other.share == pytest.approx(0.2)


def test_noise_that_is_gone_is_forgotten_at_once() -> None:
    noise = Noise()
    noise.learn(a_round(400, 80))
    noise.learn(a_round(40, 4))
    assert noise.share == pytest.approx(0.2 - 0.1 * 40 / 440), "half of it may be chance"
    noise = Noise()
    noise.learn(a_round(400, 80))
    noise.learn(a_round(45, 0))
    assert noise.share == pytest.approx(0.2 - 0.2 * 45 / 445), "too few to tell"
    noise.learn(a_round(60, 0))
    assert noise.share == 0
