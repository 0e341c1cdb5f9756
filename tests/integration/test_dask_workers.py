"""One job on real worker processes, which are killed and stopped, and on a cluster."""

import asyncio
import gc
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from importer.api import run_import
from importer.distributed import dask_crew
from importer.engine.control import Control
from importer.engine.progress import Observer, Progress
from importer.errors import SettingsError
from importer.model import OutcomeKind, RunEnd
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings
from tests.oracle.service import KEY, Service
from tests.support.data import PRODUCT, conversation, write_csv
from tests.support.processes import arguments, children
from tests.support.sandbox_process import SandboxProcess

distributed = pytest.importorskip("distributed")

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
Make = Callable[..., ImportSettings]


def rows(path: Path, number: int) -> Path:
    return write_csv(path, [(conversation(n), "POSITIVE", "") for n in range(number)])


class Signaller(Observer):
    """Sends a signal to one worker process, once `is_time`."""

    def __init__(self, number: signal.Signals, is_time: Callable[[Progress], bool]) -> None:
        self._before = children()
        self._number = number
        self._is_time = is_time
        self.pid = 0
        self.notices: list[str] = []

    def progressed(self, progress: Progress) -> None:
        if not self.pid and self._is_time(progress):
            self.pid = self.workers()[-1]
            os.kill(self.pid, self._number)

    def noticed(self, message: str) -> None:
        self.notices.append(message)

    def workers(self) -> list[int]:
        """Return the worker processes that were started since."""
        return [pid for pid in children() - self._before if "spawn_main" in arguments(pid)]


