"""What the importer's own machine can do to a job: a full disk, folders, the clock."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from importer.clarityq.api_key import ApiKey
from importer.engine.clock import Clock
from importer.engine.control import Control
from importer.model import OutcomeKind, RunEnd
from importer.sandbox.faults import Faults
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings
from importer.workflows.import_job import run_import_job
from tests.support.data import PRODUCT, conversation, write_csv

pytestmark = pytest.mark.slow

Make = Callable[..., ImportSettings]


def run_with_disk_of(size: int, path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run an import whose files can hold `size` bytes each."""
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    # The limit holds for every file: a measurement of coverage would meet it as well.
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    return subprocess.run(
        [sys.executable, "-m", "importer", "run", str(path), "--product-id", PRODUCT, "--sandbox",
         *options],
        capture_output=True, text=True, check=False, preexec_fn=limit, env=env,
    )  # fmt: skip


def test_a_full_disk_ends_the_run_and_nothing_recorded_is_lost(tmp_path: Path) -> None:
    rows = [(conversation(n), "POSITIVE", "") for n in range(8000)]
    path = write_csv(tmp_path / "in.csv", rows)
    full = run_with_disk_of(200_000, path)
    assert full.returncode == 3, full.stderr
    assert "Free some disk space" in full.stderr
    assert "Traceback" not in full.stderr

    (folder,) = Path("clarityq-jobs").glob("in-*-1")
    free = run_with_disk_of(10**9, path)
    assert free.returncode == 0, free.stderr
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["runs"] == 2
    assert summary["outcomes"]["succeeded"] == summary["puts"] == 8000


def test_a_disk_that_is_full_for_the_left_over_rows_is_told_and_they_are_written_later(
    tmp_path: Path,
) -> None:
    rows = [(conversation(n), "POSITIVE", "x" * 2001) for n in range(300)]
    path = write_csv(tmp_path / "in.csv", [*rows, (conversation(1), "POSITIVE", "")])
    full = run_with_disk_of(300_000, path)
    assert full.returncode == 3, full.stderr
    assert "rejected.csv cannot be written" in full.stderr

    free = run_with_disk_of(10**9, path)
    assert free.returncode == 1, free.stderr
    (left_over,) = Path("clarityq-jobs").glob("in-*-1/rejected.csv")
    assert left_over.read_text().count("comment_too_long") == 300


def test_a_jobs_folder_that_cannot_be_written_is_told_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "POSITIVE", "")])
    read_only = tmp_path / "read-only"
    read_only.mkdir(mode=0o500)
    # For the superuser every folder can be written, but for those of the kernel.
    for folder in [Path("/proc/jobs"), *([read_only] if os.geteuid() else [])]:
        done = run_with_disk_of(10**9, path, "--jobs-dir", str(folder))
        assert done.returncode == 2
        assert str(folder) in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.anyio
@pytest.mark.parametrize("sandbox", [Faults(not_completed=1.0, completes_after=0.3)], indirect=True)
async def test_a_clock_that_is_set_back_between_runs_makes_no_row_wait_for_a_day(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "POSITIVE", "")])
    settings = settings_for(path, base_url=sandbox.url, defer_for=3600.0)
    control = Control()

    class StopOnceDeferred:
        def surveying(self, *_: object) -> None: ...
        def started(self, *_: object) -> None: ...
        def noticed(self, _: str) -> None: ...
        def progressed(self, _: object) -> None:
            if sandbox.statuses[409]:
                control.cancel(RunEnd.SIGTERM)

    tomorrow = Clock(wall=lambda: time.time() + 24 * 3600)
    await run_import_job(
        settings, ApiKey("any"), control=control, observers=[StopOnceDeferred()], clock=tomorrow
    )
    summary = await run_import_job(settings, ApiKey("any"))
    assert summary.outcomes[OutcomeKind.SUCCEEDED] == 1
