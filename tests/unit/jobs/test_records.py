"""What the states of jobs and the figures of a job mean for others."""

from __future__ import annotations

import pytest

from importer.jobs.records import JobRecord, JobState, Totals, job_number
from importer.model import OutcomeKind, Reason


def test_a_job_is_at_rest_once_it_has_ended_or_was_ended() -> None:
    at_rest = {state for state in JobState if state.is_at_rest}
    assert at_rest == {JobState.ENDED, JobState.GIVEN_UP, JobState.REPLACED}


@pytest.mark.parametrize(("sent", "carried"), [(True, False), (False, True), (False, False)])
def test_an_unfinished_job_is_in_the_way_if_it_has_sent_something_or_taken_rows_over(
    sent: bool, carried: bool
) -> None:
    jobs = [
        JobRecord(1, "id", "a-00000000-1", None, state, sent_anything=sent, holds_carried=carried)
        for state in JobState
    ]
    in_the_way = [job.state for job in jobs if job.is_in_the_way]
    assert in_the_way == ([JobState.UNFINISHED] if sent or carried else [])


def test_of_rows_with_an_outcome_those_are_set_of_which_is_known_what_the_service_holds() -> None:
    kinds = dict.fromkeys(OutcomeKind, 0) | {
        OutcomeKind.PENDING: 1,
        OutcomeKind.SUCCEEDED: 20,
        OutcomeKind.UNCHANGED: 300,
        OutcomeKind.FAILED: 7000,
    }
    differs = {(OutcomeKind.FAILED, Reason.STORED_DIFFERS): 4000}
    totals = Totals(7321, kinds, differs, {}, 0)
    assert (totals.settled, totals.set) == (7320, 4320)
    assert Totals(7321, kinds, {}, {}, 0).set == 320


def test_a_number_that_no_job_has_is_no_number_of_a_job() -> None:
    assert [job_number(one) for one in ("1", 100_000)] == [1, 100_000]
    for one in (0, -1, "100001", "x"):
        with pytest.raises(ValueError, match=r"a job of number|invalid literal"):
            job_number(one)
