"""What each answer means, on both paths, and what goes out."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.support.answers import (
    CASES,
    FEEDBACK,
    ID,
    STORED,
    Case,
    Means,
    Then,
    answer,
)
from tests.support.data import PRODUCT
from tests.support.raw_server import RawConnection, raw_server
from tests.support.wire import KEY, Open, arrival, check

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_an_answer_has_its_verdict_and_its_connection_is_used_again_only_if_it_is_sound(
    case: Case, open_client: Open
) -> None:
    async def behave(connection: RawConnection) -> None:
        await connection.request()
        if connection.number == 1:
            await connection.send(case.data)
            if case.then is Then.RESET:
                connection.reset()
            if case.then is not Then.WAIT:
                return
            await connection.request()
        await connection.send(answer())

    async with raw_server(behave) as server, open_client(server.url, read_timeout=2.0) as client:
        check(await client.put(FEEDBACK), case.means)
        # All that belongs to the first answer.
        await arrival()
        check(await client.put(FEEDBACK), Means.STORED)
    if case.reused is not None:
        assert server.used == [1, 1 if case.reused else 2]


async def test_what_the_service_says_is_printable_and_without_the_key(open_client: Open) -> None:
    location = f"Location: https://{KEY}:x@new.example/b/a?key={KEY}#f"
    stored = {**json.loads(STORED), "updated_at": "a\x1b[31m\n" + "x" * 60 + KEY}
    answers = [
        answer(200, json.dumps(stored).encode()),
        answer(308, b"", location),
        answer(307, b"", "Location: //[bad"),
        answer(200, b"", f"X-Long: {KEY * 1000}"),
    ]

    async def behave(connection: RawConnection) -> None:
        for data in answers:
            await connection.request()
            await connection.send(data)

    async with raw_server(behave) as server, open_client(server.url) as client:
        kept, moved, odd, long = [await client.put(FEEDBACK) for _ in answers]
    assert kept.updated_at == "a\N{REPLACEMENT CHARACTER}[31m " + "x" * 57
    assert moved.detail == "308, to https://new.example/b/a"
    assert odd.detail == "307"
    assert long.detail.startswith("the answer is not valid HTTP: ")
    assert not any(KEY[:at] in long.detail for at in range(3, len(KEY)))


@pytest.mark.parametrize("step", [1, 7, 100])
async def test_an_answer_may_come_in_pieces(step: int, open_client: Open) -> None:
    async def behave(connection: RawConnection) -> None:
        while True:
            await connection.request()
            data = answer()
            for start in range(0, len(data), step):
                await connection.send(data[start : start + step])
                await asyncio.sleep(0)

    async with raw_server(behave) as server, open_client(server.url) as client:
        for _ in range(2):
            check(await client.put(FEEDBACK), Means.STORED)
    assert server.used == [1, 1]


async def test_what_goes_out_is_the_documented_request(open_client: Open) -> None:
    async def behave(connection: RawConnection) -> None:
        while True:
            await connection.request()
            await connection.send(answer(409, b""))

    async with raw_server(behave) as server, open_client(server.url + "/base/") as client:
        await client.put(FEEDBACK)
        await client.status(FEEDBACK.conversation_id)
    path = f"/base/api/v1/products/{PRODUCT}/conversations/{FEEDBACK.conversation_id}"
    for request, line in zip(
        server.requests, [f"PUT {path}/feedback", f"GET {path}/status"], strict=True
    ):
        first, *headers = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")
        assert first == f"{line} HTTP/1.1"
        fields = {name.lower(): value for name, _, value in (h.partition(": ") for h in headers)}
        assert len(fields) == len(headers)
        assert fields["host"] == server.url.removeprefix("http://")
        assert fields["x-api-key"] == KEY
        assert fields["accept-encoding"] == "identity"
        assert "transfer-encoding" not in fields
    put, get = (request.partition(b"\r\n\r\n") for request in server.requests)
    assert json.loads(put[2]) == {"rating": "POSITIVE", "comment": "good"}
    assert b"Content-Type: application/json" in put[0]
    assert get[2] == b""


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int, open_client: Open) -> None:
    async def trap(connection: RawConnection) -> None:
        await connection.request()

    async def behave(connection: RawConnection) -> None:
        await connection.request()
        await connection.send(answer(status, b"", f"Location: {elsewhere.url}/x"))

    async with (
        raw_server(trap) as elsewhere,
        raw_server(behave) as server,
        open_client(server.url) as client,
    ):
        check(await client.put(FEEDBACK), status)
    assert elsewhere.connections == 0
    assert len(server.requests) == 1


async def test_the_key_is_in_no_verdict(open_client: Open) -> None:
    answers = [
        answer(422, f"X-API-Key: {KEY}".encode()),
        answer(422, b"x" * 280 + KEY.encode()),
        answer(200, STORED.replace(ID, b"x" * 280 + KEY.encode())),
        f"HTTP/1.1 {KEY}\r\n\r\n".encode(),
        answer(429, b"", f"Retry-After: {KEY}"),
        answer(200, b"", f"{KEY} : 1"),
    ]

    async def behave(connection: RawConnection) -> None:
        await connection.request()
        await connection.send(answers[connection.number - 1])

    async with raw_server(behave) as server, open_client(server.url) as client:
        for _ in answers:
            verdict = await client.put(FEEDBACK)
            assert KEY not in repr(verdict)
            assert KEY[:12] not in verdict.detail
            await arrival()
    assert server.connections == len(answers)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3.0), ("86400", 60.0), ("nonsense", None), ("-5", None),
        ("Thu, 01 Jan 1970 00:00:30 GMT", 30.0), ("Thu Jan  1 00:00:30 1970", 30.0),
    ],
)  # fmt: skip
async def test_retry_after_is_read_and_capped(
    header: str, seconds: float | None, open_client: Open
) -> None:
    async def behave(connection: RawConnection) -> None:
        await connection.request()
        await connection.send(answer(429, b"", f"Retry-After: {header}"))

    async with (
        raw_server(behave) as server,
        open_client(server.url, retry_after_max=60.0) as client,
    ):
        assert (await client.put(FEEDBACK)).retry_after == seconds
