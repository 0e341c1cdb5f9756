"""Jobs that follow each other: unchanged rows, left-overs, and no step back behind a later job."""

import csv
import dataclasses
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner

from importer.api import run_import
from importer.cli.app import cli
from importer.engine.control import Control
from importer.errors import ExitCode, JobHeldError, UnfinishedJobError
from importer.jobs.product import hold_product
from importer.model import OutcomeKind, Reason, RunEnd
from importer.sandbox.faults import FaultPicker, Faults, RequestFault
from importer.settings import ImportSettings, Retry
from importer.workflows.plan_import import Preview, Resumed, plan_import
from tests.integration.test_afterwards import Page, command
from tests.support.data import conversation, write_csv
from tests.support.watched import WatchedSandbox

pytestmark = pytest.mark.anyio
Make = Callable[..., ImportSettings]
Rows = list[tuple[str, str, str]]


class Moody(FaultPicker):
    """Answers as it is told to: conversations that are in progress, and lost answers."""

    def __init__(self) -> None:
        super().__init__(Faults())
        self.in_progress: set[str] = set()
        self.loses_answers = False

    def for_request(self) -> RequestFault:
        return RequestFault.RESET_AFTER if self.loses_answers else super().for_request()

    def conversation_status(self, conversation: str, now: float) -> str:  # noqa: ARG002
        return "IN_PROGRESS" if conversation in self.in_progress else "COMPLETED"


class Nights:
    """Imports one file after the other into the same product."""

    def __init__(self, make: Make, folder: Path, service: WatchedSandbox, picker: Moody) -> None:
        self._make = make
        self._folder = folder
        self._number = 0
        self.service = service
        self.picker = picker

    def settings(self, rows: Rows, **changes: Any) -> ImportSettings:
        self._number += 1
        path = write_csv(self._folder / f"night-{self._number}.csv", rows)
        quick = {"defer_first": 0.02, "defer_for": 0.1, "late_effect": 0.0, **changes}
        return self._make(path, base_url=self.service.url, **quick)

    async def night(self, rows: Rows, **changes: Any) -> dict[OutcomeKind, int]:
        """Import the rows; return the outcomes that there were."""
        summary = await run_import(self.settings(rows, **changes), api_key="any")
        assert summary.end is RunEnd.FINISHED
        return {kind: number for kind, number in summary.outcomes.items() if number}


@pytest.fixture
async def nights(settings_for: Make, tmp_path: Path) -> AsyncIterator[Nights]:
    picker = Moody()
    async with WatchedSandbox(Faults(), picker) as service:
        yield Nights(settings_for, tmp_path, service, picker)


def rated(numbers: Iterable[int], rating: str = "POSITIVE") -> Rows:
    return [(conversation(number), rating, "") for number in numbers]


async def test_only_what_differs_from_what_was_last_stored_is_sent(nights: Nights) -> None:
    await nights.night(rated(range(200)), skip_unchanged=True)
    assert len(nights.service.puts) == 200

    changed = rated(range(198)) + rated(range(198, 202), "NEGATIVE")
    outcomes = await nights.night(changed, skip_unchanged=True)

    assert outcomes == {OutcomeKind.UNCHANGED: 198, OutcomeKind.SUCCEEDED: 4}
    assert len(nights.service.puts) == 204
    assert nights.service.stored()[conversation(199)] == ("NEGATIVE", None)


async def test_the_ledger_is_asked_after_the_earlier_rows_of_a_conversation(
    nights: Nights,
) -> None:
    who = conversation(1)
    await nights.night([(who, "POSITIVE", "")], skip_unchanged=True)
    far_apart = [(who, "NEGATIVE", ""), *rated(range(10, 3000)), (who, "POSITIVE", "")]
    await nights.night(far_apart, skip_unchanged=True)
    assert nights.service.stored()[who] == ("POSITIVE", None)
    assert [put.body[0] for put in nights.service.puts if put.conversation_id == who] in (
        ["POSITIVE", "NEGATIVE", "POSITIVE"],
        ["POSITIVE"],  # the second row was superseded by the third in time
    )


