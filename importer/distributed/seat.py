"""What the coordinator knows of one worker. Sans-I/O; times are seconds of its own clock."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import Enum, auto

from importer.distributed.tally import Told
from importer.distributed.wire import Grant, Handed, Reply
from importer.engine.progress import Progress
from importer.engine.row_queue import QueuedRow
from importer.jobs.entry import Entry
from importer.jobs.worker_mark import LEASE
from importer.model import Deferral, Feedback, RunEnd, WorkerFigures

#: Without a reply for so many seconds it is lost.
LOST_AFTER = 2 * LEASE
#: Seconds over which its speed is averaged.
_MEMORY = 2.0


class SeatState(Enum):
    """Where the work of a worker stands."""

    AT_WORK = auto()
    ENDED = auto()
    #: Nobody knows what it is doing.
    LOST = auto()


class Seat:
    """One worker: the rows that it has been handed, and how far it is known to be."""

    def __init__(self, name: str, now: float) -> None:
        self.name = name
        #: The rows that it has and that are not done.
        self.rows: dict[int, Feedback] = {}
        #: Those of them of which the queue knew more than that.
        self.known: dict[int, QueuedRow] = {}
        #: Those of them that are deferred.
        self.deferrals: dict[int, Deferral] = {}
        #: When it replied the latest time.
        self.heard = now
        self.progress: Progress | None = None
        #: Rows that it has done in a second, lately, and in all.
        self.speed = 0.0
        self.settled = 0
        self.state = SeatState.AT_WORK
        self._since, self._settled_since = now, 0
        self._number = 0
        #: When it replied, in seconds of its clock; None before.
        self._clock: float | None = None
        self._batch = 0
        self._batches: list[Handed] = []
        #: The number of its latest entry that was taken in, and that is recorded.
        self._taken = 0
        self._to_record = 0
        self._recorded = 0

    @property
    def is_at_work(self) -> bool:
        """Whether it can be handed rows."""
        return self.state is SeatState.AT_WORK

    @property
    def next_number(self) -> int:
        """The number of its next grant."""
        return self._number + 1

    @property
    def quiet_period(self) -> float:
        """Seconds between two exchanges with it while it is not to send."""
        return LEASE / 10

    @property
    def sends_until(self) -> float:
        """Until when it may start requests, if it hears nothing more."""
        return self.heard + LEASE

    def figures(self) -> WorkerFigures:
        """Return how it stands."""
        return WorkerFigures(
            self.name, self.speed, len(self.rows), self.settled, self.state is SeatState.LOST
        )

    def on_hand(self) -> int:
        """Return how many rows it has that wait for nothing."""
        waiting = len(self.deferrals)
        if self.progress is not None:
            waiting += self.progress.retrying
        return len(self.rows) - waiting

    def hand(
        self, new: Sequence[Feedback], known: Sequence[QueuedRow], deferrals: Sequence[Deferral]
    ) -> None:
        """Give it rows with the next grants, until it has acknowledged them.

        `deferrals` are those of the `known` ones that are deferred.
        """
        rows = [*(row.feedback for row in known), *new]
        if not rows:
            return
        self.rows.update(zip([row.seq for row in rows], rows, strict=True))
        self.known.update({row.feedback.seq: row for row in known})
        self.deferrals.update({deferral.seq: deferral for deferral in deferrals})
        to_ask = [row.feedback.conversation_id for row in known if row.ask_status]
        self._batch += 1
        self._batches.append(Handed(self._batch, rows, to_ask, deferrals))

    def grant(
        self,
        rate: float | None,
        concurrency: int,
        told: Told,
        *,
        may_send: bool = True,
        closed: bool = False,
        end: RunEnd | None = None,
        message: str = "",
        cancelled: bool = False,
    ) -> Grant:
        """Return what it is told next. Without `may_send` it starts no request."""
        self._number += 1
        until = -math.inf
        if self._clock is not None and may_send:
            # It was read before its reply was heard: its right ends `LEASE` after that at most.
            until = self._clock + LEASE
        return Grant(
            self._number, self._recorded, until, rate, concurrency, told, list(self._batches),
            closed, end, message, cancelled,
        )  # fmt: skip

    def replied(self, reply: Reply, now: float) -> Entry | None:
        """Take in a reply; return an entry that was not there before."""
        self.heard = max(self.heard, now)
        self._clock = reply.now if self._clock is None else max(self._clock, reply.now)
        self._batches = [batch for batch in self._batches if batch.number > reply.taken]
        if reply.progress is not None:
            self.progress = reply.progress
        if reply.entry is None or reply.entry_number <= self._taken:
            return None
        self._taken = reply.entry_number
        return reply.entry

    def settle(self, seqs: Iterable[int]) -> list[int]:
        """Return those of these rows that it has; they are done, and it has them no more."""
        done = [seq for seq in seqs if seq in self.rows]
        for rows in (self.rows, self.known, self.deferrals):
            for seq in done if rows else ():
                rows.pop(seq, None)
        self.settled += len(done)
        return done

    def measure(self, now: float) -> None:
        """Note its speed."""
        seconds = now - self._since
        if seconds >= _MEMORY:
            self.speed = (self.settled - self._settled_since) / seconds
            self._since, self._settled_since = now, self.settled
        elif seconds > 0:  # it may have become faster
            self.speed = max(self.speed, (self.settled - self._settled_since) / max(seconds, 0.5))

    def recording(self) -> None:
        """What was taken in so far is about to be written."""
        self._to_record = self._taken

    def recorded(self) -> None:
        """And is written now."""
        self._recorded = self._to_record
