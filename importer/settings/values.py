"""The types of the settings that are neither texts nor numbers."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, NamedTuple, Self

from importer.model import OutcomeKind, Reason

#: A product for what needs none to do its work.
NO_PRODUCT = "00000000-0000-0000-0000-000000000000"
#: What stands for the address of the service in a rehearsal.
SANDBOX = "sandbox"
PRODUCTION_URL = "https://api.clarityq.ai"

#: The fields that a row consists of, in the order in which they are looked for.
FIELDS = ("conversation_id", "rating", "comment")


class InputFormat(StrEnum):
    """The kinds of file that can be read."""

    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"
    EXCEL = "excel"


class LongComments(StrEnum):
    """What becomes of a comment over the API's limit."""

    REJECT = "reject"
    TRUNCATE = "truncate"


class NotifyFormat(StrEnum):
    """The form of what `--notify-url` is sent."""

    JSON = "json"
    SLACK = "slack"


@dataclass(frozen=True, slots=True)
class _Limit:
    """A limit: `count` of what is counted, or a `share` of all of it."""

    count: int | None = None
    share: float | None = None

    #: Whether 0 is a limit: then none is allowed.
    ZERO: ClassVar[bool]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `100` or `5%`. Raises `ValueError`."""
        plain = text.strip()
        try:
            if plain.endswith("%"):
                limit = cls(share=float(plain[:-1]) / 100)
            else:
                limit = cls(count=int(plain))
        except ValueError:
            limit = cls()
        if limit._is_possible():
            return limit
        raise ValueError(f"{text!r} is not a limit: write a count such as 100, or 5%")

    def _is_possible(self) -> bool:
        value = self.count if self.share is None else self.share
        if value is None or (value == 0 and not self.ZERO):
            return False
        return 0 <= value <= (math.inf if self.share is None else 1)

    def __str__(self) -> str:
        return f"{self.count}" if self.share is None else f"{100 * self.share:.10g}%"


@dataclass(frozen=True, slots=True)
class FailureLimit(_Limit):
    """When failed rows end the run: `count` of them, or a `share` of the rows sent so far."""

    ZERO = False
    #: A share says nothing before this many rows have been answered.
    MIN_ROWS = 100

    def reached(self, outcomes: Mapping[OutcomeKind, int]) -> bool:
        """Return whether the run is to end, given the counts of this run so far."""
        failed = outcomes[OutcomeKind.FAILED]
        if self.count is not None:
            return failed >= self.count
        sent = failed + outcomes[OutcomeKind.SUCCEEDED] + outcomes[OutcomeKind.NOT_COMPLETED]
        return sent >= self.MIN_ROWS and failed >= (self.share or 0) * sent


@dataclass(frozen=True, slots=True)
class DataLimit(_Limit):
    """How much of the data may be odd: `count` of them, or a `share` of all; 0 allows none."""

    ZERO = True

    def exceeded(self, number: int, total: int) -> bool:
        """Return whether `number` of `total` are more than this allows."""
        if self.count is not None:
            return number > self.count
        return number > (self.share or 0) * total


class Retry(NamedTuple):
    """Which completed rows of a job are tried again: those of `kinds`, for `reasons` if given.

    Without `reasons` they are all but those whose conversation is in `ERROR`.
    """

    kinds: Collection[OutcomeKind] = (OutcomeKind.FAILED, OutcomeKind.NOT_COMPLETED)
    reasons: Collection[Reason] = ()
    #: The name of the job's folder; without one it is the latest job of the same command.
    folder: str = ""
