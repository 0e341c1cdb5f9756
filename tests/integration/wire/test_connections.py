"""When a connection is used again, and when none can be had: on both paths."""

from __future__ import annotations

import asyncio
import errno
import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from importer.clarityq import direct_path
from importer.clarityq.api_key import ApiKey
from importer.clarityq.client import FeedbackClient
from importer.clarityq.direct_path import DirectPath
from importer.clarityq.responses import Verdict, VerdictKind
from importer.settings import ImportSettings
from tests.support.answers import (
    FEEDBACK,
    UNASKED,
    Means,
    answer,
)
from tests.support.data import conversation
from tests.support.raw_server import RawConnection, raw_server
from tests.support.wire import KEY, Open, arrival, check

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("surplus", UNASKED.values(), ids=UNASKED)
@pytest.mark.parametrize("later", [False, True])
async def test_a_connection_with_something_unasked_is_not_used_again(
    surplus: bytes, *, later: bool, open_client: Open
) -> None:
    async def behave(connection: RawConnection) -> None:
        await connection.request()
        if connection.number == 1:
            if later:
                await connection.send(answer())
                await arrival()
                await connection.send(surplus)
            else:
                await connection.send(answer() + surplus)
            await connection.request()
        await connection.send(answer())

    async with raw_server(behave) as server, open_client(server.url) as client:
        first = await client.put(FEEDBACK)
        # Rubbish in the same packet spoils the answer before it, and it is asked for again.
        assert first.kind is VerdictKind.APPLIED or (not later and first.http_status is None)
        await arrival(30)
        check(await client.put(FEEDBACK), Means.STORED)
    assert server.used == [1, 2]


async def test_an_unasked_answer_in_two_halves_is_not_taken_for_the_next_one(
    open_client: Open,
) -> None:
    unasked = answer(404, b"")

    async def behave(connection: RawConnection) -> None:
        await connection.request()
        await connection.send(answer())
        await arrival()
        await connection.send(unasked[:12])
        await connection.request()
        await connection.send(unasked[12:] + answer())

    async with raw_server(behave) as server, open_client(server.url) as client:
        check(await client.put(FEEDBACK), Means.STORED)
        await arrival(30)
        check(await client.put(FEEDBACK), Means.NO_ANSWER)


@pytest.mark.parametrize("end", [RawConnection.close, RawConnection.reset])
async def test_a_request_is_never_repeated_behind_the_runs_back(
    end: Callable[[RawConnection], None], open_client: Open
) -> None:
    """The first one may have taken effect: to send it again is for the run, which counts it."""

    async def behave(connection: RawConnection) -> None:
        await connection.request()
        await connection.send(answer())
        await connection.request()
        end(connection)

    async with raw_server(behave) as server, open_client(server.url) as client:
        check(await client.put(FEEDBACK), Means.STORED)
        check(await client.put(FEEDBACK), Means.NO_ANSWER)
        check(await client.put(FEEDBACK), Means.STORED)
    assert server.used == [1, 1, 2]


async def test_what_the_service_sees_is_what_is_counted_whenever_connections_end(
    open_client: Open,
) -> None:
    chance = random.Random(5)

    async def behave(connection: RawConnection) -> None:
        for _ in range(chance.randrange(1, 6)):
            await connection.request()
            await connection.send(answer(409, b""))
        await asyncio.sleep(chance.choice([0.0, 0.0002, 0.001]))
        if chance.random() < 0.5:
            connection.reset()

    async def send(client: FeedbackClient, numbers: Iterator[int]) -> list[Verdict]:
        verdicts = []
        for number in numbers:
            feedback = FEEDBACK._replace(conversation_id=conversation(number))
            verdicts.append(await client.put(feedback))
            await asyncio.sleep(chance.choice([0.0, 0.0005]))
        return verdicts

    async with raw_server(behave) as server, open_client(server.url) as client:
        numbers = iter(range(400))
        found = await asyncio.gather(*(send(client, numbers) for _ in range(8)))
    verdicts = [verdict for some in found for verdict in some]
    lost = [verdict for verdict in verdicts if verdict.kind is not VerdictKind.NOT_COMPLETED]
    for verdict in lost:
        check(verdict, Means.NO_ANSWER)
    assert len(set(server.requests)) == len(server.requests)
    assert 400 - len(lost) <= len(server.requests) <= len(verdicts) == 400