async def test_a_worker_that_is_killed_loses_nothing_and_no_process_stays(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    path = rows(tmp_path / "in.csv", 500)
    settings = settings_for(path, base_url=sandbox.url, workers=2, rate=200.0)
    killer = Signaller(signal.SIGKILL, lambda now: now.settled_now > 100 and len(now.workers) == 2)

    summary = await run_import(settings, api_key="any", observers=[killer])

    assert summary.end is RunEnd.FINISHED
    assert summary.outcomes[OutcomeKind.SUCCEEDED] == len(sandbox.feedback) == 500
    assert any("is lost" in notice for notice in killer.notices)
    assert not killer.workers()


async def test_a_worker_that_was_stopped_sends_nothing_when_it_wakes(
    settings_for: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importer.distributed.seat.LEASE", 1.0)
    monkeypatch.setattr("importer.distributed.crew_keeper.LOST_AFTER", 2.0)
    monkeypatch.setattr("importer.distributed.crew_keeper._LONGEST_EXCHANGE", 1.0)
    monkeypatch.setattr("importer.distributed.crew_keeper.ALONE", 2.0)
    path, service = rows(tmp_path / "in.csv", 600), Service()
    service.start()
    settings = settings_for(path, base_url=service.url, workers=1, rate=100.0)
    told: list[int] = []

    class Waker(Signaller):
        def noticed(self, message: str) -> None:
            super().noticed(message)
            if "is lost" in message:
                told.append(service.count)
                os.kill(self.pid, signal.SIGCONT)

    waker = Waker(signal.SIGSTOP, lambda now: now.settled_now > 50)
    try:
        summary = await run_import(settings, api_key=KEY, observers=[waker])

        assert summary.end is RunEnd.NO_WORKERS
        assert told == [service.count]

        # The same command goes on without workers.
        summary = await run_import(settings_for(path, base_url=service.url), api_key=KEY)
        assert summary.end is RunEnd.FINISHED
        assert len(service.state) == 600
    finally:
        await anyio.to_thread.run_sync(service.close)


def start(address: str, path: Path, *options: str) -> subprocess.Popen[str]:
    """Start the command, in a process group of its own."""
    command = [
        sys.executable, "-m", "importer", "run", str(path), "--product-id", PRODUCT,
        "--base-url", address, "--rate", "100", "--late-effect", "1s", *options,
    ]  # fmt: skip
    return subprocess.Popen(
        command, env={**os.environ, "CLARITYQ_API_KEY": "any"}, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_for_all_processes_while_workers_start_is_heard_by_the_command_alone(
    tmp_path: Path, number: signal.Signals
) -> None:
    process = start("http://127.0.0.1:9", rows(tmp_path / "in.csv", 4), "--workers", "2")
    while not (workers := [p for p in children(process.pid) if "spawn_main" in arguments(p)]):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    time.sleep(0.2)  # within the imports of the first one
    os.killpg(process.pid, number)

    _, told = process.communicate(timeout=60)

    assert process.returncode == 128 + number, told
    first, error, again = told.splitlines()
    assert "stopping; press Ctrl-C again to quit now" in first
    assert error == "Error: stopped while workers started: nothing was sent"
    assert again.startswith("To begin again: clarityq-import run ")
    assert not [pid for pid in workers if "spawn_main" in arguments(pid)]


async def test_a_worker_that_is_killed_while_it_starts_is_named(
    settings_for: Make, tmp_path: Path
) -> None:
    before = children()
    settings = settings_for(rows(tmp_path / "in.csv", 4), base_url="http://127.0.0.1:9", workers=2)

    async def kill_one() -> None:
        while True:
            for pid in children() - before:
                if "spawn_main" in arguments(pid):
                    return os.kill(pid, signal.SIGKILL)
            await anyio.sleep(0.01)

    async with anyio.create_task_group() as killing:
        killing.start_soon(kill_one)
        with pytest.raises(SettingsError, match=r"not be started \(SIGKILL ended the process"):
            await run_import(settings, api_key="any")


def test_ctrl_c_for_all_processes_and_a_kill_of_the_command_leave_nothing_behind(
    tmp_path: Path,
) -> None:
    sandbox = SandboxProcess()
    path = rows(tmp_path / "in.csv", 400)

    def when_stored(number: int, process: subprocess.Popen[str]) -> set[int]:
        """Return the processes that the command has started, once so many rows are stored."""
        while len(sandbox.stored()) < number:
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        return children(process.pid)

    try:
        stopped = start(sandbox.url, path, "--workers", "2")
        left = when_stored(50, stopped)
        os.killpg(stopped.pid, signal.SIGINT)
        _, told = stopped.communicate(timeout=60)
        assert stopped.returncode == 128 + signal.SIGINT, told
        assert "Traceback" not in told

        killed = start(sandbox.url, path, "--workers", "1")
        left |= when_stored(150, killed)
        killed.kill()
        killed.communicate(timeout=60)

        resumed = start(sandbox.url, path)
        _, told = resumed.communicate(timeout=60)
        assert resumed.returncode == 0, told
        assert len(sandbox.stored()) == 400
        assert not [pid for pid in left if "spawn_main" in arguments(pid)]
    finally:
        sandbox.close()


@pytest.fixture
async def plain_cluster() -> AsyncIterator[Any]:
    """Run a cluster within this process, whose connections are not encrypted."""
    async with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, asynchronous=True,
        dashboard_address="127.0.0.1:0", protocol="tcp", host="127.0.0.1",
    ) as cluster:  # fmt: skip
        yield cluster


async def test_the_key_is_not_sent_in_the_clear_and_workers_may_have_their_own(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, plain_cluster: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path = rows(tmp_path / "in.csv", 50)
    settings = settings_for(path, base_url=sandbox.url, cluster=plain_cluster.scheduler_address)
    with pytest.raises(SettingsError, match="not encrypted"):
        await run_import(settings, api_key="any")
    assert not sandbox.feedback

    (tmp_path / "clarityq-api-key").write_text("theirs")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    summary = await run_import(settings, api_key="any")
    assert summary.end is RunEnd.FINISHED
    assert len(sandbox.feedback) == 50


async def test_a_scheduler_file_does_for_an_address(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, plain_cluster: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("CLARITYQ_API_KEY", "theirs")
    file = tmp_path / "scheduler.json"
    file.write_text(json.dumps(plain_cluster.scheduler.identity()), "utf-8")
    path = rows(tmp_path / "in.csv", 20)

    settings = settings_for(path, base_url=sandbox.url, cluster=str(file))
    assert (await run_import(settings, api_key="any")).end is RunEnd.FINISHED

    with pytest.raises(SettingsError, match="no such scheduler file"):
        await run_import(settings_for(path, cluster="other.json"), api_key="any")


async def test_a_cluster_that_cannot_be_used_is_refused_before_anything_is_sent(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, plain_cluster: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path = rows(tmp_path / "in.csv", 20)
    settings = settings_for(path, base_url=sandbox.url, cluster=plain_cluster.scheduler_address)
    mine = tmp_path / "asked for the version of the command"

    def version(_: str) -> str:
        if mine.exists():
            return "0.0.2"
        mine.touch()
        return "0.0.1"

    with monkeypatch.context() as patch:
        patch.setattr(dask_crew, "version", version)
        with pytest.raises(SettingsError, match="install the same version"):
            await run_import(settings, api_key="any")

    plain_cluster.scale(0)
    await plain_cluster
    with pytest.raises(SettingsError, match="has no workers"):
        await run_import(settings, api_key="any")

    monkeypatch.setattr(dask_crew, "_CONNECT", 1)
    nobody = settings_for(path, base_url=sandbox.url, cluster="tcp://127.0.0.1:9")
    with pytest.raises(SettingsError, match="no scheduler answers"):
        await run_import(nobody, api_key="any")
    assert not sandbox.feedback


async def test_a_connection_that_dask_loses_is_nobodys_error(
    settings_for: Make, tmp_path: Path, plain_cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that nobody waits for would fail the test, and a busy machine has lost some."""
    monkeypatch.setenv("CLARITYQ_API_KEY", "theirs")
    logger = logging.getLogger("asyncio")
    level = logger.level

    async def lose() -> None:
        raise OSError("Timed out trying to connect")

    scale = settings_for(tmp_path / "in.csv", cluster=plain_cluster.scheduler_address).scale
    async with dask_crew.dask_crew(scale, Control()) as crew:
        assert len(await crew.addresses()) == 1
        assert logger.level > level
        lost = asyncio.create_task(lose())
        await anyio.sleep(0.01)
        del lost
        gc.collect()
    assert logger.level == level, "the program may want to hear of others"
