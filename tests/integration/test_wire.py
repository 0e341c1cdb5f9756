"""Both paths to the service over real sockets: what comes of each answer and each connection."""

from __future__ import annotations

import asyncio
import errno
import json
import socket
import ssl
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import trustme

from importer.clarityq import direct_path, exchange
from importer.clarityq.api_key import ApiKey
from importer.clarityq.client import FeedbackClient
from importer.clarityq.direct_path import DirectPath
from importer.clarityq.responses import Verdict, VerdictKind, kind_of
from importer.clarityq.session_path import SessionPath
from importer.settings import ImportSettings
from tests.support.answers import (
    CASES,
    FEEDBACK,
    STORED,
    UNASKED,
    Case,
    Means,
    Then,
    answer,
    chunked,
    head,
)
from tests.support.data import PRODUCT
from tests.support.raw_server import RawConnection, raw_server

pytestmark = pytest.mark.anyio

Open = Callable[..., FeedbackClient]
KEY = "key-that-must-not-leak"


@pytest.fixture(
    params=[
        pytest.param(False, id="asyncio", marks=pytest.mark.slow),
        pytest.param(True, id="uvloop"),
    ]
)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Run each test on both event loops: connections end differently on them, and TLS differs."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(params=[DirectPath, SessionPath])
def open_client(
    request: pytest.FixtureRequest, settings_for: Callable[..., ImportSettings]
) -> Open:
    """Return a maker of clients that go one way or the other."""
    path: type[exchange.Path] = request.param

    def make(url: str, **changes: object) -> FeedbackClient:
        settings = settings_for(Path("unused.csv"), base_url=url, **changes)
        return FeedbackClient(settings, ApiKey(KEY), wall=lambda: 0.0, path=path)

    return make


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
        case Means.NO_ANSWER:
            assert (verdict.kind, verdict.http_status) == (VerdictKind.TRANSIENT, None)
            assert verdict.detail.startswith(("no response: ", "the answer is not valid HTTP: "))
            assert "message=" not in verdict.detail
        case Means.SPOILT:
            assert verdict.kind is VerdictKind.TRANSIENT
            assert not verdict.late
        case int():
            assert (verdict.kind, verdict.http_status) == (kind_of(means), means)


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
        # What belongs to the first answer has arrived by then.
        await asyncio.sleep(0.02)
        check(await client.put(FEEDBACK), Means.STORED)
    if case.reused is not None:
        assert server.used == [1, 1 if case.reused else 2]


@pytest.mark.parametrize("surplus", UNASKED.values(), ids=UNASKED)
@pytest.mark.parametrize("pause", [0.0, 0.01])
async def test_a_connection_with_something_unasked_is_not_used_again(
    surplus: bytes, pause: float, open_client: Open
) -> None:
    async def behave(connection: RawConnection) -> None:
        await connection.request()
        if connection.number == 1:
            if pause:
                await connection.send(answer())
                await asyncio.sleep(pause)
                await connection.send(surplus)
            else:
                await connection.send(answer() + surplus)
            await connection.request()
        await connection.send(answer())

    async with raw_server(behave) as server, open_client(server.url) as client:
        first = await client.put(FEEDBACK)
        # Rubbish in the same packet spoils the answer before it, and it is asked for again.
        assert first.kind is VerdictKind.APPLIED or (not pause and first.http_status is None)
        await asyncio.sleep(0.03)
        check(await client.put(FEEDBACK), Means.STORED)
    assert server.used == [1, 2]


async def test_an_unasked_answer_in_two_halves_is_not_taken_for_the_next_one(
    open_client: Open,
) -> None:
    unasked = answer(404, b"")

    async def behave(connection: RawConnection) -> None:
        await connection.request()
        await connection.send(answer())
        await asyncio.sleep(0.01)
        await connection.send(unasked[:12])
        await connection.request()
        await connection.send(unasked[12:] + answer())

    async with raw_server(behave) as server, open_client(server.url) as client:
        check(await client.put(FEEDBACK), Means.STORED)
        await asyncio.sleep(0.03)
        check(await client.put(FEEDBACK), Means.NO_ANSWER)


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


