"""The command in odd surroundings: what it cannot show or write does not change how it ends."""

import json
import os
import subprocess
from pathlib import Path
from unittest.mock import Mock

import pytest
from click.testing import CliRunner

from importer.cli.app import cli
from importer.cli.commands import run as run_module
from importer.errors import ExitCode, StoppedError
from tests.support.data import PRODUCT, conversation, write_csv
from tests.support.shell import REHEARSAL, shell


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
    done = shell(f"importer {told(done, 'To send the rest: ')}")
    assert done.returncode == 1, done.stderr
    done = shell(f"importer {told(done, 'To import the 1 row rejected: ')}")
    assert done.returncode == 1, done.stderr


def test_what_was_meant_once_is_in_no_command_that_is_printed() -> None:
    words = ["odd", "POSITIVE", "NEGATIVE"]
    write_csv(Path("in.csv"), [(conversation(n), word, "") for n, word in enumerate(words)])
    once = {"--replace", "--accept-change", "--restart"}
    done = shell(f"importer run in.csv {REHEARSAL} {' '.join(once)} --as-new --limit 1")
    assert not {*once, "--limit"} & set(told(done, "To send the rest: ").split())
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


@pytest.mark.parametrize(
    "path", ["no/such/o.csv", "folder.csv", "/proc/o.csv", "o.txt", "отзывы.csv"]
)
def test_outcomes_that_cannot_be_written_are_told_before_anything_is_sent(path: str) -> None:
    Path("folder.csv").mkdir()
    done = shell(f"importer run отзывы.csv {REHEARSAL} --outcomes {path}")
    assert done.returncode == 2
    assert path.encode() in done.stderr
    assert not Path("clarityq-jobs").exists()


def test_nothing_is_written_over_an_input() -> None:
    before = Path("отзывы.csv").read_bytes()
    assert shell(f"importer run отзывы.csv {REHEARSAL} --metrics-file отзывы.csv").returncode == 2
    assert shell(f"importer run отзывы.csv {REHEARSAL}").returncode == 0
    for form in ("", "--canonical"):
        done = shell(f"importer outcomes отзывы -o отзывы.csv {form}")
        assert done.returncode == 2, done.stderr
    assert Path("отзывы.csv").read_bytes() == before


@pytest.mark.parametrize("form", ["text", "json"])
def test_outcomes_that_fail_at_the_end_change_nothing(
    monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(run_module, "check_outcomes_path", lambda *_: None)
    arguments = ["run", "отзывы.csv", *REHEARSAL.split(), "--outcomes", "no/such/o.csv"]
    done = CliRunner().invoke(cli, [*arguments, "--log-format", form], standalone_mode=False)
    assert done.return_value is ExitCode.OK
    assert "--outcomes: no/such/o.csv cannot be written" in done.output
    assert "nothing is left to do" in done.output
    if form == "json":
        assert all(json.loads(line)["event"] for line in done.output.splitlines())


AFTER_THE_END = [
    (KeyboardInterrupt(), ExitCode.SIGINT),
    (StoppedError(ExitCode.SIGTERM), ExitCode.SIGTERM),
]


@pytest.mark.parametrize(("end", "code"), AFTER_THE_END)
def test_a_signal_while_outcomes_are_written_ends_the_command_once_the_job_is_told(
    monkeypatch: pytest.MonkeyPatch, end: BaseException, code: ExitCode
) -> None:
    monkeypatch.setattr(run_module, "write_outcomes", Mock(side_effect=end))
    arguments = ["run", "отзывы.csv", *REHEARSAL.split(), "--outcomes", "o.csv"]
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert isinstance(done.exception, StoppedError)
    assert done.exception.exit_code is code
    assert "--outcomes: stopped while it was being written\n" in done.output
    assert "nothing is left to do" in done.output


@pytest.mark.parametrize(("end", "code"), AFTER_THE_END)
def test_a_signal_after_the_end_of_an_import_does_not_say_that_nothing_was_sent(
    monkeypatch: pytest.MonkeyPatch, end: BaseException, code: ExitCode
) -> None:
    monkeypatch.setattr(run_module, "print_summary", Mock(side_effect=end))
    with pytest.raises(StoppedError, match="stopped after the import had ended") as caught:
        CliRunner().invoke(
            cli, ["run", "отзывы.csv", *REHEARSAL.split()], standalone_mode=False,
            catch_exceptions=False,
        )  # fmt: skip
    assert caught.value.exit_code is code


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


@pytest.mark.parametrize("variable", ["OUTCOMES", "NEWEST_BY"])
def test_a_key_in_a_variable_whose_value_is_accepted_is_not_shown_either(variable: str) -> None:
    key = "cq-live-0123456789abcdef"
    done = shell(f"importer run отзывы.csv {REHEARSAL}", **{f"CLARITYQ_{variable}": key})
    assert done.returncode == 2
    assert b"(not shown, in case it is the key)" in done.stderr
    assert key.encode() not in done.stderr + done.stdout
