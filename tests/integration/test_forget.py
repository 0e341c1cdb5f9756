"""Forgetting a conversation: no byte of it stays in the jobs folder, and nothing else changes."""

import asyncio
import csv
import json
import re
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import pandas as pd
import pytest
from aiohttp import web

from importer.api import run_import
from importer.errors import ExitCode, JobHeldError, SettingsError
from importer.jobs import sqlite_file
from importer.jobs.inputs import UNDO_NAME
from importer.jobs.journal_reader import JournalReader
from importer.jobs.product import hold_product
from importer.jobs.records import NewJob
from importer.reporting.outcomes_table import outcomes_frame
from importer.sandbox.faults import FaultPicker, Faults
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings
from importer.workflows.forget import forget
from importer.workflows.undo_job import UndoTable, plan_undo
from tests.integration.test_afterwards import command
from tests.integration.test_undo import typed
from tests.support.data import conversation, write_csv
from tests.support.traces import traces
from tests.support.watched import WatchedSandbox

pytestmark = pytest.mark.anyio
Make = Callable[..., ImportSettings]
WHO, OTHER = conversation(7), conversation(8)
SECRET = "my neighbour's “unlisted” number"


@pytest.fixture
async def jobs(sandbox: Sandbox, settings_for: Make, tmp_path: Path) -> Path:
    """Return a jobs folder with all that a job may leave of a conversation."""
    rows = [(conversation(n), "POSITIVE", f"{SECRET} {n}") for n in (1, 7, 8)]
    rows += [(WHO.upper(), "meh", SECRET), (WHO, "CLEAR", f"{SECRET}{'x' * 2000}")]
    rows += [(OTHER, "meh", "other")]
    path = write_csv(tmp_path / "in.csv", rows)
    with path.open("a", encoding="utf-8") as file:
        file.write(f'{WHO},"{SECRET}",too,many,cells\n')
    make = {"base_url": sandbox.url, "keep_bodies": True}
    await run_import(settings_for(path, **make), api_key="any")
    frame = pd.DataFrame({"conversation_id": [WHO, OTHER], "comment": [SECRET, "other"]})
    settings = settings_for(path, **make).replace(inputs=frame, keep_copies=True)
    await run_import(settings, api_key="any")
    return tmp_path / "jobs"


async def test_no_byte_of_it_stays(jobs: Path, tmp_path: Path) -> None:
    assert traces(jobs, WHO, SECRET)
    shutil.copy(next(jobs.glob("in-*/summary.json")), tmp_path / "before.json")  # noqa: ASYNC240
    killed = jobs / "big-0123abcd-1" / ".journal.sqlite-x.new"  # as it was being made
    killed.parent.mkdir()
    shutil.copy(next(jobs.glob("in-*/journal.sqlite")), killed)  # noqa: ASYNC240
    bodies = next(jobs.glob("in-*/bodies.jsonl.gz"))  # noqa: ASYNC240
    shutil.copy(bodies, bodies.with_name(f".{bodies.name}-x.new"))  # as another id was forgotten
    code, told = command("forget", WHO.replace("-", ""), "--jobs-dir", jobs)
    assert code == 0, told
    assert traces(jobs, WHO, f"{SECRET} 7", f"{SECRET}x") == []
    path = next(jobs.glob("in-*/report.html"))  # noqa: ASYNC240
    report = path.read_text("utf-8")
    assert "of it were forgotten" in report
    assert "row 4, a forgotten conversation" in report
    assert outcomes_frame(path.parent)["conversation_id"].str.startswith("forgotten-").sum() == 4
    told = command("outcomes", "--verify", tmp_path / "before.json", "--jobs-dir", jobs)[1]
    assert "differs: outcomes (1 conversation of it forgotten" in told
    (certificate,) = jobs.glob("forgotten-*.json")  # noqa: ASYNC240
    said = json.loads(certificate.read_text("utf-8"))
    assert (said["conversations"], said["left"]) == (1, [])
    assert {"kept bodies", "left-over files", "copies", "journal: outcomes"} <= {
        place for each in said["jobs_and_ledgers"] for place in each["found"]
    }
    for each in said["jobs_and_ledgers"]:
        if "job" in each:
            digests = each["outcomes_sha256"]
            assert digests["before"] != digests["after"]
            summary = json.loads((jobs / each["job"] / "summary.json").read_text("utf-8"))
            assert summary["digests"]["outcomes"] == digests["after"]


