"""What a verdict tells of the service as a whole: outages, pauses, and reasons to end the run."""

from __future__ import annotations

import random
from http import HTTPStatus
from typing import NamedTuple

from importer.clarityq.responses import Verdict, VerdictKind
from importer.common.durations import format_duration
from importer.model import RunEnd
from importer.pacing import Pacing

#: The most that a pause is longer than asked for, as a share of it.
_JITTER = 0.1


class Exchange(NamedTuple):
    """The circumstances of a request: when it started, and how many were in flight at its end.

    `first` tells the first attempt for a row from those after a failure; `failing_since` is when
    the row's failures on end began.
    """

    started: float
    in_flight: int
    first: bool
    failing_since: float


def learn(pacing: Pacing, verdict: Verdict, exchange: Exchange, now: float) -> str:
    """Let `pacing` know of `verdict`; return what a person should be told of, or nothing."""
    breaker = pacing.breaker
    was_open = breaker.is_open
    if verdict.kind is not VerdictKind.TRANSIENT:
        pacing.answered(now, exchange.started, exchange.in_flight)
        return "the service answers again: going on" if was_open else ""
    telling = exchange.failing_since >= breaker.last_answer
    if verdict.http_status == HTTPStatus.TOO_MANY_REQUESTS and verdict.retry_after is None:
        pacing.refused(now, exchange.started, telling=telling)
    else:
        pacing.failed(now, exchange.in_flight, first=exchange.first, telling=telling)
    notice = ""
    if breaker.is_open and not was_open:
        notice = f"the service fails as a whole ({verdict.detail}): pausing, with single probes"
    if verdict.retry_after and verdict.http_status in (429, 503):
        if not pacing.paused_for(now):
            wait = format_duration(verdict.retry_after)
            notice = f"the service asks for a pause of {wait} ({verdict.detail})"
        # Others were told the same time; they shall not all come back at once.
        jitter = random.uniform(0, _JITTER * verdict.retry_after)  # noqa: S311 -- no secret
        pacing.pause(now + verdict.retry_after + jitter)
    return notice


def reason_to_stop(
    pacing: Pacing, verdict: Verdict, now: float, outage_for: float
) -> tuple[RunEnd, str] | None:
    """Return why the run has to end after this verdict, or None.

    `outage_for` is how many seconds the service may be down.
    """
    down = pacing.breaker.open_for(now)
    if verdict.kind is VerdictKind.UNTRUSTED:
        return RunEnd.UNTRUSTED, f"{verdict.detail} (--ca-file adds a certificate authority)"
    if verdict.kind is VerdictKind.KEY_REFUSED:
        why = f"the service refused the API key ({verdict.detail})"
        return RunEnd.KEY_REFUSED, f"{why}: check the key, and that it belongs to this product"
    if pacing.breaker.is_open and down >= outage_for:
        return (
            RunEnd.SERVICE_DOWN,
            f"the service has failed for {format_duration(down)}: {verdict.detail}",
        )
    return None
