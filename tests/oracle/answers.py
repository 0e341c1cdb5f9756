"""What the scripted service may do with one request, and the names for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

NOW = 0.0
"""The request takes effect before it is answered."""

Feedback = tuple[str | None, str | None]
"""Rating and comment, as the service holds them."""

Ending = Literal["answer", "reset", "end_of_stream", "broken_body", "silence"]
Lie = Literal["other_id", "no_id", "other_rating", "no_rating", "trimmed", "no_comment"]


@dataclass(frozen=True)
class Answer:
    """One reaction to one request.

    `applies` says when the request takes effect: never (None), before the answer (NOW), or late.
    A late one takes effect at the worst moment that its window allows: right after the service
    has stored other feedback for the conversation, and at the end of the window at the latest.
    """

    ending: Ending = "answer"
    status: int = 200
    applies: float | None = NOW
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    lie: Lie | None = None
    delay: float = 0.0


OK = Answer()


def status(code: int, *, applies: float | None = None, retry_after: float | None = None) -> Answer:
    """Answer with an error status; by default the request has no effect."""
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    body = json.dumps({"detail": f"scripted {code}"}).encode()
    return Answer(status=code, applies=applies, headers=headers, body=body)


def redirect(code: int, where: str) -> Answer:
    """Send the client elsewhere; nothing takes effect."""
    return Answer(status=code, applies=None, headers={"Location": where}, body=b"")


def reset(*, applies: float | None = None) -> Answer:
    """Reset the connection instead of answering."""
    return Answer(ending="reset", applies=applies)


def end_of_stream(*, applies: float | None = None) -> Answer:
    """Close the connection in good order, without a byte of an answer."""
    return Answer(ending="end_of_stream", applies=applies)


def broken_body(*, applies: float | None = None) -> Answer:
    """Begin a 200, and end the connection in the middle of its body."""
    return Answer(ending="broken_body", applies=applies)


def silence(*, applies: float | None = None) -> Answer:
    """Take the request and never answer."""
    return Answer(ending="silence", applies=applies)


def page() -> Answer:
    """Answer 200 with a page of HTML, as a proxy with a log-in does."""
    body = b"<html><body>Please log in</body></html>"
    return Answer(applies=None, headers={"Content-Type": "text/html"}, body=body)


def lie(kind: Lie, *, applies: float | None = NOW) -> Answer:
    """Answer 200 with an echo that is not what was sent."""
    return Answer(lie=kind, applies=applies)


def slow(answer: Answer, seconds: float) -> Answer:
    """Give the same answer after a while."""
    return replace(answer, delay=seconds)


def echo(conversation: str, stored: Feedback, kind: Lie | None) -> bytes:
    """Return the body of a 200, true or with the lie that is asked for."""
    rating, comment = stored
    shown: dict[str, str | None] = {"conversation_id": conversation}
    if kind == "other_id":
        shown["conversation_id"] = "00000000-0000-4000-8000-0000000000ff"
    elif kind == "no_id":
        del shown["conversation_id"]
    if kind == "other_rating":
        rating = "NEGATIVE" if rating == "POSITIVE" else "POSITIVE"
    elif kind == "no_rating":
        rating = None
    elif kind == "trimmed" and comment is not None:
        comment = comment.strip()
    elif kind == "no_comment":
        comment = None
    return json.dumps(
        {**shown, "rating": rating, "comment": comment, "updated_at": "2026-01-02T03:04:05Z"}
    ).encode()
