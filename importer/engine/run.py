"""One run of a job while it lasts: a reader and a pool of workers around the lanes.

All the state here can be lost at any moment; what lasts is the journal. The decisions are made
elsewhere: which row is next by `lanes`, whether a request may start by `pacing`, what becomes of
a row by `next_step`. This module awaits, and carries the answers between them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import anyio
import anyio.to_thread

from importer.clarityq.rotating_client import RotatingClient
from importer.common.durations import format_duration
from importer.engine.alarm import Alarm
from importer.engine.answers import Answers, canary_for
from importer.engine.clock import Clock
from importer.engine.control import Control
from importer.engine.journal_writer import HEARTBEAT, JournalWriter
from importer.engine.lanes import ConversationLanes, Lane, LaneState
from importer.engine.ledger_check import LedgerCheck
from importer.engine.progress import Observer, ProgressReporter, Reading
from importer.engine.reader import BATCH_ROWS, Batch, Input, read_rows
from importer.engine.resume import ResumeState, restored
from importer.engine.wakeup import Wakeup
from importer.errors import InputError, one_error
from importer.jobs.journal import Journal
from importer.jobs.ledger import LedgerSession
from importer.model import Outcome, OutcomeKind, RunEnd
from importer.pacing import CircuitBreaker, Limit, Pacer
from importer.settings import ImportSettings

#: The reader stops while this many rows are ready to be sent, wait for a retry, or are deferred.
_MOST_READY = 2 * BATCH_ROWS
_MOST_RETRYING = 20_000
_MOST_DEFERRED = 1_000_000
#: Waits below this, in seconds, have to be exact.
_SHORT = 0.02
#: Seconds in which nothing but failures came until the service counts as unavailable.
_PATIENCE = 5.0
#: How much later than it was noted a killed run may have sent its last request, in seconds.
_HEARTBEAT_SLACK = 2 * HEARTBEAT


class Run:
    """Reads, sends and records until everything is settled, or until `control` stops it."""

    def __init__(
        self,
        settings: ImportSettings,
        journal: Journal,
        resumed: ResumeState,
        inputs: Sequence[Input],
        client: RotatingClient,
        control: Control,
        observers: Sequence[Observer],
        clock: Clock,
        ledger: LedgerSession | None = None,
    ) -> None:
        self.control = control
        self._settings = settings
        self._client = client
        self._clock = clock
        started = clock.monotonic()

        self._lanes = ConversationLanes()
        self._pacer = Pacer(
            started,
            concurrency=settings.pacing.concurrency,
            rate=settings.pacing.rate,
            breaker=CircuitBreaker(
                started, patience=min(_PATIENCE, settings.abort_rules.outage_for)
            ),
        )
        self._canary = canary_for(settings, resumed.totals)
        self._writer = JournalWriter(
            journal,
            self._written,
            lambda: self.quiet_at(_HEARTBEAT_SLACK),
            clock.wall,
            ledger,
        )
        self._reporter = ProgressReporter(
            self._lanes, self._pacer, self._writer, resumed.totals, observers, clock
        )
        self._reading = Reading()
        self._answers = Answers(
            settings, resumed.totals, self._lanes, self._pacer, self._canary, self._writer,
            self._reporter, control, clock, self._reading,
        )  # fmt: skip
        self._check = LedgerCheck(ledger, settings, clock.wall) if ledger is not None else None
        self._resumed = resumed
        self._batches = read_rows(inputs, resumed.settled)
        self._requests = 0
        self._reader_waits = False
        self._room = Wakeup()
        self._turnstile = anyio.Lock()
        self._alarm: Alarm | None = None

    @property
    def admitted(self) -> int:
        """Return how many rows this run has taken in, those settled earlier left out."""
        return self._reading.admitted

    @property
    def recorded(self) -> int:
        """Return how many outcomes this run has recorded."""
        return self._writer.counts.total()

    @property
    def outstanding(self) -> int:
        """Return how many rows are still in the lanes."""
        return self._lanes.statistics().outstanding

    @property
    def limit(self) -> Limit:
        """Return what kept the run from being faster, most of its time."""
        return self._reporter.limit

    @property
    def service_rate(self) -> float | None:
        """Return the service's limit as it was found, in requests per second; None without one."""
        return self._pacer.service_rate

    @property
    def latencies(self) -> Sequence[int]:
        """Return how many answers fell into each of `common.histogram.BUCKETS`."""
        return self._reporter.statistics.all_answers

    def quiet_at(self, slack: float = 0.0) -> float:
        """Return when the requests of this run will have taken effect, in Unix seconds.

        With `slack` (seconds) those count that start within it.
        """
        now = self._clock.monotonic()
        quiet = max(now, self._lanes.late_until())
        if slack or self._lanes.count(LaneState.IN_FLIGHT):
            quiet = now + slack + self._settings.timeouts.late_effect
        return self._clock.wall() + quiet - now

    def wait_until_quiet(self, quiet_at: float) -> None:
        """Send nothing while requests of an earlier run may take effect, until `quiet_at`.

        A later row that is sent before an unanswered earlier one is applied would be overwritten.
        """
        wait = quiet_at - self._clock.wall()
        # The clock may be wrong.
        wait = min(wait, self._settings.timeouts.late_effect + _HEARTBEAT_SLACK)
        if wait > 0:
            self._pacer.hold_back(self._clock.monotonic() + wait)
            self._reporter.notice(
                f"requests of the run before may still take effect: waiting {format_duration(wait)}"
            )

    async def work(self) -> None:
        """Read and send until everything is settled, or until the run is stopped."""
        self.control.allow_grace(self._settings.timeouts.grace)
        self._alarm = Alarm(self.control.changed.notify)
        with one_error():
            async with anyio.create_task_group() as writing:
                writing.start_soon(self._writer.write_forever)
                writing.start_soon(self._end_in_time)
                try:
                    with self.control.scope:
                        async with anyio.create_task_group() as workers:
                            workers.start_soon(self._read)
                            for _ in range(self._settings.pacing.concurrency):
                                workers.start_soon(self._send)
                finally:
                    self._alarm.close()
                    writing.cancel_scope.cancel()
                    self._batches.close()
                    self._report(last=True)
                    await self._writer.write()

    async def _end_in_time(self) -> None:
        """Stop the run when its time box has ended."""
        longest = self._settings.job.max_duration
        if longest is not None:
            await anyio.sleep(longest)
            self.control.stop(
                RunEnd.TIME_BOX, f"the time box of {format_duration(longest)} has ended"
            )

    async def _read(self) -> None:
        """Pull rows from the inputs while there is room for them."""
        try:
            while self.control.end is None:
                batch = await anyio.to_thread.run_sync(next, self._batches, None)
                if batch is None:
                    self._reading.share = 1.0
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
            self._reading.all_read = True
            self.control.changed.notify()

    def _admit(self, batch: Batch) -> None:
        """Offer a batch's feedback to the lanes; record the rows that are not to be sent."""
        now = self._clock.monotonic()
        self._writer.read(batch.rows_read, batch.first_seqs)
        self._reading.rows_read, self._reading.share = batch.rows_read, batch.share
        self._reading.admitted += len(batch.items)
        for item in batch.items:
            if isinstance(item, Outcome):
                self._writer.settle(item)
                if item.kind is OutcomeKind.REJECTED:
                    self._reporter.statistics.met(f"rejected: {item.reason}", item.detail)
            elif item.seq in self._resumed.deferrals:
                deferral = self._resumed.deferrals.pop(item.seq)
                deferral = restored(deferral, self._clock, self._settings.deferral.max)
                self._answers.superseded(self._lanes.restore(item, now, deferral))
            else:
                self._answers.superseded(self._lanes.offer(item, now, ask_status=batch.ask_status))
        self._answers.lanes_changed()

    async def _send(self) -> None:
        """Be a worker: take the next row, send it, act on the answer."""
        while (lane := await self._next()) is not None:
            self._requests += 1
            if lane.ask_status:
                verdict = await self._client.status(lane.feedback.conversation_id)
            else:
                lane.attempts += 1
                verdict = await self._client.put(lane.feedback)
            self._answers.answered(lane, verdict)

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
                await self._wait(self._seconds_to_wait())
        return None

    async def _wait(self, seconds: float) -> None:
        """Return when something has changed, or after `seconds`."""
        if self._alarm is not None and 0 < seconds < _SHORT and self._pacer.is_capped:
            # A service that allows no burst refuses the second of two that come in a millisecond.
            self._alarm.set(seconds)
            seconds = _SHORT
        await self.control.changed.wait(seconds)

    def _is_over(self) -> bool:
        return self.control.end is not None or (self._reading.all_read and not len(self._lanes))

    def _take(self) -> Lane | None:
        now = self._clock.monotonic()
        if self.control.end is not None or not self._has_slot() or self._pacer.wait(now) > 0:
            return None
        lane = self._lanes.next_ready(now)
        if self._check is not None:
            while lane is not None and not self._answers.sends(lane, self._check):
                lane = self._lanes.next_ready(now)
        if lane is not None:
            self._pacer.start(now)
            self._canary.start()
        if self._reader_waits and self._has_room():
            self._room.notify()
        return lane

    def _has_slot(self) -> bool:
        in_flight = self._lanes.count(LaneState.IN_FLIGHT)
        return not self._canary.is_full and self._pacer.has_slot(in_flight)

    def _has_room(self) -> bool:
        count = self._lanes.count
        return (
            count(LaneState.READY) + count(LaneState.RECORDING) < _MOST_READY
            and count(LaneState.RETRYING) < _MOST_RETRYING
            and count(LaneState.DEFERRED) < _MOST_DEFERRED
            and self._writer.has_room
        )

    def _seconds_to_wait(self) -> float:
        if not self._has_slot():
            return math.inf  # whoever frees one takes it, or says that there are more
        now = self._clock.monotonic()
        if (pause := self._pacer.wait(now)) > 0:
            return pause
        due = self._lanes.next_due()
        return math.inf if due is None else max(0.0, due - now)

    def _written(self, lanes: Sequence[Lane]) -> None:
        """The journal holds the outcomes of these lanes: go on with them, and tell how it goes."""
        for lane in lanes:
            self._lanes.recorded(lane)
        self._answers.stop_if_hopeless()
        self._answers.lanes_changed()
        self._room.notify()
        self._report()

    def _report(self, *, last: bool = False) -> None:
        self._reporter.report(self._reading, last=last)
