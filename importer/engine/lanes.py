"""Which row may be sent next, so that the last row of each conversation wins.

Every conversation with a row that is not done has a lane. A lane has a head, the row that is ready,
in flight or parked, and, only while the head is in flight, at most one successor: a later row takes
the place of an earlier one that is not in flight, and the earlier one is superseded.

A row is sent only when the outcomes of all earlier rows of its conversation are in the journal.
Otherwise a crash in between would let the next run send an earlier row after a later one.

`ConversationLanes` is sans-I/O: it awaits nothing and takes the time (`now`, seconds of any clock
that does not run backwards) as an argument. Its owner is the run, which alone changes it:

- the reader calls `offer` with each valid row, in input order;
- a worker calls `next_ready`, sends the head, and then `settle` or `park`, exactly one of them;
- the journal writer's owner calls `recorded` once for each row that was done or superseded,
  when its outcome lasts.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from importer.model import Deferral, Feedback

#: How long a deferred lane that is due gives way to others, in seconds.
PATIENCE = 30.0


class LaneState(IntEnum):
    """Where a lane's head stands. The numbers are places in a list of counts."""

    READY = 0
    IN_FLIGHT = 1
    RETRYING = 2
    DEFERRED = 3
    #: It waits until the journal holds the outcomes of the rows before it.
    RECORDING = 4
    #: It is done, and its lane stays until the journal holds its outcome.
    SETTLED = 5


class Superseded(NamedTuple):
    """A row that a later one of its conversation has replaced, and the PUTs that it had used."""

    lane: Lane
    feedback: Feedback
    attempts: int


class Lane:
    """One conversation with a row that is not done, or not recorded yet.

    `attempts` (PUTs), `failures` (transient ones in a row), `looks` (times it was told to wait),
    `deferred_since` (seconds, None if never deferred), `started` (seconds, of the latest request)
    and `ask_status` (the next request asks for the conversation's status) tell the head's story;
    the run keeps them. `unrecorded` counts the conversation's outcomes that are not in the
    journal yet.
    """

    __slots__ = (
        "ask_status", "attempts", "deferred_since", "due", "failures", "feedback", "looks",
        "started", "state", "successor", "unrecorded",
    )  # fmt: skip

    def __init__(self, feedback: Feedback) -> None:
        self.feedback = feedback
        self.state = LaneState.READY
        self.due = self.started = 0.0
        self.successor: Feedback | None = None
        self.attempts = 0
        self.failures = 0
        self.looks = 0
        self.deferred_since: float | None = None
        self.ask_status = False
        self.unrecorded = 0

    def __lt__(self, other: Lane) -> bool:
        """Order lanes that are due at the same time by their rows."""
        return self.feedback.seq < other.feedback.seq

    def take_over(self, feedback: Feedback, now: float) -> None:
        """Put a later row in the place of a head that was not done.

        What was learnt of the conversation stays: it is still deferred. What counts against the
        row starts anew.
        """
        self.feedback = feedback
        self.attempts = self.failures = self.looks = 0
        if self.deferred_since is not None:
            self.deferred_since = now


@dataclass(frozen=True, slots=True)
class LaneStatistics:
    """How many lanes are in each state, and how many rows wait behind one in flight."""

    ready: int
    in_flight: int
    retrying: int
    deferred: int
    recording: int
    successors: int

    @property
    def outstanding(self) -> int:
        """Rows that are in the lanes, of whatever state."""
        waiting = self.retrying + self.deferred + self.recording + self.successors
        return self.ready + self.in_flight + waiting


