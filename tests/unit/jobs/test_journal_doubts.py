"""Which rows of a journal are in doubt, and which are tried again."""

import sqlite3
from contextlib import closing

import pytest

from importer.jobs.entry import Entry
from importer.jobs.journal import Journal
from importer.jobs.keys import key_of
from importer.model import (
    Attempt,
    Call,
    Deferral,
    Feedback,
    Outcome,
    OutcomeKind,
    Reason,
    RunEnd,
    Warn,
)
from tests.support.data import conversation
from tests.support.jobs import (
    DIFFERS,
    EXHAUSTED,
    REFUSED,
    SUCCEEDED,
    UNCHANGED,
    WAITING,
    Desk,
    answer,
    finish,
    mark,
)


def in_doubt(journal: Journal) -> set[int]:
    return {doubt.seq for doubt in journal.doubts() if doubt.in_doubt}


def opened(journal: Journal) -> set[int]:
    return {doubt.seq for doubt in journal.doubts()}


# Doubt: docs/reference.md, A7 to A9.


def test_a_marked_row_is_in_doubt_until_it_is_set(desk: Desk) -> None:
    with desk.run() as job:
        mark(job, 1, 2, 3)
        assert in_doubt(job.journal) == {1, 2, 3}
        answer(job, {1: SUCCEEDED, 2: REFUSED})
        assert in_doubt(job.journal) == opened(job.journal) == {3}


@pytest.mark.parametrize("windows", [1, 2, 5])
def test_what_is_marked_stays_in_doubt_however_many_windows_follow(
    desk: Desk, windows: int
) -> None:
    with desk.run(rows=100) as job:
        for first in range(1, 10 * windows, 10):
            mark(job, *range(first, first + 10))
            answer(job, dict.fromkeys(range(first + 1, first + 10), SUCCEEDED))
        left = set(range(1, 10 * windows, 10))
        assert in_doubt(job.journal) == left
        mark(job, 91, 92, 93)
        answer(job, {91: SUCCEEDED, 92: REFUSED, 93: SUCCEEDED, 1: REFUSED})
        left.discard(1)
        assert in_doubt(job.journal) == opened(job.journal) == left
    with desk.run() as job:  # after a kill
        assert in_doubt(job.journal) == left
        assert not any(doubt.run == 2 for doubt in job.journal.doubts())


def test_only_what_is_set_ends_the_doubt_of_an_earlier_run(desk: Desk) -> None:
    with desk.run(rows=9) as job:
        mark(job, *range(1, 7))
    with desk.run(rows=9) as job:
        mark(job, 1, 2, 4, 5, 6)
        answer(job, {1: REFUSED, 2: SUCCEEDED, 4: DIFFERS, 5: UNCHANGED})
        warned = Outcome(6, OutcomeKind.SUCCEEDED, conversation(6), warning=Warn.ECHO_DIFFERS)
        job.journal.write(Entry([warned]))
        assert in_doubt(job.journal) == {1, 3}
        assert opened(job.journal) == set(range(1, 7)), "a 200 to the retry does not end open"


def test_after_a_clean_end_exactly_the_rows_that_were_sent_are_in_doubt(desk: Desk) -> None:
    with desk.run(rows=9) as job:
        mark(job, 1, 2)
        mark(job, 3, 4)
        mark(job, 5, 6)
        finish(job, RunEnd.SIGINT, sent=[2, 5])
        assert in_doubt(job.journal) == {2, 5}
    with desk.run() as job:
        mark(job, 1)
        finish(job, RunEnd.SIGINT)
        assert in_doubt(job.journal) == {2, 5}, "they stay so, from the earlier run"


def test_a_row_whose_stored_feedback_is_known_is_open_and_not_in_doubt(desk: Desk) -> None:
    with desk.run() as job:
        mark(job, 1, 2, 3)
        answer(job, {1: DIFFERS, 2: EXHAUSTED, 3: SUCCEEDED}, opened=[1, 2, 3])
        assert in_doubt(job.journal) == {2}
        assert opened(job.journal) == {1, 2, 3}


def test_rows_without_an_outcome_count_as_begun_once_a_request_was_made(desk: Desk) -> None:
    with desk.run(rows=9) as job:
        mark(job, 1, 2, 3)
        answer(job, {3: REFUSED})
        attempts = [Attempt(seq, 1.0, Call.PUT, 503, "no", 1.0) for seq in (3, 4, 4)]
        job.journal.write(Entry(attempts=attempts, deferrals=[Deferral(5, 1, 0.0, 1.0, 1, 0.0)]))
        assert job.journal.begun([]) == 2, "what this run has only marked was not sent"
        finish(job, RunEnd.SIGINT, sent=[1, 4])
    with desk.run(rows=9) as job:
        mark(job, 2, 6, 7)
        assert job.journal.begun([6]) == 4


# Rows that are tried again: docs/reference.md, J8.


def test_a_row_is_open_in_the_run_that_has_sent_it(desk: Desk) -> None:
    for number in (1, 2, 3):
        with desk.run() as job:
            answer(job, {number: EXHAUSTED}, opened=[number])
            assert [(doubt.seq, doubt.run) for doubt in job.journal.doubts()] == [
                (seq, seq) for seq in range(1, number + 1)
            ]


