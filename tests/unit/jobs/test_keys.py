"""Keys spread over all parts, and ranks and bodies compare as numbers as they do as values."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from importer.jobs.keys import (
    conversation_of,
    key_of,
    keys_of,
    rank_number,
    rank_of,
    signed,
    split_keys,
    unsigned,
)
from importer.model import Rank
from tests.support.data import conversation


def test_a_key_begins_with_the_end_of_the_id() -> None:
    conversation_id = "31ed7854-51a8-42bb-ad24-2f6d382c9e20"
    assert key_of(conversation_id)[0] == 0x20
    assert conversation_of(key_of(conversation_id)) == conversation_id


def test_many_keys_are_made_in_one_go_the_last_one_first() -> None:
    ids = [conversation(number) for number in range(5)]
    assert split_keys(keys_of(ids)) == [key_of(one) for one in reversed(ids)]
    assert split_keys(keys_of([])) == []


def test_ranks_compare_as_numbers() -> None:
    ranks = [Rank(first, version) for first, version in product((1, 2, 70_000), repeat=2)]
    assert sorted(ranks, key=rank_number) == sorted(ranks)
    assert [rank_of(rank_number(rank)) for rank in ranks] == ranks


@given(st.none() | st.integers(0, 2**64 - 1))
def test_a_body_comes_back_as_it_was(body: int | None) -> None:
    stored = signed(body)
    assert stored is None or -(2**63) <= stored < 2**63
    assert unsigned(stored) == body
