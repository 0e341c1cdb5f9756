"""The worker's end of the wire: where grants come in, and what the engine finds out goes out.

To the engine it is the source of rows, the journal and an observer. Its methods are called on the
engine's threads, and `exchange` on another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

from importer.distributed.tally import Seen
from importer.distributed.wire import Finish, Grant, Handed, Reply
from importer.engine.progress import Observer, Progress
from importer.engine.reader import Batch
from importer.engine.resume import ResumeState
from importer.errors import JournalError, SettingsError
from importer.jobs.entry import Entry

#: Seconds between two looks at whether something has come.
_GLANCE = 0.1
#: Seconds that it may take to read the API key again.
_KEY = 40.0
#: Seconds that the engine may take to go by a grant before it is replied to.
_APPLY = 0.02


class Link(Observer):
    """Takes in grants and makes the replies. `clock` gives seconds that do not run backwards."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._latest: Grant | None = None
        self._on_grant: Callable[[Grant], None] | None = None
        self._look: Callable[[], Seen] | None = None
        self._handed: list[Handed] = []
        self._taken = self._applied = 0
        self._closed = self._is_cut = False
        self._entry: Entry | None = None
        self._entry_number = self._recorded = 0
        self._progress: Progress | None = None
        self._notices: list[str] = []
        self._finish: Finish | None = None
        self._keys_asked = 0
        self._key: tuple[int, bytes] | None = None
        self._heard = clock()

    def exchange(self, grant: Grant) -> Reply:
        """Take in a grant, and return how the worker stands."""
        with self._changed:
            now = self._heard = self._clock()
            for handed in grant.batches:
                if handed.number == self._taken + 1:
                    self._taken = handed.number
                    self._handed.append(handed)
            self._recorded = max(self._recorded, grant.recorded)
            if self._recorded >= self._entry_number:
                self._entry = None
            self._closed = self._closed or grant.closed
            self._key = grant.key or self._key
            if self._latest is None or grant.number > self._latest.number:
                self._latest = grant
                if self._on_grant is not None:
                    self._on_grant(grant)
                    # So that the reply tells what the engine goes by now.
                    self._changed.wait_for(lambda: self._applied >= grant.number, _APPLY)
            self._changed.notify_all()
            notices, self._notices = self._notices, []
            return Reply(
                grant.number, now, self._taken, self._entry_number, self._entry, self._progress,
                self._look and self._look(), notices, self._finish, self._keys_asked,
                0 if self._key is None else self._key[0],
            )  # fmt: skip

    def silent_for(self) -> float:
        """Return the seconds since the last grant."""
        return self._clock() - self._heard

    def cut(self) -> None:
        """Nobody will answer any more: whoever waits for a record fails."""
        with self._changed:
            self._is_cut = True
            self._changed.notify_all()

    # For the engine.

    def connect(self, on_grant: Callable[[Grant], None], look: Callable[[], Seen]) -> None:
        """Call `on_grant` with the latest grant, now and whenever there is a newer one.

        `look` returns what there is to report of the service's limit, on any thread.
        """
        with self._changed:
            self._on_grant, self._look = on_grant, look
            if self._latest is not None:
                on_grant(self._latest)

    def disconnect(self) -> None:
        """Tell of grants no more."""
        with self._changed:
            self._on_grant = self._look = None

    def applied(self, grant: Grant) -> None:
        """The engine goes by the grant."""
        with self._changed:
            self._applied = max(self._applied, grant.number)
            self._changed.notify_all()

    def batches(self, resumed: ResumeState, ask_first: set[str]) -> Iterator[Batch]:
        """Yield the rows as they come, and an empty batch when there are none at the moment.

        What else is known of them is put into `resumed`, and into `ask_first` the conversations
        whose status is asked for before the PUT.
        """
        while True:
            with self._changed:
                if not self._handed and not self._closed:
                    self._changed.wait(_GLANCE)
                handed, self._handed = self._handed, []
                closed = self._closed
            for batch in handed:
                ask_first.update(batch.to_ask)
                resumed.deferrals.update({each.seq: each for each in batch.deferrals})
                yield batch.rows
            if closed and not handed:
                return
            yield []

    def another_key(self) -> str:
        """Ask for the API key that there is now. Raises `SettingsError` if nobody tells."""
        with self._changed:
            self._keys_asked += 1
            number = self._keys_asked
            self._changed.wait_for(lambda: self._is_cut or self._is_told(number), _KEY)
            if self._key is None or not self._is_told(number):
                raise SettingsError("the coordinator has not told the API key again")
            return self._key[1].decode()

    def _is_told(self, number: int) -> bool:
        return self._key is not None and self._key[0] >= number

    def mark(self, rows: Sequence[tuple[int, str]]) -> None:
        """Do nothing: rows are marked before they are handed out."""

    def write(self, entry: Entry) -> None:
        """Return when the coordinator has the entry in its journal.

        Raises `JournalError` if it is gone.
        """
        entry.moments.clear()  # those of the run are the coordinator's
        if not (entry.rows or entry.deferrals or entry.attempts):
            return
        with self._changed:
            self._entry_number += 1
            self._entry = entry
            while self._recorded < self._entry_number:
                if self._is_cut:
                    raise JournalError("the coordinator is gone")
                self._changed.wait(_GLANCE)

    def progressed(self, progress: Progress) -> None:
        """See `Observer`."""
        self._progress = progress

    def noticed(self, message: str) -> None:
        """See `Observer`."""
        with self._changed:
            self._notices.append(message)

    def finished(self, finish: Finish) -> None:
        """The work has ended, all its entries are recorded or lost."""
        with self._changed:
            self._finish = finish
