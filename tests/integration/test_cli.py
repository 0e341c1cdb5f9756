"""The command as a user meets it: output, exit codes, messages."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.data import PRODUCT, conversation, write_csv

KEY = "key-that-must-not-leak"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "importer", *arguments],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "clean.csv", [(conversation(1), "POSITIVE", "fine")])


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    return write_csv(
        tmp_path / "messy.csv",
        [
            (conversation(1), "POSITIVE", "two\nlines"),
            (conversation(2), "5 stars", "why not"),
            ("", "POSITIVE", ""),
            (conversation(1), "", "only words"),
            (conversation(3), "", "x" * 2001),
            (conversation(3), "", ""),
        ],
    )


def test_a_rehearsal_ends_well_and_shows_every_outcome(clean: Path) -> None:
    done = run("run", str(clean), "--product-id", PRODUCT, "--sandbox")
    assert done.returncode == 0, done.stderr
    for outcome in ("succeeded", "unchanged", "superseded", "skipped", "rejected", "failed",
                    "not_completed", "pending"):  # fmt: skip
        assert outcome in done.stdout
    assert "nothing is left to do" in done.stdout
    assert "Job folder: clarityq-jobs/clean-" in done.stdout


def test_a_run_with_rejected_rows_exits_1_and_says_what_to_type(messy: Path) -> None:
    done = run("run", str(messy), "--product-id", PRODUCT, "--sandbox", "--restart")
    assert done.returncode == 1
    (hint,) = [line for line in done.stdout.splitlines() if line.startswith("To import")]
    assert "4 rows rejected" in hint
    assert hint.endswith(f"rejected.csv --product-id {PRODUCT} --sandbox")


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_exit_code_holds_when_nobody_reads_the_summary(clean: Path, form: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "importer", "run", str(clean), "--product-id", PRODUCT, "--sandbox",
         "--log-format", form],
        stdout=writer, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(writer)
    assert done.returncode == 0, done.stderr
    assert "Broken" not in done.stderr
    assert "Traceback" not in done.stderr


def test_check_reviews_the_file_without_sending(messy: Path) -> None:
    done = run("check", str(messy), "--rate", "0.5")
    assert done.returncode == 1
    for text in (
        "6 rows read: 2 can be sent, 4 would be rejected",
        "row 2 (line 4): rating '5 stars' is not in the rating table",
        "row 3 (line 5): conversation_id is empty",
        "comment has 2,001 characters",
        "'POSITIVE' 1 POSITIVE",
        "'5 stars' 1 rejected",
        "1 conversation of 1 with more than one row",
        "1 row with a comment only",
        "At 0.5 requests/s the import takes about 2.0 s",
    ):
        assert text in " ".join(done.stdout.split())


def test_check_of_a_clean_file_exits_0(clean: Path) -> None:
    assert run("check", str(clean)).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "missing.csv", "--product-id", PRODUCT, "--sandbox"], "No such file"),
        (["check", "missing.csv"], "No such file"),
        (["run", "clean.csv", "--sandbox"], "--product-id"),
        (["run", "clean.csv", "--product-id", "7", "--sandbox"], "not a UUID"),
        (["run", "clean.csv", "--product-id", PRODUCT], "CLARITYQ_API_KEY"),
        (["run", "clean.csv", "--product-id", PRODUCT, "--api-key", KEY], "--api-key-file"),
        (
            ["run", "clean.csv", "--product-id", PRODUCT, "--base-url", "http://example.com"],
            "https",
        ),
        (["run", "clean.csv", "--product-id", PRODUCT, "--concurrency", "0"], "from 1 to"),
        (["run", "clean.csv", "--product-id", PRODUCT, "--defer-for", "soon"], "10min"),
        (["run", "clean.csv", "--product-id", PRODUCT, "--fault", "5xx=1%"], "--sandbox"),
        (["run", "clean.csv", "--product-id", PRODUCT, "--column", "score=x"], "the fields are"),
        (["run", "clean.csv", "--product-id", PRODUCT, "--ratings", "smileys"], "thumbs"),
        (
            ["run", "clean.csv", "--product-id", PRODUCT, "--sandbox", "--jobs-dir", "clean.csv"],
            "--jobs",
        ),
        (["chek", "clean.csv"], "check"),
    ],
)
def test_wrong_usage_exits_2_with_one_message(
    clean: Path, arguments: list[str], message: str
) -> None:
    assert clean.exists()
    done = run(*arguments)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_the_key_appears_nowhere(clean: Path, tmp_path: Path) -> None:
    done = run(
        "run", str(clean), "--product-id", PRODUCT, "--base-url", "http://127.0.0.1:9",
        "--outage-for", "100ms", "--retry-max", "100ms", CLARITYQ_API_KEY=KEY,
    )  # fmt: skip
    assert done.returncode == 3
    assert KEY not in done.stdout + done.stderr
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes(), file


def test_the_address_for_notifications_appears_nowhere(clean: Path, tmp_path: Path) -> None:
    secret = "T0-moon-water"
    arguments = ("--product-id", PRODUCT, "--sandbox", "--log-format", "text")
    by_argument = run("run", str(clean), *arguments, "--notify-url", f"http://127.0.0.1:9/{secret}")
    messy = write_csv(tmp_path / "messy.csv", [("x", "POSITIVE", "")])
    by_environment = run(
        "run", str(messy), *arguments, CLARITYQ_NOTIFY_URL=f"http://127.0.0.1:9/{secret}"
    )
    wrong = run("run", str(clean), *arguments, "--notify-url", f"http://hooks.example/{secret}")
    assert (by_argument.returncode, by_environment.returncode, wrong.returncode) == (0, 1, 2)
    assert "--notify-url" in by_argument.stderr, "that nobody listens is told"
    for done in (by_argument, by_environment, wrong):
        assert secret not in done.stdout + done.stderr
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"journal.sqlite", "report.html", "summary.json"} <= {path.name for path in written}
    assert [path for path in written if secret.encode() in path.read_bytes()] == []


def test_a_run_names_its_configuration_and_a_found_one_gets_no_key(clean: Path) -> None:
    file = Path("clarityq-import.toml")
    file.write_text(f'product_id = "{PRODUCT}"\nsandbox = true\n')
    assert "configuration: clarityq-import.toml" in run("run", str(clean)).stderr
    line = run("run", str(clean), "--log-format", "json").stderr.splitlines()[0]
    assert json.loads(line)["event"] == "configuration"
    assert run("run", str(clean), "--quiet").stderr == ""

    file.write_text(f'product_id = "{PRODUCT}"\nbase_url = "https://elsewhere.example"\n')
    refused = run("run", str(clean), CLARITYQ_API_KEY=KEY)
    assert refused.returncode == 2
    for way in ("--config clarityq-import.toml", "CLARITYQ_BASE_URL", "give --base-url"):
        assert way in refused.stderr


def test_json_output_is_one_object_a_line(clean: Path) -> None:
    done = run("run", str(clean), "--product-id", PRODUCT, "--sandbox", "--log-format", "json")
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [event["event"] for event in events] == ["started", "ended"]
    summary = json.loads(done.stdout)
    assert (summary["event"], summary["outcomes"]["succeeded"]) == ("summary", 1)


@pytest.mark.parametrize("wrong", [["none.csv"], ["none.csv", "--rate", "fast"], []])
def test_a_run_that_cannot_start_says_so_in_json_too(wrong: list[str]) -> None:
    done = run("run", *wrong, "--product-id", PRODUCT, "--sandbox", "--log-format=json")
    (event,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert (event["event"], event["level"], event["exit_code"]) == ("error", "ERROR", 2)
    assert done.returncode == 2


def test_the_form_of_the_log_is_known_from_files_that_cannot_be_used() -> None:
    configuration = f'product_id = "{PRODUCT}"\nsandbox = true\nlog_format = "json"\n'
    Path("mine.toml").write_text(f'{configuration}rate = "fast"\n', "utf-8")
    Path("batch.toml").write_text('[display]\nlog_format = "json"\n', "utf-8")
    for words in [("run", "none.csv", "--config", "mine.toml"), ("batch", "batch.toml")]:
        done = run(*words)
        (event,) = [json.loads(line) for line in done.stderr.splitlines()]
        assert (event["event"], event["exit_code"], done.returncode) == ("error", 2, 2)


def test_quiet_says_nothing_when_all_is_well(clean: Path, messy: Path) -> None:
    quiet = ("--product-id", PRODUCT, "--sandbox", "--quiet")
    done = run("run", str(clean), *quiet)
    assert (done.stdout, done.stderr) == ("", "")
    assert "rejected" in run("run", str(messy), *quiet).stdout


def test_jobs_lists_what_was_done(clean: Path) -> None:
    assert "no jobs" in run("jobs").stdout
    run("run", str(clean), "--product-id", PRODUCT, "--sandbox")
    listed = run("jobs").stdout
    assert "clean-" in listed
    assert "finished" in listed
    assert "1 succeeded" in listed


def test_options_come_from_arguments_then_environment_then_file(clean: Path) -> None:
    Path("clarityq-import.toml").write_text(
        f'product_id = "{PRODUCT}"\nsandbox = true\njobs_dir = "from-file"\n'
        '[column]\ncomment = "Comment "\n[ratings]\n"5" = "POSITIVE"\n'
    )
    assert run("run", str(clean)).returncode == 0
    assert Path("from-file").is_dir()
    assert run("run", str(clean), CLARITYQ_JOBS_DIR="from-environment").returncode == 0
    assert Path("from-environment").is_dir()
    run("run", str(clean), "--jobs-dir", "from-argument", CLARITYQ_JOBS_DIR="unused")
    assert Path("from-argument").is_dir()
    assert not Path("unused").exists()


def test_a_terminal_gets_a_live_line_and_a_summary(clean: Path) -> None:
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "importer", "run", str(clean), "--product-id", PRODUCT, "--sandbox",
         "--fault", "latency=1s"],
        stdin=child, stdout=child, stderr=child, env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    os.close(child)
    shown = b""
    while True:
        try:
            block = os.read(parent, 4096)
        except OSError:
            break
        if not block:
            break
        shown += block
    os.close(parent)
    assert process.wait() == 0
    assert b"REHEARSAL" in shown
    assert b"nothing is left to do" in shown


def test_help_is_quick_to_load() -> None:
    """It does not import what only a run needs."""
    code = (
        "import sys; from importer.cli.app import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'pandas', 'pyarrow', 'aiohttp'} & set(sys.modules); assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_bug_report_gets_the_versions_that_matter_and_a_shell_its_completion() -> None:
    assert "aiohttp" in run("--version").stdout
    assert "complete" in run(_CLARITYQ_IMPORT_COMPLETE="bash_source").stdout
    words = {"COMP_WORDS": "clarityq-import run --max-f", "COMP_CWORD": "2"}
    done = run(_CLARITYQ_IMPORT_COMPLETE="bash_complete", **words)
    assert "--max-failures" in done.stdout


def test_a_dry_run_sends_nothing_and_needs_no_key(messy: Path) -> None:
    done = run("run", str(messy), "--product-id", PRODUCT, "--dry-run")
    assert done.returncode == 1
    assert "Not quite ready" in done.stdout
    assert "--ratings stars" in done.stdout or "--write-ratings" in done.stdout
    assert not Path("clarityq-jobs").exists()
