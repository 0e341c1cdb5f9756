"""Random cases of one job on many workers: what goes wrong with them, the wire and the service."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from tests.oracle.answers import OK, Answer, broken_body, end_of_stream, reset, status
from tests.oracle.requests import Request
from tests.support.crews import Trouble
from tests.support.data import conversation

#: Seconds: how long a request may take effect late, and what the run is told of it.
WINDOW, LATE_EFFECT = 0.3, 0.6


class End(Enum):
    """How a run is ended before its time, if it is."""

    NONE = auto()
    STOP = auto()
    CANCEL = auto()
    #: Nothing is recorded any more.
    KILL = auto()


@dataclass(frozen=True)
class Leg:
    """One run: by how many workers, what goes wrong, and after how many PUTs it is ended."""

    workers: int
    trouble: Trouble
    end: End = End.NONE
    after: int = 0
    #: After so many PUTs a worker comes (1) or goes (-1).
    changes: Sequence[tuple[int, int]] = ()


@dataclass
class Case:
    """A file, what happens to the first requests of some rows, and the runs of its job."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)
    #: By comment.
    troubles: dict[str, list[Answer]] = field(default_factory=dict)
    #: How often a conversation is said to be at work before it is completed.
    looks: dict[str, int] = field(default_factory=dict)
    legs: list[Leg] = field(default_factory=list)

    def answer(self, request: Request) -> Answer | None:
        """Decide as a rule of the service."""
        left = self.troubles.get(str(request.feedback[1]))
        return left.pop(0) if left else None


def invent(seed: int) -> Case:
    """Make up a case; the same seed makes the same one."""
    dice, case = random.Random(seed), Case()
    pool = dice.randint(30, 120)
    for number in range(dice.randint(60, 200)):
        words = ("POSITIVE", "NEGATIVE") if dice.random() < 0.95 else ("meh",)
        comment = f"comment {number}"
        case.rows.append((conversation(dice.randrange(pool)), dice.choice(words), comment))
        if dice.random() < 0.15:
            case.troubles[comment] = [_trouble(dice) for _ in range(dice.choice([1, 1, 2, 3]))]
    for number in dice.sample(range(pool), pool // 10):
        case.looks[conversation(number)] = dice.randint(1, 3)
    puts = 0
    for _ in range(dice.randint(0, 3)):
        puts += dice.randint(1, 60)
        case.legs.append(_leg(dice, dice.choice([End.STOP, End.CANCEL, End.KILL]), puts))
    case.legs.append(_leg(dice, End.NONE, puts))
    return case


def _leg(dice: random.Random, end: End, after: int) -> Leg:
    trouble = Trouble(
        lost=dice.choice([0.0, 0.1]), doubled=dice.choice([0.0, 0.1]), late=dice.choice([0.0, 0.1]),
        killed=dice.choice([0.0, 0.0, 0.04]), stuck=dice.choice([0.0, 0.0, 0.02]),
    )  # fmt: skip
    changes = sorted((dice.randint(1, after + 60), dice.choice([1, -1])) for _ in range(3))
    return Leg(dice.randint(1, 4), trouble, end, after, changes[: dice.randint(0, 3)])


def _trouble(dice: random.Random) -> Answer:
    applies = dice.choice([None, 0.0, WINDOW, WINDOW])
    match dice.randrange(6):
        case 0:
            return status(429)
        case 1:
            return status(dice.choice([500, 502, 503]), applies=applies)
        case 2:
            return reset(applies=applies)
        case 3:
            return end_of_stream(applies=applies)
        case 4:
            return broken_body(applies=applies)
        case _:
            return OK
