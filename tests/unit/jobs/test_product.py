"""Which job a command means, and what it may begin (docs/reference.md, J2 to J8, A1 to A4, A15)."""

import os
import shutil
import sqlite3
import stat
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import Mock, patch

import pytest

from importer.common.files import atomic_write
from importer.common.row_set import RowSet
from importer.errors import (
    InputChangedError,
    InputError,
    JobHeldError,
    JournalError,
    SettingsError,
    UnfinishedJobError,
)
from importer.jobs import product_jobs, sqlite_file, succession
from importer.jobs.entry import Entry
from importer.jobs.identity import product_key
from importer.jobs.inputs import CurrentInputs
from importer.jobs.journal_file import FILE_NAME
from importer.jobs.keys import key_of
from importer.jobs.ledger import Ledger
from importer.jobs.product import hold_product
from importer.jobs.product_jobs import clear_removed, hold_jobs
from importer.jobs.records import CarriedRow, InputFile, JobState
from importer.model import Feedback, Meaning, Outcome, OutcomeKind, Rank, Reason, RunEnd
from importer.settings import Retry
from importer.workflows.forget import drop_left_over_comments, forget, left_over_by_gone
from tests.support.data import conversation
from tests.support.jobs import (
    EXHAUSTED,
    KEEPING,
    REFUSED,
    SUCCEEDED,
    WAITING,
    Desk,
    answer,
    finish,
    mark,
)


class KilledError(BaseException):
    """Stands for kill -9."""


def killed(*_: object, **__: object) -> None:
    raise KilledError


def stop(desk: Desk, name: str = "a", **options: Any) -> Path:
    """Let a job stop after some requests; return its folder."""
    with desk.run(name, **options) as job:
        mark(job, 1, 2)
        answer(job, {1: SUCCEEDED})
        finish(job, RunEnd.SIGINT, sent=[2])
        return job.folder


def states(desk: Desk, **options: Any) -> list[JobState]:
    with desk.hold(**options) as product:
        return [job.state for job in product.jobs]


# Resuming.


def test_the_same_command_resumes_its_unfinished_job(desk: Desk) -> None:
    folder = stop(desk)
    with desk.run() as job:
        assert job.folder == folder
        assert job.number == 1
        assert list(job.journal.settled()) == [1]
        assert job.journal.last_run().number == 2  # type: ignore[union-attr]


def test_an_ended_job_is_run_again_as_a_new_one(desk: Desk) -> None:
    first = desk.night([SUCCEEDED, REFUSED])
    with desk.run() as job:
        assert job.number == 2
        assert job.folder.name != first


def test_rows_that_were_not_completed_are_tried_again_alone(desk: Desk) -> None:
    name = desk.night([WAITING, EXHAUSTED, SUCCEEDED])
    with desk.run(replace=True) as job:
        assert job.folder.name == name
        assert list(job.journal.again()) == [1]


def test_not_if_another_job_is_unfinished(desk: Desk) -> None:
    desk.night([WAITING])
    stop(desk, "b")
    with desk.hold() as product, pytest.raises(UnfinishedJobError):
        product.resumable()
    with desk.hold(replace=True) as product:
        assert product.resumable() is None, "all rows are sent, in the place of that one's"


def test_nor_if_the_input_has_changed_or_the_job_was_given_up(desk: Desk) -> None:
    desk.night([WAITING])
    (desk.folder / "a.csv").write_text("other")
    with desk.run() as job:
        assert job.number == 2
        mark(job, 1)
        answer(job, {1: WAITING})
    with hold_jobs(desk.jobs_dir, product_key(desk.settings())) as jobs:
        jobs.abandon(jobs.jobs[-1], 1.0)
    with desk.run() as job:
        assert job.number == 3


@pytest.mark.parametrize("same", [True, False])
def test_content_decides_if_only_the_time_of_an_input_has_changed(desk: Desk, same: bool) -> None:
    stop(desk)
    path = desk.folder / "a.csv"
    os.utime(path, ns=(1, 1))
    asked: list[str] = []

    def same_content(file: InputFile) -> bool:
        asked.append(file.path)
        return same

    with desk.hold() as product:
        if same:
            job = product.resumable(CurrentInputs(same_content))
            assert job is not None
            job.close()
        else:
            with pytest.raises(InputChangedError, match=r"a\.csv changed since"):
                product.resumable(CurrentInputs(same_content))
    assert asked == [str(path)]


def test_a_job_that_has_sent_nothing_is_begun_anew_by_its_command(desk: Desk) -> None:
    with desk.run() as job:
        mark(job, 1)
        finish(job, RunEnd.DATA_LIMIT)
        folder = job.folder.name
    with retry(desk, folder) as product, pytest.raises(SettingsError, match="has sent nothing"):
        product.resumable()
    with desk.run() as job:
        assert job.number == 2
        assert list(job.journal.settled()) == []
    assert states(desk) == [JobState.GIVEN_UP, JobState.UNFINISHED]


def test_changed_input_of_an_unfinished_job_is_refused_unless_it_is_replaced(desk: Desk) -> None:
    stop(desk, **KEEPING)
    (desk.folder / "a.csv").write_text("other")
    with desk.hold() as product, pytest.raises(InputChangedError, match="--carry-over"):
        product.resumable()
    with desk.hold(carry_over=True) as product:
        assert product.resumable() is None
        record = product.check_sequence()
        assert record is not None
        assert record.number == 1


