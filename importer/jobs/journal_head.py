"""What other jobs have to know of a job, read from its journal in a moment."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from importer.errors import JournalError, SettingsError
from importer.jobs import sqlite_file
from importer.jobs.folders import folders_of
from importer.jobs.identity import ProductKey
from importer.jobs.journal_file import FILE_NAME, check_format, explained
from importer.jobs.records import GIVEN_UP, LEFT_OVERS_GIVEN_UP, WITHDRAWN, JobState, job_number
from importer.model import RunEnd

_SENT = """
    SELECT EXISTS (SELECT 1 FROM doubt_window) OR EXISTS (SELECT 1 FROM doubt)
        OR EXISTS (SELECT 1 FROM deferral) OR EXISTS (SELECT 1 FROM attempt)
        OR EXISTS (SELECT 1 FROM outcome WHERE attempts > 0)
"""
_DOUBTS = """
    SELECT EXISTS (SELECT 1 FROM doubt_window) OR EXISTS (SELECT 1 FROM doubt)
        OR EXISTS (SELECT 1 FROM outcome WHERE open)
"""
_CARRIED = "SELECT EXISTS (SELECT 1 FROM carried)"
_RUNS = """
    SELECT coalesce(max(entries), 0), coalesce(max(number), 0),
        coalesce(max(iif(lasted, number, 0)), 0), coalesce(max(ended = ?), 0),
        coalesce(min(started_at), 0.0)
    FROM run
"""


@dataclass(frozen=True, slots=True)
class Head:
    """What a journal says of its job."""

    folder: Path
    #: Random, made when the job began.
    id: str
    #: Among the jobs of its product.
    number: int
    product_id: str
    #: The address of the service, or `sandbox`.
    service: str
    #: How many transactions of outcomes there are.
    entries: int
    #: The number of its latest run through the product, 0 without one.
    last_run: int
    #: That of the latest run that lasted for `--late-effect`, 0 without one.
    lasted_run: int
    #: Each row has an outcome, and a run has ended with that.
    finished: bool
    given_up: bool
    #: A request may have been made, or it is finished.
    sent_anything: bool
    #: A row may be open or in doubt.
    has_doubts: bool
    #: The bodies of all rows that are to be sent are in the journal.
    keeps_bodies: bool
    #: It has taken over rows of earlier jobs.
    holds_carried: bool
    #: The jobs that ended when this one began, by id.
    ends: Mapping[str, JobState]
    #: Conversations were taken out of it.
    has_forgotten: bool
    #: When its first run started, in Unix seconds; 0 without one.
    began_at: float
    #: What it has left over is given up.
    left_overs_given_up: bool = False
    #: It was taken back.
    withdrawn: bool = False

    @property
    def product(self) -> ProductKey:
        """The product that the job is of."""
        return ProductKey(self.product_id, self.service)


def read_head(folder: Path) -> Head:
    """Read the head of the journal in `folder`. Raises `JournalError` if it cannot be used."""
    path = folder / FILE_NAME
    with explained(path), closing(sqlite_file.connect(path, read_only=True)) as db:
        check_format(db, path)
        facts = dict(db.execute("SELECT name, value FROM job"))
        entries, last_run, lasted_run, finished, began_at = db.execute(
            _RUNS, (RunEnd.FINISHED,)
        ).fetchone()
        (sent,) = (1,) if finished else db.execute(_SENT).fetchone()
        (doubts,) = db.execute(_DOUBTS).fetchone()
        (carried,) = db.execute(_CARRIED).fetchone()
        ends = {job: JobState(state) for job, state in db.execute("SELECT id, state FROM ends")}
        return Head(
            folder, facts["id"], job_number(facts["number"]), facts["product_id"],
            facts["base_url"], int(entries), int(last_run), int(lasted_run), bool(finished),
            GIVEN_UP in facts, bool(sent), bool(doubts), facts["keeps_bodies"] == "1",
            bool(carried), ends, "forgotten" in facts, began_at, LEFT_OVERS_GIVEN_UP in facts,
            WITHDRAWN in facts,
        )  # fmt: skip


def check_latest(jobs_dir: Path, name: str) -> None:
    """Raise `SettingsError` if the latest job of that name has a journal that cannot be used."""
    folders = folders_of(jobs_dir, name)
    latest = folders.get(max(folders, default=0))
    if latest is not None and (latest / FILE_NAME).exists():
        try:
            read_head(latest)
        except JournalError as error:
            raise SettingsError(str(error)) from None
