"""How fast a run goes: at the rate it may have, and not at all while the service is down."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import anyio
import pytest

from importer.clarityq.responses import Verdict, VerdictKind
from importer.model import RunEnd
from importer.pacing import RateFinder
from importer.settings import ImportSettings
from tests.support.office import Office, rows

pytestmark = pytest.mark.anyio
Make = Callable[..., ImportSettings]

FAILURE = Verdict(VerdictKind.TRANSIENT, "HTTP 500", 500, definite=False)
TOO_MANY = Verdict(VerdictKind.TRANSIENT, "HTTP 429", 429, retry_after=60.0)


@pytest.fixture
def having(settings_for: Make) -> Make:
    """Return a maker of settings of which the input is of no concern."""
    return partial(settings_for, Path("in.csv"))


async def test_a_rate_is_kept(having: Make) -> None:
    office = Office(having(rate=100.0), rows(*range(1, 31)))
    await office.work()
    assert office.clock.monotonic() - office.began >= 0.19, "five at once, the others one by one"


async def test_a_rate_that_was_found_is_kept_and_told(having: Make) -> None:
    finder = RateFinder(0.0)
    for now in (50.0, 100.0):  # a quota comes again
        finder.add_granted(6000)
        finder.resumed(now, stalled_at=now - 49, waited=True)
    office = Office(having(), rows(*range(1, 31)), finder=finder)
    await office.work()
    assert office.run.service_rate == office.seen[-1].service_rate
    assert office.run.service_rate == pytest.approx(0.98 * 6000 / 60, rel=0.05)
    assert office.clock.monotonic() - office.began >= 0.2


async def test_a_service_that_is_down_ends_the_run_in_the_time_that_is_allowed(
    having: Make,
) -> None:
    office = Office(having(outage_for=0.001, grace=0.0), rows(1), speed=0.01)
    office.verdicts = {1: [FAILURE] * 10_000}
    now, times = office.clock.monotonic, dict[int, float]()
    office.gate = lambda seq: now() - times.setdefault(seq, now()) > 0.0015
    await office.work()
    assert office.control.end is RunEnd.SERVICE_DOWN
    assert office.ended() == {}


async def test_an_outage_is_told_long_before_it_ends_the_run(having: Make) -> None:
    office = Office(having(outage_for=3600.0, grace=0.0), rows(1), speed=1000.0)
    office.verdicts = {1: [FAILURE] * 10_000}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(office.work)
        await office.until(lambda: office.seen and office.seen[-1].held_by)
        office.control.stop(RunEnd.SIGINT)
    assert office.control.end is RunEnd.SIGINT
    assert "the service is unavailable" in {progress.held_by for progress in office.seen}


async def test_an_outage_ends_the_run_also_where_no_request_has_an_end(having: Make) -> None:
    office = Office(having(outage_for=600.0, grace=0.0), rows(1), speed=1000.0)
    office.verdicts = {1: [FAILURE] * 10_000}
    office.gate = lambda _: not (office.seen and office.seen[-1].held_by)
    await office.work()
    assert office.control.end is RunEnd.SERVICE_DOWN


async def test_runs_of_a_group_share_their_rate(having: Make, tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    office = Office(having(rate=1000.0, rate_group="nightly"), rows(1))
    await office.work()
    assert (tmp_path / "jobs" / ".nightly.rate").exists()


async def test_limits_are_told_while_it_lasts(having: Make) -> None:
    office = Office(having(), rows(*range(1, 21)))
    office.run.allow_until(-1.0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(office.work)
        await office.until(lambda: office.run.outstanding == 20)
        assert office.puts() == []
        office.run.share(None, 2, 60.0, lifts_pause=False)
        office.run.allow_until(time.monotonic() + 600)
        await office.until(lambda: len(office.seen) > 1 and office.seen[-1].paused_for > 0)
        assert office.puts() == []
        began = office.clock.monotonic()
        office.run.share(100.0, 2, 0.0, lifts_pause=False)
    assert office.most <= 2
    assert office.clock.monotonic() - began >= 0.13
    assert len(office.ended()) == 20


async def test_a_pause_that_is_asked_for_here_is_told_and_lifted(having: Make) -> None:
    office = Office(having(concurrency=1), rows(*range(1, 9)))
    office.verdicts = {1: [TOO_MANY]}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(office.work)
        await office.until(lambda: office.run.asked_pause() > 0)
        assert office.puts() == [1]
        office.run.share(None, 1, 0.0, lifts_pause=True)
        assert office.run.asked_pause() == 0
        await office.until(lambda: len(office.puts()) == 8)
        office.control.stop(RunEnd.SIGINT)
    assert len(office.ended()) == 7
    assert office.run.service_rate is None
