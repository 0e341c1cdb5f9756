"""HTTP answers as bytes, right and wrong, and what each of them means for a PUT."""

from __future__ import annotations

import json
from enum import Enum
from typing import NamedTuple

from importer.clarityq.exchange import ANSWER_LIMIT
from importer.model import Feedback, Meaning
from tests.support.data import conversation

FEEDBACK = Feedback(1, conversation(1), Meaning.POSITIVE, "good")
ID = FEEDBACK.conversation_id.encode()
STORED = json.dumps(
    {
        "conversation_id": FEEDBACK.conversation_id,
        "rating": "POSITIVE",
        "comment": "good",
        "updated_at": "2026-07-01T12:34:56Z",
    }
).encode()


class Means(Enum):
    """What docs/reference.md, T1, says of an answer to a PUT whose status alone does not tell."""

    STORED = "a 200 with the stored feedback"
    UNPROVEN = "a 200 without it"
    NO_ANSWER = "nothing that counts as an answer"
    SPOILT = "either of the two"


class Then(Enum):
    """What the server does when it has sent the answer."""

    WAIT = "it waits for the next request"
    END = "it ends the stream"
    RESET = "it resets the connection"


class Case(NamedTuple):
    """An answer, what it means, and whether its connection may be used again.

    `reused` is None where either is right.
    """

    name: str
    data: bytes
    means: Means | int
    reused: bool | None
    then: Then = Then.WAIT


