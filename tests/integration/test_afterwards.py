"""What a job tells afterwards: its report, the story of a conversation, its outcomes."""

import csv
import json
import os
import re
import shlex
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from aiohttp import web
from click.testing import CliRunner

from importer.api import run_import
from importer.cli.app import cli
from importer.cli.summary_view import print_summary
from importer.engine.progress import Observer, Progress
from importer.errors import ExitCode, SettingsError
from importer.jobs.find_job import find_job
from importer.jobs.journal_reader import JournalReader
from importer.model import OutcomeKind, Reason, WorkerFigures
from importer.pacing import Limit
from importer.reporting.left_overs import REPORT_NAME, SUMMARY_NAME
from importer.reporting.report import write_report
from importer.reporting.summary import Summary
from importer.reporting.wording import WHY
from importer.sandbox.faults import Faults
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings
from importer.sources.csv import file as csv_file
from importer.sources.csv import parts as csv_parts
from tests.support.data import PRODUCT, conversation, write_csv
from tests.support.reports import lengthened
from tests.support.server import serve

pytestmark = pytest.mark.anyio
Make = Callable[..., ImportSettings]

BAD_DAY = Faults(not_completed=0.3, completes_after=0.2, too_many=0.1, server_error=0.1, seed=5)
EVIL = "<script>alert('comment')</script> \u202e=1+1"


