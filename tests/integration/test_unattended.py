"""What a scheduler and the systems around it get from a run."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import pytest
from click.testing import CliRunner
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from importer.api import run_import
from importer.cli.app import cli
from importer.cli.commands import run as run_module
from importer.errors import ExitCode, ImporterError, SettingsError, StoppedError
from importer.jobs import sqlite_file
from importer.model import OutcomeKind
from importer.reporting.exporters.opentelemetry import record
from importer.reporting.notices import Ending, Start
from importer.sandbox.faults import Faults
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings
from tests.support.data import PRODUCT, conversation, write_csv

pytestmark = pytest.mark.anyio
Make = Callable[..., ImportSettings]


def command(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(
        cli, list(map(str, arguments)), standalone_mode=False, catch_exceptions=False
    )
    return int(result.return_value or 0), result.output


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "clean.csv", [(conversation(n), "CLEAR", "") for n in range(5)])


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "messy.csv", [(conversation(1), "meh", ""), ("x", "CLEAR", "")])


def metrics(path: Path) -> dict[str, float]:
    families = text_string_to_metric_families(path.read_text("utf-8"))
    return {
        "/".join([sample.name, *filter(None, [sample.labels.get("outcome")])]): sample.value
        for family in families
        for sample in family.samples
        if sample.labels.get("le", "+Inf") == "+Inf"
    }


async def test_the_metrics_tell_the_latest_run_and_the_last_success(
    sandbox: Sandbox, settings_for: Make, clean: Path, messy: Path, tmp_path: Path
) -> None:
    path = tmp_path / "import.prom"
    good = settings_for(clean, base_url=sandbox.url, metrics_file=path)
    summary = await run_import(good, api_key="any")
    found = metrics(path)
    assert found["clarityq_import_rows/succeeded"] == 5
    assert found["clarityq_import_latency_seconds_count"] == 5
    assert found["clarityq_import_last_success_timestamp_seconds"] == summary.ended_at

    await run_import(settings_for(messy, base_url=sandbox.url, metrics_file=path), api_key="any")
    found = metrics(path)
    assert found["clarityq_import_exit_code"] == ExitCode.ROWS_NOT_IMPORTED
    assert found["clarityq_import_last_success_timestamp_seconds"] == summary.ended_at

    rehearsed = settings_for(clean, sandbox=True, restart=True, metrics_file=path)
    assert (await run_import(rehearsed)).exit_code is ExitCode.OK
    found = metrics(path)
    assert found["clarityq_import_exit_code"] == ExitCode.OK
    assert found["clarityq_import_last_success_timestamp_seconds"] == summary.ended_at

    other = settings_for(
        messy,
        product_id="7d0f0000-0000-4000-8000-000000000077",
        base_url=sandbox.url,
        metrics_file=path,
    )
    await run_import(other, api_key="any")
    assert "clarityq_import_last_success_timestamp_seconds" not in metrics(path)


def test_the_summary_goes_nowhere_unencrypted(settings_for: Make, clean: Path) -> None:
    with pytest.raises(SettingsError, match="notify_url"):
        settings_for(clean, notify_url="http://example.com/hook")


async def test_a_run_is_one_span_and_its_figures_are_metrics(
    sandbox: Sandbox, settings_for: Make, clean: Path
) -> None:
    summary = await run_import(settings_for(clean, base_url=sandbox.url), api_key="any")
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    traces = TracerProvider()
    traces.add_span_processor(SimpleSpanProcessor(spans))
    start = Start(PRODUCT, sandbox.url, [clean.name], summary.started_at)
    ending = Ending(start, summary.exit_code, "", summary.ended_at, True, summary)
    record(ending, traces, MeterProvider([reader]))
    (span,) = spans.get_finished_spans()
    assert span.attributes is not None
    assert (span.name, span.attributes["clarityq.rows"]) == ("import", 5)
    data = reader.get_metrics_data()
    assert data is not None
    assert "clarityq.import.rows" in data.to_json()


async def test_old_jobs_are_pruned_and_unfinished_ones_stay(
    settings_for: Make, clean: Path, tmp_path: Path
) -> None:
    finished = []
    async with Sandbox(Faults()) as sandbox:
        for _ in range(3):
            settings = settings_for(clean, base_url=sandbox.url)
            finished.append((await run_import(settings, api_key="any")).folder)
    async with Sandbox(key="right") as sandbox:
        refused = settings_for(clean, base_url=sandbox.url)
        unfinished = (await run_import(refused, api_key="wrong")).folder

    jobs = ("jobs", "--jobs-dir", tmp_path / "jobs", "prune")
    with pytest.raises(SettingsError, match="--keep-days"):
        command(*jobs)
    assert command(*jobs, "--keep-days", 1) == (0, "There is nothing to remove.\n")
    assert "would remove" in command(*jobs, "--keep-last", 1, "--dry-run")[1]
    assert all(folder.exists() for folder in finished)
    assert (
        "would remove"
        in command("jobs", "prune", "--jobs-dir", tmp_path / "jobs", "--keep-last", 1, "--dry-run")[
            1
        ]
    )
    command(*jobs, "--keep-last", 1)
    assert [folder.exists() for folder in finished] == [False, False, True]
    assert unfinished.exists()


async def test_before_a_job_is_removed_it_is_said_how_many_rows_were_not_imported_since(
    settings_for: Make, tmp_path: Path
) -> None:
    rows = [(conversation(number), "meh", "") for number in (1, 2, 3, 1)]
    rows += [(conversation(3), "POSITIVE", "")]  # to which the row before gives way
    async with Sandbox(Faults()) as sandbox:
        make = partial(settings_for, base_url=sandbox.url)
        first = await run_import(make(write_csv(tmp_path / "in.csv", rows)), api_key="any")
        prune = ("jobs", "--jobs-dir", tmp_path / "jobs", "prune", "--keep-last", 1)
        header, _, two, *_ = (first.folder / "rejected.csv").read_text().splitlines()
        part = tmp_path / "part.csv"
        part.write_text(f"{header}\n{two}\n".replace("meh", "CLEAR"))
        await run_import(make(part), api_key="any")
    lost = "2 rejected rows of it were not imported since"
    told = command(*prune, "--dry-run")[1]
    assert f"would remove {first.folder}: {lost}, and their files would go with it\n" in told
    assert f"removed {first.folder}: {lost}, and their files went with it\n" in command(*prune)[1]
    assert not first.folder.exists()


async def test_to_prune_opens_each_journal_a_fixed_number_of_times_however_many_jobs_there_are(
    settings_for: Make, messy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Mock(side_effect=sqlite_file.connect)

    async def opens(keep: int) -> int:
        jobs_dir = tmp_path / f"jobs-{keep}"
        async with Sandbox(Faults()) as sandbox:
            settings = settings_for(messy, base_url=sandbox.url, jobs_dir=jobs_dir)
            for _ in range(2 * keep):
                await run_import(settings, api_key="any")
        opened.reset_mock()
        words = ("--keep-last", keep, "--comments-after", 0)
        told = command("jobs", "--jobs-dir", jobs_dir, "prune", *words)[1]
        assert (told.count("removed"), told.count("dropped")) == (keep, keep)
        return opened.call_count

    monkeypatch.setattr(sqlite_file, "connect", opened)
    few, more, most = [await opens(keep) for keep in (1, 2, 3)]
    assert most - more == more - few


@pytest.mark.usefixtures("clean")
def test_a_batch_runs_all_imports_and_ends_with_the_worst_exit_code(
    messy: Path, tmp_path: Path
) -> None:
    file = tmp_path / "batch.toml"
    file.write_text(
        f'product_id = "{PRODUCT}"\nsandbox = true\n'
        f'[[import]]\nname = "broken"\ninput = "{tmp_path}/missing.csv"\n'
        f'[[import]]\nname = "good"\ninput = "{tmp_path}/cl*.csv"\n'
        f'[[import]]\nname = "messy"\ninput = ["{messy}"]\nratings = {{ meh = "SKIP" }}\n',
        "utf-8",
    )
    code, text = command("batch", file)
    lines = " ".join(text.split())
    assert code == ExitCode.USAGE
    assert "broken 2" in lines
    assert "good 0 5 succeeded" in lines
    assert "messy 1 1 skipped, 1 rejected" in lines

    file.write_text(
        f'product_id = "{PRODUCT}"\nsandbox = true\n[[import]]\ninput = "x.csv"\nrate = "fast"\n'
        f'[[import]]\ninput = "{tmp_path}/cl*.csv"\n',
        "utf-8",
    )
    code, text = command("batch", file)
    lines = " ".join(text.split())
    assert code == ExitCode.USAGE
    assert "1 2 --rate 'fast' is not a number" in lines
    assert "2 0 5 succeeded" in lines

    file.write_text('[[import]]\ninput = "x.csv"\nspeed = 3\n', "utf-8")
    with pytest.raises(ImporterError, match="'speed' is not known"):
        command("batch", file)


@pytest.mark.parametrize("end", [KeyboardInterrupt(), StoppedError(ExitCode.SIGINT)])
@pytest.mark.parametrize("place", ["write_outcomes", "print_summary"])
def test_a_signal_after_the_end_of_an_import_ends_the_batch(
    clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, end: BaseException
) -> None:
    monkeypatch.setattr(run_module, place, Mock(side_effect=end))
    file = tmp_path / "batch.toml"
    file.write_text(
        f'product_id = "{PRODUCT}"\nsandbox = true\n'
        f'[[import]]\ninput = "{clean}"\noutcomes = "{tmp_path}/o.csv"\n'
        f'[[import]]\nname = "second"\ninput = "{clean}"\n'
    )
    code, text = command("batch", file)
    assert code == ExitCode.SIGINT
    assert "second" not in text


def test_a_limit_on_the_data_stops_only_its_own_import_of_a_batch(
    clean: Path, tmp_path: Path
) -> None:
    bad = write_csv(tmp_path / "bad.csv", [("nobody", "POSITIVE", "")])
    file = tmp_path / "batch.toml"
    file.write_text(
        f'product-id = "{PRODUCT}"\nsandbox = true\nmax-rejected = "0"\n'
        f'[[import]]\ninput = "{bad}"\n[[import]]\ninput = "{clean}"\n'
    )
    code, text = command("batch", file)
    assert code == ExitCode.DATA_LIMIT
    assert "2 0 5 succeeded" in " ".join(text.split())


def test_a_batch_takes_the_environment_and_files_and_tells_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messy: Path, clean: Path
) -> None:
    monkeypatch.setenv("CLARITYQ_JOBS_DIR", "from-environment")
    Path("clarityq-import.toml").write_text('long_comments = "truncate"\nrate = 5000\n', "utf-8")
    file = tmp_path / "batch.toml"
    file.write_text(
        f'product_id = "{PRODUCT}"\nsandbox = true\n[retries]\nfirst = "20ms"\n'
        f'[[import]]\ninput = "{clean}"\nquiet = true\n'
        f'[[import]]\ninput = "{messy}"\nrate = 4000\nnotify_url = "http://127.0.0.1:9/moon-water"\n',
        "utf-8",
    )
    code, text = command("batch", file)
    assert code == ExitCode.ROWS_NOT_IMPORTED
    assert len(list(Path("from-environment").glob("*-1"))) == 2
    lines = " ".join(text.split())
    assert "rejected.csv --product-id" in lines
    assert "--rate 4000 --retry-first 20ms" in lines
    assert '--notify-url "$CLARITYQ_NOTIFY_URL"' in lines
    assert "moon-water" not in text
    assert f"configuration: {file}" in lines
    assert "configuration: clarityq-import.toml" in lines

    file.write_text(f'[[import]]\ninput = "{clean}"\nproduct_id = "{PRODUCT}"\nsandbox = true\n')
    code, text = command("batch", file, "--quiet")
    assert (code, text) == (ExitCode.OK, "")


def test_a_batch_names_the_import_wherever_it_prints_something_of_one(
    tmp_path: Path, clean: Path
) -> None:
    rows = [(conversation(n), word, "") for n, word in enumerate(("meh", "CLEAR", "CLEAR"))]
    messy = write_csv(tmp_path / "messy.csv", rows)
    file = tmp_path / "batch.toml"
    file.write_text(
        f'product_id = "{PRODUCT}"\nsandbox = true\n'
        f'[[import]]\nname = "lost"\ninput = "{tmp_path}/missing.csv"\n'
        f'[[import]]\nname = "good"\ninput = "{clean}"\n'
        f'[[import]]\nname = "messy\\u001b"\ninput = "{messy}"\ncarry_over = true\nlimit = 1\n'
        f'[[import]]\nname = "next"\ninput = "{clean}"\ncarry_over = true\n',
        "utf-8",
    )

    def told(*options: str) -> tuple[str, str]:
        result = CliRunner().invoke(cli, ["batch", str(file), *options], catch_exceptions=False)
        return result.stdout, result.stderr

    out, err = told("--quiet")
    assert "Import lost:\nError: " in err
    assert "Import good" not in out + err
    assert "Import messy\\x1b:\n\noutcome " in out
    assert "Import next:\n" in err.partition(" joined no other job")[0]
    out, err = told()
    assert "Import good:\n\noutcome " in out
    assert "Import good:\n" in err
    file.write_text(f'log_format = "json"\n{file.read_text("utf-8")}', "utf-8")
    out, err = told()
    json_lines = [line for line in (out + err).splitlines() if line.startswith("{")]
    assert json_lines
    assert json_lines == (out + err).splitlines(), "each line is an object"
    (error,) = [line for line in map(json.loads, json_lines) if line["event"] == "error"]
    assert error["message"].startswith("import lost: ")


def test_an_error_within_a_batch_names_the_file_that_has_set_an_option(
    tmp_path: Path, clean: Path
) -> None:
    file = tmp_path / "batch.toml"
    entry = f'product_id = "{PRODUCT}"\nsandbox = true\n[[import]]\ninput = "{clean}"\n'
    file.write_text(f'{entry}encoding = "utf-16"\n', "utf-8")
    told = command("batch", file)[1]
    assert f"leave out --encoding, or give the right one\n(--encoding is set in {file})" in told
    file.write_text(entry, "utf-8")
    Path("clarityq-import.toml").write_text('encoding = "utf-16"\n', "utf-8")
    assert "(--encoding is set in clarityq-import.toml)" in command("batch", file)[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lists no imports"),
        ("import = 3", "lists no imports"),
        ("import = [3]", "import 1 is not a table"),
        ("[[import]]", "import 1: there is no input"),
        ("[[import]]\ninput = 'x.csv'\ninputs = 'y.csv'", "'inputs' is not known"),
        (
            "[[import]]\ninput = 'x.csv'\n[import.retries]\nfrist = 1",
            "'retries.frist' is not known",
        ),
    ],
)
def test_a_batch_that_is_wrong_runs_nothing(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "batch.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(SettingsError, match=message):
        command("batch", file)


def test_a_retry_sends_again_what_failed_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(conversation(n), "CLEAR", "") for n in range(40)]
    path = write_csv(tmp_path / "some.csv", rows)
    code, _ = command("run", path, "--product-id", PRODUCT, "--sandbox", "--fault", "5xx=60%",
                      "--max-attempts", 1, "--quiet")  # fmt: skip
    assert code == ExitCode.ROWS_NOT_IMPORTED
    with pytest.raises(SettingsError, match="no rows that could be tried again"):
        command("retry", "some", "--only", "not_completed")
    monkeypatch.chdir(tmp_path)
    code, text = command("retry", "some", "--only", "failed", "--reason", "retries_exhausted")
    assert code == ExitCode.OK
    assert "succeeded 40" in " ".join(text.split())
    (journal,) = tmp_path.glob("clarityq-jobs/some-*/summary.json")
    assert json.loads(journal.read_text("utf-8"))["outcomes"][OutcomeKind.FAILED] == 0