def test_an_input_that_is_gone_is_named(desk: Desk) -> None:
    stop(desk)
    settings = desk.settings()
    (desk.folder / "a.csv").unlink()
    with (
        hold_product(settings) as product,
        pytest.raises(InputError, match=r"a\.csv"),
    ):
        product.resumable()


def test_only_a_job_that_is_resumed_or_retried_works_from_its_copies(desk: Desk) -> None:
    def copies(name: str = "a", **options: Any) -> Path | None:
        with desk.hold(name, **options) as product:
            folder: Path | None = product.works_from_copies_in()
            return folder

    assert copies() is None
    assert copies(retry=Retry()) is None
    ended = desk.night([WAITING], "b")
    assert copies("b") is None
    assert copies("b", retry=Retry(folder=ended)) == desk.jobs_dir / ended
    with desk.run() as job:
        finish(job, RunEnd.DATA_LIMIT)
    assert copies() is None, "it is begun anew"
    folder = stop(desk, **KEEPING)
    assert copies() == folder
    assert copies(restart=True) is None
    assert copies(carry_over=True) is None, "it is replaced"


# Rule 0.


def test_another_job_does_not_begin_beside_an_unfinished_one(desk: Desk) -> None:
    folder = stop(desk, concurrency=7)
    with desk.hold("b", rate=5.0) as product:
        assert product.resumable() is None
        with pytest.raises(UnfinishedJobError) as caught:
            product.check_sequence()
    lines = str(caught.value).splitlines()
    assert folder.name in lines[0]
    assert lines[1].startswith(f"  clarityq-import run {desk.folder / 'a.csv'} --product-id")
    assert "--concurrency 7" in lines[1]
    assert "--replace" not in lines[1]
    assert f"{desk.folder / 'b.csv'}" in lines[3]
    assert "--rate 5" in lines[3]
    assert lines[3].endswith("--replace")


@pytest.mark.parametrize(
    ("options", "state", "told"),
    [
        ({"replace": True}, JobState.GIVEN_UP, "is given up: its own 2 rows are not sent, unless"),
        ({"carry_over": True}, JobState.REPLACED, "the rows that it has not done join this one"),
    ],
)
def test_it_does_if_it_takes_the_other_ones_place_and_says_so(
    desk: Desk, options: dict[str, Any], state: JobState, told: str
) -> None:
    stop(desk, **KEEPING)
    with desk.hold("b", **options) as product:
        assert product.resumable() is None
        job = desk.begin(product, "b")
        assert job.number == 2
        job.close()
        assert told in product.remarks[-1]
    assert states(desk) == [state, JobState.UNFINISHED]


def test_rows_whose_bodies_are_not_kept_are_not_lost_by_carrying_over(desk: Desk) -> None:
    stop(desk)
    with desk.hold("b", carry_over=True) as product:
        assert product.resumable() is None
        with pytest.raises(UnfinishedJobError, match=r"began without --carry-over") as caught:
            product.check_sequence()
    commands = [line for line in str(caught.value).splitlines() if line.startswith("  ")]
    assert "a.csv" in commands[0]
    assert "b.csv" in commands[1]
    assert "--carry-over" in commands[1]
    assert commands[1].endswith("--replace")
    with desk.run("b", carry_over=True, replace=True):
        pass
    assert states(desk) == [JobState.GIVEN_UP, JobState.UNFINISHED]


def test_nor_if_its_input_has_changed(desk: Desk) -> None:
    stop(desk)
    (desk.folder / "a.csv").write_text("other")
    with desk.hold(carry_over=True) as product, pytest.raises(InputChangedError) as caught:
        product.resumable()
    assert "--restart" in str(caught.value)
    assert "It began without --carry-over, so its rows cannot be taken over" in str(caught.value)


def test_restart_gives_up_the_job_of_the_same_command_only(desk: Desk) -> None:
    stop(desk)
    with desk.hold("b", restart=True) as product, pytest.raises(UnfinishedJobError):
        product.check_sequence()
    with desk.run(restart=True) as job:
        assert job.number == 2
        assert job.folder.name.endswith("-2")
    assert states(desk) == [JobState.GIVEN_UP, JobState.UNFINISHED]


def test_a_job_that_has_sent_nothing_is_in_nobodys_way(desk: Desk) -> None:
    desk.night([SUCCEEDED])
    with desk.run() as job:
        mark(job, 1)
        finish(job, RunEnd.DATA_LIMIT)
    with desk.hold("b") as product:
        desk.begin(product, "b").close()
        (remark,) = product.remarks
        assert "had sent nothing, and is given up" in remark
    assert states(desk) == [JobState.ENDED, JobState.GIVEN_UP, JobState.UNFINISHED]


def test_a_new_job_is_never_begun_beside_an_unfinished_one(desk: Desk) -> None:
    stop(desk)
    with desk.hold("b") as product, pytest.raises(UnfinishedJobError):
        product.begin(desk.new("b"))
    assert len(states(desk)) == 1


