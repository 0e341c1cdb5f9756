"""What an undo may do to each conversation, from what was known when it began."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from tests.oracle.answers import Feedback
from tests.oracle.known import Known, Taken
from tests.oracle.model import NOTHING, SET, SETTLED, Brought
from tests.oracle.record import Begun, Fate
from tests.oracle.service import Service

LEFT_OVER = {("not_completed", "deferral_deadline"), ("failed", "retries_exhausted")}


class Sure(Enum):
    """What the oracle can say: it sees less than a journal that was killed, and more."""

    NO = 0
    MAYBE = 1
    YES = 2


@dataclass(frozen=True)
class _Stood:
    """One row of a job, as it stood then."""

    row: Brought
    known: Known
    outcome: str
    reason: str
    doubt: Sure
    forgotten: bool

    @property
    def number(self) -> int:
        return self.known.job.number

    def is_of(self, job: Begun) -> bool:
        """Tell whether the job has brought the row, whichever has sent it."""
        return self.by == job.number

    @property
    def by(self) -> int:
        """The number of the job that has brought the row, whichever has sent it."""
        return self.row.rank[1] if self.row.sent_for is None else self.row.sent_for


@dataclass
class _May:
    """What may become of a conversation: the bodies it may be sent, and the lines it may be in."""

    bodies: set[Feedback] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)
    sent_for: int | None = None
    """The job whose row is sent, which the target had taken over and outranked."""

    others: set[Feedback] = field(default_factory=set)
    """The bodies that are no such row's."""

    held: Feedback | None = None
    """What the service held before, where it is restored."""


def _is_lost(job: Begun, count: int) -> bool:
    """Tell whether a command of the job was broken off before so many requests had come."""
    return any((c.broken_off or c.code < 0) and c.first < count for c in job.commands)


