"""What a response of the service means for the row, and for the run. Sans-I/O.

The documented statuses are those of the API's feedback and status calls (docs/api.md); every other
status is one that any HTTP service or proxy may send.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from html import unescape
from typing import NamedTuple

import msgspec

from importer.common.uuids import canonical_uuid
from importer.model import Feedback, Meaning, Warn, Word

#: How much of the service's own words a message quotes, in code points.
_QUOTE_LIMIT = 300
#: How much of a response is looked at for them, in bytes.
_LOOKED_AT = 4096
#: The title of a page of HTML: the rest of it is for browsers.
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
#: What is left out of a page that has none.
_MARKUP = re.compile(
    r"<(script|style)\b.*?(</\1\s*>|$)|<!--.*?(-->|$)|<[^>]*(>|$)", re.IGNORECASE | re.DOTALL
)
#: Blots out what must not be shown.
Redact = Callable[[str], str]


class VerdictKind(Word):
    """What a response, or its absence, means."""

    APPLIED = "applied"
    NOT_COMPLETED = "not_completed"
    COMPLETED = "completed"
    CONVERSATION_ERROR = "conversation_error"
    REFUSED = "refused"
    STORED_DIFFERS = "stored_differs"
    TRANSIENT = "transient"
    #: 403, 407 or a redirect: it concerns either this row or, before any success, all of them.
    TURNED_AWAY = "turned_away"
    KEY_REFUSED = "key_refused"
    UNTRUSTED = "untrusted"


class Stored(NamedTuple):
    """The feedback that the service says it holds for a conversation."""

    #: None if it holds none.
    rating: Meaning | None
    comment: str | None


class Verdict(NamedTuple):
    """What one request has led to."""

    kind: VerdictKind
    #: What went wrong, in words; empty if nothing did.
    detail: str = ""
    #: None if no response came.
    http_status: int | None = None
    #: When the service stored the feedback, in its own words, which may be anything.
    updated_at: str | None = None
    #: What a person should know of feedback that was stored all the same.
    warning: Warn | None = None
    #: How long the service asks to wait, in seconds.
    retry_after: float | None = None
    #: It proves what became of the request (docs/reference.md, T1). Without, the request may still
    #: take effect.
    definite: bool = True
    #: How many requests went out.
    requests: int = 1
    #: The request was handed to a connection; if not, the service knows nothing of it.
    sent: bool = True
    #: What a 200 shows to be stored where that differs from what was sent.
    stored: Stored | None = None
    #: It is the answer to another key than the one before, which the service had refused.
    new_key: bool = False


class _Echo(msgspec.Struct):
    """The feedback call's 200 body: what the service stored."""

    conversation_id: str
    updated_at: str
    rating: str | None = None
    comment: str | None = None


class _Status(msgspec.Struct):
    """The status call's 200 body."""

    status: str


class _Detail(msgspec.Struct):
    """One entry of a 422 body."""

    loc: list[str | int]
    msg: str


class _Invalid(msgspec.Struct):
    detail: list[_Detail]


class _Problem(msgspec.Struct):
    detail: str


_RATINGS = {"POSITIVE": Meaning.POSITIVE, "NEGATIVE": Meaning.NEGATIVE}
_echo = msgspec.json.Decoder(_Echo)
_status = msgspec.json.Decoder(_Status)
_invalid = msgspec.json.Decoder(_Invalid)
_problem = msgspec.json.Decoder(_Problem)
#: What they raise for a body that is something else, or nested without end.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def kind_of(status: int) -> VerdictKind:
    """Return what an HTTP status means for a PUT of feedback, whatever the body."""
    if status == 200:
        return VerdictKind.APPLIED
    if status == 409:
        return VerdictKind.NOT_COMPLETED
    if status == 401:
        return VerdictKind.KEY_REFUSED
    if status in (403, 407) or 300 <= status <= 399:
        return VerdictKind.TURNED_AWAY
    if status in (408, 425, 429) or 500 <= status <= 599:
        return VerdictKind.TRANSIENT
    return VerdictKind.REFUSED


def is_definite(status: int) -> bool:
    """Return whether an HTTP status other than 200 proves what became of a PUT."""
    return status != 408 and 300 <= status <= 499


