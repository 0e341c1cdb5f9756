"""What a person is told of the jobs in a folder (docs/reference.md, J11, A16)."""

import os
import shutil
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

from importer.cli.jobs_view import as_json
from importer.jobs.identity import product_key
from importer.jobs.journal_file import FILE_NAME
from importer.jobs.keys import key_of
from importer.jobs.listing import (
    ListedJob,
    list_jobs,
    surveys_to_prune,
    to_drop_comments,
    to_prune,
)
from importer.jobs.product_jobs import hold_jobs
from importer.jobs.records import JobState
from importer.model import OutcomeKind
from importer.settings import Retry
from tests.support.data import conversation
from tests.support.jobs import EXHAUSTED, KEEPING, SUCCEEDED, Desk, answer, finish, mark


def jobs_of(desk: Desk) -> Any:
    return hold_jobs(desk.jobs_dir, product_key(desk.settings()))


def names(jobs: Sequence[ListedJob]) -> list[str]:
    return [job.folder.name for job in jobs]


def test_jobs_are_listed_with_where_they_stand(desk: Desk) -> None:
    first = desk.night([SUCCEEDED, EXHAUSTED])
    with desk.run("b", **KEEPING) as job:
        mark(job, 1)
        answer(job, {1: SUCCEEDED})
        (running,) = [one for one in list_jobs(desk.jobs_dir).jobs if one.running]
        assert running.folder == job.folder
    with desk.run("c", carry_over=True):
        pass
    listing = list_jobs(desk.jobs_dir)
    assert {job.folder.name: job.record.state for job in listing.jobs}[first] is JobState.ENDED
    assert [job.record.state for job in listing.jobs if job.record.number > 1] == [
        JobState.REPLACED, JobState.UNFINISHED
    ]  # fmt: skip
    assert not any(job.running for job in listing.jobs)
    ledger = product_key(desk.settings()).ledger(desk.jobs_dir)
    ledger.write_bytes(b"no database at all")
    assert list_jobs(desk.jobs_dir) == listing, "the journals tell it"
    ledger.unlink()
    assert list_jobs(desk.jobs_dir) == listing
    assert listing.jobs[0].totals.outcomes[OutcomeKind.FAILED] == 1


def test_jobs_are_listed_by_when_they_began_last_and_one_that_is_gone_hides_none(
    desk: Desk,
) -> None:
    gone, second, third = (desk.night([EXHAUSTED], at=at) for at in (10.0, 30.0, 20.0))
    with jobs_of(desk) as product:
        product.prune(product.jobs[0])
    with desk.hold("b") as product, closing(desk.begin(product, "b")) as job:
        never_ran = job.folder
    assert not (desk.jobs_dir / gone).exists()
    listed = list_jobs(desk.jobs_dir).jobs
    assert names(listed) == [third, second, never_ran.name]
    assert [job.last_seen for job in listed[:2]] == [2.0, 2.0]
    assert listed[2].last_seen == listed[2].began_at > 30.0
    assert [list(job.reads_from) for job in listed] == [[], [], [desk.folder]]


def test_only_the_job_of_the_latest_run_is_at_work_and_only_while_it_is(desk: Desk) -> None:
    def at_work() -> list[str]:
        return names([job for job in list_jobs(desk.jobs_dir).jobs if job.running])

    first, second = desk.night([EXHAUSTED]), desk.night([EXHAUSTED])
    with desk.run(retry=Retry(folder=first)):
        assert at_work() == [first]
        assert not any(job.may_be_pruned for job in list_jobs(desk.jobs_dir).jobs)
    assert at_work() == [], "it was killed"
    assert [job.may_be_pruned for job in list_jobs(desk.jobs_dir).jobs] == [True, False]
    with desk.run(retry=Retry(folder=second)) as job:
        assert at_work() == [second]
        finish(job)
        assert at_work() == []
    with desk.hold("b") as product, closing(desk.begin(product, "b")):
        assert at_work() == [], "it has no run yet"


def test_what_is_no_whole_job_hides_no_others(desk: Desk) -> None:
    name = desk.night([SUCCEEDED])
    with desk.hold("b") as product:
        survey = product.claim_folder()
        (survey / "copies").mkdir()
        (survey / "copies" / ".1-part").touch()
    with desk.hold("d") as product:
        assert product.claim_folder().is_dir()
        product.leave_nothing()
    (desk.jobs_dir / "c-0123abcd-1").mkdir()
    (desk.jobs_dir / "c-0123abcd-1" / FILE_NAME).write_text("nothing of use")
    shutil.copytree(desk.jobs_dir / name, desk.jobs_dir / f"{name}9")
    listing = list_jobs(desk.jobs_dir)
    assert names(listing.jobs) == [name]
    assert [one.folder for one in listing.surveys] == [survey]
    assert set(listing.unreadable) == {"c-0123abcd-1", f"{name}9"}
    assert "copy of" in listing.unreadable[f"{name}9"]
    assert "is not a database" in listing.unreadable["c-0123abcd-1"]