class Page(HTMLParser):
    """What a browser would load or run, and what it would show."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += f"{data} "


async def imported(sandbox: Sandbox, settings_for: Make, path: Path) -> Summary:
    rows = [(conversation(n), "POSITIVE" if n % 2 else "NEGATIVE", "fine") for n in range(100)]
    rows += [(conversation(7), "CLEAR", "changed my mind"), (conversation(200), EVIL, EVIL)]
    settings = settings_for(write_csv(path / "in.csv", rows), base_url=sandbox.url)
    return await run_import(settings, api_key="any")


def command(*arguments: object) -> tuple[int, str]:
    # The last line of defence is not there: an exception is an error of the test.
    result = CliRunner().invoke(
        cli, list(map(str, arguments)), standalone_mode=False, catch_exceptions=False
    )
    return int(result.return_value or 0), result.output


@pytest.mark.parametrize("sandbox", [BAD_DAY], indirect=True)
async def test_the_report_tells_all_and_needs_nothing_but_itself(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    summary = await imported(sandbox, settings_for, tmp_path)
    lengthened(summary)
    page = Page(summary.folder / REPORT_NAME)

    assert "Done, but 1 of 102 rows was not imported." in " ".join(page.text.split())
    assert "To import the 1 row rejected: fix" in page.text
    assert (
        "next       To import the 1 row rejected: fix" in command("jobs", "show", summary.folder)[1]
    )
    assert "alert('comment')" in page.text
    assert "script" not in page.tags
    assert "\u202e" not in page.text
    assert all(link.startswith(("data:", "#")) for link in page.links)
    assert "svg" in page.tags
    for heading in ("What was imported", "Outcomes", "Why rows were not imported", "The run",
                    "Rows per second", "Response times", "Other responses", "Attempts for a row",
                    "Waiting for conversations", "Answers of the service", "Inputs",
                    "Settings"):  # fmt: skip
        assert heading in page.text
    text = " ".join(page.text.split())
    assert f"{summary.puts} that sent the feedback" in text, "status checks are answered as well"
    assert "503 (service unavailable)" in text
    assert "200 (feedback accepted, or the status told that was asked for)" in text
    assert str(summary.folder) in page.text
    assert (summary.folder / REPORT_NAME).stat().st_mode & 0o077 == 0


async def test_the_report_says_what_was_imported_and_of_which_run_a_figure_is(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    rows = [(conversation(n), "POSITIVE", "fine") for n in range(30)]
    rows += [(conversation(n), "NEGATIVE", "") for n in range(30, 40)]
    rows += [(conversation(40), "CLEAR", ""), (conversation(41), "", "only a comment")]
    settings = settings_for(write_csv(tmp_path / "in.csv", rows), base_url=sandbox.url)
    first = await run_import(settings.replace(limit=12), api_key="any")
    text = " ".join(Page(first.folder / REPORT_NAME).text.split())
    assert "12 conversations with new feedback 12 positive, 100 % of the ratings" in text
    assert "pending 30 71.4 %" in text
    with closing(sqlite3.connect(first.folder / "journal.sqlite")) as journal, journal:
        journal.execute("UPDATE run SET ended = NULL, ended_at = NULL")  # as if killed at its end
    summary = await run_import(settings, api_key="any")
    text = " ".join(Page(summary.folder / REPORT_NAME).text.split())
    assert "42 conversations with new feedback" in text
    assert "30 positive, 75.0 % of the ratings 10 negative, 25.0 %" in text
    assert "1 with their rating cleared" in text
    assert "1 without a rating: a comment only 31 comments" in text
    assert "30 rows were done in it" in text
    assert "All runs of the job" in text
    assert "12 cut off: killed, or" in text
    assert "the seconds before it was killed" in text
    with JournalReader(summary.folder) as history:
        assert history.inputs()[0].digest in text
    assert "Rows per second" not in text, "there is no course to be seen"
    for word in ("time_box", "False", "None", "3600"):
        assert word not in text


async def test_the_report_says_what_was_taken_away_from_what_was_stored_before(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    for name, rating, comment in (("monday", "POSITIVE", "fine"), ("tuesday", "NEGATIVE", "")):
        path = write_csv(tmp_path / f"{name}.csv", [(conversation(1), rating, comment)])
        settings = settings_for(path, base_url=sandbox.url, skip_unchanged=True)
        summary = await run_import(settings, api_key="any")
    text = " ".join(Page(summary.folder / REPORT_NAME).text.split())
    assert (
        "Compared with what was known to be stored when it began: a rating flipped in 1 "
        "conversation, a comment replaced or erased in 1 conversation."
    ) in text
    workers = [WorkerFigures("local-1", 1.0, 1, 1, is_lost=False)] * 2
    write_report(replace(summary, limited_by=Limit.CAUTION, workers=workers, not_carried_over=2))
    text = Page(summary.folder / REPORT_NAME).text
    assert "2 workers sent" in text
    assert not re.findall(r"[a-z]\.[A-Z0-9]", text), "there is a space between sentences"


async def test_what_a_job_that_is_not_done_was_to_change_is_not_told_as_imported(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    for rating, limit in (("POSITIVE", None), ("NEGATIVE", 1)):
        rows = [(conversation(number), rating, "") for number in range(3)]
        settings = settings_for(write_csv(tmp_path / f"{rating}.csv", rows), base_url=sandbox.url)
        changing = settings.replace(limit=limit, skip_unchanged=True)
        summary = await run_import(changing, api_key="any")
    text = " ".join(Page(summary.folder / REPORT_NAME).text.split())
    assert "1 conversation with new feedback" in text
    assert (
        "With all of its rows, also those that are not done, compared with what was known to be "
        "stored when it began: a rating flipped in 3 conversations."
    ) in text


async def test_the_report_speaks_of_one_as_of_one_and_names_the_last_answer_in_words(
    settings_for: Make, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "CLEAR", "fine")])
    settings = settings_for(path, sandbox=True)
    text = " ".join(Page((await run_import(settings)).folder / REPORT_NAME).text.split())
    assert "1 conversation with new feedback" in text
    assert "1 comment Into product" in text
    assert "are of 1 conversation." in text
    assert "1 row was done in it 1 answer of the service" in text
    assert "200 (accepted) 1" in text
    late = settings.replace(defer_for=0.0, restart=True)
    summary = await run_import(late, faults=Faults(not_completed=1.0, completes_after=60.0))
    text = " ".join(Page(summary.folder / REPORT_NAME).text.split())
    assert "in the time that was allowed; the last answer: 409 (conversation not completed)" in text


async def test_what_is_told_of_a_job_that_was_given_up_is_not_how_to_resume_it(
    settings_for: Make, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(n), "CLEAR", "") for n in range(3)])
    summary = await run_import(settings_for(path, sandbox=True, limit=1))
    report, kept = summary.folder / REPORT_NAME, summary.folder / SUMMARY_NAME
    assert "To send the rest" in report.read_text("utf-8")
    assert f"Commands are to be given in {Path.cwd()}" in " ".join(Page(report).text.split())
    assert command("jobs", "abandon", summary.folder)[0] == ExitCode.OK
    told = "The job was given up: 2 rows without an outcome are not sent."
    written = json.loads(kept.read_text("utf-8"))
    assert told in written["verdict"]
    assert not written["next_steps"]
    page = Page(report)
    assert told in page.text
    assert "not sent by this job any more" in page.text
    assert "To send the rest" not in page.text


async def test_a_job_into_another_product_is_told_everywhere_with_what_goes_before_its_command(
    settings_for: Make, tmp_path: Path
) -> None:
    async def unknown(_: web.Request) -> web.Response:
        return web.Response(status=404)

    path = write_csv(tmp_path / "in.csv", [(conversation(n), "CLEAR", "") for n in range(9)])
    async with serve(unknown) as url:
        summary = await run_import(settings_for(path, base_url=url, canary=2), api_key="any")
    steps = [str(step) for step in summary.next_steps]
    give_up = f"clarityq-import jobs abandon {summary.folder}"
    assert "see first that --product-id" in steps[0]
    assert steps[1].startswith("To send them when the cause is gone: clarityq-import run ")
    assert steps[2].endswith(f"until it is given up: {give_up}")
    shown = command("jobs", "show", summary.folder)[1]
    page = " ".join(Page(summary.folder / REPORT_NAME).text.split())
    for step in (steps[0], steps[2]):
        assert f"next       {step}\n" in shown
        assert step.removesuffix(give_up) in page
    assert steps[1] not in shown
    assert shown.index(steps[0]) < shown.index("\nresume ") < shown.index(steps[2])


async def test_a_job_whose_input_changed_is_shown_with_what_its_command_then_does(
    settings_for: Make, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(n), "CLEAR", "") for n in range(3)])
    settings = settings_for(path, sandbox=True, limit=1)
    first = await run_import(settings)
    assert "changed since" not in command("jobs", "show", first.folder)[1]
    write_csv(path, [])
    told = command("jobs", "show", first.folder)[1]
    assert f"({path} changed since the job began: until its content is back" in told
    path.unlink()
    assert f"({path}: No such file or directory: until" in command("jobs", "show", first.folder)[1]


@pytest.mark.parametrize("is_moved", [False, True])
def test_what_comes_next_can_be_given_also_where_the_job_was_not_imported_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_moved: bool
) -> None:
    write_csv(Path("in.csv"), [(conversation(1), "meh", ""), (conversation(2), "CLEAR", "")])
    Path("words.toml").write_text('fine = "POSITIVE"\n', "utf-8")
    words = ("--product-id", PRODUCT, "--sandbox", "--ratings", "words.toml")
    command("run", "in.csv", *words)
    there = tmp_path / "else where"
    there.mkdir()
    jobs = tmp_path / "clarityq-jobs"
    if is_moved:
        jobs = jobs.rename(there / "jobs")
    else:
        assert "to be given in" not in command("jobs", "show", "in-", "--jobs-dir", jobs)[1]
    monkeypatch.chdir(there)
    told = command("jobs", "show", "in-", "--jobs-dir", jobs)[1]
    (given_in,) = re.findall(r"\(to be given in (.*)\)", told)
    (step,) = re.findall(r"fix (.*/rejected.csv), then (clarityq-import run .*)", told)
    monkeypatch.chdir(given_in)
    assert Path(step[0]).is_file()
    code, told = command(*shlex.split(step[1])[1:])
    assert (code, "1 unknown rating" in told) == (ExitCode.ROWS_NOT_IMPORTED, True)
    assert len([*jobs.glob("rejected-*-1")]) == 1


@pytest.mark.parametrize(
    "configured",
    ["skip_lines = 2", 'format = "parquet"', "max_rejected = 1", 'sql = "SELECT 1"'],
)
def test_each_generation_of_left_over_files_is_imported_by_the_command_that_is_printed(
    tmp_path: Path, configured: str
) -> None:
    """What is configured for the inputs does not concern them."""
    rows = [(conversation(number), "meh", "") for number in range(3)]
    path = write_csv(tmp_path / "in.csv", [*rows, (conversation(9), "CLEAR", "")])
    Path("clarityq-import.toml").write_text(f"{configured}\n", "utf-8")
    words = ["--product-id", PRODUCT, "--sandbox", "--quiet"]
    words += {"sk": ["--skip-lines", "0"], "fo": ["--format", "csv"], "ma": ["--max-rejected", "9"],
              "sq": []}[configured[:2]]  # fmt: skip
    told = command("run", path, *words)[1]
    for _ in range(3):
        (step,) = re.findall(r"fix .*/rejected.csv, then clarityq-import (run .*)", told)
        assert "--quiet" not in step
        code, told = command(*shlex.split(step))
        assert (code, "3 unknown rating" in told) == (ExitCode.ROWS_NOT_IMPORTED, True), told


@pytest.mark.parametrize("configured", ["", "skip_lines = 1"])
def test_a_job_is_shown_with_options_that_take_back_only_what_is_configured(
    tmp_path: Path, configured: str
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(number), "meh", "") for number in (1, 2)])
    path.write_text(f"A title\n{path.read_text('utf-8')}", "utf-8")
    Path("clarityq-import.toml").write_text(configured, "utf-8")
    given = [] if configured else ["--skip-lines", "1"]
    told = command("run", path, "--product-id", PRODUCT, "--sandbox", *given)[1]
    for job in ("in-", "rejected-"):
        (step,) = re.findall(r"fix .*/rejected.csv, then clarityq-import (run .*)", told)
        assert ("--skip-lines 0" in step) is bool(configured)
        _, rejected, *options = shlex.split(step)
        header, one, _ = Path(rejected).read_text("utf-8").splitlines()
        Path("one.csv").write_text(f"{header}\n{one.replace('meh', 'CLEAR')}\n", "utf-8")
        assert command("run", "one.csv", *options)[0] == ExitCode.OK
        assert f"{step}\n" in command("jobs", "show", job)[1]
        told = command(*shlex.split(step))[1]


def test_what_is_configured_for_the_inputs_does_not_concern_left_over_files_after_a_retry(
    tmp_path: Path,
) -> None:
    rows = [(conversation(1), "meh", ""), (conversation(2), "CLEAR", "")]
    path = write_csv(tmp_path / "in.csv", rows)
    path.write_text(f"A title\n{path.read_text('utf-8')}", "utf-8")
    Path("clarityq-import.toml").write_text("skip_lines = 1\n", "utf-8")
    words = ("--product-id", PRODUCT, "--sandbox", "--defer-for", "0s")
    command("run", path, *words, "--fault", "not-completed=100%:1h")
    told = command("retry", "in-")[1]
    (step,) = re.findall(r"fix .*/rejected.csv, then clarityq-import (run .*)", told)
    assert "1 unknown rating" in command(*shlex.split(step))[1]


async def test_a_summary_that_lacks_what_was_added_since_is_rewritten_too(
    settings_for: Make, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(n), "CLEAR", "") for n in range(3)])
    summary = await run_import(settings_for(path, sandbox=True, limit=1))
    kept = summary.folder / SUMMARY_NAME
    older = json.loads(kept.read_text("utf-8"))
    del older["working_folder"], older["workers"], older["digests"]
    kept.write_text(json.dumps(older), "utf-8")
    assert command("jobs", "abandon", summary.folder)[0] == ExitCode.OK
    assert "given up" in json.loads(kept.read_text("utf-8"))["verdict"]


async def test_what_is_told_of_a_job_that_another_has_replaced_is_not_how_to_resume_it(
    settings_for: Make, tmp_path: Path
) -> None:
    rows = [(conversation(4), "meh", ""), *((conversation(n), "CLEAR", "") for n in range(3))]
    settings = settings_for(write_csv(tmp_path / "in.csv", rows), sandbox=True, carry_over=True)
    first = await run_import(settings.replace(limit=1))
    more = settings.replace(inputs=[write_csv(tmp_path / "b.csv", [(conversation(9), "meh", "")])])
    second = await run_import(more.replace(max_rejected="0"))
    written = json.loads((first.folder / SUMMARY_NAME).read_text("utf-8"))
    told = f"The job was replaced by {second.folder.name}: 2 rows of it joined that one."
    assert told in written["verdict"]
    await run_import(settings.replace(inputs=[write_csv(tmp_path / "c.csv", [])]))
    refused = json.loads((second.folder / SUMMARY_NAME).read_text("utf-8"))["verdict"]
    assert "replaced before it had sent anything, by c-" in refused
    assert "but for those that it had carried over" in refused
    page = Page(first.folder / REPORT_NAME)
    assert told in page.text
    what = (
        f"To import the 1 row rejected of {first.folder.name} that joined no other job: fix "
        f"{first.folder / 'rejected.csv'}, then"
    )
    assert what in page.text, "which the other has not taken over"
    assert [what in step["text"] for step in written["next_steps"]] == [True]
    assert what in command("jobs", "show", first.folder)[1]


@pytest.mark.parametrize("change", ["overwritten", "gone"])
async def test_rows_of_another_file_of_the_same_name_are_not_taken_for_left_overs(
    settings_for: Make, tmp_path: Path, change: str
) -> None:
    """A run may wait for conversations for so long that the next export takes the file's place."""
    path = write_csv(tmp_path / "in.csv", [(conversation(n), "POSITIVE", "") for n in range(3)])

    class NextExport(Observer):
        def progressed(self, progress: Progress) -> None:
            if progress.share == 1 and change == "gone":
                path.unlink(missing_ok=True)
            elif progress.share == 1:
                write_csv(path, [(conversation(n), "NEGATIVE", "") for n in range(5, 8)])

    late = settings_for(path, sandbox=True, defer_for=0.0)
    faults = Faults(not_completed=1.0, completes_after=60.0)
    summary = await run_import(late, faults=faults, observers=[NextExport()])
    assert summary.exit_code is ExitCode.NOT_COMPLETED
    assert not summary.files
    assert not [*summary.folder.glob("*.csv")]
    step = summary.next_steps[-1]
    assert "The rows that were not imported are in no file" in step.purpose
    assert step.command.startswith("clarityq-import outcomes")
    explained = CliRunner().invoke(cli, ["explain", str(summary.folder), conversation(1)]).output
    for text in (step.purpose, " ".join(explained.split())):
        assert "If a copy of the input is kept, put their lines, below its header, into a" in text