class ConversationLanes:
    """All lanes, the queue of the ready ones, and the parked ones by due time."""

    def __init__(self) -> None:
        self._lanes: dict[str, Lane] = {}
        # The queues may hold lanes that have moved on since: the lane's own state decides.
        self._ready: deque[Lane] = deque()
        self._retrying: list[tuple[float, Lane]] = []
        self._deferred: list[tuple[float, Lane]] = []
        self._in_state = [0] * len(LaneState)
        self._successors = 0
        # Until when a timed-out request may still take effect on the service, and which row's it
        # was. The queue holds the same times in order, to forget them by.
        self._late: dict[str, tuple[float, int]] = {}
        self._late_queue: deque[tuple[float, str]] = deque()

    def offer(
        self, feedback: Feedback, now: float, *, ask_status: bool = False
    ) -> Superseded | None:
        """Take in the next valid row; return the earlier row that it supersedes, if any.

        `ask_status` is for a row of a conversation that is new here.
        """
        lane = self._lanes.get(feedback.conversation_id)
        if lane is None:
            lane = self._lanes[feedback.conversation_id] = Lane(feedback)
            lane.ask_status = ask_status
            self._in_state[LaneState.READY] += 1
            self._ready.append(lane)
            if self._late:
                self._wait_for_late_effect(lane, now)
            return None
        if lane.state is LaneState.IN_FLIGHT:
            replaced, lane.successor = lane.successor, feedback
            if replaced is None:
                self._successors += 1
                return None
            lane.unrecorded += 1
            return Superseded(lane, replaced, 0)
        superseded = None
        if lane.state is not LaneState.SETTLED:
            superseded = Superseded(lane, lane.feedback, lane.attempts)
            lane.unrecorded += 1
        lane.take_over(feedback, now)
        if lane.state in (LaneState.READY, LaneState.SETTLED):
            self._move(lane, LaneState.RECORDING)
        self._wait_for_late_effect(lane, now)
        return superseded

    def restore(self, feedback: Feedback, now: float, deferral: Deferral) -> Superseded | None:
        """Take in a row that an earlier run had deferred, where it stood then.

        The times of `deferral` are on the same clock as `now`.
        """
        superseded = self.offer(feedback, now)
        lane = self._lanes[feedback.conversation_id]
        if lane.feedback is feedback and lane.deferred_since is None:
            lane.attempts, lane.looks = deferral.attempts, deferral.looks
            lane.deferred_since, lane.ask_status = deferral.since, True
            self._put_by(lane, LaneState.DEFERRED, max(lane.due, deferral.due))
        return superseded

    def next_ready(self, now: float) -> Lane | None:
        """Return a lane whose head is to be sent now, or None. The lane is then in flight.

        A deferred lane comes when nothing else is ready, or when it has been due for `PATIENCE`
        seconds: to ask for it again is of no use to the rows that can be sent.
        """
        if self._retrying:
            self._make_due_ready(self._retrying, now, LaneState.RETRYING)
        if self._deferred:
            self._make_due_ready(self._deferred, now - PATIENCE, LaneState.DEFERRED)
        while self._late_queue and self._late_queue[0][0] <= now:
            until, conversation = self._late_queue.popleft()
            if self._late.get(conversation, (0.0, 0))[0] == until:
                del self._late[conversation]
        while True:
            while self._ready:
                lane = self._ready.popleft()
                if lane.state is LaneState.READY:
                    self._move(lane, LaneState.IN_FLIGHT)
                    lane.started = now
                    return lane
            if not self._make_due_ready(self._deferred, now, LaneState.DEFERRED, most=1):
                return None

    def next_due(self) -> float | None:
        """Return when the earliest parked lane wakes (it may be too early, never late), or None."""
        return min((heap[0][0] for heap in (self._retrying, self._deferred) if heap), default=None)

    def settle(self, lane: Lane, now: float) -> None:
        """The head of `lane` is done with; its successor, if there is one, takes its place."""
        lane.unrecorded += 1
        lane.deferred_since, lane.ask_status = None, False
        if lane.successor is None:
            self._move(lane, LaneState.SETTLED)
            return
        self._promote_successor(lane, lane.successor, now)
        self._make_ready(lane)
        self._wait_for_late_effect(lane, now)

    def hold(self, lane: Lane) -> None:
        """The head of `lane`, just taken, waits until something else about it is in the journal."""
        lane.unrecorded += 1
        self._move(lane, LaneState.RECORDING)

    def recorded(self, lane: Lane) -> None:
        """What was to be recorded of `lane`, such as a row's outcome, is in the journal now."""
        lane.unrecorded -= 1
        if lane.unrecorded:
            return
        if lane.state is LaneState.RECORDING:
            self._make_ready(lane)
        elif lane.state is LaneState.SETTLED:
            self._in_state[LaneState.SETTLED] -= 1
            del self._lanes[lane.feedback.conversation_id]

    def park(self, lane: Lane, state: LaneState, due: float, now: float) -> Superseded | None:
        """Let the head of `lane` wait until `due` as `RETRYING` or `DEFERRED`.

        If a later row has arrived meanwhile, that one waits instead, and the head is returned: it
        is superseded.
        """
        superseded = None
        if lane.successor is not None:
            superseded = Superseded(lane, lane.feedback, lane.attempts)
            lane.unrecorded += 1
            self._promote_successor(lane, lane.successor, now)
        self._put_by(lane, state, due)
        self._wait_for_late_effect(lane, now)
        return superseded

    def may_take_effect_late(self, lane: Lane, until: float) -> None:
        """Remember that a request for the head had no response and may be applied up to `until`.

        Sending the same row again is harmless before that; a later row has to wait, or the
        earlier request could overwrite it.
        """
        conversation = lane.feedback.conversation_id
        self._late[conversation] = (until, lane.feedback.seq)
        self._late_queue.append((until, conversation))

    def statistics(self) -> LaneStatistics:
        """Return the counts of this moment."""
        n = self._in_state
        return LaneStatistics(
            n[LaneState.READY],
            n[LaneState.IN_FLIGHT],
            n[LaneState.RETRYING],
            n[LaneState.DEFERRED],
            n[LaneState.RECORDING],
            self._successors,
        )

    def count(self, state: LaneState) -> int:
        """Return how many lanes are in `state`."""
        return self._in_state[state]

    def late_until(self) -> float:
        """Return until when a request that had no response may be applied; 0 if there is none."""
        return max((until for until, _ in self._late.values()), default=0.0)

    def __len__(self) -> int:
        """Return how many lanes have a row that is not done."""
        return len(self._lanes) - self._in_state[LaneState.SETTLED]

    def _wait_for_late_effect(self, lane: Lane, now: float) -> None:
        """Hold the head back while an earlier row's unanswered request may still be applied."""
        until, seq = self._late.get(lane.feedback.conversation_id, (0.0, 0))
        if until <= now or seq == lane.feedback.seq:
            return
        if lane.state in (LaneState.READY, LaneState.RECORDING):
            self._put_by(lane, LaneState.RETRYING, until)
        elif until > lane.due:
            self._put_by(lane, lane.state, until)

    def _promote_successor(self, lane: Lane, successor: Feedback, now: float) -> None:
        lane.take_over(successor, now)
        lane.successor = None
        self._successors -= 1

    def _make_due_ready(
        self,
        heap: list[tuple[float, Lane]],
        now: float,
        state: LaneState,
        most: int | None = None,
    ) -> int:
        """Make lanes ready that are in `state` and due, at most so many; return how many."""
        made = 0
        while heap and heap[0][0] <= now and made != most:
            due, lane = heapq.heappop(heap)
            if lane.due == due and lane.state is state:
                self._make_ready(lane)
                made += 1
        return made

    def _make_ready(self, lane: Lane) -> None:
        if lane.unrecorded:
            self._move(lane, LaneState.RECORDING)
            return
        self._move(lane, LaneState.READY)
        self._ready.append(lane)

    def _put_by(self, lane: Lane, state: LaneState, due: float) -> None:
        self._move(lane, state)
        lane.due = due
        heap = self._deferred if state is LaneState.DEFERRED else self._retrying
        heapq.heappush(heap, (due, lane))

    def _move(self, lane: Lane, state: LaneState) -> None:
        self._in_state[lane.state] -= 1
        self._in_state[state] += 1
        lane.state = state
