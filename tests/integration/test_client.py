"""One call at a time: what goes out, and what each kind of answer becomes."""

import json
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest
import trustme
from aiohttp import web
from aioresponses import CallbackResult, aioresponses
from yarl import URL

from importer.clarityq.api_key import ApiKey
from importer.clarityq.client import ANSWER_LIMIT, FeedbackClient
from importer.clarityq.payload import encode_body
from importer.clarityq.responses import VerdictKind
from importer.model import Feedback, Meaning
from importer.settings import ImportSettings
from tests.support.data import PRODUCT, conversation
from tests.support.server import serve

pytestmark = pytest.mark.anyio

KEY = "key-that-must-not-leak"
FEEDBACK = Feedback(1, conversation(1), Meaning.POSITIVE, "good")
BASE = "https://service.invalid"
URL_OF_ROW = f"{BASE}/api/v1/products/{PRODUCT}/conversations/{conversation(1)}/feedback"


class Response(aiohttp.ClientResponse):
    """aioresponses does not know the `stream_writer` that aiohttp 3.14 asks for.

    To be dropped when it does (pnuckowski/aioresponses, issue 289).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, stream_writer=Mock(output_size=0), **kwargs)


@pytest.fixture
async def client(settings_for: Callable[..., ImportSettings]) -> AsyncIterator[FeedbackClient]:
    # With aiohttp's own request, which is what aioresponses looks at.
    settings = settings_for(Path("unused.csv"), base_url=BASE, retry_after_max=60.0, trust_env=True)
    async with FeedbackClient(settings, ApiKey(KEY), wall=lambda: 0.0) as client:
        yield client


@pytest.mark.parametrize(
    ("rating", "comment", "body"),
    [
        (Meaning.POSITIVE, None, {"rating": "POSITIVE"}),
        (Meaning.NEGATIVE, "no", {"rating": "NEGATIVE", "comment": "no"}),
        (Meaning.CLEAR, None, {"rating": None}),
        (None, '"NA"\n\x00\u202e👍', {"comment": '"NA"\n\x00\u202e👍'}),
    ],
)
def test_the_body_has_just_the_keys_that_are_set(
    rating: Meaning | None, comment: str | None, body: dict[str, object]
) -> None:
    assert json.loads(encode_body(Feedback(1, conversation(1), rating, comment))) == body


async def test_a_put_carries_the_key_and_the_documented_path(client: FeedbackClient) -> None:
    sent: dict[str, Any] = {}

    def answer(url: URL, **kwargs: Any) -> CallbackResult:
        sent.update(url=str(url), **kwargs)
        return CallbackResult(status=409, response_class=Response)

    with aioresponses() as service:
        service.put(URL_OF_ROW, callback=answer)
        await client.put(FEEDBACK)
    assert sent["url"] == URL_OF_ROW
    assert json.loads(sent["data"]) == {"rating": "POSITIVE", "comment": "good"}
    assert sent["allow_redirects"] is False


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, VerdictKind.TURNED_AWAY),
        (401, VerdictKind.KEY_REFUSED),
        (404, VerdictKind.REFUSED),
        (409, VerdictKind.NOT_COMPLETED),
        (422, VerdictKind.REFUSED),
        (429, VerdictKind.TRANSIENT),
        (503, VerdictKind.TRANSIENT),
    ],
)
async def test_a_refusal_is_a_verdict_with_the_services_words_but_never_the_key(
    client: FeedbackClient, status: int, kind: VerdictKind
) -> None:
    with aioresponses() as service:
        service.put(
            URL_OF_ROW, status=status, body=f"X-API-Key {KEY} is bad", response_class=Response
        )
        verdict = await client.put(FEEDBACK)
    assert verdict.kind is kind
    assert verdict.http_status == status
    assert verdict.detail == f"{status}: X-API-Key [API key] is bad"


@pytest.mark.parametrize(("header", "seconds"), [("3", 3.0), ("86400", 60.0), ("nonsense", None)])
async def test_retry_after_is_read_and_capped(
    client: FeedbackClient, header: str, seconds: float | None
) -> None:
    with aioresponses() as service:
        service.put(
            URL_OF_ROW, status=429, headers={"Retry-After": header}, response_class=Response
        )
        assert (await client.put(FEEDBACK)).retry_after == seconds


@pytest.mark.parametrize(
    ("error", "late"),
    [
        (aiohttp.ServerDisconnectedError(), False),
        (ConnectionResetError(104, "reset"), False),
        (aiohttp.ConnectionTimeoutError(), False),
        (aiohttp.SocketTimeoutError(), True),
        (TimeoutError(), True),
    ],
)
async def test_no_answer_is_transient_and_a_time_out_may_take_effect_late(
    client: FeedbackClient, error: Exception, late: bool
) -> None:
    with aioresponses() as service:
        service.put(URL_OF_ROW, exception=error)
        verdict = await client.put(FEEDBACK)
    assert verdict.kind is VerdictKind.TRANSIENT
    assert verdict.late is late
    assert verdict.detail


async def test_answers_are_read_to_a_bound_and_connections_used_again(
    settings_for: Callable[..., ImportSettings],
) -> None:
    """Over a real socket: a large error body is no reason for a new connection, a huge one is."""
    sizes = iter([100, ANSWER_LIMIT // 2, ANSWER_LIMIT // 2, 50 * ANSWER_LIMIT, 100])
    peers: list[object] = []

    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.append(request.transport.get_extra_info("peername"))
        return web.Response(status=422, body=b"x" * next(sizes))

    async with serve(answer) as url:
        settings = settings_for(Path("unused.csv"), base_url=url)
        async with FeedbackClient(settings, ApiKey(KEY)) as client:
            verdicts = [await client.put(FEEDBACK) for _ in range(5)]
    assert [verdict.http_status for verdict in verdicts] == [422] * 5
    assert len(set(peers[:4])) == 1
    assert len(set(peers)) == 2


async def test_a_certificate_is_trusted_only_if_its_authority_is(
    settings_for: Callable[..., ImportSettings], tmp_path: Path
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=409)

    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    kinds = []
    async with serve(answer, tls) as url:
        for trusted in (None, ca_file):
            settings = settings_for(Path("unused.csv"), base_url=url, ca_file=trusted)
            async with FeedbackClient(settings, ApiKey(KEY)) as client:
                kinds.append((await client.put(FEEDBACK)).kind)
    assert kinds == [VerdictKind.UNTRUSTED, VerdictKind.NOT_COMPLETED]
