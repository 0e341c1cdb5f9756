"""Other systems are told of every run: that it has started, and how it ended."""

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import jsonschema
import pytest
from aiohttp import web
from anyio.from_thread import start_blocking_portal
from click.testing import CliRunner

from importer.api import run_import
from importer.cli.app import cli
from importer.errors import ExitCode, ImporterError, SettingsError
from importer.jobs.product import hold_product
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings
from importer.workflows import publish
from tests.integration.test_unattended import metrics
from tests.support.data import PRODUCT, conversation, write_csv
from tests.support.server import serve

pytestmark = pytest.mark.anyio
Make = Callable[..., ImportSettings]
ROOT = Path(__file__).parents[2]
TOKEN = "moon-water-token"


class Monitor:
    """Keeps what it is told, by the path and query that it was told it at."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.url = ""
        self.status = 204
        self.location = ""

    async def listen(self, request: web.Request) -> web.Response:
        assert "key-that-must-not-leak" not in str(request.headers)
        self.told.append((request.path_qs, await request.text()))
        return web.Response(status=self.status, headers={"Location": self.location})

    @property
    def places(self) -> list[str]:
        return [place for place, _ in self.told]

    @property
    def notices(self) -> list[dict[str, Any]]:
        return [json.loads(text) for place, text in self.told if place.startswith("/hook")]


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    """Run a monitor, on a thread of its own: commands have an event loop for themselves."""
    found = Monitor()
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serve(found.listen)) as found.url,
    ):
        yield found


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "clean.csv", [(conversation(n), "CLEAR", "") for n in range(5)])


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "messy.csv", [(conversation(1), "meh", ""), ("x", "CLEAR", "")])


class Listener:
    """An observer that keeps the notices of a run."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def surveying(self, *_: object) -> None: ...

    def started(self, *_: object) -> None: ...

    def progressed(self, *_: object) -> None: ...

    def noticed(self, message: str) -> None:
        self.heard.append(message)


async def test_a_run_is_told_from_its_start_to_its_end(
    sandbox: Sandbox, settings_for: Make, messy: Path, monitor: Monitor
) -> None:
    settings = settings_for(
        messy, base_url=sandbox.url, notify_url=f"{monitor.url}/hook/{TOKEN}?to=me%20too",
        ping_url=f"{monitor.url}/ping/{TOKEN}?rid=1",
    )  # fmt: skip
    summary = await run_import(settings, api_key="key-that-must-not-leak")

    assert sorted(monitor.places) == [
        f"/hook/{TOKEN}?to=me%20too", f"/hook/{TOKEN}?to=me%20too",
        f"/ping/{TOKEN}/1?rid=1", f"/ping/{TOKEN}/start?rid=1",
    ]  # fmt: skip
    started, failed = monitor.notices
    assert (started["event"], started["inputs"]) == ("started", ["messy.csv"])
    assert failed.pop("event") == "failed"
    schema = json.loads((ROOT / "docs/summary.schema.json").read_text("utf-8"))
    jsonschema.validate(failed, schema, format_checker=jsonschema.FormatChecker())
    assert failed == json.loads((summary.folder / "summary.json").read_text("utf-8"))
    for path in summary.folder.iterdir():
        assert TOKEN.encode() not in path.read_bytes(), "the addresses are secrets"
    assert TOKEN not in repr(settings)


async def test_a_tolerable_end_is_a_success_for_all_that_are_told(
    sandbox: Sandbox, settings_for: Make, messy: Path, monitor: Monitor, tmp_path: Path
) -> None:
    path = tmp_path / "import.prom"
    settings = settings_for(
        messy, base_url=sandbox.url, notify_url=f"{monitor.url}/hook", notify_format="slack",
        ping_url=f"{monitor.url}/ping/", success_codes="0,1,5", metrics_file=path,
    )  # fmt: skip
    summary = await run_import(settings, api_key="any")
    assert summary.exit_code is ExitCode.ROWS_NOT_IMPORTED
    assert {"/ping/start", "/ping/0"} < set(monitor.places)
    text = monitor.notices[-1]["text"]
    assert text.startswith(":white_check_mark: The import of messy.csv ended with exit code 1")
    assert "2 rejected" in text
    assert metrics(path)["clarityq_import_last_success_timestamp_seconds"] == summary.ended_at


@asynccontextmanager
async def a_service_that_refuses() -> AsyncIterator[str]:
    async with Sandbox(key="right") as sandbox:
        yield sandbox.url


