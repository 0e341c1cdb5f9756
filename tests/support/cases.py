"""Generated jobs: an input, a service's whims, interruptions; and the model of the outcome."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from importer.model import OutcomeKind
from importer.sandbox.faults import FaultPicker, Faults, RequestFault
from tests.support.data import conversation
from tests.support.watched import Put

HEADER = ("conversation_id", "rating", "comment")

#: Rating words, and what the service stores for each. `RATINGS` below knows "so so" as SKIP.
STORED = {"POSITIVE": "POSITIVE", " negative": "NEGATIVE", "CLEAR": None, "": None}
SKIPPED = "so so"
UNKNOWN = "meh"

COMMENTS = [
    "", " \t", "fine", "NA", "null", "00123", "=1+1", 'say "no", twice', "two\nlines", "a\r\nb",
    "👍🏽 \u202eright to left", "\x1b[31mred", "nul\x00", "é" * 2000, "👎" * 2000, "x" * 2001,
]  # fmt: skip


class Cells(NamedTuple):
    """One row of the input, as text."""

    conversation_id: str
    rating: str
    comment: str


class Fate(Enum):
    """What a conversation does when it is asked for again and again."""

    COMPLETED = auto()
    COMPLETES = auto()
    NEVER_COMPLETES = auto()
    IN_ERROR = auto()
    FAILS_LATER = auto()


class Stop(NamedTuple):
    """The run is stopped when so many PUTs have arrived; cleanly, or now."""

    after_puts: int
    at_once: bool


class Gap(NamedTuple):
    """So many rows of other conversations, or of none, that lie between two of the same."""

    place: int
    rows: int
    valid: bool

    def cells(self) -> list[Cells]:
        ids = (conversation(1000 + n) if self.valid else "bad" for n in range(self.rows))
        return [Cells(who, "POSITIVE", "") for who in ids]


@dataclass(frozen=True)
class Case:
    """One job. Rows from `split` on are in a second file, if that is not 0."""

    drawn: Sequence[Cells]
    gap: Gap
    split: int
    parquet: bool
    fates: Sequence[Fate]
    faults: Sequence[RequestFault]
    stops: Sequence[Stop]
    concurrency: int
    max_attempts: int
    #: Rows read at a time: with few, later rows arrive while earlier ones are in flight.
    batch_rows: int

    @cached_property
    def rows(self) -> Sequence[Cells]:
        """All rows of the input."""
        place = self.gap.place
        return [*self.drawn[:place], *self.gap.cells(), *self.drawn[place:]]

    def fate_of(self, who: str) -> Fate:
        """Return what a conversation (by its canonical id) does."""
        fates = {conversation(n): fate for n, fate in enumerate(self.fates)}
        return fates.get(who, Fate.COMPLETED)

    def write(self, folder: Path) -> list[Path]:
        """Write the input files and return their paths."""
        parts = [self.rows[: self.split], self.rows[self.split :]] if self.split else [self.rows]
        paths = []
        for number, part in enumerate(part for part in parts if part):
            path = folder / f"in{number}.{'parquet' if self.parquet else 'csv'}"
            if self.parquet:
                columns = dict(zip(HEADER, map(list, zip(*part, strict=True)), strict=True))
                pq.write_table(pa.table(columns), path, row_group_size=300)
            else:
                with path.open("w", newline="", encoding="utf-8") as file:
                    csv.writer(file).writerows([HEADER, *part])
            paths.append(path)
        return paths


def model(case: Case) -> list[Put | OutcomeKind]:
    """Return for each row the PUT that it asks for, or why it asks for none."""
    return [_model_of(row) for row in case.rows]


def _model_of(row: Cells) -> Put | OutcomeKind:
    who = row.conversation_id.lower().strip("{}")
    comment = row.comment if row.comment.strip() else None
    if who.count("-") != 4 or row.rating == UNKNOWN:
        return OutcomeKind.REJECTED
    if row.rating == SKIPPED:
        return OutcomeKind.SKIPPED
    if len(comment or "") > 2000 or not (row.rating or comment):
        return OutcomeKind.REJECTED
    return Put(who, (STORED[row.rating], comment))


class Script(FaultPicker):
    """Picks faults as the case says, and then none."""

    def __init__(self, case: Case, faults: Faults) -> None:
        super().__init__(faults)
        self._requests = iter(case.faults)
        self._case = case
        self._looks: Counter[str] = Counter()

    def for_request(self) -> RequestFault:
        return next(self._requests, RequestFault.NONE)

    def conversation_status(self, conversation: str, now: float) -> str:  # noqa: ARG002
        self._looks[conversation] += 1
        waited = self._looks[conversation] > 3
        match self._case.fate_of(conversation):
            case Fate.COMPLETED:
                return "COMPLETED"
            case Fate.COMPLETES:
                return "COMPLETED" if waited else "IN_PROGRESS"
            case Fate.NEVER_COMPLETES:
                return "IN_PROGRESS"
            case Fate.FAILS_LATER:
                return "ERROR" if waited else "IN_PROGRESS"
            case Fate.IN_ERROR:
                return "ERROR"


T = TypeVar("T")

CONVERSATIONS = 5


def _id_of(number: int) -> st.SearchStrategy[str]:
    canonical = conversation(number)
    return st.sampled_from([canonical, canonical, canonical.upper(), f"{{{canonical}}}"])


ROWS = st.builds(
    Cells,
    st.one_of(st.integers(0, CONVERSATIONS - 1).flatmap(_id_of), st.just("no-uuid")),
    st.sampled_from([*STORED, "POSITIVE", "POSITIVE", SKIPPED, UNKNOWN]),
    st.sampled_from(COMMENTS) | st.integers(0, 99).map("comment {}".format),
)


def _some(items: st.SearchStrategy[T], least: int) -> st.SearchStrategy[list[T]]:
    """A few, or so many that they get in each other's way; lists alone are short on average."""
    return st.lists(items, min_size=least, max_size=8) | st.lists(items, min_size=20, max_size=50)


CASES = st.builds(
    Case,
    drawn=_some(ROWS, least=1),
    gap=st.builds(Gap, st.integers(0, 50), st.sampled_from([0] * 6 + [40, 600]), st.booleans()),
    split=st.sampled_from([0, 0, 1, 5]),
    parquet=st.sampled_from([False, False, True]),
    fates=st.lists(
        st.sampled_from([Fate.COMPLETED, Fate.COMPLETED, Fate.COMPLETED, *Fate]),
        min_size=CONVERSATIONS, max_size=CONVERSATIONS,
    ),
    faults=_some(st.sampled_from([RequestFault.NONE] * 3 + list(RequestFault)), least=0),
    stops=st.lists(st.builds(Stop, st.integers(1, 12), st.booleans()), max_size=2),
    concurrency=st.integers(1, 8),
    max_attempts=st.sampled_from([1, 3, 20, 20]),
    batch_rows=st.sampled_from([1, 2, 10, 500]),
)  # fmt: skip
