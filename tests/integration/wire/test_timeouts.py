"""Time-outs in every phase of a call, and calls that are cancelled: on both paths."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack, suppress
from typing import NoReturn

import aiohttp
import pytest

from importer.clarityq.responses import VerdictKind
from tests.support.answers import (
    FEEDBACK,
    STORED,
    Means,
    answer,
    chunked,
    head,
)
from tests.support.raw_server import RawConnection, raw_server
from tests.support.wire import Open, arrival, check

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("spoilt", [b"size\r\n", b"1\r\nxx\r\n"])
async def test_a_body_that_is_spoilt_later_is_no_answer(spoilt: bytes, open_client: Open) -> None:
    """aiohttp closes the connection and lets the body wait: silence ends that."""

    async def behave(connection: RawConnection) -> None:
        await connection.request()
        await connection.send(chunked(STORED[:9], end=b""))
        await arrival()
        await connection.send(spoilt)
        await connection.request()

    async with raw_server(behave) as server, open_client(server.url, read_timeout=0.2) as client:
        verdict = await client.put(FEEDBACK)
    assert verdict.kind is VerdictKind.TRANSIENT
    assert verdict.http_status in (None, 200)


@pytest.mark.parametrize(
    "sent",
    [b"", b"HTTP/1.1 200", answer()[:-5], b"HTTP/1.1 100 Continue\r\n\r\n"],
    ids=["nothing", "half a status line", "half a body", "100"],
)
async def test_silence_ends_a_call_and_its_connection_is_not_used_again(
    sent: bytes, open_client: Open
) -> None:
    async def behave(connection: RawConnection) -> None:
        await connection.request()
        if connection.number == 1:
            await connection.send(sent)
            await connection.request()
        await connection.send(answer())

    async with raw_server(behave) as server, open_client(server.url, read_timeout=0.5) as client:
        verdict = await client.put(FEEDBACK)
        check(await client.put(FEEDBACK), Means.STORED)
    assert (verdict.kind, verdict.http_status) == (VerdictKind.TRANSIENT, None)
    assert verdict.detail == "timed out waiting for the response"
    assert not verdict.definite
    assert (verdict.sent, verdict.requests) == (True, 1)
    assert server.used == [1, 2]


@pytest.mark.parametrize("drop", [b"HTTP/1.1 100 Continue\r\n\r\n", b"1\r\n \r\n"])
async def test_an_answer_that_drips_ends_with_the_total_time(
    drop: bytes, open_client: Open
) -> None:
    async def behave(connection: RawConnection) -> None:
        await connection.request()
        if drop.startswith(b"1"):
            await connection.send(head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"))
        while True:
            await connection.send(drop)
            await asyncio.sleep(0.01)

    async with (
        raw_server(behave) as server,
        open_client(server.url, read_timeout=0.2, total_timeout=0.6) as client,
    ):
        verdict = await client.put(FEEDBACK)
    assert verdict.detail == "timed out waiting for the response"
    assert not verdict.definite


async def test_an_answer_that_is_slow_and_not_silent_is_waited_for(open_client: Open) -> None:
    async def behave(connection: RawConnection) -> None:
        await connection.request()
        await connection.send(head("HTTP/1.1 200 OK", f"Content-Length: {len(STORED)}"))
        for start in range(0, len(STORED), 30):
            await asyncio.sleep(0.3)
            await connection.send(STORED[start : start + 30])

    async with raw_server(behave) as server, open_client(server.url, read_timeout=1.2) as client:
        check(await client.put(FEEDBACK), Means.STORED)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_service_that_does_not_take_the_connection_ends_with_the_connect_time_out(
    scheme: str, open_client: Open
) -> None:
    """With TLS the connection stands, and the other side says nothing."""
    with socket.socket() as listening, ExitStack() as stack:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0 if scheme == "http" else 5)
        address = listening.getsockname()
        if scheme == "http":
            for _ in range(4):  # the queue of those that wait to be accepted is full
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex(address)
        url = f"{scheme}://127.0.0.1:{address[1]}"
        async with open_client(url, connect_timeout=0.1, read_timeout=30.0) as client:
            verdict = await client.put(FEEDBACK)
    assert verdict.kind is VerdictKind.TRANSIENT
    assert (verdict.sent, verdict.requests, verdict.definite) == (False, 0, True)
    assert verdict.detail == "timed out while connecting"


async def test_a_name_that_is_not_resolved_ends_with_the_connect_time_out(
    open_client: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(*_: object, **__: object) -> NoReturn:
        await asyncio.sleep(30)
        raise AssertionError

    monkeypatch.setattr(aiohttp.DefaultResolver, "resolve", resolve)
    async with open_client("https://service.invalid", connect_timeout=0.1) as client:
        verdict = await client.put(FEEDBACK)
    assert (verdict.sent, verdict.detail) == (False, "timed out while connecting")


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200", answer()[:-5]])
async def test_a_cancelled_call_leaves_no_connection_behind(sent: bytes, open_client: Open) -> None:
    async def behave(connection: RawConnection) -> None:
        await connection.request()
        if connection.number == 1:
            await connection.send(sent)
            await connection.request()
        await connection.send(answer())

    async with raw_server(behave) as server, open_client(server.url) as client:
        call = asyncio.create_task(client.put(FEEDBACK))
        await arrival(20)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        check(await client.put(FEEDBACK), Means.STORED)
    assert server.used == [1, 2]


@pytest.mark.parametrize("turns", range(8))
async def test_a_call_may_be_cancelled_at_any_turn(turns: int, open_client: Open) -> None:
    async def behave(connection: RawConnection) -> None:
        while True:
            await connection.request()
            await connection.send(answer())

    async with raw_server(behave) as server, open_client(server.url) as client:
        for first in (True, False):  # a new connection, and one that may be kept
            call = asyncio.create_task(client.put(FEEDBACK))
            for _ in range(turns):
                await asyncio.sleep(0)
            call.cancel()
            with suppress(asyncio.CancelledError):
                check(await call, Means.STORED)
            if first:
                check(await client.put(FEEDBACK), Means.STORED)
        check(await client.put(FEEDBACK), Means.STORED)
