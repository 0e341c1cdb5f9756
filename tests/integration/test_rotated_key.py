"""A key that is rotated while a run lasts is read once more, by one request for all."""

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from importer.api import run_import
from importer.clarityq.api_key import ApiKey
from importer.clarityq.key_sources import key_from_file
from importer.clarityq.responses import VerdictKind
from importer.clarityq.rotating_client import RotatingClient
from importer.engine.progress import Observer
from importer.errors import ExitCode
from importer.model import Feedback, Meaning, OutcomeKind, RunEnd
from importer.reporting.summary import Summary
from importer.settings import ImportSettings
from tests.support.data import conversation, write_csv
from tests.support.server import serve

pytestmark = pytest.mark.anyio
Make = Callable[..., ImportSettings]


class Service:
    """Accepts one key, which it changes after so many requests, together with its file."""

    def __init__(self, file: Path, *, new: str, after: int, refusal: int = 401) -> None:
        self.key = "first"
        self.file = file
        self.file.write_text(self.key, "utf-8")
        self.new, self.after = new, after
        self.refusal = refusal
        self.refused = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.after -= 1
        if self.after == 0:
            self.key = "second"
            self.file.write_text(self.new, "utf-8")
        if request.headers["X-API-Key"] != self.key:
            self.refused += 1
            return web.json_response({"detail": "no"}, status=self.refusal)
        if request.method == "GET":
            return web.json_response({"status": "COMPLETED"})
        body = await request.json()
        stored = {"conversation_id": request.path.split("/")[-2], "updated_at": "2026-01-01"}
        return web.json_response({**stored, "rating": body["rating"], "comment": None})


class Heard(Observer):
    """Keeps what a run tells of what happens."""

    def __init__(self) -> None:
        self.notices: list[str] = []

    def noticed(self, message: str) -> None:
        self.notices.append(message)


async def imported_with_another_key(
    settings: ImportSettings, service: Service
) -> tuple[Summary, str]:
    """Import 200 rows, and return what is told of the key that is another one meanwhile."""
    heard = Heard()
    key = key_from_file(service.file)
    summary = await run_import(settings, api_key=key, observers=[heard])
    assert (summary.exit_code, summary.outcomes[OutcomeKind.SUCCEEDED]) == (ExitCode.OK, 200)
    (told,) = heard.notices
    assert "--api-key-file holds another one now" in told
    return summary, told


async def test_a_run_goes_on_with_the_key_that_its_file_holds_now(
    settings_for: Make, tmp_path: Path
) -> None:
    rows = [(conversation(n), "POSITIVE", "") for n in range(200)]
    service = Service(tmp_path / "key", new="second", after=60)
    async with serve(service.answer) as url:
        settings = settings_for(write_csv(tmp_path / "rows.csv", rows), base_url=url)
        summary, told = await imported_with_another_key(settings, service)
    assert "second" not in told
    assert 1 <= service.refused <= settings.pacing.concurrency
    assert summary.puts == 200 + service.refused


@pytest.mark.parametrize("concurrency", [1, 16])
@pytest.mark.parametrize("after", [60, 195])
async def test_so_does_a_run_whose_old_key_is_forbidden(
    settings_for: Make, tmp_path: Path, concurrency: int, after: int
) -> None:
    rows = [(conversation(n), "POSITIVE", "") for n in range(200)]
    service = Service(tmp_path / "key", new="second", after=after, refusal=403)
    async with serve(service.answer) as url:
        settings = settings_for(
            write_csv(tmp_path / "rows.csv", rows), base_url=url, concurrency=concurrency
        )
        await imported_with_another_key(settings, service)


@pytest.mark.parametrize("refusal", [401, 403])
@pytest.mark.parametrize(
    ("new", "why"),
    [
        ("first", "--api-key-file still holds the same one"),
        ("", "could not be read again: the file that --api-key-file names is empty"),
    ],
)
async def test_a_run_ends_if_the_file_holds_no_new_key(
    settings_for: Make, tmp_path: Path, new: str, why: str, refusal: int
) -> None:
    rows = [(conversation(n), "POSITIVE", "") for n in range(200)]
    service = Service(tmp_path / "key", new=new, after=60, refusal=refusal)
    async with serve(service.answer) as url:
        settings = settings_for(write_csv(tmp_path / "rows.csv", rows), base_url=url)
        heard = Heard()
        key = key_from_file(service.file)
        summary = await run_import(settings, api_key=key, observers=[heard])
    assert (summary.end, summary.outcomes[OutcomeKind.FAILED]) == (RunEnd.KEY_REFUSED, 0)
    assert [why in told for told in heard.notices] == [True]


def feedback(n: int) -> Feedback:
    return Feedback(n, conversation(n), Meaning.POSITIVE, None)


def source(*texts: str) -> tuple[ApiKey, list[str]]:
    """Return a key that is read from these texts in turn, and those that are left."""
    left = list(texts)
    return ApiKey(left.pop(0), "", lambda: left.pop(0)), left


async def test_of_requests_that_are_refused_together_one_reads_the_key(
    settings_for: Make, tmp_path: Path
) -> None:
    key, left = source("first", "second", "third")
    service = Service(tmp_path / "key", new="", after=2)
    kinds = []
    async with (
        serve(service.answer) as url,
        RotatingClient(settings_for(Path("unused.csv"), base_url=url), key) as client,
    ):
        kinds.append((await client.put(feedback(0))).kind)

        async def put(n: int) -> None:
            kinds.append((await client.put(feedback(n))).kind)

        async with anyio.create_task_group() as tasks:
            for n in range(1, 6):
                tasks.start_soon(put, n)
    assert set(kinds) == {VerdictKind.APPLIED}
    assert left == ["third"]


async def test_a_key_that_was_never_accepted_is_not_read_again(
    settings_for: Make, tmp_path: Path
) -> None:
    key, left = source("wrong", "first")
    service = Service(tmp_path / "key", new="", after=0)
    async with (
        serve(service.answer) as url,
        RotatingClient(settings_for(Path("unused.csv"), base_url=url), key) as client,
    ):
        assert (await client.put(feedback(0))).kind is VerdictKind.KEY_REFUSED
    assert left == ["first"]
