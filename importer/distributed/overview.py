"""Tells the observers how a run stands that many processes work on. Awaits nothing."""

from __future__ import annotations

from collections.abc import Sequence

from importer.common.durations import format_duration
from importer.distributed.merging import Moments, Whole, added, merged
from importer.distributed.seat import Seat, SeatState
from importer.engine.clock import Clock
from importer.engine.journal_writer import JournalWriter
from importer.engine.progress import Observer, Progress, Reporter, seconds_until
from importer.engine.row_queue import RowQueue
from importer.engine.statistics import Statistics
from importer.jobs.records import Totals

#: Seconds between two pictures.
_INTERVAL = 0.2
#: The share of a CPU above which it counts as used up.
_BUSY = 0.9


class Overview(Reporter):
    """The counterpart of `engine.progress.ProgressReporter`."""

    def __init__(
        self,
        before: Totals,
        queue: RowQueue,
        writer: JournalWriter,
        statistics: Statistics,
        observers: Sequence[Observer],
        clock: Clock,
    ) -> None:
        super().__init__(observers)
        self._before = before
        self._queue = queue
        self._writer = writer
        self._statistics = statistics
        self._clock = clock
        self._started = self._reported = clock.monotonic()
        self._past: list[Progress] = []
        self._present: list[Progress] = []
        self._cpu = self._started, clock.cpu()
        self._moments = Moments()
        self._service_rate: float | None = None

    @property
    def service_rate(self) -> float | None:
        """See `Reporter`."""
        return self._service_rate

    @property
    def latencies(self) -> Sequence[int]:
        """See `Reporter`."""
        return added(each.buckets for each in (*self._past, *self._present))

    def left(self, seat: Seat) -> None:
        """A worker works no more: what it has measured stays."""
        if seat.progress is not None:
            self._past.append(seat.progress)

    def report(
        self,
        seats: Sequence[Seat],
        *,
        all_read: bool,
        waits_until: float,
        service_rate: float | None,
        last: bool = False,
    ) -> None:
        """Tell the observers how the run stands, if it is time, and record the moment."""
        now = self._clock.monotonic()
        if now - self._reported < _INTERVAL and not last:
            return
        self._reported = now
        present = [seat for seat in seats if seat.is_at_work]
        self._present = [seat.progress for seat in present if seat.progress is not None]
        self._service_rate = service_rate
        progress = merged(self._whole(seats, now, all_read, waits_until), self._present, self._past)
        moment = self._moments.next(progress, self._clock.wall(), last=last)
        if moment is not None:
            self._writer.passed(moment)
        self._tell(progress)

    def _is_busy(self, now: float) -> bool:
        """Return whether this process has used a CPU up since it was asked the last time."""
        then, used = self._cpu
        self._cpu = now, self._clock.cpu()
        return self._cpu[1] - used >= _BUSY * max(now - then, 0.01)

    def _whole(
        self, seats: Sequence[Seat], now: float, all_read: bool, waits_until: float
    ) -> Whole:
        held_by = ""
        if waits_until > now:
            held_by = f"paused for {format_duration(waits_until - now)}"
        elif not any(seat.is_at_work for seat in seats):
            held_by = "no worker is there"
        return Whole(
            rows=self._before.rows,
            before=self._before.outcomes,
            counts=self._writer.counts,
            queue=self._queue.statistics(),
            next_send=seconds_until(self._queue.next_send(), now),
            next_check=seconds_until(self._queue.next_check(), now),
            outstanding=len(self._queue),
            deferred=sum(len(seat.deferrals) for seat in seats),
            all_read=all_read,
            elapsed=now - self._started,
            problems=self._statistics.problems,
            held_by=held_by,
            service_rate=self._service_rate,
            is_busy=self._is_busy(now),
            workers=[seat.figures() for seat in seats if seat.state is not SeatState.ENDED],
        )
