"""The rows of a run that are not done: which is sent next, and where each of them stands.

The survey has left one row of each conversation, so the rows are independent of each other. A row
waits its turn (`READY`), is sent, and then is done or waits again: for another attempt, for its
conversation to complete, or until requests of other jobs can take no effect any more.

`RowQueue` is sans-I/O: it awaits nothing and takes the time (`now`, seconds of any clock that does
not run backwards) as an argument. It is the only writer of a row's state.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain
from typing import NamedTuple, TypeAlias

from importer.model import Deferral, Feedback

#: How long a deferred row that is due gives way to others, in seconds.
PATIENCE = 30.0


class RowState(IntEnum):
    """Where a row stands. The numbers are places in a list of counts."""

    READY = 0
    IN_FLIGHT = 1
    #: It waits for another attempt after a transient failure.
    RETRYING = 2
    #: It waits for its conversation to complete.
    DEFERRED = 3
    #: A request of another job may still take effect on its conversation.
    HELD = 4
    #: It has failed, and its outcome is kept back until others are known to be worth sending.
    WITHHELD = 5


class Wait(NamedTuple):
    """What a row waits for, and what is then known of it."""

    state: RowState
    seconds: float
    #: Transient failures in a row.
    failures: int = 0
    #: The next request asks for the conversation's status.
    ask_status: bool = False
    #: When the row was first told that its conversation is not completed; None if never.
    deferred_since: float | None = None


class QueuedRow:
    """A row that is not done; read by all, written by its `RowQueue`.

    `attempts` counts the PUTs of all runs, `failures` the transient ones in a row, and `looks` how
    often the row was told that its conversation is not completed. With `open` a PUT that was
    made in this run has no definite answer: it may still take effect. One that `goes_first` does
    so whenever it is ready.
    `started`, `due` and `deferred_since` are seconds of the queue's clock.
    """

    __slots__ = (
        "ask_status", "attempts", "deferred_since", "due", "failures", "feedback", "goes_first",
        "looks", "open", "started", "state",
    )  # fmt: skip

    def __init__(self, feedback: Feedback) -> None:
        self.feedback = feedback
        self.state = RowState.READY
        self.due = self.started = 0.0
        self.attempts = self.failures = self.looks = 0
        self.deferred_since: float | None = None
        self.ask_status = self.open = self.goes_first = False

    def __lt__(self, other: QueuedRow) -> bool:
        """Order rows that are due at the same time by their numbers."""
        return self.feedback.seq < other.feedback.seq


#: A row with what is known of it or, as long as that is nothing, as it has come in.
Known: TypeAlias = QueuedRow | Feedback


@dataclass(frozen=True, slots=True)
class QueueStatistics:
    """How many rows are in each state."""

    ready: int
    in_flight: int
    retrying: int
    deferred: int
    held: int


class RowQueue:
    """All rows that are not done: a queue of the ready ones, and the waiting ones by due time."""

    def __init__(self) -> None:
        self._ready: deque[Known] = deque()
        self._in_flight: set[QueuedRow] = set()
        self._retrying: list[tuple[float, QueuedRow]] = []
        self._deferred: list[tuple[float, QueuedRow]] = []
        self._held: deque[QueuedRow] = deque()
        self._withheld: dict[QueuedRow, None] = {}  # in their order
        self._newest_deferral = -math.inf  # means something only while rows are deferred
        self._in_state = [0] * len(RowState)

    def add(self, rows: Sequence[Feedback]) -> None:
        """Take in rows of which nothing is known."""
        self._in_state[RowState.READY] += len(rows)
        self._ready.extend(rows)

    def add_to_ask(self, feedback: Feedback) -> QueuedRow:
        """Take in a row whose conversation's status is asked for before the PUT, and return it."""
        row = QueuedRow(feedback)
        row.ask_status = True
        self._in_state[RowState.READY] += 1
        self._ready.append(row)
        return row

    def ask_next(self, conversation_id: str) -> QueuedRow:
        """Return what asks for the status of a conversation of no row, before all rows."""
        row = QueuedRow(Feedback(0, conversation_id, None, None))
        row.ask_status = row.goes_first = True
        self._in_state[RowState.READY] += 1
        self._ready.appendleft(row)
        return row

    def bring_forward(self) -> QueuedRow | None:
        """Let the last of the ready rows of which a PUT is next go first; return it, if any is."""
        places = range(len(self._ready) - 1, -1, -1)
        if (place := next(filter(self._is_put_next, places), None)) is None:
            return None
        last = self._ready[place]
        del self._ready[place]
        row = QueuedRow(last) if isinstance(last, Feedback) else last
        row.goes_first = True
        self._ready.appendleft(row)
        return row

    def hold(self, feedback: Feedback, until: float) -> None:
        """Take in a row that is not to be sent before `until`, the same time for all of them."""
        row = QueuedRow(feedback)
        row.state, row.due = RowState.HELD, until
        self._in_state[RowState.HELD] += 1
        self._held.append(row)

    def restore(self, feedback: Feedback, deferral: Deferral) -> None:
        """Take in a row that an earlier run had deferred; the times are on the queue's clock."""
        row = QueuedRow(feedback)
        row.attempts, row.looks = deferral.attempts, deferral.looks
        row.ask_status, row.deferred_since = True, deferral.since
        row.state, row.due = RowState.DEFERRED, deferral.due
        self._in_state[RowState.DEFERRED] += 1
        self._note_deferral(row)
        heapq.heappush(self._deferred, (row.due, row))

    def has_ready(self, now: float, only: QueuedRow | None = None) -> bool:
        """Return whether there is a row that is to be sent now; with `only`, whether that one is.

        One that `goes_first` is then the next one.
        """
        ready = bool(self._ready) if only is None else only.state is RowState.READY
        return ready or ((due := self.next_due(only)) is not None and due <= now)

    def next_ready(self, now: float) -> QueuedRow | None:
        """Return a row that is to be sent now, or None. The row is then in flight.

        A deferred row comes when nothing else is ready, or when it has been due for `PATIENCE`
        seconds: to ask for it again is of no use to the rows that can be sent.
        """
        self._refill(1, now)
        if not self._ready:
            return None
        ready = self._ready.popleft()
        row = QueuedRow(ready) if isinstance(ready, Feedback) else ready
        self._move(row, RowState.IN_FLIGHT)
        self._in_flight.add(row)
        row.started = now
        return row

    def take(self, most: int, now: float) -> tuple[list[Feedback], list[QueuedRow]]:
        """Return up to so many rows that are to be sent now, as `next_ready` would one by one.

        First come those of which nothing is known. All are in flight until they are
        `done_together`, or recalled one by one.
        """
        self._refill(most, now)
        rows = [self._ready.popleft() for _ in range(min(most, len(self._ready)))]
        self._in_state[RowState.READY] -= len(rows)
        self._in_state[RowState.IN_FLIGHT] += len(rows)
        return (
            [row for row in rows if isinstance(row, Feedback)],
            [row for row in rows if isinstance(row, QueuedRow)],
        )

    def recall(self, row: Known) -> QueuedRow:
        """Return a row that was taken with others, to be dealt with as one of `next_ready`."""
        recalled = QueuedRow(row) if isinstance(row, Feedback) else row
        recalled.state = RowState.IN_FLIGHT
        self._in_flight.add(recalled)
        return recalled

    def done_together(self, rows: int) -> None:
        """So many rows that were taken with others are done."""
        self._in_state[RowState.IN_FLIGHT] -= rows

    def answered(self, row: QueuedRow, requests: int, *, sent: bool, definite: bool) -> None:
        """A PUT of the row, just taken, has ended; `requests` went out for it.

        `sent` says whether one was handed to a connection, `definite` whether it is known what
        became of it.
        """
        row.attempts += requests
        if sent and not definite:
            row.open = True

    def looked(self, row: QueuedRow) -> None:
        """The row was told that its conversation is not completed."""
        row.looks += 1

    def wait(self, row: QueuedRow, wait: Wait, now: float) -> None:
        """Let the row, just answered, wait as it says."""
        row.failures, row.ask_status = wait.failures, wait.ask_status
        row.deferred_since = wait.deferred_since
        self._in_flight.discard(row)
        self._move(row, wait.state)
        row.due = now + wait.seconds
        heap = self._retrying
        if wait.state is RowState.DEFERRED:
            heap = self._deferred
            self._note_deferral(row)
        heapq.heappush(heap, (row.due, row))

    def return_unsent(self, row: QueuedRow) -> None:
        """The row, just answered or withheld, is as it was: it is sent again, or the run ends."""
        self._withheld.pop(row, None)
        self._in_flight.discard(row)
        self._make_ready(row)

    def put_back(self, row: QueuedRow, deferral: Deferral) -> None:
        """Let the row, in flight, be deferred as it is told; the times are on the queue's clock."""
        row.attempts, row.looks = deferral.attempts, deferral.looks
        wait = Wait(RowState.DEFERRED, 0.0, ask_status=True, deferred_since=deferral.since)
        self.wait(row, wait, deferral.due)

    def withhold(self, row: QueuedRow) -> None:
        """The row, just answered, is done as soon as others are known to be worth sending."""
        self._in_flight.discard(row)
        self._move(row, RowState.WITHHELD)
        self._withheld[row] = None

    def done(self, row: QueuedRow) -> None:
        """The row, in flight or withheld, is done."""
        if row.state is RowState.WITHHELD:
            del self._withheld[row]
        self._in_flight.discard(row)
        self._in_state[row.state] -= 1

    def forgive(self, rows: Iterable[QueuedRow]) -> None:
        """The latest failure of each of these rows was not its own."""
        for row in rows:
            row.failures = max(0, row.failures - 1)

    def next_due(self, only: QueuedRow | None = None) -> float | None:
        """Return when the next waiting row is due, or None if none waits.

        With `only`, when that one is due to be sent again.
        """
        if only is not None:
            return only.due if only.state is RowState.RETRYING else None
        dues = (self.next_send(), self.next_check())
        return min((due for due in dues if due is not None), default=None)

    def next_send(self) -> float | None:
        """Return when the next row is due that waits for a retry or is held back; None if none."""
        dues = [self._retrying[0][0]] if self._retrying else []
        if self._held:
            dues.append(self._held[0].due)
        return min(dues, default=None)

    def next_check(self) -> float | None:
        """Return when the next deferred row is due, or None if none is deferred."""
        return self._deferred[0][0] if self._deferred else None

    def newest_deferral(self) -> float | None:
        """Return since when, at the latest, each deferred row waits; None if none is deferred."""
        return self._newest_deferral if self._deferred else None

    def in_doubt(self) -> Iterator[QueuedRow]:
        """Yield the rows of which a request may have taken effect, when the run is over."""
        ready = (row for row in self._ready if isinstance(row, QueuedRow))
        waiting = (row for heap in (self._retrying, self._deferred) for _, row in heap)
        yield from (row for row in chain(ready, waiting, self._withheld) if row.open)
        # Cancelled: a request had begun, and its answer will never be known.
        for row in self._in_flight:
            if row.open or not row.ask_status:
                yield row

    def statistics(self) -> QueueStatistics:
        """Return the counts of this moment."""
        n = self._in_state
        return QueueStatistics(
            n[RowState.READY],
            n[RowState.IN_FLIGHT] + n[RowState.WITHHELD],
            n[RowState.RETRYING],
            n[RowState.DEFERRED],
            n[RowState.HELD],
        )

    def count(self, state: RowState) -> int:
        """Return how many rows are in `state`."""
        return self._in_state[state]

    def __len__(self) -> int:
        """Return how many rows are not done."""
        return sum(self._in_state)

    def _refill(self, wanted: int, now: float) -> None:
        """Make rows ready that are due; deferred ones in their time, or up to so many `wanted`."""
        if self._retrying:
            self._make_due_ready(self._retrying, now)
        if self._deferred:
            self._make_due_ready(self._deferred, now - PATIENCE)
        while self._held and self._held[0].due <= now:
            self._make_ready(self._held.popleft())
        if self._deferred:
            self._make_due_ready(self._deferred, now, upto=wanted)

    def _make_due_ready(
        self, heap: list[tuple[float, QueuedRow]], now: float, upto: float = math.inf
    ) -> None:
        """Make rows ready that are due, as long as fewer than so many are."""
        while heap and heap[0][0] <= now and len(self._ready) < upto:
            self._make_ready(heapq.heappop(heap)[1])

    def _note_deferral(self, row: QueuedRow) -> None:
        since = -math.inf if row.deferred_since is None else row.deferred_since
        self._newest_deferral = max(self._newest_deferral, since) if self._deferred else since

    def _make_ready(self, row: QueuedRow) -> None:
        self._move(row, RowState.READY)
        if row.goes_first:
            self._ready.appendleft(row)
        else:
            self._ready.append(row)

    def _is_put_next(self, place: int) -> bool:
        row = self._ready[place]
        return isinstance(row, Feedback) or not row.ask_status

    def _move(self, row: QueuedRow, state: RowState) -> None:
        self._in_state[row.state] -= 1
        self._in_state[state] += 1
        row.state = state
