"""Taking a job back, over invented histories: what is sent is what the service held before.

The journals are real files. The service is a table that knows what it has held at any time, also of
requests whose answer never came.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import NamedTuple

import pytest

from importer.feedback.body import BodyCoder
from importer.jobs.bodies import write_bodies
from importer.jobs.entry import Entry
from importer.jobs.identity import product_key
from importer.jobs.inputs import UNDO_NAME
from importer.jobs.job import Job
from importer.model import Feedback, Meaning, Outcome, OutcomeKind, Reason
from importer.workflows.undo_job import UndoTable, plan_undo
from tests.support.data import conversation
from tests.support.jobs import Desk, finish

HISTORIES = 60
_CONVERSATIONS = 5
_RATINGS = (Meaning.POSITIVE, Meaning.NEGATIVE, Meaning.CLEAR, None)
_COMMENTS = (None, "first\nthought", "second “thought”", "\x00 third")


class Body(NamedTuple):
    rating: Meaning | None
    comment: str | None


class Fate(Enum):
    """What becomes of a row."""

    STORED = auto()
    REFUSED = auto()
    #: Its attempts ran out, and one of them may have been stored.
    EXHAUSTED = auto()
    #: The process was killed after the request.
    CUT = auto()
    #: It was killed before.
    NOT_SENT = auto()


_KILLS = (Fate.CUT, Fate.NOT_SENT)


@dataclass
class Past:
    """A job as it was: by conversation what it would store, and what became of that."""

    name: str
    rows: dict[int, tuple[Body, Fate]]
    keeps: bool
    #: What the service held before it.
    before: dict[int, Body | None]
    here: bool = True

    def fate(self, number: int) -> Fate | None:
        return self.rows[number][1] if number in self.rows else None


@dataclass
class World:
    desk: Desk
    chance: random.Random
    held: dict[int, Body | None] = field(default_factory=dict)
    past: list[Past] = field(default_factory=list)

    def night(self) -> None:
        """Let a job send some rows, and end or be killed and given up by the next one."""
        chance = self.chance
        numbers = [n for n in range(1, _CONVERSATIONS + 1) if chance.random() < 0.7] or [1]
        killed = chance.random() < 0.3
        fates = [*([*Fate] if killed else [f for f in Fate if f not in _KILLS]), *[Fate.STORED] * 4]
        rows = {n: (self._body(n), chance.choice(fates)) for n in numbers}
        keeps = chance.random() < 0.7
        before = {n: self.held.get(n) for n in numbers}
        seqs = dict(enumerate(numbers, 1))
        settings = self.desk.settings("a", restart=True)
        coder = BodyCoder(*product_key(settings))
        with self.desk.run("a", rows=len(rows), restart=True) as job:
            if keeps:
                write_bodies(job.folder, [
                    Feedback(seq, conversation(n), *rows[n][0]) for seq, n in seqs.items()
                ])  # fmt: skip
            job.journal.mark([(seq, conversation(n)) for seq, n in seqs.items()])
            for seq, n in seqs.items():
                self._send(job, seq, n, *rows[n], coder)
            if not killed:
                finish(job)
            self.past.append(Past(job.folder.name, rows, keeps, before))

    def _send(
        self, job: Job, seq: int, number: int, body: Body, fate: Fate, coder: BodyCoder
    ) -> None:
        may_arrive = fate in (Fate.EXHAUSTED, Fate.CUT) and self.chance.random() < 0.5
        if fate is Fate.STORED or may_arrive:
            self.held[number] = body
        if fate in _KILLS:
            return
        kind, reason = {
            Fate.STORED: (OutcomeKind.SUCCEEDED, None),
            Fate.REFUSED: (OutcomeKind.FAILED, Reason.REFUSED),
            Fate.EXHAUSTED: (OutcomeKind.FAILED, Reason.RETRIES_EXHAUSTED),
        }[fate]
        entry = Entry(at=1.0)
        entry.outcomes.append(Outcome(seq, kind, conversation(number), reason, attempts=1))
        entry.bodies[seq] = coder(*body) if fate is Fate.STORED else None
        if fate is Fate.EXHAUSTED:
            entry.opened.append((seq, conversation(number)))
            entry.left_over.append(Feedback(seq, conversation(number), *body))
        job.journal.write(entry)

    def _body(self, number: int) -> Body:
        comment = self.chance.choice(_COMMENTS)
        comment = None if comment is None else f"{comment} of {number}"
        body = Body(self.chance.choice(_RATINGS), comment)
        return body if body != (None, None) else Body(Meaning.POSITIVE, None)

    def prune(self) -> None:
        """Remove an old job, after the jobs after it have ended."""
        with self.desk.hold("a") as product:
            old = [job for job in product.jobs if product.may_be_pruned(job)]
            if old:
                job = self.chance.choice(old)
                product.prune(job)
                self.past[job.number - 1].here = False

    def may_be_taken_back(self) -> list[int]:
        return [at for at, job in enumerate(self.past) if job.here]

    # What should become of it.

    def expected(self, at: int, *, clear_unknown: bool) -> dict[int, Body]:
        """Return what the undo of that job sends, by conversation."""
        found = {}
        for number in self.past[at].rows:
            if self._is_later(at, number):
                continue
            if (waits := self.waits(at, number)) is not None:
                found[number] = waits
            elif self._has_touched(self.past[at], number):
                body = self._known_before(at, number)
                if body is not None or clear_unknown:
                    found[number] = body or Body(Meaning.CLEAR, None)
        return found

    def waits(self, at: int, number: int) -> Body | None:
        """Return what is left over right below the job's row: without that, it would be sent."""
        for job in reversed(self.past[:at]):
            if not job.here:
                return None
            if number in job.rows:
                body, fate = job.rows[number]
                return body if fate is Fate.EXHAUSTED else None
        return None

    @staticmethod
    def _has_touched(job: Past, number: int) -> bool:
        """A row that was killed in the window it was marked in may have been sent."""
        return job.fate(number) not in (None, Fate.REFUSED)

    def _is_later(self, at: int, number: int) -> bool:
        return any(number in job.rows for job in self.past[at + 1 :])

    def _known_before(self, at: int, number: int) -> Body | None:
        for job in reversed(self.past[:at]):
            if not job.here:
                return None
            fate = job.fate(number)
            if fate is Fate.STORED:
                body = job.rows[number][0]
                return body if body.comment is None or self._is_kept(number, body) else None
            if fate not in (None, Fate.REFUSED):
                return None
        return None

    def _is_kept(self, number: int, body: Body) -> bool:
        return any(
            job.here and number in job.rows and job.rows[number][0] == body
            and (job.keeps or job.rows[number][1] is Fate.EXHAUSTED)
            for job in self.past
        )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_what_is_sent_is_what_was_held_before_the_job(tmp_path: Path, part: int) -> None:
    restored = 0
    for seed in range(part, HISTORIES, 4):
        chance = random.Random(seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        world = World(Desk(folder), chance)
        for _ in range(chance.randint(2, 5)):
            world.night()
            if chance.random() < 0.15:
                world.prune()
        at = chance.choice(world.may_be_taken_back()[-2:])
        clear_unknown = chance.random() < 0.5
        sent = sent_by_undo(world, at, clear_unknown=clear_unknown)
        assert sent == {
            conversation(number): (body, world.past[at].name)
            for number, body in world.expected(at, clear_unknown=clear_unknown).items()
        }, f"seed {seed}"
        restored += any(body != (Meaning.CLEAR, None) for body, _ in sent.values())
    assert restored > 2  # or nothing was tried


def sent_by_undo(world: World, at: int, *, clear_unknown: bool) -> dict[str, tuple[Body, str]]:
    """Plan the undo of a job; return what it sends, and check that against what was held."""
    job = world.past[at]
    folder = world.desk.jobs_dir / job.name
    settings = world.desk.settings("undo", replace=True).replace(inputs=[folder / UNDO_NAME])
    found = plan_undo(settings, folder, clear_unknown=clear_unknown, write=True)
    assert isinstance(found, UndoTable)
    lines = (folder / UNDO_NAME).read_text("ascii").splitlines() if found.to_send else []
    assert len(lines) == found.to_send
    sent = {}
    for line in map(json.loads, lines):
        rating = line["rating"] and Meaning(line["rating"])
        sent[line["conversation_id"]] = (Body(rating, line["comment"]), line["job"])
    cleared = {each for each, (body, _) in sent.items() if body == (Meaning.CLEAR, None)}
    for number, held in job.before.items():
        is_restored = conversation(number) in sent and conversation(number) not in cleared
        if is_restored and world.waits(at, number) is None:
            assert sent[conversation(number)][0] == held
    return sent
