"""What a person is told of the jobs in a folder (docs/reference.md, J11, A16)."""

import os
import shutil
import time

from importer.jobs.journal_file import FILE_NAME
from importer.jobs.listing import ListedJob, list_jobs, surveys_to_prune, to_prune
from importer.jobs.records import JobState
from importer.model import OutcomeKind
from tests.support.jobs import EXHAUSTED, KEEPING, SUCCEEDED, Desk, answer, mark


def names(jobs: list[ListedJob]) -> list[str]:
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
    assert listing.jobs[0].totals.outcomes[OutcomeKind.FAILED] == 1


def test_what_is_no_whole_job_hides_no_others(desk: Desk) -> None:
    name = desk.night([SUCCEEDED])
    with desk.hold("b") as product:
        survey = product.claim_folder()
        (survey / "copies").mkdir()
        (survey / "copies" / ".1-part").touch()
    with desk.hold("d") as product:
        assert product.claim_folder().is_dir()  # and nothing comes into it
    (desk.jobs_dir / "c-0123abcd-1").mkdir()
    (desk.jobs_dir / "c-0123abcd-1" / FILE_NAME).write_text("nothing of use")
    shutil.copytree(desk.jobs_dir / name, desk.jobs_dir / f"{name}9")
    listing = list_jobs(desk.jobs_dir)
    assert names(list(listing.jobs)) == [name]
    assert list(listing.surveys) == [survey]
    assert set(listing.unreadable) == {"c-0123abcd-1", f"{name}9"}
    assert "copy of" in listing.unreadable[f"{name}9"]


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


def test_what_is_left_of_a_survey_stays_for_a_day(desk: Desk) -> None:
    with desk.hold() as product:
        folder = product.claim_folder()
        (folder / "input.csv").touch()
    now = time.time()
    assert surveys_to_prune([folder], now) == []
    for path in (folder / "input.csv", folder):
        os.utime(path, (now - 90_000, now - 90_000))
    assert surveys_to_prune([folder], now) == [folder]
    assert surveys_to_prune([folder], now - 100_000) == []
