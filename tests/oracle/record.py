"""What is known of the jobs of a history: what they brought, and what was done to them when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from tests.oracle.model import Brought, Rank

UNFINISHED = {3, 6, 129, 130, 143, -9, -15}
OVER = {0, 1, 5}
_FIELDS = {"": None, "CLEAR": None}
VALID = {"POSITIVE", "NEGATIVE", None}


class Fate(Enum):
    """What has become of a job."""

    UNFINISHED = auto()
    ENDED = auto()
    GIVEN_UP = auto()
    REPLACED = auto()


@dataclass
class Command:
    """One command at work on a job: the requests that came meanwhile, and when it was."""

    words: str
    first: int
    last: int
    """From the first to before the last of the service's log."""

    began: float
    ended: float
    code: int
    broken_off: bool
    """Answers may be lost: it was killed, or the service was."""


@dataclass(frozen=True)
class Left:
    """The left-overs of a job as its files showed them from then on."""

    after: int
    conversations: frozenset[str]


@dataclass
class Begun:
    """One job of a history."""

    number: int
    night: int
    folder: str
    line: tuple[str, ...]
    """The command that resumes it."""

    rows: list[Brought]
    carries: bool = False
    skips: bool = False
    keeps: bool = False
    """Whether it keeps what it sends."""

    undoes: Begun | None = None
    """The job that it takes back."""

    carried: list[Brought] = field(default_factory=list)
    """Rows of earlier jobs that it took over, as far as they can be told."""

    listed: set[str] = field(default_factory=set)
    """The conversations of all rows that it took over."""

    commands: list[Command] = field(default_factory=list)
    lefts: list[Left] = field(default_factory=list)
    fate: Fate = Fate.UNFINISHED
    over_at: int = -1
    """How many requests had come when it ended or was given up; -1 before."""

    lost_at: int = -1
    """How many requests had come when neither its folder nor the ledger was left; -1 before."""

    lost_after: int = 0
    """How many jobs had begun then: some send nothing."""

    here: bool = True
    exported: list[dict[str, str]] = field(default_factory=list)
    fresh: bool = False
    """Whether nothing was done to it since its outcomes were exported."""

    hidden: dict[str, str] = field(default_factory=dict)
    """The conversations that were forgotten, by the number of their row among all of the job."""

    forgotten: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Of conversations that were forgotten since: how many requests had come, and jobs begun."""

    forerunner: bool = False
    """Whether it was begun in another folder before, and broken off before its first request."""

    rest_given_up_at: int = -1
    """How many requests had come when what it had left over was given up; -1 before."""

    withdrawn_by: int = -1
    """The number of the latest job when it was taken back; -1 if it was not."""

    dropped_at: int = -1
    """How many requests had come when its comments were dropped; -1 before."""

    @property
    def began_at(self) -> int:
        """How many requests had come when it began."""
        return self.commands[0].first

    @property
    def sent_anything(self) -> bool:
        """Tell whether requests came while it was at work."""
        return any(command.last > command.first for command in self.commands)

    def over_by(self, count: int) -> bool:
        """Tell whether it had ended, one way or the other, when so many requests had come."""
        return -1 < self.over_at <= count

    def has_given_up_by(self, count: int) -> bool:
        """Tell whether what it had left over was given up when so many requests had come."""
        return -1 < self.rest_given_up_at <= count

    def dropped_by(self, count: int) -> bool:
        """Tell whether its comments were dropped by then, and nothing brought them back."""
        since = [command for command in self.commands if self.dropped_at <= command.first < count]
        return -1 < self.dropped_at <= count and not since

    def gave_up(self, row: Brought, count: int) -> bool:
        """Tell whether a row of its own was given up: no job that begins then takes it over."""
        if not any(row is own for own in self.rows):
            return False
        if self.has_given_up_by(count) and row.rank[1] == self.number:
            return True
        if self.fate is not Fate.GIVEN_UP:
            return False
        settled = {line["row"] for line in self.exported if line["file"] != "carried over"}
        return str(row.position) not in settled

    def shown(self, exported: list[dict[str, str]]) -> list[dict[str, str]]:
        """Return what was exported with the conversations that were forgotten since it began."""
        return [
            {**line, "conversation_id": self.hidden.get(line["seq"], line["conversation_id"])}
            for line in exported
        ]

    def winners(self) -> dict[str, Brought]:
        """Return the row of each conversation that the job promises to bring."""
        return {row.conversation: row for row in self.rows if row.feedback[0] in VALID}

    def brought(self) -> Iterator[Brought]:
        """Return the rows that may be sent, those taken over included."""
        yield from self.winners().values()
        yield from self.carried

    def left_by(self, count: int) -> frozenset[str]:
        """Return the conversations that its files named as left over at that time."""
        known = [left.conversations for left in self.lefts if left.after <= count]
        return known[-1] if known else frozenset()


def own_rows(lines: list[tuple[str, str, str]], ranks: list[Rank]) -> list[Brought]:
    """Return the rows of a file, with the ranks that they have."""
    return [
        Brought(rank, position, conversation, (_FIELDS.get(rating, rating), comment or None))
        for position, ((conversation, rating, comment), rank) in enumerate(
            zip(lines, ranks, strict=True), 1
        )
    ]
