"""Taking a job back: what was there before is there again, and nothing newer is lost."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from anyio import to_thread

from importer.api import run_import
from importer.common.text import counted
from importer.errors import ExitCode, SettingsError, UnfinishedJobError
from importer.jobs.inputs import UNDO_NAME
from importer.jobs.journal_head import read_head
from importer.jobs.key_source import KEY_AS_BEFORE
from importer.jobs.product_jobs import hold_jobs
from importer.reporting.kept_summary import kept_steps
from importer.reporting.summary import Summary
from importer.sandbox.faults import FaultPicker, Faults
from importer.settings import ImportSettings
from importer.workflows.undo_job import plan_undo
from tests.integration.test_afterwards import Page, command
from tests.support.data import PRODUCT, conversation, write_csv
from tests.support.watched import WatchedSandbox

pytestmark = pytest.mark.anyio
Make = Callable[..., ImportSettings]
Night = Callable[..., Any]
QUICK = ("--late-effect", "0s", "--retry-first", "10ms", "--api-key-file", "key")
NONE_COMPLETED = Faults(not_completed=1.0, completes_after=600.0)
ALL = [conversation(number) for number in range(1, 7)]


@pytest.fixture
async def service(request: pytest.FixtureRequest) -> AsyncIterator[WatchedSandbox]:
    kind: type[WatchedSandbox] = getattr(request, "param", WatchedSandbox)
    async with kind() as running:
        yield running


@pytest.fixture
def night(settings_for: Make, tmp_path: Path, service: WatchedSandbox) -> Night:
    """Return what imports rows as a file of that name."""
    key = tmp_path / "key"
    key.write_text("any")
    key.chmod(0o600)

    async def run(name: str, rows: list[tuple[str, str, str]], **options: Any) -> Summary:
        path = write_csv(tmp_path / f"{name}.csv", rows)
        options = {"late_effect": 0.0, "base_url": service.url, **options}
        return await run_import(settings_for(path, **options), api_key="any")

    return run


async def typed(*words: object) -> subprocess.CompletedProcess[str]:
    run = partial(
        subprocess.run, [sys.executable, "-m", "importer", *map(str, words)], check=False,
        capture_output=True, text=True, stdin=subprocess.DEVNULL, env=os.environ,
    )  # fmt: skip
    return await to_thread.run_sync(run)


async def two_nights(night: Night) -> Summary:
    """Let the second night replace what the first has stored, and add to it."""
    await night(
        "monday",
        [(ALL[0], "POSITIVE", ""), (ALL[1], "NEGATIVE", "said\non Monday "), (ALL[2], "CLEAR", "")],
        keep_bodies=True,
    )
    found: Summary = await night("tuesday", [(each, "POSITIVE", "wrong") for each in ALL[:4]])
    return found


@pytest.mark.parametrize("keeps", [False, True])
async def test_what_a_night_found_unchanged_is_restored_as_well(
    night: Night, service: WatchedSandbox, keeps: bool
) -> None:
    rows = [(ALL[0], "POSITIVE", ""), (ALL[1], "NEGATIVE", "said")]
    for name in ("monday", "tuesday"):
        await night(name, rows, skip_unchanged=True, keep_bodies=keeps)
    wednesday = await night("wednesday", [(each, "CLEAR", "wrong") for each in ALL[:2]])
    done = await typed("undo", wednesday.folder, "--yes", *QUICK)
    assert done.returncode == 0, done.stderr
    assert service.stored()[ALL[0]] == ("POSITIVE", None)
    assert service.stored()[ALL[1]] == (("NEGATIVE", "said") if keeps else (None, "wrong"))


async def test_without_yes_the_table_is_shown_and_nothing_is_sent(
    night: Night, service: WatchedSandbox
) -> None:
    tuesday = await two_nights(night)
    before = len(service.puts)
    code, told = command("undo", tuesday.folder)
    assert code == 0
    assert "restored: what they held before is known 3" in " ".join(told.split())
    assert "left: nothing is known of what they held before 1" in " ".join(told.split())
    assert "given in the app since cannot be seen" in told
    assert f"clarityq-import undo {tuesday.folder} --yes" in told
    assert len(service.puts) == before
    assert not (tuesday.folder / "undo.jsonl").exists()


async def test_the_undo_of_a_rehearsal_says_that_it_is_one(
    settings_for: Make, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "in.csv", [(ALL[0], "CLEAR", "")])
    job = (await run_import(settings_for(path, sandbox=True))).folder
    rehearsal = f"REHEARSAL: nothing of the job {job.name} was sent to ClarityQ"
    assert rehearsal in command("undo", job)[1]
    assert rehearsal in command("undo", job, "--yes")[1], "also where there is nothing to do"


async def test_what_was_there_before_is_there_again(night: Night, service: WatchedSandbox) -> None:
    tuesday = await two_nights(night)
    done = await typed("undo", tuesday.folder, "--clear-unknown", "--yes", *QUICK)
    assert done.returncode == 0, done.stderr
    assert service.stored() == {
        ALL[0]: ("POSITIVE", None),
        ALL[1]: ("NEGATIVE", "said\non Monday "),
        ALL[2]: (None, None),
        ALL[3]: (None, None),
    }
    jobs = tuesday.folder.parent
    since = r"It was taken back by undo-\S+ since: 4 of 4 conversations\."
    assert re.search(since, command("jobs", "show", tuesday.folder)[1])
    assert re.search(since, Page(tuesday.folder / "report.html").text)
    assert f"undo of {tuesday.folder.name}" in command("jobs", "--jobs-dir", jobs)[1]
    assert "left over" not in done.stdout
    assert "NEGATIVE" in command("explain", ALL[1], "--jobs-dir", jobs)[1]
    again = await typed("undo", tuesday.folder, "--clear-unknown", "--yes", *QUICK)
    assert (again.returncode, "nothing to take back" in again.stdout) == (0, True)
    assert "It was taken back before, by undo-" in again.stdout
    lines = " ".join(again.stdout.split())
    assert "a later job has set them, or tried to 0 left: taken back before 4" in lines
    (report,) = jobs.glob("undo-*/report.html")
    text = " ".join(Page(report).text.split())
    assert f"Of what the job {tuesday.folder.name} had stored." in text
    assert "4 conversations set again" in text


@pytest.mark.parametrize("order", [("tuesday", "wednesday"), ("wednesday", "tuesday")])
async def test_wrong_jobs_in_a_row_are_taken_back_in_either_order(
    night: Night, service: WatchedSandbox, order: tuple[str, str]
) -> None:
    good = [(ALL[0], "POSITIVE", ""), (ALL[1], "NEGATIVE", "")]
    await night("monday", good)
    folders = {
        name: (await night(name, [(each, rating, name) for each in (*ALL[:3], own)])).folder
        for name, rating, own in (
            ("tuesday", "NEGATIVE", ALL[3]), ("wednesday", "POSITIVE", ALL[4]),
        )
    }  # fmt: skip
    for name in order:
        done = await typed("undo", folders[name], "--clear-unknown", "--yes", *QUICK)
        assert done.returncode == 0, done.stderr
    assert service.stored() == {
        ALL[0]: ("POSITIVE", None),
        ALL[1]: ("NEGATIVE", None),
        **dict.fromkeys(ALL[2:5], (None, None)),
    }


@pytest.mark.parametrize("order", [("tuesday", "wednesday"), ("wednesday", "tuesday")])
async def test_a_wrong_night_that_found_the_one_before_unchanged_is_in_nobodys_way(
    night: Night, service: WatchedSandbox, order: tuple[str, str]
) -> None:
    await night("monday", [(each, "POSITIVE", "") for each in ALL[:3]])
    wrong = [(each, "NEGATIVE", "") for each in ALL[:3]]
    tuesday = await night("tuesday", wrong)
    wednesday = await night("wednesday", wrong, skip_unchanged=True)
    folders = {"tuesday": tuesday.folder, "wednesday": wednesday.folder}
    told = [(await typed("undo", folders[name], "--yes", *QUICK)).stdout for name in order]
    if order[0] == "tuesday":
        assert f"come from {wednesday.folder.name}. If it is wrong as well, take it back" in told[0]
    assert "It was taken back" in Page(wednesday.folder / "report.html").text
    assert service.stored() == dict.fromkeys(ALL[:3], ("POSITIVE", None))


async def test_an_undo_can_be_undone(night: Night, service: WatchedSandbox) -> None:
    await night("monday", [(each, "POSITIVE", "") for each in ALL[:2]])
    tuesday = await night("tuesday", [(each, "NEGATIVE", "") for each in ALL[:2]])
    for _ in range(2):  # which changes nothing
        await typed("undo", tuesday.folder, "--yes", *QUICK)
    (undo,) = tuesday.folder.parent.glob("undo-*")
    done = await typed("undo", undo, "--yes", *QUICK)
    assert done.returncode == 0, done.stderr
    assert service.stored() == dict.fromkeys(ALL[:2], ("NEGATIVE", None))
    told = f"It was taken back by {undo.name}, which was taken back itself."
    assert told in command("jobs", "show", tuesday.folder)[1]


@pytest.mark.parametrize("order", [("tuesday", "wednesday"), ("wednesday", "tuesday")])
async def test_wrong_nights_are_taken_back_even_where_an_undo_has_not_come_to_its_end(
    night: Night, service: WatchedSandbox, order: tuple[str, str]
) -> None:
    rows = {name: [(each, rating, "") for each in ALL[:3]] for name, rating in (
        ("monday", "POSITIVE"), ("tuesday", "NEGATIVE"), ("wednesday", "CLEAR"),
    )}  # fmt: skip
    folders = {name: (await night(name, rows[name])).folder for name in rows}
    service.picker = FaultPicker(NONE_COMPLETED)
    for name in order:
        await typed("undo", folders[name], "--yes", "--defer-for", "0s", *QUICK)
    service.picker = FaultPicker(Faults())
    await night("thursday", [(ALL[3], "POSITIVE", "")], carry_over=True)
    assert service.stored() == dict.fromkeys(ALL[:4], ("POSITIVE", None))


async def test_what_a_later_job_has_set_stays(night: Night, service: WatchedSandbox) -> None:
    tuesday = await two_nights(night)
    wednesday = await night("wednesday", [(ALL[1], "POSITIVE", "newer")])
    done = await typed("undo", tuesday.folder, "--yes", *QUICK)
    assert done.returncode == 0, done.stderr
    assert service.stored()[ALL[1]] == ("POSITIVE", "newer")
    assert service.stored()[ALL[0]] == ("POSITIVE", None)
    assert service.stored()[ALL[3]] == ("POSITIVE", "wrong")  # what it held is not known
    assert f"What {tuesday.folder.name} has stored stays in 1 conversation" in done.stdout
    assert f"That has come from {wednesday.folder.name}. If it is wrong as well" in done.stdout


@pytest.mark.parametrize("is_undone", [True, False])
async def test_what_stays_since_the_folder_of_a_later_job_was_pruned_is_told_with_its_name(
    night: Night, is_undone: bool
) -> None:
    wrong = [(ALL[0], "NEGATIVE", "")]
    _, monday, tuesday = [await night(name, wrong) for name in ("sunday", "monday", "tuesday")]
    if is_undone:
        await typed("undo", tuesday.folder, "--yes", *QUICK)
    await night("wednesday", [(ALL[1], "POSITIVE", "")])
    with hold_jobs(tuesday.folder.parent, read_head(tuesday.folder).product) as product:
        product.prune(product.jobs[2])
    told = " ".join((await typed("undo", monday.folder)).stdout.split())
    assert "left: a later job has set them, or tried to 1" in told
    undo = next((path.name for path in monday.folder.parent.glob("undo-*")), "")
    assert f"is left since the folder of a later job is gone: {tuesday.folder.name}" in told
    assert undo in told
    assert "import what it is to hold" in told


async def test_a_wrong_job_that_was_stopped_is_given_up_by_its_undo(
    night: Night, service: WatchedSandbox
) -> None:
    await night("monday", [(each, "POSITIVE", "") for each in ALL[:2]])
    wrong = [(each, "NEGATIVE", "") for each in ALL[:2]]
    tuesday = await night("tuesday", wrong, carry_over=True, limit=1)
    told = (await typed("undo", tuesday.folder)).stdout
    assert "The job is not finished" in told
    assert (await typed("undo", tuesday.folder, "--yes", *QUICK)).returncode == 0
    await night("tuesday", [(ALL[2], "POSITIVE", "")], carry_over=True)
    assert service.stored() == dict.fromkeys(ALL[:3], ("POSITIVE", None))


async def test_a_job_of_the_same_command_that_was_pruned_is_in_nobodys_way(
    night: Night, service: WatchedSandbox
) -> None:
    for rating in ("POSITIVE", "NEGATIVE"):
        done = await night("tuesday", [(ALL[0], rating, "")])
    assert command("jobs", "prune", "--keep-last", "1", "--jobs-dir", done.folder.parent)[0] == 0
    await night("tuesday", [(ALL[0], "POSITIVE", "back")])
    assert service.stored() == {ALL[0]: ("POSITIVE", "back")}


@pytest.mark.parametrize("limit", [None, 2])
async def test_the_command_of_a_job_that_was_taken_back_does_not_set_it_again_by_itself(
    night: Night, service: WatchedSandbox, limit: int | None
) -> None:
    await night("monday", [(each, "POSITIVE", "") for each in ALL[:4]])
    wrong = [(each, "NEGATIVE", "") for each in ALL[:4]]
    tuesday = (await night("tuesday", wrong, carry_over=True, limit=limit)).folder
    assert (await typed("undo", tuesday, "--yes", *QUICK)).returncode == 0
    (undo,) = tuesday.parent.glob("undo-*")
    told = f"the job {tuesday.name} was taken back by {undo.name}, and its inputs hold the same"
    for options in ({"limit": limit}, {"skip_unchanged": True}):  # what is resumed, and cron's
        with pytest.raises(SettingsError, match=told) as refused:
            await night("tuesday", wrong, carry_over=True, **options)
        assert " --restart" in str(refused.value)
    right = [(each, "POSITIVE", "right") for each in ALL[:4]]
    await night("tuesday", right, carry_over=True)
    assert service.stored() == dict.fromkeys(ALL[:4], ("POSITIVE", "right"))
    await night("tuesday", wrong, restart=True)
    await night("tuesday", wrong)
    assert service.stored() == dict.fromkeys(ALL[:4], ("NEGATIVE", None))


@pytest.mark.parametrize("begins", [False, True])
async def test_the_command_of_a_job_that_is_being_taken_back_names_how_that_goes_on(
    night: Night, service: WatchedSandbox, settings_for: Make, begins: bool
) -> None:
    wrong = [(each, "NEGATIVE", "") for each in ALL[:4]]
    tuesday = (await night("tuesday", wrong)).folder
    told = f"the job {tuesday.name} is being taken back"
    if begins:
        service._key = "another"
        assert (await typed("undo", tuesday, "--clear-unknown", "--yes", *QUICK)).returncode == 3
        service._key = None
        (undo,) = tuesday.parent.glob("undo-*")
        told += f" by {undo.name}"
    else:  # it is killed before its job begins
        its = settings_for(tuesday / UNDO_NAME, base_url=service.url)
        plan_undo(its, tuesday, clear_unknown=True, write=True)
    with pytest.raises(SettingsError, match=f"{told}, which is not finished") as refused:
        await night("tuesday", wrong, replace=True)
    (resume,) = re.findall(r"To go on with that:\n  clarityq-import (.*)", str(refused.value))
    assert (await typed(*shlex.split(resume), *QUICK[-2:])).returncode == 0
    assert service.stored() == dict.fromkeys(ALL[:4], (None, None))


@pytest.mark.parametrize("is_killed", [False, True])
async def test_rows_that_were_carried_over_go_with_the_undo_of_the_job_that_brought_them(
    night: Night, service: WatchedSandbox, is_killed: bool
) -> None:
    await night("monday", [(each, "POSITIVE", "") for each in ALL[:2]])
    service.picker = FaultPicker(Faults(not_completed=1.0, completes_after=600.0))
    until = {"max_duration": 2.0} if is_killed else {"defer_for": 0.0}
    tuesday = await night("tuesday", [(ALL[0], "NEGATIVE", "")], carry_over=True, **until)
    service.picker = FaultPicker(Faults())
    wednesday = await night("wednesday", [(ALL[1], "NEGATIVE", "")], carry_over=True)
    assert service.stored()[ALL[0]] == ("NEGATIVE", None)
    done = await typed("undo", wednesday.folder, "--yes", *QUICK)
    assert "Carried over from earlier jobs, and not taken back: 1 row." in done.stdout
    assert service.stored() == {ALL[0]: ("NEGATIVE", None), ALL[1]: ("POSITIVE", None)}
    await typed("undo", tuesday.folder, "--yes", *QUICK)
    assert service.stored() == dict.fromkeys(ALL[:2], ("POSITIVE", None))


@pytest.mark.parametrize("loses_ledger", [False, True])
async def test_what_a_job_that_is_taken_back_has_left_over_is_not_sent_any_more(
    night: Night, service: WatchedSandbox, loses_ledger: bool
) -> None:
    service.picker = FaultPicker(Faults(not_completed=1.0, completes_after=600.0))
    await night("monday", [(ALL[0], "POSITIVE", "")], defer_for=0.0, carry_over=True)
    tuesday = await night(
        "tuesday", [(ALL[1], "NEGATIVE", "wrong")], defer_for=0.0, carry_over=True
    )
    service.picker = FaultPicker(Faults())
    shown = (await typed("undo", tuesday.folder)).stdout
    assert "never stored: 1 row. With the undo" in shown
    assert f"To give that up:\n  clarityq-import undo {tuesday.folder} --yes" in shown
    given_up = await typed("undo", tuesday.folder, "--yes", *QUICK)
    assert "is given up now: --carry-over and retry do not send it.\nThere is nothing else to " in (
        given_up.stdout
    )
    assert given_up.returncode == 0
    assert "next" not in command("jobs", "show", tuesday.folder)[1]
    assert "What it left over was given up." in Page(tuesday.folder / "report.html").text
    if loses_ledger:
        for path in tuesday.folder.parent.glob("ledger-*"):
            path.unlink()
    await night("wednesday", [(ALL[2], "NEGATIVE", "")], carry_over=True)
    assert service.stored().keys() == {ALL[0], ALL[2]}
    await typed("retry", tuesday.folder, *QUICK)
    assert ALL[1] not in service.stored()


async def test_of_a_job_that_was_taken_back_no_file_is_to_be_fixed_any_more(night: Night) -> None:
    rows = [(ALL[0], "NEGATIVE", "wrong"), (ALL[1], "meh", ""), ("7", "NEGATIVE", "")]
    tuesday = await night("tuesday", rows)
    assert f"fix {tuesday.folder / 'rejected.csv'}" in command("jobs", "show", tuesday.folder)[1]
    done = await typed("undo", tuesday.folder, "--clear-unknown", "--yes", *QUICK)
    assert done.returncode == 0, done.stderr
    assert "next" not in command("jobs", "show", tuesday.folder)[1]
    assert not kept_steps(tuesday.folder).steps
    assert "rejected.csv, then" not in Page(tuesday.folder / "report.html").text
    assert (tuesday.folder / "rejected.csv").exists()


@pytest.mark.parametrize(
    ("faults", "tuesday_ends", "takes_over"),
    [
        (Faults(server_error=1.0), {"max_attempts": 2, "outage_for": 5.0}, False),
        (NONE_COMPLETED, {"defer_for": 0.0}, True),
        (NONE_COMPLETED, {"max_duration": 2.0}, True),
    ],
    ids=["in doubt", "taken over", "replaced"],
)
async def test_nothing_of_a_job_that_is_taken_back_comes_again_through_another(
    night: Night, service: WatchedSandbox, faults: Faults, tuesday_ends: dict[str, Any],
    takes_over: bool,
) -> None:  # fmt: skip
    service.picker = FaultPicker(faults)
    wrong = [(ALL[0], "NEGATIVE", "wrong")]
    tuesday = await night("tuesday", wrong, carry_over=True, **tuesday_ends)
    taker = None
    if takes_over:
        right = [(ALL[1], "POSITIVE", "")]
        taker = await night("wednesday", right, carry_over=True, defer_for=0.0)
    await typed("undo", tuesday.folder, "--yes", *QUICK)
    service.picker = FaultPicker(Faults())
    if taker is not None:
        await typed("retry", taker.folder, *QUICK)
    for path in tuesday.folder.parent.glob("ledger-*"):
        path.unlink()
    await night("thursday", [(ALL[2], "POSITIVE", "")], carry_over=True)
    assert ALL[0] not in service.stored()
    assert service.stored()[ALL[2]] == ("POSITIVE", None)


@pytest.fixture
def cut_short(
    night: Night, service: WatchedSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Night:
    """Return what imports rows with --carry-over, and is ended in some way after so many PUTs."""
    monkeypatch.setenv("CLARITYQ_API_KEY", "any")

    async def run(way: str, after: int, name: str, rows: list[tuple[str, str, str]]) -> Path:
        options = {"carry_over": True, "concurrency": 1, "outage_for": 0.2, "retry_first": 0.01}
        until = len(service.puts) + after

        def end(number: int) -> None:
            if number > until and way == "key refused":
                service._key = "another"
            elif number > until:
                service.picker = FaultPicker(Faults(server_error=1.0))

        if way == "killed":
            words = ("--carry-over", "--concurrency", "1", "--rate", "20", "--jobs-dir", jobs)
            target = ("--product-id", PRODUCT, "--base-url", service.url)
            path = write_csv(tmp_path / f"{name}.csv", rows)
            command = (sys.executable, "-m", "importer", "run", path, *target, *words, *QUICK)
            process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: ASYNC220
            service.on_put = lambda number: process.kill() if number > until else None
            await to_thread.run_sync(process.wait)
        else:
            service.on_put = end
            end(until + (after == 0))
            await night(name, rows, **options)
        service.on_put = lambda _: None
        service._key = None
        service.picker = FaultPicker(Faults())
        return max(jobs.glob(f"{name}-*"))

    jobs = tmp_path / "jobs"
    return run


def to_type(told: str) -> list[list[str]]:
    """Return the commands in a text, as they are pasted one after the other."""
    lines = re.findall(r"^  (clarityq-import .*)", told, re.MULTILINE)
    return [shlex.split(line)[1:] for line in lines]


@pytest.mark.parametrize("stored", [0, 2])
@pytest.mark.parametrize("ways", ["key refused", "outage", "killed"])
async def test_what_an_unfinished_job_has_taken_over_of_a_wrong_one_is_not_sent_any_more(
    night: Night, cut_short: Night, service: WatchedSandbox, ways: str, stored: int
) -> None:
    await night("monday", [(each, "POSITIVE", "") for each in ALL[:4]], carry_over=True)
    tuesday = await cut_short(ways, stored, "tuesday", [(c, "NEGATIVE", "") for c in ALL[:4]])
    right = [(each, "POSITIVE", "") for each in ALL[4:]]
    wednesday = await cut_short(ways, 0, "wednesday", right)
    before = len(service.puts)
    shown = await typed("undo", tuesday)
    pending = re.search(
        rf"Pending in {wednesday.name}, which has taken them over: (\d) rows\.", shown.stdout
    )
    assert pending, shown.stdout
    assert f"With the undo they are given up: {wednesday.name} does not send them." in shown.stdout
    assert int(pending[1]) == 4 - stored or ways == "killed"
    for words in to_type(shown.stdout):
        done = await typed(*words)
        assert "Traceback" not in done.stderr
        if done.returncode == 2:
            gives_up = f"rows. They are given up: {wednesday.name} does not send them."
            assert gives_up in done.stderr
        waits = "not taken back yet: its undo has given up" in command("jobs", "show", tuesday)[1]
        assert waits is (words[0] == "run" or done.returncode == 2)
    assert done.returncode == 0, done.stderr
    assert len(service.puts) == before or to_type(shown.stdout)[1:]
    for words in to_type(command("jobs", "show", wednesday)[1].replace("resume     ", "  ")):
        assert (await typed(*words)).returncode == 0
    again = max(wednesday.parent.glob("wednesday-*"))
    await night("thursday", [], carry_over=True)
    assert "NEGATIVE" not in {put.body[0] for put in service.puts[before:]}
    assert service.stored() == dict.fromkeys(ALL, ("POSITIVE", None))
    assert "the job that brought it" in command("explain", again, ALL[3])[1]


def told_of(folder: Path) -> list[str]:
    """Return all that is told of a job: by `jobs show`, in its report and in its summary."""
    page = " ".join(Page(folder / "report.html").text.split())
    kept = json.loads((folder / "summary.json").read_text("utf-8"))
    steps = "\n".join(step["text"] for step in kept["next_steps"])
    return [command("jobs", "show", folder)[1], page, f"{kept['verdict']}\n{steps}"]


async def test_what_an_undo_has_to_leave_is_counted_and_told_the_same_everywhere(
    night: Night, service: WatchedSandbox
) -> None:
    held = [(ALL[0], "POSITIVE", ""), (ALL[1], "POSITIVE", ""), (ALL[2], "NEGATIVE", "said")]
    await night("monday", held)
    late = FaultPicker(NONE_COMPLETED)
    service.on_put = lambda number: setattr(service, "picker", late) if number > 5 else None
    wrong = [held[0], *((each, "NEGATIVE", "") for each in ALL[1:4])]
    tuesday = await night(
        "tuesday", wrong, skip_unchanged=True, carry_over=True, defer_for=0.0, concurrency=1
    )
    undo = ("undo", tuesday.folder, "--yes", "--defer-for", "0s", *QUICK)
    late_again = await typed(*undo)
    assert late_again.returncode == 5
    (first,) = tuesday.folder.parent.glob("undo-*")
    tried_again = await typed("retry", first, "--defer-for", "0s", *QUICK)
    assert re.search(r"To clear that: .* --clear-unknown .*--api-key-file key", tried_again.stdout)
    service.on_put = lambda _: None
    service.picker = FaultPicker(Faults())
    stays = f"What {tuesday.folder.name} has stored stays in 1 conversation"
    clear = f"To clear that: clarityq-import undo {tuesday.folder} --clear-unknown"
    for text in (late_again.stdout, *told_of(first)):
        assert stays in text
        assert clear in " ".join(text.split())
        assert "clarityq-import retry" in text
    wednesday = await night("wednesday", [], carry_over=True)
    assert f"carried over from {first.name}" in command("explain", wednesday.folder, ALL[1])[1]
    assert all("has taken over" not in text for text in told_of(tuesday.folder))
    assert (await typed(*undo)).returncode == 0  # it goes on with the same undo
    done = await typed(*undo, "--clear-unknown")
    assert (done.returncode, "every row is accounted for" in done.stdout) == (0, True), done.stdout
    second = max(tuesday.folder.parent.glob("undo-*"))
    for text in told_of(tuesday.folder):
        assert f"by {second.name} since: 1 of 2 conversations." in text
        assert "the others stay" not in text
    assert all(clear not in " ".join(text.split()) for text in told_of(first))


async def test_what_an_undo_with_nothing_to_send_leaves_is_told_of_its_job(night: Night) -> None:
    tuesday = await night("tuesday", [(ALL[0], "NEGATIVE", "")])
    assert (await typed("undo", tuesday.folder, "--yes", *QUICK)).returncode == 0
    for text in told_of(tuesday.folder):
        assert f"What {tuesday.folder.name} has stored stays in 1 conversation" in text
        assert f"clarityq-import undo {tuesday.folder} --clear-unknown" in text
    command("jobs", "prune", "--comments-after", "0", "--jobs-dir", tuesday.folder.parent)
    assert (await typed("undo", tuesday.folder, "--yes", *QUICK)).returncode == 0
    assert not [text for text in told_of(tuesday.folder) if "--clear-unknown" in text]


async def test_what_the_undo_of_an_undo_leaves_is_not_what_the_first_one_left(night: Night) -> None:
    tuesday = await night("tuesday", [(each, "NEGATIVE", "wrong") for each in ALL[:3]])
    await typed("undo", tuesday.folder, "--clear-unknown", "--yes", *QUICK)
    (undo,) = tuesday.folder.parent.glob("undo-*")
    assert f"by {undo.name} since: 3 of 3 conversations" in told_of(tuesday.folder)[2]
    assert (await typed("undo", undo, "--yes", *QUICK)).returncode == 0, "it has nothing to send"
    for text in told_of(undo):
        assert f"What {undo.name} has stored stays in 3 conversations" in text
        assert f"What {tuesday.folder.name} has stored" not in text
        assert "were left over" not in text
    for text in told_of(tuesday.folder):
        assert f"It was taken back by {undo.name}, which was taken back itself." in text
        assert "3 of 3 conversations" not in text


async def test_how_to_clear_what_an_undo_leaves_is_told_once_and_works_in_any_folder(
    night: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    key = ("--api-key-file", "key")
    target = ("--product-id", PRODUCT, "--base-url", (await night("a", [])).base_url)
    path = write_csv(tmp_path / "tuesday.csv", [(ALL[0], "NEGATIVE", "")])
    run = ("run", path, *target, "--jobs-dir", "jobs", *key, "--late-effect", "0s")
    assert (await typed(*run)).returncode == 0
    (tuesday,) = (tmp_path / "jobs").glob("tuesday-*")
    assert (await typed("undo", f"jobs/{tuesday.name}", "--yes", *key)).returncode == 0
    write_csv(path, [(ALL[1], "NEGATIVE", "")])
    for _ in range(2):
        assert (await typed(*run)).returncode == 0
    (elsewhere := tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(elsewhere)
    for text in told_of(tuesday):
        assert text.count("To clear that:") == 1
    shown = command("jobs", "show", f"../jobs/{tuesday.name}")[1]
    clear = re.findall(r"To clear that: clarityq-import (.*)", shown)
    assert (len(clear), "to be given in" in shown) == (1, False), shown
    assert "--api-key-file" in clear[0]
    done = await typed(*shlex.split(clear[0]), "--yes")
    assert done.returncode == 0, done.stderr
    for text in told_of(tuesday):
        assert "To clear that:" not in text


async def test_what_an_undo_clears_of_earlier_jobs_is_counted_apart_and_comes_back_by_what_is_told(
    night: Night, service: WatchedSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLARITYQ_API_KEY", "any")
    held = [(each, "POSITIVE", "said") for each in ALL[:3]]
    monday = (await night("monday", held)).folder
    sunday = (await night("sunday", [(ALL[3], "NEGATIVE", "said too")])).folder
    tuesday = (await night("tuesday", [(each, "NEGATIVE", "wrong") for each in ALL[1:]])).folder
    left = " ".join((await typed("undo", tuesday)).stdout.split())
    assert "left: an earlier job had set them, or tried to 3" in left
    assert "left: nothing is known of what they held before 2" in left
    shown = await typed("undo", tuesday, "--clear-unknown")
    bring_back = to_type(shown.stdout.partition("To do it")[0])
    assert [words[1] for words in bring_back] == [f"{monday.parents[1] / name}.csv" for name in (
        "monday", "sunday",
    )]  # fmt: skip
    (monday.parents[1] / "sunday.csv").write_text("conversation_id,rating\n")
    done = await typed("undo", tuesday, "--clear-unknown", "--yes", *QUICK)
    (undo,) = tuesday.parent.glob("undo-*")
    for text in (shown.stdout, done.stdout):
        assert "cleared: an earlier job had set them, or tried to 3" in " ".join(text.split())
        assert "cleared: nothing is known of what they held before 2" in " ".join(text.split())
    for text in (shown.stdout, done.stdout, *told_of(undo)[1:]):
        assert f"{monday.name} (2 conversations), {sunday.name} (1 conversation)" in text
    for text in (shown.stdout, done.stdout, *told_of(undo)):
        assert "nothing is left to do" not in text
        assert shlex.join(["clarityq-import", *bring_back[0]]) in text
    for text in (done.stdout, *told_of(undo)):
        assert "sunday.csv changed since the job began" in " ".join(text.split())
    assert (await typed(*bring_back[0], "--late-effect", "0s")).returncode == 0
    assert service.stored()[ALL[2]] == ("POSITIVE", "said")
    for text in told_of(undo):
        assert shlex.join(["clarityq-import", *bring_back[0]]) not in text


@pytest.mark.parametrize("way", ["undo", "abandon", "replace"])
async def test_an_unfinished_job_sends_its_own_rows_once_those_that_it_took_over_are_void(
    night: Night, cut_short: Night, service: WatchedSandbox, way: str
) -> None:
    await night("monday", [(each, "POSITIVE", "") for each in ALL[:3]])
    how = ("outage", 1) if way == "replace" else ("key refused", 0)
    tuesday = await cut_short(*how, "tuesday", [(each, "NEGATIVE", "") for each in ALL[:3]])
    right = [(each, "POSITIVE", "") for each in ALL[3:5]]
    wednesday = await cut_short(how[0], 0, "wednesday", right)
    before = len(service.puts)
    words = ["jobs", "abandon", tuesday] if way == "abandon" else ["undo", tuesday, "--yes"]
    done = await typed(*words, *["--replace"] * (way == "replace"))
    assert done.returncode == 0, done.stderr
    (next_command,) = re.findall(r"clarityq-import (run .*)", command("jobs", "show", wednesday)[1])
    if way == "replace":
        told = f"the unfinished job {wednesday.name} is given up: its own 2 rows are not sent"
        assert told in done.stderr
        assert "To import the 2 rows" in command("jobs", "show", wednesday)[1]
        page = " ".join(Page(wednesday / "report.html").text.split())
        assert "2 rows of its own without an outcome are not sent." in page
        assert "To import the 2 rows" in page
    else:
        shown = command("jobs", "show", wednesday)[1]
        assert "3 rows that it had taken over are pending, and are not sent: the job that" in shown
        told = command("explain", wednesday, ALL[0])[1]
        assert "sent again: the job that brought it was taken back or given up" in told
        told = (await typed("plan", *shlex.split(next_command)[1:])).stdout
        assert "2 of 5 rows are left to be done. 3 rows are given up." in told
    assert (await typed(*shlex.split(next_command))).returncode == 0
    assert "NEGATIVE" not in {put.body[0] for put in service.puts[before:]}
    assert service.stored() == dict.fromkeys(ALL[:5], ("POSITIVE", None))
    assert "To import the 2 rows" not in command("jobs", "show", wednesday)[1]


async def test_what_a_job_had_taken_over_is_left_over_still_when_it_is_given_up(
    night: Night, service: WatchedSandbox
) -> None:
    right = [(each, "POSITIVE", "") for each in ALL[:3]]
    await night("monday", right, carry_over=True, limit=1)
    wrong = [(each, "NEGATIVE", "wrong") for each in ALL[3:5]]
    tuesday = await night("tuesday", wrong, carry_over=True, limit=1)
    await typed("undo", tuesday.folder, "--clear-unknown", "--yes", *QUICK)
    await night("wednesday", [(ALL[5], "POSITIVE", "")], carry_over=True)
    assert service.stored() == dict.fromkeys((*ALL[:3], ALL[5]), ("POSITIVE", None))


@pytest.mark.parametrize("wrong", ["set", "left over", "pending"])
@pytest.mark.parametrize("monday", ["left over", "killed"])
async def test_what_a_wrong_job_had_taken_over_and_displaced_is_sent_after_all(
    night: Night, service: WatchedSandbox, monday: str, wrong: str
) -> None:
    ends: dict[str, dict[str, Any]] = {
        "left over": {"defer_for": 0.0}, "killed": {"max_duration": 2.0}, "pending": {"limit": 1},
    }  # fmt: skip
    service.picker = FaultPicker(NONE_COMPLETED)
    right = [(each, "POSITIVE", "right") for each in ALL[:2]]
    await night("monday", right, carry_over=True, **ends[monday])
    if wrong == "set":
        service.picker = FaultPicker(Faults())
    rows = [(each, "NEGATIVE", "wrong") for each in (ALL[5], *ALL[:2])]
    tuesday = await night("tuesday", rows, carry_over=True, **ends.get(wrong, {}))
    service.picker = FaultPicker(Faults())
    done = await typed("undo", tuesday.folder, "--clear-unknown", "--yes", *QUICK)
    assert done.returncode == 0, done.stderr
    await night("wednesday", [(ALL[3], "POSITIVE", "right")], carry_over=True)
    stored = service.stored()
    assert stored.pop(ALL[5], (None, None)) == (None, None)
    assert stored == dict.fromkeys((*ALL[:2], ALL[3]), ("POSITIVE", "right"))


@pytest.mark.parametrize("drops_comments", [False, True])
async def test_what_an_undo_has_sent_of_a_wrong_job_goes_with_the_undo_of_that(
    night: Night, service: WatchedSandbox, drops_comments: bool
) -> None:
    await night("sunday", [(each, "POSITIVE", "") for each in ALL[:2]], carry_over=True)
    service.picker = FaultPicker(NONE_COMPLETED)
    wrong = [(each, "NEGATIVE", "wrong") for each in ALL[:2]]
    monday = await night("monday", wrong, carry_over=True, defer_for=0.0)
    service.picker = FaultPicker(Faults())
    tuesday = await night("tuesday", [(each, "CLEAR", "") for each in ALL[:2]], carry_over=True)
    await typed("undo", tuesday.folder, "--yes", *QUICK)
    if drops_comments:
        command("jobs", "prune", "--comments-after", "0", "--jobs-dir", monday.folder.parent)
    await typed("undo", monday.folder, "--yes", *QUICK)
    assert service.stored() == dict.fromkeys(ALL[:2], ("POSITIVE", None))


async def left_over_by_an_undo(
    night: Night, service: WatchedSandbox, *, tuesday_sets: bool = False
) -> tuple[Path, Path]:
    """Return Monday, and the undo of Tuesday that was to send Monday's row and has it left over."""
    service.picker = FaultPicker(NONE_COMPLETED)
    monday = await night("monday", [(ALL[0], "CLEAR", "")], carry_over=True, defer_for=0.0)
    service.picker = FaultPicker(Faults() if tuesday_sets else NONE_COMPLETED)
    wrong = [(ALL[0], "NEGATIVE", "")]
    tuesday = await night("tuesday", wrong, carry_over=True, defer_for=0.0)
    service.picker = FaultPicker(NONE_COMPLETED)
    await typed("undo", tuesday.folder, "--yes", "--defer-for", "0s", *QUICK)
    (undo,) = tuesday.folder.parent.glob("undo-*")
    return monday.folder, undo