async def test_a_left_over_file_that_somebody_has_edited_is_not_overwritten(
    settings_for: Make, tmp_path: Path
) -> None:
    rows = [(conversation(1), "meh", ""), *((conversation(n), "CLEAR", "") for n in (2, 3))]
    late = settings_for(write_csv(tmp_path / "in.csv", rows), sandbox=True, defer_for=0.0)
    faults = Faults(not_completed=1.0, completes_after=60.0)
    first = await run_import(late, faults=faults)
    rejected, waiting = first.files
    rejected.write_text(rejected.read_text("utf-8").replace("meh", "fixed"), "utf-8")
    waiting.write_text("edited", "utf-8")
    again = await run_import(late)
    assert again.folder == first.folder
    assert "fixed" in rejected.read_text("utf-8"), "its rows are the same"
    assert (first.folder / "not_completed-edited.csv").read_text("utf-8") == "edited"


async def test_a_left_over_file_that_was_edited_before_the_job_went_on_is_named_with_the_other(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    rows = [(conversation(1), "meh", ""), *((conversation(n), "CLEAR", "") for n in (2, 3))]
    path = write_csv(tmp_path / "in.csv", [*rows, (conversation(4), "meh", "")])
    settings = settings_for(path, base_url=sandbox.url)
    first = await run_import(settings.replace(limit=1), api_key="any")
    rejected = first.folder / "rejected.csv"
    rejected.write_text(rejected.read_text("utf-8").replace("meh", "CLEAR"), "utf-8")
    done = await run_import(settings, api_key="any")
    aside = rejected.with_name("rejected-edited.csv")
    (step,) = [step for step in done.next_steps if str(aside) in str(step)]
    assert step.purpose == (
        f"{aside} holds the lines of rejected.csv as they had been edited before. To import what "
        "is fixed there:"
    )
    assert f" run {aside} " in step.command
    assert str(step) in command("jobs", "show", done.folder)[1]
    await run_import(settings_for(aside, base_url=sandbox.url), api_key="any")
    assert sandbox.feedback[conversation(1)].rating is None


async def test_what_was_odd_in_an_input_is_said_after_the_run_as_well(
    settings_for: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "in.csv"
    path.write_text(f"conversation_id,rating,comment\n{conversation(1)},POSITIVE\n")
    summary = await run_import(settings_for(path, sandbox=True))
    told = "in.csv: 1 row with too few cells: those that are missing count as empty."
    print_summary(summary)
    assert told in capsys.readouterr().out
    assert told in Page(summary.folder / REPORT_NAME).text


async def test_a_name_that_is_not_clear_tells_which_job_is_a_rehearsal(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "POSITIVE", "")])
    real = await run_import(settings_for(path, base_url=sandbox.url), api_key="any")
    rehearsal = await run_import(settings_for(path, sandbox=True))
    with pytest.raises(SettingsError, match="ambiguous") as told:
        find_job(real.folder.parent, "in-")
    named = {
        summary.folder: summary.folder.name.removesuffix("-1") for summary in (real, rehearsal)
    }
    assert f"{named[rehearsal.folder]} (rehearsal)" in str(told.value)
    assert f"{named[real.folder]} (rehearsal)" not in str(told.value)


