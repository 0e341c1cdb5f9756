"""What is to be done about a job, step by step, and what of it is needless by now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Self


class StepKind(StrEnum):
    """What a step is for; together with the job or file that it is about, another knows it again.

    The values stand in `summary.json` (docs/reference.md, F4).
    """

    #: To resume the job.
    RESUME = "resume"
    #: To try again what it has left over.
    RETRY = "retry"
    #: The same, which the next import does.
    CARRY_OVER = "carry_over"
    #: What becomes of the rows in one of its left-over files.
    LEFT_OVERS = "left_overs"
    #: The same of files that a person had edited before they were written anew.
    EDITED = "edited"
    #: Rows of earlier jobs in its inputs that gave way, and may have been the newest.
    GAVE_WAY = "gave_way"
    #: To begin it anew, as it has not sent its rows.
    BEGIN = "begin"
    #: To import what is there now of its inputs, as an older copy was read.
    READ_ANEW = "read_anew"
    #: To clear what an undo leaves as it is.
    CLEAR = "clear"
    #: To bring back what the job had set, and an undo clears.
    BRING_BACK = "bring_back"
    #: To go on with the undo of it.
    GO_ON_WITH_UNDO = "go_on_with_undo"
    #: None that another job makes needless.
    OTHER = "other"
    #: The summary in which it stands, of an older version, does not say that.
    UNTOLD = "untold"


#: A kind of step, and the job or file that it is about (`feedback-1`, `feedback-1/failed.csv`).
Topic = tuple[StepKind, str]


class Step(NamedTuple):
    """One thing to do: what it is for, and the command to paste; or nothing to paste."""

    purpose: str
    command: str = ""
    kind: StepKind = StepKind.OTHER
    #: The name of the job that it is about, or of a file of it; empty if another never asks.
    about: str = ""

    def __str__(self) -> str:
        return f"{self.purpose} {self.command}" if self.command else self.purpose

    @property
    def topic(self) -> Topic:
        """Return what it is known by where another makes it needless."""
        return self.kind, self.about

    def as_json(self) -> dict[str, str]:
        """Return the step as it stands in `summary.json`."""
        return {
            "text": str(self), "command": self.command, "kind": self.kind, "about": self.about,
        }  # fmt: skip

    @classmethod
    def of_json(cls, found: Mapping[str, str]) -> Self:
        """Return the step that stands so in `summary.json`. Raises `LookupError`, `ValueError`."""
        text = found["text"]
        command = found.get("command", "")
        kind = StepKind(found.get("kind", StepKind.UNTOLD))
        return cls(text.removesuffix(command).rstrip(), command, kind, found.get("about", ""))


class TakenUp(NamedTuple):
    """What has become of a job since, in a sentence."""

    text: str
    #: What need not be done any more.
    obsolete: Collection[Topic] = ()
    #: What is to be done instead, also of the same that was to be done before.
    instead: Sequence[Step] = ()

    def __str__(self) -> str:
        return self.text


def file_of_job(path: Path) -> str:
    """Return how a step names the file of a job that it is about, wherever the jobs are."""
    return f"{path.parent.name}/{path.name}"


def are_untold(steps: Iterable[Step]) -> bool:
    """Return whether what becomes of a job makes some of them needless, and nobody can say which.

    Then its journal tells what is to be done.
    """
    return any(step.kind is StepKind.UNTOLD for step in steps)


def still_to_do(steps: Sequence[Step], taken: Sequence[TakenUp]) -> list[Step]:
    """Return those of the steps of a job that are still to be done, after those instead of others.

    These come in the order in which they are `taken`.
    """
    instead, others = list[Step](), list(steps)
    # What is to be done instead may be needless for another reason.
    for one in sorted(taken, key=lambda each: not each.instead):
        gone = {*one.obsolete, *(step.topic for step in one.instead)}
        instead = [*(step for step in instead if step.topic not in gone), *one.instead]
        others = [step for step in others if step.topic not in gone]
    return [*instead, *others]
