"""Keeps the books of a history: what is known of its jobs, from what they say themselves."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping

from tests.oracle.drive import Desk, Ended, Job, rows_of
from tests.oracle.nights import History
from tests.oracle.operator import Operator
from tests.oracle.record import OVER, UNFINISHED, Begun, Command, Fate, Left

WRITTEN = "written.csv"
"""Where a run writes the outcomes of its job, where the kind of the history wants them."""


class Clerk:
    """Knows the jobs of one history, and all complaints."""

    def __init__(self, desk: Desk, history: History) -> None:
        self.desk = desk
        self.operator = Operator(desk, history)
        self.jobs: list[Begun] = []
        self.complaints = self.operator.complaints
        self._service = desk.service
        self._history = history

    def _told(self, text: str) -> None:
        """Hear what a command has said that was at work on a job."""

    def _noted(self, job: Begun, ended: Ended, command: Command) -> None:
        job.commands.append(command)
        self._told(ended.text)
        written = self.desk.folder / WRITTEN
        job.fresh = written.exists()
        if job.fresh:
            job.exported = job.shown(rows_of(written))
            written.unlink()
        if ended.code == 2 and command.first == command.last:
            # Another job forbids it; what the job is stays.
            return
        if ended.code not in UNFINISHED | OVER:
            self.complaints.append(f"E1: {command.words}: {ended.text}")
        if ended.code in OVER and job.fate is Fate.UNFINISHED:
            job.fate, job.over_at = Fate.ENDED, command.last
        self.note_end(job)
        folder = self._job(job)
        left = {line["conversation_id"] for line in folder.left("not_completed")}
        left |= {
            line["conversation_id"]
            for line in folder.left("failed")
            if line["reason"] == "retries_exhausted"
        }
        if ended.code in OVER:
            job.lefts.append(Left(command.last, frozenset(left)))

    def note_end(self, job: Begun) -> None:
        """A run may be killed when its job has come to its end already: nothing is pending then.

        Whether it had written that down before only the job itself can tell: both are right.
        """
        command = job.commands[-1]
        if job.fate is not Fate.UNFINISHED or command.code >= 0 or not job.sent_anything:
            return
        self._export(job)
        settled = {int(line["row"]) for line in job.exported if line["file"] != "carried over"}
        if job.rows and settled == {row.position for row in job.rows}:
            told = self.desk.do("jobs", "--json", "--jobs-dir", str(self.desk.jobs_folder))
            listed = json.loads(told.out)
            if any(one["job"] == job.folder and one["state"] == "ended" for one in listed):
                job.fate, job.over_at = Fate.ENDED, command.last

    def _unfinished(self) -> Begun | None:
        found = [job for job in self.jobs if job.fate is Fate.UNFINISHED]
        return found[-1] if found else None

    def _folders(self) -> set[str]:
        found = {p.parent.name for p in self.desk.jobs_folder.glob("*/journal.sqlite")}
        return {name for name in found if not re.match(r"empty-", name)}

    def _job(self, job: Begun) -> Job:
        return Job(self.desk.jobs_folder / job.folder)

    def _outcomes(self, job: Begun) -> Mapping[str, int]:
        """Return how many rows have which outcome by now."""
        if not job.commands[-1].broken_off:
            return self._job(job).outcomes
        # F1: no summary was written by a run that was killed.
        self._export(job)
        return Counter(line["outcome"] for line in job.exported)

    def _export(self, job: Begun) -> None:
        """Remember the outcomes of all rows, as long as the job can tell them."""
        if job.here and not job.fresh:
            job.exported = job.shown(self.desk.outcomes(self._job(job)))
            job.fresh = self._history.kind.takes