def test_pending_rows_of_a_replaced_job_are_carried_over_with_their_rank(desk: Desk) -> None:
    desk.night([EXHAUSTED, SUCCEEDED, WAITING])
    kept = [Feedback(seq, conversation(seq), Meaning.CLEAR, f"new {seq}") for seq in (1, 2, 4, 5)]
    begun = {"kept": kept, "not_sent": {Reason.LATER_JOB: RowSet([5])}}
    with desk.run("b", rows=5, begun=begun, carry_over=True) as job:
        mark(job, 1, 2)
        answer(job, {2: SUCCEEDED})
    with desk.hold("a", carry_over=True, restart=True) as product:
        rows = {row.conversation_id: (row.rank, row.comment) for row in product.left_overs(0.0)}
    assert rows == {
        conversation(1): (Rank(2, 2), "new 1"),
        conversation(3): (Rank(1, 1), "1-3"),
        conversation(4): (Rank(2, 2), "new 4"),
    }


def test_rows_that_were_carried_over_and_never_sent_are_carried_on(desk: Desk) -> None:
    desk.night([WAITING])
    with desk.hold("b", carry_over=True) as product:
        product.resumable()
        carried = list(product.left_overs(0.0))
        job = product.begin(desk.new("b", 1, carried=carried, kept=[]))
        job.begin_run(0.0, desk.settings("b").as_record())
        mark(job, 1)
        job.close()
    with desk.hold("c", carry_over=True) as product:
        assert [(row.rank, row.ask_status) for row in product.left_overs(0.0)] == [
            (Rank(1, 1), True)
        ]  # fmt: skip


CARRIED = CarriedRow(1, conversation(1), Rank(1, 1), Meaning.CLEAR, "taken over", ask_status=True)


def test_a_row_that_was_taken_over_and_not_looked_at_is_still_asked_for(desk: Desk) -> None:
    desk.night([REFUSED])
    begun = {"carried": [CARRIED], "kept": []}
    with desk.run("b", rows=2, begun=begun, carry_over=True) as job:
        mark(job, 2)
        answer(job, {2: SUCCEEDED})
    with desk.hold("c", carry_over=True) as product:
        assert list(product.left_overs(0.0)) == [CARRIED]


def test_a_pending_row_below_the_floor_is_taken_over_to_be_accounted_for(desk: Desk) -> None:
    left = desk.night([EXHAUSTED])
    missing = desk.night([SUCCEEDED], "b")
    begun = {"carried": [CARRIED], "kept": []}
    with desk.run("c", rows=2, begun=begun, carry_over=True) as job:
        mark(job, 2)
        answer(job, {2: SUCCEEDED})
    shutil.rmtree(desk.jobs_dir / missing)
    product_key(desk.settings()).ledger(desk.jobs_dir).unlink()
    with desk.hold("d", carry_over=True) as product:
        assert product.floor == 2
        assert product.remarks[0].startswith(
            "job 2 of this product (of an unknown name) is missing"
        )
        assert list(product.left_overs(0.0)) == [CARRIED]
        assert product.jobs[0].name == left


# Rows that were taken over by a job that then sent nothing.


def take_over(desk: Desk, name: str, *, killed: bool, **options: Any) -> None:
    """Let a job take over what there is, with a newer row for it, and stop before it sends."""
    own = Feedback(2, conversation(1), Meaning.CLEAR, f"of {name}")
    with desk.hold(name, carry_over=True, **options) as product:
        assert product.resumable() is None
        new = desk.new(
            name, 2, carried=list(product.left_overs(0.0)), replaces=product.check_sequence(),
            kept=[own], not_sent={Reason.LATER_ROW: RowSet([1])},
        )  # fmt: skip
        with closing(product.begin(new)) as job:
            if not killed:
                job.begin_run(0.0, desk.settings(name, carry_over=True, **options).as_record())
                later = Outcome(1, OutcomeKind.SUPERSEDED, conversation(1), Reason.LATER_ROW)
                job.journal.write(Entry([later]))
                finish(job, RunEnd.DATA_LIMIT)


@pytest.mark.parametrize("killed", [True, False])
def test_a_job_that_has_taken_over_rows_is_in_the_way(desk: Desk, killed: bool) -> None:
    with desk.run(begun={"carried": [CARRIED], "kept": []}, carry_over=True) as job:
        mark(job, 2)
    take_over(desk, "b", killed=killed, concurrency=7)
    for name in ("b", "c"):
        with desk.hold(name) as product:
            assert product.resumable() is None
            with pytest.raises(UnfinishedJobError) as caught:
                product.check_sequence()
        lines = str(caught.value).splitlines()
        assert f"{desk.folder / 'b.csv'} " in lines[1]
        assert "--carry-over" in lines[1]
        assert "--concurrency 7" in lines[1]
        assert f"{desk.folder / name}.csv " in lines[3]
        assert lines[3].endswith("--replace")


@pytest.mark.parametrize("killed", [True, False])
def test_rows_are_taken_over_through_any_number_of_such_jobs(desk: Desk, killed: bool) -> None:
    with desk.run(begun={"carried": [CARRIED], "kept": []}, carry_over=True) as job:
        mark(job, 2)
    for name in "bccb":
        take_over(desk, name, killed=killed)
        (desk.folder / f"{name}.csv").write_text(f"{name} has changed")
    with desk.hold("c", carry_over=True) as product:
        rows = list(product.left_overs(0.0))
    assert rows == [CARRIED], "and none of those that a limit may have stopped"
    assert states(desk) == [JobState.REPLACED] * 4 + [JobState.UNFINISHED]


# Retrying.


def retry(desk: Desk, folder: str, name: str = "a") -> Any:
    return desk.hold(name, retry=Retry(folder=folder))


