"""What has come of jobs that another one has ended (docs/reference.md, A2 to A4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from importer.errors import JournalError
from importer.jobs import ends as module
from importer.jobs.ends import (
    closed_by,
    end_in_words,
    has_same_content,
    is_begun_anew,
    successors_of,
)
from importer.jobs.folders import base_name
from importer.jobs.records import CarriedRow, InputFile, JobRecord, JobState
from importer.model import Rank, RunEnd
from tests.support.data import conversation
from tests.support.jobs import SUCCEEDED, Desk, answer, finish, mark

GIVEN_UP, REPLACED = JobState.GIVEN_UP, JobState.REPLACED
UNSENT, GONE = {2, 5, 6}, {6}
#: Which jobs the journals say that each has ended; that of 5 cannot be read.
ENDED = {
    2: {1: REPLACED},
    3: {2: GIVEN_UP, 1: REPLACED},
    7: {9: REPLACED, 6: GIVEN_UP, 5: GIVEN_UP, 4: GIVEN_UP, 3: REPLACED},
    8: {7: REPLACED},
}


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[JobRecord]:
    def read_head(folder: Path) -> SimpleNamespace:
        if folder.name == "5":
            raise JournalError
        ended: Mapping[int, JobState] = ENDED.get(int(folder.name), {})
        return SimpleNamespace(ends={f"id-{job}": state for job, state in ended.items()})

    monkeypatch.setattr(module, "read_head", read_head)
    return [
        JobRecord(
            number,
            f"id-{number}",
            str(number),
            None if number in GONE else Path(str(number)),
            JobState.ENDED,
            sent_anything=number not in UNSENT,
        )
        for number in range(1, 9)
    ]


@pytest.mark.parametrize(
    ("job", "closed"),
    [(1, []), (3, [2, 1]), (5, []), (7, [5, 4, 3, 2, 1]), (8, [7, 5, 4, 3, 2, 1])],
)
def test_a_job_has_closed_what_it_replaced_or_gave_up_and_what_that_had(
    jobs: list[JobRecord], job: int, closed: list[int]
) -> None:
    assert [one.number for one in closed_by(jobs, Path(str(job)))] == closed


@pytest.mark.parametrize(
    ("job", "successors"), [(1, [2, 3, 7, 8]), (2, []), (3, [7, 8]), (4, []), (8, [])]
)
def test_the_rows_of_a_job_have_joined_the_one_that_replaced_it_and_those_that_replaced_that(
    jobs: list[JobRecord], job: int, successors: list[int]
) -> None:
    found = successors_of(jobs[::-1], jobs[job - 1])
    assert [int(folder.name) for folder in found] == successors


UNLESS = "not sent, unless its own command is given again"
NONE = "none of its own rows is pending"
ANEW = "of its own 3 rows those are sent that this one brings again"


def said(desk: Desk, state: JobState, by: str = "other-00000000") -> str:
    with desk.jobs() as product:
        job = replace(product.jobs[-1], state=state)
        told = end_in_words(job, base_name(job.name) if by == "itself" else by, [])
    begin = f"the unfinished job {job.name} "
    assert told.startswith(begin)
    return told.removeprefix(begin)


def test_of_a_job_that_has_sent_something_it_is_said_whether_its_rows_join_the_other(
    desk: Desk,
) -> None:
    with desk.run() as job:
        mark(job, 1)
        answer(job, {1: SUCCEEDED})
    assert said(desk, REPLACED) == "is replaced: the rows that it has not done join this one"
    assert said(desk, GIVEN_UP) == f"is given up: its own 2 rows are {UNLESS}"
    with desk.run() as job:
        mark(job, 2, 3)
        answer(job, {2: SUCCEEDED})
    assert said(desk, GIVEN_UP) == f"is given up: its own 1 row is {UNLESS}"
    with desk.run() as job:
        answer(job, {3: SUCCEEDED})
    assert said(desk, GIVEN_UP) == f"is given up: {NONE}"


def test_of_one_that_has_sent_nothing_it_is_said_what_becomes_of_its_own_rows(desk: Desk) -> None:
    with desk.run() as job:
        finish(job, RunEnd.DATA_LIMIT)
    assert said(desk, GIVEN_UP) == f"had sent nothing, and is given up: its own 3 rows are {UNLESS}"
    assert said(desk, GIVEN_UP, by="itself") == f"had sent nothing, and is given up: {ANEW}"


@pytest.mark.parametrize("rows", [3, 2])
def test_what_it_had_taken_over_is_none_of_its_own_rows(desk: Desk, rows: int) -> None:
    carried = [
        CarriedRow(seq, conversation(seq), Rank(1, 1), None, "x", ask_status=False)
        for seq in (1, 2)
    ]
    begun = {"carried": carried, "kept": []}
    own = f"its own 1 row is {UNLESS}" if rows == 3 else ""
    with desk.run(rows=rows, begun=begun, carry_over=True) as job:
        finish(job, RunEnd.DATA_LIMIT)
    assert said(desk, REPLACED) == (
        "had sent nothing, and is replaced: the rows that it had taken over from earlier jobs join "
        f"this one{own and ', and '}{own}"
    )
    assert said(desk, GIVEN_UP) == f"had sent nothing, and is given up{own and ': '}{own}"
    with desk.run(rows=rows, begun=begun, carry_over=True, replace=True) as job:
        mark(job, 1)
        answer(job, {1: SUCCEEDED})
    assert said(desk, GIVEN_UP) == f"is given up: {own or NONE}"
    with desk.run(rows=rows, carry_over=True) as job:
        answer(job, {rows: SUCCEEDED})
    assert said(desk, GIVEN_UP) == f"is given up: {NONE}"


def test_a_job_is_begun_anew_by_its_command_or_by_one_of_the_same_content() -> None:
    one, other, unknown = (
        InputFile(f"{name}.csv", 1, 1, name, 1, 1) for name in ("abc", "def", "")
    )
    assert is_begun_anew("a-00000000-1", [one], "b-00000000", [one])
    assert is_begun_anew("a-00000000-1", [one], "a-00000000", [other])
    assert not is_begun_anew("a-00000000-1", [one], "b-00000000", [other])
    assert not is_begun_anew("a-00000000-1", [unknown], "b-00000000", [unknown])


def test_inputs_of_which_no_digest_is_known_are_not_the_same() -> None:
    one, unknown = (InputFile("in.csv", 1, 1, digest, 1, 1) for digest in ("abc", ""))
    assert has_same_content([one, one], [one._replace(path="other.csv"), one])
    assert not has_same_content([one, unknown], [one, unknown])
    assert not has_same_content([one], [one, one])
