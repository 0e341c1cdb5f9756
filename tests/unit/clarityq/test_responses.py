"""What each answer means."""

import json
import time

import pytest

from importer.clarityq.responses import (
    Stored,
    Verdict,
    VerdictKind,
    describe,
    judge_feedback,
    judge_status,
    kind_of,
    parse_retry_after,
    printable,
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


def test_every_status_has_its_meaning() -> None:
    for status in range(100, 600):
        otherwise = VerdictKind.TRANSIENT if status >= 500 else VerdictKind.REFUSED
        if 300 <= status <= 399:
            otherwise = VerdictKind.TURNED_AWAY
        assert kind_of(status) is EXCEPTIONS.get(status, otherwise), status


def test_only_a_definite_answer_proves_what_became_of_a_request() -> None:
    """docs/reference.md, T1. A 200 proves it by its body alone."""
    for status in range(100, 600):
        is_definite = 300 <= status <= 499 and status != 408
        verdict = judge_feedback(FEEDBACK, status, b"")
        assert verdict.definite == is_definite, status
        assert status == 200 or verdict.kind is kind_of(status)
        assert (verdict.http_status, verdict.requests, verdict.sent) == (status, 1, True)


def judged(**changes: object) -> Verdict:
    return judge_feedback(FEEDBACK, 200, json.dumps({**STORED, **changes}).encode())


def test_a_faithful_echo_is_success_and_keeps_the_time() -> None:
    verdict = judged()
    assert verdict.kind is VerdictKind.APPLIED
    assert verdict.updated_at == "2026-07-01T12:34:56Z"
    assert (verdict.warning, verdict.stored, verdict.definite) == (None, None, True)


def test_a_comment_that_was_merely_altered_is_success_with_a_warning() -> None:
    verdict = judged(comment="goo")
    assert (verdict.kind, verdict.warning) == (VerdictKind.APPLIED, Warn.ECHO_DIFFERS)
    assert verdict.stored == Stored(Meaning.POSITIVE, "goo")
    for shown in ("good", ""):
        body = json.dumps({**STORED, "comment": shown}).encode()
        added = judge_feedback(FEEDBACK._replace(comment=None), 200, body)
        assert (added.kind, added.warning) == (VerdictKind.APPLIED, Warn.ECHO_DIFFERS)


@pytest.mark.parametrize(
    ("change", "stored", "told"),
    [
        ({"rating": "NEGATIVE"}, Stored(Meaning.NEGATIVE, "good"), "the rating NEGATIVE, and POSI"),
        ({"rating": None}, Stored(None, "good"), "the rating None, and POSITIVE was sent"),
        ({"rating": None, "comment": ""}, Stored(None, ""), "the rating None, and POSITIVE was"),
        ({"comment": None}, Stored(Meaning.POSITIVE, None), "no comment, and one was sent"),
        ({"comment": ""}, Stored(Meaning.POSITIVE, ""), "no comment, and one was sent"),
    ],
)
def test_another_rating_or_a_lost_comment_is_not_success(
    change: dict[str, object], stored: Stored, told: str
) -> None:
    verdict = judged(**change)
    assert (verdict.kind, verdict.stored) == (VerdictKind.STORED_DIFFERS, stored)
    assert verdict.updated_at == STORED["updated_at"]
    assert told in verdict.detail


def test_an_echo_for_another_conversation_proves_nothing() -> None:
    other = judged(conversation_id=conversation(2))
    assert (other.kind, other.http_status, other.definite) == (VerdictKind.TRANSIENT, 200, False)
    for spelt in (FEEDBACK.conversation_id.replace("-", ""), f"{{{FEEDBACK.conversation_id}}}"):
        assert judged(conversation_id=spelt).kind is VerdictKind.APPLIED


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
        (200, None, VerdictKind.COMPLETED),
        (404, b"", VerdictKind.COMPLETED),
        (404, b'{"status": "ERROR"}', VerdictKind.COMPLETED),
        (407, b"", VerdictKind.COMPLETED),
        (403, b"", VerdictKind.TURNED_AWAY),
        (429, b"", VerdictKind.TRANSIENT),
        (503, b"", VerdictKind.TRANSIENT),
        (401, b"", VerdictKind.KEY_REFUSED),
    ],
)
def test_a_status_call_keeps_the_put_back_only_when_it_says_so(
    status: int, body: bytes | None, kind: VerdictKind
) -> None:
    verdict = judge_status(status, body)
    assert verdict.kind is kind
    # The row's last attempt to be stored was answered with a 409.
    waits = kind in (VerdictKind.NOT_COMPLETED, VerdictKind.CONVERSATION_ERROR)
    assert not waits or verdict.http_status == 409


def test_a_validation_error_is_told_in_words() -> None:
    body = {"detail": [{"loc": ["body", "comment", 0], "msg": "too long", "type": "x"}]}
    assert describe(422, json.dumps(body).encode()) == "422: body.comment.0: too long"
    assert describe(409, b'{"detail": "not yet"}') == "409: not yet"


def test_a_page_is_told_by_its_title_and_another_success_by_what_it_lacks() -> None:
    page = b"<html><style>b{}</style><Title lang='en'>Web &amp;\n firewall</title><body>x"
    assert describe(403, page) == "403: Web & firewall"
    without = b"<!doctype html><style>b{}</style><h1>Not&nbsp;now</h1><p>Come <!-- x --> later</p"
    assert describe(503, without) == "503: Not now Come later"
    assert describe(503, b"<title> </title>Down") == "503: Down"
    for status in (201, 299):
        told = f"{status}: only a 200 confirms that feedback was stored."
        assert describe(status, None) == told
    assert describe(300, None) == "300"


def test_foreign_text_is_made_harmless_and_short() -> None:
    said = describe(500, b"\x1b[31mred\x07\n\n" + b"x" * 10_000)
    assert said.isprintable()
    assert len(said) < 320
    assert describe(500, b"a  b") == "500: a b"
    assert printable("x" * 300) == "x" * 300
    assert printable("x" * 301) == "x" * 299 + "…"


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


def test_a_date_that_names_no_zone_is_in_gmt_wherever_this_machine_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert parse_retry_after("Thu Jan  1 00:02:00 1970", now=100.0) == 20.0
    finally:
        monkeypatch.undo()
        time.tzset()


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