@pytest.mark.parametrize("spoilt", [b"size\r\n", b"1\r\nxx\r\n"])
async def test_a_body_that_is_spoilt_later_is_no_answer(spoilt: bytes, open_client: Open) -> None:
    """aiohttp closes the connection and lets the body wait: silence ends that."""

    async def behave(connection: RawConnection) -> None:
        await connection.request()
        await connection.send(chunked(STORED[:9], end=b""))
        await asyncio.sleep(0.05)
        await connection.send(spoilt)
        await connection.request()

    async with raw_server(behave) as server, open_client(server.url, read_timeout=0.2) as client:
        verdict = await client.put(FEEDBACK)
    assert verdict.kind is VerdictKind.TRANSIENT
    assert verdict.http_status in (None, 200)


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
            await asyncio.sleep(0.02)
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

    async with raw_server(behave) as server, open_client(server.url, read_timeout=0.1) as client:
        verdict = await client.put(FEEDBACK)
        check(await client.put(FEEDBACK), Means.STORED)
    assert (verdict.kind, verdict.http_status) == (VerdictKind.TRANSIENT, None)
    assert verdict.detail == "timed out waiting for the response"
    assert verdict.late
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
    assert verdict.late


async def test_an_answer_that_is_slow_and_not_silent_is_waited_for(open_client: Open) -> None:
    async def behave(connection: RawConnection) -> None:
        await connection.request()
        await connection.send(head("HTTP/1.1 200 OK", f"Content-Length: {len(STORED)}"))
        for start in range(0, len(STORED), 30):
            await asyncio.sleep(0.15)
            await connection.send(STORED[start : start + 30])

    async with raw_server(behave) as server, open_client(server.url, read_timeout=0.4) as client:
        check(await client.put(FEEDBACK), Means.STORED)


async def test_a_refused_connection_is_told_and_nothing_was_sent(open_client: Open) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with open_client(f"http://127.0.0.1:{port}") as client:
        verdict = await client.put(FEEDBACK)
    assert verdict.kind is VerdictKind.TRANSIENT
    assert (verdict.sent, verdict.requests, verdict.late) == (False, 0, False)
    assert verdict.detail == (
        f"no response: cannot connect to 127.0.0.1:{port} (Connection refused)"
    )


async def test_an_unknown_host_is_told_and_nothing_was_sent(open_client: Open) -> None:
    async with open_client("https://service.invalid") as client:
        verdict = await client.put(FEEDBACK)
    assert (verdict.kind, verdict.sent) == (VerdictKind.TRANSIENT, False)
    assert verdict.detail.startswith("no response: the address of service.invalid is not found (")


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
    assert (verdict.sent, verdict.requests, verdict.late) == (False, 0, False)
    assert verdict.detail == "timed out while connecting"


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
        await asyncio.sleep(0.05)
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


async def test_the_key_is_in_no_verdict(open_client: Open) -> None:
    answers = [
        answer(422, f"X-API-Key: {KEY}".encode()),
        answer(422, b"x" * 290 + KEY.encode()),
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
            await asyncio.sleep(0.01)
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


async def test_a_certificate_is_trusted_only_if_its_authority_is(
    open_client: Open, tmp_path: Path
) -> None:
    async def behave(connection: RawConnection) -> None:
        while True:
            await connection.request()
            await connection.send(answer())

    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    async with raw_server(behave, tls) as server:
        async with open_client(server.url) as client:
            verdict = await client.put(FEEDBACK)
        assert verdict.kind is VerdictKind.UNTRUSTED
        assert verdict.detail.startswith("the certificate is not trusted: ")
        assert not verdict.sent
        assert not server.requests
        async with open_client(server.url, ca_file=ca_file) as client:
            for _ in range(3):
                check(await client.put(FEEDBACK), Means.STORED)
        assert len(set(server.used)) == 1
        other_name = server.url.replace("127.0.0.1", "localhost")
        async with open_client(other_name, ca_file=ca_file) as client:
            assert (await client.put(FEEDBACK)).kind is VerdictKind.UNTRUSTED
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.then is not Then.WAIT], ids=lambda case: case.name
)
async def test_an_answer_that_ends_early_is_the_same_with_tls(
    case: Case, open_client: Open, tmp_path: Path
) -> None:
    async def behave(connection: RawConnection) -> None:
        await connection.request()
        if connection.number == 1:
            await connection.send(case.data)
            if case.then is Then.RESET:
                connection.reset()
        else:
            await connection.send(answer())

    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    async with (
        raw_server(behave, tls) as server,
        open_client(server.url, ca_file=ca_file) as client,
    ):
        check(await client.put(FEEDBACK), case.means)
        await asyncio.sleep(0.02)
        check(await client.put(FEEDBACK), Means.STORED)


async def test_tls_with_a_service_that_has_none_is_told(open_client: Open) -> None:
    async def behave(connection: RawConnection) -> None:
        await connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with (
        raw_server(behave) as server,
        open_client(server.url.replace("http", "https")) as client,
    ):
        verdict = await client.put(FEEDBACK)
    assert (verdict.kind, verdict.sent) == (VerdictKind.TRANSIENT, False)
    assert verdict.detail.startswith("no response: cannot connect to 127.0.0.1:")
