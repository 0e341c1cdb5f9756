"""A run knows the whole job before its first request: limits, the newest row, slices, plans."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from importer.api import run_import
from importer.errors import ExitCode
from importer.model import OutcomeKind, Reason, RunEnd
from importer.reporting.summary import Summary
from importer.sandbox.faults import Faults
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings
from importer.workflows.plan_import import Preview, plan_import
from tests.integration.test_afterwards import command
from tests.support.data import conversation, write_csv

pytestmark = pytest.mark.anyio
Make = Callable[..., ImportSettings]


async def test_a_limit_on_the_data_stops_every_run_until_it_is_accepted(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    rows = [(conversation(n), "POSITIVE" if n < 9 else "meh", "") for n in range(10)]
    settings = settings_for(
        write_csv(tmp_path / "in.csv", rows), base_url=sandbox.url, max_rejected="5%", limit=5
    )
    for _ in range(2):
        stopped = await run_import(settings, api_key="any")
        assert (stopped.end, stopped.exit_code) == (RunEnd.DATA_LIMIT, ExitCode.DATA_LIMIT)
        told = "Not sent: 1 of 10 rows is rejected, and at most 5% may be."
        assert stopped.verdict == told, "the heading of the report"
        assert stopped.outcomes[OutcomeKind.PENDING] == 9
        assert [path.name for path in stopped.files] == ["rejected.csv"]
    assert not sandbox.feedback

    accepted = await run_import(settings.replace(accept_change=True, limit=None), api_key="any")
    assert accepted.outcomes[OutcomeKind.SUCCEEDED] == len(sandbox.feedback) == 9


async def test_the_newest_row_is_sent_and_one_that_cannot_be_compared_is_rejected(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    path = tmp_path / "in.csv"
    path.write_text(
        "conversation_id,rating,comment,at\n"
        f"{conversation(1)},POSITIVE,newest,2026-01-02\n"
        f"{conversation(1)},NEGATIVE,not a time,yesterday\n"
        f"{conversation(1)},NEGATIVE,old,2026-01-01\n"
        f"{conversation(2)},POSITIVE,without,\n"
        f"{conversation(2)},POSITIVE,tie,2026-01-01\n"
        f"{conversation(2)},POSITIVE,later,2026-01-01\n"
    )
    settings = settings_for(path, base_url=sandbox.url, newest_by="at")
    summary = await run_import(settings, api_key="any")
    assert {row: body.comment for row, body in sandbox.feedback.items()} == {
        conversation(1): "newest", conversation(2): "later",
    }  # fmt: skip
    assert summary.reasons == {
        (OutcomeKind.REJECTED, Reason.BAD_NEWEST_BY): 1,
        (OutcomeKind.SUPERSEDED, Reason.LATER_ROW): 3,
    }
    (left_over,) = summary.files
    assert "another row of this conversation was sent" in left_over.read_text()
    waiting = settings.replace(sandbox=True, defer_for=0.0)
    summary = await run_import(waiting, faults=Faults(not_completed=1.0, completes_after=60.0))
    told = (summary.folder / "not_completed.csv").read_text()
    assert "was sent" not in told, "it is itself the row that was sent"


async def test_a_slice_is_sent_and_the_same_command_goes_on(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    rows = [(conversation(n), "POSITIVE", "") for n in range(10)]
    path = write_csv(tmp_path / "in.csv", [*rows, ("bad", "", ""), *rows])
    settings = settings_for(path, base_url=sandbox.url, limit=4)
    found = []
    for _ in range(3):
        summary = await run_import(settings, api_key="any")
        found.append((summary.end, summary.exit_code, len(sandbox.feedback)))
        assert summary.not_begun == summary.outcomes[OutcomeKind.PENDING]
    assert found == [
        (RunEnd.LIMIT, ExitCode.TIME_BOX, 4),
        (RunEnd.LIMIT, ExitCode.TIME_BOX, 8),
        (RunEnd.FINISHED, ExitCode.ROWS_NOT_IMPORTED, 10),
    ]
    assert (summary.outcomes[OutcomeKind.SUPERSEDED], summary.not_begun) == (10, 0)


async def test_a_plan_agrees_with_the_run_to_the_row(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    def night(name: str, rows: dict[int, str]) -> ImportSettings:
        cells = [(conversation(n), *cell.split(":")) for n, cell in rows.items()]
        path = write_csv(tmp_path / name, [(who, rating, text) for who, rating, text in cells])
        return settings_for(path, base_url=sandbox.url, skip_unchanged=True)

    first = dict.fromkeys(range(6), "POSITIVE:fine")
    await run_import(night("a.csv", first), api_key="any")
    settings = night(
        "b.csv", {**first, 1: "NEGATIVE:fine", 2: ":fine", 3: "POSITIVE:", 9: "POSITIVE:"}
    )
    preview = plan_import(settings)
    assert isinstance(preview, Preview)
    plan = preview.plan
    assert (plan.to_send, plan.new, plan.unchanged, plan.known, plan.changed) == (4, 1, 3, 6, 3)
    assert plan.changes == {"rating_flipped": 1, "rating_erased": 1, "comment_changed": 1}
    summary = await run_import(settings, api_key="any")
    assert summary.outcomes[OutcomeKind.SUCCEEDED] == plan.to_send
    assert summary.outcomes[OutcomeKind.UNCHANGED] == plan.unchanged


async def test_a_plan_names_the_jobs_whose_feedback_a_corrected_old_export_overwrites(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    def night(name: str, rating: str, *numbers: int) -> ImportSettings:
        rows = [(conversation(number), rating, "") for number in numbers]
        return settings_for(write_csv(tmp_path / f"{name}.csv", rows), base_url=sandbox.url)

    corrected = night("corrected", "NEGATIVE", *range(12))
    nights = [
        night("mon", "POSITIVE", *range(11)),
        night("tue", "CLEAR", 1, 2, 3, 4, 5, 6, 7, 8, 9),
        night("wed", "NEGATIVE", 1),
        night("thu", "POSITIVE", 2, 3, 4),
        night("fri", "POSITIVE", 5, 6),
        night("sat", "POSITIVE", 7),
    ]
    names = [(await run_import(each, api_key="any")).folder.name for each in nights]
    day = datetime.now(UTC).date()
    found = plan_import(corrected)
    assert isinstance(found, Preview)
    of_each = zip(names, (2, 2, None, 3, 2, 1), strict=True)
    expected = [(name, day, number) for name, number in of_each if number is not None]
    assert found.last_set_by == expected[::-1]

    words = [tmp_path / "corrected.csv", "--product-id", corrected.target.product_id]
    words += ["--base-url", sandbox.url, "--jobs-dir", corrected.job.jobs_dir]
    shown = " ".join(command("plan", *words)[1].split())
    told = [
        f"last set, or tried, by {name} ({day}) {number}" for name, _, number in expected[:1:-1]
    ]
    assert f"{' '.join(told)} last set, or tried, by 2 other jobs 4" in shown
    told_json = json.loads(command("plan", *words, "--json")[1])["plan"]["last_set_by"]
    assert told_json[0] == {"job": names[5], "day": str(day), "conversations": 1}
    assert len(told_json) == 5


async def test_a_survey_ends_with_the_task_that_waits_for_it(
    settings_for: Make, tmp_path: Path
) -> None:
    rows = [(conversation(n), "POSITIVE", "") for n in range(200_000)]
    settings = settings_for(write_csv(tmp_path / "in.csv", rows), base_url="http://127.0.0.1:9")
    with anyio.move_on_after(0) as scope:
        await run_import(settings, api_key="any")
    assert scope.cancelled_caught
    assert not list(tmp_path.glob("jobs/*/journal.sqlite"))  # noqa: ASYNC240 -- the run is over


async def test_a_left_over_row_gives_way_also_in_a_file_that_has_lost_some_of_its_columns(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    monday = write_csv(tmp_path / "mon.csv", [(conversation(1), "meh", "monday")])
    job = (await run_import(settings_for(monday, base_url=sandbox.url), api_key="any")).folder
    tuesday = write_csv(tmp_path / "tue.csv", [(conversation(1), "NEGATIVE", "tuesday")])
    await run_import(settings_for(tuesday, base_url=sandbox.url), api_key="any")

    fixed = tmp_path / "fixed.csv"
    fixed.write_text(
        "conversation_id,rating,comment,job,note\n"
        f"{conversation(1)},POSITIVE,monday,{job.name},fixed\n"
        f"{conversation(2)},POSITIVE,of no job,gardener,\n"
    )
    summary = await run_import(settings_for(fixed, base_url=sandbox.url), api_key="any")
    assert summary.reasons == {(OutcomeKind.SUPERSEDED, Reason.LATER_JOB): 1}
    assert sandbox.feedback[conversation(1)].comment == "tuesday"
    assert sandbox.feedback[conversation(2)].comment == "of no job"


async def test_data_unlike_that_of_the_last_jobs_is_not_sent(
    tmp_path: Path, sandbox: Sandbox, settings_for: Make
) -> None:
    path = tmp_path / "export.csv"

    def export(night: int, positive: int) -> None:
        ratings = ["POSITIVE"] * positive + ["NEGATIVE"] * (300 - positive)
        rows = [(conversation(n), word, f"night {night}") for n, word in enumerate(ratings)]
        write_csv(path, rows)

    async def run(**options: object) -> Summary:
        settings = settings_for(path, base_url=sandbox.url, **options)
        return await run_import(settings, api_key="any")

    for night in range(5):
        export(night, 200 + night)
        assert (await run()).exit_code is ExitCode.OK
    export(5, 300)
    stopped = await run()
    assert stopped.exit_code is ExitCode.DATA_LIMIT
    assert "100.0% are positive ratings (300 of 300)" in stopped.verdict
    assert stopped.outcomes[OutcomeKind.PENDING] == 300
    assert (await run(accept_change=True)).outcomes[OutcomeKind.SUCCEEDED] == 300
    export(6, 300)
    assert (await run()).exit_code is ExitCode.DATA_LIMIT, "it was let through once"
    assert (await run(no_history_check=True)).exit_code is ExitCode.OK
