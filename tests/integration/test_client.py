"""What the client decides before its first call: the path, the proxy; and one call through each."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler

from importer.clarityq.api_key import ApiKey
from importer.clarityq.client import FeedbackClient
from importer.clarityq.direct_path import DirectPath
from importer.clarityq.responses import VerdictKind
from importer.clarityq.session_path import SessionPath
from importer.errors import SettingsError
from importer.settings import ImportSettings
from tests.support.answers import FEEDBACK, answer
from tests.support.raw_server import RawConnection, raw_server

pytestmark = pytest.mark.anyio

Make = Callable[..., ImportSettings]
NOWHERE = "http://127.0.0.1:9"


async def path_of(settings: ImportSettings) -> type:
    async with FeedbackClient(settings, ApiKey("key")) as client:
        return type(client._path)


async def test_the_direct_path_is_taken_with_the_installed_aiohttp(settings_for: Make) -> None:
    """Fails for a version that is not tested yet: run `wire/` with it, and name it in TESTED."""
    assert await path_of(settings_for(Path("unused.csv"), base_url=NOWHERE)) is DirectPath


@pytest.mark.parametrize("version", ["3.13.9", "3.15.0", "4.0.0a1", "main"])
async def test_an_untested_aiohttp_is_used_by_its_session(
    version: str, settings_for: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aiohttp, "__version__", version)
    settings = settings_for(Path("unused.csv"), base_url=NOWHERE)
    assert await path_of(settings) is SessionPath


@pytest.mark.parametrize("name", ["set_response_params", "read", "should_close", "data_received"])
async def test_an_aiohttp_that_lacks_what_is_used_is_used_by_its_session(
    name: str, settings_for: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ResponseHandler, name, property(_missing))
    assert await path_of(settings_for(Path("unused.csv"), base_url=NOWHERE)) is SessionPath


def _missing(_: object) -> object:
    raise AttributeError


@pytest.mark.parametrize("always", [True, False])
async def test_an_aiohttp_that_knows_nothing_against_a_connection_is_used_by_its_session(
    always: bool, settings_for: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ResponseHandler, "should_close", property(lambda _: always))
    assert await path_of(settings_for(Path("unused.csv"), base_url=NOWHERE)) is SessionPath


async def test_an_aiohttp_that_connects_otherwise_is_used_by_its_session(
    settings_for: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise TypeError

    monkeypatch.setattr(aiohttp.ClientRequest, "__init__", refuse)
    assert await path_of(settings_for(Path("unused.csv"), base_url=NOWHERE)) is SessionPath


async def test_a_proxy_is_used_only_if_it_is_asked_for(
    settings_for: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def behave(connection: RawConnection) -> None:
        await connection.request()
        await connection.send(answer())

    monkeypatch.delenv("no_proxy", raising=False)
    async with raw_server(behave) as proxy, raw_server(behave) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        url = server.url
        for trust in (False, True):
            settings = settings_for(Path("unused.csv"), base_url=url, trust_env=trust)
            async with FeedbackClient(settings, ApiKey("key")) as client:
                assert (await client.put(FEEDBACK)).kind is VerdictKind.APPLIED
    assert len(server.requests) == 1
    assert len(proxy.requests) == 1
    assert proxy.requests[0].startswith(f"PUT {server.url}/api/v1/".encode())


async def test_without_a_proxy_for_the_service_the_direct_path_is_taken(
    settings_for: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "socks5://of.no.concern:1")
    settings = settings_for(Path("unused.csv"), base_url=NOWHERE, trust_env=True)
    assert await path_of(settings) is DirectPath
    monkeypatch.setenv("http_proxy", "http://of.no.concern:1")
    assert await path_of(settings) is SessionPath
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert await path_of(settings) is DirectPath


async def test_a_proxy_is_told_its_password_and_the_service_nothing_from_netrc(
    settings_for: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def behave(connection: RawConnection) -> None:
        await connection.request()
        await connection.send(answer())

    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with raw_server(behave) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//user:secret@"))
        settings = settings_for(Path("unused.csv"), base_url=NOWHERE, trust_env=True)
        async with FeedbackClient(settings, ApiKey("key")) as client:
            assert (await client.put(FEEDBACK)).kind is VerdictKind.APPLIED
    (request,) = proxy.requests
    assert b"\r\nProxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n" in request
    assert b"\r\nAuthorization:" not in request


@pytest.mark.parametrize(
    ("status", "kind"), [(407, VerdictKind.TURNED_AWAY), (502, VerdictKind.TRANSIENT)]
)
async def test_a_proxy_that_does_not_connect_answers_itself(
    status: int, kind: VerdictKind, settings_for: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def behave(connection: RawConnection) -> None:
        await connection.request()
        await connection.send(answer(status, b""))

    async with raw_server(behave) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        settings = settings_for(
            Path("unused.csv"), base_url="https://service.invalid", trust_env=True
        )
        async with FeedbackClient(settings, ApiKey("key")) as client:
            verdict = await client.put(FEEDBACK)
    assert (verdict.kind, verdict.http_status, verdict.sent) == (kind, status, False)
    assert verdict.detail == f"{status} from the proxy: Reason"
    assert b"key" not in proxy.requests[0]


async def test_a_proxy_that_says_nothing_ends_with_the_connect_time_out(
    settings_for: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def behave(connection: RawConnection) -> None:
        await connection.request()
        await connection.request()

    async with raw_server(behave) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        settings = settings_for(
            Path("unused.csv"), base_url="https://service.invalid", trust_env=True,
            connect_timeout=0.1, read_timeout=30.0,
        )  # fmt: skip
        async with FeedbackClient(settings, ApiKey("key")) as client:
            verdict = await client.put(FEEDBACK)
    assert (verdict.sent, verdict.requests) == (False, 0)
    assert verdict.detail == "timed out while connecting"


@pytest.mark.parametrize(
    "value", ["127.0.0.1:9", "socks5://user:secret@127.0.0.1:9", "http://", "http://[::1"]
)
async def test_a_proxy_that_cannot_be_used_is_an_error_before_the_first_request(
    value: str, settings_for: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", value)
    settings = settings_for(Path("unused.csv"), base_url="https://service.invalid", trust_env=True)
    with pytest.raises(
        SettingsError, match="https_proxy is not the address of an HTTP proxy"
    ) as raised:
        async with FeedbackClient(settings, ApiKey("key")):
            pass
    assert "secret" not in str(raised.value)


async def test_a_call_that_is_cancelled_from_elsewhere_when_it_is_overdue_stays_cancelled(
    settings_for: Make,
) -> None:
    async def behave(connection: RawConnection) -> None:
        await connection.request()
        await connection.request()

    async with raw_server(behave) as server:
        settings = settings_for(Path("unused.csv"), base_url=server.url)
        async with FeedbackClient(settings, ApiKey("key")) as client:
            call = asyncio.create_task(client.put(FEEDBACK))
            await asyncio.sleep(0.05)
            (overdue,) = client._path._timeouts._calls  # type: ignore[union-attr]
            overdue.end()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
async def test_more_connections_than_this_process_may_have_are_an_error_before_the_first_request(
    settings_for: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    import resource

    limits = [(50, 100)]

    def change(_: int, to: tuple[int, int]) -> None:
        if to[0] > to[1]:
            raise ValueError
        limits.append(to)

    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", change)
    settings = settings_for(Path("unused.csv"), base_url=NOWHERE, concurrency=61)
    with pytest.raises(SettingsError, match=r"limit to 101 .*, or give --concurrency 60"):
        async with FeedbackClient(settings, ApiKey("key")):
            pass
    settings = settings_for(Path("unused.csv"), base_url=NOWHERE, concurrency=60)
    assert await path_of(settings) is DirectPath
    assert limits[-1] == (100, 100)
