"""403, 407 and redirects: whether they are about the row or about all of them."""

from functools import partial

from importer.engine.turned_away import TurnedAway
from tests.support.data import conversation

SOME = conversation(1)


def test_before_the_service_has_stored_anything_it_concerns_all_rows() -> None:
    assert TurnedAway(accepted=False).concerns_all(1)


def test_afterwards_it_concerns_its_row_as_long_as_others_are_not_turned_away_too() -> None:
    turned = TurnedAway(accepted=False)
    turned.succeeded(SOME)
    assert not any(turned.concerns_all(seq) for seq in range(19))
    assert turned.concerns_all(20)


def test_the_same_row_again_is_no_new_sign_and_any_other_answer_starts_the_count_anew() -> None:
    turned = TurnedAway(accepted=True)
    assert not any(turned.concerns_all(7) for _ in range(50))
    for other_answer in (turned.answered, partial(turned.succeeded, SOME)):
        assert not any(turned.concerns_all(seq) for seq in range(19))
        other_answer()
        assert not any(turned.concerns_all(seq) for seq in range(100, 119))
        other_answer()


def test_what_is_asked_about_is_what_was_stored_last_if_only_by_an_earlier_run() -> None:
    turned = TurnedAway(accepted=True, stored=SOME)
    assert (turned.stored, turned.has_stored) == (SOME, False)
    turned.succeeded(conversation(2))
    assert (turned.stored, turned.has_stored) == (conversation(2), True)
    assert TurnedAway(accepted=True).stored is None