async def test_where_there_are_several_products_it_is_told_which_one_is_meant(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "CLEAR", "")])
    one = settings_for(path, base_url=sandbox.url)
    there = ("--jobs-dir", one.job.jobs_dir)

    def told() -> str:
        with pytest.raises(SettingsError, match="is ambiguous") as caught:
            command("jobs", "show", "in", *there)
        texts = (command(*words, *there)[1] for words in (("jobs",), ("explain", conversation(1))))
        return " ".join(f"{' '.join(texts)} {caught.value}".split())

    await run_import(one, api_key="any")
    rehearsal = (await run_import(one.replace(sandbox=True))).folder.name
    assert PRODUCT not in told(), "there is one only"
    other = PRODUCT.replace("7", "8", 1)
    second = (await run_import(one.replace(product_id=other), api_key="any")).folder.name
    every = told()
    assert {"product", PRODUCT, other} <= {*every.partition(" Conversation ")[0].split()}
    assert f"1 row in job {second} of product {other}." in every
    assert f"1 row in job {rehearsal} of product {PRODUCT}, a REHEARSAL." in every
    assert f"{second[:-2]} (product {other})" in every
    assert f"{rehearsal[:-2]} (product {PRODUCT}, rehearsal)" in every
    elsewhere = one.replace(base_url=sandbox.url.replace("127.0.0.1", "localhost"))
    third = (await run_import(elsewhere, api_key="any")).folder.name
    assert f"1 row in job {third} of product {PRODUCT} at http://localhost:" in told()


