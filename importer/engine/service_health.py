"""What a verdict tells of the service as a whole: outages, pauses, and reasons to end the run."""

from __future__ import annotations

import random
from http import HTTPStatus
from typing import NamedTuple

from importer.clarityq.responses import Verdict, VerdictKind
from importer.common.durations import format_duration
from importer.pacing import Pacer, Suspicion

#: The most that a pause is longer than asked for, as a share of it.
_JITTER = 0.1
_ASK_FOR_A_PAUSE = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_NO_SERVICE = (VerdictKind.KEY_REFUSED, VerdictKind.UNTRUSTED)


class Exchange(NamedTuple):
    """The circumstances of a request. Times are seconds of the run's monotonic clock."""

    started: float
    #: How many requests were in flight at its end, this one included.
    in_flight: int
    #: Whether it was the row's first attempt after a success or at all.
    first: bool
    #: How far its failure is the row's own.
    suspicion: Suspicion


def learn(pacer: Pacer, verdict: Verdict, exchange: Exchange, now: float) -> str:
    """Let `pacer` know of `verdict`; return what a person should be told of, or nothing."""
    breaker = pacer.breaker
    was_open = breaker.is_open
    was_waiting = breaker.is_probing and bool(pacer.paused_for(now))
    if verdict.kind is not VerdictKind.TRANSIENT:
        pacer.answered(now, exchange.started, exchange.in_flight)
        resumes = was_open and not breaker.is_open and verdict.kind not in _NO_SERVICE
        return "the service is available again: resuming" if resumes else ""
    pause = None
    if verdict.retry_after and verdict.http_status in _ASK_FOR_A_PAUSE:
        # Others were told the same time; they shall not all come back at once.
        jitter = random.uniform(0, _JITTER * verdict.retry_after)  # noqa: S311 -- no secret
        pause = verdict.retry_after + jitter
    if verdict.http_status == HTTPStatus.TOO_MANY_REQUESTS:
        pacer.refused(now, exchange.started, retry_after=pause, suspicion=exchange.suspicion)
    else:
        pacer.failed(
            now, exchange.started, exchange.in_flight,
            first=exchange.first, retry_after=pause, suspicion=exchange.suspicion,
        )  # fmt: skip
    if breaker.is_open and not was_open:
        return f"the service is unavailable ({verdict.detail}): probing with single requests"
    if breaker.is_probing and pacer.paused_for(now) and not was_waiting:
        wait = format_duration(pacer.paused_for(now))
        return f"the service asks for a pause of {wait} ({verdict.detail})"
    return ""


def hopeless(pacer: Pacer, detail: str, now: float, outage_for: float) -> str:
    """Return why the run has to end: an outage that lasts for `outage_for` seconds; or nothing.

    `detail` is what the latest failure said.
    """
    down = pacer.breaker.failing_for(now)
    if not pacer.breaker.is_open or down < outage_for:
        return ""
    return f"the service has been unavailable for {format_duration(down)}: {detail}"
