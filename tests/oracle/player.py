"""Plays a history as a person and a cron job would, and writes down what happened."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence

from tests.oracle.answers import Feedback
from tests.oracle.clerk import WRITTEN, Clerk
from tests.oracle.drive import Desk, Ended
from tests.oracle.files import DATED, EARLY, write
from tests.oracle.judge import Judge
from tests.oracle.model import SET, SETTLED, Brought, Rank
from tests.oracle.nights import History, Step
from tests.oracle.operator import LATE_EFFECT, PACE
from tests.oracle.record import UNFINISHED, VALID, Begun, Command, Fate, own_rows

BEGIN = {"run", "undo"}
RESTART = "--restart"
REFRESH = "--refresh-after=2s"
NEWEST = f"--newest-by={DATED}"
MOST = 8
"""Commands that it may take to end a job once nothing interrupts it; a bound, not a promise."""

OVERTAKEN = "nothing of it is left to do, and nothing was sent"
"""What is said where the command of a job that was replaced is not done."""

TAKEN_BACK = "and its inputs hold the same as then: nothing was sent"
"""What is said where the command of a job that was taken back is not done."""

LEFT_OVERS = ("not_completed", "failed", "rejected")


class Player(Clerk):
    """Plays one history on one desk, and hands all that happened to the judge."""

    def __init__(self, desk: Desk, history: History) -> None:
        super().__init__(desk, history)
        self.state: dict[str, Feedback] = {}
        self._refused: Ended | None = None
        """What the latest command said, if it was not to overwrite newer rows."""

    def play(self) -> list[str]:
        """Do every step, then what is left to do; return all complaints."""
        for step in self._history.steps:
            self._do(step)
            if self._history.kind.waits:
                self._service.quiescent()
        for _ in range(MOST):
            job = self._unfinished()
            if job is not None:
                self._go_on(Step("finish", job.night), job)
        ended = self._unfinished() is None
        if not ended:
            self.complaints.append("J2: the last job does not come to its end")
        state = self._service.quiescent()
        for job in self.jobs:
            self._export(job)
        self.state = state
        return self.complaints + self.judge(all_ended=ended)

    def judge(self, *, all_ended: bool) -> list[str]:
        """Return what is wrong with what the service holds and has seen."""
        judge = Judge(self.jobs, self._service, LATE_EFFECT)
        return judge.complaints(self.state, all_ended=all_ended)

    # The steps.

    def _do(self, step: Step) -> None:
        self.operator.not_completed(step.unready)
        self._steps()[step.what](step)

    def _steps(self) -> dict[str, Callable[[Step], None]]:
        return {
            "night": self._night,
            "again": self._again,
            "fix": self._fix,
        }

    def _night(self, step: Step) -> None:
        kind, number = self._history.kind, len(self.jobs) + 1
        lines = self._history.nights[step.night]
        name = f"night{step.night}.{kind.formats[step.night % len(kind.formats)]}"
        write(self.desk.folder / name, lines, dated=kind.newest)
        rows = own_rows(lines, [(number, number)] * len(lines))
        if kind.newest:
            rows.sort(key=lambda row: not (row.feedback[1] or "").startswith(EARLY))
        self._begin(step, self._line(name, step), rows)

    def _again(self, step: Step) -> None:
        """Give the same command for the latest job of a night, or retry it."""
        found = [job for job in self.jobs if job.night == step.night and job.here]
        if not found:
            return
        job = found[-1]
        # A15: where the job that has replaced it is missing, it counts as given up.
        is_replaced = job.fate is Fate.REPLACED and self.jobs[job.number].lost_at < 0
        if is_replaced and not self._history.kind.takes:
            self._given_again(step, job)
        if job.fate in {Fate.GIVEN_UP, Fate.REPLACED}:
            return
        outcomes = self._outcomes(job) if job.fate is Fate.ENDED else {}
        left = outcomes.get("failed", 0) + outcomes.get("not_completed", 0)
        if job.rest_given_up_at >= 0 and left:
            return  # what it would try again is given up, but for what it had taken over
        if outcomes.get("failed") and not outcomes.get("not_completed"):
            self._retry(step, job)
        elif job.fate is Fate.UNFINISHED or outcomes.get("not_completed"):
            self._go_on(step, job)
        else:
            self._begin(step, list(job.line), self._anew(job))

    def _given_again(self, step: Step, job: Begun) -> None:
        """Give the command of a job that was replaced; J4: it overwrites nothing that is newer."""
        since, again = self.jobs[job.number :], self._anew(job)
        for later in since:
            self._export(later)
        begun = self._begin(step, list(job.line), again)
        refused = self._refused
        if refused is not None and not any(_brings(later, again) for later in since):
            self.complaints.append(f"J4: nothing is newer: {refused.text}")
        if begun is not None and job.sent_anything:
            new = {row.conversation: row for row in again if row.feedback[0] in VALID}
            for who, newer in _newest_set(since).items():
                if (
                    who in new
                    and new[who].rank > newer.rank
                    and new[who].feedback != newer.feedback
                ):
                    self.complaints.append(f"J4: {begun.folder} overwrites {newer}")

    def _fix(self, step: Step) -> None:
        """Fix a left-over file of a job that has ended, and pass it on."""
        found = [job for job in self.jobs if job.night == step.night and job.here]
        found = [job for job in found if job.fate is not Fate.UNFINISHED]
        for job in found:
            for name in LEFT_OVERS:
                left = self._job(job).left(name)
                if left:
                    self._pass_on(step, left)
                    return

    def _pass_on(self, step: Step, left: list[dict[str, str]]) -> None:
        number = len(self.jobs) + 1
        for line in left:
            line["comment"] = f"fix {number} of {line['comment'] or line['conversation_id']}"
            if line["rating"] == "dunno":
                line["rating"] = "POSITIVE"
        name = f"fixed{number}.csv"
        with (self.desk.folder / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, left[0].keys())
            writer.writeheader()
            writer.writerows(left)
        origins = {known.folder: self._origin(known.number) for known in self.jobs}
        named = [line["job"].split("#")[0].split("@")[0] for line in left]
        ranks: list[Rank] = [(origins[name], number) for name in named]
        lines = [(line["conversation_id"], line["rating"], line["comment"]) for line in left]
        rows = own_rows(lines, ranks)
        if self._history.kind.newest:
            rows.sort(key=lambda row: f" {EARLY}" not in (row.feedback[1] or ""))
        self._begin(step, self._line(name, step), rows)

    # The commands.

    def _line(self, name: str, step: Step) -> list[str]:
        options = [*step.options, *([NEWEST] if self._history.kind.newest else [])]
        options += ["--outcomes", WRITTEN] if self._history.kind.takes else []
        return self.desk.run_line(name, options=options, **PACE)

    def _go_on(self, step: Step, job: Begun) -> None:
        """Give the same command for a job that is unfinished, or not completed."""
        before = self._folders()
        ended, command = self._in_order(step, [*job.line], job)
        if self._folders() - before:
            if not self._may_be_given_up(job):
                self.complaints.append(f"J4: not the same job, but a new one: {command.words}")
            self._register(step, job.line, self._anew(job), before, [command])
            job = self.jobs[-1]
        self._noted(job, ended, command)

    def _may_be_given_up(self, job: Begun) -> bool:
        """J4, A17: whether all that is not completed of a job that has ended may be given up.

        Of a row that it had taken over it is not told which of the earlier jobs has brought it.
        """
        self._export(job)
        gave_up = [one for one in self.jobs[: job.number] if one.rest_given_up_at >= 0]
        return job.fate is Fate.ENDED and all(
            any(
                line["conversation_id"] in one.winners()
                for one in gave_up
                if (one is job) is (line["file"] != "carried over")
            )
            for line in job.exported
            if line["outcome"] == "not_completed"
        )

    def _retry(self, step: Step, job: Begun) -> None:
        given = flags(self._line("x", step))
        at = given.index("--canary")  # which only a new job has
        line = ["retry", str(self.desk.jobs_folder / job.folder), *given[:at], *given[at + 2 :]]
        ended, command = self._in_order(step, line, job)
        # Nothing that may be tried again is left, or other jobs forbid it: that is an end as well.
        if ended.code == 2 and not ended.steps and command.first == command.last:
            return
        self._noted(job, ended, command)

    def _begin(self, step: Step, line: list[str], rows: list[Brought]) -> Begun | None:
        """Begin a job, in whose way another may be; return it if it has begun."""
        before = self._folders()
        ended, command = self._in_order(step, line, None)
        if ended.code == 2 and ended.steps:
            return None
        commands = [command]
        # What is broken off before its first request is done again at once.
        while ended.code in UNFINISHED and command.first == command.last and len(commands) < 4:
            if not self._folders() - before:
                commands.clear()
            ended, command = self._in_order(Step("at once", step.night, way=step.way), line, None)
            commands.append(command)
        if ended.code == 2 and ended.steps:
            return None
        if not self._folders() - before:
            if line[0] != "undo" or ended.code:
                self.complaints.append(f"J4: no new job: {commands[-1].words}: {ended.text}")
            return None
        self._register(step, line, rows, before, commands)
        self._noted(self.jobs[-1], ended, command)
        return self.jobs[-1]

    def _anew(self, job: Begun) -> list[Brought]:
        """Return the rows of a job as its command brings them once more."""
        number = len(self.jobs) + 1
        # A fixed row keeps its origin, however often its file is passed.
        origins = [
            number if r.rank == (job.number, job.number) else self._origin(r.rank[0])
            for r in job.rows
        ]
        return [
            Brought((origin, number), r.position, r.conversation, r.feedback)
            for origin, r in zip(origins, job.rows, strict=True)
        ]

    def _origin(self, number: int) -> int:
        """Return the first number of the rank of what a job has brought: 0 if nobody knows it."""
        return 0 if number and self.jobs[number - 1].lost_at > -1 else number

    def _register(
        self,
        step: Step,
        line: Sequence[str],
        rows: list[Brought],
        before: set[str],
        commands: list[Command],
    ) -> None:
        """Enter the job whose folder is new; the last of the commands is entered when noted."""
        unfinished, new = self._unfinished(), self._folders() - before
        folder = self._latest(new)
        restarts, carries = RESTART in line, "--carry-over" in line
        skips = "--skip-unchanged" in line and not {RESTART, REFRESH} & set(line)
        resumes = tuple(part for part in line if part != RESTART)
        job = Begun(len(self.jobs) + 1, step.night, folder, resumes, rows, carries, skips)
        job.keeps = "--keep-bodies" in line
        job.forerunner = len(new) > 1
        job.commands = commands[:-1]
        self.jobs.append(job)
        if unfinished is not None:
            unfinished.fate, unfinished.over_at = Fate.REPLACED, commands[0].first
            unfinished.fresh = False  # its rejected rows are read to the end
            takes_over = carries and unfinished.carries
            if "--replace" in line or (restarts and unfinished.line == resumes):
                unfinished.fate = Fate.GIVEN_UP
            elif not takes_over and unfinished.sent_anything:
                self.complaints.append(f"A2: {unfinished.folder} was unfinished: {commands[0]}")

    def _latest(self, folders: set[str]) -> str:
        """Return the folder that was made last: one begun anew may change its forerunner's."""
        last = max(folders, key=lambda name: (self.desk.jobs_folder / name).stat().st_ctime_ns)
        command = last.rpartition("-")[0]
        same = [name for name in folders if name.rpartition("-")[0] == command]
        return max(same, key=lambda name: int(name.rpartition("-")[2]))

    def _in_order(self, step: Step, line: list[str], job: Begun | None) -> tuple[Ended, Command]:
        """Do a command; where an unfinished job is in the way, do about it what the step says."""
        self._look(line)
        ended, command = self.operator.command(step, line)
        unfinished = self._unfinished()
        is_refused = ended.code == 2 and any(why in ended.text for why in (OVERTAKEN, TAKEN_BACK))
        self._refused = ended if is_refused else None
        if self._refused is not None and command.last > command.first:
            self.complaints.append(f"J4: exit 2, but requests were sent: {command.words}")
        if ended.code != 2 or self._refused or unfinished is None or unfinished is job:
            return ended, command
        cleared = self._clear(step, line, ended, command, new=job is None)
        if cleared is None:
            return ended, command
        self._look(cleared)
        before = self._folders()
        ended, command = self.operator.command(step, cleared)
        if "--replace" in cleared and not self._folders() - before:
            # It came to its end before it began, and nothing is given up by that.
            unfinished.fate, unfinished.over_at = Fate.UNFINISHED, -1
        return ended, command

    def _look(self, line: list[str]) -> None:
        """Look around before a command that may begin a job."""

    def _clear(
        self, step: Step, line: list[str], ended: Ended, command: Command, *, new: bool
    ) -> list[str] | None:
        """Do about the unfinished job what the step says; return the command to give then."""
        unfinished = self._unfinished()
        assert unfinished is not None
        if command.last > command.first:
            self.complaints.append(f"A2: exit 2, but requests were sent: {command.words}")
        resume = [s for s in ended.steps if "--replace" not in s]
        replace = [s for s in ended.steps if "--replace" in s]
        # A retry is no new job: its second command gives the other one up, and is not followed.
        if not resume or (line[0] in BEGIN and not replace):
            self.complaints.append(f"A2: not two commands: {command.words}: {ended.text}")
            return None
        if step.way == "resume":
            for _ in range(MOST):
                if unfinished.fate is Fate.UNFINISHED:
                    self._noted(unfinished, *self.operator.command(Step("resume"), resume[0][1:]))
        elif step.way == "abandon":
            self.abandon(unfinished)
        elif step.way == "replace" and line[0] in BEGIN and new:
            self._give_up(unfinished)
            return replace[0][1:]
        else:
            return None
        return line

    def abandon(self, job: Begun) -> None:
        """Give a job up for good."""
        folder = str(self.desk.jobs_folder / job.folder)
        done = self.operator.tell(Step("abandon"), ["jobs", "abandon", folder])
        assert done.code == 0, done.text
        self._give_up(job)

    def _give_up(self, job: Begun) -> None:
        job.fate, job.fresh = Fate.GIVEN_UP, False
        job.over_at = len(self._service.log)


def _brings(job: Begun, rows: Sequence[Brought]) -> bool:
    """Tell whether a job has brought a row of one of the conversations of these."""
    return bool({row.conversation for row in job.brought()} & {row.conversation for row in rows})


def _newest_set(jobs: Sequence[Begun]) -> dict[str, Brought]:
    """Return the highest-ranked row of each conversation that one of the jobs has settled.

    Only those whose feedback the service holds for sure, as far as these jobs know.
    """
    found: dict[str, tuple[Brought, str]] = {}
    for job in jobs:
        ended = {
            line["row"]: line["outcome"]
            for line in job.exported
            if line["file"] != "carried over" and line["outcome"] in SETTLED
        }
        for who, row in job.winners().items():
            outcome = ended.get(str(row.position))
            if outcome and (who not in found or row.rank > found[who][0].rank):
                found[who] = row, outcome
    return {who: row for who, (row, outcome) in found.items() if outcome in SET}


def flags(line: list[str]) -> list[str]:
    """Return the options of a command that decide its pace, which `retry` takes as well."""
    at = line.index("--base-url") + 2
    own = {"--skip-unchanged", REFRESH, NEWEST, "--carry-over", "--keep-bodies"}
    return [part for part in line[at:] if part not in own]
