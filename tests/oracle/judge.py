"""Judges a history that was played, promise by promise."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from tests.oracle.answers import Feedback
from tests.oracle.model import NOTHING, SET, SETTLED, Brought, Model
from tests.oracle.record import Begun, Command, Fate
from tests.oracle.requests import Request
from tests.oracle.service import Service


class Judge:
    """Knows all jobs, and all that the service saw; `complaints` compares the two."""

    def __init__(self, jobs: list[Begun], service: Service, late_effect: float) -> None:
        self._jobs = jobs
        self._service = service
        self._late_effect = late_effect
        self._commands = sorted((c for job in jobs for c in job.commands), key=lambda c: c.began)
        for command, following in pairwise(self._commands):
            # What a killed command had sent is read by a busy service after its end.
            command.last = following.first
        self._sent: list[tuple[Request, Brought, Begun, Command]] = []
        self._effects: dict[str, list[tuple[int, Feedback]]] = defaultdict(list)
        for effect in service.effects:
            self._effects[effect.conversation].append((effect.after, effect.feedback))

    def complaints(self, state: dict[str, Feedback], *, all_ended: bool) -> list[str]:
        """Return all that is wrong, in words, each with the promise that is broken."""
        found = [f"S3: in flight at once: {a} {b}" for a, b in self._service.overlaps]
        found += self._attribute()
        given_up = False
        for job in reversed(self._jobs):
            # What a job took over is given up with it: the next job is the one that replaced it.
            given_up = job.fate is Fate.GIVEN_UP or (job.fate is Fate.REPLACED and given_up)
            _enter_outcomes(job, given_up=given_up)
        everything = [row for job in self._jobs for row in (*job.brought(),)]
        found += [f"A19: {c}" for c in Model(everything).complaints(state, all_ended=all_ended)]
        for put, row, job, command in self._sent:
            found += self._gives_way(put, row, job, command)
            found += self._waits(put, row, job, command)
            found += self._given_up(put, row, command)
        found += self._repeats()
        for job in self._jobs:
            found += self._unchanged(job)
            found += self._sent_again(job)
            found += self._not_carried(job)
        return found

    def _attribute(self) -> Iterator[str]:
        """Find the row of each PUT, among those of the job and those that it took over."""
        for job in self._jobs:
            winners = job.winners()
            carried: dict[tuple[str, Feedback], Brought] = {}
            for command in job.commands:
                for put in self._service.log[command.first : command.last]:
                    if put.method != "PUT":
                        continue
                    row = winners.get(put.conversation)
                    if row is None or row.feedback != put.feedback:
                        row = carried.get((put.conversation, put.feedback))
                    if row is None and job.carries:
                        row = self._earlier(job, put.conversation, put.feedback)
                        if row is not None:
                            carried[put.conversation, put.feedback] = row
                            job.carried.append(row)
                    if row is None:
                        yield f"S4: job {job.number} sent what it had not to send: {put}"
                        continue
                    row.sent.append(put)
                    self._sent.append((put, row, job, command))
        self._sent.sort(key=lambda sent: sent[0].number)
        for job in self._jobs:
            self._find_carried(job)

    def _earlier(
        self, job: Begun, conversation: str, feedback: Feedback | None = None
    ) -> Brought | None:
        """Find the row of an earlier job that the job took over; it keeps its rank."""
        found = [
            row
            for other in self._jobs
            if other.number < job.number
            for row in other.brought()
            if row.conversation == conversation and feedback in {None, row.feedback}
            if not other.gave_up(row, job.began_at)
        ]
        if not found:
            return None
        best = max(found, key=lambda row: row.rank)
        return Brought(best.rank, best.position, conversation, best.feedback)

    def _find_carried(self, job: Begun) -> None:
        """Add what was taken over and never sent, where its outcome claims something."""
        known = {row.conversation for row in job.carried}
        for line in job.exported:
            conversation = line["conversation_id"]
            if line["file"] == "carried over":
                job.listed.add(conversation)
                if conversation not in known and line["outcome"] in {"not_completed", "unchanged"}:
                    row = self._earlier(job, conversation)
                    if row is not None:
                        job.carried.append(row)

    def _gives_way(self, put: Request, row: Brought, job: Begun, command: Command) -> Iterator[str]:
        """A6 1 and 2: what ranks below a settled row, or below a job that is missing."""
        floor = self._floor(command.first, job)
        if row.rank[0] < floor:
            yield f"A6.2: {row.rank} below the floor {floor} was sent: {put}"
        for other in self._jobs:
            missing = -1 < other.lost_at <= command.first
            if other is job or missing or not other.over_by(command.first):
                continue
            for above in other.brought():
                same = above.conversation == put.conversation
                if same and above.rank > row.rank and above.outcome in SETTLED:
                    yield f"A6.1: {row.rank} was sent, {above.rank} is {above.outcome}: {put}"

    def _given_up(self, put: Request, row: Brought, command: Command) -> Iterator[str]:
        """A17: what was given up is sent by no job, also by one that had taken it over before."""
        brought_by = next((job for job in self._jobs if job.number == row.rank[1]), None)
        if brought_by is not None and brought_by.has_given_up_by(command.first):
            is_undo = brought_by.undoes is not None  # which may have sent rows of others (U2)
            if not is_undo:
                yield f"A17: {row.rank} was sent after it was given up: {put}"

    def _waits(self, put: Request, row: Brought, job: Begun, command: Command) -> Iterator[str]:
        """A6 6: another job's request for the conversation may still take effect."""
        if put.at - command.began >= self._late_effect:
            return
        for other, sent, owner, run in self._sent:
            if other.number >= put.number:
                break
            if owner is job or other.definite or not put.differs_from(other):
                continue
            between = [c for c in self._commands if run.first < c.first < command.first]
            if all(c.ended - c.began < self._late_effect for c in between):
                yield (
                    f"A6.6: {row.rank} sent after {put.at - command.began:.2f} s,"
                    f" {sent.rank} of job {owner.number} is open: {put}"
                )

    def _repeats(self) -> Iterator[str]:
        """A20: a row is sent again after it was granted only where the answer may be lost."""
        granted: Counter[tuple[str, Feedback, tuple[int, int]]] = Counter()
        excused: Counter[tuple[str, Feedback, tuple[int, int]]] = Counter()
        for put, row, _, command in self._sent:
            key = (row.conversation, row.feedback, row.rank)
            if put.answered == "200":
                granted[key] += 1
                excused[key] += command.broken_off
        for key, count in granted.items():
            if count > 1 + excused[key]:
                yield f"A20: granted {count} times, {excused[key]} excused: {key}"

    def _held_at(self, conversation: str, count: int) -> Feedback:
        """Return what the service held when so many requests had come."""
        effects = self._effects[conversation]
        place = bisect_right(effects, count, key=lambda effect: effect[0])
        return effects[place - 1][1] if place else NOTHING

    def _unchanged(self, job: Begun) -> Iterator[str]:
        """A7, A11: unchanged is what the service holds, and what nothing can change."""
        for row in job.brought():
            if row.outcome != "unchanged":
                continue
            held = self._held_at(row.conversation, job.began_at)
            if held != row.feedback:
                yield f"A11: {row.rank} {row.feedback} unchanged, held was {held}"
            puts = [p.number for p, r, _, _ in self._sent if r.conversation == row.conversation]
            until = next((n for n in puts if n >= job.began_at), len(self._service.log) + 1)
            for after, feedback in self._effects[row.conversation]:
                if job.began_at < after <= until and feedback != row.feedback:
                    yield f"A11: {row.rank} {row.feedback} unchanged, then took effect {feedback}"
            floor = self._floor(job.began_at, job)
            setters = [
                known.rank[0]
                for earlier in self._jobs
                if earlier.number < job.number
                for known in earlier.brought()
                if known.conversation == row.conversation and known.outcome in SET
            ]
            if floor and max(setters, default=floor + 1) <= floor:
                yield f"A15: {row.conversation} {row.rank} is unchanged by what is below the floor"

    def _floor(self, count: int, job: Begun) -> int:
        """Return the number of the latest job that was missing when so many requests had come.

        That is when a command of `job` began; where it was its first, jobs may have sent nothing.
        """
        missing = (
            other.number
            for other in self._jobs
            if -1 < other.lost_at < count
            or (other.lost_at == count and other.lost_after < job.number)
        )
        return max(missing, default=0)

    def _sent_again(self, job: Begun) -> Iterator[str]:
        """A11: what was set for certain, and highest, is not sent again."""
        if not job.skips:
            return
        start = job.began_at
        below = [other for other in self._jobs if other.number < job.number]
        if any(other.lost_at > -1 for other in below):
            return
        first = {r.conversation: p for p, r, j, _ in reversed(self._sent) if j is job}
        for conversation, put in first.items():
            rows = [(r, o) for o in below for r in o.brought() if r.conversation == conversation]
            if not rows or job.winners().get(conversation) is None:
                continue
            if any(conversation in other.forgotten for other in below):
                continue
            top, owner = max(rows, key=lambda pair: (pair[0].rank, pair[0].outcome in SET))
            known = owner.fate is Fate.ENDED and owner.over_by(start)
            granted = any(p.answered == "200" and p.number < start for p in top.sent)
            granted = granted or top.outcome == "unchanged"
            if known and granted and top.outcome in SET and top.feedback == put.feedback:
                yield f"A11: set by {top.rank} of job {owner.number}, and sent again: {put}"

    def _not_carried(self, job: Begun) -> Iterator[str]:
        """A5, A13: a left-over that nothing has taken the place of comes back."""
        if not job.carries or job.fate is not Fate.ENDED:
            return
        start = job.began_at
        earlier = [other for other in self._jobs if other.number < job.number]
        floor = self._floor(start, job)
        for other in earlier:
            for conversation in other.left_by(start) - job.listed:
                rows = [r for r in other.brought() if r.conversation == conversation]
                left = max((r.rank for r in rows), default=(0, 0))
                # J8: a run that was stopped may have given it a new outcome, and told no file.
                done = any(
                    p.answered in {"200", "422"} and p.number < start for r in rows for p in r.sent
                )
                if conversation in other.forgotten or done:
                    continue
                gone = [o for o in earlier if o.has_given_up_by(start)]
                if any(left[1] == o.number or _is_sent_for(o, left[1], earlier) for o in gone):
                    continue
                if -1 < other.dropped_at <= start and any(r.feedback[1] for r in rows):
                    continue
                above = [
                    r
                    for o in earlier
                    if o.over_by(start)
                    for r in o.brought()
                    if r.conversation == conversation and r.outcome in SETTLED
                    if r.rank > left or (r.rank == left and o is not other)
                ]
                if left[0] > floor and not above:
                    yield f"A5: {left} {conversation} was left over and not carried over"


def _is_sent_for(job: Begun, number: int, jobs: list[Begun]) -> bool:
    """U2, A17: tell whether the job of that number may be an undo that sends rows for this one."""
    undone = next((one.undoes for one in jobs if one.number == number), None)
    return undone is not None and job is not undone and job.number < number


def _enter_outcomes(job: Begun, *, given_up: bool) -> None:
    """Give each row of a job the outcome that the job says it has."""
    rows = {row.position: row for row in job.rows}
    carried = {row.conversation: row for row in job.carried}
    for row in job.brought():
        # What another job had taken over of it is given up, too, when it is taken back.
        is_own = row.rank[1] == job.number
        row.given_up = given_up or (is_own and job.rest_given_up_at >= 0)
    for line in job.exported:
        if line["file"] == "carried over":
            row_ = carried.get(line["conversation_id"])
            if row_ is None or line["outcome"] == "superseded":
                continue
        else:
            row_ = rows[int(line["row"])]
        row_.outcome, row_.reason = line["outcome"], line["reason"]
