"""A run in one process: its rows go out, and what comes back ends up in the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import anyio
import pytest

from importer.clarityq.responses import Verdict, VerdictKind
from importer.engine.progress import Progress
from importer.errors import InputError
from importer.model import Outcome, OutcomeKind, Rank, Reason, RunEnd
from importer.pacing import Limit
from importer.settings import ImportSettings
from tests.support.data import conversation
from tests.support.office import Office, rows

pytestmark = pytest.mark.anyio
Make = Callable[..., ImportSettings]

FAILURE = Verdict(VerdictKind.TRANSIENT, "HTTP 500", 500, definite=False)
REFUSED = Verdict(VerdictKind.REFUSED, "not found", 404)
FORBIDDEN = Verdict(VerdictKind.TURNED_AWAY, "forbidden", 403)
UNSENT = Outcome(99, OutcomeKind.REJECTED, None, Reason.MALFORMED)


@pytest.fixture
def having(settings_for: Make) -> Make:
    """Return a maker of settings of which the input is of no concern."""
    return partial(settings_for, Path("in.csv"))


async def works_with_gate_closed(office: Office, rows: int) -> int:
    """Let it work; return how many requests were in flight before the first was answered."""
    is_open = False
    office.gate = lambda _: is_open
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(office.work)
        await office.until(lambda: office.run.outstanding == rows and len(office.seen) > 1)
        before = office.at_once
        is_open = True
    return before


def open_files() -> int:
    return len([*Path("/dev/fd").iterdir()])


async def test_all_rows_are_marked_sent_once_and_recorded(having: Make) -> None:
    office = Office(having(), rows(1, 2, 3), [*rows(4, 5), UNSENT], succeeded=4)
    before = open_files()
    await office.work()
    assert open_files() == before
    assert sorted(office.puts()) == [1, 2, 3, 4, 5]
    assert all(office.events.index(("mark", n)) < office.events.index(("put", n)) for n in (1, 5))
    assert office.ended() == {
        **dict.fromkeys(range(1, 6), OutcomeKind.SUCCEEDED), 99: OutcomeKind.REJECTED,
    }  # fmt: skip
    run, last = office.run, office.seen[-1]
    assert (run.admitted, run.recorded, run.outstanding) == (6, 6, 0)
    assert (run.workers, list(run.in_doubt()), run.has_reached_limit) == ((), [], False)
    assert (last.outcomes[OutcomeKind.SUCCEEDED], last.share, last.in_flight) == (9, 1.0, 0)
    assert sum(run.latencies) == sum(last.buckets) == 5
    assert office.control.end is None
    assert office.said == []


async def test_rows_that_were_marked_before_are_not_marked_again(having: Make) -> None:
    office = Office(having(), rows(1, 2), is_marked=True)
    await office.work()
    assert Counter(what for what, _ in office.events) == {"put": 2}


async def test_as_many_as_are_allowed_are_in_flight_at_once(having: Make) -> None:
    office = Office(having(concurrency=3), rows(*range(1, 31)))
    office.gate = lambda seq: seq > 3 or office.most == 3
    await office.work()
    assert office.most == 3
    assert len(office.puts()) == 30


async def test_a_status_is_asked_for_first_where_it_was_not_completed_before(having: Make) -> None:
    office = Office(having(), rows(1, 2), not_completed=[conversation(2)])
    await office.work()
    assert office.events.index(("status", 2)) < office.events.index(("put", 2))
    assert ("status", 1) not in office.events
    assert len(office.ended()) == 2


async def test_what_fails_is_sent_again_and_retried_when_it_is_due(having: Make) -> None:
    office = Office(having(), rows(1, 2, 3))
    office.verdicts = {1: [FAILURE, FAILURE], 2: [REFUSED]}
    await office.work()
    assert Counter(office.puts()) == {1: 3, 2: 1, 3: 1}
    assert office.ended() == {
        1: OutcomeKind.SUCCEEDED, 2: OutcomeKind.FAILED, 3: OutcomeKind.SUCCEEDED,
    }  # fmt: skip
    assert office.seen[-1].statuses == {200: 2, 500: 2, 404: 1}


async def test_the_first_few_rows_of_a_job_show_whether_the_others_are_worth_it(
    having: Make,
) -> None:
    office = Office(having(canary=2, grace=0.0), rows(*range(1, 21)))
    office.verdicts = {seq: [REFUSED] for seq in range(1, 21)}
    await office.work()
    assert office.puts() == [1, 2]
    assert office.control.end is RunEnd.CANARY
    office = Office(having(canary=2), rows(*range(1, 21)))
    assert await works_with_gate_closed(office, 20) == 2
    assert len(office.ended()) == 20


async def test_no_more_are_in_flight_than_the_service_has_shown_that_it_can_take(
    having: Make,
) -> None:
    office = Office(having(concurrency=64), rows(*range(1, 51)))
    before = await works_with_gate_closed(office, 50)
    assert before == office.seen[0].concurrency < 50
    assert len(office.ended()) == 50


async def test_rows_that_are_kept_back_are_done_when_no_other_can_show_anything(
    having: Make,
) -> None:
    office = Office(having(canary=2), rows(1), [])
    office.verdicts = {1: [REFUSED]}
    office.is_all = lambda: office.puts() == [1] and not office.at_once
    await office.work()
    assert office.control.end is None
    assert office.ended() == {1: OutcomeKind.FAILED}
    office = Office(having(concurrency=2, grace=0.0), rows(1, 2, 3), succeeded=1)
    office.verdicts = {1: [FORBIDDEN]}
    office.gate = lambda seq: seq == 1
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(office.work)
        await office.until(lambda: len(office.puts()) == 3)
        assert office.ended() == {}
        office.control.stop(RunEnd.SIGINT)
    assert office.ended() == {1: OutcomeKind.FAILED}


async def test_a_run_that_is_stopped_lets_what_is_in_flight_finish(having: Make) -> None:
    office = Office(having(concurrency=2, grace=60.0), rows(*range(1, 9)))
    looks = count()
    office.gate = lambda _: office.control.end is not None and next(looks) > 20
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(office.work)
        await office.until(lambda: office.at_once == 2)
        office.control.stop(RunEnd.SIGINT)
    assert len(office.ended()) == len(office.puts()) == 2
    assert (office.run.outstanding, list(office.run.in_doubt())) == (6, [])


async def test_what_is_in_flight_when_the_grace_is_over_is_in_doubt(having: Make) -> None:
    office = Office(having(concurrency=2, grace=0.0), rows(*range(1, 9)))
    office.gate = lambda seq: seq == 1
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(office.work)
        await office.until(lambda: office.at_once == 2)
        office.control.stop(RunEnd.SIGINT)
    assert office.ended() == {1: OutcomeKind.SUCCEEDED}
    assert sorted(row.feedback.seq for row in office.run.in_doubt()) == sorted(office.puts()[1:])
    assert office.seen[-1].in_flight == 2


async def test_a_limit_ends_the_run_and_what_would_not_be_sent_can_be_recorded(
    having: Make,
) -> None:
    office = Office(having(limit=2), rows(1, 2), [UNSENT])
    await office.work()
    assert office.run.has_reached_limit
    assert len(office.ended()) == 2
    await office.run.record_unsent()
    assert office.ended()[99] is OutcomeKind.REJECTED


async def test_rows_wait_for_requests_of_other_jobs_that_may_still_take_effect(
    having: Make,
) -> None:
    office = Office(having(late_effect=0.4), rows(1, 2, 3))
    times: dict[int, float] = {}
    office.gate = lambda seq: bool(times.setdefault(seq, office.clock.monotonic()))
    ranks = {conversation(2): [Rank(3, 3)], conversation(3): [Rank(7, 7)]}
    office.run.hold_back(ranks, {}, all_rows=False)
    await office.work()
    assert office.puts()[-1] == 2, "of row 3 the other one is the same"
    assert times[2] - office.began >= 0.4
    assert office.said == []


async def test_all_rows_wait_where_it_is_not_known_for_which_there_are_such_requests(
    having: Make,
) -> None:
    office = Office(having(late_effect=0.4), rows(1))
    office.gate = lambda _: office.clock.monotonic() - office.began >= 0.4
    office.run.hold_back({}, {}, all_rows=True)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(office.work)
        await office.until(lambda: office.seen)
        assert office.seen[-1].limit is Limit.LATE_EFFECT
        await office.until(office.puts)
        assert office.gate(1), "it came in time"
    limits = Counter(progress.limit for progress in office.seen)
    assert limits[office.run.limit] == max(limits.values()), "most of its time"
    assert office.said == [
        "requests of a missing job, or of forgotten rows, may still take effect: waiting 400 ms"
    ]


async def test_a_run_that_has_lasted_makes_those_before_it_matter_no_more(having: Make) -> None:
    office = Office(having(late_effect=0.2), rows(1))
    office.gate = lambda _: ("lasted", 0) in office.events
    await office.work()
    assert office.events.count(("lasted", 0)) == 1
    assert office.clock.monotonic() - office.began >= 0.2
    office = Office(having(late_effect=60.0), rows(1))
    await office.work()
    assert ("lasted", 0) not in office.events


async def test_what_is_known_is_recorded_also_where_an_observer_fails(having: Make) -> None:
    office = Office(having(), rows(1, 2))

    def fails(_: Progress) -> None:
        raise InputError("enough")

    office.progressed = fails  # type: ignore[method-assign, assignment]
    office.gate = lambda seq: seq == 1
    with pytest.raises(InputError, match="enough"):
        await office.work()
    assert office.ended() == {1: OutcomeKind.SUCCEEDED}
