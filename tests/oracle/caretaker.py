"""Plays what is done to jobs: starting over, and pruning, moving and losing parts of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from tests.oracle.nights import Step
from tests.oracle.player import RESTART, Player
from tests.oracle.record import Fate


class Caretaker(Player):
    """Plays a history in which the jobs folder does not stay as it was."""

    def _steps(self) -> dict[str, Callable[[Step], None]]:
        return super()._steps() | {
            "restart": self._restart,
            "prune": self._prune,
            "move": self._move,
            "lose ledger": self._lose_ledger,
            "lose job": self._lose_job,
        }

    def _restart(self, step: Step) -> None:
        """Start over with the latest command of a night, whatever became of its job."""
        found = [job for job in self.jobs if job.night == step.night and job.here]
        if found:
            self._begin(step, [*found[-1].line, RESTART], self._anew(found[-1]))

    def _prune(self, step: Step) -> None:
        for job in self.jobs:
            self._export(job)
        ended = self.operator.tell(step, ["jobs", "prune", "--keep-last", str(step.night % 3 + 1)])
        assert ended.code == 0, ended.text
        here = self._folders()
        for job in self.jobs:
            if job.here and job.folder not in here:
                job.here = False
                if job.fate is Fate.UNFINISHED and job.sent_anything:
                    self.complaints.append(f"J11: an unfinished job was pruned: {job.folder}")
                if any(o.undoes is job and o.fate is Fate.UNFINISHED for o in self.jobs):
                    self.complaints.append(f"U7: pruned before its undo is done: {job.folder}")

    moved_after = 0
    """How many jobs had begun when the jobs folder was moved the last time."""

    def _move(self, step: Step) -> None:
        unfinished = self._unfinished()
        # J14: the input of an undo is where it was only while the jobs folder is not moved.
        stays = unfinished is not None and unfinished.undoes is not None
        if self.desk.jobs_folder.exists() and not stays:
            where = self.desk.folder / f"moved {step.night} {len(self.operator.diary)}"
            shutil.move(self.desk.jobs_folder, where)
            self.desk.jobs_folder = where
            self.moved_after = len(self.jobs)
            self.operator.diary.append(f"{step}: to {where.name}")

    def _lose_ledger(self, step: Step) -> None:
        for path in self.desk.jobs_folder.glob("ledger-*.sqlite*"):
            if step.night % 2 and path.suffix == ".sqlite":
                path.write_bytes(b"no database " * 1000)
            else:
                path.unlink()
        # A14: the ledger is made again from the journals, and those of pruned jobs are gone.
        for job in self.jobs:
            if not job.here and job.lost_at < 0:
                job.lost_at, job.lost_after = len(self._service.log), len(self.jobs)
        self.operator.diary.append(str(step))

    def _lose_job(self, step: Step) -> None:
        """Lose the folder of a job that has ended, and the ledger that knew of it."""
        found = [
            job for job in self.jobs[:-1] if job.night == step.night and job.here
            and job.fate is not Fate.UNFINISHED
        ]  # fmt: skip
        if found:
            job = found[-1]
            self._export(job)
            shutil.rmtree(self.desk.jobs_folder / job.folder)
            job.here = False
            self._lose_ledger(step)