@pytest.mark.parametrize("comes_by", ["carry over", "retry", "retry of a taker", "next undo"])
async def test_what_an_undo_has_left_over_of_a_wrong_job_is_given_up_with_that(
    night: Night, service: WatchedSandbox, comes_by: str
) -> None:
    monday, undo = await left_over_by_an_undo(night, service)
    tried_again = undo
    if "taker" in comes_by:
        right = [(ALL[1], "POSITIVE", "")]
        tried_again = (await night("wednesday", right, carry_over=True, defer_for=0.0)).folder
    if comes_by == "next undo":
        wrong = [(ALL[0], "NEGATIVE", "")]
        wednesday = await night("wednesday", wrong, carry_over=True, defer_for=0.0)
        await typed("undo", wednesday.folder, "--yes", "--defer-for", "0s", *QUICK)
    await typed("undo", monday, "--yes", *QUICK)
    service.picker = FaultPicker(Faults())
    if comes_by.startswith("retry"):
        await typed("retry", tried_again, *QUICK)
    await night("thursday", [(ALL[2], "POSITIVE", "")], carry_over=True)
    assert ALL[0] not in service.stored()


@pytest.mark.parametrize("tuesday_sets", [False, True])
async def test_what_an_undo_has_left_over_of_a_right_job_is_sent_though_the_undo_is_undone(
    night: Night, service: WatchedSandbox, tuesday_sets: bool
) -> None:
    _, undo = await left_over_by_an_undo(night, service, tuesday_sets=tuesday_sets)
    for now in ([], ["--yes"]):
        told = (await typed("undo", undo, "--clear-unknown", *now, *QUICK)).stdout
        assert ("never stored: 1 row." in told) is tuesday_sets
        assert f"There is nothing {'else ' if tuesday_sets else ''}to take back." in told
    service.picker = FaultPicker(Faults())
    await night("thursday", [(ALL[2], "POSITIVE", "")], carry_over=True)
    # What Tuesday had set is there again.
    assert service.stored()[ALL[0]] == ("NEGATIVE" if tuesday_sets else None, None)


