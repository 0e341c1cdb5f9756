"""By which options and limits the workers of a run work. Awaits nothing."""

from __future__ import annotations

from collections.abc import Collection

from importer.distributed.budgets import Shares
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

    def __init__(self, settings: ImportSettings) -> None:
        self._settings = settings
        pacing = settings.pacing
        self._slots = Shares(pacing.concurrency)
        self._rates = None if pacing.rate is None else Shares(pacing.rate)
        self._leaving: list[tuple[float, Seat]] = []

    def options(self, canary: int) -> dict[str, object]:
        """Return the options of a worker, without secrets, as `ImportSettings.of` takes them."""
        record = self._settings.as_record()
        options: dict[str, object] = {"inputs": ["handed"], "canary": canary}
        for table in _GROUPS:
            for option in getattr(self._settings, table).options:
                if option.name not in _OF_ALL and option.name in record:
                    options.setdefault(option.name, record[option.name])
        return options

    def grant(
        self, seat: Seat, present: Collection[Seat], now: float, control: Control, *, closed: bool
    ) -> Grant:
        """Return what a worker is told now."""
        for at, gone in self._leaving:
            if at <= now:
                self._release(gone)
        self._leaving = [(at, gone) for at, gone in self._leaving if at > now]
        number, workers = seat.next_number, len(present)
        slots = int(self._slots.give(seat, number, workers))
        rate = None if self._rates is None else self._rates.give(seat, number, workers)
        return seat.grant(
            rate or None, max(1, slots), may_send=slots > 0 and rate != 0, closed=closed,
            end=control.end, message=control.message, cancelled=control.scope.cancel_called,
        )  # fmt: skip

    def heard(self, seat: Seat, reply: Reply) -> None:
        """A worker has replied, so it goes by that grant."""
        self._slots.acknowledged(seat, reply.number)
        if self._rates is not None:
            self._rates.acknowledged(seat, reply.number)

    def gone(self, seat: Seat, at: float) -> None:
        """A worker has left; if nobody knows better, it sends until then."""
        if seat.state is SeatState.LOST:
            self._leaving.append((at, seat))
        else:
            self._release(seat)

    def _release(self, seat: Seat) -> None:
        self._slots.release(seat)
        if self._rates is not None:
            self._rates.release(seat)
