"""Which jobs a product has, by what journals and the ledger say (docs/reference.md, A15, A17)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from importer.errors import SettingsError
from importer.jobs.census import Census, take_census
from importer.jobs.journal_head import Head
from importer.jobs.ledger import LedgerJob
from importer.jobs.records import JobState


def head(number: int, **changes: Any) -> Head:
    details: dict[str, Any] = {
        "folder": Path(f"a-0123abcd-{number}"), "id": f"id {number}", "number": number,
        "product_id": "p", "service": "s", "entries": 1, "last_run": number, "lasted_run": 0,
        "finished": False, "given_up": False, "sent_anything": True, "has_doubts": False,
        "keeps_bodies": False, "holds_carried": False, "ends": {},
        "has_forgotten": False, "began_at": 0.0,
    }  # fmt: skip
    return Head(**{**details, **changes})


def known(number: int, state: JobState = JobState.ENDED, **changes: Any) -> LedgerJob:
    name = f"a-0123abcd-{number}"
    job = LedgerJob(number, f"id {number}", name, state, 1, complete=False, last_run=number)
    return job._replace(**changes)


def states(heads: list[Head], jobs: list[LedgerJob], floor: int = 0) -> list[JobState]:
    return [job.state for job in take_census(heads, jobs, floor).jobs]


def test_a_job_is_unfinished_until_it_has_ended_or_is_ended() -> None:
    first, second = head(1), head(2)
    assert states([first, second], []) == [JobState.UNFINISHED] * 2
    assert states([head(1, finished=True), second], [])[0] is JobState.ENDED
    assert states([head(1, given_up=True), second], [])[0] is JobState.GIVEN_UP
    by_the_next = head(2, ends={"id 1": JobState.REPLACED})
    assert states([first, by_the_next], [])[0] is JobState.REPLACED
    assert states([first, second], [known(1, JobState.REPLACED)])[0] is JobState.REPLACED


def test_a_job_that_was_pruned_is_known_for_good() -> None:
    census = take_census([head(3)], [known(1, complete=True), known(2, complete=True)], 0)
    assert [job.state for job in census.jobs] == [JobState.PRUNED] * 2 + [JobState.UNFINISHED]
    first = census.jobs[0]
    assert (first.id, first.name, first.entries, first.last_run) == ("id 1", "a-0123abcd-1", 1, 1)
    assert census.floor == 0


def test_a_job_that_is_missing_raises_the_floor_and_gives_up_those_below_it() -> None:
    census = take_census([head(1), head(3)], [known(1), known(2), known(3)], 0)
    assert [job.state for job in census.jobs] == [
        JobState.GIVEN_UP, JobState.MISSING, JobState.UNFINISHED
    ]  # fmt: skip
    assert census.floor == 2


def test_a_gap_in_the_numbers_is_a_missing_job() -> None:
    census = take_census([head(1), head(3)], [], 0)
    gap = census.jobs[1]
    assert (gap.id, gap.name, gap.state) == ("", "", JobState.MISSING)
    assert (census.floor, gap.last_run) == (2, 4), "whatever run it may have made"


def test_a_run_is_known_by_the_journal_or_by_the_ledger() -> None:
    """It is noted in the ledger first: killed in between, its number is used up."""
    for in_journal, in_ledger in ((3, 5), (5, 3)):
        census = take_census([head(1, last_run=in_journal)], [known(1, last_run=in_ledger)], 0)
        assert (census.jobs[0].last_run, census.last_run) == (5, 5)


def test_a_missing_job_may_have_made_a_run_that_nobody_knows_of() -> None:
    census = take_census([head(1)], [known(1), known(2, last_run=5)], 0)
    assert census.last_run == 6
    assert census.jobs[1].last_run == 6
    again = take_census([head(1)], [known(1), known(2, JobState.MISSING, last_run=6)], 2)
    assert again.last_run == 6, "and only one"
    one_more = [known(1), known(2, JobState.MISSING, last_run=6), known(3, last_run=6)]
    assert take_census([head(1)], one_more, 2).last_run == 7


def test_without_any_job_all_numbers_begin_anew() -> None:
    assert take_census([], [], 0) == Census([], 0, 0)


def test_a_floor_gives_up_the_jobs_below_it_alone() -> None:
    assert states([head(1), head(2)], [], floor=2) == [JobState.GIVEN_UP, JobState.UNFINISHED]
    assert take_census([head(1), head(3)], [known(2)], 3).floor == 3, "it never sinks"


def test_a_missing_job_that_comes_back_stays_given_up() -> None:
    assert states([head(1), head(2)], [known(1, JobState.MISSING)], floor=1) == [
        JobState.GIVEN_UP, JobState.UNFINISHED
    ]  # fmt: skip


@pytest.mark.parametrize("changes", [{"id": "id 1"}, {"number": 1}])
def test_two_journals_that_claim_to_be_the_same_job_are_refused(changes: dict[str, Any]) -> None:
    other = replace(head(2), **changes)
    with pytest.raises(SettingsError, match="a-0123abcd-1 and a-0123abcd-2 are the same job"):
        take_census([head(1), other], [], 0)
