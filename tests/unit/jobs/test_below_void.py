"""Fixed rows give way to none of a job that was taken back, nor of its undo (A18, U1).

Each product has a Monday, the job 1, whose rows 1 to 3 were refused and are fixed now.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from importer.jobs.below_void import Below, below_void
from importer.jobs.keys import key_of
from importer.model import OutcomeKind, Rank, Reason
from tests.support.data import conversation
from tests.support.jobs import EXHAUSTED, REFUSED, SUCCEEDED, Desk, answer, finish

LATER_ROW = (OutcomeKind.SUPERSEDED, Reason.LATER_ROW)


def night(desk: Desk, ends: Mapping[int, Any], ranks: Mapping[int, Rank] | None = None) -> None:
    """Let a job end so; some of its rows have another rank than its own."""
    begun = {"ranked": (ranks or {}).items()}
    with desk.run(rows=9, restart=True, begun=begun) as job:
        answer(job, dict(ends))
        finish(job)


def not_giving_way(desk: Desk, *rows: int, others: Mapping[int, int] | None = None) -> set[int]:
    """Return those of the rows that give way to none: Monday's, and `others` by their job."""
    numbers = {key_of(conversation(number)): number for number in range(1, 10)}
    with desk.jobs() as product:
        origins = {**dict.fromkeys(rows, 1), **(others or {})}
        known = product.look_up(numbers)
        found = below_void(product.jobs, [
            Below(key, Rank(origins[number], len(product.jobs) + 1), known[key].rank)
            for key, number in numbers.items() if number in origins
        ])  # fmt: skip
    return {numbers[key] for key in found}


def test_only_a_row_in_between_of_a_job_that_counts_wins_over_a_fixed_one(desk: Desk) -> None:
    night(desk, dict.fromkeys(range(1, 6), REFUSED))
    fixed_before = {4: Rank(1, 2)}
    night(desk, {2: SUCCEEDED, 3: LATER_ROW, 4: REFUSED, 5: SUCCEEDED, 6: REFUSED}, fixed_before)
    night(desk, dict.fromkeys((1, 2, 3, 4, 6, 7), SUCCEEDED))
    rows, others = (1, 2, 3, 4, 5), {6: 2, 7: 0}  # 7: of a job that is not known
    assert not_giving_way(desk, *rows, others=others) == set()
    desk.take_back(3, {1: SUCCEEDED, 2: SUCCEEDED})
    found = not_giving_way(desk, *rows, others=others)
    assert found == {1, 3, 4, 6, 7}


def test_a_row_counts_as_the_job_that_has_brought_it_does(desk: Desk) -> None:
    night(desk, dict.fromkeys((1, 2), REFUSED))
    night(desk, {1: EXHAUSTED})
    night(desk, {1: SUCCEEDED, 2: SUCCEEDED}, {1: Rank(2, 2)})
    night(desk, {1: SUCCEEDED, 2: SUCCEEDED})
    desk.take_back(4, {})
    assert not_giving_way(desk, 1, 2) == set()
    desk.take_back(2, {})
    assert not_giving_way(desk, 1, 2) == {1}


def test_what_an_undo_has_sent_for_an_earlier_job_counts_as_a_row_of_that(desk: Desk) -> None:
    night(desk, dict.fromkeys((1, 2), REFUSED))
    with desk.run(rows=9, restart=True) as killed:
        answer(killed, {3: SUCCEEDED})
    night(desk, {1: SUCCEEDED, 2: SUCCEEDED})
    desk.take_back(3, {1: SUCCEEDED, 2: SUCCEEDED}, after_all={1: 2})
    assert not_giving_way(desk, 1, 2) == {2}


@pytest.mark.parametrize(("gone", "found"), [([1], {1}), ([2], set()), ([1, 2], set())])
def test_where_a_later_job_is_gone_nobody_knows_what_ranks_in_between(
    desk: Desk, gone: list[int], found: set[int]
) -> None:
    night(desk, {1: REFUSED})
    night(desk, {2: SUCCEEDED})
    night(desk, {1: SUCCEEDED})
    desk.take_back(3, {1: SUCCEEDED})
    assert not_giving_way(desk, 1) == {1}
    for number in gone:
        desk.prune(number)
    assert not_giving_way(desk, 1) == found
