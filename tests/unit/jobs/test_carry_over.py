"""Which rows earlier jobs have left over, and which of them no job has any more (A5, A17)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from importer.common.row_set import RowSet
from importer.jobs.carry_over import (
    displaced_rows,
    highest_rows,
    joined,
    left_over_again,
    left_over_of,
    still_sends,
    still_to_send,
    taken_over_by,
)
from importer.jobs.keys import key_of
from importer.jobs.ledger import LeftOver
from importer.jobs.records import CarriedRow, JobState
from importer.model import Feedback, Meaning, Rank, Reason, RunEnd
from importer.reporting.taken_up import closed_in_words
from tests.support.data import conversation
from tests.support.jobs import KEEPING, REFUSED, SUCCEEDED, WAITING, Desk, answer, finish, mark


def row(number: int, rank: Rank, seq: int = 1) -> CarriedRow:
    return CarriedRow(seq, conversation(number), rank, Meaning.CLEAR, "x", ask_status=False)


def key(number: int) -> bytes:
    return key_of(conversation(number))


def test_of_each_conversation_the_row_that_ranks_highest_is_taken_over() -> None:
    higher, lower = row(1, Rank(2, 2), seq=1), row(1, Rank(1, 1), seq=2)
    rows = [LeftOver(key(1), higher), LeftOver(key(1), lower), LeftOver(key(2), lower)]
    assert list(highest_rows(iter(rows))) == [higher, lower]


@pytest.mark.parametrize(
    ("state", "given_up", "sends"),
    [
        (JobState.ENDED, set(), True),
        (JobState.UNFINISHED, {2}, True),
        (JobState.GIVEN_UP, set(), False),
        (JobState.REPLACED, set(), False),
        (JobState.ENDED, {1}, False),
    ],
)
def test_a_job_tries_again_what_it_had_taken_over_unless_it_is_closed_or_given_up(
    desk: Desk, state: JobState, given_up: set[int], sends: bool
) -> None:
    desk.night([WAITING])
    with desk.jobs() as product:
        assert still_sends(replace(product.jobs[0], state=state), given_up) is sends


def test_of_what_a_job_has_taken_over_that_is_told_for_which_it_sends_rows_of_its_own(
    desk: Desk,
) -> None:
    carried = [row(seq, Rank(1, 1), seq) for seq in (1, 2)]
    begun = {"carried": carried, "kept": [], "not_sent": {Reason.LATER_ROW: RowSet([2])}}
    desk.night([WAITING, WAITING])
    with desk.run("b", begun=begun, carry_over=True) as job:
        assert list(displaced_rows(job.folder)) == [LeftOver(key(2), carried[1])]


@pytest.mark.parametrize("end", ["killed", "given up", "replaced", "replaced unsent"])
def test_of_a_job_that_was_closed_only_its_own_rows_are_left_over(desk: Desk, end: str) -> None:
    kept = [Feedback(seq, conversation(seq), Meaning.CLEAR, "x") for seq in (2, 3, 4, 5)]
    not_sent = {Reason.LATER_JOB: RowSet([4]), Reason.LATER_ROW: RowSet([5])}
    begun: dict[str, Any] = {"carried": [row(1, Rank(1, 1))], "kept": kept, "not_sent": not_sent}
    desk.night([WAITING])
    with desk.run("b", rows=5, begun=begun, carry_over=True) as job:
        if end == "replaced unsent":
            finish(job, RunEnd.DATA_LIMIT)
        else:
            mark(job, 1, 2)
            answer(job, {1: WAITING, 2: WAITING})
    if end.startswith("replaced"):
        with desk.hold("c", carry_over=True) as product:
            desk.begin(product, "c", **KEEPING["begun"]).close()
    with desk.jobs() as product:
        if end == "given up":
            product.abandon(product.jobs[1], 1.0)
    with desk.jobs() as product:
        ended = product.jobs[1]
        found = left_over_of(ended)
        assert taken_over_by(ended) == {key(1): Rank(1, 1)}
    own, carried = {key(2): Rank(2, 2)}, {key(1): Rank(1, 1)}
    pending = {key(3): Rank(2, 2)}
    assert found == {
        "killed": carried | own, "given up": own, "replaced": own | pending, "replaced unsent": {},
    }[end]  # fmt: skip


def test_a_row_that_another_job_has_taken_over_is_given_up_once(desk: Desk) -> None:
    desk.night([WAITING] * 4 + [SUCCEEDED])
    carried = [row(seq, Rank(1, 1), seq) for seq in (1, 2, 3, 4)]
    begun: dict[str, Any] = {"carried": carried, "kept": []}
    with desk.run("b", rows=4, begun=begun, carry_over=True) as job:
        mark(job, 1, 2)
        answer(job, {1: SUCCEEDED})
    with desk.jobs() as product:
        given_up = product.jobs[0]
        assert still_to_send(given_up, product.jobs, set()) == {key(2), key(3), key(4)}
        assert product.abandon(given_up, 1.0) == 4
        assert still_to_send(given_up, product.jobs, {1}) == {key(2), key(3), key(4)}


def test_of_a_job_that_was_replaced_only_what_the_other_has_taken_over_has_joined_that(
    desk: Desk,
) -> None:
    desk.night([WAITING] * 3)
    carried = [row(seq, Rank(1, 1), seq) for seq in (1, 2, 3)]
    kept = [Feedback(seq, conversation(seq), Meaning.CLEAR, "x") for seq in (4, 5, 6)]
    with desk.run("b", rows=6, begun={"carried": carried, "kept": kept}, carry_over=True) as job:
        mark(job, 1, 4)
        answer(job, {1: SUCCEEDED, 4: WAITING})
    taken = [(3, Rank(1, 1)), (4, Rank(2, 2)), (5, Rank(2, 2)), (6, Rank(2, 2)), (7, Rank(0, 1))]
    begun = {"carried": [row(number, rank, seq) for seq, (number, rank) in enumerate(taken, 1)]}
    with desk.hold("c", carry_over=True) as product:
        desk.begin(product, "c", rows=5, kept=[], **begun).close()
        replaced, by = product.jobs[1:]
        assert joined(replaced, by.folder) == {key(3), key(5), key(6)}
        assert closed_in_words(replaced, 5).endswith(
            "3 rows of it joined that one, and the other 2 without an outcome are not sent."
        )


def test_what_later_jobs_have_neither_done_nor_outranked_is_left_over_again(desk: Desk) -> None:
    desk.night([WAITING] * 6)
    same = [(seq, Rank(1, 1)) for seq in (1, 2)]
    lower = [(3, Rank(0, 2))]
    desk.night([WAITING, REFUSED, SUCCEEDED, SUCCEEDED], begun={"ranked": same + lower})
    desk.night([SUCCEEDED] * 6)
    with desk.jobs() as product:
        jobs = product.jobs
        rows = left_over_of(jobs[0])
        later = [jobs[1], replace(jobs[2], folder=None)]
        of_two = rows | {key(7): Rank(1, 2), key(8): Rank(2, 2)}
        assert left_over_again(rows, later, jobs, set(), 0) == {key(n) for n in (1, 3, 5, 6)}
        assert left_over_again(rows, later, jobs, {1}, 0) == set()
        assert left_over_again(of_two, [], jobs, {1}, 2) == {key(8)}
        assert left_over_again(of_two, [], jobs, {2}, 1) == set(rows)
        assert left_over_again(rows, jobs[1:], jobs, set(), 0) == set()
