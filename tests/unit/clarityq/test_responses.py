"""What each answer means."""

import json

import pytest

from importer.clarityq.responses import (
    Verdict,
    VerdictKind,
    describe,
    judge_feedback,
    judge_status,
    kind_of,
    parse_retry_after,
)
from importer.model import Feedback, Meaning, Warn
from tests.support.data import conversation

EXCEPTIONS = {
    200: VerdictKind.APPLIED,
    401: VerdictKind.KEY_REFUSED,
    403: VerdictKind.TURNED_AWAY,
    407: VerdictKind.TURNED_AWAY,
    408: VerdictKind.TRANSIENT,
    409: VerdictKind.NOT_COMPLETED,
    425: VerdictKind.TRANSIENT,
    429: VerdictKind.TRANSIENT,
}
FEEDBACK = Feedback(1, conversation(1), Meaning.POSITIVE, "good")
STORED = {
    "conversation_id": FEEDBACK.conversation_id,
    "rating": "POSITIVE",
    "comment": "good",
    "updated_at": "2026-07-01T12:34:56Z",
}


@pytest.mark.parametrize("status", range(100, 600))
def test_every_status_has_its_meaning(status: int) -> None:
    otherwise = VerdictKind.TRANSIENT if status >= 500 else VerdictKind.REFUSED
    if 300 <= status <= 399:
        otherwise = VerdictKind.TURNED_AWAY
    assert kind_of(status) is EXCEPTIONS.get(status, otherwise)


def judged(**changes: object) -> Verdict:
    return judge_feedback(FEEDBACK, 200, json.dumps({**STORED, **changes}).encode())


def test_a_faithful_echo_is_success_and_keeps_the_time() -> None:
    verdict = judged()
    assert verdict.kind is VerdictKind.APPLIED
    assert verdict.updated_at == "2026-07-01T12:34:56Z"
    assert verdict.warning is None


def test_a_comment_that_was_merely_altered_is_success_with_a_warning() -> None:
    verdict = judged(comment="goo")
    assert (verdict.kind, verdict.warning) == (VerdictKind.APPLIED, Warn.ECHO_DIFFERS)


@pytest.mark.parametrize("change", [{"rating": "NEGATIVE"}, {"rating": None}, {"comment": None}])
def test_another_rating_or_a_lost_comment_is_not_success(change: dict[str, object]) -> None:
    assert judged(**change).kind is VerdictKind.STORED_DIFFERS


def test_an_echo_for_another_conversation_proves_nothing() -> None:
    assert judged(conversation_id=conversation(2)).kind is VerdictKind.TRANSIENT
    assert judged(conversation_id=FEEDBACK.conversation_id.upper()).kind is VerdictKind.APPLIED


def test_a_body_that_is_nested_without_end_is_no_defect() -> None:
    deep = b"[" * 30_000 + b"]" * 30_000
    body = json.dumps(STORED)[:-1].encode() + b', "more": ' + deep + b"}"
    assert judge_feedback(FEEDBACK, 200, body).kind is VerdictKind.TRANSIENT
    assert judge_status(200, b'{"status": ' + deep + b"}").kind is VerdictKind.COMPLETED
    assert describe(422, b'{"detail": ' + deep + b"}").startswith("422: ")


def test_a_cleared_rating_is_echoed_as_null() -> None:
    feedback = FEEDBACK._replace(rating=Meaning.CLEAR)
    body = json.dumps({**STORED, "rating": None}).encode()
    assert judge_feedback(feedback, 200, body).warning is None


@pytest.mark.parametrize(
    "body", [None, b"", b"<html>200 OK</html>", b'{"conversation_id": "x"', b"[]", b"\xff\xfe"]
)
def test_a_200_without_the_documented_body_proves_nothing(body: bytes | None) -> None:
    assert judge_feedback(FEEDBACK, 200, body).kind is VerdictKind.TRANSIENT


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b'{"status": "COMPLETED"}', VerdictKind.COMPLETED),
        (200, b'{"status": "IN_PROGRESS"}', VerdictKind.NOT_COMPLETED),
        (200, b'{"status": "ERROR"}', VerdictKind.CONVERSATION_ERROR),
        (200, b'{"status": "NEW WORD"}', VerdictKind.COMPLETED),
        (200, b"<html>", VerdictKind.COMPLETED),
        (404, b"", VerdictKind.COMPLETED),
        (503, b"", VerdictKind.TRANSIENT),
        (401, b"", VerdictKind.KEY_REFUSED),
    ],
)
def test_a_status_call_keeps_the_put_back_only_when_it_says_so(
    status: int, body: bytes, kind: VerdictKind
) -> None:
    assert judge_status(status, body).kind is kind


def test_a_validation_error_is_told_in_words() -> None:
    body = {"detail": [{"loc": ["body", "comment", 0], "msg": "too long", "type": "x"}]}
    assert describe(422, json.dumps(body).encode()) == "422: body.comment.0: too long"
    assert describe(409, b'{"detail": "not yet"}') == "409: not yet"


def test_a_page_is_told_by_its_title_and_another_success_by_what_it_lacks() -> None:
    page = b"<html><style>b{}</style><Title lang='en'>Web &amp;\n firewall</title><body>x"
    assert describe(403, page) == "403: Web & firewall"
    without = b"<!doctype html><style>b{}</style><h1>Not&nbsp;now</h1><p>Come <!-- x --> later</p"
    assert describe(503, without) == "503: Not now Come later"
    assert describe(204, b"") == "204: only a 200 confirms that feedback was stored."


def test_foreign_text_is_made_harmless_and_short() -> None:
    said = describe(500, b"\x1b[31mred\x07\n\n" + b"x" * 10_000)
    assert said.isprintable()
    assert len(said) < 320


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 1.5 ", 1.5),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 20.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:02:00", 20.0),
        ("Thu Jan  1 00:02:00 1970", 20.0),
        ("soon", None),
        ("-3", None),
        ("1e9", None),
        ("٣", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, now=100.0) == seconds


def test_what_is_quoted_is_redacted_as_it_is_read_and_our_own_words_are_not() -> None:
    def redact(text: str) -> str:
        return text.replace("a/b", "[API key]")

    for body in (b'{"detail": "use a\\/b"}', b"<title>use a&#47;b</title>", b"use a/b"):
        assert describe(400, body, redact) == "400: use [API key]"
    other = json.dumps({**STORED, "conversation_id": "a/b"}).encode()
    assert "conversation ([API key])" in judge_feedback(FEEDBACK, 200, other, redact).detail
    differs = json.dumps({**STORED, "rating": "the a/b"}).encode()
    told = judge_feedback(FEEDBACK, 200, differs, redact).detail
    assert told == "the service stored the rating the [API key], and POSITIVE was sent"
