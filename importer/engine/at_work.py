"""What a run needs of its job, and what is asked of it: the same for one process and for many."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

from importer.engine.control import Control
from importer.engine.row_queue import QueuedRow
from importer.feedback.body import BodyCoder
from importer.jobs.records import Entry
from importer.model import Rank
from importer.pacing import Limit


class Record(Protocol):
    """What a run writes to. Both raise `JournalError`, and return when it lasts."""

    def mark(self, rows: Sequence[tuple[int, str]], /) -> None:
        """Note that these rows (seq and conversation) may be sent from now on."""
        ...

    def write(self, entry: Entry, /) -> None:
        """Record all of it or, if that fails, nothing."""
        ...


class JobAtWork(Protocol):
    """The job of a run."""

    @property
    def number(self) -> int:
        """Through the product."""
        ...

    @property
    def journal(self) -> Record:
        """Takes what the run records."""
        ...

    @property
    def body_of(self) -> BodyCoder:
        """Makes the numbers of the bodies that are sent."""
        ...

    def lasted(self) -> None:
        """Note that the run has lasted for `--late-effect`."""
        ...


class AtWork(Protocol):
    """A run of a job, by however many processes it is done; `engine.run.Run` tells the details."""

    @property
    def control(self) -> Control:
        """Stops it."""
        ...

    @property
    def admitted(self) -> int:
        """How many rows it has taken in."""
        ...

    @property
    def recorded(self) -> int:
        """How many outcomes it has recorded."""
        ...

    @property
    def outstanding(self) -> int:
        """How many rows were taken in and are not done."""
        ...

    @property
    def begun(self) -> int:
        """For how many of these a request was made."""
        ...

    @property
    def limit(self) -> Limit:
        """What kept it from being faster."""
        ...

    @property
    def service_rate(self) -> float | None:
        """The service's limit as it was found, in requests per second."""
        ...

    @property
    def latencies(self) -> Sequence[int]:
        """How many answers fell into each of `common.histogram.BUCKETS`."""
        ...

    @property
    def has_reached_limit(self) -> bool:
        """Whether as many rows were taken in as `--limit` allows."""
        ...

    def in_doubt(self) -> Iterator[QueuedRow]:
        """Yield the rows that are not done and may have taken effect, when it is over."""
        ...

    def hold_back(
        self, held: Mapping[str, Collection[Rank]], ranks: Mapping[int, Rank], *, all_rows: bool
    ) -> None:
        """Send rows only when requests of other jobs can take no effect on them any more."""
        ...

    async def work(self) -> None:
        """Read and send until everything is settled, or until it is stopped."""
        ...

    async def record_unsent(self) -> None:
        """Record the rows that would not be sent, and leave all others pending."""
        ...
