"""What the tests of both paths to the service share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from importer.clarityq.client import FeedbackClient
from importer.clarityq.responses import Verdict, VerdictKind, kind_of
from tests.support.answers import Means

#: Makes a client for a URL, with further settings.
Open = Callable[..., FeedbackClient]
KEY = "key-that-must-not-leak"


async def arrival(turns: int = 10) -> None:
    """Let all arrive that either side has sent: turns of the loop, for time may stand still."""
    for _ in range(turns):
        await asyncio.sleep(0.001)


def check(verdict: Verdict, means: Means | int) -> None:
    """Raise `AssertionError` unless the verdict on a request that went out is the promised one."""
    assert verdict.sent
    assert verdict.requests == 1
    match means:
        case Means.STORED:
            assert (verdict.kind, verdict.http_status) == (VerdictKind.APPLIED, 200)
            assert verdict.updated_at == "2026-07-01T12:34:56Z"
        case Means.UNPROVEN:
            assert (verdict.kind, verdict.http_status) == (VerdictKind.TRANSIENT, 200)
            assert not verdict.definite
        case Means.NO_ANSWER:
            assert (verdict.kind, verdict.http_status) == (VerdictKind.TRANSIENT, None)
            assert verdict.detail.startswith(("no response: ", "the answer is not valid HTTP: "))
            assert "message=" not in verdict.detail
            assert not verdict.definite
        case Means.SPOILT:
            assert verdict.kind is VerdictKind.TRANSIENT
            assert not verdict.definite
        case int():
            assert (verdict.kind, verdict.http_status) == (kind_of(means), means)
