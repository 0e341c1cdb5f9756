"""What the service has seen: one entry of its log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.oracle.answers import Feedback


@dataclass
class Request:
    """One request as the service saw it."""

    number: int
    at: float
    connection: int
    method: str
    path: str
    key: str
    conversation: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    attempt: int = 0
    answered: str = ""
    """The status, or how the connection ended; empty while the request is in flight."""

    def __str__(self) -> str:
        return f"request {self.number} for {self.conversation}: {self.feedback}, {self.answered}"

    @property
    def feedback(self) -> Feedback:
        """What the service holds once this request has taken effect."""
        return self.body.get("rating"), self.body.get("comment")

    @property
    def definite(self) -> bool:
        """Tell whether the response proved what became of the request."""
        return self.answered.isdigit() and int(self.answered) not in {408, *range(500, 600)}

    @property
    def fits(self) -> bool:
        """Tell whether the real service would take this body."""
        rating, comment = self.body.get("rating"), self.body.get("comment")
        known = rating in {None, "POSITIVE", "NEGATIVE"}
        short = comment is None or (isinstance(comment, str) and len(comment) <= 2000)
        return known and short and bool(self.body.keys() & {"rating", "comment"})

    def differs_from(self, other: Request) -> bool:
        """Tell whether it is for the same conversation as the other one, with other feedback."""
        return self.conversation == other.conversation and self.feedback != other.feedback


@dataclass(frozen=True)
class Effect:
    """What a conversation held from then on."""

    after: int
    """How many requests had come by then."""

    conversation: str
    feedback: Feedback


def bodies(requests: Iterable[Request]) -> list[Feedback]:
    """Return what the requests carried, in order."""
    return [r.feedback for r in requests]