async def test_a_refused_key_is_told(
    settings_for: Make, clean: Path, monitor: Monitor, tmp_path: Path
) -> None:
    path = tmp_path / "import.prom"
    async with a_service_that_refuses() as url:
        settings = settings_for(
            clean, base_url=url, metrics_file=path, ping_url=f"{monitor.url}/ping"
        )
        await run_import(settings, api_key="wrong")
    assert monitor.places == ["/ping/start", "/ping/3"]
    assert metrics(path)["clarityq_import_exit_code"] == ExitCode.ABORTED


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ("missing", ExitCode.USAGE, "missing.csv"),
        ("held", ExitCode.JOB_HELD, "is being worked on by process"),
        ("defect", ExitCode.DEFECT, "a defect of the importer (ZeroDivisionError)"),
    ],
)
async def test_a_run_that_cannot_start_is_told_with_code_and_sentence(
    change: str, code: ExitCode, words: str, sandbox: Sandbox, settings_for: Make, clean: Path,
    monitor: Monitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path = tmp_path / "import.prom"
    told: dict[str, Any] = {
        "base_url": sandbox.url, "metrics_file": path, "notify_url": f"{monitor.url}/hook",
        "ping_url": f"{monitor.url}/ping",
    }  # fmt: skip
    good = await run_import(settings_for(clean, **told), api_key="any")
    monitor.told.clear()
    held = (
        contextlib.nullcontext() if change != "held" else hold_product(settings_for(clean, **told))
    )
    settings = settings_for(clean, **told)
    if change == "missing":
        settings = settings_for(tmp_path / "missing.csv", **told)
    if change == "defect":
        monkeypatch.setattr("importer.api.run_import_job", lambda *_, **__: 1 / 0)
    with held, pytest.raises((ImporterError, ZeroDivisionError)):
        await run_import(settings, api_key="any")

    assert {"/ping/start", f"/ping/{int(code)}"} < set(monitor.places)
    failed = monitor.notices[-1]
    assert (failed["event"], failed["exit_code"]) == ("failed", code)
    assert words in failed["message"]
    found = metrics(path)
    assert found["clarityq_import_exit_code"] == code
    assert found["clarityq_import_last_success_timestamp_seconds"] == good.ended_at
    assert "clarityq_import_rows/succeeded" not in found


async def test_a_run_that_is_cancelled_is_told(
    settings_for: Make, clean: Path, monitor: Monitor
) -> None:
    async def hang(_: web.Request) -> web.Response:
        await anyio.sleep_forever()
        raise AssertionError

    async with serve(hang) as url:
        settings = settings_for(clean, base_url=url, ping_url=f"{monitor.url}/ping")
        with anyio.move_on_after(0.3):
            await run_import(settings, api_key="any")
    assert monitor.places == ["/ping/start", "/ping/3"]


def run_command(*arguments: object) -> tuple[int | BaseException, str]:
    """Run the command; return its exit code, or what it raised, and what it has printed."""
    result = CliRunner().invoke(cli, list(map(str, arguments)), standalone_mode=False)
    return result.exception or int(result.return_value or 0), result.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "there is no API key"),
        (["--rate", "fast"], "'fast' is not a number"),
        (["--no-such-option"], "No such option"),
        (["--fault", "5xx=1%"], "--fault is for the sandbox"),
        (["--outcomes", "nowhere.txt"], "nowhere.txt"),
        (["--ratings", "missing.toml"], "missing.toml"),
    ],
)
def test_a_command_that_does_not_come_as_far_as_a_run_is_told(
    options: list[str], words: str, clean: Path, monitor: Monitor, tmp_path: Path
) -> None:
    raised, printed = run_command(
        "run", clean, *options, "--product-id", PRODUCT, "--metrics-file", tmp_path / "import.prom",
        "--ping-url", f"{monitor.url}/{TOKEN}", "--notify-url", f"{monitor.url}/hook?{TOKEN}",
    )  # fmt: skip
    assert isinstance(raised, Exception)
    assert TOKEN not in f"{raised} {printed}"
    assert f"/{TOKEN}/2" in monitor.places
    assert words in monitor.notices[-1]["message"]
    assert metrics(tmp_path / "import.prom")["clarityq_import_exit_code"] == ExitCode.USAGE