async def test_restart_and_refresh_send_unchanged_rows_again(nights: Nights) -> None:
    rows = rated(range(5))
    await nights.night(rows, skip_unchanged=True)
    assert await nights.night(rows, skip_unchanged=True) == {OutcomeKind.UNCHANGED: 5}
    again = {OutcomeKind.SUCCEEDED: 5}
    assert await nights.night(rows, skip_unchanged=True, restart=True) == again
    assert await nights.night(rows, skip_unchanged=True, refresh_after=0.0) == again
    assert await nights.night(rows, skip_unchanged=True, refresh_after=60.0) == {
        OutcomeKind.UNCHANGED: 5
    }


async def test_a_job_without_the_option_keeps_the_ledger_true(nights: Nights) -> None:
    await nights.night(rated(range(3)), skip_unchanged=True)
    await nights.night(rated(range(3), "NEGATIVE"))
    assert await nights.night(rated(range(3)), skip_unchanged=True) == {OutcomeKind.SUCCEEDED: 3}


async def test_what_a_stopped_job_may_have_sent_is_not_taken_for_unchanged(
    nights: Nights,
) -> None:
    """The run is cut off between the service's write and the record of it."""
    who = conversation(1)
    await nights.night([(who, "POSITIVE", "")], skip_unchanged=True)
    control = Control()
    nights.service.on_put = lambda _: control.cancel(RunEnd.SIGTERM)
    cut_off = nights.settings([(who, "NEGATIVE", "")], skip_unchanged=True)
    await run_import(cut_off, api_key="any", control=control)
    nights.service.on_put = lambda _: None
    await anyio.sleep(0.05)
    assert nights.service.stored()[who] == ("NEGATIVE", None)

    again = [(who, "POSITIVE", "")]
    with pytest.raises(UnfinishedJobError, match=r"(?s)Resume it first:.*night-2.*--replace"):
        await nights.night(again, skip_unchanged=True)
    assert await nights.night(again, skip_unchanged=True, replace=True) == {
        OutcomeKind.SUCCEEDED: 1
    }
    assert nights.service.stored()[who] == ("POSITIVE", None)


async def test_left_overs_come_back_before_the_new_rows(nights: Nights) -> None:
    nights.picker.in_progress = {conversation(1), conversation(2), conversation(3)}
    first = [(conversation(n), "POSITIVE", f"of the first night, {n} 👍\n") for n in range(4)]
    outcomes = await nights.night(first, carry_over=True)
    assert outcomes == {OutcomeKind.SUCCEEDED: 1, OutcomeKind.NOT_COMPLETED: 3}

    nights.picker.in_progress = {conversation(3)}
    second = [(conversation(2), "NEGATIVE", ""), (conversation(9), "POSITIVE", "")]
    puts = len(nights.service.puts)
    outcomes = await nights.night(second, carry_over=True)
    assert outcomes[OutcomeKind.NOT_COMPLETED] == 1
    assert nights.service.stored()[conversation(1)] == ("POSITIVE", first[1][2])
    assert nights.service.stored()[conversation(2)] == ("NEGATIVE", None)
    assert conversation(3) not in [p.conversation_id for p in nights.service.puts[puts:]]

    nights.picker.in_progress = set()
    await nights.night(rated(range(20, 21)), carry_over=True)
    assert nights.service.stored()[conversation(3)] == ("POSITIVE", first[3][2])
    before = len(nights.service.puts)
    await nights.night(rated(range(21, 22)), carry_over=True)
    assert len(nights.service.puts) == before + 1, "nothing is left over any more"


@pytest.mark.parametrize("once", ["replace", "restart"])
async def test_what_is_given_up_is_not_carried_over_but_what_it_had_taken_over_is(
    nights: Nights, once: str
) -> None:
    right = nights.settings(rated((1, 2, 6)))
    await run_import(right.replace(carry_over=True, limit=1), api_key="any")
    wrong = nights.settings([(conversation(n), "NEGATIVE", "wrong") for n in (3, 4)])
    await run_import(wrong.replace(carry_over=True, limit=1), api_key="any")
    other = nights.settings(rated(range(5, 6))) if once == "replace" else wrong
    if once == "restart":
        write_csv(Path(str(wrong.reading.inputs[0])), rated((5,)))
    await run_import(other.replace(carry_over=True, **{once: True}), api_key="any")
    assert set(nights.service.stored()) == {conversation(n) for n in (1, 2, 5, 6)}


