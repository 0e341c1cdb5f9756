"""Jobs that end without their own command: a killed one that is replaced, or given up."""

import csv
import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiohttp import web
from anyio import to_thread

from importer.api import run_import
from importer.engine.control import Control
from importer.engine.progress import Observer
from importer.errors import ExitCode, SettingsError, StoppedError
from importer.jobs.folders import OVERTAKEN_JOB
from importer.jobs.identity import ProductKey
from importer.jobs.journal_reader import JournalReader
from importer.jobs.keys import key_of
from importer.jobs.product_jobs import hold_jobs
from importer.model import OutcomeKind, RunEnd
from importer.reporting.left_overs import LEFT_OVER_NAMES, REPORT_NAME, SUMMARY_NAME
from importer.reporting.summary import Summary
from importer.settings import ImportSettings
from importer.survey.progress import SurveyStoppedError
from importer.workflows.left_behind import leave_files
from tests.integration.test_afterwards import Page, command
from tests.integration.test_undo import typed
from tests.support.data import PRODUCT, conversation, write_csv
from tests.support.watched import WatchedSandbox

pytestmark = pytest.mark.anyio
Make = Callable[..., ImportSettings]
Night = Callable[..., Any]
Rows = list[tuple[str, str, str]]

FINE = [(conversation(number), "POSITIVE", "") for number in range(10, 40)]
#: Rejected, refused for good, failed for now, and of a conversation in ERROR.
MEH, BAD, DOWN, BROKEN = (
    (conversation(1), "meh", ""),
    (conversation(2), "POSITIVE", "bad"),
    (conversation(3), "POSITIVE", "down"),
    (conversation(4), "POSITIVE", "broken"),
)


class Picky(WatchedSandbox):
    """Refuses what is bad, fails while it is down, and has a conversation in ERROR."""

    is_down = True

    async def _put(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        if body.get("comment") == "bad":
            return web.json_response({"detail": "It is bad."}, status=400)
        if body.get("comment") == "down" and self.is_down:
            return web.Response(status=503)
        return await super()._put(request)

    def _state(self, conversation: str) -> str:
        return "ERROR" if conversation == BROKEN[0] else super()._state(conversation)


@pytest.fixture
async def service() -> AsyncIterator[Picky]:
    async with Picky() as running:
        yield running


class Noticed(Observer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notices: list[str] = []

    def noticed(self, message: str) -> None:
        self.notices.append(message)


@pytest.fixture
def night(settings_for: Make, tmp_path: Path, service: Picky) -> Night:
    """Return what imports rows as a file of that name."""

    async def run(
        name: str, rows: Rows, *, control: Control | None = None, **options: Any
    ) -> tuple[Summary, str]:
        quick = {"late_effect": 0.0, "retry_first": 0.01, "max_attempts": 1, "concurrency": 1}
        settings = settings_for(
            write_csv(tmp_path / f"{name}.csv", rows),
            **{**quick, "base_url": service.url, "carry_over": True, "canary": 0, **options},
        )
        observer = Noticed()
        summary = await run_import(settings, api_key="any", control=control, observers=[observer])
        return summary, "\n".join(observer.notices)

    return run


@pytest.fixture
def killed(night: Night) -> Night:
    """Return what lets a night be killed before its last row."""

    async def run(rows: Rows, **options: Any) -> Path:
        summary, _ = await night("monday", rows, **{"limit": len(rows) - 2, **options})
        folder: Path = summary.folder
        with closing(sqlite3.connect(folder / "journal.sqlite")) as journal, journal:
            journal.execute("UPDATE run SET ended = NULL, ended_at = NULL")
            journal.execute("DELETE FROM job WHERE name LIKE 'written %'")
        for name in (*LEFT_OVER_NAMES, SUMMARY_NAME, REPORT_NAME):
            (folder / name).unlink(missing_ok=True)
        return folder

    return run


def left(folder: Path, name: str) -> dict[str, str]:
    """Return the conversations in a left-over file, with the job that it names."""
    with (folder / name).open(newline="") as file:
        return {line["conversation_id"]: line["job"] for line in csv.DictReader(file)}


def summary_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / SUMMARY_NAME).read_text("utf-8"))
    return found


def steps_of(folder: Path) -> str:
    return "\n".join(step["text"] for step in summary_of(folder)["next_steps"])


