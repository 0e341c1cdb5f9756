"""What every run of a job has and is asked for, by however many processes its rows are sent."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence

import anyio

from importer.common.durations import format_duration
from importer.engine.at_work import JobAtWork
from importer.engine.clock import Clock
from importer.engine.control import Control
from importer.engine.intake import Intake
from importer.engine.journal_writer import JournalWriter
from importer.engine.progress import Reporter
from importer.engine.reader import Batch
from importer.engine.resume import ResumeState
from importer.engine.row_queue import QueuedRow, RowQueue
from importer.engine.statistics import Statistics
from importer.model import Rank, WorkerFigures
from importer.pacing import Limit
from importer.settings import ImportSettings


class JobRun(ABC):
    """The rows of a run, how they come in, and the record of what becomes of them.

    `batches` are the rows that are not done (`reader.read_rows`), and `resumed` is what earlier
    runs have left; for `fewest_marked`, see `Intake`.
    """

    #: Tells the observers of it.
    _reporter: Reporter

    def __init__(
        self,
        settings: ImportSettings,
        job: JobAtWork,
        resumed: ResumeState,
        batches: Iterator[Batch],
        control: Control,
        clock: Clock,
        fewest_marked: int | None,
    ) -> None:
        self.control = control
        self._settings = settings
        self._job = job
        self._clock = clock
        self._started = clock.monotonic()
        self._queue = RowQueue()
        self._statistics = Statistics(self._started)
        self._writer = JournalWriter(job.journal, self._written, job.body_of, clock.wall)
        self._intake = Intake(
            settings, resumed, batches, self._queue, self._writer, self._statistics, control, clock,
            fewest_marked,
        )  # fmt: skip

    @property
    def admitted(self) -> int:
        """Return how many rows this run has taken in, those settled earlier left out."""
        return self._intake.admitted

    @property
    def recorded(self) -> int:
        """Return how many outcomes this run has recorded."""
        return self._writer.counts.total()

    @property
    def outstanding(self) -> int:
        """Return how many rows were taken in and are not done."""
        return len(self._queue)

    @property
    def limit(self) -> Limit:
        """Return what kept the run from being faster, most of its time."""
        return self._reporter.limit

    @property
    def service_rate(self) -> float | None:
        """Return the service's limit as it was found, in requests per second; None without one."""
        return self._reporter.service_rate

    @property
    def latencies(self) -> Sequence[int]:
        """Return how many answers fell into each of `common.histogram.BUCKETS`."""
        return self._reporter.latencies

    @property
    def workers(self) -> Sequence[WorkerFigures]:
        """Return the processes that have sent for the run; none if it was this one alone."""
        return ()

    @property
    def has_reached_limit(self) -> bool:
        """Whether as many rows were taken in as `--limit` allows."""
        return self._intake.has_reached_limit

    def in_doubt(self) -> Iterator[QueuedRow]:
        """Yield the rows that are not done and may have taken effect, when the run is over."""
        return self._queue.in_doubt()

    def hold_back(
        self, held: Mapping[str, Collection[Rank]], ranks: Mapping[int, Rank], *, all_rows: bool
    ) -> None:
        """Send rows only when requests of other jobs can take no effect on them any more.

        That is when this run has lasted for `--late-effect` (docs/reference.md, A10). `held` has
        the ranks of those jobs' rows by conversation: a row of the same rank has the same feedback
        and need not wait. `ranks` are those of rows that an earlier job has brought. With
        `all_rows` it is not known of which conversations there are such requests, and every row
        waits (A15).
        """
        self._intake.hold_back(held, ranks, self._job.number)
        if all_rows:
            wait = self._settings.timeouts.late_effect
            self._send_nothing_before(self._started + wait)
            self._reporter.notice(
                "requests of a missing job, or of forgotten rows, may still take effect: waiting "
                f"{format_duration(wait)}"
            )

    @abstractmethod
    async def work(self) -> None:
        """Read and send until everything is settled, or until the run is stopped."""

    async def record_unsent(self) -> None:
        """Record the rows that would not be sent, and leave all others pending."""
        await self._intake.record_unsent()

    @abstractmethod
    def _send_nothing_before(self, time: float) -> None:
        """Start no request before then, in seconds of the run's clock."""

    def _written(self) -> None:  # noqa: B027 -- it need not be of interest
        """The journal has been written."""

    async def _note_that_it_lasted(self) -> None:
        """Note, once the run has lasted for `--late-effect`, that no run before it matters."""
        await anyio.sleep(self._settings.timeouts.late_effect)
        await self._writer.call(self._job.lasted)

    def _is_over(self) -> bool:
        return self.control.end is not None or (self._intake.is_over and not len(self._queue))
