"""What a run needs of its job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from importer.feedback.body import BodyCoder
from importer.jobs.entry import Entry


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
