"""A run that many processes work on: it reads, hands rows out, records what comes back.

It stands in the place of `engine.run.Run`, with the same reader, queue and journal writer. A row
that a worker has is in flight to the queue. What a lost worker leaves is given to the others at
once: every conversation has one row, so the same feedback at worst arrives twice.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence

import anyio
import anyio.abc

from importer.clarityq.api_key import ApiKey
from importer.common.durations import format_duration
from importer.distributed.budgets import rows_on_hand
from importer.distributed.crew import Crew, Wire, WorkerLostError
from importer.distributed.hand_out import HandOut
from importer.distributed.overview import Overview
from importer.distributed.seat import LOST_AFTER, Seat, SeatState
from importer.distributed.terms import Terms
from importer.distributed.wire import Assignment, Reply, pack, read_reply
from importer.engine.answers import canary_for
from importer.engine.at_work import JobAtWork
from importer.engine.clock import Clock
from importer.engine.control import Control
from importer.engine.intake import Intake
from importer.engine.journal_writer import JournalWriter
from importer.engine.progress import Observer
from importer.engine.reader import Batch
from importer.engine.resume import ResumeState
from importer.engine.row_queue import QueuedRow, RowQueue, RowState
from importer.engine.statistics import Statistics
from importer.engine.wakeup import Wakeup
from importer.errors import one_error
from importer.jobs.worker_mark import LEASE
from importer.model import OutcomeKind, Rank, RunEnd
from importer.pacing import Limit
from importer.settings import ImportSettings

#: Seconds between two exchanges with a worker, and between two looks at which workers there are.
_PERIOD = 0.1
_LOOK = 0.5
#: Seconds that one exchange may take, and the beginning of a worker.
_LONGEST_EXCHANGE = 5.0
_LONGEST_BEGINNING = 60.0
#: Seconds that a worker may take longer than the grace to tell how it has ended.
_FAREWELL = 2.0
#: The run ends when there has been no worker for so many seconds.
ALONE = 60.0
#: A worker that hears nothing for so many seconds ends itself.
_SILENCE = 60.0


class Coordinator:
    """See `engine.run.Run`, whose place it takes. `crew` are the processes."""

    def __init__(
        self,
        settings: ImportSettings,
        key: ApiKey,
        job: JobAtWork,
        resumed: ResumeState,
        batches: Iterator[Batch],
        crew: Crew,
        control: Control,
        observers: Sequence[Observer],
        clock: Clock,
    ) -> None:
        self.control = control
        self._settings = settings
        self._key = key
        self._job = job
        self._crew = crew
        self._clock = clock
        self._started = clock.monotonic()
        self._accepted = resumed.totals.outcomes[OutcomeKind.SUCCEEDED] > 0
        canary = canary_for(settings, resumed.totals)
        #: How many rows go ahead of the others until one of them has shown something; 0: no more.
        self._canary = canary.rows if canary.is_open else 0

        self._queue = RowQueue()
        self._statistics = Statistics(self._started)
        self._writer = JournalWriter(job.journal, self._nothing, job.body_of, clock.wall)
        self._intake = Intake(
            settings, resumed, batches, self._queue, self._writer, self._statistics, control, clock
        )
        self._seats: list[Seat] = []
        self._terms = Terms(settings)
        self._rows = HandOut(settings, self._queue, self._writer, clock)
        self._overview = Overview(
            resumed.totals, self._queue, self._writer, self._statistics, observers, clock
        )
        self._not_before = -math.inf
        self._wake = Wakeup()
        self._why_lost = ""
        #: When the run was cancelled, in seconds of the event loop.
        self._cancelled_at = math.inf

    # What is asked of a run.

    @property
    def admitted(self) -> int:
        """See `Run`."""
        return self._intake.admitted

    @property
    def recorded(self) -> int:
        """See `Run`."""
        return self._writer.counts.total()

    @property
    def outstanding(self) -> int:
        """See `Run`."""
        return len(self._queue)

    @property
    def begun(self) -> int:
        """See `Run`."""
        return self._queue.begun()

    @property
    def limit(self) -> Limit:
        """See `Run`."""
        return self._overview.limit

    @property
    def service_rate(self) -> float | None:
        """See `Run`."""
        return self._overview.service_rate

    @property
    def latencies(self) -> Sequence[int]:
        """See `Run`."""
        return self._overview.latencies

    @property
    def has_reached_limit(self) -> bool:
        """See `Run`."""
        return self._intake.has_reached_limit

    def in_doubt(self) -> Iterator[QueuedRow]:
        """See `Run`."""
        return self._queue.in_doubt()

    def hold_back(
        self, held: Mapping[str, Collection[Rank]], ranks: Mapping[int, Rank], *, all_rows: bool
    ) -> None:
        """See `Run`."""
        self._intake.hold_back(held, ranks, self._job.number)
        if all_rows:
            wait = self._settings.timeouts.late_effect
            self._not_before = self._started + wait
            self._overview.notice(
                "a job is missing whose requests may still take effect: waiting "
                f"{format_duration(wait)}"
            )

    async def record_unsent(self) -> None:
        """See `Run`."""
        await self._intake.record_unsent()

    async def work(self) -> None:
        """See `Run`. When it returns, no worker starts a request for it any more."""
        self.control.allow_grace(self._settings.timeouts.grace)
        with one_error():
            async with anyio.create_task_group() as recording:
                recording.start_soon(self._record)
                recording.start_soon(self._note_that_it_lasted)
                try:
                    async with anyio.create_task_group() as working:
                        working.start_soon(self._intake.work)
                        await self._keep_crew(working)
                finally:
                    recording.cancel_scope.cancel()
                    await self._writer.write()
        await self._outlast_the_lost()
        self._report(last=True)
        await self._writer.write()

    async def _note_that_it_lasted(self) -> None:
        await anyio.sleep(self._settings.timeouts.late_effect)
        await self._writer.call(self._job.lasted)

    async def _record(self) -> None:
        """Write what has come from the workers; only then it is acknowledged."""
        while True:
            await anyio.sleep(_PERIOD / 2)
            for seat in self._seats:
                seat.recording()
            await self._writer.write()
            for seat in self._seats:
                seat.recorded()
            self._intake.room_may_be()
            self._report()

    # The crew.

    async def _keep_crew(self, tasks: anyio.abc.TaskGroup) -> None:
        """Let workers work as long as there is something to do."""
        alone_since = self._clock.monotonic()
        while not self._is_over():
            now = self._clock.monotonic()
            for address in await self._free_addresses():
                if self._has_place():
                    self._seats.append(Seat(address, now))
                    tasks.start_soon(self._look_after, self._seats[-1])
            if self._present():
                alone_since = now
            elif now - alone_since >= ALONE:
                why = f": the latest was lost because {self._why_lost}" if self._why_lost else ""
                self.control.stop(
                    RunEnd.NO_WORKERS,
                    f"there has been no worker for {format_duration(ALONE)}{why}",
                )
            await self._wake.wait(_LOOK)

    async def _free_addresses(self) -> list[str]:
        try:
            with anyio.fail_after(_LONGEST_EXCHANGE):
                there = await self._crew.addresses()
        except (WorkerLostError, TimeoutError) as error:
            self._why_lost = str(error) or "nobody answers"
            return []
        # One that was lost may be at work all the same: it is not trusted again in this run.
        taken = {seat.name for seat in self._seats if seat.state is not SeatState.ENDED}
        return sorted(set(there) - taken)

    def _has_place(self) -> bool:
        most = self._settings.pacing.concurrency
        if self._crew.most is not None:
            most = min(most, self._crew.most)
        if self._canary:
            most = 1
        return len(self._present()) < most

    def _present(self) -> list[Seat]:
        return [seat for seat in self._seats if seat.is_at_work]

    def _is_over(self) -> bool:
        ended = self.control.end is not None
        return ended or (self._intake.is_over and not len(self._queue))

    async def _look_after(self, seat: Seat) -> None:
        """See the work of one worker through, until it has ended or is lost."""
        try:
            await self._engage(seat)
        except WorkerLostError as lost:
            self._lose(seat, str(lost))
        except TimeoutError:
            self._lose(seat, "it did not answer")
        finally:
            self._terms.gone(seat, seat.heard + LEASE)
            self._wake.notify()
            self.control.changed.notify()

    async def _engage(self, seat: Seat) -> None:
        assignment = Assignment(self._terms.options(self._canary), self._has_accepted(), _SILENCE)
        key = self._key.reveal().encode() if self._crew.hands_key_over else None
        with anyio.fail_after(_LONGEST_BEGINNING):
            wire = await self._crew.engage(seat.name)
        try:
            with anyio.fail_after(_LONGEST_BEGINNING):
                await wire.begin(pack(assignment), key)
            seat.heard = self._clock.monotonic()
            while True:
                began = self._clock.monotonic()
                reply = await self._exchange(seat, wire)
                if reply is not None and reply.finish is not None:
                    self._ended(seat, reply)
                    return
                used = self._clock.monotonic() - began
                await anyio.sleep(max(0.005, _PERIOD - used))
        finally:
            wire.close()

    async def _exchange(self, seat: Seat, wire: Wire) -> Reply | None:
        """Tell a worker what is new and take in what it has done; None if nothing came back."""
        now = self._clock.monotonic()
        self._check(seat, now)
        if self.control.end is None and now >= self._not_before:
            self._hand_out(seat, now)
        grant = self._terms.grant(
            seat, self._present(), now, self.control,
            closed=self._intake.is_over and self._has_nothing_else(seat),
        )  # fmt: skip
        try:
            with anyio.fail_after(_LONGEST_EXCHANGE):
                reply = read_reply(await wire.exchange(pack(grant)))
        except TimeoutError:
            return None
        now = self._clock.monotonic()
        self._terms.heard(seat, reply)
        entry = seat.replied(reply, now)
        for message in reply.notices:
            self._overview.notice(message)
        if entry is not None:
            self._rows.take_in(seat, entry, self.control)
            if self._canary and (entry.outcomes or entry.deferrals):
                self._canary = 0
                self._wake.notify()
        seat.measure(now)
        return reply

    def _check(self, seat: Seat, now: float) -> None:
        """Raise `WorkerLostError` if it is not waited for any longer."""
        if now - seat.heard > LOST_AFTER:
            raise WorkerLostError(f"it has not answered for {format_duration(LOST_AFTER)}")
        if self.control.end is None:
            return
        time = anyio.current_time()
        if self.control.scope.cancel_called:
            self._cancelled_at = min(self._cancelled_at, time)
        if time > min(self.control.scope.deadline, self._cancelled_at) + _FAREWELL:
            raise WorkerLostError("it did not end in time")

    def _hand_out(self, seat: Seat, now: float) -> None:
        if self._canary:
            wanted = self._canary - len(seat.rows)
        else:
            slots = self._settings.pacing.concurrency // max(1, len(self._present()))
            ready = self._queue.count(RowState.READY)
            wanted = rows_on_hand(seat.speed, slots, ready, len(self._present()))
            wanted -= seat.on_hand()
        if wanted > 0:
            self._rows.hand_out(seat, wanted, now)
            self._intake.room_may_be()

    def _has_nothing_else(self, seat: Seat) -> bool:
        """Return whether there is nothing that the worker could still be handed."""
        return len(self._queue) == (len(seat.rows) if self._canary else 0)

    def _has_accepted(self) -> bool:
        return self._accepted or self._writer.counts[OutcomeKind.SUCCEEDED] > 0

    def _ended(self, seat: Seat, reply: Reply) -> None:
        """A worker has ended: what it has left is as it says."""
        finish = reply.finish
        assert finish is not None  # noqa: S101 -- asked by the caller
        if finish.error:
            raise WorkerLostError(finish.error)
        self._rows.return_all(seat, set(finish.in_doubt))
        seat.state = SeatState.ENDED
        self._overview.left(seat)
        if finish.end is not None and self.control.end is None:
            self.control.stop(finish.end, finish.message)

    def _lose(self, seat: Seat, why: str) -> None:
        """A worker is lost: whatever it has may have been sent, and others send it again."""
        seat.state = SeatState.LOST
        self._why_lost = why
        left = len(seat.rows)
        self._rows.return_lost(seat)
        self._overview.left(seat)
        if self.control.end is None:
            self._overview.notice(
                f"the worker {seat.name} is lost ({why}): its {left:,} rows go to others"
            )

    async def _outlast_the_lost(self) -> None:
        """Wait until lost workers can start no request any more."""
        ends = [seat.heard + LEASE for seat in self._seats if seat.state is SeatState.LOST]
        wait = max(ends, default=-math.inf) - self._clock.monotonic()
        if wait > 0:
            await anyio.sleep(wait)

    def _nothing(self) -> None:
        """Is called when the journal is written."""

    def _report(self, *, last: bool = False) -> None:
        self._overview.report(
            self._seats, all_read=self._intake.is_over, last=last,
            waits_until=self._not_before,
        )  # fmt: skip
