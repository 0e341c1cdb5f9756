"""What nobody expected: defects, damage, a lack of memory, and Ctrl-C at any moment."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import pytest
from click.testing import CliRunner

from importer.cli.app import cli
from importer.cli.commands import run as run_module
from importer.errors import DefectError, ExitCode, JournalError, StoppedError
from tests.support.data import PRODUCT, conversation, write_csv
from tests.support.shell import REHEARSAL, shell


@pytest.fixture(autouse=True)
def _input() -> None:
    write_csv(Path("отзывы.csv"), [(conversation(n), "POSITIVE", "fine") for n in range(3)])


def test_a_defect_is_explained_and_its_details_are_kept_without_the_key(tmp_path: Path) -> None:
    key = "moon-water"
    arguments = ["run", "отзывы.csv", "--product-id", PRODUCT, "--base-url", "http://127.0.0.1:9"]
    with patch("importer.engine.run.Run.work", side_effect=KeyError(f"what {key}")):
        done = CliRunner().invoke(
            cli, arguments, standalone_mode=False, env={"CLARITYQ_API_KEY": key}
        )
    assert isinstance(done.exception, DefectError)
    told = str(done.exception)
    assert "a defect of the importer: KeyError: 'what [API key]'" in told
    assert "What was recorded is kept. To resume: clarityq-import run" in told
    (details,) = tmp_path.glob("clarityq-jobs/*/defect-*.txt")
    assert str(details.relative_to(tmp_path)) in told
    assert "Traceback" in details.read_text()
    assert key not in details.read_text() + told
    assert details.stat().st_mode & 0o077 == 0


def test_a_job_after_a_defect_is_to_be_resumed_before_the_next_import_takes_it_over() -> None:
    again = ["run", "отзывы.csv", *REHEARSAL.split(), "--carry-over"]
    with patch("importer.engine.run.Run.work", side_effect=KeyError("what")):
        unsent = CliRunner().invoke(cli, again)
    assert "To resume, before the next import begins: clarityq-import" in str(unsent.exception)
    with patch("importer.engine.answers.Answers.run_ended", side_effect=KeyError("what")):
        done = CliRunner().invoke(cli, again)
    until = "before the next import with --carry-over begins, which takes over what is pending"
    assert f"To resume, {until}: clarityq-import run" in str(done.exception)
    (folder,) = Path("clarityq-jobs").glob("*-2")
    assert until in CliRunner().invoke(cli, ["jobs", "show", str(folder)]).output


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("can't start new thread"),
     ImportError("lib.so.26: failed to map segment from shared object")],
)  # fmt: skip
def test_a_lack_of_memory_is_no_defect(error: Exception) -> None:
    with patch("importer.engine.run.Run.work", side_effect=error):
        done = CliRunner().invoke(cli, ["run", "отзывы.csv", *REHEARSAL.split()])
    assert isinstance(done.exception, JournalError)
    assert "not enough memory" in str(done.exception)
    assert "To resume: clarityq-import run" in str(done.exception)


@pytest.mark.parametrize("megabytes", [40, 75, 90])
def test_a_process_that_may_have_little_memory_never_ends_without_words(megabytes: int) -> None:
    # A measurement of coverage would need some of it as well.
    unmeasured = "env -u COVERAGE_PROCESS_START -u COVERAGE_PROCESS_CONFIG"
    done = shell(f"ulimit -v {megabytes}000; {unmeasured} importer run отзывы.csv {REHEARSAL}")
    assert done.returncode in (ExitCode.OK, ExitCode.ABORTED)
    assert b"Traceback" not in done.stderr
    assert done.returncode == ExitCode.OK or b"not enough memory" in done.stderr


def test_a_defect_in_the_report_does_not_change_how_a_run_ends() -> None:
    with patch("importer.workflows.conclude.write_report", side_effect=KeyError("what")):
        done = CliRunner().invoke(cli, ["run", "отзывы.csv", *REHEARSAL.split()])
    assert done.exit_code == ExitCode.OK
    assert "the report could not be made (KeyError)" in done.output
    assert "Done: every row is accounted for" in done.output


def test_a_defect_of_which_no_details_can_be_kept_tells_its_place() -> None:
    with (
        patch("importer.engine.run.Run.work", side_effect=KeyError("what")),
        patch("importer.cli.defects.open", side_effect=OSError, create=True),
    ):
        done = CliRunner().invoke(cli, ["run", "отзывы.csv", *REHEARSAL.split()])
    assert "KeyError: 'what'" in str(done.exception)
    assert "it was raised in mock.py, line" in str(done.exception)


def test_a_batch_goes_on_after_a_defect() -> None:
    write_csv(Path("b.csv"), [(conversation(1), "POSITIVE", "")])
    Path("batch.toml").write_text(
        f'product_id = "{PRODUCT}"\nsandbox = true\n'
        '[[import]]\ninput = "отзывы.csv"\n[[import]]\ninput = "b.csv"\n'
    )
    failures = iter([ZeroDivisionError("oh")])
    perform = run_module.perform

    def sometimes(*arguments: object) -> object:
        for failure in failures:
            raise failure
        return perform(*arguments)  # type: ignore[arg-type]

    with patch("importer.cli.commands.batch.perform", sometimes):
        done = CliRunner().invoke(cli, ["batch", "batch.toml"], standalone_mode=False)
    assert done.return_value is ExitCode.DEFECT
    assert "a defect of the importer: ZeroDivisionError: oh" in done.output
    assert "1 succeeded" in done.output


def spoil_with_text(journal: Path) -> None:
    journal.write_text("not a database")


def spoil_half(journal: Path) -> None:
    content = journal.read_bytes()
    journal.write_bytes(content[:4096] + os.urandom(len(content) - 4096))


def spoil_content(journal: Path) -> None:
    with closing(sqlite3.connect(journal)) as db:
        db.execute("UPDATE outcome SET kind = 99")
        db.commit()


def hide(journal: Path) -> None:
    journal.parent.chmod(0)


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_with_text,
        spoil_half,
        spoil_content,
        Path.unlink,
        pytest.param(
            hide, marks=pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
        ),
    ],
)
def test_a_damaged_job_does_not_hide_the_others(spoil: Callable[[Path], None]) -> None:
    write_csv(Path("b.csv"), [(conversation(1), "POSITIVE", "")])
    for name in ("отзывы.csv", "b.csv"):
        assert shell(f"importer run {name} {REHEARSAL}").returncode == 0
    (journal,) = Path("clarityq-jobs").glob("b-*/journal.sqlite")
    spoil(journal)
    done = shell("importer jobs")
    assert done.returncode == 0
    assert "3 succeeded" in done.stdout.decode()
    assert b"Traceback" not in done.stderr


def test_jobs_can_be_read_where_nothing_may_be_written() -> None:
    shell(f"importer run отзывы.csv {REHEARSAL}")
    (folder,) = Path("clarityq-jobs").glob("отзывы-*")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    with patch("importer.jobs.sqlite_file.may_write", return_value=False):
        for command in (["jobs"], ["explain", str(folder), conversation(1)],
                        ["outcomes", str(folder), "-o", "out.csv"]):  # fmt: skip
            done = CliRunner().invoke(cli, command, standalone_mode=False)
            assert done.exception is None
            assert "succeeded" in done.output or Path("out.csv").exists()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files


def test_ctrl_c_at_any_moment_of_the_start_leaves_no_traceback() -> None:
    # Python itself takes some time to start, of which nobody can take hold.
    start = "from importer.__main__ import main; print('up', flush=True); main()"
    for tenth in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", start, "run", "отзывы.csv", *REHEARSAL.split(),
             "--fault", "latency=30s", "--grace", "0.2s", "--restart"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.01 + tenth / 12)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        assert process.returncode in (130, -signal.SIGINT), errors
        assert b"Traceback" not in errors


def test_ctrl_c_that_python_has_wrapped_is_no_defect() -> None:
    wrapped = RuntimeError("Error calling __set_name__ on 'Field' instance")
    wrapped.__cause__ = KeyboardInterrupt()
    with patch("importer.engine.run.Run.work", side_effect=wrapped):
        done = CliRunner().invoke(cli, ["run", "отзывы.csv", *REHEARSAL.split()])
    assert isinstance(done.exception, StoppedError)
    assert done.exception.exit_code is ExitCode.SIGINT
    assert "To resume: clarityq-import run" in str(done.exception)


@pytest.mark.parametrize("deep", ["a = " + "[" * 100_000, "a" + ".a" * 2000 + " = 1"])
def test_a_file_that_is_nested_too_deeply_is_explained(deep: str) -> None:
    Path("deep.toml").write_text(deep)
    for command in ("batch deep.toml", "check отзывы.csv --config deep.toml",
                    "check отзывы.csv --ratings deep.toml"):  # fmt: skip
        done = shell(f"importer {command}")
        assert done.returncode == 2, done.stderr[-300:]
        assert b"deep.toml" in done.stderr