async def test_what_an_undo_may_have_sent_of_a_right_job_leaves_unknown_what_was_held(
    night: Night, service: WatchedSandbox
) -> None:
    await night("sunday", [(ALL[0], "POSITIVE", "")])
    service.picker = FaultPicker(NONE_COMPLETED)
    monday = await night("monday", [(ALL[0], "CLEAR", "")], carry_over=True, defer_for=0.0)
    wrong = [(ALL[0], "NEGATIVE", "")]
    tuesday = await night("tuesday", wrong, carry_over=True, defer_for=0.0)
    service.picker = FaultPicker(Faults(server_error=1.0))
    words = ("--yes", "--max-attempts", "2", "--outage-for", "5s", *QUICK)
    await typed("undo", tuesday.folder, *words)  # is to send what Monday had left over
    service.picker = FaultPicker(Faults())
    (undo,) = tuesday.folder.parent.glob("undo-*")
    await typed("undo", undo, "--yes", *QUICK)
    assert command("jobs", "abandon", monday.folder)[0] == 0
    wednesday = await night("wednesday", wrong)
    told = (await typed("undo", wednesday.folder)).stdout
    assert "left: an earlier job had set them, or tried to 1" in " ".join(told.split())


async def test_what_was_taken_back_is_not_what_another_undo_brings_back(
    night: Night, service: WatchedSandbox
) -> None:
    await night("sunday", [(ALL[0], "POSITIVE", "")], carry_over=True)
    service.picker = FaultPicker(NONE_COMPLETED)
    left_over = await night("monday", [(ALL[0], "CLEAR", "")], carry_over=True, defer_for=0.0)
    service.picker = FaultPicker(Faults())
    wrong = await night("tuesday", [(ALL[0], "NEGATIVE", "")], carry_over=True)
    await typed("undo", wrong.folder, "--yes", *QUICK)  # sends what Monday had left over
    last = await night("wednesday", [(ALL[0], "NEGATIVE", "last")], carry_over=True)
    for job in (left_over, last):
        await typed("undo", job.folder, "--yes", *QUICK)
    assert service.stored() == {ALL[0]: ("POSITIVE", None)}


