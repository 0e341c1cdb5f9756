"""A job that a run works on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from importer.feedback.body import BodyCoder
from importer.jobs.journal import Journal
from importer.jobs.keys import conversation_of
from importer.jobs.ledger import Ledger
from importer.jobs.records import JobRecord, Unsure
from importer.model import Rank


class Job:
    """An open job of a product that is held. Raises `JournalError` when a file cannot be used.

    `unsure` returns the rows of all jobs of which a request may still take effect.
    """

    def __init__(
        self,
        record: JobRecord,
        journal: Journal,
        ledger: Ledger,
        *,
        folder: Path,
        body_of: BodyCoder,
        next_run: int,
        waits_for_unknown: bool,
        unsure: Callable[[], list[Unsure]],
    ) -> None:
        self.number = record.number
        self.folder = folder
        self.journal = journal
        #: Makes the numbers of the bodies that are sent.
        self.body_of = body_of
        #: The run waits for `--late-effect` before its first request (docs/reference.md, A15).
        self.waits_for_unknown = waits_for_unknown
        self._ledger = ledger
        self._run = next_run
        self._unsure = unsure

    def close(self) -> None:
        """Close the journal."""
        self.journal.close()

    def begin_run(self, now: float, settings: Mapping[str, object]) -> int:
        """Note that a run starts `now` (Unix seconds), with the record of its settings.

        Returns its number through the product.
        """
        self._ledger.note_run(self.number, self._run)
        self.journal.begin_run(self._run, now, settings)
        return self._run

    def held(self) -> dict[str, set[Rank]]:
        """Return the conversations of which another job's request may still take effect.

        A row of any other rank than these waits until the run has lasted for `--late-effect`
        (docs/reference.md, A10). By canonical id; empty when all other runs are quiet.
        """
        held: dict[str, set[Rank]] = {}
        for row in self._unsure():
            if row.job != self.number:
                held.setdefault(conversation_of(row.key), set()).add(row.rank)
        return held

    def lasted(self) -> None:
        """Note that the run has lasted for `--late-effect`: all runs before it are quiet."""
        self.journal.note_lasted()
        self._ledger.raise_to(quiet_run=self._run - 1)
