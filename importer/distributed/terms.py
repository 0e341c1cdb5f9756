"""By which options and limits the workers of a run work. Awaits nothing."""

from __future__ import annotations

from collections.abc import Collection

from importer.distributed.budgets import Shares
from importer.distributed.pace import Pace
from importer.distributed.seat import Seat, SeatState
from importer.distributed.wire import Grant, Reply
from importer.engine.control import Control
from importer.settings import ImportSettings

#: The groups of options that a worker needs. It reads nothing but rows that it is handed.
_GROUPS = ("target", "pacing", "retries", "deferral", "timeouts", "abort_rules")
#: Options that the coordinator sees to, for all workers together.
_OF_ALL = ("max_failures", "rate", "rate_group")


class Terms:
    """Makes the grants: each worker has its share of `--concurrency` and of `--rate`."""

    def __init__(self, settings: ImportSettings, pace: Pace) -> None:
        self._settings = settings
        pacing = settings.pacing
        self._slots = Shares(pacing.concurrency)
        self._rates: Shares | None = None
        if pacing.rate is not None and pacing.rate_group is None:
            self._rates = Shares(pacing.rate)
        self._pace = pace
        self._leaving: list[tuple[float, Seat]] = []

    def options(self, canary: int) -> dict[str, object]:
        """Return the options of a worker, without secrets, as `ImportSettings.of` takes them."""
        record, pacing = self._settings.as_record(), self._settings.pacing
        options: dict[str, object] = {"inputs": ["handed"], "canary": canary}
        for table in _GROUPS:
            for option in getattr(self._settings, table).options:
                if option.name not in _OF_ALL and option.name in record:
                    options.setdefault(option.name, record[option.name])
        if pacing.rate_group is not None:
            # Each takes its places itself: other runs share them as well.
            jobs_dir = str(self._settings.job.jobs_dir.absolute())
            options |= {"rate": pacing.rate, "rate_group": pacing.rate_group, "jobs_dir": jobs_dir}
        return options

    def grant(
        self, seat: Seat, present: Collection[Seat], now: float, control: Control, *, closed: bool
    ) -> Grant:
        """Return what a worker is told now."""
        for at, gone in self._leaving:
            if at <= now:
                self._release(gone)
        self._leaving = [(at, gone) for at, gone in self._leaving if at > now]
        there = [each for each in present if each.sends_until > now]
        told = self._pace.tell(
            seat, there, now, idle=[each for each in there if each.on_hand() <= 0]
        )
        number, workers = seat.next_number, 0
        if self._pace.sends(seat):
            workers = self._pace.places(len(present))
        slots = int(self._slots.give(seat, number, workers))
        rate = None if self._rates is None else self._rates.give(seat, number, workers)
        may_send = slots > 0 and rate != 0
        return seat.grant(
            rate or None, max(1, slots), told, may_send=may_send, closed=closed,
            end=control.end, message=control.message, cancelled=control.scope.cancel_called,
        )  # fmt: skip

    def heard(self, seat: Seat, reply: Reply, now: float) -> None:
        """A worker has replied, so it goes by that grant."""
        if reply.seen is not None:
            self._pace.heard(seat, reply.seen, now)
        self._slots.acknowledged(seat, reply.number)
        if self._rates is not None:
            self._rates.acknowledged(seat, reply.number)

    def gone(self, seat: Seat) -> None:
        """A worker has left; if it is lost, it may go on for a while."""
        self._pace.gone(seat)
        if seat.state is SeatState.LOST:
            self._leaving.append((seat.sends_until, seat))
        else:
            self._release(seat)

    def _release(self, seat: Seat) -> None:
        self._slots.release(seat)
        if self._rates is not None:
            self._rates.release(seat)