def test_retry_means_exactly_that_folder(desk: Desk) -> None:
    first = desk.night([EXHAUSTED, SUCCEEDED])
    second = desk.night([SUCCEEDED, WAITING])
    with retry(desk, first) as product:
        job = product.resumable()
        assert job is not None
        assert job.folder.name == first
        assert list(job.journal.again()) == [1]
        job.close()
        assert product.jobs[0].state is JobState.ENDED
        assert product.remarks == []
    for folder in (second, ""):
        with retry(desk, folder) as product:
            job = product.resumable()
            assert job is not None
            assert job.folder.name == second
            assert list(job.journal.again()) == [2]
            job.close()


def test_retry_of_an_unfinished_job_sends_its_pending_rows_as_well_and_says_so(desk: Desk) -> None:
    folder = stop(desk)
    with retry(desk, folder.name) as product:
        job = product.resumable()
        assert job is not None
        assert (job.folder, list(job.journal.again())) == (folder, [])
        job.close()
        assert product.remarks == [
            f"the job {folder.name} is not finished: its pending rows are sent as well"
        ]


def test_retry_says_why_it_cannot(desk: Desk) -> None:
    pruned = desk.night([EXHAUSTED])
    folders = [desk.night([SUCCEEDED]), desk.night([EXHAUSTED], "b")]
    with (
        retry(desk, folders[0]) as product,
        pytest.raises(SettingsError, match="no rows that could be tried again"),
    ):
        product.resumable()
    with hold_jobs(desk.jobs_dir, product_key(desk.settings())) as jobs:
        jobs.prune(jobs.jobs[0])
    for name in (pruned, "nothing-00000000-1"):
        with retry(desk, name) as product, pytest.raises(SettingsError, match="no job to retry"):
            product.resumable()
    stopped = stop(desk)
    with retry(desk, folders[1], "b") as product, pytest.raises(UnfinishedJobError):
        product.resumable()
    with hold_jobs(desk.jobs_dir, product_key(desk.settings())) as jobs:
        jobs.abandon(jobs.jobs[-1], 1.0)
    with retry(desk, stopped.name) as product, pytest.raises(SettingsError, match="was given up"):
        product.resumable()
    replaced = stop(desk, "c", **KEEPING)
    with desk.run("d", carry_over=True) as job:
        finish(job)
    with retry(desk, replaced.name) as product, pytest.raises(SettingsError, match="was replaced"):
        product.resumable()
    (desk.folder / "b.csv").write_text("other")
    with retry(desk, folders[1], "b") as product, pytest.raises(InputChangedError):
        product.resumable()


# Missing jobs and the floor: A15.


def test_a_folder_that_was_removed_raises_the_floor_and_is_named(desk: Desk) -> None:
    names = [desk.night([WAITING, SUCCEEDED]) for _ in range(3)]
    shutil.rmtree(desk.jobs_dir / names[1])
    with desk.hold() as product:
        assert product.floor == 2
        assert product.waits_for_missing
        assert len(product.remarks) == 1
        assert names[1] in product.remarks[0]
    with (
        retry(desk, names[0]) as product,
        pytest.raises(SettingsError, match="later job 2 "),
    ):
        product.resumable()
    with desk.run() as job:
        assert job.waits_for_unknown
        job.lasted()
    with desk.hold() as product:
        assert product.floor == 2
        assert product.remarks == [], "it is told once"
        assert not product.waits_for_missing


def test_an_unfinished_job_that_was_missing_stays_given_up_when_it_is_back(desk: Desk) -> None:
    folder = stop(desk)
    folder.rename(desk.folder / folder.name)
    assert states(desk) == [JobState.MISSING]
    (desk.folder / folder.name).rename(folder)
    assert states(desk) == [JobState.GIVEN_UP]


def test_jobs_of_which_nothing_is_known_but_that_they_were_there_are_all_missed(
    desk: Desk,
) -> None:
    for name in [desk.night([SUCCEEDED]) for _ in range(3)][:2]:
        shutil.rmtree(desk.jobs_dir / name)
    product_key(desk.settings()).ledger(desk.jobs_dir).unlink()
    with desk.hold() as product:
        assert product.floor == 2
        assert len(product.remarks) == 2
    assert states(desk) == [JobState.MISSING, JobState.MISSING, JobState.ENDED]


def test_left_overs_below_the_floor_are_not_carried_over(desk: Desk) -> None:
    desk.night([WAITING])
    removed = desk.night([SUCCEEDED, SUCCEEDED])
    fixed = {"ranked": [(2, Rank(2, 3))]}
    with desk.run(rows=4, begun=fixed, restart=True) as job:
        answer(job, {2: WAITING, 4: WAITING})
        finish(job)
    shutil.rmtree(desk.jobs_dir / removed)
    with desk.hold(restart=True) as product:
        rows = {row.conversation_id: row.rank for row in product.left_overs(0.0)}
        assert rows == {conversation(2): Rank(2, 3), conversation(4): Rank(3, 3)}
        assert product.remarks[-1].startswith("1 row left over from jobs before the missing job 2")


