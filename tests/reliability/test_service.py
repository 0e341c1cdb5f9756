"""What a misbehaving service does to a job, as docs/reliability.md promises it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiohttp import web

from importer.api import run_import
from importer.errors import ExitCode
from importer.model import OutcomeKind, RunEnd
from importer.reporting.summary import Summary
from importer.sandbox.faults import Faults
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings
from tests.support.data import conversation, write_csv
from tests.support.server import serve

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
Make = Callable[..., ImportSettings]
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Notices:
    """An observer that keeps what a person was told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def surveying(self, *_: object) -> None: ...

    def started(self, *_: object) -> None: ...
    def progressed(self, _: object) -> None: ...
    def noticed(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    """Write 200 rows, each of a conversation of its own."""
    return write_csv(tmp_path / "in.csv", [(conversation(n), "POSITIVE", "") for n in range(200)])


async def accept(request: web.Request) -> web.Response:
    """Answer as the service does."""
    body = await request.json()
    answer = {"conversation_id": request.path.split("/")[-2], "updated_at": "2026-01-02T03:04:05Z"}
    return web.json_response({**answer, "rating": body["rating"], "comment": None})


async def refuse_all(_: web.Request) -> web.StreamResponse:
    return web.Response(status=503, text="no")


async def never_answer(_: web.Request) -> web.StreamResponse:
    await anyio.sleep_forever()
    raise AssertionError


async def drip(request: web.Request) -> web.StreamResponse:
    """Never be silent for long, and never come to an end."""
    response = web.StreamResponse()
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.02)
    return response


async def hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def test_a_service_that_fails_as_a_whole_is_probed_and_spends_no_row(
    ratings: Path, settings_for: Make, tmp_path: Path
) -> None:
    """Side by side, since the breaker waits for seconds before it opens."""

    async def run_against(answer: Answer) -> None:
        notices = Notices()
        requests = 0

        async def counting(request: web.Request) -> web.StreamResponse:
            nonlocal requests
            requests += 1
            return await answer(request)

        async with serve(counting) as url:
            settings = settings_for(
                ratings, base_url=url, jobs_dir=tmp_path / answer.__name__, outage_for=2.5,
                read_timeout=0.2, total_timeout=0.4, max_attempts=1000, retry_max=0.3,
            )  # fmt: skip
            summary = await run_import(settings, api_key="any", observers=[notices])
        assert summary.end is RunEnd.SERVICE_DOWN
        assert summary.outcomes[OutcomeKind.PENDING] == 200
        assert "the service is unavailable" in notices.said[0]
        # What was in flight when it was noticed, and then one at a time, ever more rarely.
        assert requests <= 8 * settings.pacing.concurrency

    async with anyio.create_task_group() as runs:
        for answer in (refuse_all, never_answer, drip, hang_up):
            runs.start_soon(run_against, answer)


async def test_a_service_that_goes_away_and_comes_back_is_waited_for(
    ratings: Path, settings_for: Make
) -> None:
    notices = Notices()
    finished: list[Summary] = []
    async with anyio.create_task_group() as tasks:
        async with Sandbox(Faults(latency=0.02)) as before:
            settings = settings_for(
                ratings, base_url=before.url, concurrency=2, max_attempts=1000, retry_max=0.2
            )

            async def run() -> None:
                finished.append(await run_import(settings, api_key="any", observers=[notices]))

            tasks.start_soon(run)
            await until(lambda: len(before.feedback) >= 50)
        await until(lambda: notices.said)
        async with Sandbox(port=int(before.url.rpartition(":")[2])) as after:
            await until(lambda: finished)
    assert finished[0].outcomes[OutcomeKind.SUCCEEDED] == 200
    assert before.feedback.keys() | after.feedback.keys() == {conversation(n) for n in range(200)}
    assert [said.partition("(")[0].strip() for said in notices.said] == [
        "the service is unavailable",
        "the service is available again: resuming",
    ]


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 -- it is of many kinds
        await anyio.sleep(0.01)


