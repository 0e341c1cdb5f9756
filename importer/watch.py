"""What there is to see of a run: its figures for the observers, and its moments for the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from importer.clock import Clock
from importer.control import Observer, Progress, Reading
from importer.journal.base import Totals
from importer.lanes import ConversationLanes
from importer.measurements import Measurements, percentile
from importer.model import Moment, OutcomeKind
from importer.pacing import Limit, Pacer
from importer.quantities import format_duration
from importer.recorder import Recorder


class Watch:
    """Looks at the parts of a run, changes none of them, and tells the observers.

    `past` are the job's figures before this run.
    """

    def __init__(
        self,
        lanes: ConversationLanes,
        pacer: Pacer,
        recorder: Recorder,
        past: Totals,
        observers: Sequence[Observer],
        clock: Clock,
    ) -> None:
        self._lanes = lanes
        self._pacer = pacer
        self._recorder = recorder
        self._past = past
        self._observers = observers
        self._clock = clock
        self._started = clock.monotonic()
        self._limits: Counter[Limit] = Counter()
        self.measurements = Measurements(self._started)

    @property
    def limit(self) -> Limit:
        """Return what kept the run from being faster, most of its time."""
        return max(self._limits, key=lambda limit: self._limits[limit], default=Limit.NOTHING)

    def notice(self, message: str) -> None:
        """Tell the observers what has happened; an empty message is nothing."""
        for observer in self._observers if message else ():
            observer.noticed(message)

    def look(self, reading: Reading, *, last: bool = False) -> None:
        """Tell the observers how the run stands, and record the moment if it is time.

        The `last` moment is always kept.
        """
        progress = self._progress(reading)
        self._limits[progress.limit] += 1
        self._note_moment(progress, last=last)
        for observer in self._observers:
            observer.progressed(progress)

    def _progress(self, reading: Reading) -> Progress:
        now = self._clock.monotonic()
        lanes = self._lanes.statistics()
        counts = self._recorder.counts
        outcomes = {kind: self._past.outcomes[kind] + counts[kind] for kind in OutcomeKind}
        outcomes[OutcomeKind.PENDING] = 0
        rows = max(self._past.rows, reading.rows_read)
        outcomes[OutcomeKind.PENDING] = rows - sum(outcomes.values())
        due = self._lanes.next_due()
        held = ""
        if self._pacer.breaker.is_open:
            held = "the service is unavailable"
        elif (pause := self._pacer.paused_for(now)) > 0:
            held = f"paused for {format_duration(pause)}"
        return Progress(
            rows_read=reading.rows_read,
            share=reading.share,
            outcomes=outcomes,
            settled_now=counts.total(),
            in_flight=lanes.in_flight,
            retrying=lanes.retrying,
            deferred=lanes.deferred,
            next_due=None if due is None else max(0.0, due - now),
            only_deferred=reading.all_read and lanes.deferred == lanes.outstanding > 0,
            held_by=held,
            limit=self._pacer.limit(now, lanes.in_flight),
            concurrency=self._pacer.window.size,
            elapsed=now - self._started,
            latencies=self.measurements.latencies(),
            problems=self.measurements.problems,
        )

    def _note_moment(self, progress: Progress, *, last: bool) -> None:
        """Record the figures of the interval that ends now, if one does."""
        now = self._clock.monotonic()
        ended = self.measurements.turn(now, progress.settled_now, last=last)
        if ended is None:
            return
        interval, seconds, settled = ended
        self._recorder.passed(
            Moment(
                self._clock.wall(),
                seconds,
                settled,
                progress.in_flight,
                progress.concurrency,
                progress.deferred,
                percentile(interval.buckets, 0.5),
                percentile(interval.buckets, 0.95),
                progress.limit,
                interval.statuses,
            )
        )
