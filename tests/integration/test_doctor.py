"""`doctor` looks at the service as an import would reach it, and tells no secret."""

import json
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web
from anyio.from_thread import start_blocking_portal
from click.testing import CliRunner

from importer.cli.app import cli
from importer.sandbox.server import Sandbox
from tests.support.data import PRODUCT
from tests.support.server import serve

KEY = "canary-9b1d-key"
PASSWORD = "moon-water"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def doctor(*arguments: object) -> tuple[int, dict[str, dict[str, Any]]]:
    """Return the exit code, and the findings by their subject."""
    result = CliRunner().invoke(
        cli, ["doctor", "--json", *map(str, arguments)], standalone_mode=False
    )
    assert result.exception is None, result.exception
    assert KEY not in result.output
    assert PASSWORD not in result.output
    findings = json.loads(result.stdout)["findings"]
    return int(result.return_value), {found["subject"]: found for found in findings}


@contextmanager
def answering(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Run a server on a thread of its own; yield its address."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(
        serve(answer, tls)
    ) as url:  # fmt: skip
        yield url


def always(status: int, **details: Any) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"detail": KEY}, status=status, **details)

    return answer


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLARITYQ_API_KEY", KEY)


def test_all_is_fine_and_nothing_is_written_or_sent(tmp_path: Path) -> None:
    sandbox = Sandbox(key=KEY)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(sandbox):
        code, found = doctor("--base-url", sandbox.url, "--product-id", PRODUCT)
    assert (code, {one["level"] for one in found.values()}) == (0, {"fine"})
    assert "no right to write" in found["key"]["text"]
    assert found["configuration"]["variables"] == ["CLARITYQ_API_KEY"]
    assert sandbox.feedback == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("status", "details", "subject", "level", "words"),
    [
        (401, {}, "key", "fails", "refuses it (401)"),
        (403, {}, "key", "fails", "belongs to this product"),
        (404, {}, "key", "fine", "accepted for reading a status (404)"),
        (503, {}, "service", "look", "with 503"),
        (503, {}, "key", "look", "tells nothing of the key"),
        (302, {"headers": {"Location": "/login"}}, "service", "fails", "a redirect"),
        (200, {"content_type": "text/html"}, "service", "look", "rather than JSON"),
        (200, {"headers": {"Date": format_datetime(datetime.now(UTC) + timedelta(hours=1))}},
         "clock", "look", "behind the service's"),
    ],
)  # fmt: skip
def test_what_the_service_answers_is_judged(
    status: int, details: dict[str, Any], subject: str, level: str, words: str
) -> None:
    with answering(always(status, **details)) as url:
        code, found = doctor("--base-url", url, "--product-id", PRODUCT)
    assert (found[subject]["level"], code) == (level, {"fine": 0, "look": 1, "fails": 2}[level])
    assert words in found[subject]["text"]


def test_without_the_product_a_403_proves_nothing() -> None:
    with answering(always(403)) as url:
        code, found = doctor("--base-url", url)
    assert (code, found["key"]["level"]) == (1, "look")


@pytest.mark.parametrize(("days", "level"), [(90, "fine"), (5, "look")])
def test_the_days_of_the_certificate_are_told(days: int, level: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    until = datetime.now(UTC) + timedelta(days=days, hours=1)
    authority.issue_cert("127.0.0.1", not_after=until).configure_cert(context)
    with answering(always(404), context) as url:
        _, found = doctor("--base-url", url, "--ca-file", tmp_path / "ca.pem")
        code, without = doctor("--base-url", url)
    assert (found["certificate"]["days"], found["certificate"]["level"]) == (days, level)
    assert (code, without["certificate"]["level"]) == (2, "fails")
    assert "--ca-file" in without["certificate"]["text"]
    assert "could not be tried" in without["key"]["text"]


def test_a_service_that_cannot_be_reached_is_told() -> None:
    code, found = doctor("--base-url", "http://127.0.0.1:9")
    assert (code, found["service"]["level"]) == (2, "fails")
    assert "Connection refused" in found["service"]["text"]
    _, found = doctor("--base-url", "https://name.invalid")
    assert "cannot be resolved" in found["service"]["text"]


def test_a_proxy_is_named_without_its_password_and_used_only_if_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    asked: list[bytes] = []

    def refuse() -> None:
        connection, _ = listener.accept()
        with connection:
            asked.append(connection.recv(4096))
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")

    thread = threading.Thread(target=refuse)
    thread.start()
    port = listener.getsockname()[1]
    monkeypatch.setenv("https_proxy", f"http://me:{PASSWORD}@127.0.0.1:{port}")
    monkeypatch.delenv("no_proxy", raising=False)
    _, found = doctor("--base-url", "https://name.invalid")
    assert "not used without --trust-env" in found["proxy"]["text"]
    code, found = doctor("--base-url", "https://name.invalid", "--trust-env")
    thread.join()
    listener.close()
    assert asked[0].startswith(b"CONNECT name.invalid:443")
    assert b"Proxy-Authorization: Basic" in asked[0]
    assert found["proxy"]["proxy"] == f"127.0.0.1:{port}"
    assert (code, found["service"]["level"]) == (2, "fails")
    assert "407" in found["service"]["text"]


def test_a_missing_key_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CLARITYQ_API_KEY")
    with answering(always(401)) as url:
        code, found = doctor("--base-url", url)
        assert (code, found["key"]["level"]) == (2, "fails")
        path = tmp_path / "key"
        path.write_text(KEY, "utf-8")
        path.chmod(0o644)
        _, found = doctor("--base-url", url, "--api-key-file", path)
    assert "other users may read" in found["key"]["text"]


def test_the_findings_are_a_table_for_people() -> None:
    result = CliRunner().invoke(
        cli, ["doctor", "--base-url", "http://127.0.0.1:9"], standalone_mode=False
    )
    assert result.output.rstrip().endswith("A run would fail: see FAILS.")
    assert "FAILS  service" in result.output


def test_with_the_option_of_a_rehearsal_it_says_what_it_has_looked_at() -> None:
    arguments = ["doctor", "--sandbox", "--base-url", "http://127.0.0.1:9"]
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert (
        "That is the real import: with --sandbox it needs no service and no key." in result.output
    )