@pytest.mark.parametrize(
    ("taken_back", "tuesday_sets"),
    [("sunday", True), ("the undo of tuesday", True), ("the undo of tuesday", False)],
)
async def test_what_an_undo_has_sent_of_a_right_job_stays(
    night: Night, service: WatchedSandbox, taken_back: str, tuesday_sets: bool
) -> None:
    sunday = await night("sunday", [(ALL[0], "CLEAR", "")], carry_over=True)
    right = [(each, "POSITIVE", "") for each in ALL[1::-1]]
    await night("monday", right, carry_over=True, limit=1)
    service.picker = FaultPicker(Faults() if tuesday_sets else NONE_COMPLETED)
    wrong = [(ALL[0], "NEGATIVE", "")]
    tuesday = await night("tuesday", wrong, carry_over=True, defer_for=0.0)
    service.picker = FaultPicker(Faults())
    await typed("undo", tuesday.folder, "--yes", *QUICK)
    (undo,) = tuesday.folder.parent.glob("undo-*")
    job = sunday.folder if taken_back == "sunday" else undo
    await typed("undo", job, "--clear-unknown", "--yes", *QUICK)
    is_redone = tuesday_sets and taken_back != "sunday"  # what Tuesday had set is there again
    assert service.stored() == {
        ALL[0]: ("NEGATIVE" if is_redone else "POSITIVE", None),
        ALL[1]: ("POSITIVE", None),
    }