async def test_a_plan_says_what_a_run_would_do_also_beside_another_job(nights: Nights) -> None:
    async def plan(settings: ImportSettings) -> Preview | Resumed:
        return await anyio.to_thread.run_sync(plan_import, settings)

    nights.picker.in_progress = {conversation(1)}
    first = nights.settings(rated(range(1, 3)))
    await run_import(first, api_key="any")
    planned = await plan(first)
    assert isinstance(planned, Resumed)
    assert planned.left == 1

    control = Control()
    nights.service.on_put = lambda _: control.stop(RunEnd.SIGTERM)
    other = nights.settings(rated(range(5, 9)), concurrency=1)
    await run_import(other, api_key="any", control=control)
    nights.service.on_put = lambda _: None
    with pytest.raises(UnfinishedJobError, match=r"Resume it first"):
        await plan(first)
    with pytest.raises(UnfinishedJobError, match=r"Resume it first"):
        await run_import(first, api_key="any")
    planned = await plan(first.replace(replace=True))
    assert isinstance(planned, Preview), "it begins a new job"
    summary = await run_import(first.replace(replace=True), api_key="any")
    assert summary.runs == 1


async def test_a_left_over_row_keeps_the_job_that_first_brought_it(nights: Nights) -> None:
    nights.picker.in_progress = {conversation(1)}
    first = await run_import(nights.settings(rated(range(1, 2)), carry_over=True), api_key="any")
    again = await run_import(nights.settings(rated(range(2, 3)), carry_over=True), api_key="any")
    with (again.folder / "not_completed.csv").open(newline="") as file:
        assert [row["job"] for row in csv.DictReader(file)] == [first.folder.name]
    told = CliRunner().invoke(cli, ["explain", str(again.folder), conversation(1)]).output
    assert f"Row 1, carried over from {first.folder.name}: rating " in told
    report = (again.folder / "report.html").read_text()
    assert "row 1 of those carried over, <code" in report
    told = CliRunner().invoke(cli, ["jobs", "show", str(first.folder)]).output
    taken_over = f"{again.folder.name} has taken over what could be tried again"
    assert taken_over in told
    assert taken_over in json.loads((first.folder / "summary.json").read_text())["since"]
    assert taken_over in (first.folder / "report.html").read_text()
    assert "The next import" not in told
    told = CliRunner().invoke(cli, ["jobs", "show", str(again.folder)]).output
    assert "The next import with --carry-over tries the 1 row not completed again" in told


@pytest.mark.parametrize("end", [RunEnd.FINISHED, RunEnd.SIGTERM, RunEnd.KILLED])
async def test_what_another_job_has_taken_over_is_not_to_be_retried_however_a_retry_ended(
    nights: Nights, end: RunEnd
) -> None:
    nights.picker.in_progress = {conversation(1)}
    rows = [*rated(range(1, 4)), (conversation(4), "meh", "")]
    first = nights.settings(rows, carry_over=True)
    job = (await run_import(first, api_key="any")).folder
    control = Control()
    if end is RunEnd.SIGTERM:
        control.stop(end)
    again = dataclasses.replace(first.replace(carry_over=False), retry=Retry())
    await run_import(again, api_key="any", control=control)
    if end is RunEnd.KILLED:
        with closing(sqlite3.connect(job / "journal.sqlite")) as journal, journal:
            journal.execute("UPDATE run SET ended = NULL, ended_at = NULL WHERE number = 2")
    shown = command("jobs", "show", job)[1]
    assert "clarityq-import retry" in shown or "To resume" in shown
    nights.picker.in_progress = set()
    await run_import(nights.settings(rated(range(5, 6)), carry_over=True), api_key="any")
    assert conversation(1) in nights.service.stored()
    kept = json.loads((job / "summary.json").read_text())["next_steps"]
    for text in (command("jobs", "show", job)[1], str(kept)):
        assert "clarityq-import retry" not in text
        assert "To resume" not in text
        assert "The next import" not in text
        assert "To import the 1 row rejected: fix" in text
    if end is not RunEnd.SIGTERM:
        listed = command("jobs", "--jobs-dir", job.parent)[1]
        assert "interrupted" not in listed
        found = json.loads(command("jobs", "--jobs-dir", job.parent, "--json")[1])
        assert (found[0]["job"], found[0]["exit_code"]) == (job.name, 1)