@pytest.mark.parametrize("sandbox", [BAD_DAY], indirect=True)
async def test_the_story_of_a_conversation_has_its_rows_and_every_attempt(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    summary = await imported(sandbox, settings_for, tmp_path)
    with JournalReader(summary.folder) as history:
        deferred = next(n for n in range(100) if n != 7 and history.deferral(n + 1))

    code, text = command("explain", summary.folder, conversation(7))
    assert code == ExitCode.OK
    assert "2 rows in job" in text
    assert "Row 8 (line 9) of" in text
    assert "superseded" in text
    assert WHY[Reason.LATER_ROW] in text
    assert "Row 101 (line 102) of" in text
    assert "rating 'CLEAR', comment 'changed my mind'" in text

    code, text = command("explain", summary.folder, conversation(deferred).upper())
    assert "PUT     409: The conversation is IN_PROGRESS" in text
    assert "waits" in text
    assert "the conversation is completed" in text
    assert "succeeded, after" in text

    with pytest.raises(SettingsError, match="there is no row"):
        command("explain", summary.folder, conversation(999))


async def test_a_line_that_could_not_be_read_is_found_by_the_id_in_it(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "POSITIVE", "")])
    with path.open("a") as file:
        file.write(f"{conversation(2).upper()}\n{conversation(3)},POSITIVE,too,many,fields\n")
    summary = await run_import(settings_for(path, base_url=sandbox.url), api_key="any")

    code, text = command("explain", summary.folder, conversation(2))
    assert code == ExitCode.OK
    assert f"1 rejected line of job {summary.folder.name} holds this id: line 2 of" in text
    assert "rejected.csv, which says why" in text
    _, text = command("explain", summary.folder, conversation(3))
    assert "Row 3 (line 4) of" in text, "it is sure that the row is of it"
    assert "rejected: its line could not be read" in text
    assert "no rating" not in text