async def test_a_slow_service_gets_no_more_requests_at_once_than_allowed(
    ratings: Path, settings_for: Make
) -> None:
    here: Counter[str] = Counter()

    async def slowly(request: web.Request) -> web.StreamResponse:
        here["now"] += 1
        here["most"] = max(here["most"], here["now"])
        await anyio.sleep(0.05)
        here["now"] -= 1
        return await accept(request)

    async with serve(slowly) as url:
        settings = settings_for(ratings, base_url=url, concurrency=16)
        summary = await run_import(settings, api_key="any")
    assert summary.outcomes[OutcomeKind.SUCCEEDED] == 200
    assert here["most"] == 16


@pytest.mark.parametrize("politely", [True, False])
async def test_a_service_that_closes_each_connection_after_one_answer_gets_every_row(
    ratings: Path, settings_for: Make, politely: bool
) -> None:
    async def close_afterwards(request: web.Request) -> web.StreamResponse:
        response = await accept(request)
        if politely:
            response.force_close()
            return response
        await response.prepare(request)
        await response.write_eof()
        assert request.transport is not None
        request.transport.close()
        return response

    async with serve(close_afterwards) as url:
        summary = await run_import(settings_for(ratings, base_url=url), api_key="any")
    assert summary.outcomes[OutcomeKind.SUCCEEDED] == 200


async def test_an_endless_answer_is_cut_off_and_is_no_success(
    tmp_path: Path, settings_for: Make
) -> None:
    ratings = write_csv(tmp_path / "few.csv", [(conversation(n), "CLEAR", "") for n in range(20)])
    written: list[int] = []

    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        written.append(0)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(bytes(16_384))
                written[-1] += 16_384
        return response

    async with serve(flood) as url:
        settings = settings_for(ratings, base_url=url, outage_for=1, concurrency=1)
        summary = await run_import(settings, api_key="any")
    assert summary.end is RunEnd.SERVICE_DOWN
    assert summary.outcomes[OutcomeKind.PENDING] == 20
    assert max(written) < 10_000_000, "what the sockets' buffers take"