def test_a_row_that_is_tried_again_keeps_its_outcome_until_it_has_another(desk: Desk) -> None:
    with desk.run() as job:
        answer(job, {1: SUCCEEDED, 2: EXHAUSTED, 3: WAITING}, opened=[2])
        job.journal.write(Entry(deferrals=[Deferral(3, 1, 0.0, 1.0, 2, 0.5)]))
        finish(job)
    with desk.run() as job:  # the same command: what is not completed
        assert list(job.journal.again()) == [3]
        assert list(job.journal.settled()) == [1, 2]
        assert job.journal.deferrals() == {}
        totals = job.journal.totals()
        assert totals.outcomes[OutcomeKind.NOT_COMPLETED] == 1
        assert totals.outcomes[OutcomeKind.PENDING] == 0
        deferral = Deferral(3, 1, 5.0, 6.0, 1, 5.0)
        job.journal.write(Entry(deferrals=[deferral]))
        assert job.journal.deferrals() == {3: deferral}
        mark(job, 3)
        assert in_doubt(job.journal) == {2, 3}
        answer(job, {3: SUCCEEDED})
        assert sorted(job.journal.settled()) == [1, 2, 3]
        assert in_doubt(job.journal) == {2}
        assert job.journal.totals().outcomes[OutcomeKind.SUCCEEDED] == 2
        assert [outcome.attempts for outcome in job.journal.outcomes()] == [1, 1, 2]
    with desk.hold() as product:
        assert product.resumable() is None


def test_a_row_that_is_open_stays_so_when_it_is_tried_again(desk: Desk) -> None:
    with desk.run() as job:
        answer(job, {1: SUCCEEDED, 2: REFUSED, 3: WAITING}, opened=[3])
        finish(job)
    with desk.run() as job:
        assert in_doubt(job.journal) == {3}
        answer(job, {3: SUCCEEDED})
        assert in_doubt(job.journal) == set()
        assert {(doubt.seq, doubt.run) for doubt in job.journal.doubts()} == {(3, 1)}


def test_only_rows_that_ended_for_the_reasons_given_are_tried_again(desk: Desk) -> None:
    error = (OutcomeKind.NOT_COMPLETED, Reason.CONVERSATION_ERROR)
    ends = {2: REFUSED, 3: WAITING, 4: error, 5: SUCCEEDED, 6: EXHAUSTED}
    both = [OutcomeKind.FAILED, OutcomeKind.NOT_COMPLETED]
    with desk.run(rows=6) as job:
        answer(job, ends, opened=[2, 5, 6])
        many = Outcome(1, OutcomeKind.UNCHANGED, conversation(1), attempts=7)
        job.journal.write(Entry([many]))
        journal = job.journal
        assert journal.try_again(both) == 3
        assert journal.try_again(both, [Reason.REFUSED, Reason.DEFERRAL_DEADLINE]) == 2
        assert journal.tried_again() == [(seq, key_of(conversation(seq))) for seq in (2, 3)]
        assert list(journal.again()) == [2, 3]
        assert journal.totals(to_do=True).outcomes[OutcomeKind.PENDING] == 2
        assert opened(journal) == {2, 5, 6}
        assert in_doubt(journal) == {2, 6}
        answer(job, {2: SUCCEEDED})
        assert journal.tried_again() == [(3, key_of(conversation(3)))]
        assert [one.attempts for one in journal.outcomes()] == [7, 2, 1, 1, 1, 1]
        assert journal.totals(to_do=True).outcomes[OutcomeKind.PENDING] == 1
        assert [one.seq for one in journal.outcomes(OutcomeKind.SUCCEEDED, 3)] == [5]
        assert [one.seq for one in journal.outcomes(first=3, last=4)] == [3, 4]
        answer(job, {3: WAITING})
        assert [one.attempts for one in journal.outcomes()] == [7, 2, 2, 1, 1, 1]
        assert journal.tried_again() == []


def test_bodies_of_left_overs_stay_and_others_go_when_the_job_has_ended(desk: Desk) -> None:
    kept = [Feedback(seq, conversation(seq), None, f"text {seq}") for seq in (1, 2, 3)]
    with desk.run(begun={"kept": kept}, carry_over=True) as job:
        assert len(list(job.journal.pending())) == 3
        answer(job, {1: SUCCEEDED, 2: EXHAUSTED, 3: REFUSED})
        finish(job)
        with closing(sqlite3.connect(job.journal.path)) as db:
            assert db.execute("SELECT seq, comment FROM kept").fetchall() == [(2, "1-2")]


def test_a_row_that_waited_long_takes_no_memory_any_more_once_it_has_ended(desk: Desk) -> None:
    with desk.run(rows=100) as job:
        for seq in range(1, 100):
            mark(job, seq)
        assert job.journal._doubtful == set(range(1, 98)), "those of the last windows are marked"
        answer(job, dict.fromkeys(range(1, 51), SUCCEEDED) | dict.fromkeys(range(51, 100), REFUSED))
        assert not job.journal._doubtful
