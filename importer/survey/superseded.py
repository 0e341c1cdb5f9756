"""Which row of each conversation wins: exact, in bounded memory.

The row of the highest rank wins, of these the newest, of these the last. Few rows are dealt with
without numpy, which takes longer to load than they take.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from heapq import nlargest
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from importer.common.row_set import RowSet
from importer.common.uuids import uuid_text
from importer.feedback.newest import Newest

if TYPE_CHECKING:
    from importer.sources.base import PartSurvey
    from importer.survey.many_rows import ManyRows

#: Of rows that are new in the job: higher than that of any row of an earlier job.
NEW = 2**64 - 1
#: Conversations that are named as examples of those with several rows.
EXAMPLES = 5
#: Rows up to which numpy is not worth its loading.
FEW = 20_000
#: Conversations of rejected rows that are compared with those that win: so many are kept in memory.
MOST_REJECTED = 20_000


class Candidate(NamedTuple):
    """A row. Of one conversation, the greatest that can be sent wins, compared field by field."""

    #: 16 bytes of the conversation's id, reversed.
    key: bytes
    #: Below 2**64.
    rank: int
    newest: Newest
    seq: int
    #: Its number (see `BodyCoder`); 0 if it is not asked for.
    body: int


class Winner(NamedTuple):
    """The row of a conversation that is sent, if nothing outside of the job forbids it."""

    key: bytes
    seq: int
    rank: int
    body: int


@dataclass(slots=True)
class Repetitions:
    """How often conversations occur."""

    #: Distinct ones.
    conversations: int = 0
    #: Those with more than one row.
    repeated: int = 0
    #: Those with the most rows, and how many.
    examples: list[tuple[str, int]] = field(default_factory=list)
    #: Those whose winner is older than a row that was rejected.
    older: int = 0

    def note(self, found: Iterable[tuple[bytes, int]]) -> None:
        """Keep the examples with the most rows of these, by key, and of those before."""
        named = [(uuid_text(key[::-1]), rows) for key, rows in found]
        self.examples = nlargest(EXAMPLES, self.examples + named, key=lambda one: (one[1], one[0]))


class Asked(NamedTuple):
    """What is kept of each row, beside its conversation and number."""

    ranks: bool = False
    newest: bool = False
    bodies: bool = False


class Contest:
    """Takes all rows that can be sent; then it says which of them win.

    `scratch` is a folder for a temporary file, which is needed for many rows only.
    """

    def __init__(self, scratch: Path, asked: Asked) -> None:
        self._scratch = scratch
        self._asked = asked
        self._few: list[Candidate] = []
        #: Of each conversation the greatest row that was rejected.
        self._rejected: dict[bytes, Candidate] = {}
        self._many: ManyRows | None = None

    def close(self) -> None:
        """Give back the disk space. No winners can be had then."""
        if self._many is not None:
            self._many.close()

    def add(self, row: Candidate, share: float) -> None:
        """Take a row; `share` is how much has been read, it included. Raises `ScratchError`."""
        self._few.append(row)
        if len(self._few) > FEW:
            self._add_few_to_many(share)

    def add_part(self, part: PartSurvey, share: float) -> None:
        """Take the sure rows of a part; see `add`."""
        self._add_few_to_many(share)
        assert self._many is not None  # noqa: S101 -- for the type checker
        self._many.add_part(part, share)

    def reject(self, row: Candidate) -> None:
        """Take a row that cannot be sent, to be compared with the one that wins."""
        known = self._rejected.get(row.key)
        is_greatest = len(self._rejected) < MOST_REJECTED if known is None else known < row
        if is_greatest:
            self._rejected[row.key] = row

    def decide(self, rows: int, tell: Callable[[float], None]) -> tuple[RowSet, Repetitions]:
        """Return the rows that do not win, and how often conversations occur.

        `rows` is the highest number of a row. `tell` is told the share that is done, many times a
        second; what it raises ends the work.
        """
        if self._many is not None:
            self._add_few_to_many(1.0)
            return self._many.decide(rows, tell, self._rejected)
        found = Repetitions()
        counts = Counter(row.key for row in self._few)
        found.conversations = len(counts)
        found.repeated = sum(1 for number in counts.values() if number > 1)
        found.note((key, number) for key, number in counts.items() if number > 1)
        self._few.sort()
        last = {row.key: row for row in self._few}
        superseded = RowSet(row.seq for row in self._few if last[row.key] is not row)
        self._few = [*last.values()]
        found.older = sum(key in last and last[key] < row for key, row in self._rejected.items())
        return superseded, found

    def winners(self) -> Iterator[tuple[int, Iterable[Winner]]]:
        """Yield the number of each part and its winners by key; to be called after `decide`."""
        if self._many is not None:
            yield from self._many.winners()
            return
        parts: dict[int, list[Winner]] = {}
        for key, rank, _, seq, body in self._few:
            parts.setdefault(key[0], []).append(Winner(key, seq, rank, body))
        yield from parts.items()

    def _add_few_to_many(self, share: float) -> None:
        if self._many is None:
            from importer.survey.many_rows import ManyRows  # noqa: PLC0415 -- loads numpy

            self._many = ManyRows(self._scratch, self._asked)
        if self._few:
            self._many.add(self._few, share)
            self._few = []
