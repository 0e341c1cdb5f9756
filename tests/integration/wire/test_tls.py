"""TLS on both paths."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from importer.clarityq.responses import VerdictKind
from tests.support.answers import (
    CASES,
    FEEDBACK,
    Case,
    Means,
    Then,
    answer,
)
from tests.support.raw_server import RawConnection, raw_server
from tests.support.wire import Open, arrival, check

pytestmark = pytest.mark.anyio


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
        await arrival()
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
