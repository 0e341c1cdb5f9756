"""Plays the steps that take something back: `undo`, `forget` and dropped comments."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace

from tests.oracle.caretaker import Caretaker
from tests.oracle.drive import Desk, Ended
from tests.oracle.forgotten import (
    Forgotten,
    comments_of,
    held_in,
    kept,
    kinds_of_outcomes,
    sent_though_gone,
)
from tests.oracle.known import Known, Taken
from tests.oracle.model import Brought
from tests.oracle.nights import History, Step
from tests.oracle.player import MOST, flags
from tests.oracle.record import Begun, Command, Fate
from tests.oracle.taken import Takings

_LINE = re.compile(r"^(restored|cleared|left|sent): (.*?)\s{2,}(\d+)\b", re.MULTILINE)
_LEFT_OVER = re.compile(r"^Left over .*?(\d+) rows?\b", re.MULTILINE)


class Taker(Caretaker):
    """Plays a history in which something may be taken back, and judges that as well."""

    def __init__(self, desk: Desk, history: History) -> None:
        super().__init__(desk, history)
        self._takings: list[Taken] = []
        self._looked: list[Taken] = []
        self._target: Begun | None = None
        self._clears = False
        self._forgotten: list[Forgotten] = []

    def judge(self, *, all_ended: bool) -> list[str]:
        """Add what is wrong with what was taken back, and what is still there of the forgotten."""
        found = super().judge(all_ended=all_ended)
        found += Takings(self.jobs, self._takings, self._service).complaints()
        found += sent_though_gone(self.jobs)
        for forgotten in self._forgotten:
            found += self._still_there(forgotten)
        return found

    def _steps(self) -> dict[str, Callable[[Step], None]]:
        return super()._steps() | {
            "undo": self._undo,
            "undo the undo": self._undo_the_undo,
            "undo again": self._undo_again,
            "forget": self._forget,
            "drop comments": self._drop,
        }

    # Undoing.

    def _undo(self, step: Step) -> None:
        found = [job for job in self.jobs if job.night == step.night and job.here]
        if found:
            self._take_back(step, found[-1])

    def _undo_the_undo(self, step: Step) -> None:
        found = [job for job in self.jobs if job.undoes and job.here]
        if found:
            self._take_back(step, found[-1])

    def _undo_again(self, step: Step) -> None:
        """Go on with the latest undo, by whatever is said to do that."""
        found = [job for job in self.jobs if job.undoes and job.here]
        if not found or found[-1].fate in {Fate.GIVEN_UP, Fate.REPLACED}:
            return
        undo = found[-1]
        outcomes = self._outcomes(undo) if undo.fate is Fate.ENDED else {}
        if outcomes.get("failed") and self._has_input(undo):
            self._retry(step, undo)
        elif undo.fate is Fate.UNFINISHED or (self._waits(undo) and undo.rest_given_up_at < 0):
            self._go_on(step, undo)
        elif outcomes.get("not_completed") and undo.undoes is not None and undo.undoes.here:
            self._take_back(step, undo.undoes)

    def _waits(self, job: Begun) -> bool:
        """Return whether a job has ended with rows that the same command tries again."""
        waits = bool(self._outcomes(job).get("not_completed"))
        return self._has_input(job) and job.fate is Fate.ENDED and waits

    def _has_input(self, job: Begun) -> bool:
        """Return whether a job's input is where it was, and as it was, if the job is an undo.

        J14, U8, U12: so it is only while the jobs folder is not moved, none of it is forgotten, and
        its comments are not dropped.
        """
        return job.undoes is None or (
            job.number > self.moved_after
            and job.undoes.dropped_at <= job.began_at
            and not any(row.conversation in job.forgotten for row in job.rows)
        )

    def _take_back(self, step: Step, target: Begun) -> None:
        unfinished = self._unfinished()
        if unfinished is not None and unfinished.undoes is target:
            # Its undo is resumed by the same command, and is no other one by other options.
            self._go_on(step, unfinished)
            return
        before = [job for job in self.jobs if job.undoes is target and job.here]
        if before and self._waits(before[-1]) and before[-1].rest_given_up_at < 0:
            # So are the rows of one that has ended which were not completed, with none in the way.
            self._go_on(step, before[-1])
            return
        options = ["--keep-bodies"] if "--keep-bodies" in step.options else []
        options += ["--clear-unknown"] if step.clears else []
        line = ["undo", target.folder, *options, *flags(self._line("x", step))]
        self._target, self._clears = target, step.clears
        if unfinished is target:
            self._give_up(target)
        undo = self._begin(step, [*line, "--yes"], [])
        target.fresh = False  # where it was unfinished, its rejected rows are read to the end
        looked = self._looked[-1]
        self._looked.clear()
        self._target = None
        self._note_rest(target, begun=undo is not None)
        if undo is not None:
            undo.night, undo.undoes = -1, target
            undo.rows = self._rows_of(undo)
            self.note_end(undo)
            looked.undo = undo
        elif target.fate is Fate.UNFINISHED or self._unfinished() is not None:
            return
        self._takings.append(looked)

    def _clear(
        self, step: Step, line: list[str], ended: Ended, command: Command, *, new: bool
    ) -> list[str] | None:
        """Note what the refused undo of a job has given up: what another one has taken over."""
        target = self._target
        is_given_up = re.search("(They are|It is) given up", ended.text)
        if target is not None and is_given_up and target.rest_given_up_at < 0:
            target.rest_given_up_at = len(self._service.log)
        return super()._clear(step, line, ended, command, new=new)

    def _note_rest(self, target: Begun, *, begun: bool) -> None:
        """Note whether what a job has left over was given up."""
        told = self.desk.do("jobs", "--json", "--jobs-dir", str(self.desk.jobs_folder))
        states = {one["job"]: one["state"] for one in json.loads(told.out)}
        if target.fate is Fate.GIVEN_UP and states[target.folder] not in {"given_up", "replaced"}:
            # The command came to its end before it did anything.
            target.fate, target.over_at = Fate.UNFINISHED, -1
        elif begun or not self.operator.refused:
            if target.rest_given_up_at < 0:
                target.rest_given_up_at = len(self._service.log)
            target.withdrawn_by = len(self.jobs) - begun

    def _look(self, line: list[str]) -> None:
        """Before an undo begins: remember how all jobs stand, and have the table shown."""
        if self._target is None or line[0] != "undo":
            return
        for job in self.jobs:
            self._export(job)
        known = [Known.of(job) for job in self.jobs]
        looked = Taken(self._target, known, len(self._service.log), self._clears)
        self._looked.append(looked)
        if self._unfinished() is None:
            given = [part for part in line if part not in {"--yes", "--replace"}]
            ended = self.operator.tell(Step("ask", self._target.night), given)
            if ended.code != 0 or len(self._service.log) != looked.at:
                self.complaints.append(f"U1: asking ended with {ended.code}: {ended.text}")
            looked.table = table(ended.text)

    def _told(self, text: str) -> None:
        """Compare the table of an undo that is done with the one that was shown before."""
        told = table(text)
        shown = self._looked[-1].table if self._looked else {}
        if told and shown and told != shown:
            self.complaints.append(f"U1: shown was {shown}, done {told}")

    def _rows_of(self, undo: Begun) -> list[Brought]:
        """Read what an undo sends, from the file that it is the input of."""
        assert undo.undoes is not None
        path = self.desk.jobs_folder / undo.undoes.folder / "undo.jsonl"
        numbers = {job.folder: job.number for job in self.jobs}
        found = []
        for position, text in enumerate(path.read_text("utf-8").splitlines(), 1):
            line = json.loads(text)
            rating, comment = line.get("rating"), line.get("comment")
            feedback = (None if rating in {"", "CLEAR"} else rating, comment or None)
            rank = (numbers[line["job"]], undo.number)
            found.append(Brought(rank, position, line["conversation_id"], feedback))
        return found

    # Forgetting.

    def _forget(self, step: Step) -> None:
        line = ["forget", *sorted(step.chosen)]
        if step.after % 2:
            (self.desk.folder / "requests.txt").write_text("\n".join(sorted(step.chosen)))
            line = ["forget", "--from", "requests.txt"]
        unfinished = self._unfinished()
        if not self.jobs or (unfinished and not self._settle(step, unfinished, line)):
            return
        before = self._standing()
        certificates = set(self.desk.jobs_folder.glob("forgotten-*.json"))
        if step.interruption in {"kill", "early"}:
            self.operator.kill_at_work(step, line)
        ended = self.operator.tell(step, line)
        if ended.code:
            self.complaints.append(f"U11: forget ended with {ended.code}: {ended.text}")
            return
        folders = frozenset(job.folder for job in self.jobs if job.here)
        count = len(self.jobs)
        forgotten = Forgotten(step.chosen, count, folders)
        self._forgotten.append(forgotten)
        for job in self.jobs:
            job.fresh = False
            job.hidden |= kept(job, step.chosen)
            for conversation in step.chosen:
                job.forgotten.setdefault(conversation, (len(self._service.log), count))
        self._compare(before, "U9")
        self.complaints += self._still_there(forgotten)
        new = set(self.desk.jobs_folder.glob("forgotten-*.json")) - certificates
        if not new:
            self.complaints.append("U11: no certificate")

    def _settle(self, step: Step, unfinished: Begun, line: list[str]) -> bool:
        """Try to forget while a job is unfinished, and bring it to an end if that is the way."""
        if unfinished.sent_anything:
            ended = self.operator.tell(replace(step, what="forget too early"), line)
            if ended.code != 2:
                self.complaints.append(f"U10: {ended.code} beside {unfinished.folder}")
        if step.way in {"abandon", "replace"}:
            self.abandon(unfinished)
        for _ in range(MOST if step.way == "resume" else 0):
            if unfinished.fate is Fate.UNFINISHED:
                self._go_on(Step("finish", unfinished.night), unfinished)
        return unfinished.fate is not Fate.UNFINISHED

    def _still_there(self, forgotten: Forgotten) -> list[str]:
        """Search what was there when conversations were forgotten for what is left of them."""
        folder = self.desk.jobs_folder
        words = {c: [c] for c in forgotten.conversations}
        for job in self.jobs[: forgotten.jobs]:
            for row in job.rows:
                if row.conversation in words and row.feedback[1]:
                    words[row.conversation].append(row.feedback[1])
        again = {row.conversation for job in self.jobs[forgotten.jobs :] for row in job.rows}
        found = []
        for name in forgotten.folders:
            found += held_in(folder / name, words)
        for path in [*folder.glob("ledger-*"), *folder.glob("forgotten-*")]:
            found += held_in(path, {c: w for c, w in words.items() if c not in again})
        return [f"U8: {what}" for what in found]

    def _drop(self, step: Step) -> None:
        if not self.jobs:
            return
        before = self._standing()
        line = ["jobs", "prune", "--comments-after", "0"]
        if step.interruption in {"kill", "early"}:
            self.operator.kill_at_work(step, line)
        ended = self.operator.tell(step, line)
        if ended.code:
            self.complaints.append(f"U12: {ended.code}: {ended.text}")
            return
        unfinished = self._unfinished()
        keep = [] if unfinished is None else [unfinished, unfinished.undoes]
        # U12: also what jobs have left over whose folders are gone.
        dropped = [job for job in self.jobs if job not in keep]
        kept_texts = {text for job in keep if job is not None for text in comments_of(job)}
        kept_texts |= self._comments_taken_over_by([job for job in keep if job is not None])
        for job in self.jobs:
            job.fresh = False
        for job in dropped:
            if not job.dropped_by(len(self._service.log)):
                job.dropped_at = len(self._service.log)
            texts = comments_of(job) - kept_texts
            held = held_in(self.desk.jobs_folder / job.folder, {job.folder: sorted(texts)})
            self.complaints += [f"U12: {what}" for what in held]
            self.complaints += self._no_steps(job)
        for path in self.desk.jobs_folder.glob("ledger-*"):
            texts = {t for job in dropped for t in comments_of(job)} - kept_texts
            self.complaints += [f"U12: {what}" for what in held_in(path, {"": sorted(texts)})]
        self._compare(before, "U12")

    def _comments_taken_over_by(self, jobs: list[Begun]) -> set[str]:
        """Return what rows may say that these jobs have taken over.

        Which those are they tell once the rows have an outcome; before, they may be any.
        """
        if any(job.carries and job.fate is Fate.UNFINISHED for job in jobs):
            return {text for job in self.jobs for text in comments_of(job)}
        lines = [line for job in jobs for line in job.exported if line["file"] == "carried over"]
        held = {line["conversation_id"] for line in lines}
        rows = [row for job in self.jobs for row in job.rows if row.conversation in held]
        return {row.feedback[1] for row in rows if row.feedback[1]}

    def _no_steps(self, job: Begun) -> list[str]:
        path = self.desk.jobs_folder / job.folder / "summary.json"
        steps = json.loads(path.read_text("utf-8"))["next_steps"] if path.exists() else []
        return [f"U12: {job.folder} still names next steps: {steps}"] if steps else []

    def _standing(self) -> dict[int, dict[str, dict[str, str]]]:
        """Return what each job that is here says of each of its rows, by the row's number."""
        for job in self.jobs:
            self._export(job)
        return {job.number: {r["seq"]: r for r in job.exported} for job in self.jobs if job.here}

    def _compare(self, before: dict[int, dict[str, dict[str, str]]], promise: str) -> None:
        """Complain where a job says something else than before of what had to stay."""
        after = self._standing()
        for job in self.jobs:
            if job.number in before:
                hidden = set(job.hidden) if promise == "U9" else set()
                was, now = before[job.number], after[job.number]
                differs = kinds_of_outcomes(was, hidden) != kinds_of_outcomes(now, hidden)
                if differs:
                    rows = [s for s in was.keys() | now.keys() if was.get(s) != now.get(s)]
                    told = "; ".join(f"{was.get(s)} -> {now.get(s)}" for s in rows[:2])
                    self.complaints.append(f"{promise}: {job.folder} says otherwise: {told}")


def table(text: str) -> dict[str, int]:
    """Read the table that an undo shows, empty if there is none."""
    found: dict[str, int] = {}
    for what, words, count in _LINE.findall(text):
        why = {"a": " later", "taken": " back"}.get(words.split()[0], "")
        found[what + why] = found.get(what + why, 0) + int(count)
    if found:  # what is not known is on lines of one kind or of the other
        found = {"cleared": 0, "left": 0} | found
    left_over = _LEFT_OVER.search(text)
    return found | ({"left over": int(left_over[1])} if left_over and found else {})
