"""By which job a row was brought where an undo has sent it, and what of those is given up."""

from __future__ import annotations

from contextlib import closing

import pytest

from importer.jobs import sqlite_file
from importer.jobs.keys import key_of, own_rank, rank_number
from importer.jobs.undo_rows import given_up_rows, journal_of, sent_for, told_of_undos
from importer.jobs.undo_void import TakenBack
from importer.model import Rank
from importer.workflows.forget import forget
from tests.support.data import conversation
from tests.support.jobs import (
    EXHAUSTED,
    REFUSED,
    SUCCEEDED,
    WAITING,
    Desk,
    answer,
    finish,
    mark,
)  # fmt: skip


def key(number: int) -> bytes:
    return key_of(conversation(number))


def test_an_undo_sends_what_was_decided_since_the_undo_before_it_had_begun(desk: Desk) -> None:
    desk.night([WAITING, WAITING, WAITING])
    desk.night([SUCCEEDED, SUCCEEDED, SUCCEEDED])
    desk.take_back(2, {1: SUCCEEDED}, after_all={1: 1})
    # That was given up, and the same command begins another.
    desk.take_back(2, {2: SUCCEEDED}, after_all={2: 1})
    desk.night([SUCCEEDED, SUCCEEDED, SUCCEEDED])
    desk.take_back(5, {3: SUCCEEDED}, after_all={3: 1})
    with desk.jobs() as product:
        told = told_of_undos(product.jobs)
        assert told == {
            1: TakenBack(None, None), 2: TakenBack(None, 2), 3: TakenBack(2, None),
            4: TakenBack(2, None), 5: TakenBack(None, 5), 6: TakenBack(5, None),
        }  # fmt: skip
        assert sent_for(product.jobs, told) == {(3, key(1)): 1, (4, key(2)): 1, (6, key(3)): 1}
        product.prune(product.jobs[1])
        found = sent_for(product.jobs, told_of_undos(product.jobs))
        assert found == {(6, key(3)): 1}, "of an undo of a job that is gone nobody knows it"


@pytest.mark.parametrize(
    ("given_up", "rows"),
    [
        (set(), set()),
        ({1}, {"1", "of 1, and there", "of 1"}),
        ({2}, {"2"}),
        ({1, 3}, {"1", "of 1, and there", "of 1"}),
        # What the job that was taken back had set is there again, in the place of that row.
        ({4}, {"of 1, and there", "its own"}),
        ({4, 5}, {"of 1, and there", "its own"}),
        ({1, 4}, {"1", "of 1, and there", "of 1", "its own"}),
    ],
)
def test_a_row_that_an_undo_sends_for_another_job_is_given_up_with_that(
    desk: Desk, given_up: set[int], rows: set[str]
) -> None:
    desk.night([WAITING] * 4)
    desk.night([REFUSED, SUCCEEDED])
    desk.night([SUCCEEDED, REFUSED, SUCCEEDED])
    desk.take_back(3, dict.fromkeys((1, 2, 3), WAITING), after_all={1: 1, 2: 1})
    desk.take_back(2, {})
    with desk.jobs() as product:
        found = given_up_rows(product.jobs, given_up)
    of_rows = {
        "1": (1, key(1)), "2": (2, key(1)),
        "of 1, and there": (4, key(1)), "of 1": (4, key(2)), "its own": (4, key(3)),
    }  # fmt: skip
    assert {name for name, row in of_rows.items() if found.has(*row)} == rows


def test_the_rows_in_doubt_of_a_journal_are_told_with_their_ranks(desk: Desk) -> None:
    ranked = {"ranked": [(3, Rank(0, 1))]}
    with desk.run(rows=5, begun=ranked) as job:
        mark(job, 1, 2, 3, 4, 5)
        answer(job, {1: SUCCEEDED, 2: EXHAUSTED, 5: SUCCEEDED}, opened=[1, 2])
        finish(job, sent=[3, 4])
    forget(desk.jobs_dir, [conversation(4)])
    with (
        desk.jobs() as product,
        closing(sqlite_file.in_memory()) as db,
        journal_of(db, product.jobs[0]) as doubts,
    ):
        assert db.execute("SELECT count(*) FROM journal.outcome").fetchone() == (3,)
    assert sorted(doubts) == sorted([(key(2), own_rank(1)), (key(3), rank_number(Rank(0, 1)))])