def test_a_job_of_which_only_the_beginning_can_be_read_is_named_and_hides_no_others(
    desk: Desk,
) -> None:
    damaged = desk.night([SUCCEEDED] * 2000)
    journal = desk.jobs_dir / damaged / FILE_NAME
    content = journal.read_bytes()
    page = content.index(key_of(conversation(1000))) // 4096 * 4096
    journal.write_bytes(content[:page] + b"\xff" * 4096 + content[page + 4096 :])
    incomplete, whole = desk.night([SUCCEEDED]), desk.night([SUCCEEDED])
    with closing(sqlite3.connect(desk.jobs_dir / incomplete / FILE_NAME)) as db:
        db.execute("DELETE FROM job WHERE name = 'id'")
        db.commit()
    listing = list_jobs(desk.jobs_dir)
    assert names(listing.jobs) == [whole]
    assert set(listing.unreadable) == {damaged, incomplete}
    assert "malformed" in listing.unreadable[damaged]
    assert listing.unreadable[incomplete] == "it is incomplete"


def test_an_empty_folder_lists_nothing(desk: Desk) -> None:
    listing = list_jobs(desk.jobs_dir)
    assert not listing.jobs
    assert not listing.surveys


def test_jobs_are_kept_by_number_and_by_age(desk: Desk) -> None:
    all_jobs = [desk.night([SUCCEEDED]) for _ in range(4)]
    jobs = list_jobs(desk.jobs_dir).jobs  # all of them ended at 2 s
    assert names(to_prune(jobs, oldest=None, keep_last=0)) == all_jobs[:3]
    assert names(to_prune(jobs, oldest=None, keep_last=2)) == all_jobs[:2]
    assert names(to_prune(jobs, oldest=2.5, keep_last=None)) == all_jobs[:3]
    assert names(to_prune(jobs, oldest=2.0, keep_last=None)) == []
    assert names(to_prune(jobs, oldest=2.5, keep_last=3)) == all_jobs[:1]
    with desk.run(f"jobs/{all_jobs[1]}/undo", at=5.0) as job:  # as an undo, from that folder
        mark(job, 1)
    jobs = list_jobs(desk.jobs_dir).jobs
    at_rest = [all_jobs[0], *all_jobs[2:]]
    assert names(to_prune(jobs, oldest=2.5, keep_last=None)) == at_rest
    assert names(to_prune(jobs, oldest=None, keep_last=1)) == at_rest[:2]


def test_comments_are_dropped_of_jobs_at_rest_that_no_undo_reads_from(desk: Desk) -> None:
    first, second, third = (desk.night([EXHAUSTED]) for _ in range(3))

    def dropped(oldest: float) -> list[str]:
        return names(to_drop_comments(list_jobs(desk.jobs_dir).jobs, oldest))

    assert dropped(2.0) == []
    assert dropped(2.5) == [first, second, third]
    with desk.run(retry=Retry(folder=third), at=1.0):
        assert dropped(2.5) == [first, second], "the other one is at work"
    with desk.run(f"jobs/{second}/undo") as job:
        mark(job, 1)
    assert dropped(2.5) == [first, third]


def test_a_survey_began_when_it_was_noted_whatever_was_put_into_its_folder_since(
    desk: Desk,
) -> None:
    before = time.time()
    with desk.hold("b") as product:
        survey = product.claim_folder()
    os.utime(survey, (0, 0))
    (listed,) = list_jobs(desk.jobs_dir).surveys
    assert before <= listed.began_at <= time.time()
    (told,) = as_json(list_jobs(desk.jobs_dir))
    assert isinstance(told["started_at"], str)
    assert datetime.fromisoformat(told["started_at"]).timestamp() == int(listed.began_at)


def test_what_is_left_of_a_survey_stays_for_a_day(desk: Desk) -> None:
    with desk.hold() as product:
        folder = product.claim_folder()
        (folder / "input.csv").touch()
    now = time.time()
    assert surveys_to_prune([folder], now) == []
    for path in (*folder.iterdir(), folder):
        os.utime(path, (now - 90_000, now - 90_000))
    assert surveys_to_prune([folder], now) == [folder]
    assert surveys_to_prune([folder], now - 100_000) == []
    assert surveys_to_prune([folder], folder.stat().st_mtime) == []
    (folder / "input.csv").touch()
    os.utime(folder, (now - 90_000, now - 90_000))
    assert surveys_to_prune([folder], now) == [], "a run writes in it"
