"""A run that is killed or stopped, and the one that resumes the job."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from importer.api import run_import
from importer.engine.control import Control
from importer.engine.progress import Progress
from importer.errors import ExitCode, InputChangedError, JobHeldError, JournalError, SettingsError
from importer.jobs.journal_file import FILE_NAME
from importer.jobs.journal_reader import JournalReader
from importer.jobs.product import hold_product
from importer.model import OutcomeKind, RunEnd
from importer.sandbox.faults import Faults
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings
from tests.support.data import PRODUCT, conversation, write_csv
from tests.support.sandbox_process import SandboxProcess

Make = Callable[..., ImportSettings]


@pytest.fixture
def server() -> Iterator[SandboxProcess]:
    running = SandboxProcess(
        "not-completed=10%:1s",
        "5xx=2%",
        "429=2%",
        "reset-before=1%",
        "reset-after=1%",
        "latency=5ms",
    )
    yield running
    running.close()


def start(server: SandboxProcess, path: Path, *options: str) -> subprocess.Popen[str]:
    command = [
        sys.executable, "-m", "importer", "run", str(path), "--product-id", PRODUCT,
        "--base-url", server.url, "--defer-first", "200ms", "--retry-first", "20ms",
        "--late-effect", "100ms", "--concurrency", "16", *options,
    ]  # fmt: skip
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "CLARITYQ_API_KEY": "any"},
    )


class StopWhen:
    """An observer that stops its run once `condition` holds."""

    def __init__(
        self,
        control: Control,
        condition: Callable[[Progress], bool],
        end: RunEnd = RunEnd.SIGTERM,
    ) -> None:
        self.control = control
        self.condition = condition
        self.end = end

    def surveying(self, *_: object) -> None: ...
    def started(self, *_: object) -> None: ...
    def noticed(self, message: str) -> None: ...
    def progressed(self, progress: Progress) -> None:
        if self.condition(progress):
            self.control.stop(self.end)


def settled(job_of: Path) -> int:
    """Return how many rows the only job of a folder has settled; 0 while there is none."""
    for folder in job_of.glob("*-1"):
        try:
            with JournalReader(folder) as journal:  # which is never in the way of the run
                return journal.totals().settled
        except Exception:  # noqa: BLE001 -- not there yet, or not whole
            return 0
    return 0


_HANGS_UP = pytest.mark.skipif(
    signal.getsignal(signal.SIGHUP) is signal.SIG_IGN, reason="it is ignored, as under nohup"
)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        (signal.SIGTERM, 143),
        pytest.param(signal.SIGHUP, 129, marks=_HANGS_UP),
    ],
)
def test_a_signal_stops_in_good_order_and_says_how_to_go_on(
    server: SandboxProcess, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    rows = [(conversation(n), "POSITIVE", "") for n in range(5000)]
    path = write_csv(tmp_path / "in.csv", rows)
    process = start(server, path)
    while not settled(tmp_path / "clarityq-jobs"):
        time.sleep(0.02)
    process.send_signal(number)
    output, _ = process.communicate()
    assert process.returncode == code, output
    assert "To resume: clarityq-import run" in output
    (summary_file,) = (tmp_path / "clarityq-jobs").glob("*/summary.json")
    summary = json.loads(summary_file.read_text())
    assert summary["outcomes"]["pending"] > 0
    assert summary["rows"] == sum(summary["outcomes"].values())
    assert 0 < summary["not_begun"] <= summary["outcomes"]["pending"]
    assert re.search(f"  not begun +{summary['not_begun']:,} ", output)


def test_a_signal_before_the_first_request_speaks_of_none_in_flight(
    server: SandboxProcess, tmp_path: Path
) -> None:
    process = start(server, Path("-"))
    while not list(tmp_path.glob("clarityq-jobs/*/copies/*.part")):
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    output, _ = process.communicate("conversation_id,rating\n")
    assert process.returncode == 143, output
    assert "stopping; press Ctrl-C again to quit now" in output
    assert "in flight" not in output


def test_a_second_signal_stops_at_once_and_keeps_what_was_recorded(tmp_path: Path) -> None:
    server = SandboxProcess("latency=20s")
    try:
        rows = [("bad", "POSITIVE", ""), *((conversation(n), "POSITIVE", "") for n in range(50))]
        process = start(server, write_csv(tmp_path / "in.csv", rows))
        while not settled(tmp_path / "clarityq-jobs"):
            time.sleep(0.02)
        time.sleep(0.5)  # requests go out as soon as the rows are marked
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert process.poll() is None, "the first one waits for what is in flight"
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=15)
    finally:
        server.close()
    assert process.returncode == 143, output
    (summary_file,) = (tmp_path / "clarityq-jobs").glob("*/summary.json")
    assert json.loads(summary_file.read_text())["outcomes"]["rejected"] == 1


def test_only_one_run_at_a_time_holds_a_job(server: SandboxProcess, tmp_path: Path) -> None:
    rows = [(conversation(n), "POSITIVE", "") for n in range(20_000)]
    path = write_csv(tmp_path / "in.csv", rows)
    first = start(server, path)
    while not settled(tmp_path / "clarityq-jobs"):
        time.sleep(0.02)
    second = start(server, path)
    output, _ = second.communicate()
    assert second.returncode == 4, output
    assert f"process {first.pid}" in output
    first.kill()
    first.communicate()
    before = settled(tmp_path / "clarityq-jobs")
    third = start(server, path)
    while settled(tmp_path / "clarityq-jobs") == before and third.poll() is None:
        time.sleep(0.02)
    third.send_signal(signal.SIGINT)
    output, _ = third.communicate()
    assert third.returncode == 130, f"the lock of a killed process blocks nobody: {output}"


def test_a_kill_leaves_no_more_rows_in_doubt_than_were_about_to_be_sent(
    server: SandboxProcess, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(n), "CLEAR", "") for n in range(1500)])
    process = start(server, path, "--rate", "20")
    while not settled(tmp_path / "clarityq-jobs"):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    process.kill()
    process.communicate()
    (folder,) = (tmp_path / "clarityq-jobs").glob("in-*")
    with JournalReader(folder) as journal:
        assert 0 < len({doubt.seq for doubt in journal.doubts()}) <= 100


@pytest.mark.anyio
@pytest.mark.parametrize("sandbox", [Faults(not_completed=1.0, completes_after=1.0)], indirect=True)
async def test_a_deferral_survives_the_end_of_its_run(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "POSITIVE", "")])
    settings = settings_for(path, base_url=sandbox.url, defer_first=0.6, defer_max=0.6)
    control = Control()
    stopped = await run_import(
        settings, api_key="any", control=control,
        observers=[StopWhen(control, lambda progress: progress.only_deferred)],
    )  # fmt: skip
    assert stopped.outcomes[OutcomeKind.PENDING] == 1
    finished = await run_import(settings, api_key="any")
    assert finished.outcomes[OutcomeKind.SUCCEEDED] == 1
    assert finished.puts == 2
    assert sandbox.statuses[409] == 1, "the second run asked for the status before it sent again"


@pytest.mark.anyio
async def test_a_changed_input_is_not_gone_on_with(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    rows = [(conversation(n), "POSITIVE", "") for n in range(3000)]
    path = write_csv(tmp_path / "in.csv", rows)
    settings = settings_for(path, base_url=sandbox.url)
    control = Control()

    stop = StopWhen(control, lambda progress: progress.settled_now > 0)
    await run_import(settings, api_key="any", control=control, observers=[stop])
    write_csv(path, rows[::-1])
    with pytest.raises(InputChangedError, match=r"in\.csv changed since .*--restart"):
        await run_import(settings, api_key="any")
    restarted = await run_import(
        settings_for(path, base_url=sandbox.url, restart=True), api_key="x"
    )
    assert restarted.outcomes[OutcomeKind.SUCCEEDED] == 3000


@pytest.mark.anyio
async def test_a_time_box_that_ends_when_all_is_done_has_stopped_nothing(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "POSITIVE", "")])
    control = Control()
    done = StopWhen(control, lambda progress: progress.settled_now == 1, RunEnd.TIME_BOX)
    summary = await run_import(
        settings_for(path, base_url=sandbox.url), api_key="x", control=control, observers=[done]
    )
    assert control.end is RunEnd.TIME_BOX
    assert (summary.exit_code, summary.next_steps) == (ExitCode.OK, [])


class BreaksAtTheEnd(StopWhen):
    """An observer that raises once its run is stopped and all answers are there."""

    def progressed(self, progress: Progress) -> None:
        super().progressed(progress)
        if self.control.end is not None and not progress.in_flight:
            raise RuntimeError


@pytest.mark.anyio
async def test_what_was_answered_is_recorded_though_an_observer_raises(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importer.engine.journal_writer.INTERVAL", 60.0)  # the end writes the rest
    rows = [(conversation(n), "POSITIVE", "") for n in range(3000)]
    settings = settings_for(write_csv(tmp_path / "in.csv", rows), base_url=sandbox.url)
    control = Control()
    breaks = BreaksAtTheEnd(control, lambda progress: progress.settled_now > 0)
    with pytest.raises(RuntimeError):
        await run_import(settings, api_key="any", control=control, observers=[breaks])
    assert settled(settings.job.jobs_dir) == len(sandbox.feedback)


@pytest.mark.anyio
@pytest.mark.parametrize("damage", ["truncate", "remove"])
async def test_a_lost_or_damaged_journal_is_told_and_not_overwritten(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, damage: str
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "POSITIVE", "")])
    settings = settings_for(path, base_url=sandbox.url)
    summary = await run_import(settings, api_key="any")
    journal = summary.folder / "journal.sqlite"
    if damage == "truncate":
        journal.write_bytes(journal.read_bytes()[:5000])
    else:
        journal.unlink()
    with pytest.raises(SettingsError, match="--restart"):
        await run_import(settings, api_key="any")


@pytest.mark.anyio
async def test_a_job_in_use_is_refused_within_one_process_too(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "POSITIVE", "")])
    settings = settings_for(path, base_url=sandbox.url)

    class TryToOpen(StopWhen):
        refused = False

        def started(self, *_: object) -> None:
            with pytest.raises(JobHeldError), hold_product(settings):
                pass
            self.refused = True

    observer = TryToOpen(Control(), lambda _: False)
    await run_import(settings, api_key="any", observers=[observer])
    assert observer.refused


@pytest.mark.anyio
async def test_a_job_of_another_format_is_refused_in_one_line(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "POSITIVE", "")])
    settings = settings_for(path, base_url=sandbox.url)
    summary = await run_import(settings, api_key="any")
    with closing(sqlite3.connect(summary.folder / FILE_NAME)) as db:
        db.execute("UPDATE job SET value = '1' WHERE name = 'format'")
        db.commit()
    with pytest.raises(SettingsError, match=r"format 1.*, or start over with --restart$"):
        await run_import(settings, api_key="any")
    with pytest.raises(JournalError, match="format 1"):
        JournalReader(summary.folder)
    await run_import(settings.replace(restart=True), api_key="any")