@pytest.mark.parametrize(
    ("config", "variable"),
    [
        ('[exports]\nping_url = "{url}"\n[pacing]\nspeed = 3', None),
        ('ping_url = "{url}"\nrate = "fast"', None),
        ('ping_url = "{url}"', "CLARITYQ_RAET"),
        ("", "CLARITYQ_RATE"),
    ],
)
def test_what_is_wrong_in_a_file_or_the_environment_is_told(
    config: str, variable: str | None, clean: Path, monitor: Monitor, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    file = tmp_path / "nightly.toml"
    file.write_text(config.format(url=monitor.url), "utf-8")
    if variable is not None:
        monkeypatch.setenv(variable, "fast")
    if not config:
        monkeypatch.setenv("CLARITYQ_PING_URL", monitor.url)
    raised, _ = run_command("run", clean, "--product-id", PRODUCT, "--config", file)
    assert isinstance(raised, Exception)
    assert monitor.places == ["/2"]


@pytest.mark.parametrize("command", [["batch", "missing.toml"], ["retry", "missing"]])
def test_the_other_commands_tell_as_well(
    command: list[str], monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLARITYQ_PING_URL", monitor.url)
    run_command(*command)
    assert monitor.places == ["/2"]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_run_that_is_stopped_while_it_waits_for_its_key_is_told(
    clean: Path, monitor: Monitor, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("it is ignored, as under nohup")
    asked = tmp_path / "asked"
    vault = tmp_path / "vault"
    vault.write_text(f"#!/bin/sh\ntouch {asked}\nsleep 60\n")
    vault.chmod(0o700)
    process = subprocess.Popen(
        [sys.executable, "-m", "importer", "run", str(clean), "--product-id", PRODUCT,
         "--api-key-command", str(vault), "--ping-url", f"{monitor.url}/ping"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not asked.exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(number)
    assert process.communicate()[1] == "Error: stopped before anything was sent\n"
    assert process.returncode == code
    assert monitor.places == [f"/ping/{code}"]


def test_a_batch_tells_of_an_import_whose_options_are_wrong(
    clean: Path, monitor: Monitor, tmp_path: Path
) -> None:
    file = tmp_path / "batch.toml"
    file.write_text(
        f'product_id = "{PRODUCT}"\nping_url = "{monitor.url}"\nsandbox = true\n'
        f'[[import]]\ninput = "{clean}"\nrate = "fast"\n[[import]]\ninput = "{clean}"\n',
        "utf-8",
    )
    assert run_command("batch", file)[0] == ExitCode.USAGE
    assert monitor.places == ["/log", "/log", "/log"], "it is a rehearsal"
    file.write_text(file.read_text("utf-8").replace("sandbox = true\n", ""), "utf-8")
    monitor.told.clear()
    assert run_command("batch", file)[0] == ExitCode.USAGE
    assert monitor.places == ["/2", "/2"], "there is no key"


async def test_a_rehearsal_says_so_and_is_no_sign_of_life_for_a_monitor(
    settings_for: Make, clean: Path, monitor: Monitor
) -> None:
    settings = settings_for(
        clean, sandbox=True, notify_url=f"{monitor.url}/hook", ping_url=f"{monitor.url}/ping"
    )
    await run_import(settings)
    assert [one["rehearsal"] for one in monitor.notices] == [True, True]
    pings = [(place, text) for place, text in monitor.told if place.startswith("/ping")]
    assert [place for place, _ in pings] == ["/ping/log", "/ping/log"]
    assert all(text.startswith("REHEARSAL: ") for _, text in pings)


async def test_nobody_who_is_told_can_fail_a_run_or_hold_it_up(
    sandbox: Sandbox, settings_for: Make, clean: Path, monitor: Monitor, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(publish, "_LONGEST", 0.3)
    over = threading.Event()
    monkeypatch.setattr(publish, "_write_metrics", lambda *_: over.wait(60) and "")
    monitor.status, monitor.location = 302, f"{monitor.url}/elsewhere"
    listener = Listener()
    settings = settings_for(
        clean, base_url=sandbox.url, metrics_file=tmp_path / "x" / "import.prom",
        notify_url=f"{monitor.url}/hook/{TOKEN}", ping_url=f"http://127.0.0.1:9/{TOKEN}",
    )  # fmt: skip
    summary = await run_import(settings, api_key="any", observers=[listener])
    over.set()
    assert summary.exit_code is ExitCode.OK
    assert "/elsewhere" not in monitor.places
    heard = " ".join(listener.heard)
    assert listener.heard[0].startswith(f"--metrics-file {tmp_path / 'x'}"), "before the run"
    assert "--metrics-file has taken longer than 0.3 s" in heard
    assert "--notify-url answered 302" in heard
    assert "--ping-url could not be notified: Connection refused" in heard
    assert TOKEN not in heard


@pytest.mark.parametrize(
    "url",
    [
        f"http://example.com/{TOKEN}", f"https://me:{TOKEN}@example.com", f"ftp://x/{TOKEN}",
        f"https://example.com/#{TOKEN}", f"https://example.com/a {TOKEN}", f"https://h:x/{TOKEN}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("option", ["notify_url", "ping_url"])
def test_an_address_that_cannot_be_used_is_refused_and_not_shown(
    option: str, url: str, settings_for: Make, clean: Path
) -> None:
    with pytest.raises(SettingsError, match=option) as caught:
        settings_for(clean, **{option: url})
    assert TOKEN not in str(caught.value)
