"""What workers are told, and what becomes of their replies. Awaits nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

from importer.distributed.budgets import period, rows_on_hand
from importer.distributed.hand_out import HandOut
from importer.distributed.overview import Overview
from importer.distributed.pace import Pace
from importer.distributed.seat import Seat
from importer.distributed.terms import Terms
from importer.distributed.wire import Assignment, Finish, Grant, Reply
from importer.engine.canary import canary_for
from importer.engine.clock import Clock
from importer.engine.control import Control
from importer.engine.intake import Intake
from importer.engine.journal_writer import JournalWriter
from importer.engine.resume import ResumeState
from importer.engine.row_queue import RowQueue, RowState
from importer.engine.wakeup import Wakeup
from importer.model import OutcomeKind
from importer.settings import ImportSettings

#: A worker that hears nothing for so many seconds ends itself.
_SILENCE = 60.0


class Dispatch:
    """Hands rows out and takes in what comes of them."""

    def __init__(
        self,
        settings: ImportSettings,
        resumed: ResumeState,
        queue: RowQueue,
        intake: Intake,
        writer: JournalWriter,
        overview: Overview,
        control: Control,
        clock: Clock,
    ) -> None:
        #: Notified when more workers may find a place, or one is gone.
        self.places_changed = Wakeup()
        #: Notified when all workers are to hear of another pace.
        self.pace_changed = Wakeup()
        #: Until when no row is handed out, in seconds of the run's clock.
        self.not_before = -math.inf
        self._settings = settings
        self._queue = queue
        self._intake = intake
        self._writer = writer
        self._overview = overview
        self._control = control
        self._pace = Pace(clock.monotonic())
        self._latest_round = self._pace.number
        self._terms = Terms(settings, self._pace)
        self._rows = HandOut(settings, queue, writer, clock)
        self._accepted = resumed.totals.outcomes[OutcomeKind.SUCCEEDED] > 0
        self._stored = resumed.stored
        canary = canary_for(settings, resumed.totals)
        #: How many rows go ahead of the others until one of them has shown something; 0: no more.
        self._canary = canary.rows if canary.is_open else 0

    @property
    def most_workers(self) -> int:
        """How many workers may be at work: each needs a request of its own."""
        return 1 if self._canary else self._settings.pacing.concurrency

    @property
    def service_rate(self) -> float | None:
        """The service's limit as it was found, in requests per second; None without one."""
        return self._pace.service_rate

    @property
    def has_accepted(self) -> bool:
        """Whether the service has stored feedback of the job."""
        return self._accepted or self._writer.counts[OutcomeKind.SUCCEEDED] > 0

    def is_in_pace(self, seat: Seat) -> bool:
        """Return whether a worker need not hear of the latest pace at once."""
        return self._pace.is_known_by(seat)

    def period(self, seat: Seat, workers: int) -> float:
        """Return the seconds between two exchanges with a worker, one of so many."""
        if seat.progress is not None and not self._pace.sends(seat):
            return seat.quiet_period
        return period(self._pace.places(workers))

    def assignment(self) -> Assignment:
        """Return what a worker begins with."""
        options = self._terms.options(self._canary)
        return Assignment(options, self.has_accepted, self._stored, _SILENCE)

    def grant(self, seat: Seat, present: Sequence[Seat], now: float) -> Grant:
        """Return what a worker is told now, with rows if it needs some."""
        if self._control.end is None and now >= self.not_before:
            wanted = self._wanted(seat, len(present))
            if wanted > 0:
                self._rows.hand_out(seat, wanted, now)
                self._intake.room_may_be()
        grant = self._terms.grant(
            seat, present, now, self._control,
            closed=self._intake.is_over and self._has_nothing_else(seat),
        )  # fmt: skip
        self._spread_pace()
        return grant

    def heard(self, seat: Seat, reply: Reply, now: float) -> None:
        """A worker has replied."""
        self._terms.heard(seat, reply, now)
        self._spread_pace()
        entry = seat.replied(reply, now)
        for message in reply.notices:
            self._overview.notice(message)
        if entry is not None:
            self._stored = next(reversed(entry.stored.conversations), self._stored)
            self._rows.take_in(seat, entry, self._control)
            if self._canary and (entry.rows or entry.deferrals):
                self._canary = 0
                self.places_changed.notify()
        seat.measure(now)

    def ended(self, seat: Seat, finish: Finish) -> None:
        """A worker has ended: what it has left is as it says."""
        self._rows.return_all(seat, set(finish.in_doubt))
        self._overview.left(seat)
        if finish.end is not None and self._control.end is None:
            self._control.stop(finish.end, finish.message)

    def lost(self, seat: Seat, why: str) -> None:
        """A worker is lost: whatever it has may have been sent, and others send it again."""
        left = len(seat.rows)
        self._rows.return_lost(seat)
        self._overview.left(seat)
        if self._control.end is None:
            self._overview.notice(
                f"the worker {seat.name} is lost ({why}): its {left:,} rows go to others"
            )

    def gone(self, seat: Seat) -> None:
        """A worker has ended or is lost, and what it has left was returned."""
        self._terms.gone(seat)
        self.places_changed.notify()
        self._control.changed.notify()

    def _spread_pace(self) -> None:
        if self._pace.number != self._latest_round:
            self._latest_round = self._pace.number
            self.pace_changed.notify()

    def _wanted(self, seat: Seat, workers: int) -> int:
        """Return how many more rows a worker, one of so many, should have."""
        if self._canary:
            return self._canary - len(seat.rows)
        if not self._pace.sends(seat):
            return 0
        workers = self._pace.places(workers)
        slots = self._settings.pacing.concurrency // workers
        ready = self._queue.count(RowState.READY)
        return rows_on_hand(seat.speed, slots, ready, workers) - seat.on_hand()

    def _has_nothing_else(self, seat: Seat) -> bool:
        """Return whether there is nothing that the worker could still be handed."""
        return len(self._queue) == (len(seat.rows) if self._canary else 0)
