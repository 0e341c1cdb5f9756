"""Takes outcomes from the workers and writes them to the journal, in order and in batches.

The workers never wait for the disk: they append to an entry in memory, and one writing thread at
a time takes it away. At most `INTERVAL` seconds of answers are unrecorded at any moment, unless
the disk is slower than the service; `has_room` then holds the reader back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import anyio
import anyio.to_thread

from importer.journal.base import Entry, Journal
from importer.model import Deferral, Outcome, OutcomeKind
from importer.wakeup import Wakeup

#: Seconds between two writes. The promise is that at most one second is asked for again.
INTERVAL = 0.25
_BATCH = 1000
_MOST_UNWRITTEN = 20_000


class Recorder:
    """The only writer of a run's journal. `counts` are the outcomes recorded in this run."""

    def __init__(self, journal: Journal, on_write: Callable[[], None]) -> None:
        self.counts: Counter[OutcomeKind] = Counter()
        self._journal = journal
        self._on_write = on_write
        self._entry = Entry()
        self._rows_written = 0
        self._full = Wakeup()
        self._one_at_a_time = anyio.Lock()

    def settle(self, outcome: Outcome) -> None:
        """Record how a row ended."""
        self.counts[outcome.kind] += 1
        self._entry.outcomes.append(outcome)
        if len(self._entry.outcomes) >= _BATCH:
            self._full.notify()

    def defer(self, deferral: Deferral) -> None:
        """Record where a waiting row stands."""
        self._entry.deferrals.append(deferral)

    def read(self, rows_read: int, first_seqs: dict[int, int]) -> None:
        """Record how far the input has been read."""
        self._entry.rows_read = rows_read
        self._entry.first_seqs.update(first_seqs)

    @property
    def has_room(self) -> bool:
        """Whether the journal keeps up."""
        return len(self._entry.outcomes) < _MOST_UNWRITTEN

    async def write_forever(self) -> None:
        """Write at intervals until cancelled. Raises `JournalError`."""
        while True:
            if len(self._entry.outcomes) < _BATCH:
                await self._full.wait(INTERVAL)
            await self.write()

    async def write(self) -> None:
        """Write all that has been recorded so far. Raises `JournalError`.

        Once begun, a write is not interrupted: its entry would be lost.
        """
        with anyio.CancelScope(shield=True):
            async with self._one_at_a_time:
                entry = self._entry
                self._entry = Entry(rows_read=entry.rows_read)
                if entry != Entry(rows_read=self._rows_written):
                    await anyio.to_thread.run_sync(self._journal.write, entry)
                    self._rows_written = entry.rows_read
        self._on_write()