def judge_feedback(
    feedback: Feedback, status: int, body: bytes | None, redact: Redact = str
) -> Verdict:
    """Return the verdict on the response to a PUT; `body` is None if it cannot be read in full.

    A 200 counts only with the conversation's id in its body (docs/reference.md, T1). What is quoted
    goes through `redact`.
    """
    kind = kind_of(status)
    if kind is not VerdictKind.APPLIED:
        return Verdict(kind, describe(status, body, redact), status, definite=is_definite(status))
    try:
        echo = _echo.decode(body or b"")
    except _UNREADABLE:
        # Something in between answered, such as a proxy's page: not proof that it was stored.
        return Verdict(
            VerdictKind.TRANSIENT, "200, but not with the stored feedback as its body", status,
            definite=False,
        )  # fmt: skip
    if echo.conversation_id != feedback.conversation_id and (
        canonical_uuid(echo.conversation_id) != feedback.conversation_id
    ):
        return Verdict(
            VerdictKind.TRANSIENT,
            f"200, but for another conversation ({printable(redact(echo.conversation_id))})",
            status,
            definite=False,
        )
    sent = None if feedback.rating is Meaning.CLEAR else feedback.rating
    updated_at = echo.updated_at
    if echo.rating == sent and echo.comment == feedback.comment:
        return Verdict(kind, "", status, updated_at)
    stored = Stored(_RATINGS.get(echo.rating or ""), echo.comment)
    if echo.rating != sent:
        said = printable(redact(str(echo.rating)))
        detail = f"the service stored the rating {said}, and {sent} was sent"
    elif feedback.comment is not None and not echo.comment:
        detail = "the service stored no comment, and one was sent"
    else:
        return Verdict(kind, "", status, updated_at, Warn.ECHO_DIFFERS, stored=stored)
    return Verdict(VerdictKind.STORED_DIFFERS, detail, status, updated_at, stored=stored)


def judge_status(status: int, body: bytes | None, redact: Redact = str) -> Verdict:
    """Return the verdict on the response to a status call; see `judge_feedback`.

    A response that does not tell the status is `COMPLETED`: the PUT that follows will tell.
    """
    kind = kind_of(status)
    if kind in (VerdictKind.KEY_REFUSED, VerdictKind.TRANSIENT) or status == 403:
        return Verdict(kind, describe(status, body, redact), status)
    try:
        told = _status.decode(body or b"").status if status == 200 else ""
    except _UNREADABLE:
        told = ""
    match told:
        case "IN_PROGRESS":
            return Verdict(VerdictKind.NOT_COMPLETED, "the conversation is IN_PROGRESS", 409)
        case "ERROR":
            return Verdict(VerdictKind.CONVERSATION_ERROR, "the conversation is in ERROR", 409)
        case _:
            return Verdict(VerdictKind.COMPLETED)


def describe(status: int, body: bytes | None, redact: Redact = str) -> str:
    """Return what the service said, in words: a 422's places and messages, or its text.

    What is quoted goes through `redact` when it is decoded, and before it is cut.
    """
    said = ""
    try:
        said = "; ".join(
            f"{'.'.join(map(str, entry.loc))}: {entry.msg}"
            for entry in _invalid.decode(body or b"").detail
        )
    except _UNREADABLE:
        try:
            said = _problem.decode(body or b"").detail
        except _UNREADABLE:
            said = (body or b"")[:_LOOKED_AT].decode("utf-8", "replace")
            if (title := _TITLE.search(said)) and title[1].strip():
                said = unescape(title[1])
            elif said.lstrip().startswith("<"):
                said = unescape(_MARKUP.sub(" ", said))
    said = redact(said)
    if 200 < status < 300:
        said = f"only a 200 confirms that feedback was stored. {said}"
    said = printable(said)
    return f"{status}: {said}" if said else str(status)


def printable(text: str) -> str:
    """Return foreign `text` on one line, without control characters, cut to a bound."""
    line = text
    if not line.isprintable() or "  " in line:
        line = re.sub(r"\s+", " ", line)
        line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
    line = line.strip()
    return line if len(line) <= _QUOTE_LIMIT else line[: _QUOTE_LIMIT - 1] + "…"


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds that a `Retry-After` header asks for, or None without a usable one.

    `now` is in Unix seconds; the header holds seconds or a date (RFC 9110, section 10.2.3).
    """
    if value is None:
        return None
    value = value.strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value, re.ASCII):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
        # HTTP dates are in GMT, also in the old form that does not say so.
        until = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
        return max(0.0, until.timestamp() - now)
    except (ValueError, OverflowError):
        return None