async def test_the_others_stay_as_they_were(jobs: Path) -> None:
    folders = sorted(path.parent for path in jobs.glob("*/journal.sqlite"))  # noqa: ASYNC240

    def seen() -> list[object]:
        found: list[object] = []
        for folder in folders:
            with JournalReader(folder) as journal:
                found += [journal.totals(), journal.outcomes_of(OTHER)]
        return found

    before = seen()
    forget(jobs, [WHO])
    assert seen() == before
    with (folders[-1] / "rejected.csv").open(encoding="utf-8", newline="") as file:
        assert [row["conversation_id"] for row in csv.DictReader(file)] == [OTHER]
    assert OTHER in command("explain", OTHER, "--jobs-dir", jobs)[1]


async def test_what_is_forgotten_is_not_sent_again(settings_for: Make, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "in.csv", [(WHO, "POSITIVE", SECRET), (OTHER, "CLEAR", "")])
    busy = Faults(not_completed=1.0, completes_after=60)
    async with WatchedSandbox(busy) as service:
        settings = settings_for(path, base_url=service.url, defer_for=0.0, carry_over=True)
        first = await run_import(settings, api_key="any")
        assert first.exit_code is ExitCode.NOT_COMPLETED
        forget(tmp_path / "jobs", [WHO])
        service.puts.clear()
        again = await run_import(settings, api_key="any")
        assert again.folder == first.folder
        assert traces(first.folder, WHO, SECRET) == [], "the input still holds it"
        more = write_csv(tmp_path / "more.csv", [(conversation(1), "CLEAR", "")])
        await run_import(settings.replace(inputs=more), api_key="any")
    assert {put.conversation_id for put in service.puts} == {OTHER, conversation(1)}


async def test_no_request_of_what_was_forgotten_takes_effect_after_a_new_row(
    settings_for: Make, tmp_path: Path
) -> None:
    rows = write_csv(tmp_path / "in.csv", [(WHO, "POSITIVE", SECRET), (OTHER, "CLEAR", "")])
    async with WatchedSandbox(Faults(reset_after=1.0)) as service:
        make = {"base_url": service.url, "max_attempts": 1, "retry_first": 0.01, "canary": 0}
        first = await run_import(settings_for(rows, **make), api_key="any")
        assert first.outcomes["failed"] == 2  # type: ignore[index]
    jobs = tmp_path / "jobs"
    forget(jobs, [WHO])
    undo = settings_for(first.folder / UNDO_NAME, base_url=service.url)
    table = plan_undo(undo, first.folder, clear_unknown=True, write=False)
    assert isinstance(table, UndoTable)
    assert (table.unknown.number, table.to_send) == (1, 1), "that of the other conversation"
    with hold_product(settings_for(rows, base_url=service.url)) as product:
        job = product.begin(NewJob([], 0))
        assert job.waits_for_unknown, "nobody knows of which conversation the request is"
        job.close()


async def test_its_story_is_not_told_again_from_the_input(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "in.csv", [(WHO, "CLEAR", SECRET), (OTHER, "CLEAR", "other")])
    begun = await run_import(settings_for(path, base_url=sandbox.url, limit=1), api_key="any")
    jobs = begun.folder.parent
    assert command("jobs", "abandon", begun.folder.name, "--jobs-dir", jobs)[0] == 0
    assert command("forget", WHO, "--jobs-dir", jobs)[0] == 0
    told = command("explain", OTHER, "--jobs-dir", jobs)[1]
    assert "comment 'other'\n  never sent: the job was given up" in told
    assert command("forget", OTHER, "--jobs-dir", jobs)[0] == 0
    for who in (WHO, OTHER):
        code, told = command("explain", who, "--jobs-dir", jobs)
        assert (code, told.count("\n")) == (0, 1)
        assert told.startswith(f"Forgotten: 1 row in job {begun.folder.name}.")


