"""What a job would send, and what that would change: the result of comparing it with others."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from importer.common.row_set import RowSet
from importer.model import Reason
from importer.survey.changes import Change

#: Conversations that are named for each kind of change.
MOST_EXAMPLES = 5


@dataclass(slots=True)
class Plan:
    """Which rows are sent. The other figures are 0 if the job was not compared with others."""

    #: The rows that are not sent, by why.
    not_sent: dict[Reason, RowSet]
    #: Rows that are sent, carried-over ones included.
    to_send: int = 0
    #: Of these, the ones that were carried over.
    left_overs: int = 0
    #: Of these, the ones for whose conversation nothing was sent before.
    new: int = 0
    #: Of these, the ones of which it is not known what is stored: they are in doubt, or failed.
    stored_unknown: int = 0
    #: Of these, the ones that add to what is stored, and take nothing of it away.
    added: int = 0
    #: Of these, the ones for which the same is stored.
    same: int = 0
    #: Conversations of the job of which it is known what is stored.
    known: int = 0
    #: Of these, the ones of which the job would take something away.
    changed: int = 0
    #: The same by what it is; of one conversation it may be two things.
    changes: dict[Change, int] = field(default_factory=lambda: dict.fromkeys(Change, 0))
    #: Of the rows that are sent, those that send other feedback than is stored, or may do so: by
    #: the number of the job that has brought the conversation's highest-ranked row, if another has.
    came_last: Counter[int] = field(default_factory=Counter)
    #: The same without the rows that are taken over: they are sent whichever job comes next.
    came_last_to_own: Counter[int] = field(default_factory=Counter)
    #: Some of the conversations of which something is taken away.
    examples: dict[Change, list[str]] = field(default_factory=dict)

    @property
    def unchanged(self) -> int:
        """Return how many rows are not sent because the same is stored."""
        rows = self.not_sent.get(Reason.SAME_AS_STORED)
        return 0 if rows is None else rows.count

    def note_changes(self, found: list[Change], conversation_id: str) -> None:
        """Count a conversation of which something is taken away."""
        self.changed += 1
        for change in found:
            self.changes[change] += 1
            examples = self.examples.setdefault(change, [])
            if len(examples) < MOST_EXAMPLES:
                examples.append(conversation_id)

    def as_json(self) -> dict[str, Any]:
        """Return the plan as JSON can hold it (docs/check.schema.json)."""
        return {
            "to_send": self.to_send,
            "left_overs": self.left_overs,
            "new": self.new,
            "stored_unknown": self.stored_unknown,
            "added": self.added,
            "same": self.same,
            "known": self.known,
            "changed": self.changed,
            **{str(change): number for change, number in self.changes.items()},
            "examples": self.examples,
            "not_sent": {reason: rows.count for reason, rows in self.not_sent.items()},
        }