class Takings:
    """Judges all undos of a history once it is known which request carried which row."""

    def __init__(self, jobs: list[Begun], takings: list[Taken], service: Service) -> None:
        self._jobs = jobs
        self._takings = takings
        self._service = service

    def complaints(self) -> list[str]:
        """Return all that is wrong, in words."""
        found: list[str] = []
        for taken in self._takings:
            found += self._judge(taken)
        for job in self._jobs:
            if job.undoes is not None:
                found += self._came_through(job)
        return found

    # Undos.

    def _judge(self, taken: Taken) -> Iterator[str]:
        stood = self._stood(taken)
        rows = {row.conversation: row for row in taken.undo.rows} if taken.undo else {}
        sure, possible = Counter[str](), Counter[str]()
        of_target = {
            s.row.conversation for s in stood if taken.target.number in (s.by, s.row.rank[1])
        }
        name = f"undo of {taken.target.folder}"
        for conversation in sorted(of_target | rows.keys()):
            may = self._may(taken, [s for s in stood if s.row.conversation == conversation])
            row = rows.get(conversation)
            possible.update(may.kinds)
            sure.update(may.kinds if len(may.kinds) == 1 else ())
            if row is None:
                if not may.kinds - {"restored", "cleared", "sent"}:
                    yield f"U1: {name}: {conversation} is left, but may be {may.kinds}"
                continue
            if may.kinds == {"restored"} and may.held != row.feedback:
                yield f"U2: {name}: {conversation} is sent {row.feedback}, held {may.held}"
            if row.feedback not in may.bodies:
                told = f"{may.bodies} {sorted(may.kinds)}"
                yield f"U2: {name}: {conversation} is sent {row.feedback}, may be {told}"
            mine = [s for s in stood if s.row.conversation == conversation]
            void = taken.void()
            firsts = {s.row.rank[0] for s in mine
                      if taken.target.number in (s.by, s.row.rank[1]) or s.by in void}  # fmt: skip
            if "sent" in may.kinds:
                firsts.add(taken.target.number)
                if not may.kinds & {"restored", "cleared"} or row.feedback not in may.others:
                    row.sent_for = may.sent_for
            if row.rank[0] not in firsts:
                yield f"U4: {name}: {conversation} has rank {row.rank}, not one of {firsts}"
        if taken.table:
            yield from self._table(taken, name, sure, possible)
            # What an undo has left over for an earlier job is given up where it does not stay (U2).
            left_over = [
                self._goes_unsent(taken, s, stood) for s in stood
                if s.known.job is taken.target and not s.forgotten
                and (s.outcome, s.reason) in LEFT_OVER
            ]  # fmt: skip
            shown = taken.table.get("left over", 0)
            most = sum(goes is not Sure.NO for goes in left_over)
            least = sum(goes is Sure.YES for goes in left_over)
            least = 0 if taken.target.rest_given_up_at >= 0 else least
            if not least <= shown <= most:
                yield f"U1: {name}: {shown} left over are shown, {least} to {most} are"

    def _goes_unsent(self, taken: Taken, row: _Stood, stood: list[_Stood]) -> Sure:
        """Tell whether a row that the target has left over is given up, and nothing else."""
        mine = [s for s in stood if s.row.conversation == row.row.conversation]
        goes = self._is_to_go(taken, row, mine)
        others = {k.job.number for k in taken.known if k.job.has_given_up_by(taken.at)}
        if row.doubt is Sure.NO and row.by not in others:
            return goes
        return min(goes, Sure.MAYBE, key=lambda sure: sure.value)

    def _table(
        self, taken: Taken, name: str, sure: Counter[str], possible: Counter[str]
    ) -> Iterator[str]:
        for kind in ("restored", "cleared", "sent", "left", "left later"):
            shown = taken.table.get(kind, 0)
            if kind == "left later":  # this model does not tell the two apart
                shown += taken.table.get("left back", 0)
            if not sure[kind] <= shown <= possible[kind]:
                least, most = sure[kind], possible[kind]
                yield f"U1: {name}: {kind} {shown} is shown, {least} to {most} are: {taken.table}"
        sent = len(taken.undo.rows) if taken.undo else 0
        if sum(taken.table.get(kind, 0) for kind in ("restored", "cleared", "sent")) != sent:
            yield f"U1: {name}: shown was {taken.table}, but it sends {sent} rows"

    def _stood(self, taken: Taken) -> list[_Stood]:
        """Return the rows of all jobs as they stood when an undo began."""
        found = []
        for known in taken.known:
            job = known.job
            lost = _is_lost(job, taken.at)
            # What a job that was killed had taken over, its outcomes do not tell.
            takers = [k.job for k in taken.known if k.job.number > job.number and k.job.carries]
            taker_lost = any(_is_lost(taker, taken.at) for taker in takers)
            carried = {id(row) for row in job.carried}
            for row in job.brought():
                if id(row) in carried:
                    what = known.carried.get(row.conversation, ("pending", ""))
                else:
                    what = known.own.get(row.position, ("pending", ""))
                doubt = Sure.NO
                sent = [put for put in row.sent if put.number < taken.at]
                if what[0] == "superseded" and sent:
                    doubt = Sure.MAYBE  # a later job has taken its place when it was tried again
                elif what[0] not in SET | {"superseded"}:
                    if any(put.answered == "200" or not put.definite for put in sent):
                        doubt = Sure.YES
                    elif lost:
                        doubt = Sure.MAYBE
                    if doubt is Sure.NO and taker_lost and what[0] not in {"rejected", "skipped"}:
                        doubt = Sure.MAYBE
                gone = row.conversation in known.forgotten
                found.append(_Stood(row, known, what[0], what[1], doubt, gone))
        return found

    def _may(self, taken: Taken, stood: list[_Stood]) -> _May:
        """Say what may become of one conversation."""
        may = _May()
        goes = {id(s): self._is_to_go(taken, s, stood) for s in stood if s.known.here}
        own = [s for s in stood if goes.get(id(s), Sure.NO) is not Sure.NO]
        if self._goes_after_all(taken, stood, own, may):
            return may
        puts = sorted(put.number for mine in own for put in mine.row.sent)
        stored = [mine for mine in own if mine.outcome == "succeeded"]
        for mine in stored or own:
            takes = mine.doubt if mine.outcome != "succeeded" else Sure.YES
            if mine.row.sent_for == taken.target.number and mine.outcome in SETTLED:
                takes = Sure.YES  # the next job would send it
            is_left = "left later"
            if takes is Sure.NO:
                takes, is_left = self._holds_void(taken, mine, stood), "nothing"
            takes = min(takes, goes[id(mine)], key=lambda sure: sure.value)
            if mine.forgotten or takes is Sure.NO:
                continue
            later = self._later(taken, stood)
            if later is not Sure.NO:
                may.kinds.add(is_left)
            if takes is Sure.MAYBE:
                may.kinds.add("nothing")
            if later is Sure.YES:
                continue
            back = taken.no_more()
            held, known = self._before(taken, mine, stood, back)
            if held is not None and known is not Sure.NO:
                may.bodies.add(held)
                may.others.add(held)
                sees = puts and not any(s.by in back or s.row.sent_for for s in stood)
                may.held = self._held_at(mine.row.conversation, puts[0]) if sees else held
                may.kinds.add("restored")
            if known is not Sure.YES:
                may.kinds.add("cleared" if taken.clears else "left")
                may.bodies |= {NOTHING} if taken.clears else set()
                may.others |= {NOTHING} if taken.clears else set()
        may.kinds = may.kinds or {"nothing"}
        return may

    def _goes_after_all(
        self, taken: Taken, stood: list[_Stood], own: list[_Stood], may: _May
    ) -> bool:
        """U2: note what may become of a row of an earlier job; tell whether that is all."""
        row, sure = self._after_all(taken, stood)
        if row is None:
            return False
        later = self._later(taken, stood)
        may.kinds |= {"left later"} if later is not Sure.NO else set()
        may.kinds |= {"sent"} if later is not Sure.YES else set()
        may.bodies |= {row.row.feedback}
        may.sent_for = row.by
        # A later row may rank above what was left over as well: then there is nothing to tell.
        if sure is not Sure.YES or (
            later is Sure.YES and not any(mine.outcome in SET for mine in own)
        ):
            may.kinds.add("nothing")
        return sure is Sure.YES

    def _is_to_go(self, taken: Taken, row: _Stood, stood: list[_Stood]) -> Sure:
        """Tell whether a row goes with the undo of the target.

        What an undo has sent of an earlier job goes with its undo only where the job that it took
        back had set something.
        """
        if row.is_of(taken.target) or row.row.rank[1] != taken.target.number:
            return Sure.YES if row.is_of(taken.target) else Sure.NO
        return self._had_set(taken.target.undoes, stood)

    @staticmethod
    def _had_set(job: Begun | None, stood: list[_Stood]) -> Sure:
        """Tell whether a job that was taken back had set the conversation of these rows.

        It is not said whether a row that is in doubt counts.
        """
        of_job = [s for s in stood if job is not None and s.is_of(job)]
        found = (
            Sure.YES if s.outcome in SET else Sure.NO if s.doubt is Sure.NO else Sure.MAYBE
            for s in of_job
        )  # fmt: skip
        return max(found, default=Sure.NO, key=lambda sure: sure.value)

    @staticmethod
    def _holds_void(taken: Taken, mine: _Stood, stood: list[_Stood]) -> Sure:
        """U1: what the target has settled and not set may hold what a job taken back has set.

        That has to have been left because of the target and of no other: none in between has
        settled a row, or has one in doubt. What one that is gone has set since need not be known.
        """
        below = [
            s for s in stood
            if s.number < taken.target.number and s.row.rank < mine.row.rank
        ]  # fmt: skip
        stored = [s for s in below if s.known.here and s.outcome in SET - {"unchanged"}]
        best = max(stored, default=None, key=lambda s: s.row.rank)
        back = taken.no_more()
        if mine.outcome not in SETTLED or best is None or best.by not in back:
            return Sure.NO
        between = [s for s in below if s.row.rank > best.row.rank and s.by not in back]
        gone = any(not s.known.here and s.outcome in SET - {"unchanged"} for s in between)
        in_the_way = max(
            (Sure.YES if s.outcome in SETTLED else s.doubt for s in between if s.known.here),
            default=Sure.NO,
            key=lambda sure: sure.value,
        )
        if in_the_way is Sure.YES:
            return Sure.NO
        return Sure.MAYBE if gone or in_the_way is Sure.MAYBE else Sure.YES

    def _after_all(self, taken: Taken, stood: list[_Stood]) -> tuple[_Stood | None, Sure]:
        """U2: the row of an earlier job that would have been sent without the target."""
        found = self._outranked(taken, stood)
        return found if found[0] is not None else self._left_over(taken, stood)

    def _outranked(self, taken: Taken, stood: list[_Stood]) -> tuple[_Stood | None, Sure]:
        """U2: the row that the target had taken over, and sent one of its own in its place."""
        target = next(known for known in taken.known if known.job is taken.target)
        conversation = stood[0].row.conversation if stood else ""
        told = target.carried.get(conversation)
        # What became of rows that it had taken over, a job that was cut off need not tell.
        is_told = told is not None or not target.job.carries or target.fate is Fate.ENDED
        if (is_told and told != ("superseded", "later_row")) or not target.here:
            return None, Sure.NO
        mine = [s for s in stood if s.is_of(taken.target) and s.known is target]
        sure = max(
            (Sure.YES if s.outcome in SETTLED else s.doubt for s in mine),
            default=Sure.NO,
            key=lambda sure: sure.value,
        )
        given_up = {k.job.number for k in taken.known if k.job.has_given_up_by(taken.at)}
        earlier = [
            s for s in stood if s.number < taken.target.number and not s.forgotten
            and not s.known.job.gave_up(s.row, taken.target.began_at)
        ]  # fmt: skip
        best = max(earlier, default=None, key=lambda s: s.row.rank)
        if best is None or sure is Sure.NO or best.by in given_up:
            return None, Sure.NO
        if best.row.rank[1] in given_up and (
            self._had_set(best.known.job.undoes, stood) is Sure.YES
        ):
            return None, Sure.NO
        if best.row.feedback[1] is not None and target.job.dropped_by(taken.at):
            return None, Sure.NO  # U12: nor is it sent without its comment
        return best, sure if is_told else Sure.MAYBE

    def _left_over(self, taken: Taken, stood: list[_Stood]) -> tuple[_Stood | None, Sure]:
        """U2: the left-over row that the target's own ranks above, and had not taken over."""
        mine = [s for s in stood if s.is_of(taken.target) and not s.forgotten]
        mine = [s for s in mine if s.outcome in SETTLED or s.doubt is not Sure.NO]
        earlier = [
            s for s in stood if s.number < taken.target.number and s.by not in taken.no_more()
            and mine and s.row.rank < max(m.row.rank for m in mine)
        ]  # fmt: skip
        settled = [s for s in earlier if s.outcome in SETTLED]
        best = max(settled, default=None, key=lambda s: (s.row.rank, s.number))
        given_up = {k.job.number for k in taken.known if k.job.has_given_up_by(taken.at)}
        if best is None or (best.outcome, best.reason) not in LEFT_OVER or best.forgotten:
            return None, Sure.NO
        if {best.by, best.row.rank[1]} & given_up or not best.known.here:
            return None, Sure.NO
        if best.row.feedback[1] is not None and -1 < best.known.job.dropped_at <= taken.at:
            return (None, Sure.NO) if best.known.job.dropped_by(taken.at) else (best, Sure.MAYBE)
        found = max((Sure.YES if m.outcome in SETTLED else m.doubt for m in mine),
                    key=lambda sure: sure.value)  # fmt: skip
        if any(s.row.rank > best.row.rank and s.doubt is not Sure.NO for s in earlier) or any(
            not k.here or k.job.forerunner or k.fate is not Fate.ENDED for k in taken.known
        ):
            found = Sure.MAYBE
        return best, found

    def _later(self, taken: Taken, stood: list[_Stood]) -> Sure:
        """U1: whether a later job has a row that is settled or in doubt, or an undo has set it."""
        void, found = taken.void(), Sure.NO
        back = taken.taken_back()
        own = {job.number for job in self._jobs if job.undoes is taken.target} - back
        for other in stood:
            its_own = taken.target.number in (other.by, other.row.rank[1])
            if other.number <= taken.target.number or its_own:
                continue
            if other.row.rank[1] in own:
                now = Sure.YES if other.outcome in SET else Sure.NO
                if other.outcome in SETTLED - SET and other.known.fate is Fate.ENDED:
                    now = Sure.MAYBE
            elif other.by in void:
                continue
            elif other.row.rank[1] in void and other.outcome not in SETTLED:
                now = min(other.doubt, Sure.MAYBE, key=lambda sure: sure.value)  # still left over
            else:
                now = Sure.YES if other.outcome in SETTLED else other.doubt
            found = max(found, now, key=lambda sure: sure.value)
        return found

    def _before(
        self, taken: Taken, mine: _Stood, stood: list[_Stood], back: set[int]
    ) -> tuple[Feedback | None, Sure]:
        """U2: what the service held before the job, and whether that can be known.

        Rows of the jobs `back` do not count, but that another row was unchanged may rest on them.
        """
        every, stood = stood, [s for s in stood if s.number < taken.target.number or s is mine]
        below = [s for s in stood if s.row.rank < mine.row.rank and s.outcome in SET]
        below = [s for s in below if s.known.here]
        stood = [s for s in stood if s.by not in back]
        counting = [s for s in below if s.by not in back]
        if not counting:
            return None, Sure.NO
        best = max(counting, key=lambda s: s.row.rank)
        if best.outcome == "unchanged":
            below = [s for s in below if s.row.rank <= best.row.rank]
        else:
            below = counting
        body = best.row.feedback
        # What was unchanged is what was stored before: known while the job that did is there.
        stored = [s for s in below if s.outcome == "succeeded"]
        source = max(stored, key=lambda s: s.row.rank).number if stored else -1
        known = Sure.YES if stored else Sure.NO
        for other in stood:
            if best.row.rank < other.row.rank <= mine.row.rank and other is not mine:
                same = other.row.rank == mine.row.rank
                if other.doubt is Sure.YES and not same:
                    return body, Sure.NO
                if other.doubt is not Sure.NO:
                    known = Sure.MAYBE
        known = min(known, self._no_gap(taken, source, best, mine), key=lambda sure: sure.value)
        if best.forgotten:
            return body, Sure.NO
        if body[1] is not None:
            known = min(known, self._kept(taken, body, every), key=lambda sure: sure.value)
        return body, known

    @staticmethod
    def _no_gap(taken: Taken, source: int, best: _Stood, mine: _Stood) -> Sure:
        """U2: whether no job is gone that may have set something in between."""
        found = Sure.YES
        for known in taken.known:
            number = known.job.number
            if not known.here:
                if source < number < mine.row.rank[0]:
                    return Sure.NO
                if best.row.rank[0] < number < mine.number:
                    found = Sure.MAYBE
            elif known.job.forerunner and source < number <= mine.number:
                found = Sure.MAYBE  # what was broken off before it may be pruned
        return found

    def _kept(self, taken: Taken, body: Feedback, stood: list[_Stood]) -> Sure:
        """U2: whether some job that is there has a body with a comment."""
        found = Sure.NO
        for other in stood:
            job = other.known.job
            if other.row.feedback != body or not other.known.here or other.forgotten:
                continue
            # What a job with --carry-over kept may outlast it, where it never came to its end.
            lasts = job.carries and (other.known.fate is not Fate.ENDED or job.forerunner)
            left_over = (other.outcome, other.reason) in LEFT_OVER
            # It had it left over before another one has set it.
            lasts = lasts or (job.carries and other.reason == "set_by_job")
            if -1 < job.dropped_at <= taken.at:
                since = job.dropped_by(taken.at)
                found = max(found, Sure.NO if since else Sure.MAYBE, key=lambda s: s.value)
            elif (job.keeps and any(put.number < taken.at for put in other.row.sent)) or left_over:
                found = Sure.YES
            elif job.keeps or lasts:
                found = max(found, Sure.MAYBE, key=lambda s: s.value)
        return found

    def _held_at(self, conversation: str, count: int) -> Feedback:
        """Return what a conversation held when so many requests had come."""
        effects = [e for e in self._service.effects if e.conversation == conversation]
        place = bisect_right(effects, count, key=lambda effect: effect.after)
        return effects[place - 1].feedback if place else NOTHING

    def _came_through(self, undo: Begun) -> Iterator[str]:
        """A19: nothing but a later request changes what an undo has set."""
        for row in undo.rows:
            granted = [put.number for put in row.sent if put.answered == "200"]
            if row.outcome != "succeeded" or not granted:
                continue
            puts = [p.number for p in self._service.puts if p.conversation == row.conversation]
            later = [number for number in puts if number > granted[-1]]
            until = later[0] if later else len(self._service.log)
            for effect in self._service.effects:
                other = effect.conversation == row.conversation and effect.feedback != row.feedback
                if other and granted[-1] + 1 < effect.after <= until:
                    yield f"A19: {row.conversation}: {row.feedback} was set, then {effect}"
