"""Keeps workers at a run: who is there is put to work, and who is lost is replaced."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import anyio
import anyio.abc

from importer.clarityq.api_key import ApiKey
from importer.common.durations import format_duration
from importer.distributed.crew import Crew, Wire, WorkerLostError
from importer.distributed.dispatch import Dispatch
from importer.distributed.keys import Keys
from importer.distributed.seat import LOST_AFTER, Seat, SeatState
from importer.distributed.wire import Reply, pack, read_reply
from importer.engine.clock import Clock
from importer.engine.control import Control
from importer.model import RunEnd

#: Seconds between two looks at which workers there are.
_LOOK = 0.5
#: Seconds that pass between two exchanges with a worker at least.
_SHORTEST_REST = 0.02
#: Seconds that one exchange may take, and the beginning of a worker.
_LONGEST_EXCHANGE = 5.0
_LONGEST_BEGINNING = 60.0
#: Seconds that a worker may take longer than the grace to tell how it has ended.
_FAREWELL = 2.0
#: The run ends when there has been no worker for so many seconds.
ALONE = 60.0


class CrewKeeper:
    """Sees the work of each worker through; what there is to tell them comes from `dispatch`.

    `seats` are those of all workers that there were, also those that are gone.
    """

    def __init__(
        self, crew: Crew, key: ApiKey, dispatch: Dispatch, control: Control, clock: Clock
    ) -> None:
        self.seats: list[Seat] = []
        self._crew = crew
        self._keys = Keys(key, are_handed_over=crew.hands_key_over)
        self._dispatch = dispatch
        self._control = control
        self._clock = clock
        self._unfinished: anyio.abc.TaskGroup | None = None
        self._why_lost = ""
        #: Where workers begin, until their first words are there, by their names.
        self._beginning: dict[str, anyio.CancelScope] = {}
        #: When the run was cancelled, in seconds of the event loop.
        self._cancelled_at = math.inf

    async def keep(
        self,
        tasks: anyio.abc.TaskGroup,
        unfinished: anyio.abc.TaskGroup,
        is_over: Callable[[], bool],
    ) -> None:
        """Let workers work, each in a task, until the run is over.

        What is `unfinished` when they have ended is of no use any more.
        """
        self._unfinished = unfinished
        alone_since = self._clock.monotonic()
        while not is_over():
            now = self._clock.monotonic()
            for address in await self._free_addresses():
                if len(self._present()) < self._places():
                    self.seats.append(Seat(address, now))
                    tasks.start_soon(self._look_after, self.seats[-1])
            if self._present():
                alone_since = now
            elif now - alone_since >= ALONE:
                why = f": the latest was lost because {self._why_lost}" if self._why_lost else ""
                self._control.stop(
                    RunEnd.NO_WORKERS,
                    f"there has been no worker for {format_duration(ALONE)}{why}",
                )
            await self._dispatch.places_changed.wait(_LOOK)

    async def outlast_the_lost(self) -> None:
        """Wait until lost workers can start no request any more."""
        ends = [seat.sends_until for seat in self.seats if seat.state is SeatState.LOST]
        wait = max(ends, default=-math.inf) - self._clock.monotonic()
        if wait > 0:
            await anyio.sleep(wait)

    async def _free_addresses(self) -> list[str]:
        try:
            with anyio.fail_after(_LONGEST_EXCHANGE):
                there = await self._crew.addresses()
        except (WorkerLostError, TimeoutError) as error:
            self._why_lost = str(error) or "nobody answers"
            return []
        for name in self._beginning.keys() - set(there):
            self._beginning[name].cancel()
        # One that was lost may be at work all the same: it is not trusted again in this run.
        taken = {seat.name for seat in self.seats if seat.state is not SeatState.ENDED}
        return sorted(set(there) - taken)

    def _places(self) -> int:
        most = self._dispatch.most_workers
        return most if self._crew.most is None else min(most, self._crew.most)

    def _present(self) -> list[Seat]:
        return [seat for seat in self.seats if seat.is_at_work]

    async def _look_after(self, seat: Seat) -> None:
        """See the work of one worker through, until it has ended or is lost."""
        try:
            await self._engage(seat)
        except WorkerLostError as lost:
            self._lose(seat, str(lost))
        except TimeoutError:
            self._lose(seat, "it did not answer")
        finally:
            self._keys.gone(seat)
            self._dispatch.gone(seat)

    async def _engage(self, seat: Seat) -> None:
        key = self._keys.first(seat)
        assignment = pack(self._dispatch.assignment())
        with self._begins(seat):
            wire = await self._crew.engage(seat.name)
        try:
            with self._begins(seat):
                await wire.begin(assignment, key)
            seat.heard = self._clock.monotonic()
            while True:
                began = self._clock.monotonic()
                reply = await self._exchange(seat, wire)
                if reply is not None and reply.finish is not None:
                    if reply.finish.error:
                        raise WorkerLostError(reply.finish.error)
                    seat.state = SeatState.ENDED
                    self._dispatch.ended(seat, reply.finish)
                    return
                period = self._dispatch.period(seat, len(self._present()))
                await self._rest(seat, until=began + period)
        finally:
            wire.close()

    @contextmanager
    def _begins(self, seat: Seat) -> Iterator[None]:
        """Raise `TimeoutError` if it takes too long to begin, `WorkerLostError` if it is gone.

        Nothing else tells: who waits for a worker that has just gone may wait for ever.
        """
        with anyio.fail_after(_LONGEST_BEGINNING) as scope:
            self._beginning[seat.name] = scope
            try:
                yield
            finally:
                del self._beginning[seat.name]
        if scope.cancelled_caught:
            raise WorkerLostError("it ended while it began")

    async def _exchange(self, seat: Seat, wire: Wire) -> Reply | None:
        """Tell a worker what is new and take in what it has done; None if nothing came back."""
        now = self._clock.monotonic()
        self._check(seat, now)
        grant = self._dispatch.grant(seat, self._present(), now)
        grant.key = self._keys.next(seat)
        try:
            with anyio.fail_after(_LONGEST_EXCHANGE):
                reply = read_reply(await wire.exchange(pack(grant)))
        except TimeoutError:
            return None
        self._dispatch.heard(seat, reply, self._clock.monotonic())
        if self._keys.heard(seat, reply) and self._unfinished is not None:
            read = partial(self._keys.read, seat, was_accepted=self._dispatch.has_accepted)
            self._unfinished.start_soon(read)
        return reply

    async def _rest(self, seat: Seat, until: float) -> None:
        """Wait for the next exchange, or until the worker has to hear of another pace."""
        await anyio.sleep(_SHORTEST_REST)
        while self._dispatch.is_in_pace(seat) and (rest := until - self._clock.monotonic()) > 0:
            await self._dispatch.pace_changed.wait(rest)

    def _check(self, seat: Seat, now: float) -> None:
        """Raise `WorkerLostError` if it is not waited for any longer."""
        if now - seat.heard > LOST_AFTER:
            raise WorkerLostError(f"it has not answered for {format_duration(LOST_AFTER)}")
        if self._control.end is None:
            return
        time = anyio.current_time()
        if self._control.scope.cancel_called:
            self._cancelled_at = min(self._cancelled_at, time)
        if time > min(self._control.scope.deadline, self._cancelled_at) + _FAREWELL:
            raise WorkerLostError("it did not end in time")

    def _lose(self, seat: Seat, why: str) -> None:
        seat.state = SeatState.LOST
        self._why_lost = why
        self._dispatch.lost(seat, why)