def test_left_overs_of_jobs_that_began_too_long_ago_are_told_and_not_carried_over(
    desk: Desk,
) -> None:
    for_a_while: dict[str, Any] = {"carry_over": True, "carry_over_for": 150.0}
    with desk.hold(**for_a_while) as product:
        assert list(product.left_overs(0.0)) == []
    for number in (1, 2, 3):  # each job leaves over what the next one does not bring
        desk.night([EXHAUSTED] * (4 - number), at=100.0 * number)

    too_old = " left over for longer than 2 min 30 s (--carry-over-for) "

    def left_over(now: float) -> tuple[list[int], list[str]]:
        with desk.hold("b", **for_a_while) as product:
            first = sorted(row.rank.first for row in product.left_overs(now))
            told = [each.split(too_old) for each in product.remarks if too_old in each]
            return first, [f"{rows} {what.split()[0]}" for rows, what in told]

    assert left_over(200.0) == ([1, 2, 3], [])
    assert left_over(250.0) == ([1, 2, 3], []), "not longer ago than that"
    assert left_over(300.0) == ([2, 3], ["1 row is"])
    assert left_over(400.0) == ([3], ["2 rows are"])
    with desk.run("b", at=300.0, begun={"kept": []}, **for_a_while) as job:
        finish(job)
    assert left_over(400.0) == ([3], ["2 rows are"]), "each job says so"


def test_of_the_jobs_that_left_too_old_rows_over_a_few_are_named_and_no_given_up_one(
    desk: Desk,
) -> None:
    names = [desk.night([EXHAUSTED] * (6 - number), at=100.0) for number in range(6)]
    with hold_jobs(desk.jobs_dir, product_key(desk.settings())) as jobs:
        jobs.abandon(jobs.jobs[0], 1.0)
    with desk.hold("b", carry_over=True, carry_over_for=1.0) as product:
        assert list(product.left_overs(1000.0)) == []
        assert product.too_old == 5
        (told,) = product.remarks
        assert told.endswith(f"first by {names[1]}, {names[2]}, {names[3]} and 2 others")


def test_a_job_whose_floor_has_risen_sends_what_was_to_be_unchanged(desk: Desk) -> None:
    removed = desk.night([SUCCEEDED])
    sets = {Reason.SAME_AS_STORED: RowSet([1]), Reason.LATER_ROW: RowSet([2])}
    with desk.run("b", begun={"not_sent": sets}) as job:
        assert set(job.journal.not_sent()) == set(sets)
        mark(job, 3)
    shutil.rmtree(desk.jobs_dir / removed)
    with desk.run("b") as job:
        assert set(job.journal.not_sent()) == {Reason.LATER_ROW}
        finish(job)
    with desk.run("c", begun={"not_sent": sets}) as job:
        mark(job, 3)
    with desk.run("c") as job:
        assert set(job.journal.not_sent()) == set(sets), "it was decided above that floor"


def test_a_job_that_was_missing_and_is_back_is_tried_again_and_none_before_it(desk: Desk) -> None:
    before = desk.night([WAITING], "b")
    name = desk.night([WAITING])
    (desk.jobs_dir / name).rename(desk.folder / name)
    with desk.hold() as product:
        assert product.floor == 2
    (desk.folder / name).rename(desk.jobs_dir / name)
    with desk.hold("b") as product, pytest.raises(SettingsError, match="later job 2 "):
        product.resumable()
    with desk.hold() as product, closing(product.resumable()) as job:
        assert job.folder.name == name
    for folder, raises in ((before, pytest.raises(SettingsError)), (name, nullcontext())):
        with retry(desk, folder) as product, raises, closing(product.resumable()) as job:
            assert job.folder.name == folder


def test_a_job_that_was_taken_in_to_its_end_is_not_missed(desk: Desk) -> None:
    first, stopped = desk.night([SUCCEEDED]), stop(desk)
    with desk.hold() as product:
        product.catch_up()
    with hold_jobs(desk.jobs_dir, product_key(desk.settings())) as product:
        product.abandon(product.jobs[1], 1.0)
        before = sorted(product.unsure())
    desk.night([SUCCEEDED])
    with desk.hold() as product:
        product.catch_up()  # nothing is new of the second job but that it was given up
    for name in (first, stopped.name):
        shutil.rmtree(desk.jobs_dir / name)
    with desk.hold() as product:
        assert product.floor == 0
        assert [job.state for job in product.jobs[:2]] == [JobState.PRUNED] * 2
        assert product.number_of(first) == 1
        assert sorted(product.unsure()) == before


# Numbers, names and folders.


def test_the_folder_of_an_unfinished_survey_is_used_again(desk: Desk) -> None:
    with desk.hold() as product:
        folder = product.claim_folder()
    with desk.hold() as product:
        assert product.claim_folder() == folder
        assert product.jobs == []
        job = desk.begin(product)
        assert job.folder == folder
        job.close()


def test_a_job_that_lost_its_journal_is_not_begun_anew_unasked(desk: Desk) -> None:
    folder = stop(desk)
    (folder / FILE_NAME).unlink()
    (folder / "summary.json").write_text("{}")
    with (
        desk.hold() as product,
        pytest.raises(SettingsError, match="has lost its journal"),
    ):
        product.claim_folder()
    with desk.hold(restart=True) as product:
        assert product.claim_folder() != folder


def test_the_jobs_folder_is_made_for_its_owner_alone(desk: Desk) -> None:
    desk.jobs_dir = desk.folder / "some" / "where"
    with desk.hold() as product:
        assert stat.S_IMODE(desk.jobs_dir.stat().st_mode) == 0o700
        desk.jobs_dir.rename(desk.folder / "elsewhere")
        with pytest.raises(SettingsError, match=f"--jobs-dir {desk.jobs_dir}: No such"):
            product.claim_folder()
    desk.jobs_dir.write_text("no folder")
    with pytest.raises(SettingsError, match=f"--jobs-dir {desk.jobs_dir}: File exists"):
        desk.hold().__enter__()