async def test_connections_that_the_other_side_closed_while_idle_cost_no_request(
    open_client: Open,
) -> None:
    async def behave(connection: RawConnection) -> None:
        await connection.request()
        await connection.send(answer())

    async with raw_server(behave) as server, open_client(server.url) as client:
        for _ in range(2):
            verdicts = await asyncio.gather(*(client.put(FEEDBACK) for _ in range(5)))
            for verdict in verdicts:
                check(verdict, Means.STORED)
            await arrival()
    assert server.connections == len(server.requests) == 10


async def test_a_connection_that_is_closed_before_the_request_is_written_costs_nothing(
    settings_for: Callable[..., ImportSettings],
) -> None:
    async def behave(connection: RawConnection) -> None:
        while True:
            await connection.request()
            await connection.send(answer())

    async with raw_server(behave) as server:
        settings = settings_for(Path("unused.csv"), base_url=server.url)
        async with FeedbackClient(settings, ApiKey(KEY), path=DirectPath) as client:
            check(await client.put(FEEDBACK), Means.STORED)
            ((idle, _),) = client._path._idle  # type: ignore[union-attr]
            call = asyncio.create_task(client.put(FEEDBACK))
            await asyncio.sleep(0)  # it has taken the connection, and the request waits
            idle.transport.abort()
            check(await call, Means.STORED)
    assert server.used == [1, 2]


async def test_what_comes_before_the_request_is_written_is_not_its_answer(
    settings_for: Callable[..., ImportSettings],
) -> None:
    async def behave(connection: RawConnection) -> None:
        while True:
            await connection.request()
            await connection.send(answer())

    async with raw_server(behave) as server:
        settings = settings_for(Path("unused.csv"), base_url=server.url)
        async with FeedbackClient(settings, ApiKey(KEY), path=DirectPath) as client:
            check(await client.put(FEEDBACK), Means.STORED)
            ((idle, _),) = client._path._idle  # type: ignore[union-attr]
            call = asyncio.create_task(client.put(FEEDBACK))
            await asyncio.sleep(0)  # it has taken the connection, and the request waits
            idle.protocol.data_received(answer(404, b""))
            check(await call, Means.STORED)
    assert server.used == [1, 2]


async def test_a_connection_that_was_idle_for_long_is_not_used_again(
    settings_for: Callable[..., ImportSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def behave(connection: RawConnection) -> None:
        while True:
            await connection.request()
            await connection.send(answer())

    monkeypatch.setattr(direct_path, "_LONGEST_IDLE", 0.01)
    async with raw_server(behave) as server:
        settings = settings_for(Path("unused.csv"), base_url=server.url)
        async with FeedbackClient(settings, ApiKey(KEY), path=DirectPath) as client:
            check(await client.put(FEEDBACK), Means.STORED)
            await asyncio.sleep(0.02)
            check(await client.put(FEEDBACK), Means.STORED)
    assert server.used == [1, 2]


async def test_connections_are_kept_and_no_more_than_needed(open_client: Open) -> None:
    async def behave(connection: RawConnection) -> None:
        while True:
            await connection.request()
            await asyncio.sleep(0.005)
            await connection.send(answer())

    async with raw_server(behave) as server, open_client(server.url) as client:
        for _ in range(5):
            await asyncio.gather(*(client.put(FEEDBACK) for _ in range(8)))
    assert server.connections == 8
    assert len(server.requests) == 40


async def test_a_refused_connection_is_told_and_nothing_was_sent(open_client: Open) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with open_client(f"http://127.0.0.1:{port}") as client:
        verdict = await client.put(FEEDBACK)
    assert verdict.kind is VerdictKind.TRANSIENT
    assert (verdict.sent, verdict.requests, verdict.definite) == (False, 0, True)
    assert verdict.detail == (
        f"no response: cannot connect to 127.0.0.1:{port} (Connection refused)"
    )


async def test_an_unknown_host_is_told_and_nothing_was_sent(open_client: Open) -> None:
    async with open_client("https://service.invalid") as client:
        verdict = await client.put(FEEDBACK)
    assert (verdict.kind, verdict.sent) == (VerdictKind.TRANSIENT, False)
    assert verdict.detail.startswith("no response: the address of service.invalid is not found (")


async def test_no_file_handle_is_this_machines_fault(
    open_client: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    async with open_client("http://127.0.0.1:9") as client:
        with monkeypatch.context() as patch:
            patch.setattr(socket, "socket", refuse)
            verdict = await client.put(FEEDBACK)
    assert (verdict.kind, verdict.sent) == (VerdictKind.TRANSIENT, False)
    assert "raise `ulimit -n` or lower --concurrency" in verdict.detail