async def test_what_was_lost_when_a_job_was_tried_again_is_waited_for(nights: Nights) -> None:
    nights.picker.in_progress = {conversation(1)}
    first = nights.settings(rated(range(1, 2)), outage_for=0.1)
    await run_import(first, api_key="any")
    nights.picker.in_progress = set()
    nights.picker.loses_answers = True
    again = await run_import(first, api_key="any")
    assert again.end is RunEnd.SERVICE_DOWN
    nights.picker.loses_answers = False
    newer = [(conversation(1), "NEGATIVE", "newer")]
    second = nights.settings(newer, late_effect=60.0, max_duration=2.0)
    summary = await run_import(second, api_key="any")
    assert (summary.end, summary.outcomes[OutcomeKind.PENDING]) == (RunEnd.TIME_BOX, 1)


async def test_a_retry_does_not_ask_for_what_was_imported_meanwhile(nights: Nights) -> None:
    nights.picker.in_progress = {conversation(1)}
    rows = [(conversation(1), "POSITIVE", ""), (conversation(2), "meh", "")]
    settings = nights.settings(rows)
    first = await run_import(settings, api_key="any")
    rejected = first.folder / "rejected.csv"
    assert str(rejected) in str(first.next_steps)
    rejected.write_text(rejected.read_text().replace("meh", "NEGATIVE"))
    await run_import(settings.replace(inputs=rejected), api_key="any")
    again = await run_import(dataclasses.replace(settings, retry=Retry()), api_key="any")
    assert again.folder == first.folder
    assert str(rejected) not in str(again.next_steps)
    assert "since: 1 of 2 left-over rows." in again.verdict


async def test_what_is_left_over_for_too_long_is_not_carried_over_which_is_told(
    nights: Nights, caplog: pytest.LogCaptureFixture
) -> None:
    nights.picker.in_progress = {conversation(1)}
    await nights.night(rated(range(1, 2)), carry_over=True)
    outcomes = await nights.night(rated(range(2, 3)), carry_over=True, carry_over_for="1h")
    assert outcomes[OutcomeKind.NOT_COMPLETED] == 1
    assert "carry-over-for" not in caplog.text
    for night in (3, 4):
        puts = len(nights.service.puts)
        rows = rated(range(night, night + 1))
        assert await nights.night(rows, carry_over=True, carry_over_for=0.0) == {
            OutcomeKind.SUCCEEDED: 1
        }
        assert len(nights.service.puts) == puts + 1
    told = "1 row left over for longer than 0 ms (--carry-over-for) is not carried over; "
    told += "brought first by night-1-"
    assert caplog.text.count("carry-over-for") == caplog.text.count(told) == 2
    (job,) = nights.settings([]).job.jobs_dir.glob("night-4-*")
    assert json.loads((job / "summary.json").read_text("utf-8"))["not_carried_over"] == 1
    words = "1 row left over from earlier jobs is too old (--carry-over-for)"
    assert words in command("jobs", "show", job)[1]
    assert words in Page(job / "report.html").text


async def test_pending_rows_outlast_a_night_that_a_limit_has_stopped(nights: Nights) -> None:
    control = Control()
    nights.service.on_put = lambda _: control.stop(RunEnd.SIGTERM)
    cut_off = nights.settings(rated(range(1, 41)), carry_over=True, concurrency=1)
    summary = await run_import(cut_off, api_key="any", control=control)
    nights.service.on_put = lambda _: None
    assert summary.outcomes[OutcomeKind.PENDING]

    # Conversation 1 is in its input as well, but of that nothing is sent.
    spoilt = [(conversation(1), "NEGATIVE", ""), (conversation(99), "what?", "")]
    stopped = nights.settings(spoilt, carry_over=True, max_rejected="0")
    for _ in range(2):
        summary = await run_import(stopped, api_key="any")
        assert summary.exit_code is ExitCode.DATA_LIMIT, "also when it is given again"
        preview = await anyio.to_thread.run_sync(plan_import, stopped)
        assert isinstance(preview, Preview)
        assert preview.limit is not None

    with pytest.raises(UnfinishedJobError, match=r"(?s)Resume it first:.*night-2.*--carry-over"):
        await nights.night(rated(range(50, 51)))
    await nights.night(rated(range(51, 52)), carry_over=True)
    assert nights.service.stored() == {
        conversation(number): ("POSITIVE", None) for number in [*range(1, 41), 51]
    }


