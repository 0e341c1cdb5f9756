"""What is to be done about the rows of a job, as its journal tells it."""

from pathlib import Path

from importer.jobs.entry import Entry
from importer.jobs.journal_reader import JournalReader
from importer.model import Outcome
from importer.reporting.journal_steps import steps_by_journal
from tests.support.data import conversation
from tests.support.jobs import REFUSED, Desk, finish, mark


def test_a_step_about_refused_rows_names_each_status(tmp_path: Path) -> None:
    with Desk(tmp_path).run() as job:
        mark(job, 1, 2, 3)
        ends = [
            Outcome(seq, REFUSED[0], conversation(seq), REFUSED[1], http_status=status)
            for seq, status in ((1, 410), (2, 404), (3, 410))
        ]
        job.journal.write(Entry(ends))
        finish(job)
    with JournalReader(job.folder) as journal:
        (step, *_) = steps_by_journal(journal)
    assert "(404 (not found) and 410 (gone)), when its cause" in step.purpose