async def test_a_job_that_was_replaced_is_not_told_as_one_that_goes_on(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "in.csv", [(OTHER, "CLEAR", ""), (WHO, "CLEAR", SECRET)])
    settings = settings_for(path, base_url=sandbox.url, limit=1, carry_over=True)
    begun = await run_import(settings, api_key="any")
    more = write_csv(tmp_path / "a.csv", [(conversation(1), "CLEAR", "")])
    again = settings.replace(inputs=more, limit=None)
    after = await run_import(again, api_key="any")
    told = command("explain", WHO, "--jobs-dir", begun.folder.parent)[1]
    first, second = told.split(f"\n\nConversation {WHO}: 1 row in job ")
    assert f"in job {begun.folder.name}" in first
    assert "never sent: the job was replaced" in first
    assert second.startswith(after.folder.name)
    assert "succeeded" in second


async def test_an_old_left_over_file_still_gives_way_to_what_was_forgotten(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    make = {"base_url": sandbox.url, "late_effect": 0.0}
    monday = write_csv(tmp_path / "monday.csv", [(WHO, "meh", SECRET), (OTHER, "CLEAR", "")])
    first = await run_import(settings_for(monday, **make), api_key="any")
    kept = tmp_path / "fixed.csv"
    kept.write_text((first.folder / "rejected.csv").read_text("utf-8").replace("meh", "POSITIVE"))
    tuesday = write_csv(tmp_path / "tuesday.csv", [(WHO, "NEGATIVE", "")])
    await run_import(settings_for(tuesday, **make), api_key="any")
    forget(tmp_path / "jobs", [WHO])
    fixed = await run_import(settings_for(kept, **make), api_key="any")
    assert fixed.outcomes["superseded"] == 1  # type: ignore[index]
    assert sandbox.feedback[WHO].rating == "NEGATIVE"


async def test_it_is_refused_while_a_job_is_at_work_or_not_finished(
    jobs: Path, sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    rows = [(conversation(n), "CLEAR", "") for n in range(3)]
    path = write_csv(tmp_path / "more.csv", rows)
    settings = settings_for(path, base_url=sandbox.url, limit=1)
    with hold_product(settings), pytest.raises(JobHeldError):
        forget(jobs, [WHO])
    summary = await run_import(settings, api_key="any")
    assert summary.exit_code is ExitCode.TIME_BOX
    with pytest.raises(SettingsError, match=rf"clarityq-import jobs abandon {jobs}/more-"):
        forget(jobs, [WHO])
    assert traces(jobs, WHO)


async def test_it_is_refused_while_the_first_job_of_a_product_reads_its_inputs(
    jobs: Path, settings_for: Make, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path / "in.csv", product_id=conversation(9))
    with hold_product(settings) as product:
        copy = copy_in(product.claim_folder())
        with pytest.raises(JobHeldError):
            forget(jobs, [WHO])
        assert copy.exists()
    assert forget(jobs, [WHO]).is_complete
    assert not copy.exists()


async def test_what_begins_meanwhile_stays_and_is_named(
    jobs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Path] = []

    def begin(_: Path) -> None:
        (jobs / "ledger-0123abcd-1").mkdir()
        begun.append(copy_in(jobs / "ledger-0123abcd-1"))

    monkeypatch.setattr("importer.workflows.forget.clear_removed", begin)
    certificate = forget(jobs, [WHO])
    assert certificate["left"] == [str(path.relative_to(jobs)) for path in begun]
    assert all(path.exists() for path in begun)
    monkeypatch.undo()
    assert forget(jobs, [WHO]).is_complete


async def test_what_is_not_ours_to_remove_is_named_with_what_to_do(jobs: Path) -> None:
    copy = jobs / "kept" / "journal.sqlite"
    copy.parent.mkdir()
    shutil.copy(next(jobs.glob("in-*/journal.sqlite")), copy)  # noqa: ASYNC240
    code, told = command("forget", WHO, "--jobs-dir", jobs)
    assert code == ExitCode.ROWS_NOT_IMPORTED
    assert "STILL THERE: kept/journal.sqlite\nRun the same command again" in told
    assert copy.exists()


def copy_in(folder: Path) -> Path:
    """Write a copy of an input as a run does that has just begun with it."""
    path = folder / "copies" / ".1.part"
    path.parent.mkdir()
    path.write_text(f"{WHO},POSITIVE,{SECRET}")
    return path


async def test_what_is_to_be_done_is_told_without_the_rows_that_were_forgotten(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    rows = [(WHO, "meh", SECRET), (OTHER, "meh", ""), (conversation(1), "CLEAR", "")]
    path = write_csv(tmp_path / "in.csv", rows)
    done = await run_import(settings_for(path, base_url=sandbox.url), api_key="any")
    jobs, rejected = done.folder.parent, done.folder / "rejected.csv"
    for who, told in ((conversation(1), "the 2 rows rejected"), (WHO, "the 1 row rejected")):
        assert command("forget", who, "--jobs-dir", jobs)[0] == 0
        assert f"To import {told}: fix {rejected}" in command("jobs", "show", done.folder)[1]
    told = command("forget", OTHER, "--jobs-dir", jobs)[1]
    assert f"Of 1 conversation nothing is left in {jobs} but counts." in told
    assert not rejected.exists()
    assert "rejected:" not in command("jobs", "show", done.folder)[1]
    assert "rejected.csv" not in (done.folder / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "still"),
    [(("forget", WHO), ["30 rows"]), (("jobs", "prune", "--comments-after", "0"), [])],
)
async def test_killed_before_it_wrote_the_summary_the_same_command_does_the_rest(
    sandbox: Sandbox,
    settings_for: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: Sequence[str],
    still: Sequence[str],
) -> None:
    whose = [*map(conversation, range(100, 130)), WHO]
    path = write_csv(tmp_path / "in.csv", [(who, "meh", SECRET) for who in whose])
    done = await run_import(settings_for(path, base_url=sandbox.url), api_key="any")

    def to_fix() -> Sequence[str]:
        steps = json.loads((done.folder / "summary.json").read_text("utf-8"))["next_steps"]
        return re.findall("import the (.*) rejected", " ".join(step["text"] for step in steps))

    with monkeypatch.context() as killed:
        told = Mock(side_effect=asyncio.CancelledError)
        killed.setattr("importer.workflows.forget.rewrite_summary", told)
        with pytest.raises(asyncio.CancelledError):
            command(*words, "--jobs-dir", tmp_path / "jobs")
    assert to_fix() == ["31 rows"]
    command(*words, "--jobs-dir", tmp_path / "jobs")
    assert to_fix() == still


async def test_what_an_undo_has_cleared_of_it_is_told_as_before(
    sandbox: Sandbox,
    settings_for: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLARITYQ_API_KEY", "any")
    jobs = tmp_path / "jobs"
    make = partial(settings_for, base_url=sandbox.url)
    nights = {
        name: write_csv(tmp_path / f"{name}.csv", [(who, rating, name) for who in whose])
        for name, rating, whose in (
            ("monday", "POSITIVE", (WHO, OTHER, conversation(9))),
            ("tuesday", "NEGATIVE", (WHO, OTHER, conversation(9))),
            ("wednesday", "CLEAR", (WHO,)),
        )
    }
    await run_import(make(nights["monday"]), api_key="any")
    wrong = (await run_import(make(nights["tuesday"]), api_key="any")).folder
    done = await typed("undo", wrong, "--clear-unknown", "--limit", 2, "--yes")
    assert done.returncode == ExitCode.TIME_BOX, done.stderr
    (undone,) = jobs.glob("undo-*")
    command("jobs", "abandon", undone)
    await run_import(make(nights["wednesday"]), api_key="any")

    def told() -> list[str]:
        kept = json.loads((undone / "summary.json").read_text("utf-8"))
        return [step["text"] for step in kept["next_steps"]]

    before = told()
    assert "1 conversation" in before[0]
    assert "wednesday" in before[1]
    command("forget", WHO, "--jobs-dir", jobs)
    assert told() == before


async def test_it_brings_back_no_step_for_what_another_job_has_read_since(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    rows = [(conversation(number), "meh", "") for number in (7, 8, 9)]
    make = partial(settings_for, base_url=sandbox.url)
    first = await run_import(make(write_csv(tmp_path / "in.csv", rows)), api_key="any")
    part = tmp_path / f"{WHO}.csv"
    header, *lines = (first.folder / "rejected.csv").read_text("utf-8").splitlines()
    part.write_text("\n".join([header, lines[1].replace("meh", "CLEAR"), ""]), "utf-8")
    await run_import(make(part), api_key="any")
    command("forget", WHO, "--jobs-dir", tmp_path / "jobs")
    told = json.loads((first.folder / "summary.json").read_text("utf-8"))
    assert "(forgotten).csv was imported by" in told["since"]
    assert [step["text"].partition(":")[0] for step in told["next_steps"]] == [
        "To give the ratings of 1 row a meaning, this says how",
        "To import the 1 row rejected",
    ]


async def test_it_opens_each_journal_a_fixed_number_of_times_however_many_jobs_there_are(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Mock(side_effect=sqlite_file.connect)

    async def opens(jobs: int) -> int:
        jobs_dir = tmp_path / f"jobs-{jobs}"
        for night in range(jobs):
            rows = [(conversation(number), "meh", f"night {night}") for number in (7, 8)]
            path = write_csv(tmp_path / "in.csv", [*rows, (conversation(9), "POSITIVE", "")])
            settings = settings_for(path, base_url=sandbox.url, jobs_dir=jobs_dir)
            await run_import(settings, api_key="any")
        opened.reset_mock()
        forget(jobs_dir, [WHO])
        return opened.call_count

    monkeypatch.setattr(sqlite_file, "connect", opened)
    few, more, most = [await opens(jobs) for jobs in (2, 4, 6)]
    assert most - more == more - few


async def test_a_left_over_file_that_somebody_has_spoilt_goes_only_if_it_holds_the_conversation(
    jobs: Path,
) -> None:
    rejected = next(jobs.glob("in-*/rejected.csv"))  # noqa: ASYNC240
    others = f"id;what\n{OTHER};fixed\n"
    rejected.write_text(others)
    forget(jobs, [WHO])
    assert rejected.read_text() == others
    rejected.write_text(f"{others}{WHO};fixed\n")
    (found,) = (job for job in forget(jobs, [WHO])["jobs_and_ledgers"] if "job" in job)
    assert found["found"]["left-over files"] == 1
    assert not rejected.exists()


@pytest.mark.parametrize("is_beside_half_a_copy", [False, True])
async def test_what_was_never_there_is_not_told_as_forgotten(
    jobs: Path, is_beside_half_a_copy: bool
) -> None:
    nobody = conversation(99)
    unread = copy_in(next(jobs.glob("in-*"))) if is_beside_half_a_copy else None  # noqa: ASYNC240
    code, told = command("forget", nobody, "--jobs-dir", jobs)
    assert (code, "nothing is left" in told) == (0, False)
    assert f"\nNothing of 1 conversation was found in {jobs}: {nobody}.\n" in f"\n{told}"
    assert unread is None or not unread.exists(), "nobody knows what it holds"
    (certificate,) = jobs.glob("forgotten-*.json")  # noqa: ASYNC240
    said = certificate.read_text("utf-8")
    assert (json.loads(said)["found"], nobody in said) == (0, False)
    told = command("forget", nobody, WHO, "--jobs-dir", jobs)[1]
    assert f"Of 1 conversation nothing is left in {jobs} but counts.\nNothing of 1 con" in told


def test_what_is_no_id_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text(f"{WHO}\n7\n")
    with pytest.raises(SettingsError, match="'7' is no id"):
        command("forget", "--from", tmp_path / "ids.txt", "--jobs-dir", tmp_path)


async def test_comments_are_dropped_on_schedule_and_outcomes_stay(
    jobs: Path, settings_for: Make, tmp_path: Path
) -> None:
    def totals() -> list[object]:
        found: list[object] = []
        for path in sorted(jobs.glob("*/journal.sqlite")):
            with JournalReader(path.parent) as journal:
                found += [journal.totals(), journal.outcomes_of(WHO)[0].updated_at]
        return found

    garbled = f"{SECRET} \u00c3\u00bc"  # which the survey quotes
    path = write_csv(tmp_path / "late.csv", [(WHO, "CLEAR", garbled), (OTHER, "CLEAR", "")])
    busy = Faults(not_completed=1.0, completes_after=60)
    async with WatchedSandbox(busy) as service:
        late = settings_for(path, base_url=service.url, defer_for=0.0)
        await run_import(late, api_key="any")
        before = totals()
        prune = ("jobs", "prune", "--comments-after", "0", "--jobs-dir", jobs)
        code, told = command(*prune)
        assert (code, told.count("dropped the comments")) == (0, 3)
        assert traces(jobs, conversation(99), SECRET) == []
        report = next(jobs.glob("late-*/report.html")).read_text("utf-8")  # noqa: ASYNC240
        assert "comments of the job were dropped" in report
        assert totals() == before
        assert command(*prune) == (0, "There is nothing to remove.\n")
        # Of what was left over only what needs no comment comes back.
        more = write_csv(tmp_path / "more.csv", [(conversation(1), "CLEAR", "")])
        night = await run_import(late.replace(inputs=more, carry_over=True), api_key="any")
        assert night.carried_over == 1
        assert OTHER in (night.folder / "not_completed.csv").read_text("utf-8")
        for name in ("one", "two"):  # the second takes over a row with a comment
            some = write_csv(tmp_path / f"{name}.csv", [(conversation(name == "two"), "", SECRET)])
            last = await run_import(late.replace(inputs=some, carry_over=True), api_key="any")
        assert command(*prune)[0] == 0
    ids = outcomes_frame(last.folder)["conversation_id"]
    assert conversation(0) in set(ids), "it is not forgotten"
    assert not ids.str.startswith("forgotten-").any()


class Refusing(WatchedSandbox):
    """Refuses what is said of one conversation."""

    async def _put(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["conversation_id"] == WHO:
            return web.json_response({"detail": "It is bad."}, status=400)
        return await super()._put(request)


async def test_a_job_without_its_comments_names_no_steps_also_once_another_has_taken_over_the_rest(
    settings_for: Make, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "late.csv", [(WHO, "CLEAR", SECRET), (OTHER, "CLEAR", "")])
    async with Refusing(Faults(not_completed=1.0, completes_after=60)) as service:
        settings = settings_for(path, base_url=service.url, defer_for=0.0, carry_over=True)
        late = (await run_import(settings, api_key="any")).folder
        assert "retry" in (late / "summary.json").read_text("utf-8")
        assert command("jobs", "prune", "--comments-after", "0", "--jobs-dir", late.parent)[0] == 0
        more = write_csv(tmp_path / "more.csv", [(conversation(1), "CLEAR", "")])
        night = await run_import(settings.replace(inputs=more), api_key="any")
    assert night.carried_over == 1
    assert json.loads((late / "summary.json").read_text("utf-8"))["next_steps"] == []
    assert "next " not in command("jobs", "show", late)[1]


async def test_dropped_comments_are_gone_also_where_a_later_job_has_settled_what_was_left_over(
    settings_for: Make, tmp_path: Path
) -> None:
    rows = [(conversation(n), "POSITIVE", f"{SECRET} {n}") for n in range(1, 40)]
    path = write_csv(tmp_path / "in.csv", rows)
    async with WatchedSandbox(Faults(not_completed=1.0, completes_after=60)) as service:
        settings = settings_for(path, base_url=service.url, defer_for=0.0, late_effect=0.0)
        await run_import(settings, api_key="any")
        service.picker = FaultPicker(Faults())
        newer = write_csv(tmp_path / "newer.csv", [(each, "CLEAR", "") for each, _, _ in rows])
        await run_import(settings.replace(inputs=newer), api_key="any")
    jobs = tmp_path / "jobs"
    assert command("jobs", "prune", "--comments-after", "0", "--jobs-dir", jobs)[0] == 0
    assert traces(jobs, conversation(99), SECRET) == []


@pytest.mark.parametrize("is_pruned", [True, False], ids=["pruned", "removed by hand"])
async def test_comments_that_jobs_have_left_over_whose_folders_are_gone_are_dropped_as_others_are(
    settings_for: Make, tmp_path: Path, is_pruned: bool
) -> None:
    jobs, rows = tmp_path / "jobs", [(WHO, "CLEAR", SECRET), (OTHER, "CLEAR", "")]
    path = write_csv(tmp_path / "late.csv", rows)
    more = write_csv(tmp_path / "more.csv", [(conversation(1), "CLEAR", "")])
    prune = ("jobs", "prune", "--jobs-dir", jobs)
    async with WatchedSandbox(Faults(not_completed=1.0, completes_after=60)) as service:
        settings = settings_for(path, base_url=service.url, defer_for=0.0, skip_unchanged=True)
        late = (await run_import(settings, api_key="any")).folder
        await run_import(settings.replace(inputs=more), api_key="any")
        if is_pruned:
            assert command(*prune, "--keep-last", 1)[0] == 0
        else:
            shutil.rmtree(late)
        assert traces(jobs, conversation(99), SECRET)
        told = "the comment of 1 row that a job whose folder is gone has left over"
        assert told not in command(*prune, "--comments-after", 1, "--dry-run")[1]
        assert f"would drop {told}" in command(*prune, "--comments-after", 0, "--dry-run")[1]
        assert command(*prune, "--comments-after", 1) == (0, "There is nothing to remove.\n")
        assert traces(jobs, conversation(99), SECRET)
        assert f"dropped {told}: it is not" in command(*prune, "--comments-after", 0)[1]
        assert traces(jobs, conversation(99), SECRET) == []
        assert command(*prune, "--comments-after", 0) == (0, "There is nothing to remove.\n")
        last = write_csv(tmp_path / "last.csv", [(conversation(2), "CLEAR", "")])
        night = await run_import(settings.replace(inputs=last, carry_over=True), api_key="any")
    carried = (night.folder / "not_completed.csv").read_text("utf-8")
    assert (WHO in carried, OTHER in carried) == (False, True)


async def test_comments_of_a_job_whose_journal_cannot_be_read_at_the_moment_are_not_dropped(
    settings_for: Make, tmp_path: Path
) -> None:
    jobs, rows = tmp_path / "jobs", [(WHO, "CLEAR", SECRET), (OTHER, "CLEAR", "")]
    path = write_csv(tmp_path / "late.csv", rows)
    more = write_csv(tmp_path / "more.csv", [(conversation(1), "CLEAR", "")])
    async with WatchedSandbox(Faults(not_completed=1.0, completes_after=60)) as service:
        settings = settings_for(path, base_url=service.url, defer_for=0.0, skip_unchanged=True)
        late = (await run_import(settings, api_key="any")).folder
        await run_import(settings.replace(inputs=more), api_key="any")
        journal = (late / "journal.sqlite").read_bytes()
        (late / "journal.sqlite").write_bytes(b"no journal" * 1000)
        told = command("jobs", "prune", "--jobs-dir", jobs, "--comments-after", 0)[1]
        (late / "journal.sqlite").write_bytes(journal)
        last = write_csv(tmp_path / "last.csv", [(conversation(2), "CLEAR", "")])
        night = await run_import(settings.replace(inputs=last, carry_over=True), api_key="any")
    assert f"left over: {late.name} cannot be read, and it may be of that\n" in told
    assert WHO in (night.folder / "not_completed.csv").read_text("utf-8")


async def test_a_damaged_ledger_that_was_set_aside_goes_as_the_comments_in_it_do(
    jobs: Path,
) -> None:
    (ledger,) = jobs.glob("ledger-*.sqlite")  # noqa: ASYNC240
    aside = [ledger.with_name(f"{ledger.name}.damaged{suffix}") for suffix in ("", "-wal")]
    for path in aside:
        path.write_text(SECRET)
    prune = ("jobs", "prune", "--jobs-dir", jobs, "--comments-after")
    assert command(*prune, 1)[1] == "There is nothing to remove.\n"
    assert (
        f"would remove {aside[0]}, a ledger that was damaged" in command(*prune, 0, "--dry-run")[1]
    )
    assert all(path.exists() for path in aside)
    assert f"removed {aside[1]}, a ledger that was damaged" in command(*prune, 0)[1]
    assert traces(jobs, conversation(99), SECRET) == []