@pytest.mark.parametrize("with_ledger", [True, False])
async def test_a_retry_does_not_undo_what_a_later_job_has_set(
    nights: Nights, with_ledger: bool
) -> None:
    nights.picker.in_progress = {conversation(1), conversation(2)}
    early = nights.settings(rated(range(1, 3)), skip_unchanged=with_ledger)
    await run_import(early, api_key="any")
    nights.picker.in_progress = set()
    await nights.night(rated(range(1, 2), "NEGATIVE"), skip_unchanged=True)

    again = dataclasses.replace(early, retry=Retry())
    summary = await run_import(again, api_key="any")

    assert summary.outcomes[OutcomeKind.SUCCEEDED] == 1
    assert summary.reasons[OutcomeKind.SUPERSEDED, Reason.LATER_JOB] == 1
    assert nights.service.stored()[conversation(1)] == ("NEGATIVE", None)
    assert nights.service.stored()[conversation(2)] == ("POSITIVE", None)


async def test_of_an_older_night_those_rows_are_to_be_dealt_with_that_give_way_to_no_later_one(
    nights: Nights,
) -> None:
    rows = [*rated(range(1, 5)), *[(conversation(n), "", "x" * 2_001) for n in (1, 2, 6, 7)]]
    rows.append((f"x{conversation(3)}", "NEGATIVE", ""))
    nights.picker.in_progress = {conversation(4)}
    summary = await run_import(nights.settings(rows), api_key="any")
    monday, jobs = summary.folder, summary.folder.parent
    kept = next(step.command for step in summary.next_steps if "To import the 5" in step.purpose)
    nights.picker.in_progress = set()
    await nights.night(rows, skip_unchanged=True)
    (tuesday,) = jobs.glob("night-2-*")

    def shown(job: Path) -> list[str]:
        lines = command("jobs", "show", job)[1].splitlines()
        return [line[11:] for line in lines if line.startswith("next")]

    give_way = "need not be dealt with: later jobs have brought newer rows of these conversations"
    rejected, other, to_import = shown(monday)
    assert other.startswith(f"1 row of {monday}/not_completed.csv {give_way}")
    assert other.endswith("gives way."), "a later job has imported it"
    assert rejected.startswith(f"2 rows of {monday}/rejected.csv {give_way}")
    assert " Of 1 row more that is not known, as no id could be read there: " in rejected
    assert f"{tuesday.name} has left over such rows itself." in rejected
    assert rejected.endswith(f": clarityq-import jobs show {tuesday}")
    assert to_import == f"To import the 3 rows rejected: fix {monday}/rejected.csv, then {kept}"
    assert [step[:25] for step in shown(tuesday)] == ["To import the 5 rows reje"]

    async def fixed(job: Path) -> dict[OutcomeKind, int]:
        path = job / "rejected.csv"
        path.write_text(path.read_text().replace("x" * 2_001, "short").replace("\nx", "\n"))
        settings = nights.settings([])
        summary = await run_import(settings.replace(inputs=[path]), api_key="any")
        return {kind: number for kind, number in summary.outcomes.items() if number}

    assert await fixed(monday) == {OutcomeKind.SUCCEEDED: 2, OutcomeKind.SUPERSEDED: 3}
    assert [step for step in shown(monday) if "rejected" in step] == []
    assert (await fixed(tuesday))[OutcomeKind.SUCCEEDED] == 5
    assert shown(tuesday) == []
    assert nights.service.stored()[conversation(1)] == (None, "short")


async def test_one_job_of_a_product_runs_at_a_time_and_another_may_wait(nights: Nights) -> None:
    first = nights.settings(rated(range(1)), skip_unchanged=True)
    second = nights.settings(rated(range(2)), wait_for_lock=0.0)
    patient = nights.settings(rated(range(3)), wait_for_lock=30.0)
    async with anyio.create_task_group() as tasks:
        with hold_product(first):
            with pytest.raises(JobHeldError, match="process"):
                await run_import(second, api_key="any")
            tasks.start_soon(partial(run_import, patient, api_key="any"))
            await anyio.sleep(0.1)
            assert not nights.service.puts
    assert len(nights.service.puts) == 3


async def test_a_time_box_ends_the_run_in_good_order(nights: Nights) -> None:
    nights.picker.in_progress = {conversation(1)}
    settings = nights.settings(rated(range(3)), max_duration=2.0, defer_for=60.0)
    summary = await run_import(settings, api_key="any")
    assert (summary.end, summary.exit_code) == (RunEnd.TIME_BOX, ExitCode.TIME_BOX)
    assert summary.outcomes[OutcomeKind.PENDING] == 1