def answer(status: int = 200, body: bytes = STORED, *headers: str, version: str = "1.1") -> bytes:
    """Return an answer with its length, and further `headers`."""
    lines = [f"HTTP/{version} {status} Reason", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def head(*lines: str) -> bytes:
    """Return the head of an answer, with its status line."""
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n", status: int = 200) -> bytes:
    """Return an answer in chunks."""
    sent = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return head(f"HTTP/1.1 {status} OK", "Transfer-Encoding: chunked") + sent + end


def padded(size: int) -> bytes:
    """Return the stored feedback as a body of `size` bytes."""
    return STORED[:-1] + b" " * (size - len(STORED)) + b"}"


_LENGTH = f"Content-Length: {len(STORED)}"
_OK = "HTTP/1.1 200 OK"
_EARLY = head("HTTP/1.1 100 Continue")

RIGHT = [
    Case("with its length", answer(), Means.STORED, True),
    Case("in one chunk", chunked(STORED), Means.STORED, True),
    Case("in chunks of a byte", chunked(*(b"%c" % c for c in STORED)), Means.STORED, True),
    Case("with trailers", chunked(STORED, end=b"0\r\nX-Sum: 1\r\n\r\n"), Means.STORED, True),
    Case("to the end of the stream", head(_OK) + STORED, Means.STORED, False, Then.END),
    Case("and close", answer(200, STORED, "Connection: close"), Means.STORED, False),
    Case("and end", answer(), Means.STORED, None, Then.END),
    Case("of HTTP/1.0", answer(version="1.0"), Means.STORED, False),
    Case(
        "of HTTP/1.0, kept", answer(200, STORED, "Connection: keep-alive", version="1.0"),
        Means.STORED, True,
    ),
    Case("names in lower case", head(_OK, _LENGTH.lower()) + STORED, Means.STORED, True),
    Case("no space after the colon", head(_OK, _LENGTH.replace(" ", "")) + STORED,
         Means.STORED, True),
    Case("no reason", head("HTTP/1.1 200 ", _LENGTH) + STORED, Means.STORED, True),
    Case("no space after the status", head("HTTP/1.1 200", _LENGTH) + STORED, Means.STORED, True),
    Case("a reason in Latin-1", head("HTTP/1.1 200 \xe7a", _LENGTH) + STORED, Means.STORED, True),
    Case("a header in Latin-1", answer(200, STORED).replace(b"\r\n\r\n", b"\r\nX: \xe7\r\n\r\n", 1),
         Means.STORED, True),
    Case("cookies", answer(200, STORED, "Set-Cookie: a=b", "Set-Cookie: =;"), Means.STORED, True),
    Case("an empty header", answer(200, STORED, "X-Empty:"), Means.STORED, True),
    Case("a hundred headers", answer(200, STORED, *(f"X-{n}: {n}" for n in range(100))),
         Means.STORED, True),
    Case("after 100", _EARLY + answer(), Means.STORED, True),
    Case("after ten times 100", 10 * _EARLY + answer(), Means.STORED, True),
    Case("after 102 and 103", head("HTTP/1.1 102 Processing")
         + head("HTTP/1.1 103 Early Hints", "Link: </x>; rel=preload") + answer(),
         Means.STORED, True),
    Case("of 64 KiB", answer(200, padded(ANSWER_LIMIT)), Means.STORED, True),
    Case("of 64 KiB in chunks", chunked(padded(ANSWER_LIMIT)[:9000], padded(ANSWER_LIMIT)[9000:]),
         Means.STORED, True),
]  # fmt: skip

UNPROVEN = [
    Case("an empty body", answer(200, b""), Means.UNPROVEN, True),
    Case("no length and no body", head(_OK), Means.UNPROVEN, False, Then.END),
    Case("a page", answer(200, b"<html>Sign in</html>"), Means.UNPROVEN, True),
    Case("a list", answer(200, b"[]"), Means.UNPROVEN, True),
    Case("null", answer(200, b"null"), Means.UNPROVEN, True),
    Case("for another conversation", answer(200, STORED.replace(ID, conversation(2).encode())),
         Means.UNPROVEN, True),
    Case("no id", answer(200, b'{"updated_at":"x"}'), Means.UNPROVEN, True),
    Case("an id that is a number",
         answer(200, b'{"conversation_id":1,"updated_at":"x"}'), Means.UNPROVEN, True),
    Case("half of the JSON", answer(200, STORED[:40]), Means.UNPROVEN, True),
    Case("not UTF-8", answer(200, STORED.replace(b"good", b"\xff\xfe")), Means.UNPROVEN, True),
    Case("packed, unasked", answer(200, b"\x1f\x8b\x08\x00rubbish", "Content-Encoding: gzip"),
         Means.UNPROVEN, True),
    Case("packed with brotli", answer(200, b"\x0b\x02", "Content-Encoding: br"),
         Means.UNPROVEN, True),
    Case("a body that ends early", answer()[:-1], Means.UNPROVEN, False, Then.END),
    Case("a body that is reset", answer()[:-1], Means.UNPROVEN, False, Then.RESET),
    Case("chunks that end early", chunked(STORED[:50], end=b""), Means.UNPROVEN, False, Then.END),
    Case("chunks without the last", chunked(STORED, end=b""), Means.UNPROVEN, False, Then.END),
    Case("a chunk with a size in letters", chunked(STORED[:9], end=b"size\r\n"),
         Means.SPOILT, False),
    Case("a chunk that is longer than its size", chunked(STORED[:9], end=b"1\r\nxx\r\n"),
         Means.SPOILT, False),
    Case("one byte over 64 KiB", answer(200, padded(ANSWER_LIMIT + 1)), Means.UNPROVEN, None),
    Case("of 100 KiB", answer(200, padded(100 * 1024)), Means.UNPROVEN, None),
    Case("of 127 KiB", answer(200, padded(127 * 1024)), Means.UNPROVEN, None),
    Case("of 128 KiB", answer(200, padded(2 * ANSWER_LIMIT)), Means.UNPROVEN, None),
    Case("of 100 KiB in chunks", chunked(padded(50 * 1024), padded(50 * 1024)), Means.UNPROVEN,
         None),
    Case("of 100 KiB to the end", head(_OK) + padded(100 * 1024), Means.UNPROVEN, False, Then.END),
    Case("of 10 MiB", answer(200, padded(10 << 20)), Means.UNPROVEN, False),
    Case("of 10 MiB in chunks", chunked(*160 * [b" " * ANSWER_LIMIT]), Means.UNPROVEN, False),
    Case("of 1 MiB to the end", head(_OK) + padded(1 << 20), Means.UNPROVEN, False, Then.END),
]  # fmt: skip

STATUSES = [
    *(
        Case(f"{status}", answer(status, b'{"detail":"no"}'), status, True)
        for status in (
            201, 202, 203, 206, 226, 300, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410,
            413, 415, 418, 422, 423, 425, 429, 431, 451, 499, 500, 501, 502, 503, 504, 507, 511,
            520, 530, 599,
        )
    ),
    *(
        Case(f"{status} with a Location", answer(status, b"", "Location: /elsewhere"), status, True)
        for status in (301, 302, 303, 307, 308)
    ),
    Case("101", head("HTTP/1.1 101 Switching Protocols", "Upgrade: h2c", "Connection: Upgrade"),
         101, False),
    Case("204 without a body", head("HTTP/1.1 204 No Content"), 204, True),
    Case("304 with a length and no body", head("HTTP/1.1 304 Not Modified", "Content-Length: 10"),
         304, True),
    Case("422 of 60 KiB", answer(422, 60 * 1024 * b"x"), 422, True),
    Case("422 of 100 KiB", answer(422, 100 * 1024 * b"x"), 422, None),
    Case("502 of 10 MiB", answer(502, (10 << 20) * b"x"), 502, False),
    Case("422 that breaks off", answer(422, b"x" * 99)[:-1], 422, False, Then.END),
    Case("429 in chunks", chunked(b'{"detail":"slow down"}', status=429), 429, True),
    Case("503 to the end of the stream", head("HTTP/1.1 503 Down") + b"sorry",
         503, False, Then.END),
    Case("999", answer(999, b""), 999, True),
]  # fmt: skip

BROKEN = [
    Case("nothing, and end", b"", Means.NO_ANSWER, False, Then.END),
    Case("nothing, and reset", b"", Means.NO_ANSWER, False, Then.RESET),
    Case("half a status line, and end", b"HTTP/1.1 20", Means.NO_ANSWER, False, Then.END),
    Case("half a status line, and reset", b"HTTP/1.1 20", Means.NO_ANSWER, False, Then.RESET),
    Case("half a head, and end", head(_OK, _LENGTH)[:-2], Means.NO_ANSWER, False, Then.END),
    Case("half a head, and reset", head(_OK, _LENGTH)[:-2], Means.NO_ANSWER, False, Then.RESET),
    Case("only 100, and end", _EARLY, Means.NO_ANSWER, False, Then.END),
    Case("only 100, and reset", _EARLY, Means.NO_ANSWER, False, Then.RESET),
    Case("an SSH banner", b"SSH-2.0-OpenSSH_9.2p1\r\n", Means.NO_ANSWER, False),
    Case("an SMTP greeting", b"220 mail.example ESMTP\r\n", Means.NO_ANSWER, False),
    Case("a TLS alert", b"\x15\x03\x01\x00\x02\x02\x28", Means.NO_ANSWER, False),
    Case("HTML without a head", b"<html>no</html>\r\n\r\n", Means.NO_ANSWER, False),
    Case("JSON without a head", STORED + b"\r\n\r\n", Means.NO_ANSWER, False),
    Case("a status of two digits", head("HTTP/1.1 20 OK"), Means.NO_ANSWER, False, Then.END),
    Case("a status of four digits", head("HTTP/1.1 2000 OK"), Means.NO_ANSWER, False, Then.END),
    Case("a status in letters", head("HTTP/1.1 abc OK"), Means.NO_ANSWER, False),
    Case("Shoutcast", head("ICY 200 OK", _LENGTH) + STORED, Means.NO_ANSWER, False),
    Case("HTTP/2 in clear", b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", Means.NO_ANSWER, False),
    Case("HTTP/9.9", head("HTTP/9.9 200 OK", _LENGTH) + STORED, Means.NO_ANSWER, False),
    Case("a header with a space in its name", answer(200, STORED, "X Bad: 1"),
         Means.NO_ANSWER, False),
    Case("a header without a name", answer(200, STORED, ": 1"), Means.NO_ANSWER, False),
    Case("a NUL in a header", answer(200, STORED, "X: a\0b"), Means.NO_ANSWER, False),
    Case("a header of 9 KB", answer(200, STORED, "X: " + 9000 * "x"), Means.NO_ANSWER, False),
    Case("two hundred headers", answer(200, STORED, *(f"X-{n}: {n}" for n in range(200))),
         Means.NO_ANSWER, False),
    Case("two lengths", answer(200, STORED, "Content-Length: 3"), Means.NO_ANSWER, False),
    Case("a negative length", head(_OK, "Content-Length: -1"), Means.NO_ANSWER, False),
    Case("a length in letters", head(_OK, "Content-Length: many"), Means.NO_ANSWER, False),
    Case("a length that overflows", head(_OK, f"Content-Length: {1 << 70}"),
         Means.NO_ANSWER, False),
    Case("a length with a sign", head(_OK, f"Content-Length: +{len(STORED)}") + STORED,
         Means.NO_ANSWER, False),
]  # fmt: skip

CASES = [*RIGHT, *UNPROVEN, *STATUSES, *BROKEN]

#: What nobody asked for. It must never be taken for the answer to the next request.
UNASKED = {
    "a second answer": answer(404, b""),
    "a second answer without all of its body": answer(404, b"xx")[:-1],
    "the time-out of an idle connection": answer(408, b"", "Connection: close"),
    "an early answer": _EARLY,
    "rubbish": b"rubbish\r\n\r\n",
    "a byte": b"}",
}