def test_the_name_of_a_job_that_is_gone_is_not_used_again(desk: Desk) -> None:
    name = desk.night([SUCCEEDED])
    shutil.rmtree(desk.jobs_dir / name)
    assert desk.night([SUCCEEDED]) != name


def test_a_jobs_folder_may_be_moved_and_renamed(desk: Desk, tmp_path: Path) -> None:
    desk.night([SUCCEEDED])
    stop(desk)
    moved = tmp_path / "elsewhere"
    shutil.move(desk.jobs_dir, moved)
    desk.jobs_dir = moved
    with desk.run() as job:
        assert job.number == 2
        assert job.folder.parent == moved


def test_a_copy_of_a_job_beside_it_is_refused(desk: Desk) -> None:
    name = desk.night([SUCCEEDED])
    shutil.copytree(desk.jobs_dir / name, desk.jobs_dir / f"{name}0")
    with pytest.raises(SettingsError, match="move the copy out"):
        desk.hold().__enter__()


def test_journals_that_cannot_be_read_hide_no_others(desk: Desk) -> None:
    stop(desk)
    for name, content in (("other-0123abcd-1", b"no database" * 999), ("older-0123abcd-1", b"")):
        (desk.jobs_dir / name).mkdir()
        (desk.jobs_dir / name / FILE_NAME).write_bytes(content)
    with desk.hold() as product:
        assert len(product.remarks) == 2
        assert not any("\n" in remark for remark in product.remarks)
        job = product.resumable()
        assert job is not None
        job.close()


def test_a_job_that_cannot_be_read_is_not_begun_anew_unasked(desk: Desk) -> None:
    folder = stop(desk)
    (folder / FILE_NAME).write_bytes(b"no database" * 999)
    with desk.hold() as product, pytest.raises(SettingsError, match="start over with --restart"):
        product.resumable()
    with desk.run(restart=True) as job:
        assert job.number == 2


def test_products_and_addresses_know_nothing_of_each_other(desk: Desk) -> None:
    stop(desk)
    with desk.run("b", sandbox=True) as job:
        assert job.number == 1


def test_a_second_run_is_told_who_holds_the_product(desk: Desk) -> None:
    with desk.hold(), pytest.raises(JobHeldError, match=f"process {os.getpid()} on "):
        desk.hold("b").__enter__()


def test_runs_are_numbered_through_the_product(desk: Desk) -> None:
    desk.night([SUCCEEDED])
    stop(desk)
    with desk.run() as job:
        run = job.journal.last_run()
        assert run is not None
        assert run.number == 3
        assert job.journal.run_count() == 2


# Rows that wait for another job's request: A9, A10.


def test_rows_wait_for_open_requests_of_other_jobs_until_a_run_has_lasted(desk: Desk) -> None:
    desk.night([SUCCEEDED, EXHAUSTED, SUCCEEDED], opened=[2, 3])
    with desk.run() as job:
        assert job.held() == {conversation(2): {Rank(1, 1)}, conversation(3): {Rank(1, 1)}}
        mark(job, 1)
        finish(job, RunEnd.SIGINT, sent=[1])
    with desk.run() as job:
        assert set(job.held()) == {conversation(2), conversation(3)}, "it did not last"
        job.lasted()
    with desk.run() as job:
        assert job.held() == {}
    with desk.run("b", replace=True) as job:
        assert job.held() == {}, "what was sent before the run that lasted"


def test_all_rows_wait_for_open_requests_of_other_jobs_whose_conversation_is_forgotten(
    desk: Desk,
) -> None:
    name = desk.night([EXHAUSTED, EXHAUSTED], opened=[2])
    with desk.run() as job:
        assert not job.waits_for_unknown
        finish(job)
    forget(desk.jobs_dir, [conversation(2)])
    with retry(desk, name) as product, closing(product.resumable()) as job:
        assert not job.waits_for_unknown, "the request is its own"
    with desk.run() as job:
        assert job.waits_for_unknown
        mark(job, 1)
    with desk.run() as job:
        assert job.waits_for_unknown
        job.lasted()
    with desk.run() as job:
        assert not job.waits_for_unknown


@pytest.mark.parametrize("lost", [True, False])
def test_that_a_run_has_lasted_survives_the_ledger(desk: Desk, lost: bool) -> None:
    desk.night([EXHAUSTED], opened=[1])
    with desk.run() as job:
        mark(job, 2)
        job.lasted()
        finish(job, RunEnd.SIGINT, sent=[2])
    if lost:
        product_key(desk.settings()).ledger(desk.jobs_dir).unlink()
    with desk.hold() as product:
        assert [(row.run, row.in_doubt, row.open) for row in product.unsure()] == [
            (1, True, False), (2, True, True)
        ]  # fmt: skip
        assert [row.run for row in product.unsure(after_run=1)] == [2]


def test_that_a_run_has_lasted_survives_its_journal(desk: Desk) -> None:
    desk.night([EXHAUSTED], opened=[1])
    with desk.run() as job:
        mark(job, 2)
        job.lasted()
        finish(job, RunEnd.SIGINT, sent=[2])
    shutil.rmtree(job.folder)
    with desk.hold() as product:
        assert [row.open for row in product.unsure()] == [False]
        assert product.waits_for_missing, "of its own requests nobody knows more"


