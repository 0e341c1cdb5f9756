"""`--status-listen`: how a run stands, over a real socket, while it lasts."""

import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from importer.api import run_import
from importer.engine.control import Control
from importer.engine.progress import Progress
from importer.errors import ExitCode, SettingsError
from importer.model import RunEnd
from importer.sandbox.faults import Faults
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings
from importer.sources.base import RowSource
from importer.survey.progress import SurveyProgress
from importer.workflows import import_job
from importer.workflows.open_inputs import open_inputs
from tests.support.data import PRODUCT, conversation, write_csv

pytestmark = pytest.mark.anyio
Make = Callable[..., ImportSettings]


class Notices:
    """An observer that learns where the status is served, and whether only deferred rows wait."""

    def __init__(self) -> None:
        self.url = ""
        self.waits = anyio.Event()

    def surveying(self, progress: SurveyProgress) -> None: ...

    def started(self, folder: Path, settings: ImportSettings, already_settled: int) -> None: ...

    def progressed(self, progress: Progress) -> None:
        if progress.only_deferred:
            self.waits.set()

    def noticed(self, message: str) -> None:
        if "is shown at " in message:
            self.url = message.rpartition(" ")[2]


def fetched(url: str, method: str = "GET") -> tuple[int, str, str]:
    """Return the status, the type and the text of a response."""
    request = urllib.request.Request(url, method=method)  # noqa: S310 -- loopback
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            return response.status, response.headers["Content-Type"], response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


@pytest.mark.parametrize("sandbox", [Faults(not_completed=0.5, completes_after=600)], indirect=True)
async def test_a_run_shows_how_it_stands_and_nothing_of_what_it_sends(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    rows = [(conversation(n), "POSITIVE", "moon water") for n in range(100)]
    path = write_csv(tmp_path / "in <b>.csv", [*rows, ("bad", "stars above", "")])
    settings = settings_for(
        path, base_url=sandbox.url, defer_first=60.0, defer_max=60.0, defer_for=600.0,
        status_listen="127.0.0.1:0",
    )  # fmt: skip
    control, notices = Control(), Notices()
    async with anyio.create_task_group() as running:

        async def run() -> None:
            await run_import(settings, api_key="open-sesame", control=control, observers=[notices])

        running.start_soon(run)
        await notices.waits.wait()
        found = {
            path: await anyio.to_thread.run_sync(fetched, notices.url + path)
            for path in ("", "metrics", "healthz", "jobs", "%2e%2e/etc/passwd")
        }
        assert (await anyio.to_thread.run_sync(fetched, notices.url, "POST"))[0] == 405
        control.stop(RunEnd.SIGTERM)
    status, kind, page = found[""]
    assert (status, kind) == (200, "text/html; charset=utf-8")
    assert 'http-equiv="refresh"' in page
    assert "in &lt;b&gt;.csv" in page
    assert "only deferred rows are left" in page
    assert "rejected: bad conversation id" in page
    status, kind, metrics = found["metrics"]
    assert (status, kind.partition(";")[0]) == (200, "text/plain")
    assert f'clarityq_import_rows{{outcome="rejected",product_id="{PRODUCT}"}} 1.0' in metrics
    assert f'clarityq_import_up{{product_id="{PRODUCT}"}} 1.0' in metrics
    status, _, health = found["healthz"]
    assert (status, health.startswith("Waiting: only deferred rows are left")) == (200, True)
    assert found["jobs"][0] == found["%2e%2e/etc/passwd"][0] == 404
    said = page + metrics + health
    for secret in ("moon water", "open-sesame", "stars above", conversation(1), str(tmp_path)):
        assert secret not in said
    with pytest.raises(urllib.error.URLError):
        fetched(notices.url)


async def test_it_is_shown_also_while_inputs_on_a_slow_disk_are_opened(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "POSITIVE", "")])
    notices, seen = Notices(), list[int]()

    def slowly_opened(settings: ImportSettings) -> Sequence[RowSource]:
        seen.append(fetched(f"{notices.url}healthz")[0])
        return open_inputs(settings)

    monkeypatch.setattr(import_job, "open_inputs", slowly_opened)
    settings = settings_for(path, base_url=sandbox.url, status_listen="127.0.0.1:0")
    await run_import(settings, api_key="any", observers=[notices])
    assert seen == [200]


async def test_an_address_at_which_nothing_can_listen_ends_the_run_before_it_begins(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "POSITIVE", "")])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        settings = settings_for(path, base_url=sandbox.url, status_listen=address)
        with pytest.raises(SettingsError, match="--status-listen: nothing can listen") as error:
            await run_import(settings, api_key="any")
    assert error.value.exit_code is ExitCode.USAGE
    assert sandbox.feedback == {}
    assert not settings.job.jobs_dir.exists()
