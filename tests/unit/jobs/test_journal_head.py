"""What other jobs have to know of a job is read from its journal."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from importer.errors import JournalError, SettingsError
from importer.jobs.entry import Entry
from importer.jobs.journal_file import FILE_NAME
from importer.jobs.journal_head import Head, check_latest, read_head
from importer.jobs.records import JobState
from importer.model import Deferral, Outcome, OutcomeKind, Reason, RunEnd
from tests.support.data import PRODUCT, conversation
from tests.support.jobs import KEEPING, SUCCEEDED, Desk, answer, finish, mark

SKIPPED = (OutcomeKind.SKIPPED, None)


def test_a_job_that_has_only_begun_has_sent_nothing(desk: Desk) -> None:
    with desk.hold() as product, closing(desk.begin(product)) as job:
        folder, head = job.folder, read_head(job.folder)
    assert (head.folder, head.number, head.product_id) == (folder, 1, PRODUCT)
    assert (head.entries, head.last_run, head.lasted_run, head.began_at) == (0, 0, 0, 0.0)
    assert not head.finished
    assert not head.given_up
    assert not head.sent_anything
    assert not head.has_doubts
    assert not head.has_forgotten
    assert head.ends == {}


def test_runs_and_what_was_sent_in_them_are_told(desk: Desk) -> None:
    def head() -> Head:
        return read_head(job.folder)

    with desk.run(at=5.0) as job:
        mark(job, 1, 2, 3)
        assert head().sent_anything
        assert head().has_doubts
        answer(job, {1: SUCCEEDED})
        job.journal.note_lasted()
        finish(job, RunEnd.SIGINT)
        assert not head().has_doubts
        assert head().sent_anything, "of row 1 it is known"
    with desk.run(at=9.0) as job:
        assert (head().entries, head().last_run, head().lasted_run) == (1, 2, 1)
        assert head().began_at == 5.0
        answer(job, {2: SUCCEEDED})
    with desk.run(at=9.0) as job:
        answer(job, {3: SKIPPED})
        assert (head().entries, head().last_run, head().finished) == (3, 3, False)
        finish(job)
        assert head().finished
        job.journal.give_up(10.0)
        assert head().given_up


def test_a_job_that_is_finished_counts_as_one_that_has_sent(desk: Desk) -> None:
    unchanged = [
        Outcome(seq, OutcomeKind.UNCHANGED, conversation(seq), Reason.SAME_AS_STORED)
        for seq in (1, 2, 3)
    ]
    with desk.run() as job:
        job.journal.write(Entry(unchanged))
        assert not read_head(job.folder).sent_anything
        finish(job)
        assert read_head(job.folder).sent_anything


def test_a_job_tells_which_jobs_it_has_ended_and_what_it_keeps(desk: Desk) -> None:
    with desk.run() as job:
        job.journal.write(Entry(deferrals=[Deferral(1, 1, 0.0, 1.0, 1, 0.0)]))
        first = read_head(job.folder)
        assert first.sent_anything
        assert not first.keeps_bodies
    with desk.run(restart=True, **KEEPING) as job:
        head = read_head(job.folder)
    assert (head.number, head.ends) == (2, {first.id: JobState.GIVEN_UP})
    assert head.keeps_bodies


def test_a_journal_of_another_format_or_none_is_refused_and_none_is_made(
    desk: Desk, tmp_path: Path
) -> None:
    with pytest.raises(JournalError, match="unable to open"):
        read_head(tmp_path)
    assert not (tmp_path / FILE_NAME).exists()
    with desk.run() as job:
        folder = job.folder
    with closing(sqlite3.connect(folder / FILE_NAME)) as db, db:
        db.execute("UPDATE job SET value = '3' WHERE name = 'format'")
    with pytest.raises(JournalError, match="format 3"):
        read_head(folder)


def test_only_the_latest_job_of_a_name_has_to_have_a_journal_that_can_be_used(desk: Desk) -> None:
    folders = []
    for _ in range(2):
        with desk.run(restart=True) as job:
            folders.append(job.folder)
    name = folders[0].name.rpartition("-")[0]
    check_latest(desk.jobs_dir, "another")
    (folders[0] / FILE_NAME).write_bytes(b"damaged")
    check_latest(desk.jobs_dir, name)
    (folders[1] / FILE_NAME).write_bytes(b"damaged")
    with pytest.raises(SettingsError, match="not a database"):
        check_latest(desk.jobs_dir, name)
    (folders[1] / FILE_NAME).unlink()
    check_latest(desk.jobs_dir, name)
