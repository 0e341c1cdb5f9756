"""Failed rows whose outcomes are kept back, and the question whether the key still holds. Sans-I/O.

It has to be seen first whether only these rows fail. What shows that is an answer that another row
gets; or, if many rows in a row are forbidden (403) or no others are left, the status of a
conversation that the job has stored: the service tells it to whoever has a key that holds. A key
may set feedback only, so where that is forbidden, too, another row is sent.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import chain
from typing import NamedTuple

from importer.clarityq.responses import Verdict, VerdictKind
from importer.engine.row_queue import QueuedRow, RowQueue
from importer.engine.turned_away import TurnedAway, is_forbidden
from importer.model import Outcome


class KeptRow(NamedTuple):
    """A row whose outcome is kept back, and when it was answered (monotonic seconds)."""

    row: QueuedRow
    outcome: Outcome
    verdict: Verdict
    at: float


class KeptBack:
    """Keeps rows of the `queue` back; whoever takes them out again settles them."""

    def __init__(self, queue: RowQueue, turned_away: TurnedAway) -> None:
        self._queue = queue
        self._turned_away = turned_away
        self._rows: list[KeptRow] = []
        #: Asks whether the key still holds; None if nothing does.
        self.question: QueuedRow | None = None
        #: A row that is to show the same where the question was forbidden, too; None without one.
        self.another: QueuedRow | None = None
        self._many: Verdict | None = None

    def __len__(self) -> int:
        """Return how many rows are kept back."""
        return len(self._rows)

    @property
    def asked_alone(self) -> QueuedRow | None:
        """What is answered before any other row is sent, where many in a row were refused."""
        is_alone = self._many and self._turned_away.are_many
        return (self.question or self.another) if is_alone else None

    @property
    def is_outdated(self) -> bool:
        """Whether many rows in a row were why it is asked, and one has got another answer since."""
        return self._many is not None and not self._turned_away.are_many

    @property
    def are_all(self) -> bool:
        """Whether some rows are kept back, and no others are left, nor the question."""
        return 0 < len(self._rows) == len(self._queue)

    def add(self, row: QueuedRow, outcome: Outcome, verdict: Verdict, now: float) -> None:
        """Keep the outcome of a row back that was just answered."""
        self._queue.withhold(row)
        self._rows.append(KeptRow(row, outcome, verdict, now))

    def take_alone(self, since: float = math.inf) -> list[KeptRow]:
        """Take out the rows that failed for themselves, as a request made at `since` has shown.

        Of rows that were turned away later it shows nothing: the key may have been withdrawn in
        between.
        """
        return self._take(lambda kept: not _is_turned_away(kept) or kept.at <= since)

    def take_unasked(self) -> list[KeptRow]:
        """Take out the rows that fail although nothing has shown that they do for themselves.

        Where nothing succeeds and nothing can be asked, each run has to get further: the rows may
        be all that is refused.
        """
        if self._turned_away.has_stored:
            return []
        cannot_ask = self._turned_away.stored is None
        return self._take(lambda kept: cannot_ask or not is_forbidden(kept.verdict))

    def send_again(self) -> None:
        """There is another key: rows that were forbidden go back to be sent with it."""
        for kept in self._take(lambda kept: is_forbidden(kept.verdict)):
            self._queue.return_unsent(kept.row)
        self._turned_away.answered()

    def can_ask(self, latest: Verdict | None = None) -> bool:
        """Return whether there is something to ask about: forbidden rows, or the `latest` one."""
        if self._turned_away.stored is None:
            return False
        verdicts = [latest] if latest is not None else []
        return any(map(is_forbidden, chain(verdicts, (kept.verdict for kept in self._rows))))

    def ask(self, many: Verdict | None = None) -> None:
        """Ask next whether the key still holds, if it is not being asked; only if it `can_ask`.

        `many` is the latest answer of many that turned rows away, if that is why.
        """
        self._many = many or self._many
        is_asked = self.question is not None or self.another is not None
        if not is_asked and self._turned_away.stored is not None:
            self.question = self._queue.ask_next(self._turned_away.stored)

    def send_another(self) -> bool:
        """Send another row alone, as the question was forbidden, too; return whether one is left.

        Not where few were refused, or a row has got another answer since. It is the last one that
        is ready: rows that are forbidden for themselves are often next to each other.
        """
        if self.asked_alone is None or (row := self._queue.bring_forward()) is None:
            return False
        self._end(self.question)
        self.question, self.another = None, row
        return True

    def end_question(self) -> Verdict | None:
        """It was answered, or never will be; return `many` if no other row got another answer."""
        self._end(self.question)
        self.question = self.another = None
        many, self._many = self._many if self._turned_away.are_many else None, None
        self._turned_away.answered()
        return many

    def _end(self, question: QueuedRow | None) -> None:
        if question is not None:
            self._queue.done(question)

    def _take(self, are: Callable[[KeptRow], bool]) -> list[KeptRow]:
        taken = [kept for kept in self._rows if are(kept)]
        self._rows = [kept for kept in self._rows if not are(kept)]
        return taken


def _is_turned_away(kept: KeptRow) -> bool:
    return kept.verdict.kind is VerdictKind.TURNED_AWAY
