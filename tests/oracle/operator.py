"""Gives the commands of a history, interrupts them, and keeps a diary."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable
from contextlib import suppress

from tests.oracle.answers import (
    NOW,
    OK,
    Answer,
    broken_body,
    end_of_stream,
    reset,
    silence,
    slow,
    status,
)
from tests.oracle.drive import Desk, Ended, Running
from tests.oracle.nights import ATTEMPTS, History, Step, sign
from tests.oracle.record import Command
from tests.oracle.requests import Request

PACE = {
    # Longer than a busy machine takes to answer: else a row is granted, and its answer lost.
    "read-timeout": "2s",
    "outage-for": "3s",
    "concurrency": "4",
    "canary": "0",
    "max-attempts": str(ATTEMPTS),
    "late-effect": "1s",
}
WINDOW, LATE_EFFECT = 0.5, 1.0
"""Seconds: how long a request may take effect late, and what the command is told."""

SLICES = ("limit", "box")
"""What a command is given to end before its job."""

LOSSES = {
    "reset": reset,
    "end_of_stream": end_of_stream,
    "broken_body": broken_body,
    "silence": silence,
}


class Operator:
    """Knows the desk and the service, and nothing of jobs."""

    def __init__(self, desk: Desk, history: History) -> None:
        self.desk = desk
        self.diary: list[str] = []
        """What was done, and how it ended."""

        self.complaints: list[str] = []
        self.refused = False
        """Whether the last command ended with 2, or was killed."""

        self._service = desk.service
        self._troubles = {c: list(what) for c, what in history.troubles.items()}
        self._unready: frozenset[str] = frozenset()
        self._service.rules.append(self._answer)

    def _answer(self, request: Request) -> Answer:
        if request.conversation in self._unready:
            return status(409)
        left = self._troubles.get(sign(request.conversation, request.feedback))
        if not left:
            return slow(OK, 0.01)
        what, _, effect = left.pop(0).partition(" ")
        applies = {"never": None, "now": NOW, "late": WINDOW}[effect or "never"]
        return (
            LOSSES[what](applies=applies) if what in LOSSES else status(int(what), applies=applies)
        )

    def not_completed(self, conversations: frozenset[str]) -> None:
        """Let these conversations be in progress from now on, and no others."""
        self._unready = conversations
        self._service.statuses.clear()
        self._service.statuses.update({c: ["IN_PROGRESS"] for c in conversations})

    def command(self, step: Step, line: Iterable[str]) -> tuple[Ended, Command]:
        """Do a command with the interruption of the step, and enter it in the diary."""
        line = [*self._with_folder(line), *_slice(step)]
        time.sleep(0.05)
        first, began = len(self._service.log), time.monotonic()
        running = self.desk.start(*line)
        target = self._service.count + step.after
        if step.interruption == "early":
            time.sleep(0.03 * step.after)
            running.process.kill()
        elif step.interruption not in {"", *SLICES}:
            while running.process.poll() is None and not self._service.reached(target):
                pass
            self._interrupt(step.interruption, running)
        ended = running.wait()
        if ended.code < 0:
            self._service.read_all()
        self.refused = ended.code in {2, -9}
        if step.interruption == "outage":
            self._service.start()
        last = len(self._service.log)
        words = f"{step} -> {ended.code}, requests {first} to {last}"
        self.diary.append(words)
        assert "Traceback" not in ended.text, ended.text
        assert "Usage: " not in ended.text, ended.text
        if step.interruption == "limit":
            sent = {r.conversation for r in self._service.log[first:last] if r.method == "PUT"}
            if len(sent) > step.after:
                self.complaints.append(f"V10: {len(sent)} conversations were sent: {words}")
        broken_off = step.interruption in {"kill", "early", "outage", "quit"}
        times = (began, time.monotonic())
        return ended, Command(words, first, last, *times, ended.code, broken_off)

    def _interrupt(self, what: str, running: Running) -> None:
        if what == "outage":
            self._service.die()
        elif running.process.poll() is None:
            if what == "overlap":
                self._overlap()
            elif what == "quit":
                running.send(signal.SIGINT)
                time.sleep(0.02)
                running.send(signal.SIGINT)
            else:
                running.send(signal.SIGTERM if what == "stop" else signal.SIGKILL)

    def _overlap(self) -> None:
        """Begin an empty import beside a run: while that one is at work, it must not begin."""
        name = "empty.csv"
        self.desk.write(name, [])
        line = self._with_folder(self.desk.run_line(name, **PACE))
        ended = self.desk.do(*line)
        self.diary.append(f"  beside it -> {ended.code}")
        if ended.code not in {0, 2, 4}:
            self.complaints.append(f"A1: {ended.code} beside another run: {ended.text}")

    def kill_at_work(self, step: Step, line: list[str]) -> None:
        """Begin a command that sends nothing, and kill it a moment after its first change."""
        before = self._files()
        running = self.desk.start(*self._with_folder(line))
        while running.process.poll() is None and self._files() == before:
            pass
        time.sleep(0.002 * step.after)
        running.process.kill()
        self.diary.append(f"{step}: killed -> {running.wait().code}")

    def _files(self) -> dict[str, tuple[int, int]]:
        """Return size and time of each file of the jobs folder."""
        found = {}
        for path in self.desk.jobs_folder.rglob("*"):
            with suppress(FileNotFoundError):
                state = path.stat()
                found[str(path)] = (state.st_size, state.st_mtime_ns)
        return found

    def tell(self, step: Step, line: list[str]) -> Ended:
        ended = self.desk.do(*self._with_folder(line))
        self.diary.append(f"{step} -> {ended.code}")
        return ended

    def _with_folder(self, line: Iterable[str]) -> list[str]:
        """Name the jobs folder, wherever it is now."""
        given = list(line)
        if "--jobs-dir" in given:
            at = given.index("--jobs-dir")
            given = given[:at] + given[at + 2 :]
        return [*given, "--jobs-dir", str(self.desk.jobs_folder)]


def _slice(step: Step) -> list[str]:
    if step.interruption == "limit":
        return ["--limit", str(step.after)]
    return ["--max-duration", f"{50 * step.after}ms"] if step.interruption == "box" else []