def test_doubts_of_a_pruned_job_are_known(desk: Desk) -> None:
    desk.night([REFUSED])
    name = desk.night([EXHAUSTED, SUCCEEDED], opened=[1, 2], begun={"ranked": [(2, Rank(1, 2))]})
    desk.night([SUCCEEDED])
    with hold_jobs(desk.jobs_dir, product_key(desk.settings())) as product:
        before = sorted(product.unsure())
        product.prune(product.jobs[1])
        assert sorted(product.unsure()) == before
    assert {row.rank for row in before} == {Rank(2, 2), Rank(1, 2)}
    desk.night([SUCCEEDED])
    with desk.hold() as product:
        product.catch_up()
        assert sorted(product.unsure()) == before, "also when others are taken in"
    assert not (desk.jobs_dir / name).exists()
    assert [row.in_doubt for row in before] == [
        row.key == key_of(conversation(1)) for row in before
    ]
    with desk.run() as job:
        assert set(job.held()) == {conversation(1), conversation(2)}


# Giving up and pruning: A16, A17.


def test_only_jobs_at_rest_are_pruned_and_never_the_last_one(desk: Desk) -> None:
    desk.night([SUCCEEDED])
    stop(desk)
    with hold_jobs(desk.jobs_dir, product_key(desk.settings())) as product:
        assert [product.may_be_pruned(job) for job in product.jobs] == [True, False]
        assert [product.is_at_rest(job) for job in product.jobs] == [True, False]
        with patch.object(Ledger, "note_jobs", side_effect=JournalError("the disk is full")):
            product.abandon(product.jobs[1], 1.0)
        assert [product.may_be_pruned(job) for job in product.jobs] == [True, False]
        with pytest.raises(SettingsError, match="has ended already"):
            product.abandon(product.jobs[1], 1.0)
    desk.night([SUCCEEDED])
    with hold_jobs(desk.jobs_dir, product_key(desk.settings())) as product:
        assert [product.may_be_pruned(job) for job in product.jobs] == [True, True, False]
        product.prune(product.jobs[0])
        assert [product.may_be_pruned(job) for job in product.jobs] == [False, True, False]
        assert [job.is_here for job in product.jobs] == [False, True, True]


def test_what_a_job_has_done_lasts_in_the_ledger_before_its_folder_goes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.night([SUCCEEDED])
    desk.night([SUCCEEDED])
    events = []
    for where, what in (
        (sqlite_file, "synced"), (Path, "rename"), (product_jobs, "sync_folder"),
        (shutil, "rmtree"),
    ):  # fmt: skip
        done = getattr(where, what)

        def noted(*args: Any, what: str = what, done: Any = done, **options: Any) -> Any:
            events.append(what)
            return done(*args, **options)

        monkeypatch.setattr(where, what, noted)
    with hold_jobs(desk.jobs_dir, product_key(desk.settings())) as product:
        product.prune(product.jobs[0])
    assert events[:2] == ["synced", "synced"], "the journal, then the ledger"
    assert events[2:5] == ["rename", "sync_folder", "rmtree"]


def test_a_job_that_is_given_up_stays_so_without_the_ledger(desk: Desk) -> None:
    stop(desk)
    with hold_jobs(desk.jobs_dir, product_key(desk.settings())) as product:
        product.abandon(product.jobs[0], 1.0)
    stop(desk, "b", **KEEPING)
    with desk.run("c", carry_over=True):
        pass
    product_key(desk.settings()).ledger(desk.jobs_dir).unlink()
    assert states(desk) == [JobState.GIVEN_UP, JobState.REPLACED, JobState.UNFINISHED]


# Kills between the commits.


@pytest.mark.parametrize(
    ("where", "what", "jobs"),
    [
        (succession, "claim_folder", 1),
        (succession, "create_journal", 1),
        (Ledger, "note_jobs", 2),
    ],
)
def test_a_kill_while_a_job_begins_leaves_it_whole_or_not_at_all(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, where: Any, what: str, jobs: int
) -> None:
    stop(desk)
    with desk.hold("b", replace=True) as product, monkeypatch.context() as patched:
        assert product.resumable() is None
        patched.setattr(where, what, killed)
        with pytest.raises(KilledError):
            desk.begin(product, "b")
    begun = jobs == 2
    first = JobState.GIVEN_UP if begun else JobState.UNFINISHED
    assert states(desk) == [first] + [JobState.UNFINISHED] * begun
    with desk.run("b", replace=True) as job:
        assert job.number == jobs + 1


def test_that_a_job_has_begun_lasts_in_the_ledger_before_anything_is_sent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    files: list[str] = []
    synced = sqlite_file.synced

    def noted(db: sqlite_file.Connection) -> Any:
        files.append(db.execute("PRAGMA database_list").fetchone()[2])
        return synced(db)

    with desk.hold() as product:
        monkeypatch.setattr(sqlite_file, "synced", noted)
        desk.begin(product).close()
        assert files == [str(product.key.ledger(desk.jobs_dir))]


def test_what_a_killed_run_was_writing_is_gone_when_the_next_one_begins(desk: Desk) -> None:
    folder = stop(desk)
    killed = atomic_write(folder / "not_completed.csv")
    half = killed.__enter__()
    with desk.run() as job:
        assert job.folder == folder
        assert not half.exists()


