"""What is to be done about the rows of a job, as its journal tells it."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from unittest.mock import patch

from importer.jobs.entry import Entry
from importer.jobs.journal_reader import JournalReader
from importer.model import Outcome, Rank
from importer.reporting.journal_steps import steps_by_journal
from tests.support.data import conversation
from tests.support.jobs import REFUSED, SUCCEEDED, WAITING, Desk, finish, mark


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


def test_each_later_job_is_looked_through_once_for_rows_of_all_kinds(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    first = desk.jobs_dir / desk.night([REFUSED, WAITING, REFUSED])
    later = {desk.jobs_dir / desk.night([SUCCEEDED] * 3, name) for name in ("a", "b")}
    looked_through, asked = list[Path](), JournalReader.settled_among

    def counted(self: JournalReader, keys: Iterable[bytes]) -> Iterator[tuple[bytes, Rank, bool]]:
        looked_through.append(self.folder)
        return asked(self, keys)

    with JournalReader(first) as journal, patch.object(JournalReader, "settled_among", counted):
        told = [step.purpose for step in steps_by_journal(journal)]
    assert [text.partition(" of ")[0] for text in told] == ["2 rows", "1 row"]
    assert len(looked_through) == len({*looked_through})
    assert later.issuperset(looked_through)
    assert looked_through
