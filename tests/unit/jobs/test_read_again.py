"""What later jobs have read of the rows that a job has left over.

The job 1 has four of them here. Where others have rows from its files they are of the same numbers.
"""

from __future__ import annotations

from typing import Any

import pytest

from importer.jobs.entry import Entry
from importer.jobs.read_again import Again, ReadAgain, read_again
from importer.jobs.records import CarriedRow, Placed
from importer.model import Outcome, OutcomeKind, Rank, Reason, RunEnd
from tests.support.data import conversation
from tests.support.jobs import EXHAUSTED, KEEPING, REFUSED, SUCCEEDED, Desk, answer, finish, mark

REJECTED = OutcomeKind.REJECTED, Reason.UNKNOWN_RATING
GAVE_WAY = OutcomeKind.SUPERSEDED, Reason.LATER_JOB
OF_FIRST = [Placed(seq, 1, seq) for seq in (1, 2, 3)]


@pytest.fixture
def first(desk: Desk) -> Desk:
    desk.night([REJECTED, REJECTED, EXHAUSTED, REJECTED])
    return desk


def read(desk: Desk, number: int = 1) -> ReadAgain:
    with desk.jobs() as product:
        folder = product.jobs[number - 1].folder
    assert folder is not None
    return read_again(folder)


def told(desk: Desk, number: int = 1) -> list[Again]:
    return [*read(desk, number).by.values()]


def test_what_another_job_has_read_is_its_own_affair_whatever_became_of_it_there(
    first: Desk,
) -> None:
    first.night([SUCCEEDED, REJECTED, REFUSED, SUCCEEDED], begun={"placed": OF_FIRST})
    assert read(first).rows == {1, 2, 3}
    assert read(first).done == {1}
    assert told(first) == [Again(rows={1, 2, 3}, imported=1)]
    assert read(first, 2).rows == set()


def test_what_gave_way_there_is_done_and_is_not_called_imported(first: Desk) -> None:
    first.night([GAVE_WAY, SUCCEEDED, GAVE_WAY], begun={"placed": OF_FIRST})
    assert read(first).done == {1, 2, 3}
    assert told(first) == [Again(rows={1, 2, 3}, imported=1)]
    assert read(first).give_way == {1, 3}
    first.night([SUCCEEDED], "b", begun={"placed": OF_FIRST[:1]})
    assert read(first).give_way == {3}, "another has imported it"


def test_what_a_job_has_not_come_to_stays_to_be_done_and_all_where_it_has_sent_nothing(
    first: Desk,
) -> None:
    rejected = Outcome(1, *REJECTED[:1], conversation(1), REJECTED[1])
    gave_way = Outcome(2, *GAVE_WAY[:1], conversation(2), GAVE_WAY[1])
    with first.run("b", begun={"placed": OF_FIRST}) as job:
        job.journal.write(Entry([rejected, gave_way]))
        finish(job, RunEnd.DATA_LIMIT)
    assert read(first) == ReadAgain(set(), set(), {})
    with first.run("c", begun={"placed": OF_FIRST}) as job:
        mark(job, 2)
        job.journal.write(Entry([rejected]))
        answer(job, {2: SUCCEEDED})
        finish(job, RunEnd.TIME_BOX)
    assert read(first).rows == {1, 2}
    assert told(first) == [Again(rows={1, 2, 3}, imported=1)]


def test_what_a_job_has_rejected_again_is_its_own_affair_also_where_it_had_nothing_to_send(
    first: Desk,
) -> None:
    rejected = [Outcome(seq, *REJECTED[:1], conversation(seq), REJECTED[1]) for seq in (1, 2, 3)]
    with first.run("b", begun={"placed": OF_FIRST}) as job:
        job.journal.write(Entry(rejected))
        finish(job)
    assert read(first).rows == {1, 2, 3}
    assert told(first) == [Again(rows={1, 2, 3}, imported=0)]


def test_a_job_of_another_product_has_read_nothing_of_it(first: Desk) -> None:
    other: dict[str, Any] = {"product_id": "00000000-0000-4000-8000-000000000002"}
    first.night([REJECTED] * 3, "b", **other)
    first.night([SUCCEEDED] * 3, "b", begun={"placed": OF_FIRST}, **other)
    assert read(first) == ReadAgain()


def test_what_was_given_up_with_a_job_stays_to_be_done(first: Desk) -> None:
    with first.run("b", begun={"placed": OF_FIRST}) as job:
        mark(job, 1)
        answer(job, {1: SUCCEEDED})
    first.night([SUCCEEDED], "c", replace=True)
    assert read(first).rows == {1}


def test_what_joined_another_job_is_done_by_that(first: Desk) -> None:
    keeping = {**KEEPING["begun"], "placed": OF_FIRST}
    with first.run("b", begun=keeping, carry_over=True) as job:
        mark(job, 1)
        answer(job, {1: SUCCEEDED})
    assert read(first).rows == {1}
    with first.run("c", **KEEPING) as job:
        finish(job)
    assert read(first).rows == {1, 2, 3}


def test_what_was_taken_back_is_to_be_done_again(first: Desk) -> None:
    first.night([SUCCEEDED] * 3, begun={"placed": OF_FIRST})
    first.take_back(2, {})
    assert read(first).rows == set()
    assert told(first) == [Again({1, 2, 3}, imported=3, is_withdrawn=True)]


def test_rows_are_known_again_in_files_of_files(first: Desk) -> None:
    first.night([REJECTED] * 4, begun={"placed": OF_FIRST[1:]})
    last = [Placed(2, 1, 2), Placed(4, 2, 4)]
    first.night([SUCCEEDED] * 4, "b", begun={"placed": last})
    assert read(first, 2).rows == {2, 4}
    assert told(first, 2) == [Again(rows={2, 4}, imported=2)]
    assert read(first).rows == {2, 3}


def test_a_row_that_was_taken_over_is_known_by_its_conversation(first: Desk) -> None:
    carried = [CarriedRow(3, conversation(3), Rank(1, 1), None, "x", ask_status=False)]
    first.night([REJECTED, REJECTED, REFUSED], begun={"carried": carried, "kept": []})
    begun: dict[str, Any] = {"ranked": [(1, Rank(1, 3)), (3, Rank(1, 3))]}
    first.night([SUCCEEDED] * 3, begun=begun)
    assert read(first, 2).rows == {3}


def test_a_row_before_one_of_its_conversation_that_was_imported_gives_way_to_it(desk: Desk) -> None:
    def rejected(*people: int) -> Entry:
        rows = [Outcome(seq, *REJECTED[:1], conversation(who)) for seq, who in enumerate(people, 1)]
        return Entry([row._replace(reason=REJECTED[1]) for row in rows])

    with desk.run() as job:
        job.journal.write(rejected(3, 3, 1, 3))
        finish(job)
    desk.night([REJECTED, REJECTED, SUCCEEDED], begun={"placed": [Placed(3, 1, 2)]})
    assert read(desk).rows == {1, 2}
