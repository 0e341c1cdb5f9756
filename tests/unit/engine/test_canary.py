"""The first rows of a new job tell whether the others are worth sending."""

from importer.engine.canary import Canary


def started(canary: Canary, most: int) -> int:
    """Start requests until the canary holds them back; return how many."""
    for number in range(most):
        if canary.is_full:
            return number
        canary.start()
    return most


def test_no_more_rows_than_the_canary_are_sent_before_one_is_answered() -> None:
    canary = Canary(20)
    assert started(canary, 100) == 20
    canary.passed()
    assert started(canary, 100) == 100
    canary.returned()
    assert started(canary, 100) == 100


def test_a_canary_that_fails_alike_throughout_gives_the_alarm_once_all_have_failed() -> None:
    canary = Canary(3)
    started(canary, 3)
    assert [canary.failed(404) for _ in range(3)] == [False, False, True]
    assert canary.is_full


def test_different_failures_say_something_of_the_rows_and_let_the_others_follow() -> None:
    canary = Canary(3)
    started(canary, 3)
    assert not canary.failed(404)
    assert not canary.failed(422)
    assert started(canary, 100) == 100


def test_a_row_that_is_to_be_sent_again_keeps_its_place() -> None:
    canary = Canary(1)
    for _ in range(5):
        canary.start()
        assert canary.is_full
        canary.returned()
        assert not canary.is_full
    canary.start()
    assert canary.failed(503)
    several = Canary(3)
    started(several, 3)
    for _ in range(2):
        several.returned()
    assert started(several, 100) == 2


def test_without_rows_there_is_no_canary() -> None:
    canary = Canary(0)
    assert started(canary, 100) == 100
    assert not canary.failed(404)