async def test_a_redirect_is_not_followed_and_the_key_goes_nowhere_else(
    ratings: Path, settings_for: Make
) -> None:
    visits: list[str] = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        visits.append(request.path)
        return web.Response()

    async def redirect(request: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect(other + request.path)

    async with serve(elsewhere) as other, serve(redirect) as url:
        summary = await run_import(settings_for(ratings, base_url=url), api_key="any")
    assert summary.end is RunEnd.REDIRECTED
    assert "--base-url" in summary.message
    assert summary.outcomes[OutcomeKind.PENDING] == 200
    assert not visits


@pytest.mark.parametrize(
    ("rows", "changes", "requests", "end"),
    [
        (1500, {}, 20, RunEnd.CANARY),
        (200, {"canary": 5}, 5, RunEnd.CANARY),
        (200, {}, 200, RunEnd.FINISHED),
        (1500, {"canary": 0}, 1500, RunEnd.FINISHED),
    ],
)
async def test_if_the_first_rows_of_a_large_job_all_fail_alike_no_more_are_sent(
    settings_for: Make,
    tmp_path: Path,
    rows: int,
    changes: dict[str, Any],
    requests: int,
    end: RunEnd,
) -> None:
    asked = 0

    async def know_nobody(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.json_response({"detail": "Conversation not found"}, status=404)

    many = write_csv(tmp_path / "many.csv", [(conversation(n), "CLEAR", "") for n in range(rows)])
    async with serve(know_nobody) as url:
        summary = await run_import(settings_for(many, base_url=url, **changes), api_key="any")

    assert asked == requests
    assert summary.end is end
    if end is RunEnd.CANARY:
        assert summary.outcomes[OutcomeKind.PENDING] == rows
        assert summary.exit_code is ExitCode.ABORTED
        assert "Conversation not found" in summary.message
        assert "run again" in summary.message
    else:
        assert summary.outcomes[OutcomeKind.FAILED] == rows


async def test_two_rows_and_a_service_that_is_down_are_an_outage_and_fail_no_row(
    tmp_path: Path, settings_for: Make
) -> None:
    few = write_csv(tmp_path / "few.csv", [(conversation(n), "CLEAR", "") for n in range(2)])

    async def unavailable(_: web.Request) -> web.Response:
        return web.Response(status=503)

    async with serve(unavailable) as url:
        summary = await run_import(settings_for(few, base_url=url, outage_for=1), api_key="any")
    assert summary.end is RunEnd.SERVICE_DOWN
    assert summary.outcomes[OutcomeKind.PENDING] == 2
    assert "unavailable" in summary.message


async def test_a_service_that_never_answers_is_an_outage_and_its_probe_is_not_waited_for(
    tmp_path: Path, settings_for: Make
) -> None:
    few = write_csv(tmp_path / "few.csv", [(conversation(n), "CLEAR", "") for n in range(3)])
    settings: dict[str, Any] = {"outage_for": 0.5, "read_timeout": 1.0, "grace": 3600.0}

    async def mute(_: web.Request) -> web.Response:
        await anyio.sleep(3600)
        raise AssertionError

    async with serve(mute) as url:
        with anyio.fail_after(60):
            summary = await run_import(settings_for(few, base_url=url, **settings), api_key="any")
    assert summary.end is RunEnd.SERVICE_DOWN
    assert "timed out" in summary.message
    assert summary.outcomes[OutcomeKind.PENDING] == 3


async def test_outages_of_a_moment_fail_no_row(ratings: Path, settings_for: Make) -> None:
    """Outages are counted in requests: how fast this machine is makes none longer or shorter."""
    requests = itertools.count()

    async def flap(request: web.Request) -> web.StreamResponse:
        await anyio.sleep(0.02)
        is_down = next(requests) % 120 >= 80
        return web.Response(status=503) if is_down else await accept(request)

    async with serve(flap) as url:
        settings = settings_for(
            ratings, base_url=url, max_attempts=2, concurrency=24, retry_first=1.0, retry_max=1.0
        )
        summary = await run_import(settings, api_key="any")
    assert next(requests) >= 280
    assert summary.outcomes[OutcomeKind.SUCCEEDED] == 200


async def test_an_outage_that_meets_only_rows_that_failed_before_fails_none_of_them(
    ratings: Path, settings_for: Make
) -> None:
    unlucky = {conversation(n) for n in range(3)}
    stored: set[str] = set()

    async def fail_some_and_then_all(request: web.Request) -> web.StreamResponse:
        who = request.path.split("/")[-2]
        if who in unlucky or len(stored) == 200 - len(unlucky):
            return web.Response(status=503)
        stored.add(who)
        return await accept(request)

    async with serve(fail_some_and_then_all) as url:
        settings = settings_for(
            ratings, base_url=url, outage_for=1, retry_first=0.4, retry_max=2.0, concurrency=64,
            max_attempts=100,  # more than a busy machine needs to store the others
        )  # fmt: skip
        summary = await run_import(settings, api_key="any")
    assert summary.end is RunEnd.SERVICE_DOWN
    assert summary.outcomes[OutcomeKind.PENDING] == 3
    assert summary.outcomes[OutcomeKind.FAILED] == 0
    (step,) = (one for one in summary.next_steps if "jobs abandon" in one.command)
    assert "3 rows got nothing but failures since" in step.purpose
    assert step.command == f"clarityq-import jobs abandon {summary.folder}"


async def test_rows_that_always_fail_are_no_outage_even_if_they_are_the_last_ones(
    tmp_path: Path, settings_for: Make
) -> None:
    many = write_csv(tmp_path / "many.csv", [(conversation(n), "CLEAR", "") for n in range(2000)])
    bad = {conversation(n) for n in range(0, 2000, 20)}

    async def fail_for_some(request: web.Request) -> web.StreamResponse:
        if request.path.split("/")[-2] in bad:
            return web.Response(status=503)
        return await accept(request)

    async with serve(fail_for_some) as url:
        settings = settings_for(many, base_url=url, max_attempts=6, retry_max=0.3)
        summary = await run_import(settings, api_key="any")
    assert summary.end is RunEnd.FINISHED
    assert summary.outcomes[OutcomeKind.FAILED] == 100
    assert summary.outcomes[OutcomeKind.SUCCEEDED] == 1900
