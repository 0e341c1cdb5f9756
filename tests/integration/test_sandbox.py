"""The sandbox is as strict as the service, and does wrong only when told to."""

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import aiohttp
import pytest
import schemathesis
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, settings

from importer.errors import SettingsError
from importer.sandbox.faults import Faults
from importer.sandbox.server import Sandbox
from tests.support.data import PRODUCT, conversation

DOCUMENT = json.loads(files("importer.sandbox").joinpath("openapi.json").read_text("utf-8"))
schema = schemathesis.openapi.from_dict(DOCUMENT)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Sandbox(key="any")) as sandbox,
    ):
        yield sandbox.url


@schema.parametrize()
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_it_keeps_to_its_own_description(case: schemathesis.Case[Any], url: str) -> None:
    case.call_and_validate(base_url=url, headers={"X-API-Key": "any"})


async def put(sandbox: Sandbox, body: bytes, path: str = "", **headers: str) -> tuple[int, str]:
    path = path or f"/api/v1/products/{PRODUCT}/conversations/{conversation(1)}/feedback"
    async with (
        aiohttp.ClientSession() as session,
        session.put(
            sandbox.url + path, data=body, headers={"X-API-Key": "any", **headers}
        ) as response,
    ):
        return response.status, await response.text()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"rating": "POSITIVE"}', 200),
        (b'{"rating": null}', 200),
        (b'{"comment": "x", "more": 1}', 200),
        (b'{"rating": "positive"}', 422),
        (b'{"comment": null}', 422),
        (b"{}", 422),
        (b"[]", 422),
        (b"{", 422),
        (b'{"comment": 5}', 422),
        (json.dumps({"comment": "x" * 2000}).encode(), 200),
        (json.dumps({"comment": "x" * 2001}).encode(), 422),
    ],
)
async def test_it_accepts_what_the_service_accepts(
    sandbox: Sandbox, body: bytes, status: int
) -> None:
    found, text = await put(sandbox, body)
    assert found == status
    if status == 422:
        assert {"loc", "msg", "type"} <= json.loads(text)["detail"][0].keys()


@pytest.mark.anyio
async def test_a_put_replaces_all_of_the_feedback(sandbox: Sandbox) -> None:
    await put(sandbox, b'{"rating": "POSITIVE", "comment": "x"}')
    await put(sandbox, b'{"comment": "y"}')
    assert sandbox.feedback[conversation(1)][:2] == (None, "y")


@pytest.mark.anyio
async def test_it_refuses_a_missing_key_and_a_path_that_is_no_uuid(sandbox: Sandbox) -> None:
    assert (await put(sandbox, b"{}", **{"X-API-Key": ""}))[0] == 401
    wrong = f"/api/v1/products/{PRODUCT}/conversations/7/feedback"
    status, text = await put(sandbox, b'{"rating": null}', wrong)
    assert status == 422
    assert json.loads(text)["detail"][0]["loc"] == ["path", "conversation_id"]


@pytest.mark.parametrize(
    "text", ["nonsense=1%", "5xx", "5xx=200%", "5xx=1%:2s", "rate=0", "latency=fast", "seed=x"]
)
def test_a_fault_that_is_not_understood_is_an_error(text: str) -> None:
    with pytest.raises(SettingsError, match="--fault"):
        Faults.parse([text])


def test_faults_are_read_from_text() -> None:
    faults = Faults.parse(["not-completed=5%:10min", "429=1%:2s", "reset-after=0.005", "rate=500"])
    assert faults == Faults(
        not_completed=0.05, completes_after=600, too_many=0.01, retry_after=2,
        reset_after=0.005, rate_limit=500,
    )  # fmt: skip
