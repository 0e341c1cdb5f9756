"""One run of a job while it lasts: a reader and a crew of workers around the lanes.

All the state here can be lost at any moment; what lasts is the journal. The decisions are made
elsewhere: which row is next by `lanes`, whether a request may start by `pacing`, what becomes of
a row by `delivery.disposition`. This module awaits, and carries the answers between them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

import anyio
import anyio.to_thread

from importer.clock import Clock
from importer.control import Control, Observer
from importer.delivery.body import body_digest
from importer.delivery.client import FeedbackClient
from importer.delivery.disposition import Disposer, Wait
from importer.delivery.health import Exchange, learn, reason_to_stop
from importer.delivery.retry import DeferralPolicy, RetryPolicy
from importer.delivery.verdicts import Verdict, VerdictKind
from importer.errors import InputError, one_error
from importer.feed import BATCH_ROWS, Batch, Input, read_rows
from importer.journal.base import Journal, SettledRows, Totals
from importer.journal.ledger import Applied, Ledger
from importer.lanes import ConversationLanes, Lane, LaneState, Superseded
from importer.model import (
    Attempt,
    Call,
    Deferral,
    Feedback,
    Outcome,
    OutcomeKind,
    Reason,
    RunEnd,
)
from importer.pacing import Canary, Limit, Pacing
from importer.quantities import format_duration
from importer.recorder import HEARTBEAT, Recorder
from importer.settings import ImportSettings
from importer.wakeup import Wakeup
from importer.watch import Watch

#: The reader stops while this many rows are ready to be sent, wait for a retry, or are deferred.
_MOST_READY = 2 * BATCH_ROWS
_MOST_RETRYING = 20_000
_MOST_DEFERRED = 1_000_000
#: How many rows go ahead of a new job with more rows than that, unless the user says otherwise.
CANARY = 20
_MANY_ROWS = 1000
_TOLD_BY_STATUS = (
    VerdictKind.COMPLETED, VerdictKind.NOT_COMPLETED, VerdictKind.CONVERSATION_ERROR
)  # fmt: skip
#: How much later than it was noted a killed run may have sent its last request, in seconds.
_HEARTBEAT_SLACK = 2 * HEARTBEAT


@dataclass(frozen=True, slots=True)
class Past:
    """What earlier runs of the job have left behind."""

    totals: Totals
    settled: SettledRows
    deferrals: dict[int, Deferral]

    @classmethod
    def load(cls, journal: Journal) -> Past:
        """Read it from the journal; takes about a second for each million settled rows."""
        return cls(journal.totals(), journal.settled(), journal.deferrals())


class Run:
    """Reads, sends and records until everything is settled, or until `control` stops it."""

    def __init__(
        self,
        settings: ImportSettings,
        journal: Journal,
        past: Past,
        inputs: Sequence[Input],
        client: FeedbackClient,
        control: Control,
        observers: Sequence[Observer],
        clock: Clock,
        ledger: tuple[Ledger, int] | None = None,
    ) -> None:
        self.control = control
        self._settings = settings
        self._client = client
        self._clock = clock
        started = clock.monotonic()

        self._lanes = ConversationLanes()
        self._pacing = Pacing(started, concurrency=settings.concurrency, rate=settings.rate)
        sent_before = past.totals.outcomes[OutcomeKind.SUCCEEDED]
        self._canary = Canary(
            0 if sent_before else CANARY if settings.canary is None else settings.canary
        )
        self._disposer = Disposer(
            RetryPolicy(
                max_attempts=settings.max_attempts,
                first=settings.retry_first,
                longest=settings.retry_max,
            ),
            DeferralPolicy(
                first=settings.defer_first, longest=settings.defer_max, total=settings.defer_for
            ),
        )
        self._recorder = Recorder(
            journal,
            self._written,
            lambda: self.quiet_at(_HEARTBEAT_SLACK),
            clock.wall,
            ledger,
        )
        self._ledger = ledger
        self._watch = Watch(
            self._lanes, self._pacing, self._recorder, past.totals, observers, clock
        )
        self._past = past
        self._feed = read_rows(inputs, past.settled)
        self._share = 0.0
        self._rows_read = 0
        self._admitted = 0
        self._requests = 0
        self._all_read = False
        self._reader_waits = False
        self._room = Wakeup()
        self._turnstile = anyio.Lock()

    @property
    def admitted(self) -> int:
        """Return how many rows this run has taken in, those settled earlier left out."""
        return self._admitted

    @property
    def recorded(self) -> int:
        """Return how many outcomes this run has recorded."""
        return self._recorder.counts.total()

    @property
    def outstanding(self) -> int:
        """Return how many rows are still in the lanes."""
        return self._lanes.statistics().outstanding

    @property
    def limit(self) -> Limit:
        """Return what kept the run from being faster, most of its time."""
        return self._watch.limit

    @property
    def latencies(self) -> Sequence[int]:
        """Return how many answers fell into each of `measurements.BUCKETS`."""
        return self._watch.measurements.all_answers

    def quiet_at(self, slack: float = 0.0) -> float:
        """Return when the requests of this run will have taken effect, in Unix seconds.

        With `slack` (seconds) those count that start within it.
        """
        now = self._clock.monotonic()
        quiet = max(now, self._lanes.late_until())
        if slack or self._lanes.count(LaneState.IN_FLIGHT):
            quiet = now + slack + self._settings.late_effect
        return self._clock.wall() + quiet - now

    def wait_until_quiet(self, quiet_at: float) -> None:
        """Send nothing while requests of an earlier run may take effect, until `quiet_at`.

        A later row that is sent before an unanswered earlier one is applied would be overwritten.
        """
        wait = quiet_at - self._clock.wall()
        wait = min(wait, self._settings.late_effect + _HEARTBEAT_SLACK)  # the clock may be wrong
        if wait > 0:
            self._pacing.pause(self._clock.monotonic() + wait)
            self._watch.notice(
                f"requests of the run before may still take effect: waiting {format_duration(wait)}"
            )

    async def work(self) -> None:
        """Read and send until everything is settled, or until the run is stopped."""
        self.control.allow_grace(self._settings.grace)
        with one_error():
            async with anyio.create_task_group() as writing:
                writing.start_soon(self._recorder.write_forever)
                writing.start_soon(self._end_in_time)
                try:
                    with self.control.scope:
                        async with anyio.create_task_group() as crew:
                            crew.start_soon(self._read)
                            for _ in range(self._settings.concurrency):
                                crew.start_soon(self._send)
                finally:
                    writing.cancel_scope.cancel()
                    self._feed.close()
                    self._look(last=True)
                    await self._recorder.write()

    async def _end_in_time(self) -> None:
        """Stop the run when its time box has ended."""
        longest = self._settings.max_duration
        if longest is not None:
            await anyio.sleep(longest)
            self.control.stop(
                RunEnd.TIME_BOX, f"the time box of {format_duration(longest)} has ended"
            )

    async def _read(self) -> None:
        """Pull rows from the inputs while there is room for them."""
        try:
            while self.control.end is None:
                batch = await anyio.to_thread.run_sync(next, self._feed, None)
                if batch is None:
                    self._share = 1.0
                    break
                self._admit(batch)
                while not self._has_room() and self.control.end is None:
                    self._reader_waits = True
                    await self._room.wait()
                    self._reader_waits = False
        except InputError as error:
            if not self._requests:
                raise
            self.control.stop(RunEnd.INPUT_FAILED, str(error))
        finally:
            self._all_read = True
            self.control.changed.notify()

    def _admit(self, batch: Batch) -> None:
        """Offer a batch's feedback to the lanes; record the rows that are not to be sent."""
        now = self._clock.monotonic()
        self._recorder.read(batch.rows_read, batch.first_seqs)
        self._rows_read, self._share = batch.rows_read, batch.share
        self._admitted += len(batch.items)
        for item in batch.items:
            if isinstance(item, Outcome):
                self._recorder.settle(item)
                if item.kind is OutcomeKind.REJECTED:
                    self._watch.measurements.met(f"rejected: {item.reason}", item.detail)
            elif item.seq in self._past.deferrals:
                self._supersede(self._lanes.restore(item, now, self._restored(item, now)))
            else:
                self._supersede(self._lanes.offer(item, now, ask_status=batch.ask_status))
        self._lanes_changed()

    async def _send(self) -> None:
        """Be a worker: take the next row, send it, act on the answer."""
        while (lane := await self._next()) is not None:
            self._requests += 1
            if lane.ask_status:
                verdict = await self._client.status(lane.feedback.conversation_id)
            else:
                lane.attempts += 1
                verdict = await self._client.put(lane.feedback)
            self._apply(lane, verdict)

    async def _next(self) -> Lane | None:
        """Return the next row to send, when it may be sent; None at the end of the run.

        A worker that comes from a request takes the place of that request if it can. Otherwise one
        worker waits at the turnstile for all of them, and the others queue up behind it.
        """
        if (lane := self._take()) is not None:
            return lane
        async with self._turnstile:
            while not self._is_over():
                if (lane := self._take()) is not None:
                    return lane
                await self.control.changed.wait(self._seconds_to_wait())
        return None

    def _is_over(self) -> bool:
        return self.control.end is not None or (self._all_read and not len(self._lanes))

    def _take(self) -> Lane | None:
        now = self._clock.monotonic()
        if self.control.end is not None or not self._has_slot() or self._pacing.wait(now) > 0:
            return None
        lane = self._lanes.next_ready(now)
        if self._ledger is not None:
            while lane is not None and not self._is_to_be_sent(lane, now):
                lane = self._lanes.next_ready(now)
        if lane is not None:
            self._pacing.start(now)
            self._canary.start()
        if self._reader_waits and self._has_room():
            self._room.notify()
        return lane

    def _is_to_be_sent(self, lane: Lane, now: float) -> bool:
        """Ask the ledger about a row that could be sent now; settle it, or hold it, if not."""
        assert self._ledger is not None  # noqa: S101 -- asked only if there is one
        ledger, job = self._ledger
        applied = ledger.applied(lane.feedback.conversation_id)
        if applied is None:
            return True
        if applied.job > job:
            self._settle_unsent(lane, now, OutcomeKind.SUPERSEDED, Reason.LATER_JOB)
            return False
        if applied.digest is None:
            return True
        if self._skips(applied) and applied.digest == body_digest(lane.feedback):
            self._settle_unsent(lane, now, OutcomeKind.UNCHANGED, Reason.SAME_AS_STORED)
            return False
        # From the moment of the request on it is not known what the service has stored.
        self._lanes.hold(lane)
        self._recorder.forget(lane)
        return False

    def _skips(self, applied: Applied) -> bool:
        settings = self._settings
        if not settings.skip_unchanged or settings.restart:
            return False
        age = self._clock.wall() - applied.at
        return settings.refresh_after is None or age < settings.refresh_after

    def _settle_unsent(self, lane: Lane, now: float, kind: OutcomeKind, reason: Reason) -> None:
        feedback = lane.feedback
        self._recorder.settle(
            Outcome(feedback.seq, kind, feedback.conversation_id, reason, attempts=lane.attempts),
            lane,
        )
        self._lanes.settle(lane, now)
        if not len(self._lanes):
            self.control.changed.notify()

    def _has_slot(self) -> bool:
        in_flight = self._lanes.count(LaneState.IN_FLIGHT)
        return not self._canary.is_full and self._pacing.has_slot(in_flight)

    def _apply(self, lane: Lane, verdict: Verdict) -> None:
        """Settle the row, or put it by, as the verdict says."""
        now = self._clock.monotonic()
        pacing = self._pacing
        self._watch.measurements.answered(now - lane.started, _answered_status(lane, verdict))
        if verdict.kind is VerdictKind.APPLIED and not pacing.breaker.is_open:
            pacing.answered(now, lane.started, self._lanes.count(LaneState.IN_FLIGHT))
            if self._canary.is_open:
                self._canary.passed()
                self.control.changed.notify()
        else:
            self._learn(lane, verdict, now)
        if pacing.window.is_due:
            pacing.window.turn(now, self._clock.cpu())
            self.control.changed.notify()
        call = Call.STATUS if lane.ask_status else Call.PUT
        if verdict.kind in (VerdictKind.KEY_REFUSED, VerdictKind.UNTRUSTED):
            # The row was not at fault: it stays pending.
            self._remember(lane, verdict, now, call, None)
            self._supersede(self._lanes.park(lane, LaneState.RETRYING, now, now))
            return
        if verdict.late:
            self._lanes.may_take_effect_late(lane, now + self._settings.late_effect)
        step = self._disposer.decide(lane, verdict, now, outage=pacing.breaker.is_open)
        if verdict.kind is not VerdictKind.APPLIED:
            self._remember(lane, verdict, now, call, step)
        if isinstance(step, Wait):
            self._supersede(self._lanes.park(lane, step.state, now + step.seconds, now))
            if step.state is LaneState.DEFERRED:
                self._recorder.defer(self._lasting(lane, now))
            self._lanes_changed()
            return
        self._recorder.settle(step, lane)
        self._lanes.settle(lane, now)
        if step.kind is OutcomeKind.FAILED:
            self._weigh_failure(step)
        # This worker takes the next row itself: the one at the turnstile need not look each time.
        if self._lanes.count(LaneState.RECORDING):
            self._recorder.hurry()
        if not len(self._lanes):
            self.control.changed.notify()

    def _remember(
        self, lane: Lane, verdict: Verdict, now: float, call: Call, step: Outcome | Wait | None
    ) -> None:
        """Record an attempt that did not end with stored feedback, and the `step` after it."""
        if verdict.kind is VerdictKind.NOT_COMPLETED:
            lane.looks += 1
            if call is Call.STATUS and lane.looks > 2 and isinstance(step, Wait):
                return  # as before: the deferral's own line counts it
        elif verdict.kind is not VerdictKind.COMPLETED:
            self._watch.measurements.met(f"{verdict.kind} {verdict.http_status}", verdict.detail)
        at = now + self._clock.wall() - self._clock.monotonic()
        wait = step.seconds if isinstance(step, Wait) else None
        detail = verdict.detail or "the conversation is completed"
        self._recorder.attempted(
            Attempt(lane.feedback.seq, at, call, verdict.http_status, detail, wait)
        )

    def _weigh_failure(self, outcome: Outcome) -> None:
        """Stop the run if so many rows have failed, or the first ones all alike."""
        limit = self._settings.max_failures
        if limit is not None and limit.reached(self._recorder.counts):
            failed = self._recorder.counts[OutcomeKind.FAILED]
            self.control.stop(
                RunEnd.MAX_FAILURES,
                f"{failed:,} rows failed, which is the limit; the latest: {outcome.detail}",
            )
        if not self._canary.failed((outcome.reason, outcome.http_status)):
            return
        if self._all_read and self._rows_read <= _MANY_ROWS and self._settings.canary is None:
            self._canary.passed()
        else:
            self.control.stop(
                RunEnd.CANARY,
                f"the first {self._recorder.counts[OutcomeKind.FAILED]:,} rows all failed alike "
                f"({outcome.detail}), so the others were not sent. Mend the cause and start over "
                "with --restart; --canary 0 sends them all the same",
            )

    def _learn(self, lane: Lane, verdict: Verdict, now: float) -> None:
        """Let the pacing know of the answer, and stop the run if it says so."""
        exchange = Exchange(lane.started, self._lanes.count(LaneState.IN_FLIGHT), not lane.failures)
        self._watch.notice(learn(self._pacing, verdict, exchange, now))
        if verdict.kind is VerdictKind.TRANSIENT:
            self._canary.returned()
        elif verdict.kind is not VerdictKind.REFUSED:
            self._canary.passed()
        stop = reason_to_stop(self._pacing, verdict, now, self._settings.outage_for)
        if stop is not None:
            self.control.stop(*stop)
        self.control.changed.notify()

    def _lanes_changed(self) -> None:
        if self._lanes.count(LaneState.RECORDING):
            self._recorder.hurry()
        self.control.changed.notify()

    def _supersede(self, superseded: Superseded | None) -> None:
        if superseded is not None:
            lane, feedback, attempts = superseded
            self._recorder.settle(
                Outcome(
                    feedback.seq,
                    OutcomeKind.SUPERSEDED,
                    feedback.conversation_id,
                    Reason.LATER_ROW,
                    attempts=attempts,
                ),
                lane,
            )

    def _lasting(self, lane: Lane, now: float) -> Deferral:
        """Return where a deferred lane stands, in the time that outlives the process."""
        offset = self._clock.wall() - now
        since = now if lane.deferred_since is None else lane.deferred_since
        return Deferral(
            lane.feedback.seq, lane.attempts, since + offset, lane.due + offset, lane.looks,
            now + offset,
        )  # fmt: skip

    def _restored(self, feedback: Feedback, now: float) -> Deferral:
        """Return a recorded deferral in this run's time, sane even if the clock was set."""
        deferral = self._past.deferrals.pop(feedback.seq)
        offset = now - self._clock.wall()
        return deferral._replace(
            since=min(now, deferral.since + offset),
            due=min(now + self._settings.defer_max, deferral.due + offset),
        )

    def _has_room(self) -> bool:
        count = self._lanes.count
        return (
            count(LaneState.READY) + count(LaneState.RECORDING) < _MOST_READY
            and count(LaneState.RETRYING) < _MOST_RETRYING
            and count(LaneState.DEFERRED) < _MOST_DEFERRED
            and self._recorder.has_room
        )

    def _seconds_to_wait(self) -> float:
        if not self._has_slot():
            return math.inf  # whoever frees one takes it, or says that there are more
        now = self._clock.monotonic()
        if (pause := self._pacing.wait(now)) > 0:
            return pause
        due = self._lanes.next_due()
        return math.inf if due is None else max(0.0, due - now)

    def _written(self, lanes: Sequence[Lane]) -> None:
        """The journal holds the outcomes of these lanes: go on with them, and tell how it goes."""
        for lane in lanes:
            self._lanes.recorded(lane)
        self._lanes_changed()
        self._room.notify()
        self._look()

    def _look(self, *, last: bool = False) -> None:
        self._watch.look(
            rows_read=self._rows_read, share=self._share, all_read=self._all_read, last=last
        )


def _answered_status(lane: Lane, verdict: Verdict) -> int | None:
    """Return the status of the answer; the verdict on a status call has the one for the row."""
    told = lane.ask_status and verdict.kind in _TOLD_BY_STATUS
    return HTTPStatus.OK if told else verdict.http_status
