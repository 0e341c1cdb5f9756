"""One job on real worker processes of this machine, one of which is killed."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from importer.api import run_import
from importer.engine.progress import Observer, Progress
from importer.model import OutcomeKind, RunEnd
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings
from tests.support.data import conversation, write_csv

pytest.importorskip("distributed")

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


def children() -> set[int]:
    """Return the processes that this one has started."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        found |= {int(pid) for pid in (task / "children").read_text().split()}
    return found


def arguments(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


class Killer(Observer):
    """Kills one worker process when some rows are done."""

    def __init__(self, before: set[int]) -> None:
        self._before = before
        self.killed = 0
        self.notices: list[str] = []

    def progressed(self, progress: Progress) -> None:
        if not self.killed and progress.settled_now > 100 and len(progress.workers) == 2:
            workers = [pid for pid in children() - self._before if b"spawn_main" in arguments(pid)]
            self.killed = workers[-1]
            os.kill(self.killed, signal.SIGKILL)

    def noticed(self, message: str) -> None:
        self.notices.append(message)


async def test_a_worker_that_is_killed_loses_nothing_and_no_process_stays(
    sandbox: Sandbox, settings_for: Callable[..., ImportSettings], tmp_path: Path
) -> None:
    before = children()
    path = write_csv(tmp_path / "in.csv", [(conversation(n), "POSITIVE", "") for n in range(900)])
    settings = settings_for(path, base_url=sandbox.url, workers=2, rate=200.0)
    killer = Killer(before)

    summary = await run_import(settings, api_key="any", observers=[killer])

    assert summary.end is RunEnd.FINISHED
    assert summary.outcomes[OutcomeKind.SUCCEEDED] == len(sandbox.feedback) == 900
    assert any("is lost" in notice for notice in killer.notices)
    left = {pid for pid in children() - before if b"spawn_main" in arguments(pid)}
    assert not left
