"""Makes up histories of nights from a seed, and plays them as a person and a cron job would."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from random import Random

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
from tests.oracle.drive import Desk, Ended, Row, conversation
from tests.oracle.model import Brought, Model
from tests.oracle.requests import Request

PACE = {"outage_for": "600ms", "concurrency": "4", "canary": "0"}
MOST = 5
"""Commands that it may take to end a job once nothing interrupts it; a bound, not a promise."""

UNFINISHED = {3, 6, 129, 130, 143, -9}
LOSSES = {
    "reset": reset,
    "end_of_stream": end_of_stream,
    "broken_body": broken_body,
    "silence": silence,
}


@dataclass(frozen=True)
class Kind:
    """A kind of history: what may happen in it."""

    name: str
    options: tuple[str, ...] = ()
    any_order: bool = False
    """Jobs are left and resumed later; else each one is brought to its end first."""

    late: bool = True
    """Requests may take effect late."""

    waits: bool = True
    """The next command is given when nothing can take effect any more."""

    interruptions: tuple[str, ...] = ("stop", "outage", "kill")
    window: float = 0.6
    """How long a request may take effect late; the command is told somewhat more."""

    troubled: float = 0.17
    """The share of the rows whose first requests do not go well."""


@dataclass(frozen=True)
class Step:
    """One command of a history, and what interrupts it after so many PUTs."""

    what: str
    night: int
    interruption: str = ""
    after: int = 0


@dataclass
class History:
    """Nights with their rows and the troubles of these, and the steps through them."""

    kind: Kind
    seed: int
    nights: list[list[Row]] = field(default_factory=list)
    troubles: dict[str, list[str]] = field(default_factory=dict)
    """By comment, what happens to the first requests of a row."""

    steps: list[Step] = field(default_factory=list)

    def __str__(self) -> str:
        """Tell the history whole, so that a failure can be read without running it again."""
        lines = [f"history of kind {self.kind.name}, seed {self.seed}"]
        lines += [f"  {step}" for step in self.steps]
        lines += [f"  {comment!r}: {', '.join(what)}" for comment, what in self.troubles.items()]
        return "\n".join(lines)


def invent(kind: Kind, seed: int) -> History:
    """Make up a history; the same kind and seed make the same one."""
    random = Random(f"{kind.name} {seed}")
    history = History(kind, seed)
    pool = range(1, random.randint(21, 61))
    for night in range(random.choice([4, 4, 4, 5, 6, 8])):
        chosen = random.sample(pool, random.randint(len(pool) // 2, len(pool)))
        words = ("POSITIVE", "NEGATIVE")
        lines = [(conversation(n), random.choice(words), f"night {night} of {n}") for n in chosen]
        history.nights.append(lines)
        for _, _, comment in random.sample(lines, round(len(lines) * kind.troubled)):
            history.troubles[comment] = [
                _trouble(random, kind) for _ in range(random.randint(1, 2))
            ]
    left: list[int] = []
    for night in range(len(history.nights)):
        history.steps.append(_step(random, kind, "begin", night))
        left.append(night)
        if kind.any_order:
            if random.random() < 0.5:
                history.steps.append(_step(random, kind, "go on", random.choice(left)))
        else:
            history.steps += [
                _step(random, kind, "go on", night) for _ in range(random.randint(0, 1))
            ]
            history.steps.append(Step("finish", night))
    random.shuffle(left)
    history.steps += [Step("go on", night) for night in left if kind.any_order]
    return history


def _trouble(random: Random, kind: Kind) -> str:
    what = random.choice(["429", "422", "500", "502", "503", "504", *LOSSES])
    effects = ["never", "now", "late"] if kind.late else ["never", "now"]
    return what if what[0] == "4" else f"{what} {random.choice(effects)}"


def _step(random: Random, kind: Kind, what: str, night: int) -> Step:
    interruption = random.choice(["", *kind.interruptions])
    return Step(what, night, interruption, random.randint(1, 20) if interruption else 0)


class Player:
    """Plays one history on one desk, and hands all that happened to the model."""

    def __init__(self, desk: Desk, history: History) -> None:
        self._desk = desk
        self._service = desk.service
        self._history = history
        self._codes: dict[int, int] = {}
        self._pace = {**PACE, "late_effect": f"{history.kind.window + 0.4:g}s"}
        self._troubles = {c: list(what) for c, what in history.troubles.items()}
        self._service.rules.append(self._answer)

    def play(self) -> list[str]:
        """Do every step, then what is left to do; return the model's complaints."""
        for step in self._history.steps:
            self._do(step)
            if self._history.kind.waits:
                self._service.quiescent()
        for night in self._codes:
            self._do(Step("finish", night))
        state = self._service.quiescent()
        ended = not UNFINISHED & set(self._codes.values())
        complaints = Model(self._brought(), self._service.log).complaints(state, all_ended=ended)
        return complaints if ended else [f"not all jobs ended: {self._codes}", *complaints]

    def _answer(self, request: Request) -> Answer:
        left = self._troubles.get(str(request.body.get("comment")))
        if not left:
            return slow(OK, 0.01)
        what, _, effect = left.pop(0).partition(" ")
        window = self._history.kind.window
        applies = {"never": None, "now": NOW, "late": window}[effect or "never"]
        return (
            LOSSES[what](applies=applies) if what in LOSSES else status(int(what), applies=applies)
        )

    def _line(self, night: int) -> list[str]:
        return self._desk.run_line(
            f"night{night}.csv", options=self._history.kind.options, **self._pace
        )

    def _do(self, step: Step) -> None:
        night, code = step.night, self._codes.get(step.night)
        if step.what == "finish":
            for _ in range(MOST):
                if self._codes[night]:
                    self._do(Step("go on", night))
        elif step.what == "begin":
            self._desk.write(f"night{night}.csv", self._history.nights[night])
            ended = self._interrupted(step, self._line(night))
            # Where an unfinished job is in the way, that one is resumed first.
            if ended.code == 2:
                ended = self._desk.insist(*self._line(night))
                self._codes = {n: 0 if c in UNFINISHED else c for n, c in self._codes.items()}
            self._note(step, ended)
        elif code in UNFINISHED or code == 5:
            self._note(step, self._interrupted(step, self._line(night)))
        elif code == 1:
            job = self._desk.job(f"night{night}.csv")
            ended = self._desk.retry(job, **self._pace)
            # Nothing that may be tried again is left: that is an end as well.
            if ended.code == 2:
                ended = Ended(1 if ended.steps else 0, ended.out, ended.err)
            self._note(step, ended)

    def _note(self, step: Step, ended: Ended) -> None:
        assert ended.code in UNFINISHED | {0, 1, 5}, f"{step}: {ended.text}"
        self._codes[step.night] = ended.code

    def _interrupted(self, step: Step, arguments: list[str]) -> Ended:
        target = len(self._service.puts) + step.after
        running = self._desk.start(*arguments)
        if step.interruption:
            while running.process.poll() is None and not self._service.reached(target):
                pass
        if step.interruption == "kill":
            return running.kill()
        if step.interruption == "outage":
            self._service.die()
        elif step.interruption == "stop" and running.process.poll() is None:
            running.send(signal.SIGTERM)
        ended = running.wait()
        if step.interruption == "outage":
            self._service.start()
        return ended

    def _brought(self) -> list[Brought]:
        rows: list[Brought] = []
        for number, night in enumerate(self._codes):
            exported = self._desk.outcomes(self._desk.job(f"night{night}.csv"))
            outcomes = {int(r["row"]): r["outcome"] for r in exported}
            for position, (c, rating, comment) in enumerate(self._history.nights[night], 1):
                outcome = outcomes.get(position, "pending")
                rank = (number, number)
                rows.append(Brought(rank, position, c, (rating, comment), outcome))
        return rows
