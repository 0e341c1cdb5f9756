"""What answers tell of the service as a whole: what a person is told, and when a run has to end."""

import random
import re

import pytest

from importer.clarityq.responses import Verdict, VerdictKind
from importer.engine.service_health import Exchange, hopeless, learn
from importer.pacing import Pacer, Suspicion

STORED = Verdict(VerdictKind.APPLIED, "", 200)


def failure(status: int, retry_after: float | None = None) -> Verdict:
    return Verdict(VerdictKind.TRANSIENT, f"HTTP {status}", status, retry_after=retry_after)


def a_pacer() -> Pacer:
    return Pacer(0, concurrency=8, rate=None)


def told(
    pacer: Pacer,
    verdict: Verdict,
    now: float,
    *,
    started: float | None = None,
    suspicion: Suspicion = Suspicion.NONE,
) -> str:
    """Return what is told of the answer to a request that lasted for a tenth of a second."""
    begun = now - 0.1 if started is None else started
    return learn(pacer, verdict, Exchange(begun, 8, first=True, suspicion=suspicion), now)


def in_outage() -> Pacer:
    pacer = a_pacer()
    for now in range(10, 20):
        told(pacer, failure(503), now)
    assert pacer.breaker.is_open
    return pacer


def test_an_outage_is_told_once() -> None:
    pacer = a_pacer()
    said = [told(pacer, failure(503), now) for now in range(10, 20)]
    assert [now for now, words in enumerate(said, 10) if words] == [15]
    assert said[5] == "the service is unavailable (HTTP 503): probing with single requests"


@pytest.mark.parametrize(
    ("kind", "resumes"),
    [
        (VerdictKind.APPLIED, True),
        (VerdictKind.REFUSED, True),
        (VerdictKind.KEY_REFUSED, False),
        (VerdictKind.UNTRUSTED, False),
    ],
)
def test_the_end_of_an_outage_is_told_once_if_the_run_goes_on(
    kind: VerdictKind, *, resumes: bool
) -> None:
    pacer = in_outage()
    assert not told(pacer, STORED, 21, started=9), "that was sent before"
    said = told(pacer, Verdict(kind), 30)
    assert said == ("the service is available again: resuming" if resumes else "")
    assert not pacer.is_probing
    assert pacer.breaker.last_success == 30
    assert not told(pacer, STORED, 31)


def test_a_pause_is_a_little_longer_than_asked_for_and_not_for_all_clients_alike() -> None:
    random.seed(1)
    asked = []
    for _ in range(50):
        pacer = a_pacer()
        assert not told(pacer, failure(429, retry_after=60), 10), "others may be granted"
        asked.append(pacer.paused_for(10))
    assert 60 <= min(asked) < 60.5
    assert 65.5 < max(asked) <= 66


@pytest.mark.parametrize(("status", "pauses"), [(429, True), (503, True), (500, False)])
def test_only_those_answers_stop_all_requests_that_ask_for_it(status: int, *, pauses: bool) -> None:
    pacer = a_pacer()
    told(pacer, failure(status, retry_after=60), 10)
    assert bool(pacer.paused_for(10)) is pauses
    told(in_outage(), failure(status), 21)


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_that_is_asked_for_while_nothing_succeeds_is_told_once(status: int) -> None:
    pacer = a_pacer()
    for _ in range(10):
        told(pacer, failure(status), 10)
    assert pacer.is_probing
    assert pacer.breaker.refuses is (status == 429)
    said = [told(pacer, failure(status, retry_after=60), 10.5) for _ in range(2)]
    pause = rf"the service asks for a pause of 1 min.* \(HTTP {status}\)"
    assert re.fullmatch(pause, said[0])
    assert said[1] == ""
    other = a_pacer()
    said = [told(other, failure(status, retry_after=60), 10) for _ in range(9)]
    (only,) = filter(None, said)
    assert re.fullmatch(pause, only), "also if it began before"


@pytest.mark.parametrize("status", [429, 503])
def test_rows_that_fail_for_themselves_show_no_outage(status: int) -> None:
    pacer = a_pacer()
    for now in range(10, 60):
        told(pacer, failure(status), now, suspicion=Suspicion.STRONG)
    assert not pacer.is_probing


def test_a_run_ends_when_an_outage_has_lasted_so_long_and_says_for_how_long() -> None:
    pacer = in_outage()
    down_since = 9.9
    assert not hopeless(pacer, "HTTP 503", down_since + 59, 60)
    said = hopeless(pacer, "HTTP 503", pacer.breaker.failing_since + 60, 60)
    assert said == "the service has been unavailable for 1 min: HTTP 503"
    told(pacer, STORED, 100)
    assert not hopeless(pacer, "HTTP 503", 100, 0)


def test_failures_of_a_moment_end_no_run() -> None:
    pacer = a_pacer()
    told(pacer, failure(503), 10)
    assert not hopeless(pacer, "HTTP 503", 14, 2)
