"""The command in odd surroundings: what it cannot show or write does not change how it ends."""

import json
import os
import shlex
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
from importer.errors import DefectError, ExitCode, JournalError
from tests.support.data import PRODUCT, conversation, write_csv

COMMAND = f"{shlex.quote(sys.executable)} -m importer"
REHEARSAL = f"--product-id {PRODUCT} --sandbox"


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line in which `importer` stands for the command."""
    return subprocess.run(
        ["/bin/bash", "-c", line.replace("importer ", f"{COMMAND} ", 1)],
        capture_output=True, check=False, env={**os.environ, **environment},
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _input() -> None:
    write_csv(Path("отзывы.csv"), [(conversation(n), "POSITIVE", "fine") for n in range(3)])


@pytest.mark.parametrize(
    "streams",
    [">/dev/full", "2>/dev/full", ">&-", "<&-", "2>&-", "<&- >&- 2>&-", "| head -c 1",
     "2>&1 | head -c 1"],
)  # fmt: skip
@pytest.mark.parametrize("command", [f"run отзывы.csv {REHEARSAL}", "check отзывы.csv", "jobs"])
def test_output_that_fails_does_not_change_how_a_command_ends(command: str, streams: str) -> None:
    done = shell(f"set -o pipefail; importer {command} {streams}")
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr + done.stdout


def test_a_result_that_could_not_be_written_is_told() -> None:
    done = shell("importer check отзывы.csv >/dev/full")
    assert b"standard output could not be written: No space left on device" in done.stderr


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252"])
def test_characters_that_a_locale_lacks_are_replaced(encoding: str) -> None:
    done = shell(f"importer run отзывы.csv {REHEARSAL}", PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert rb"\u043e" in done.stdout


def test_a_name_that_is_not_utf8_is_kept_byte_by_byte() -> None:
    name = os.fsdecode(b"caf\xe9 it's.csv")
    write_csv(Path(name), [(conversation(1), "POSITIVE", ""), (conversation(2), "odd", "")])
    done = shell(f"importer run caf*.csv {REHEARSAL} --outcomes out.csv --metrics-file m.prom")
    assert done.returncode == 1, done.stderr
    (folder,) = Path("clarityq-jobs").glob("caf-*")
    assert json.loads((folder / "summary.json").read_text())["inputs"] == [
        str(Path(name).absolute())
    ]
    assert "caf\\udce9" in Path("out.csv").read_text()
    told = shell(f"importer explain caf {conversation(2)}")
    assert b"rating 'odd'" in told.stdout, told.stderr
    again = next(line for line in done.stdout.splitlines() if b"To import" in line)
    assert shell(f"importer {os.fsdecode(again.partition(b'clarityq-import ')[2])}").returncode == 1


def told(done: subprocess.CompletedProcess[bytes], beginning: str) -> str:
    """Return the command of a line that a run has printed."""
    lines = done.stdout.decode().splitlines()
    line = next(line for line in lines if line.startswith(beginning))
    return line.partition("clarityq-import ")[2]


def test_a_name_that_begins_as_an_option_does_can_be_pasted() -> None:
    words = ["odd", "POSITIVE", "NEGATIVE"]
    write_csv(Path("-in.csv"), [(conversation(n), word, "") for n, word in enumerate(words)])
    done = shell(f"importer run ./-in.csv {REHEARSAL} --jobs-dir -jobs --limit 1")
    done = shell(f"importer {told(done, 'To resume: ').replace(' --limit 1', '')}")
    assert done.returncode == 1, done.stderr
    done = shell(f"importer {told(done, 'To import the 1 row rejected: ')}")
    assert done.returncode == 1, done.stderr


def test_what_was_meant_once_is_in_no_command_that_is_printed() -> None:
    words = ["odd", "POSITIVE", "NEGATIVE"]
    write_csv(Path("in.csv"), [(conversation(n), word, "") for n, word in enumerate(words)])
    once = {"--replace", "--accept-change", "--restart"}
    done = shell(f"importer run in.csv {REHEARSAL} {' '.join(once)} --as-new --limit 1")
    assert not once & set(told(done, "To resume: ").split())
    done = shell(f"importer run in.csv {REHEARSAL} {' '.join(once)} --as-new --limit 9")
    assert not {*once, "--as-new", "--limit"} & set(told(done, "To import ").split())


def test_variables_of_service_links_are_passed_over_and_others_are_not() -> None:
    links = {
        "CLARITYQ_SERVICE_HOST": "10.0.0.1", "CLARITYQ_SERVICE_PORT": "80",
        "CLARITYQ_SERVICE_PORT_HTTP": "80", "CLARITYQ_PORT": "tcp://10.0.0.1:80",
        "CLARITYQ_PORT_80_TCP": "tcp://10.0.0.1:80", "CLARITYQ_PORT_80_TCP_PROTO": "tcp",
        "CLARITYQ_PORT_80_TCP_PORT": "80", "CLARITYQ_PORT_80_TCP_ADDR": "10.0.0.1",
        "CLARITYQ_IMPORT_SERVICE_HOST": "10.0.0.1", "CLARITYQ_API_PORT": "udp://10.0.0.1:53",
    }  # fmt: skip
    assert shell("importer jobs", **links).returncode == 0
    for variable in ("CLARITYQ_SERVICE", "CLARITYQ_CONCURENCY", "CLARITYQ_API_PORT"):
        done = shell("importer jobs", **{variable: "8"})
        assert done.returncode == 2
        assert f"{variable} is not known" in done.stderr.decode()


@pytest.mark.parametrize("path", ["no/such/o.csv", "folder.csv", "/proc/o.csv", "o.txt"])
def test_outcomes_that_cannot_be_written_are_told_before_anything_is_sent(path: str) -> None:
    Path("folder.csv").mkdir()
    done = shell(f"importer run отзывы.csv {REHEARSAL} --outcomes {path}")
    assert done.returncode == 2
    assert path.encode() in done.stderr
    assert not Path("clarityq-jobs").exists()


def test_outcomes_that_fail_at_the_end_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "check_outcomes_path", lambda _: None)
    arguments = ["run", "отзывы.csv", *REHEARSAL.split(), "--outcomes", "no/such/o.csv"]
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert done.return_value is ExitCode.OK
    assert "--outcomes: no/such/o.csv cannot be written" in done.output
    assert "nothing is left to do" in done.output


def test_a_report_that_cannot_be_written_is_told_and_changes_nothing() -> None:
    shell(f"importer run отзывы.csv {REHEARSAL} --limit 1")
    (folder,) = Path("clarityq-jobs").glob("отзывы-*")
    (folder / "report.html").unlink()
    (folder / "report.html").mkdir()
    (folder / "report.html" / "in the way").touch()
    done = shell(f"importer run отзывы.csv {REHEARSAL}")
    assert done.returncode == 0
    assert "report.html cannot be written" in done.stderr.decode()
    assert "nothing is left to do" in done.stdout.decode()
    assert "finished" in shell("importer jobs").stdout.decode()


@pytest.mark.parametrize("value", ["127.0.0.1:9", "socks5://h:1", "http://", "http://h:x"])
def test_a_proxy_that_cannot_be_used_is_told_at_once(value: str) -> None:
    command = f"importer run отзывы.csv --product-id {PRODUCT} --trust-env"
    done = shell(command, https_proxy=value, CLARITYQ_API_KEY="k")
    assert done.returncode == 2
    assert b"https_proxy is not the address of an HTTP proxy" in done.stderr
    assert b"Write it as http://host:port" in done.stderr


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


@pytest.mark.parametrize("deep", ["a = " + "[" * 100_000, "a" + ".a" * 2000 + " = 1"])
def test_a_file_that_is_nested_too_deeply_is_explained(deep: str) -> None:
    Path("deep.toml").write_text(deep)
    for command in ("batch deep.toml", "check отзывы.csv --config deep.toml",
                    "check отзывы.csv --ratings deep.toml"):  # fmt: skip
        done = shell(f"importer {command}")
        assert done.returncode == 2, done.stderr[-300:]
        assert b"deep.toml" in done.stderr