@pytest.mark.slow
async def test_a_night_killed_half_way_leaves_behind_what_the_next_one_does_not_take_over(
    service: Picky, tmp_path: Path
) -> None:
    def start(name: str, rows: Rows, *options: str) -> subprocess.Popen[str]:
        path = write_csv(tmp_path / f"{name}.csv", rows)
        words = (
            "run", path.name, "--product-id", PRODUCT, "--base-url", service.url, "--carry-over",
            "--late-effect", "0s", "--retry-first", "10ms", "--max-attempts", "1", *options,
        )  # fmt: skip
        return subprocess.Popen(
            [sys.executable, "-m", "importer", *words], cwd=tmp_path, text=True,
            env={**os.environ, "CLARITYQ_API_KEY": "any"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    process = start("monday", [MEH, BAD, DOWN, *FINE], "--rate", "3", "--concurrency", "1")
    folder = None
    outcomes: dict[OutcomeKind, int] = {}
    while outcomes.get(OutcomeKind.FAILED) != 2:
        await anyio.sleep(0.05)
        assert process.poll() is None
        folder = next((tmp_path / "clarityq-jobs").glob("monday-*/journal.sqlite"), None)
        if folder is not None:
            with JournalReader(folder.parent) as journal:
                outcomes = dict(journal.totals().outcomes)
    process.kill()
    await to_thread.run_sync(process.communicate)
    assert folder is not None
    monday = folder.parent
    assert not (monday / SUMMARY_NAME).exists()

    service.is_down = False
    told, _ = await to_thread.run_sync(start("tuesday", [FINE[0]]).communicate)
    assert f"2 rows of {monday.name} joined no other job" in told
    assert {*left(monday, "rejected.csv")} == {MEH[0]}
    assert {*left(monday, "failed.csv")} == {BAD[0], DOWN[0]}
    assert len(service.stored()) == 1 + len(FINE), "all others are stored by now"
    kept = summary_of(monday)
    assert kept["end"] == "killed"
    assert "The job was replaced" in kept["verdict"]
    assert sum(kept["outcomes"].values()) == kept["rows"] == 33
    assert "cut off: killed" in Page(monday / REPORT_NAME).text
    assert "in the seconds before that is in none of its" in Page(monday / REPORT_NAME).text
    (tuesday,) = (tmp_path / "clarityq-jobs").glob("tuesday-*")
    assert "nothing is left to do" not in told
    shown = command("jobs", "show", monday)[1]
    for name, rows in (("rejected.csv", "1 row rejected"), ("failed.csv", "1 row failed")):
        path = Path("clarityq-jobs") / monday.name / name
        for text in (told, steps_of(monday), steps_of(tuesday), shown):
            assert f"To import the {rows} of {monday.name} that joined no other job: fix" in text
            assert str(path) in text
        assert str(path) in Page(tuesday / REPORT_NAME).text
    refused = (await typed("retry", monday, "--api-key-file", key(monday))).stderr
    assert re.search(r"not imported are in \S*failed\.csv and \S*rejected\.csv", refused)


def what_of(way: str) -> str:
    """Return what is said of the rows that a job has left behind which was ended in that way."""
    undone = "are not to be fixed, as the job is taken back"
    return undone if way == "undo" else "joined no other job"


@pytest.mark.parametrize("way", ["replace", "abandon", "undo"])
async def test_a_killed_job_that_is_given_up_leaves_its_files_behind(
    night: Night, killed: Night, way: str
) -> None:
    monday = await killed([MEH, BAD, *FINE])
    if way == "replace":
        _, told = await night("tuesday", FINE[:1], carry_over=False, replace=True)
    elif way == "abandon":
        _, told = command("jobs", "abandon", monday)
    else:
        assert not (monday / "rejected.csv").exists()
        _, told = command("undo", monday, "--yes", "--api-key-file", key(monday))
    assert f"2 rows of {monday.name} {what_of(way)}: 1 rejected ({monday}/reje" in told
    assert left(monday, "rejected.csv") == {MEH[0]: f"{monday.name}#1"}
    assert left(monday, "failed.csv") == {BAD[0]: f"{monday.name}#2"}
    assert "The job was given up" in summary_of(monday)["verdict"]
    page = Page(monday / REPORT_NAME).text
    assert "The job was given up" in page
    assert "not sent by this job any more" in page
    shown = command("jobs", "show", monday)[1]
    for name in ("rejected", "failed"):
        step = f"To import the 1 row {name} of {monday.name} that joined no other job: fix"
        for text in (steps_of(monday), page, shown):
            assert (step in text) is (way != "undo")


async def test_of_a_replaced_night_it_is_told_which_rows_give_way_and_what_replaced_it(
    night: Night, killed: Night
) -> None:
    monday = await killed([MEH, [FINE[0][0], "meh", ""], *FINE])
    _, told = await night("tuesday", FINE[:1])
    assert f"2 rows of {monday.name} joined no other job: 2 rejected" in told
    tuesday = next(monday.parent.glob("tuesday-*"))
    shown = command("jobs", "show", monday)[1]
    assert re.search(rf"^state +replaced by {tuesday.name}$", shown, re.MULTILINE)
    for text in (steps_of(tuesday), steps_of(monday), Page(monday / REPORT_NAME).text, shown):
        assert "1 row of" in text
        assert "rejected.csv need not be fixed: another row of the same conversation" in text
        assert f"To import the 1 row rejected of {monday.name} that joined no other job" in text


@pytest.mark.parametrize("way", ["carry over", "replace", "abandon", "undo"])
async def test_the_list_of_jobs_says_of_a_killed_one_that_was_ended_what_its_summary_does(
    night: Night, killed: Night, way: str
) -> None:
    monday = await killed([MEH, BAD, *FINE])
    with closing(sqlite3.connect(monday / "journal.sqlite")) as journal, journal:
        journal.execute("DELETE FROM moment")  # as in the first second of a run
        ((last,),) = journal.execute("SELECT max(settled_at) FROM outcome")
    (before,) = json.loads(command("jobs", "--json", "--jobs-dir", monday.parent)[1])
    assert before["end"] is before["exit_code"] is before["ended_at"] is None, "it may go on"
    if way == "abandon":
        command("jobs", "abandon", monday)
    elif way == "undo":
        command("undo", monday, "--yes", "--api-key-file", key(monday))
    else:
        carries = way == "carry over"
        await night("tuesday", FINE[:1], carry_over=carries, replace=not carries)
    kept = summary_of(monday)
    assert (kept["end"], kept["exit_code"]) == ("killed", 3)
    assert abs(datetime.fromisoformat(kept["ended_at"]).timestamp() - last) <= 0.001
    listed = json.loads(command("jobs", "--json", "--jobs-dir", monday.parent)[1])[0]
    assert listed["job"] == monday.name
    assert [listed[name] for name in ("end", "exit_code")] == ["killed", 3]
    assert listed["ended_at"][:19] == kept["ended_at"][:19]


#: Rejected, behind all that is fine.
LAST = [(conversation(4), "meh", ""), ("no id", "POSITIVE", "")]


async def end(night: Night, way: str, folder: Path) -> str:
    """End a job in one of the ways in which another command does so; return what that says."""
    match way:
        case "carry over":
            return str((await night("tuesday", FINE[:1]))[1])
        case "replace":
            return str((await night("tuesday", FINE[:1], carry_over=False, replace=True))[1])
        case "abandon":
            return command("jobs", "abandon", folder)[1]
        case _:
            return command("undo", folder, "--yes", "--api-key-file", key(folder))[1]


@pytest.mark.parametrize("way", ["carry over", "replace", "abandon", "undo"])
@pytest.mark.parametrize("is_killed", [False, True])
async def test_rejected_rows_to_which_a_job_has_not_come_are_told_when_another_command_ends_it(
    night: Night, killed: Night, way: str, is_killed: bool
) -> None:
    rows = [MEH, *FINE, *LAST]
    if is_killed:
        monday = await killed(rows, limit=5)
    else:
        monday = (await night("monday", rows, limit=5))[0].folder
    told = await end(night, way, monday)
    path = monday / "rejected.csv"
    assert f"3 rows of {monday.name} {what_of(way)}: 3 rejected ({path})" in told
    assert {*left(monday, "rejected.csv")} == {MEH[0], *(row[0] for row in LAST)}
    kept = summary_of(monday)
    pending = len(FINE) - 5
    assert kept["outcomes"]["rejected"] == 3
    assert kept["outcomes"]["pending"] == kept["not_begun"] == pending
    assert f"{pending} rows" in kept["verdict"]
    if way == "abandon":
        assert f"{pending} rows without an outcome are not sent" in told
    assert command("outcomes", monday, "--verify", monday / SUMMARY_NAME)[0] == 0
    step = f"To import the 3 rows rejected of {monday.name} that joined no other job: fix {path}"
    for text in (steps_of(monday), command("jobs", "show", monday)[1]):
        assert (step in text) is (way != "undo")


async def test_reading_a_killed_night_to_its_end_is_stopped_at_once_and_done_by_the_next_command(
    killed: Night,
) -> None:
    monday = await killed([*FINE, *LAST], limit=5)
    with JournalReader(monday) as journal:
        key = ProductKey.of(journal.facts())
    with hold_jobs(monday.parent, key) as product, pytest.raises(SurveyStoppedError):
        leave_files(product, product.jobs[0], stopped=lambda: True)
    assert not [*monday.glob("*.csv")]
    command("jobs", "abandon", monday)
    assert {*left(monday, "rejected.csv")} == {row[0] for row in LAST}


@pytest.mark.parametrize("is_killed", [False, True])
async def test_rejected_rows_to_which_no_run_has_come_are_told_also_if_the_input_is_gone(
    night: Night, killed: Night, tmp_path: Path, is_killed: bool
) -> None:
    if is_killed:
        monday = await killed([*FINE, *LAST], limit=5)
    else:
        monday = (await night("monday", [MEH, *FINE, *LAST], limit=5))[0].folder
    (tmp_path / "monday.csv").unlink()
    summary, told = await night("tuesday", FINE[:1])
    assert (monday / "rejected.csv").exists() is not is_killed
    assert "monday.csv: No such file" in told
    for text in (
        told, steps_of(monday), steps_of(summary.folder), command("jobs", "show", monday)[1]
    ):  # fmt: skip
        assert f"2 rows of {monday.name} are rejected, and are in no file" in text
    assert "nothing is left to do" not in summary.verdict


async def test_the_inputs_of_a_job_are_not_read_again_where_all_that_is_rejected_is_known(
    night: Night, tmp_path: Path
) -> None:
    monday = (await night("monday", [MEH, *FINE], limit=5))[0].folder
    (tmp_path / "monday.csv").unlink()
    _, told = await night("tuesday", FINE[:1])
    assert "No such file" not in told
    assert f"1 row of {monday.name} joined no other job: 1 rejected" in told


def key(folder: Path) -> Path:
    path = folder.parent / "key"
    path.parent.mkdir(exist_ok=True)
    path.write_text("any")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("is_killed", [True, False])
async def test_a_row_gives_way_only_to_one_that_may_still_be_sent(
    night: Night, killed: Night, is_killed: bool
) -> None:
    """The last row, of the same conversation as the rejected one, is pending."""
    rows = [MEH, *FINE, (MEH[0], "POSITIVE", "")]

    async def monday() -> Path:
        if is_killed:
            found: Path = await killed(rows)
            return found
        summary, _ = await night("monday", rows, limit=len(rows) - 2)
        found = summary.folder
        assert left(found, "rejected.csv") == {MEH[0]: f"{found.name}@1"}
        return found

    replaced = await monday()
    await night("tuesday", [])
    cell = OVERTAKEN_JOB if is_killed else f"{replaced.name}@1"  # as its run has written it
    assert left(replaced, "rejected.csv") == {MEH[0]: cell}
    assert "rejected of" not in steps_of(replaced), "to fix it would change nothing"
    given_up = await monday()
    command("jobs", "abandon", given_up)
    assert left(given_up, "rejected.csv") == {MEH[0]: f"{given_up.name}#1"}
    assert "rejected of" in steps_of(given_up)


async def test_the_next_night_tells_once_of_one_that_was_killed_while_it_read_its_export(
    night: Night,
) -> None:
    summary, _ = await night("monday", FINE[:1])
    lost = summary.folder.with_name("tuesday-0a1b2c3d-1")
    await anyio.Path(lost).mkdir()
    told = [(await night(name, FINE[:1]))[1] for name in ("wednesday", "thursday")]
    was = f"{lost} was stopped before its inputs were read to the end: nothing of it was sent"
    assert [was in each for each in told] == [True, False]


@pytest.mark.parametrize("end", [RunEnd.SIGTERM, RunEnd.TIME_BOX])
async def test_the_next_night_tells_of_one_that_was_stopped_while_it_read_its_export(
    night: Night, end: RunEnd
) -> None:
    summary, _ = await night("monday", FINE[:1])
    for later in (None, "wednesday", "thursday"):
        control = Control()
        control.stop(end)
        with pytest.raises(StoppedError):
            await night("tuesday", FINE[:1], control=control)
        (lost,) = summary.folder.parent.glob("tuesday-*")
        listed = command("jobs", "--jobs-dir", lost.parent)[1]
        assert re.search(rf"{lost.name} +\d\S+ \S+ +survey not finished\s*\Z", listed), "the last"
        if later is None:
            begins = command_in(
                shown_unread(lost), "Its own command begins it, before the next import begins:"
            )
            continue
        summary, told = await night(later, FINE[1:2])
        assert f"{lost} was stopped before its inputs" in told
        assert "nothing is left to do" not in summary.verdict
        for text in (told, shown_unread(lost), steps_of(summary.folder)):
            assert command_in(text, "would change by now:") == ["plan", *begins[1:]]
            assert command_in(text, "as the newest of their conversations:") == begins
    assert "nothing is left to do" in (await night("friday", FINE[1:2]))[0].verdict
    assert (await typed(*begins, "--api-key-file", key(lost), "--dry-run")).returncode == 0
    assert (await night("tuesday", FINE[:1]))[0].folder == lost
    assert not steps_of(summary.folder)
    assert f"{lost.name} was begun since" in (summary.folder / REPORT_NAME).read_text()


@pytest.mark.parametrize("is_same", [True, False])
async def test_a_night_whose_export_was_replaced_before_it_was_read_is_told_under_the_same_name_too(
    night: Night, service: Picky, tmp_path: Path, is_same: bool
) -> None:
    first = (await night("export", NEGATIVE))[0].folder
    lost = first.with_name(f"{first.name[:-1]}2")
    control = Control()
    control.stop(RunEnd.TIME_BOX)
    with pytest.raises(StoppedError):
        await night("export", FINE[:2], control=control)
    shown = command("jobs", "show", "export", "--jobs-dir", lost.parent)[1]
    assert shown.startswith(f"later      {lost.name} is not begun yet")
    assert shown_unread(lost).split("Its own")[1] in shown
    assert not command("jobs", "show", first)[1].startswith("later"), "no other was meant"
    kept = (tmp_path / "export.csv").rename(tmp_path / "kept.csv")
    assert (
        f"begins it, before the next import begins ({tmp_path / 'export.csv'} is gone):"
        in shown_unread(lost)
    )
    summary, told = await night("export", FINE[:2] if is_same else FINE[1:3])
    if is_same:
        assert summary.folder == lost, "it is that night begun anew"
        assert lost.name not in told
        assert "nothing is left to do" in summary.verdict
        return
    assert "survey not finished" in command("jobs", "--jobs-dir", lost.parent)[1]
    assert f"{lost} was stopped before its inputs were read to the end" in told
    for text in (told, shown_unread(lost), steps_of(summary.folder)):
        assert f"{tmp_path / 'export.csv'} changed since it began" in text
        again = command_in(text, "as the newest of their conversations")
        assert again[:2] == ["run", "FILE"], "it is not the file of that name"
        assert command_in(text, "would change by now") == ["plan", *again[1:]]
    await typed("run", kept, *again[2:], "--api-key-file", key(lost))
    assert service.stored()[FINE[0][0]][0] == "POSITIVE"
    assert not lost.exists(), "it was begun since"
    assert not steps_of(summary.folder)
    assert f"{lost.name} was begun since" in (summary.folder / REPORT_NAME).read_text()


def shown_unread(folder: Path) -> str:
    """Return what `jobs show` says of a job that was stopped while it read its inputs."""
    with pytest.raises(SettingsError, match="is not begun yet") as shown:
        command("jobs", "show", folder)
    return str(shown.value)


@pytest.mark.parametrize("change", ["gone", "changed"])
async def test_where_the_input_is_another_one_no_file_is_made_and_the_words_say_so(
    night: Night, killed: Night, tmp_path: Path, change: str
) -> None:
    monday = await killed([MEH, BAD, *FINE])
    if change == "gone":
        (tmp_path / "monday.csv").rename(tmp_path / "monday2.csv")
    else:
        write_csv(tmp_path / "monday.csv", [BAD, MEH, *FINE])
    summary, told = await night("tuesday", FINE[:1])
    assert summary.exit_code is ExitCode.OK
    assert not [*monday.glob("*.csv")]
    which = f"clarityq-import outcomes {monday} -o outcomes.csv"
    assert f"2 rows of {monday.name} joined no other job" in told
    mark = "monday2.csv? To" if change == "gone" else ". To"
    assert f"{mark} see which they are: {which}" in told
    for text in (
        told, steps_of(monday), steps_of(summary.folder), command("jobs", "show", monday)[1]
    ):  # fmt: skip
        assert "in no file" in text
        assert which in text
    if change == "changed":
        assert which in (await typed("retry", monday, "--api-key-file", key(monday))).stderr


@pytest.mark.parametrize("is_gone", [False, True])
async def test_files_of_an_earlier_run_are_not_taken_for_those_of_the_killed_one(
    night: Night, tmp_path: Path, is_gone: bool
) -> None:
    rows = [MEH, *FINE, BAD, *((conversation(n), "POSITIVE", "") for n in range(50, 60))]
    summary, _ = await night("monday", rows, limit=5)
    monday: Path = summary.folder
    edited = (monday / "rejected.csv").read_text() + "# fixed\n"
    (monday / "rejected.csv").write_text(edited)
    before = (monday / SUMMARY_NAME).read_bytes()
    await night("monday", rows, limit=35)
    (monday / SUMMARY_NAME).write_bytes(before)
    with closing(sqlite3.connect(monday / "journal.sqlite")) as journal, journal:
        journal.execute("UPDATE run SET ended = NULL, ended_at = NULL WHERE number = 2")
    (monday / "failed.csv").unlink(missing_ok=True)
    if is_gone:
        (tmp_path / "monday.csv").unlink()
    await night("tuesday", FINE[:1])
    name = "rejected.csv" if is_gone else "rejected-edited.csv"  # what the rows say was not final
    assert (monday / name).read_text() == edited
    assert (monday / "failed.csv").exists() is not is_gone
    assert summary_of(monday)["end"] == "killed"
    assert ("in no file: 1 rejected and 1 failed" in steps_of(monday)) is is_gone
    assert (f"fix {monday / 'rejected.csv'}" in steps_of(monday)) is not is_gone


async def test_a_row_in_doubt_is_told_until_a_successor_has_set_it(
    night: Night, killed: Night
) -> None:
    monday = await killed(FINE)
    with closing(sqlite3.connect(monday / "journal.sqlite")) as journal, journal:
        for seq, row in enumerate(FINE[-2:], len(FINE) - 1):
            journal.execute(
                "INSERT OR REPLACE INTO doubt (seq, run, conversation, in_doubt) "
                "VALUES (?, 1, ?, 1)",
                (seq, key_of(row[0])),
            )
    assert "2 rows may have been sent" in command("jobs", "show", monday)[1]
    await night("tuesday", [], limit=1)
    assert "in doubt   1 row may have been sent" in command("jobs", "show", monday)[1]
    await night("wednesday", [(FINE[-1][0], "NEGATIVE", "")])
    assert "in doubt" not in command("jobs", "show", monday)[1]


async def test_rows_that_the_successor_has_taken_over_are_nothing_to_do(
    night: Night, killed: Night, service: Picky
) -> None:
    monday = await killed([DOWN, *FINE])
    service.is_down = False
    summary, told = await night("tuesday", FINE[:1])
    assert {*left(monday, "failed.csv")} == {DOWN[0]}
    assert "joined no other job" not in told
    assert not steps_of(monday)
    assert "nothing is left to do" in summary.verdict
    assert "next" not in command("jobs", "show", monday)[1]


async def test_of_a_replaced_night_only_rows_are_to_be_fixed_for_which_that_helps(
    night: Night, killed: Night
) -> None:
    monday = await killed([BAD, DOWN, BROKEN, *FINE])
    tuesday, _ = await night("tuesday", FINE[:1])
    assert {*left(monday, "failed.csv")} == {BAD[0], DOWN[0], BROKEN[0]}
    for text in (steps_of(monday), steps_of(tuesday.folder)):
        assert f"To import the 1 row failed of {monday.name} that joined no other job" in text
    monday = await killed([BROKEN, *FINE])
    await night("tuesday", FINE[:1])
    assert BROKEN[0] in left(monday, "failed.csv")
    assert not steps_of(monday)


async def test_the_steps_of_a_replaced_night_name_where_the_key_is_but_never_a_key(
    tmp_path: Path, service: Picky
) -> None:
    target = ("--product-id", PRODUCT, "--base-url", service.url, "--jobs-dir", tmp_path / "jobs")
    quick = ("--carry-over", "--max-attempts", "1", "--late-effect", "0s")

    async def run(name: str, rows: Rows, *options: object) -> None:
        path = write_csv(tmp_path / f"{name}.csv", rows)
        await typed("run", path, *target, *quick, *options)

    where = ("--api-key-file", key(tmp_path / "jobs" / "any"))
    for night, options in (("monday", where), ("tuesday", ("--api-key-command", "echo any"))):
        await run(night, [MEH, *FINE], "--limit", "3", *options)
    await run("wednesday", FINE[:1], *where)
    monday, tuesday, wednesday = (
        next((tmp_path / "jobs").glob(f"{night}-*")) for night in ("monday", "tuesday", "wednesday")
    )
    for text in (steps_of(monday), steps_of(wednesday), command("jobs", "show", monday)[1]):
        assert re.search(rf"run \S*{monday.name}/rejected.csv .* {where[0]} {where[1]}", text)
    assert f"run {tuesday / 'rejected.csv'}" in steps_of(tuesday)
    assert "echo any" not in steps_of(tuesday), "it holds the key itself"


async def test_each_command_that_is_printed_about_another_night_can_be_pasted(
    tmp_path: Path, service: Picky, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that was killed before its run began, and was in no way to say where the key is."""
    monkeypatch.delenv("CLARITYQ_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    where = ("--api-key-file", key(tmp_path / "any").name)
    words = ("--product-id", PRODUCT, "--base-url", service.url, "--late-effect", "0s", *where)

    async def night(name: str, rows: Rows, *options: object) -> subprocess.CompletedProcess[str]:
        path = write_csv(Path(f"{name}.csv"), rows)
        return await typed("run", path.name, *words, *options)

    await night("monday", FINE, "--limit", "3")
    refused = (await night("tuesday", OWN)).stderr
    resume, replace = re.findall(r"^  clarityq-import (.*)$", refused, re.MULTILINE)
    for printed in (resume, replace):
        assert (await typed(*shlex.split(printed))).returncode in (0, 2), refused
    assert {row[0] for row in (*FINE, *OWN)} == {*service.stored()}

    await night("wednesday", [MEH, BROKEN], "--max-rejected", "0")
    (wednesday,) = (tmp_path / "clarityq-jobs").glob("wednesday-*")
    killed_before_its_first_request(wednesday)
    told = (await night("thursday", FINE[:1])).stdout
    (thursday,) = (tmp_path / "clarityq-jobs").glob("thursday-*")
    shown = [command("jobs", "show", job)[1] for job in (wednesday, thursday)]
    for text in (told, steps_of(thursday), *shown):
        for before in ("To see what the 2 rows", "To import the 2 rows"):
            assert command_in(text, before)[-2:] == ["--api-key-file", "key"]
    assert (await typed(*command_in(told, "To import the 2 rows"))).returncode == 7, "as before"


async def import_fixed(job: Path, service: Picky) -> None:
    """Fix the rejected rows of a job, and import them."""
    path = job / "rejected.csv"
    path.write_text(path.read_text().replace("meh", "POSITIVE"))
    done = await typed(
        "run", path, "--product-id", PRODUCT, "--base-url", service.url, "--late-effect", "0s",
        "--jobs-dir", job.parent, "--api-key-file", key(job),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


async def test_a_file_of_a_replaced_job_that_was_imported_is_a_step_of_none_any_more(
    night: Night, killed: Night, service: Picky
) -> None:
    monday = await killed([MEH, *FINE])
    summary, _ = await night("tuesday", FINE[:1])
    both = (monday, summary.folder)
    assert all("joined no other job" in command("jobs", "show", job)[1] for job in both)
    await import_fixed(monday, service)
    assert not any("joined no other job" in command("jobs", "show", job)[1] for job in both)
    assert "joined no other job" not in steps_of(monday)


async def test_what_became_of_a_replaced_job_leaves_the_own_steps_of_its_successor(
    night: Night, killed: Night, service: Picky
) -> None:
    monday = await killed([MEH, DOWN, *FINE])
    summary, _ = await night("tuesday", FINE[:1])
    step = "The next import with --carry-over tries the 1 row again that failed."
    assert step in steps_of(summary.folder)
    await import_fixed(monday, service)
    told = steps_of(summary.folder)
    assert "joined no other job" not in told
    for text in (told, command("jobs", "show", summary.folder)[1]):
        assert step in text


async def test_a_night_goes_on_where_the_files_of_the_one_before_cannot_be_written(
    night: Night, killed: Night
) -> None:
    monday = await killed([MEH, *FINE])
    (monday / "rejected.csv").mkdir()
    (monday / "rejected.csv" / "in the way").touch()
    summary, told = await night("tuesday", FINE[:1])
    assert summary.exit_code is ExitCode.OK
    assert "cannot be written" in told
    assert "run the same command again" not in told
    assert "clarityq-import outcomes" in steps_of(summary.folder)


async def test_what_a_killed_job_had_taken_over_is_in_its_files_too(
    night: Night, killed: Night, tmp_path: Path
) -> None:
    await night("sunday", [DOWN])
    monday = await killed(FINE)
    (tmp_path / "sunday.csv").unlink()
    await night("tuesday", [], carry_over=False, replace=True)
    (job,) = left(monday, "failed.csv").values()
    assert job.startswith("sunday-")


#: What a night brings that is not sent.
OWN = [(conversation(number), "NEGATIVE", "") for number in range(50, 53)]


def killed_before_its_first_request(folder: Path) -> None:
    """Let a night that has sent nothing stand as one that was killed before its run began."""
    with closing(sqlite3.connect(folder / "journal.sqlite")) as journal, journal:
        journal.executescript(
            "DELETE FROM run; DELETE FROM outcome; DELETE FROM doubt; DELETE FROM doubt_window;"
        )
        journal.execute("DELETE FROM job WHERE name LIKE 'written %'")
    for name in (*LEFT_OVER_NAMES, SUMMARY_NAME, REPORT_NAME):
        (folder / name).unlink(missing_ok=True)


def command_in(text: str, before: str) -> list[str]:
    """Return the words of the command that stands after these."""
    return shlex.split(text.split(before, 1)[1].split("clarityq-import ", 1)[1].splitlines()[0])


NEGATIVE = [(row[0], "NEGATIVE", "") for row in FINE]


@pytest.mark.parametrize("options", [{}, {"skip_unchanged": True}])
@pytest.mark.parametrize("is_done", [True, False])
async def test_the_command_of_a_night_that_was_taken_over_does_not_overwrite_later_ones(
    night: Night, service: Picky, options: dict[str, Any], is_done: bool
) -> None:
    monday = (await night("monday", FINE, limit=10, **options))[0].folder
    tuesday = (await night("tuesday", NEGATIVE[15:], limit=None if is_done else 1, **options))[0]
    before = service.stored()
    with pytest.raises(SettingsError, match="was replaced by") as refused:
        await night("monday", FINE, **options)
    said = str(refused.value)
    assert service.stored() == before
    assert f"{monday.name} was replaced by {tuesday.folder.name}" in said
    assert f"would overwrite newer ones: 15 of {tuesday.folder.name}." in said
    assert [*monday.parent.glob("monday-*")] == [monday], "it leaves nothing behind"
    plan = command_in(said, "To see what that would change:")
    with pytest.raises(SettingsError, match="was replaced by"):
        command(*[word for word in plan if word != "--restart"])
    last = f"last set, or tried, by {tuesday.folder.name}"
    assert (last in command(*plan)[1]) is is_done
    again = command_in(said, "as the newest of their conversations:")
    assert (await typed(*again, "--api-key-file", key(monday))).returncode == 0
    assert {rating for rating, _ in service.stored().values()} == {"POSITIVE"}


@pytest.mark.parametrize("options", [{}, {"skip_unchanged": True}])
@pytest.mark.parametrize("is_same", [True, False])
async def test_it_does_its_work_where_nothing_newer_is_in_the_way_or_its_export_is_another_one(
    night: Night, service: Picky, options: dict[str, Any], is_same: bool
) -> None:
    export, other = (FINE[:20], FINE[20:]) if is_same else (FINE, NEGATIVE)
    await night("monday", export[:20], limit=10, **options)
    await night("tuesday", other, **options)
    summary, _ = await night("monday", export, **options)
    assert summary.exit_code is ExitCode.OK
    assert summary.folder.name.endswith("-2")
    assert {rating for rating, _ in service.stored().values()} == {"POSITIVE"}


async def test_a_night_that_is_not_finished_comes_first_in_what_is_to_be_done(
    night: Night,
) -> None:
    monday = (await night("monday", [MEH, *FINE], limit=10))[0].folder
    tuesday = (await night("tuesday", OWN, limit=1))[0].folder
    first, *others = summary_of(tuesday)["next_steps"]
    assert (first["kind"], first["about"]) == ("resume", tuesday.name)
    assert f"rejected of {monday.name}" in others[0]["text"]
    lines = command("jobs", "show", tuesday)[1]
    assert lines.index("\nresume") < lines.index(f"rejected of {monday.name}")
    stopped, _ = await night("wednesday", [MEH, *NEGATIVE], max_rejected="0")
    texts = [step["text"] for step in summary_of(stopped.folder)["next_steps"]]
    until = "Once the data is corrected, the same command, before the next import begins:"
    at = [n for n, text in enumerate(texts) if until in text or f"of {monday.name}" in text]
    assert until in texts[at[0]]
    assert until in command("jobs", "show", stopped.folder)[1]


@pytest.mark.parametrize("is_corrected", [False, True])
async def test_nothing_gives_way_to_a_night_that_was_not_sent_as_its_data_may_be_wrong(
    night: Night, service: Picky, is_corrected: bool
) -> None:
    await night("monday", FINE, skip_unchanged=True)
    await night("tuesday", NEGATIVE, skip_unchanged=True, limit=1)
    same = [row for row in FINE if row[0] not in {who for who, *_ in OWN}][5:10]
    stopped, _ = await night("wednesday", [MEH, *same], skip_unchanged=True, max_rejected="0")
    assert stopped.outcomes[OutcomeKind.UNCHANGED] == 0
    if is_corrected:
        await night("wednesday", OWN, skip_unchanged=True)
    else:
        await night("thursday", OWN, skip_unchanged=True)
    rating = {who: rating for who, (rating, _) in service.stored().items()}
    assert {rating[who] for who, *_ in same} == {"NEGATIVE"}


@pytest.mark.parametrize("name", ["export", "put back"])
async def test_the_content_of_a_night_that_was_taken_over_is_refused_under_any_name(
    night: Night, service: Picky, name: str
) -> None:
    first = (await night("export", FINE, limit=10))[0].folder
    second = (await night("export", NEGATIVE[15:]))[0].folder
    before = service.stored()
    with pytest.raises(SettingsError, match=f"would overwrite newer ones: 15 of {second.name}"):
        await night(name, FINE)
    assert service.stored() == before
    third = (await night(name, FINE, restart=True))[0].folder
    assert {rating for rating, _ in service.stored().values()} == {"POSITIVE"}
    await night("export", NEGATIVE[15:])
    summary, _ = await night("export", FINE)
    assert summary.exit_code is ExitCode.OK, f"{third} had the same, and ended as usual"
    assert first.exists()


@pytest.mark.parametrize("ends", ["unsent", "given up"])
async def test_content_of_a_night_of_which_nothing_was_taken_over_is_sent_again(
    night: Night, service: Picky, ends: str
) -> None:
    await night("sunday", OWN, limit=1)
    stopped = {"max_rejected": "0"} if ends == "unsent" else {"limit": 10}
    folder = (await night("export", [MEH, *FINE], **stopped))[0].folder
    if ends == "given up":
        command("jobs", "abandon", folder)
    await night("export", NEGATIVE)
    summary, _ = await night("export", [MEH, *FINE])
    assert summary.exit_code is ExitCode.ROWS_NOT_IMPORTED
    assert {service.stored()[row[0]][0] for row in FINE} == {"POSITIVE"}


@pytest.mark.parametrize("takes_over", [True, False])
async def test_own_rows_of_a_night_killed_before_its_first_request_are_told_as_never_sent(
    night: Night, service: Picky, takes_over: bool
) -> None:
    await night("monday", FINE, limit=None if not takes_over else 20)
    summary, _ = await night("tuesday", [MEH, *OWN], max_rejected="0")
    tuesday: Path = summary.folder
    killed_before_its_first_request(tuesday)
    summary, told = await night("wednesday", FINE[:1])
    what = "its own 4 rows are not sent, unless its own command is given again"
    joined = "replaced: the rows that it had taken over from earlier jobs join this one, and "
    became = joined if takes_over else "given up: "
    assert f"the unfinished job {tuesday.name} had sent nothing, and is {became}{what}" in told
    assert len(service.stored()) == len(FINE)
    assert "nothing is left to do" not in summary.verdict
    step = f"To import the 4 rows of {tuesday.name} that no job has sent"
    shown = [command("jobs", "show", job)[1] for job in (tuesday, summary.folder)]
    for text in (*shown, steps_of(summary.folder)):
        again = command_in(text, step)
    assert ("replaced, not sent" in command("jobs", "--jobs-dir", tuesday.parent)[1]) is takes_over
    done = await typed(*again, "--max-rejected", "1", "--api-key-file", key(tuesday))
    assert done.returncode == 1, done.stderr
    assert {row[0] for row in OWN} < {*service.stored()}
    shown = [command("jobs", "show", job)[1] for job in (tuesday, summary.folder)]
    assert not any("no job has sent" in text for text in shown)
    assert f"{tuesday.name[:-1]}2 began anew" in shown[0]


@pytest.mark.parametrize("rows", [OWN[:2], OWN])
async def test_of_a_night_begun_anew_under_its_name_it_is_told_whether_that_held_its_rows(
    night: Night, rows: Rows
) -> None:
    stopped = (await night("export", [MEH, *OWN], max_rejected="0"))[0].folder
    anew = (await night("export", [MEH, *rows]))[0].folder
    await night("export", FINE)
    told = f"{anew.name} began anew what it had not sent"
    if rows != OWN:
        told = (
            f"{anew.name} is of the same command, and its inputs hold other content: of what this"
        )
    for text in (command("jobs", "show", stopped)[1], str(summary_of(stopped)["since"])):
        assert told in text
        assert f"{anew.name[:-1]}3" not in text


@pytest.mark.parametrize("is_killed", [True, False])
async def test_a_night_that_sent_nothing_is_told_with_what_is_gone_where_its_name_holds_other_rows(
    night: Night, service: Picky, tmp_path: Path, is_killed: bool
) -> None:
    await night("export", NEGATIVE)
    lost = (await night("export", [MEH, *OWN, *FINE[:2]], max_rejected="0"))[0].folder
    if is_killed:
        killed_before_its_first_request(lost)
    kept = (tmp_path / "export.csv").rename(tmp_path / "kept.csv")
    later, _ = await night("export", FINE[1:])
    assert "nothing is left to do" not in later.verdict
    what = f"the {6 if is_killed else 5} rows of {lost.name} (4 of conversations that no later job"
    shown = [command("jobs", "show", job)[1] for job in (lost, later.folder)]
    for text in (*shown, steps_of(later.folder), steps_of(lost) if not is_killed else shown[0]):
        assert "is kept as FILE" in text
        assert f"{tmp_path / 'export.csv'} changed since the job began" in text
        assert command_in(text, f"To see what {what}")[:2] == ["plan", "FILE"]
        again = command_in(text, f"To import {what}")
        assert again[:2] == ["run", "FILE"], "it is not the file of that name"
    let = ["--accept-change", "--api-key-file", key(lost)]
    await typed("run", kept, *again[2:], *let)
    assert {row[0] for row in OWN} < {*service.stored()}
    for folder in (lost, later.folder):
        assert "FILE" not in command("jobs", "show", folder)[1]
    assert not steps_of(later.folder)


@pytest.mark.parametrize("takes_over", [True, False])
async def test_a_night_that_a_limit_has_stopped_is_told_with_what_lets_it_through(
    night: Night, service: Picky, takes_over: bool
) -> None:
    await night("monday", FINE, limit=20 if takes_over else None)
    summary, _ = await night("tuesday", [MEH, *OWN], max_rejected="0")
    tuesday: Path = summary.folder
    summary, told = await night("wednesday", FINE[:1])
    assert "its own 3 rows are not sent" in told
    assert "joined no other job" not in told
    shown = [command("jobs", "show", job)[1] for job in (tuesday, summary.folder)]
    rows = f"rows of {tuesday.name} that no job has sent"
    for text in (*shown, steps_of(summary.folder), steps_of(tuesday)):
        assert f"1 of the {rows} would be rejected: see {tuesday / 'rejected.csv'}" in text
        assert f"To import the 3 {rows}, once the data is corrected" in text
        again = command_in(text, f"If the data is right as it is, to send the 3 {rows} this once:")
    told = (await typed(*again, "--api-key-file", key(tuesday))).stderr
    assert "of its own" not in told
    assert {row[0] for row in OWN} < {*service.stored()}
    assert "no job has sent" not in steps_of(tuesday)


@pytest.mark.parametrize("is_killed", [True, False])
async def test_rows_that_a_later_night_only_has_taken_over_are_older_than_those_of_one_never_sent(
    night: Night, is_killed: bool
) -> None:
    await night("export", NEGATIVE[:20], limit=5)
    lost = (await night("export", [MEH, *FINE[10:]], max_rejected="0"))[0].folder
    if is_killed:
        killed_before_its_first_request(lost)
    later, _ = await night("export", [*FINE[25:], *OWN])
    assert "nothing is left to do" not in later.verdict
    what = (
        f"{20 + is_killed} rows of {lost.name} (15 of conversations that no later job has brought"
    )
    shown = [command("jobs", "show", job)[1] for job in (lost, later.folder)]
    for text in (*shown, steps_of(later.folder)):
        assert f"To import the {what})" in text
        assert is_killed or f"1 of the rows of {lost.name} would be rejected: see" in text


@pytest.mark.parametrize("name", ["wednesday", "tuesday"])
@pytest.mark.parametrize("rows", [[MEH], [MEH, *FINE]])
async def test_rejected_rows_are_told_of_a_night_that_a_limit_has_stopped_and_had_no_others_to_send(
    night: Night, rows: Rows, name: str
) -> None:
    await night("monday", FINE, skip_unchanged=True)
    stopped = await night("tuesday", rows, max_rejected="0", skip_unchanged=True)
    assert stopped[0].exit_code is ExitCode.DATA_LIMIT
    tuesday: Path = stopped[0].folder
    later = (await night(name, OWN))[0].folder
    shown = [command("jobs", "show", job)[1] for job in (tuesday, later)]
    for text in (*shown, steps_of(later), steps_of(tuesday)):
        assert f"of {tuesday.name} that" in text or f"rows of {tuesday.name} (" in text
        assert str(tuesday / "rejected.csv") in text
    if rows == [MEH]:
        again = command_in(steps_of(later), f"fix {tuesday / 'rejected.csv'}, then")
        fixed = (tuesday / "rejected.csv").read_text("utf-8").replace("meh", "POSITIVE")
        (tuesday / "rejected.csv").write_text(fixed, "utf-8")
        done = await typed(*again, "--api-key-file", key(tuesday))
        assert done.returncode == 0, done.stderr
        shown = [command("jobs", "show", job)[1] for job in (tuesday, later)]
        assert "then clarityq-import" not in "".join([*shown, steps_of(later), steps_of(tuesday)])


async def test_rejected_rows_of_a_night_begun_anew_with_the_same_content_are_told_of_that_one_alone(
    night: Night,
) -> None:
    tuesday = (await night("tuesday", [MEH], max_rejected="0"))[0].folder
    later = (await night("wednesday", OWN))[0].folder
    assert str(tuesday / "rejected.csv") in steps_of(later)
    anew = (await night("tuesday", [MEH]))[0].folder
    assert str(anew / "rejected.csv") in steps_of(anew)
    for folder in (tuesday, later):
        assert "rejected.csv" not in command("jobs", "show", folder)[1] + steps_of(folder)


async def test_a_night_that_its_own_command_begins_anew_is_not_told_as_lost(night: Night) -> None:
    await night("monday", FINE, limit=20)
    stopped = (await night("tuesday", [MEH, *OWN], max_rejected="0"))[0].folder
    summary, told = await night("tuesday", OWN, max_rejected="0")
    assert summary.exit_code is ExitCode.OK
    assert "and of its own 3 rows those are sent that this one brings again" in told
    assert "nothing is left to do" in summary.verdict
    assert not steps_of(stopped)


async def test_a_job_that_was_never_started_is_shown_with_its_command(
    night: Night, tmp_path: Path
) -> None:
    summary, _ = await night("monday", OWN, limit=1)
    monday: Path = summary.folder
    killed_before_its_first_request(monday)
    shown = command("jobs", "show", monday)[1]
    assert command_in(shown, "next       To begin it anew:")[:2] == [
        "run", str(tmp_path / "monday.csv")
    ]  # fmt: skip
    (tmp_path / "monday.csv").unlink()
    assert "No such file or directory" in command("jobs", "show", monday)[1]
    command("jobs", "abandon", monday)
    assert "next" not in command("jobs", "show", monday)[1], "a person has given it up"


async def test_a_job_that_was_never_started_is_listed_where_it_began(night: Night) -> None:
    names = ("monday", "tuesday", "wednesday")
    folders = []
    for name in names:
        folders.append((await night(name, [MEH, *OWN], max_rejected="0"))[0].folder)
        if name == "tuesday":
            killed_before_its_first_request(folders[-1])
    listed = command("jobs", "--jobs-dir", folders[0].parent)[1]
    lines = [line.split() for line in listed.splitlines()[1:]]
    assert [line[0] for line in lines] == [folder.name for folder in folders]
    assert re.fullmatch(r"\d+-\d+-\d+", lines[1][1])


@pytest.mark.parametrize("takes_over", [True, False])
async def test_the_story_of_a_row_that_was_never_sent_is_told_as_far_as_its_input_is_there(
    night: Night, tmp_path: Path, takes_over: bool
) -> None:
    await night("monday", FINE, limit=20 if takes_over else None)
    tuesday = (await night("tuesday", [MEH, *OWN], max_rejected="0"))[0].folder
    killed_before_its_first_request(tuesday)
    told = command("explain", tuesday, OWN[0][0])[1]
    assert "of " + str(tmp_path / "tuesday.csv") in told
    assert "pending: the job has sent nothing yet (jobs show" in told
    await night("wednesday", FINE[:1])
    for words in ([tuesday], ["--jobs-dir", tuesday.parent]):
        told = command("explain", *words, OWN[0][0])[1]
        assert "never sent: the job was" in told
        assert "(jobs show says how they are imported after all" in told
    with pytest.raises(SettingsError, match=r"there is no row of conversation \S+ in job"):
        command("explain", tuesday, conversation(99))
    (tmp_path / "tuesday.csv").unlink()
    with pytest.raises(SettingsError, match=r"there is no row of conversation \S+ known in job"):
        command("explain", tuesday, OWN[0][0])


async def test_rows_are_told_that_a_limit_has_stopped_and_a_person_has_given_up(
    night: Night,
) -> None:
    summary, _ = await night("monday", [MEH, *OWN], max_rejected="0")
    monday: Path = summary.folder
    told = command("jobs", "abandon", monday)[1]
    assert f"1 row of {monday.name} joined no other job: 1 rejected ({monday}/rejected.csv)" in told
    step = f"To import the 1 row rejected of {monday.name} that joined no other job: fix"
    for text in (steps_of(monday), command("jobs", "show", monday)[1]):
        assert step in text
        assert "no job has sent" not in text


@pytest.mark.parametrize("takes_over", [True, False])
async def test_each_of_several_nights_that_sent_nothing_is_told(
    night: Night, takes_over: bool
) -> None:
    await night("monday", FINE, limit=20 if takes_over else None)
    unsent = []
    for number, name in enumerate(("tuesday", "wednesday"), 60):
        rows = [MEH, (conversation(number), "POSITIVE", "")]
        unsent.append((await night(name, rows, max_rejected="0"))[0].folder)
        killed_before_its_first_request(unsent[-1])
    summary, _ = await night("thursday", FINE[:1])
    told = steps_of(summary.folder)
    for folder in unsent:
        assert f"To import the 2 rows of {folder.name} that no job has sent" in told


async def test_nights_that_sent_nothing_are_named_as_they_began_and_no_more_once_they_were_begun(
    night: Night,
) -> None:
    rows = {name: [MEH, (FINE[at][0], "NEGATIVE", name)] for at, name in enumerate(("one", "two"))}
    never = [(await night(name, rows[name], max_rejected="0"))[0].folder for name in rows]
    last = (await night("three", [FINE[2]]))[0].folder
    told = steps_of(last)
    assert 0 < told.index(f"of {never[0].name}") < told.index(f"of {never[1].name}")
    await night("one", rows["one"])
    for text in (steps_of(last), (last / REPORT_NAME).read_text("utf-8")):
        assert f"of {never[0].name} that no job has sent" not in text
        assert f"of {never[1].name} that no job has sent" in text


async def test_rejected_rows_of_replaced_nights_are_named_in_the_order_in_which_they_began(
    night: Night,
) -> None:
    replaced = [
        (await night(name, [(conversation(at), "meh", ""), *FINE], limit=at + 5))[0].folder
        for at, name in enumerate(("one", "two", "three"))
    ]
    last = (await night("four", FINE[:1]))[0].folder
    for text in (steps_of(last), command("jobs", "show", last)[1]):
        places = [text.index(f"rejected of {folder.name}") for folder in replaced]
        assert places == sorted(places)