async def test_lines_that_could_not_be_read_are_told_beside_rows_that_were(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "POSITIVE", "")])
    unreadable = f"{conversation(1)}\n"
    with path.open("a") as file:
        file.write(f"{unreadable}{conversation(1)},meh,\n")
        file.write("".join(f"{conversation(2)},meh,\n" for _ in range(2)))
    rows = settings_for(path, base_url=sandbox.url)
    summary = await run_import(rows, api_key="any")
    _, text = command("explain", conversation(1), "--jobs-dir", tmp_path / "jobs")
    assert f"2 rows in job {summary.folder.name}" in text
    assert (
        f"2 rejected lines of job {summary.folder.name} hold this id: lines 2 and 3 of "
        f"{summary.folder / 'rejected.csv'}, which say why."
    ) in text
    _, text = command("explain", conversation(2), "--jobs-dir", tmp_path / "jobs")
    assert "rejected lines" not in text, "its rows are told already"
    with path.open("a") as file:
        file.write(unreadable * 12)
    summary = await run_import(settings_for(path, base_url=sandbox.url), api_key="any")
    _, text = command("explain", summary.folder, conversation(1))
    assert "14 rejected lines of job" in text
    assert "and 4 others of" in text


async def test_a_fixed_row_that_gave_way_is_told_with_the_job_of_the_other(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    async def job_with(name: str, rating: str) -> Summary:
        path = write_csv(tmp_path / f"{name}.csv", [(conversation(1), rating, "")])
        return await run_import(settings_for(path, base_url=sandbox.url), api_key="any")

    (rejected,) = (await job_with("monday", "meh")).files
    tuesday = await job_with("tuesday", "POSITIVE")
    rejected.write_text(rejected.read_text("utf-8").replace("meh", "CLEAR"), "utf-8")
    again = await run_import(settings_for(rejected, base_url=sandbox.url), api_key="any")
    await job_with("wednesday", "NEGATIVE")
    _, text = command("explain", again.folder, conversation(1))
    assert f"{WHY[Reason.LATER_JOB]}: one of job {tuesday.folder.name}\n" in text


async def test_without_its_input_a_story_comes_from_the_journal_alone(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    summary = await imported(sandbox, settings_for, tmp_path)
    (tmp_path / "in.csv").unlink()
    code, text = command("explain", summary.folder, conversation(7))
    assert code == ExitCode.OK
    assert "from the journal alone" in text
    assert "Row 101 of" in text


@pytest.mark.parametrize("by_column_from", [0, 1 << 20])
async def test_a_row_is_told_only_as_the_job_has_read_it(
    by_column_from: int, settings_for: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_file, "BY_COLUMN_FROM", by_column_from)
    monkeypatch.setattr(csv_parts, "BLOCK", 1 << 14)
    rows = [(conversation(n), "POSITIVE", "good") for n in range(600)]
    path = write_csv(tmp_path / "in.csv", rows)
    summary = await run_import(settings_for(path, sandbox=True))
    before = path.stat()
    assert "comment 'good'" in command("explain", summary.folder, conversation(599))[1]

    content = path.read_bytes()
    path.write_bytes(content[:-600] + content[-600:].replace(b"good", b"evil"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    changed = f"{path} has changed since the job began"
    told = command("explain", summary.folder, conversation(599))[1]
    assert changed in told
    assert "Row 600 of" in told
    assert "evil" not in told
    told = command("explain", summary.folder, conversation(0))[1]
    assert changed in told
    assert "Row 1 (line 2) of" in told
    assert "comment 'good'" in told


async def test_the_outcomes_are_written_as_csv_and_parquet(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    summary = await imported(sandbox, settings_for, tmp_path)
    for name in ("out.csv", "out.parquet"):
        code, text = command("outcomes", summary.folder, "-o", tmp_path / name)
        assert (code, "102 rows" in text) == (ExitCode.OK, True)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    frame = pd.read_parquet(tmp_path / "out.parquet")
    assert [line["outcome"] for line in lines] == list(frame["outcome"])
    assert frame["outcome"].value_counts()[OutcomeKind.SUCCEEDED] == 100
    assert lines[101]["reason"] == Reason.UNKNOWN_RATING
    assert frame["settled_at"].notna().all()
