"""Makes up histories of nights from a seed: their rows, troubles, and steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random

from tests.oracle.answers import Feedback
from tests.oracle.drive import Row, conversation
from tests.oracle.files import EARLY
from tests.oracle.model import NOTHING

LOSSES = ("reset", "end_of_stream", "broken_body", "silence")
STATUSES = ("500", "502", "503", "504")
ATTEMPTS = 3
"""So many attempts a row has in a run."""


@dataclass(frozen=True)
class Kind:
    """A kind of history: what may happen in it."""

    name: str
    options: tuple[tuple[str, ...], ...] = ((),)
    """What a night may be begun with."""

    others: Mapping[str, int] = field(default_factory=dict)
    """What may be done beside the nights, and how often."""

    ways: tuple[str, ...] = ("resume",)
    """What is done about an unfinished job that is in the way."""

    interruptions: tuple[str, ...] = ("stop", "outage", "kill", "early", "overlap")
    waits: bool = False
    """The next command is given when nothing can take effect any more."""

    nights: tuple[int, int] = (10, 14)
    beside: tuple[int, int] = (0, 2)
    """So many other things are done after each night."""

    pool: tuple[int, int] = (60, 150)
    """How many conversations there are."""

    troubled: float = 0.1
    """The share of the rows whose first requests do not go well."""

    after: int = 40
    """An interruption comes after so many PUTs at most."""

    formats: tuple[str, ...] = ("csv",)
    """Of the files of the nights, in turn."""

    newest: bool = False
    """A column says which row of a conversation counts, wherever it stands."""

    is_quick: bool = True
    """A history of it is played within the tests."""

    takes: bool = False
    """Something is taken back in it: some rows have no comment, and jobs export their outcomes."""

    def short(self) -> Kind:
        """Return the same kind with few nights and few rows: many more can be played."""
        return replace(self, nights=(2, 4), pool=(10, 30), after=min(self.after, 12))


@dataclass(frozen=True)
class Step:
    """One thing that is done, and what interrupts it after so many PUTs."""

    what: str
    night: int = 0
    options: tuple[str, ...] = ()
    way: str = "resume"
    interruption: str = ""
    after: int = 0
    unready: frozenset[str] = frozenset()
    """Conversations that are not completed during this step."""

    chosen: frozenset[str] = frozenset()
    """Conversations to forget."""

    clears: bool = False
    """Whether an undo clears what it does not know."""

    def __str__(self) -> str:
        words = [f"{self.what} {self.night}", *self.options, f"(in the way: {self.way})"]
        if self.interruption:
            words.append(f"{self.interruption} after {self.after}")
        if self.unready:
            words.append(f"not completed: {', '.join(c[:8] for c in sorted(self.unready))}")
        if "forget" in self.what:
            words.append(f"chosen: {', '.join(c[:8] for c in sorted(self.chosen))}")
        return " ".join(words)


@dataclass
class History:
    """Nights with their rows and the troubles of these, and the steps through them."""

    kind: Kind
    seed: int
    nights: list[list[Row]] = field(default_factory=list)
    troubles: dict[str, list[str]] = field(default_factory=dict)
    """By its sign, what happens to the first requests of a row."""

    steps: list[Step] = field(default_factory=list)


def invent(kind: Kind, seed: int) -> History:
    """Make up a history; the same kind and seed make the same one."""
    random = Random(f"{kind.name} {seed}")
    history = History(kind, seed)
    pool = range(1, random.randint(*kind.pool) + 1)
    last: dict[int, Row] = {}
    for night in range(random.randint(*kind.nights)):
        lines = []
        for n in random.sample(pool, random.randint(len(pool) // 3, len(pool))):
            words = ("POSITIVE", "NEGATIVE") if random.random() < 0.97 else ("dunno",)
            row = (conversation(n), random.choice(words), f"night {night} of {n}")
            if kind.takes:
                row = _bare(random, (*row[:2], f"{row[2]}."))
            if n in last and random.random() < 0.3:
                row = last[n]
            elif random.random() < kind.troubled:
                history.troubles[sign(row[0], row[1:])] = _trouble(random)
            last[n] = row
            lines.append(row)
        for number in random.sample(range(len(lines)), len(lines) // 20):
            conversation_id, rating, comment = lines[number]
            early = f"{EARLY}{comment or conversation_id[:8] + '.'}"
            place = random.randint(0, len(lines) if kind.newest else number)
            lines.insert(place, (conversation_id, rating, early))
        history.nights.append(lines)
        history.steps.append(_step(random, kind, "night", night, pool))
        for _ in range(random.randint(*kind.beside) if kind.others else 0):
            (what,) = random.choices(list(kind.others), list(kind.others.values()))
            history.steps.append(_step(random, kind, what, random.randint(0, night), pool))
    if kind.takes:
        for n in random.sample(pool, len(pool) // 6):
            history.troubles[sign(conversation(n), NOTHING)] = _trouble(random)
    return history


def sign(conversation_id: str, feedback: Feedback) -> str:
    """Return what a row is told by: its comment, or conversation and rating if it has none."""
    rating, comment = feedback
    return comment or f"{conversation_id} {rating if rating != 'CLEAR' else None}"


def _bare(random: Random, row: Row) -> Row:
    """Leave out the comment of most rows, and the rating of some."""
    chance = random.random()
    if chance < 0.5 or row[1] == "dunno":
        return (*row[:2], "")
    if chance < 0.6:
        return (row[0], "", row[2])
    return (row[0], "CLEAR", "") if chance < 0.65 else row


def _trouble(random: Random) -> list[str]:
    """Make up what happens to the first requests of a row; now and then its attempts run out."""
    kinds = ["429", "422", *STATUSES, *LOSSES]
    count = random.choice([1, 1, 2, ATTEMPTS])
    chosen = [random.choice(kinds if count < ATTEMPTS else kinds[2:]) for _ in range(count)]
    effects = ("never", "now", "late", "late")
    return [what if what[0] == "4" else f"{what} {random.choice(effects)}" for what in chosen]


def _step(random: Random, kind: Kind, what: str, night: int, pool: range) -> Step:
    interruption = random.choice(["", "", *kind.interruptions])
    unready = random.sample(pool, random.choice([0, 0, 1, 3]))
    return Step(
        what,
        night,
        random.choice(kind.options),
        random.choice(kind.ways),
        interruption,
        random.randint(1, kind.after) if interruption else 0,
        frozenset(conversation(n) for n in unready),
        frozenset(conversation(n) for n in random.sample(pool, 3)) if kind.takes else frozenset(),
        kind.takes and random.random() < 0.6,
    )
