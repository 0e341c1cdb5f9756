"""The one flow: rows are read, sent in the right order, and recorded, until nothing is left.

`run_pipeline` is the whole of it. `_Run` holds the state of a run while it lasts: the lanes and the
pacing, which are pure, and the recorder, which is the way to the journal. All of it can be lost
at any moment; what lasts is the journal alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import anyio
import anyio.to_thread

from importer.clock import Clock
from importer.control import Control, Observer, Progress
from importer.delivery.client import FeedbackClient
from importer.delivery.disposition import Disposer, Wait
from importer.delivery.retry import DeferralPolicy, RetryPolicy
from importer.delivery.verdicts import Verdict, VerdictKind
from importer.errors import AccountingError, InputError, StoppedError, one_error
from importer.feed import BATCH_ROWS, Batch, read_rows
from importer.jobs import Job, fingerprint, open_job
from importer.journal.base import Journal, SettledRows, Totals
from importer.lanes import ConversationLanes, Lane, LaneState, Superseded
from importer.model import Deferral, Feedback, Outcome, OutcomeKind, Reason, RunEnd, exit_code
from importer.normalise import Normaliser
from importer.pacing import Pacing
from importer.quantities import format_duration
from importer.recorder import Recorder
from importer.reporting.files import write_left_over_files
from importer.reporting.summary import Summary, summarise
from importer.secret import ApiKey
from importer.settings import ImportSettings, LongComments
from importer.sources import RowSource, open_source
from importer.wakeup import Wakeup

#: The reader stops while this many rows are ready to be sent, wait for a retry, or are deferred.
_MOST_READY = 2 * BATCH_ROWS
_MOST_RETRYING = 20_000
_MOST_DEFERRED = 1_000_000


async def run_pipeline(
    settings: ImportSettings,
    key: ApiKey,
    *,
    control: Control | None = None,
    observers: Sequence[Observer] = (),
    clock: Clock | None = None,
) -> Summary:
    """Import the inputs of `settings`, or go on where an earlier run of the same job stopped.

    Returns the job's summary, also when the run was stopped or aborted: its `end` tells. Raises
    an `ImporterError` when the run could not start, or the journal could not be written.
    """
    control, clock = control or Control(), clock or Clock()
    with ExitStack() as stack:
        sources = [open_source(path, settings) for path in settings.inputs]
        for source in sources:
            stack.callback(source.close)
        inputs = await anyio.to_thread.run_sync(fingerprint, settings.inputs, control.stopped)
        if control.end is not None:
            raise StoppedError(exit_code(control.end, {}))
        job = stack.enter_context(open_job(settings, inputs))
        job.journal.begin_run(clock.wall())
        past = await anyio.to_thread.run_sync(_Past.load, job.journal)
        async with FeedbackClient(settings, key, wall=clock.wall) as client:
            run = _Run(settings, job, past, sources, client, control, observers, clock)
            await run.work()
        return await anyio.to_thread.run_sync(_conclude, job, sources, run, clock)


def _conclude(job: Job, sources: Sequence[RowSource], run: _Run, clock: Clock) -> Summary:
    """Check the accounts, write what a person needs, and close the run in the journal."""
    run.check_accounts()
    end, message = run.control.end or RunEnd.FINISHED, run.control.message
    try:
        files = write_left_over_files(job.folder, job.journal, sources)
    except InputError as error:
        files, end, message = [], RunEnd.INPUT_FAILED, str(error)
    now = clock.wall()
    summary = summarise(job.folder, job.journal, end, message, files, now)
    summary.write()
    job.journal.end_run(now, end, message)
    return summary


@dataclass(frozen=True, slots=True)
class _Past:
    """What earlier runs of the job have left behind."""

    totals: Totals
    settled: SettledRows
    deferrals: dict[int, Deferral]

    @classmethod
    def load(cls, journal: Journal) -> _Past:
        return cls(journal.totals(), journal.settled(), journal.deferrals())


class _Run:
    """One run of a job: a reader and a crew of workers around the lanes."""

    def __init__(
        self,
        settings: ImportSettings,
        job: Job,
        past: _Past,
        sources: Sequence[RowSource],
        client: FeedbackClient,
        control: Control,
        observers: Sequence[Observer],
        clock: Clock,
    ) -> None:
        self.control = control
        self._settings = settings
        self._journal = job.journal
        self._client = client
        self._observers = observers
        self._clock = clock
        self._started = clock.monotonic()

        self._lanes = ConversationLanes()
        self._pacing = Pacing(self._started, rate=settings.rate)
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
        self._recorder = Recorder(job.journal, self._report)
        self._past = past
        self._feed = read_rows(
            sources,
            Normaliser(
                settings.ratings, truncate_comments=settings.long_comments is LongComments.TRUNCATE
            ),
            past.settled,
        )
        self._share = 0.0
        self._rows_read = 0
        self._admitted = 0
        self._requests = 0
        self._all_read = False
        self._room = Wakeup()
        self._turnstile = anyio.Lock()
        self._was_open = False
        for observer in observers:
            observer.started(job.folder, settings, past.totals.settled)

    async def work(self) -> None:
        """Read and send until everything is settled, or until the run is stopped."""
        self.control.allow_grace(self._settings.grace)
        with one_error():
            async with anyio.create_task_group() as writing:
                writing.start_soon(self._recorder.write_forever)
                try:
                    with self.control.scope:
                        async with anyio.create_task_group() as crew:
                            crew.start_soon(self._read)
                            for _ in range(self._settings.concurrency):
                                crew.start_soon(self._send)
                finally:
                    writing.cancel_scope.cancel()
                    self._feed.close()
                    await self._recorder.write()

    async def _read(self) -> None:
        """Pull rows from the inputs while there is room for them."""
        try:
            while self.control.end is None:
                batch = await anyio.to_thread.run_sync(next, self._feed, None)
                if batch is None:
                    break
                self._admit(batch)
                while not self._has_room() and self.control.end is None:
                    await self._room.wait()
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
            elif item.seq in self._past.deferrals:
                self._supersede(self._lanes.restore(item, now, self._restored(item, now)))
            else:
                self._supersede(self._lanes.offer(item, now))
        self.control.changed.notify()

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

        One worker waits at the turnstile for all of them; the others queue up behind it.
        """
        if not self._turnstile.locked() and (lane := self._take()) is not None:
            return lane
        async with self._turnstile:
            while self.control.end is None and not (self._all_read and not len(self._lanes)):
                if (lane := self._take()) is not None:
                    return lane
                await self.control.changed.wait(self._seconds_to_wait())
        return None

    def _take(self) -> Lane | None:
        now = self._clock.monotonic()
        if self.control.end is not None or self._pacing.wait(now) > 0:
            return None
        lane = self._lanes.next_ready(now)
        if lane is not None:
            self._pacing.start(now)
            if self._has_room():
                self._room.notify()
        return lane

    def _apply(self, lane: Lane, verdict: Verdict) -> None:
        """Settle the row, or put it by, as the verdict says."""
        now = self._clock.monotonic()
        self._learn(verdict, now)
        if verdict.late:
            self._lanes.may_take_effect_late(lane, now + self._settings.late_effect)
        if verdict.kind in (VerdictKind.KEY_REFUSED, VerdictKind.UNTRUSTED):
            self._abort_untrusted(verdict)
            return
        step = self._disposer.decide(lane, verdict, now, outage=self._pacing.breaker.is_open)
        if isinstance(step, Wait):
            self._supersede(self._lanes.park(lane, step.state, now + step.seconds, now))
            if step.state is LaneState.DEFERRED and step.seconds:
                self._recorder.defer(self._lasting(lane, now))
        else:
            self._recorder.settle(step)
            self._lanes.settle(lane, now)
            limit = self._settings.max_failures
            if limit is not None and limit.reached(self._recorder.counts):
                failed = self._recorder.counts[OutcomeKind.FAILED]
                self.control.stop(
                    RunEnd.MAX_FAILURES,
                    f"{failed:,} rows failed, which is the limit; the latest: {step.detail}",
                )
        self.control.changed.notify()

    def _learn(self, verdict: Verdict, now: float) -> None:
        """Take from the verdict what concerns all rows: outages and pauses."""
        breaker = self._pacing.breaker
        if verdict.kind is not VerdictKind.TRANSIENT:
            breaker.answered(now)
        else:
            breaker.failed(now)
            if verdict.retry_after and verdict.http_status in (429, 503):
                if not self._pacing.paused_for(now):
                    self._notice(
                        f"the service asks for a pause of {format_duration(verdict.retry_after)} "
                        f"({verdict.detail})"
                    )
                self._pacing.pause(now + verdict.retry_after)
        if breaker.is_open is not self._was_open:
            self._was_open = breaker.is_open
            self._notice(
                f"the service fails as a whole ({verdict.detail}): pausing, with single probes"
                if breaker.is_open
                else "the service answers again: going on"
            )
        if breaker.is_open and breaker.open_for(now) >= self._settings.outage_for:
            self.control.stop(
                RunEnd.SERVICE_DOWN,
                f"the service has failed for {format_duration(breaker.open_for(now))}: "
                f"{verdict.detail}",
            )

    def _abort_untrusted(self, verdict: Verdict) -> None:
        if verdict.kind is VerdictKind.UNTRUSTED:
            self.control.stop(RunEnd.UNTRUSTED, verdict.detail)
        else:
            self.control.stop(
                RunEnd.KEY_REFUSED,
                f"the service refused the API key ({verdict.detail}): check the key, and that it "
                "belongs to this product",
            )

    def _supersede(self, superseded: Superseded | None) -> None:
        if superseded is not None:
            feedback, attempts = superseded
            self._recorder.settle(
                Outcome(
                    feedback.seq,
                    OutcomeKind.SUPERSEDED,
                    feedback.conversation_id,
                    Reason.LATER_ROW,
                    attempts=attempts,
                )
            )

    def _lasting(self, lane: Lane, now: float) -> Deferral:
        """Return where a deferred lane stands, in the time that outlives the process."""
        offset = self._clock.wall() - now
        since = lane.deferred_since if lane.deferred_since is not None else now
        return Deferral(
            lane.feedback.seq, lane.attempts, lane.checks, since + offset, lane.due + offset
        )

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
            count(LaneState.READY) < _MOST_READY
            and count(LaneState.RETRYING) < _MOST_RETRYING
            and count(LaneState.DEFERRED) < _MOST_DEFERRED
            and self._recorder.has_room
        )

    def _seconds_to_wait(self) -> float:
        now = self._clock.monotonic()
        if (pause := self._pacing.wait(now)) > 0:
            return pause
        due = self._lanes.next_due()
        return math.inf if due is None else max(0.0, due - now)

    def _notice(self, message: str) -> None:
        for observer in self._observers:
            observer.noticed(message)

    def _report(self) -> None:
        """Tell the observers how it goes; called after each write of the journal."""
        self._room.notify()
        if self._observers:
            progress = self._progress()
            for observer in self._observers:
                observer.progressed(progress)

    def _progress(self) -> Progress:
        now = self._clock.monotonic()
        lanes = self._lanes.statistics()
        counts = self._recorder.counts
        outcomes = {kind: self._past.totals.outcomes[kind] + counts[kind] for kind in OutcomeKind}
        rows = max(self._past.totals.rows, self._rows_read)
        outcomes[OutcomeKind.PENDING] = 0
        outcomes[OutcomeKind.PENDING] = rows - sum(outcomes.values())
        due = self._lanes.next_due()
        held = ""
        if self._pacing.breaker.is_open:
            held = "the service is down"
        elif (pause := self._pacing.paused_for(now)) > 0:
            held = f"paused by the service for {format_duration(pause)}"
        return Progress(
            rows_read=self._rows_read,
            share=self._share,
            outcomes=outcomes,
            settled_now=counts.total(),
            in_flight=lanes.in_flight,
            retrying=lanes.retrying,
            deferred=lanes.deferred,
            next_due=None if due is None else max(0.0, due - now),
            only_deferred=self._all_read and lanes.deferred == lanes.outstanding > 0,
            held_by=held,
            elapsed=now - self._started,
        )

    def check_accounts(self) -> None:
        """Raise `AccountingError` unless every row that was read is accounted for."""
        outstanding = self._lanes.statistics().outstanding
        recorded = self._recorder.counts.total()
        totals = self._journal.totals()
        settled, before = totals.settled, self._past.totals.settled
        finished = self.control.end is None
        if (
            self._admitted != recorded + outstanding
            or settled != before + recorded
            or totals.outcomes[OutcomeKind.PENDING] < outstanding
            or (finished and totals.outcomes[OutcomeKind.PENDING])
        ):
            raise AccountingError(
                f"the outcomes do not add up: {totals.rows} rows read, {settled} settled, "
                f"{before} before this run, {self._admitted} admitted, {recorded} recorded, "
                f"{outstanding} outstanding. This is a defect of the importer; the journal is kept"
            )