async def test_an_undo_that_may_not_begin_gives_nothing_up(
    night: Night, service: WatchedSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await night("monday", [(ALL[2], "POSITIVE", "")])
    late = FaultPicker(NONE_COMPLETED)
    service.on_put = lambda number: setattr(service, "picker", late) if number > 2 else None
    wrong = [(each, "NEGATIVE", "") for each in (ALL[2], ALL[0])]
    tuesday = await night("tuesday", wrong, defer_for=0.0, concurrency=1)
    await night("wednesday", [(ALL[1], "POSITIVE", "")], max_duration=2.0)
    asked = await typed("undo", tuesday.folder, *QUICK)
    resume, undo = to_type(asked.stdout)
    assert (resume[0], undo[0]) == ("run", "undo")
    assert "--api-key-file" in resume
    refused = await typed("undo", tuesday.folder, "--yes", *QUICK)
    assert (refused.returncode, to_type(refused.stderr)[:2]) == (2, [resume, undo])
    assert KEY_AS_BEFORE not in asked.stdout + refused.stderr
    monkeypatch.setenv("CLARITYQ_API_KEY", "any")
    for yes in ([], ["--yes"]):
        told = await typed("undo", tuesday.folder, *QUICK[:4], *yes)
        assert KEY_AS_BEFORE in told.stdout + told.stderr
    assert "To try the 1 row not completed again" in command("jobs", "show", tuesday.folder)[1]


async def test_an_undo_whose_input_was_dropped_is_worked_out_anew(
    night: Night, service: WatchedSandbox
) -> None:
    await night("monday", [(ALL[0], "POSITIVE", "")])
    tuesday = await night("tuesday", [(ALL[0], "NEGATIVE", "")])
    undo = ("undo", tuesday.folder, "--yes", "--defer-for", "0s", *QUICK)
    service.picker = FaultPicker(NONE_COMPLETED)
    assert (await typed(*undo)).returncode == 5
    (tuesday.folder / "undo.jsonl").unlink()  # as `jobs prune --comments-after` does
    service.picker = FaultPicker(Faults())
    assert (await typed(*undo)).returncode == 0
    assert service.stored() == {ALL[0]: ("POSITIVE", None)}


@pytest.mark.slow
async def test_a_killed_undo_goes_on_and_gives_way_to_what_came_between(
    night: Night, service: WatchedSandbox, tmp_path: Path
) -> None:
    await night("monday", [(each, "POSITIVE", "") for each in ALL])
    tuesday = await night("tuesday", [(each, "NEGATIVE", "wrong") for each in ALL])
    undo = (sys.executable, "-m", "importer", "undo", str(tuesday.folder), "--yes", *QUICK)
    process = subprocess.Popen(  # noqa: ASYNC220 -- it is waited for on a thread
        [*undo, "--concurrency", "1", "--rate", "20"], stdout=subprocess.DEVNULL
    )
    sent = len(service.puts)
    service.on_put = lambda number: process.kill() if number == sent + 2 else None
    await to_thread.run_sync(process.wait)
    service.on_put = lambda _: None

    target = ("--product-id", tuesday.product_id, "--base-url", service.url)
    where = ("--jobs-dir", tuesday.folder.parent)
    refused = await typed("run", tmp_path / "monday.csv", *target, *where, *QUICK)
    assert refused.returncode == 2
    assert "is not finished" in refused.stderr
    await night("wednesday", [(ALL[5], "POSITIVE", "newer")], replace=True)

    done = await typed(*undo[3:])
    assert done.returncode == 0, done.stderr
    stored = service.stored()
    assert stored.pop(ALL[5]) == ("POSITIVE", "newer")
    # What the killed undo has set stays, and the rest of it is taken back now.
    assert stored == dict.fromkeys(ALL[:5], ("POSITIVE", None))
    # Nobody goes back behind the undo: the rows of Tuesday rank below it.
    left = await typed("retry", tuesday.folder, *QUICK)
    assert left.returncode == 2
    assert len(service.stored()) == len(ALL)


@pytest.mark.slow
async def test_an_undo_that_may_not_begin_leaves_the_input_of_another_as_it_is(
    night: Night, service: WatchedSandbox
) -> None:
    tuesday = await two_nights(night)
    words = ("undo", tuesday.folder, "--yes", *QUICK)
    stopped = await typed(*words, "--limit", "1")
    assert stopped.returncode == 6, stopped.stderr
    before = (tuesday.folder / "undo.jsonl").read_bytes()
    jobs = tuesday.folder.parent
    moved = jobs.rename(jobs.with_name("moved"))
    refused = await typed("undo", moved / tuesday.folder.name, *words[2:])
    assert refused.returncode == 2
    assert "not finished" in refused.stderr
    moved.rename(jobs)
    assert (tuesday.folder / "undo.jsonl").read_bytes() == before
    done = await typed(*words)
    assert done.returncode == 0, done.stderr
    assert service.stored()[ALL[1]] == ("NEGATIVE", "said\non Monday ")


async def test_a_stopped_undo_is_resumed_by_its_own_command_wherever_that_is_told(
    night: Night, service: WatchedSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuesday = await two_nights(night)
    words = ["undo", str(tuesday.folder), "--yes", "--defer-for", "0s"]
    key = ["--api-key-file", str(tmp_path / "key")]
    assert (await typed(*words, *key, "--limit", "1", "--label", "mine")).returncode == 6
    (undo,) = tuesday.folder.parent.glob("undo-*")
    (resume,) = re.findall(r"resume +(.*)", command("jobs", "show", undo)[1])
    assert resume.startswith(f"clarityq-import undo {tuesday.folder} ")
    assert {*shlex.split(resume)[1:]} == {*words, *key, "--label", "mine"}
    with pytest.raises(UnfinishedJobError) as refused:
        await night("wednesday", [])
    assert resume in str(refused.value)
    monkeypatch.chdir("/")
    done = await typed(*shlex.split(resume)[1:])
    assert done.returncode == 0, done.stderr
    assert service.stored()[ALL[1]] == ("NEGATIVE", "said\non Monday ")


async def test_the_job_of_an_unfinished_undo_tells_how_that_goes_on_until_it_has_ended(
    night: Night, service: WatchedSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLARITYQ_API_KEY", "any")
    tuesday = (await two_nights(night)).folder
    words = ("undo", tuesday, "--clear-unknown", "--yes", *QUICK[:-2])
    process = subprocess.Popen(  # noqa: ASYNC220 -- it is waited for on a thread
        [sys.executable, "-m", "importer", *map(str, words), "--concurrency", "1", "--rate", "9"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    sent = len(service.puts)
    service.on_put = lambda number: process.kill() if number == sent + 1 else None
    await to_thread.run_sync(process.wait)
    service.on_put = lambda _: None
    (undo,) = tuesday.parent.glob("undo-*")
    (resume,) = re.findall(r"resume +(.*)", command("jobs", "show", undo)[1])
    assert "--clear-unknown --yes" in resume
    assert "finished, being taken back" in command("jobs", "show", tuesday)[1]
    for text in told_of(tuesday):
        assert f"It is being taken back by {undo.name}, which is not finished" in text
        assert f"To go on with the undo: {resume}" in " ".join(text.split())
    assert (await typed(*shlex.split(resume)[1:])).returncode == 0
    for text in told_of(tuesday):
        assert f"It was taken back by {undo.name} since: 4 of 4 conversations." in text
        assert "not finished" not in text
        assert "To go on" not in text
    lines = command("jobs", "--jobs-dir", tuesday.parent)[1].splitlines()
    assert ["taken back" in line for line in lines if tuesday.name in line][:1] == [True]


async def test_a_job_with_a_gap_behind_it_is_not_taken_back(night: Night) -> None:
    tuesday = await two_nights(night)
    wednesday = await night("wednesday", [(ALL[4], "POSITIVE", "")])
    for path in wednesday.folder.iterdir():
        path.unlink()
    wednesday.folder.rmdir()
    with pytest.raises(SettingsError, match="is missing"):
        command("undo", tuesday.folder)


@pytest.mark.parametrize("comes_by", ["undo", "retry", "carry over", "carry over before"])
async def test_what_waited_under_the_rows_of_a_wrong_job_is_sent_by_its_undo(
    night: Night, service: WatchedSandbox, comes_by: str
) -> None:
    await night("sunday", [(each, "CLEAR", "") for each in ALL[:2]])
    service.picker = FaultPicker(NONE_COMPLETED)
    monday = await night("monday", [(each, "POSITIVE", "right") for each in ALL[:3]], defer_for=0.0)
    service.picker = FaultPicker(Faults())
    tuesday = await night("tuesday", [(each, "NEGATIVE", "wrong") for each in ALL[1:4]])
    nothing_new = [(ALL[4], "POSITIVE", "")]
    if comes_by == "carry over before":
        await night("wednesday", nothing_new, carry_over=True)
    told = (await typed("undo", tuesday.folder, "--yes", *QUICK)).stdout
    assert "sent: rows of earlier jobs whose place it had taken 2" in " ".join(told.split())
    if comes_by == "retry":
        await typed("retry", monday.folder, *QUICK)
    if comes_by == "carry over":
        await night("wednesday", nothing_new, carry_over=True)
    stored = service.stored()
    right, of_sunday = ("POSITIVE", "right"), (None, None)
    assert [stored[each] for each in ALL[1:3]] == [right, right]
    assert stored[ALL[0]] == (of_sunday if comes_by == "undo" else right)
    await typed("undo", monday.folder, "--yes", "--clear-unknown", *QUICK)
    assert [service.stored()[each] for each in ALL[:3]] == [of_sunday] * 3


class Refusing(WatchedSandbox):
    """Refuses what is rated POSITIVE, once it is told to."""

    refuses = False

    async def _put(self, request: web.Request) -> web.StreamResponse:
        if self.refuses and (await request.json())["rating"] == "POSITIVE":
            return web.json_response({"detail": "no"}, status=400)
        return await super()._put(request)


@pytest.mark.parametrize("service", [Refusing], indirect=True)
async def test_what_was_refused_when_it_was_tried_again_waits_no_more(
    night: Night, service: Refusing
) -> None:
    await night("sunday", [(ALL[0], "CLEAR", "")])
    service.picker = FaultPicker(NONE_COMPLETED)
    monday = await night("monday", [(ALL[0], "POSITIVE", "")], defer_for=0.0)
    await night("tuesday", [(ALL[1], "CLEAR", "")], carry_over=True, defer_for=0.0)
    service.picker, service.refuses = FaultPicker(Faults()), True
    await typed("retry", monday.folder, *QUICK)
    wednesday = await night("wednesday", [(ALL[0], "NEGATIVE", "")])
    done = await typed("undo", wednesday.folder, "--yes", *QUICK)
    assert done.returncode == 0, done.stdout
    assert service.stored()[ALL[0]] == (None, None)


async def test_without_a_key_nothing_is_taken_back(night: Night, tmp_path: Path) -> None:
    await night("monday", [(ALL[0], "POSITIVE", "")])
    tuesday = await night("tuesday", [(ALL[0], "NEGATIVE", "")])
    no_key = ("--api-key-file", tmp_path / "nokey", "--late-effect", "0s")
    done = await typed("undo", tuesday.folder, "--yes", *no_key)
    assert (done.returncode, "--api-key-file names cannot be read" in done.stderr) == (2, True)
    assert "taken back" not in command("jobs", "show", tuesday.folder)[1]


async def test_what_an_undo_that_never_began_was_to_send_is_nobodys(
    night: Night, service: WatchedSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await night("sunday", [(ALL[0], "CLEAR", "")])
    service.picker = FaultPicker(NONE_COMPLETED)
    monday = await night("monday", [(ALL[0], "POSITIVE", "")], defer_for=0.0)
    service.picker = FaultPicker(Faults())
    tuesday = await night("tuesday", [(ALL[0], "NEGATIVE", "")])
    with monkeypatch.context() as patch:
        patch.setattr("importer.cli.commands.undo.perform", lambda *_: (ExitCode.USAGE, None))
        words = ["--api-key-file", tuesday.folder.parent.parent / "key"]
        assert command("undo", tuesday.folder, "--yes", *words)[0] == ExitCode.USAGE
    await night("wednesday", [(ALL[1], "POSITIVE", "")])
    await typed("undo", monday.folder, "--yes", *QUICK)
    service.picker = FaultPicker(NONE_COMPLETED)
    await typed("undo", tuesday.folder, "--yes", "--defer-for", "0s", *QUICK)
    service.picker = FaultPicker(Faults())
    (undo,) = tuesday.folder.parent.glob("undo-*")
    await typed("retry", undo, *QUICK)
    assert service.stored()[ALL[0]] == (None, None)


async def test_what_a_later_job_has_set_for_the_undone_one_is_there_again_when_the_undo_is_undone(
    night: Night, service: WatchedSandbox
) -> None:
    service.picker = FaultPicker(NONE_COMPLETED)
    late = {"carry_over": True, "defer_for": 0.0}
    await night("monday", [(ALL[0], "POSITIVE", "")], **late)
    tuesday = await night("tuesday", [(ALL[0], "NEGATIVE", "")], **late)
    service.picker = FaultPicker(Faults())
    await night("wednesday", [(ALL[1], "NEGATIVE", "")], carry_over=True)  # sets Tuesday's row
    service.picker = FaultPicker(NONE_COMPLETED)
    await typed("undo", tuesday.folder, "--yes", "--defer-for", "0s", *QUICK)
    service.picker = FaultPicker(Faults())
    (undo,) = tuesday.folder.parent.glob("undo-*")
    await typed("undo", undo, "--yes", *QUICK)
    await night("thursday", [(ALL[2], "NEGATIVE", "")], carry_over=True)
    assert service.stored()[ALL[0]] == ("NEGATIVE", None)


@pytest.mark.parametrize("way", ["undo", "abandon", "replace", "ended before", "by hand"])
async def test_what_a_job_had_taken_over_is_told_as_left_over_again_when_that_is_ended(
    night: Night, service: WatchedSandbox, way: str
) -> None:
    service.picker = FaultPicker(NONE_COMPLETED)
    right = [(each, "POSITIVE", "") for each in ALL[:3]]
    by_hand = way == "by hand"  # the job began without --carry-over
    monday = await night("monday", right, carry_over=not by_hand, defer_for=0.0)
    is_ended = way == "ended before"
    service.picker = FaultPicker(NONE_COMPLETED if is_ended else Faults())
    wrong = [(each, "NEGATIVE", "") for each in ALL[3:5]]
    until = {"defer_for": 0.0} if is_ended else {"limit": 1}
    tuesday = await night("tuesday", wrong, carry_over=True, **until)
    service.picker = FaultPicker(Faults())
    next_import, retry = "The next import with --carry-over tries", "clarityq-import retry"
    for text in told_of(monday.folder):
        assert next_import not in text
        assert retry not in text
    if way == "replace":
        path = write_csv(monday.folder.parent.parent / "wednesday.csv", [(ALL[5], "CLEAR", "")])
        target = "--product-id", PRODUCT, "--base-url", service.url, "--jobs-dir"
        done = await typed("run", path, *target, monday.folder.parent, "--replace", *QUICK)
        said = done.stderr
    else:
        words = ["undo", tuesday.folder, "--yes", *QUICK]
        if way != "undo":
            words = ["jobs", "abandon", tuesday.folder]
        said = (await typed(*words)).stdout
        assert "nothing is left to do" not in said
    rows = "3 rows" if is_ended else "2 rows"
    assert (
        f"{rows} of earlier jobs that {tuesday.folder.name} had taken over are left over again: "
        "the next import with --carry-over tries them" in said
    )
    for text in told_of(monday.folder):
        assert (f"{next_import} the {rows} again that are left over." in text) is not by_hand
        assert (retry in text) is by_hand
    assert f"{rows} are left over again." in command("jobs", "show", monday.folder)[1]
    await night("thursday", [(ALL[5], "POSITIVE", "")], carry_over=True)
    assert service.stored() == dict.fromkeys((*ALL[:3], ALL[5]), ("POSITIVE", None))
    for text in told_of(monday.folder):
        assert next_import not in text
        assert retry not in text


async def test_the_folder_of_a_job_stays_while_its_undo_has_rows_left_over(
    night: Night, service: WatchedSandbox
) -> None:
    service.picker = FaultPicker(NONE_COMPLETED)
    late = {"carry_over": True, "defer_for": 0.0}
    monday = await night("monday", [(ALL[0], "POSITIVE", "")], **late)
    tuesday = await night("tuesday", [(ALL[0], "NEGATIVE", "")], **late)
    await typed("undo", tuesday.folder, "--yes", "--defer-for", "0s", *QUICK)
    command("jobs", "prune", "--keep-last", "1", "--jobs-dir", monday.folder.parent)
    assert (tuesday.folder.exists(), monday.folder.exists()) == (True, False)


async def test_what_the_service_refuses_of_an_undo_is_imported_by_the_command_that_is_printed(
    night: Night, service: WatchedSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuesday = await two_nights(night)
    stands = service.stored()

    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.json_response({"detail": "no"}, status=400)

    monkeypatch.setattr(service, "_answer_put", refuse)
    key = ("--api-key-file", tmp_path / "key")
    told = (await typed("undo", tuesday.folder, "--yes", *key, "--canary", "0")).stdout
    (step,) = re.findall(r"fix \S+/failed.csv, then clarityq-import (run .*)", told)
    done = await typed(*shlex.split(step))
    assert done.returncode == 1, done.stderr
    assert str(tuesday.folder.parent) in step
    assert service.stored() == stands


async def test_an_undo_tells_how_many_conversations_it_has_cleared_so_far(
    night: Night, service: WatchedSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLARITYQ_API_KEY", "any")
    monday = (await night("monday", [(each, "POSITIVE", "said") for each in ALL[1:5]])).folder
    tuesday = (await night("tuesday", [(each, "NEGATIVE", "wrong") for each in ALL])).folder
    words = ("undo", tuesday, "--clear-unknown", "--yes", "--concurrency", "1", *QUICK[:-2])
    stopped = await typed(*words, "--limit", "3")
    assert stopped.returncode == 6, stopped.stderr
    (undo,) = tuesday.parent.glob("undo-*")
    done = sum(service.stored()[each] == (None, None) for each in ALL[1:5])
    assert 0 < done < 4
    for text in (stopped.stdout, *told_of(undo)[1:]):
        told = f"In {done} of 4 conversations feedback was cleared so far that earlier jobs had set"
        assert told in " ".join(text.split())
        assert f"{monday.name} ({done} of 4 conversations)" in text
    ended = await typed(*words)
    assert ended.returncode == 0, ended.stderr
    for text in (ended.stdout, *told_of(undo)[1:]):
        assert "In 4 conversations feedback was cleared that earlier jobs had set" in text
        assert f"{monday.name} (4 conversations)" in text


async def test_what_later_jobs_have_set_is_not_to_be_brought_back_over_that(night: Night) -> None:
    monday = (await night("monday", [(each, "POSITIVE", "said") for each in ALL[:3]])).folder
    tuesday = (await night("tuesday", [(each, "NEGATIVE", "wrong") for each in ALL])).folder
    done = await typed("undo", tuesday, "--clear-unknown", "--yes", *QUICK)
    assert done.returncode == 0, done.stderr
    (undo,) = tuesday.parent.glob("undo-*")
    bring_back = f"To bring back what {monday.name} had set in"
    wednesday = (await night("wednesday", [(ALL[0], "POSITIVE", "right")])).folder
    for text in told_of(undo):
        assert f"{bring_back} 2 conversations" in text
        assert text.count("To bring back") == 1
    assert "later jobs have set 1 since" in command("jobs", "show", undo)[1]
    thursday = (await night("thursday", [(each, "POSITIVE", "right") for each in ALL])).folder
    for text in told_of(undo):
        assert "To bring back" not in text
    assert "later jobs have set 3 since" in command("jobs", "show", undo)[1]
    for wrong in (thursday, wednesday):
        done = await typed("undo", wrong, "--clear-unknown", "--yes", *QUICK)
        assert done.returncode == 0, done.stderr
    for text in told_of(undo):
        assert f"{bring_back} 3 conversations" in text
        assert "later jobs have set none since that still counts" in text


async def test_what_is_imported_again_of_earlier_jobs_keeps_nothing_older_than_it_was(
    night: Night, service: WatchedSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLARITYQ_API_KEY", "any")
    await night("sunday", [(ALL[0], "POSITIVE", "older")])
    await night("monday", [(each, "POSITIVE", "said") for each in ALL[:3]])
    await night("noon", [(ALL[0], "NEGATIVE", "newer")])
    tuesday = (await night("tuesday", [(each, "NEGATIVE", "wrong") for each in ALL[1:5]])).folder
    wednesday = (
        await night("wednesday", [(each, "POSITIVE", "right") for each in ALL[2:4]])
    ).folder
    await night("thursday", [(ALL[5], "POSITIVE", "elsewhere")])
    before = to_type((await typed("undo", tuesday, "--clear-unknown")).stdout.partition("To do")[0])
    done = await typed("undo", tuesday, "--clear-unknown", "--yes", *QUICK)
    assert done.returncode == 0, done.stderr
    assert "once the undo has cleared it" not in done.stdout
    (undo,) = tuesday.parent.glob("undo-*")
    held = {**service.stored(), ALL[1]: ("POSITIVE", "said")}
    for text in told_of(undo):
        over = f"it goes over what {wednesday.name} has set in 1 conversation"
        assert over in " ".join(text.split())
    steps = [shlex.split(step.command)[1:] for step in kept_steps(undo).steps]
    assert [Path(words[1]).stem for words in steps] == ["monday", "noon", "wednesday"]
    assert [words[1] for words in before] == [words[1] for words in steps]
    for at, words in enumerate(steps):
        assert (await typed(*words)).returncode == 0
        for text in told_of(undo):
            shown = re.findall(r"clarityq-import run (\S+)", text)
            assert shown == [words[1] for words in steps[at + 1 :]]
    assert service.stored() == held


@pytest.mark.parametrize("sends", [False, True])
async def test_what_later_jobs_have_set_is_not_to_be_cleared_any_more(
    night: Night, sends: bool
) -> None:
    if sends:
        await night("monday", [(ALL[0], "POSITIVE", "")])
    tuesday = (await night("tuesday", [(each, "NEGATIVE", "") for each in ALL[:3]])).folder
    done = await typed("undo", tuesday, "--yes", *QUICK)
    assert done.returncode == 0, done.stderr
    told = next(iter(tuesday.parent.glob("undo-*"))) if sends else tuesday
    kept, left = f"What {tuesday.name} has stored stays in", 2 if sends else 3
    assert all(f"{kept} {left} conversations" in text for text in told_of(told))
    await night("wednesday", [(ALL[1], "POSITIVE", "right")])
    for text in told_of(told):
        assert f"{kept} {counted(left - 1, 'conversation')}" in text
        assert text.count("To clear that:") == 1
    await night("thursday", [(each, "POSITIVE", "right") for each in ALL])
    for text in told_of(told):
        assert kept not in text
        assert "To clear that:" not in text
        assert f"later jobs have set {left} since" in text


@pytest.mark.parametrize("sent", [0, 2])
async def test_a_job_whose_undo_was_given_up_is_taken_back_in_part_and_tells_how_the_rest_is(
    night: Night, service: WatchedSandbox, monkeypatch: pytest.MonkeyPatch, sent: int
) -> None:
    monkeypatch.setenv("CLARITYQ_API_KEY", "any")
    tuesday = (await night("tuesday", [(each, "NEGATIVE", "wrong") for each in ALL[:5]])).folder
    words = ("undo", tuesday, "--clear-unknown", "--yes", "--concurrency", "1", *QUICK[:-2])
    service._key = None if sent else "another"
    stopped = await typed(*words, *(("--limit", "2") if sent else ()))
    assert stopped.returncode in (3, 6), stopped.stderr
    service._key = None
    (undo,) = tuesday.parent.glob("undo-*")
    wednesday = (await night("wednesday", [(ALL[5], "POSITIVE", "")], replace=True)).folder
    stands = "finished, taken back in part" if sent else "finished, not taken back yet"
    rest = f"up to {5 - sent} conversations still hold what {tuesday.name} has stored."
    for text in told_of(wednesday):
        assert f"{undo.name} was given up: {rest} To go on with the undo:" in " ".join(text.split())
        assert "nothing is left to do" not in text
    assert stands in command("jobs", "show", tuesday)[1]
    was = "taken back in part" if sent else "to be taken back"
    by = f"It was {was} by {undo.name}, which was given up: {sent} of 5 conversations"
    (begin_anew,) = re.findall(r"To go on with the undo: (.*)", command("jobs", "show", undo)[1])
    for text in told_of(tuesday):
        assert f"{by}; the others stay as they are." in text
    for folder in (tuesday, undo):
        for text in told_of(folder):
            assert f"To go on with the undo: {begin_anew}" in " ".join(text.split())
    done = await typed(*shlex.split(begin_anew)[1:])
    assert done.returncode == 0, done.stderr
    assert {service.stored()[each] for each in ALL[:5]} == {(None, None)}
    for folder in (tuesday, undo, wednesday):
        assert all("To go on" not in text for text in told_of(folder))
    assert "finished, taken back\n" in command("jobs", "show", tuesday)[1]


async def test_an_undo_that_gives_up_another_job_names_the_command_for_the_rows_of_that(
    night: Night, service: WatchedSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLARITYQ_API_KEY", "any")
    monday = (await night("monday", [(each, "NEGATIVE", "") for each in ALL[:2]])).folder
    right = [(each, "POSITIVE", "") for each in ALL[2:6]]
    tuesday = (await night("tuesday", right, limit=1, concurrency=1)).folder
    words = ("undo", monday, "--clear-unknown", "--yes", "--replace", *QUICK[:-2])
    done = await typed(*words)
    assert done.returncode == 0, done.stderr
    (undo,) = monday.parent.glob("undo-*")
    (begin,) = re.findall(f"To import the 3 rows of {tuesday.name} .*: (.*)", told_of(undo)[0])
    for text in told_of(undo):
        assert f"To import the 3 rows of {tuesday.name} that no job has sent" in text
        assert "nothing is left to do" not in text
    assert begin in " ".join(done.stdout.split())
    assert (await typed(*shlex.split(begin)[1:])).returncode == 0
    assert {service.stored()[each] for each in ALL[2:6]} == {("POSITIVE", None)}
    assert all("that no job has sent" not in text for text in told_of(undo))


async def test_what_an_undo_has_cleared_before_it_was_given_up_comes_back_by_what_it_tells(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLARITYQ_API_KEY", "any")
    monday = (await night("monday", [(each, "POSITIVE", "said") for each in ALL[:4]])).folder
    tuesday = (await night("tuesday", [(each, "NEGATIVE", "wrong") for each in ALL[:4]])).folder
    words = ("undo", tuesday, "--clear-unknown", "--yes", "--concurrency", "1", "--limit", "2")
    assert (await typed(*words, *QUICK[:-2])).returncode == 6
    (undo,) = tuesday.parent.glob("undo-*")
    right = [(ALL[0], "POSITIVE", "right"), (ALL[5], "POSITIVE", "")]
    wednesday = (await night("wednesday", right, replace=True)).folder
    for text in told_of(undo):
        assert f"To bring back what {monday.name} had set in 1 conversation: this" in text
        assert f"it goes over what {wednesday.name} has set in 1 conversation" in text
    assert all("To bring back" not in text for text in told_of(wednesday))
    await night("monday", [(each, "POSITIVE", "said") for each in ALL[:4]], restart=True)
    assert all("To bring back" not in text for text in told_of(undo))


@pytest.mark.parametrize("clears", [False, True])
async def test_an_undo_whose_undo_is_undone_counts_again_and_so_it_is_told(
    night: Night, service: WatchedSandbox, monkeypatch: pytest.MonkeyPatch, *, clears: bool
) -> None:
    monkeypatch.setenv("CLARITYQ_API_KEY", "any")
    monday = (await night("monday", [(each, "POSITIVE", "said") for each in ALL[:2]])).folder
    await night("sunday", [(ALL[2], "POSITIVE", "")])
    tuesday = (await night("tuesday", [(each, "NEGATIVE", "") for each in ALL[:4]])).folder
    chain = [tuesday]
    for _ in range(3):
        words = ("undo", chain[-1], *["--clear-unknown"] * clears, "--yes", *QUICK)
        assert (await typed(*words)).returncode == 0
        chain += [undo for undo in tuesday.parent.glob("undo-*") if undo not in chain]
    first, second, third = chain[1:]
    held = (None, None) if clears else ("NEGATIVE", None)
    assert service.stored() == {**dict.fromkeys(ALL[:4], held), ALL[2]: ("POSITIVE", None)}
    back, left = (4, ".") if clears else (1, "; the others stay as they are.")
    for text in told_of(tuesday):
        assert f"It was taken back by {first.name} since: {back} of 4 conversations{left}" in text
        assert "which was taken back itself" not in text
    for text in told_of(first):
        assert f"It was taken back by {second.name}, which was taken back itself." in text
        assert "has taken back more" not in text
        bring_back = f"To bring back what {monday.name} had set in 2 conversations"
        assert (bring_back if clears else "stays in 3 conversations") in text
        assert ("To clear that:" in text) is not clears
    for text in told_of(second):
        assert f"It was taken back by {third.name} since: {back} of {back} conv" in text
    for folder in chain:
        assert all("dealt with" not in text for text in told_of(folder))
