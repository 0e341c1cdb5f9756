"""The importer as a library: what a program sees, is told, and is told of its mistakes."""

import json
import logging
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import importer
from importer import (
    Control,
    ExitCode,
    ImporterError,
    ImportSettings,
    Observer,
    Preview,
    Progress,
    check_inputs,
    plan,
    run_import_blocking,
)
from importer.model import OutcomeKind, RunEnd
from importer.sandbox.faults import Faults
from tests.support.data import PRODUCT, conversation, write_csv

Make = Callable[..., ImportSettings]


@pytest.fixture
def rehearsal(settings_for: Make, tmp_path: Path) -> ImportSettings:
    rows = [(conversation(1), "POSITIVE", ""), (conversation(2), "odd", "")]
    return settings_for(write_csv(tmp_path / "in.csv", rows), sandbox=True)


def test_only_the_public_names_are_seen() -> None:
    assert dir(importer) == sorted(importer.__all__)
    assert all(hasattr(importer, name) for name in importer.__all__)


def test_the_log_is_a_librarys_silent_until_a_program_asks_for_it(
    rehearsal: ImportSettings, caplog: pytest.LogCaptureFixture
) -> None:
    program = (
        "from importer import ImportSettings, run_import_blocking\n"
        f"run_import_blocking(ImportSettings.of(inputs='in.csv', product_id={PRODUCT!r}, "
        "sandbox=True))"
    )
    silent = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert (silent.stdout, silent.stderr) == ("", "")

    with caplog.at_level(logging.INFO, logger="importer"):
        summary = run_import_blocking(rehearsal)
    assert {record.name for record in caplog.records} == {"importer.run"}
    first, *_, last = caplog.records
    assert (first.levelname, first.__dict__["event"]) == ("INFO", "started")
    assert (last.levelname, last.getMessage()) == ("WARNING", summary.verdict)
    kept = json.loads((summary.folder / "summary.json").read_text("utf-8"))
    assert last.__dict__["next_steps"] == kept["next_steps"]


def test_a_program_is_told_how_its_run_goes(rehearsal: ImportSettings) -> None:
    seen: list[Progress] = []
    folders: list[Path] = []

    class Folder(Observer):
        """Wants to know one thing only."""

        def started(self, folder: Path, *_: object) -> None:
            folders.append(folder)

    summary = run_import_blocking(rehearsal, progress=seen.append, observers=[Folder()])
    assert folders == [summary.folder]
    assert seen[-1].share == 1.0
    assert seen[-1].outcomes == summary.outcomes


def test_a_blocking_run_is_stopped_by_a_control_that_was_made_before_there_was_a_loop(
    rehearsal: ImportSettings, tmp_path: Path
) -> None:
    write_csv(tmp_path / "in.csv", [(conversation(n), "POSITIVE", "") for n in range(50)])
    control = Control()

    def stop(_: Progress) -> None:
        control.stop(RunEnd.SIGTERM)

    slow = Faults.parse(["latency=100ms"])
    summary = run_import_blocking(
        rehearsal.replace(concurrency=1), control=control, progress=stop, faults=slow
    )
    assert summary.end is RunEnd.SIGTERM
    assert 0 < summary.outcomes[OutcomeKind.PENDING] < 50
    before = Control()
    before.stop(RunEnd.SIGTERM)
    with pytest.raises(ImporterError, match="nothing was sent") as stopped:
        run_import_blocking(rehearsal.replace(restart=True), control=before)
    assert stopped.value.exit_code is ExitCode.SIGTERM


def test_the_command_that_is_told_resumes_what_a_program_has_begun(
    rehearsal: ImportSettings, tmp_path: Path
) -> None:
    rows = [(conversation(n), word, "") for n, word in enumerate(["odd", "CLEAR", "CLEAR"])]
    write_csv(tmp_path / "in.csv", rows)
    first = run_import_blocking(rehearsal.replace(limit=1, restart=True, concurrency=3))
    (step,) = first.next_steps
    words = shlex.split(step.command)
    assert {"--concurrency", "--sandbox"} < set(words)
    assert not {"--limit", "--restart"} & set(words)
    done = subprocess.run(
        [sys.executable, "-m", "importer", *words[1:]], capture_output=True, check=False
    )
    assert done.returncode == ExitCode.ROWS_NOT_IMPORTED
    summary = json.loads((first.folder / "summary.json").read_text("utf-8"))
    assert (summary["runs"], summary["outcomes"]["pending"]) == (2, 0)


def test_what_a_callback_raises_ends_the_run_and_is_raised(rehearsal: ImportSettings) -> None:
    class OwnError(Exception):
        """The program's own."""

    def fail(_: Progress) -> None:
        raise OwnError

    with pytest.raises(OwnError):
        run_import_blocking(rehearsal, progress=fail)
    assert run_import_blocking(rehearsal).exit_code == 1


def test_an_interrupt_stops_cleanly_before_it_is_raised(settings_for: Make, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "POSITIVE", "")])
    settings = settings_for(path, sandbox=True, defer_for="1h")
    main = threading.main_thread().ident
    assert main is not None
    sent: list[int] = []

    def interrupt(progress: Progress) -> None:
        if progress.deferred and not sent:
            sent.append(main)
            signal.pthread_kill(main, signal.SIGINT)

    never = Faults.parse(["not-completed=100%:1h"])
    with pytest.raises(KeyboardInterrupt):
        run_import_blocking(settings, progress=interrupt, faults=never)
    (kept,) = (tmp_path / "jobs").glob("*/summary.json")
    assert json.loads(kept.read_text("utf-8"))["end"] == RunEnd.SIGINT
    assert run_import_blocking(settings).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"settings": {"inputs": "in.csv"}},
            "settings must be made by .* type dict",
        ),
        ({"api_key": 4711}, "api_key must be a text; it is of type int"),
        ({"progress": "yes"}, "progress must be a function of one argument; it is of type str"),
        ({"observers": [object()]}, "derived from Observer; it is of type object"),
        ({"faults": ["429=1%"]}, "faults must be made by Faults.parse.* type list"),
    ],
)
def test_a_wrong_argument_is_named_and_its_value_is_not_shown(
    rehearsal: ImportSettings, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ImporterError, match=message) as raised:
        run_import_blocking(**{"settings": rehearsal, **arguments})
    assert "4711" not in str(raised.value)


def test_inputs_are_checked_and_planned_without_a_key(rehearsal: ImportSettings) -> None:
    found = check_inputs(rehearsal.reading.inputs[0], ratings="odd=SKIP")
    assert repr(found) == "<Findings: 2 rows: 1 can be sent, 0 would be rejected, 1 skipped>"
    assert check_inputs(rehearsal).rejected == 1

    preview = plan(rehearsal.replace(max_rejected="0"))
    assert isinstance(preview, Preview)
    assert (preview.plan.to_send, preview.exit_code) == (1, ExitCode.DATA_LIMIT)
    assert not rehearsal.job.jobs_dir.exists()

    with pytest.raises(ImporterError, match="settings must be made by"):
        plan("in.csv")  # type: ignore[arg-type]
    with pytest.raises(ImporterError, match="the option 'rating' is not known; did you mean"):
        check_inputs("in.csv", rating="thumbs")


def test_faults_without_the_sandbox_are_a_mistake(settings_for: Make) -> None:
    with pytest.raises(ImporterError, match="sandbox=True"):
        run_import_blocking(
            settings_for(Path("in.csv")), api_key="any", faults=Faults.parse(["429=1%"])
        )