def test_a_kill_before_the_run_is_in_the_journal_skips_its_number(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.night([WAITING])
    with desk.hold() as product, monkeypatch.context() as patched:
        product.catch_up()
        job = product.resumable()
        assert job is not None
        patched.setattr(job.journal, "begin_run", killed)
        with pytest.raises(KilledError):
            job.begin_run(0.0, {})
        job.close()
    with desk.run() as job:
        run = job.journal.last_run()
        assert run is not None
        assert run.number == 3


def test_a_kill_during_prune_loses_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    name = desk.night([WAITING, SUCCEEDED])
    desk.night([REFUSED, REFUSED, SUCCEEDED])
    with desk.hold() as product:
        before = list(product.lines(key_byte(3)).each())
    for where, what in ((Path, "rename"), (shutil, "rmtree")):
        with (
            hold_jobs(desk.jobs_dir, product_key(desk.settings())) as product,
            monkeypatch.context() as patched,
        ):
            patched.setattr(where, what, killed)
            with pytest.raises(KilledError):
                product.prune(product.jobs[0])
    assert not (desk.jobs_dir / name).exists()
    assert (desk.jobs_dir / f".removed-{name}").exists()
    with desk.hold() as product:
        assert not (desk.jobs_dir / f".removed-{name}").exists()
        assert product.floor == 0
        assert product.jobs[0].state is JobState.PRUNED
        assert list(product.lines(key_byte(3)).each()) == before


def test_a_run_that_clears_up_meanwhile_is_not_in_the_way_of_prune(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = desk.night([SUCCEEDED])
    desk.night([SUCCEEDED])
    with hold_jobs(desk.jobs_dir, product_key(desk.settings())) as product:
        monkeypatch.setattr("importer.jobs.product_jobs.sync_folder", clear_removed)
        product.prune(product.jobs[0])
        assert product.jobs[0].state is JobState.PRUNED
    assert not list(desk.jobs_dir.glob(f"*{name}"))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("where", ["journal", "ledger"])
def test_comments_that_another_program_still_reads_are_dropped_by_the_next_command(
    desk: Desk, where: str
) -> None:
    name = desk.night([EXHAUSTED], begun={"survey": '{"inputs": [], "problems": {}}'})
    with hold_jobs(desk.jobs_dir, product_key(desk.settings())) as product:
        product.catch_up()
        comment = b"POSITIVE1-1"  # beside its rating
        assert len(files_with(comment, desk.jobs_dir)) == 2
        ledger = product.key.ledger(desk.jobs_dir)
        path = ledger if where == "ledger" else desk.jobs_dir / name / FILE_NAME
        with closing(sqlite3.connect(path)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM job").fetchone()
            with pytest.raises(JournalError, match=f"the {where} .* Another program has it open"):
                product.drop_comments(product.jobs[0], Mock(), Mock())
        assert product.drop_comments(product.jobs[0], Mock(), Mock())
        assert not product.drop_comments(product.jobs[0], Mock(), Mock())
        assert files_with(comment, desk.jobs_dir) == []


@pytest.mark.usefixtures("impatient")
def test_comments_of_jobs_that_are_gone_go_by_when_the_job_ended_also_if_the_ledger_is_held_up(
    desk: Desk,
) -> None:
    desk.night([EXHAUSTED, SUCCEEDED])
    with desk.run(restart=True) as job:
        answer(job, {2: EXHAUSTED})
        finish(job)
    with hold_jobs(desk.jobs_dir, product_key(desk.settings())) as product:
        product.catch_up()
        product.prune(product.jobs[0])
    ledger, here, ended_at = product.key.ledger(desk.jobs_dir), [job.folder], 2.0
    assert left_over_by_gone(ledger, here, ended_at) == {}
    assert left_over_by_gone(ledger, here, ended_at + 1) == {1: 1}
    with closing(sqlite3.connect(ledger)) as reader:
        reader.execute("DELETE FROM state WHERE name LIKE 'ended: %'")
        reader.commit()
        assert left_over_by_gone(ledger, here, 0.5) == {1: 1}, "nobody knows when it ended"
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM job").fetchone()
        with pytest.raises(JournalError, match="Another program has it open"):
            drop_left_over_comments(ledger, [1])
    drop_left_over_comments(ledger, [])
    assert files_with(b"POSITIVE1-1", desk.jobs_dir) == []
    assert files_with(b"POSITIVE2-2", desk.jobs_dir), "of a job that is there"


def files_with(text: bytes, folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()]


def key_byte(number: int) -> int:
    return key_of(conversation(number))[0]


def test_what_jobs_have_read_is_looked_up_only_if_one_of_them_was_taken_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, third, _ = [desk.night([SUCCEEDED], name) for name in ("b", "b", "b", "a")]
    monkeypatch.setattr(InputFile, "digest", "the same")
    opened = Mock(side_effect=sqlite_file.connect)

    def before() -> str | None:
        with desk.hold("b") as product, monkeypatch.context() as counted:
            counted.setattr(sqlite_file, "connect", opened)
            found = product.taken_back_before(desk.new("b").inputs)
        return found.name if found else None

    desk.take_back(4, {1: SUCCEEDED})
    assert (before(), opened.call_count) == (None, 0)
    desk.take_back(2, {1: SUCCEEDED})
    assert before() is None, "it is not the latest"
    desk.take_back(3, {1: SUCCEEDED})
    assert before() == third
    shutil.rmtree(desk.jobs_dir / desk.night([SUCCEEDED], "b"))
    assert before() == third, "of one that is gone nobody knows what it had read"
