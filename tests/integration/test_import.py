"""The whole job against the sandbox over a real socket: what ends up where."""

import csv
import json
import random
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from importer import run_import_blocking
from importer.api import run_import
from importer.cli.app import cli
from importer.cli.summary_view import print_summary
from importer.errors import ExitCode, InputError
from importer.feedback.ratings import RatingTable
from importer.jobs.folders import OVERTAKEN_JOB, NamedRow
from importer.jobs.journal_reader import JournalReader
from importer.jobs.rate_budget import RateBudget
from importer.model import OutcomeKind, Reason, RunEnd, Warn
from importer.pacing.shared_rate import Lease
from importer.sandbox.faults import FaultPicker, Faults
from importer.sandbox.server import Sandbox
from importer.settings import DataLimit, FailureLimit, ImportSettings, LongComments
from tests.support.data import conversation, write_csv

pytestmark = pytest.mark.anyio
Make = Callable[..., ImportSettings]

ROUGH = Faults(
    not_completed=0.2, completes_after=0.3, too_many=0.05, server_error=0.05,
    reset_before=0.03, reset_after=0.03, truncated=0.02, login_page=0.02, not_json=0.02, seed=3,
)  # fmt: skip


def stored(sandbox: Sandbox) -> dict[str, tuple[str | None, str | None]]:
    return {c: (f.rating, f.comment) for c, f in sandbox.feedback.items()}


@pytest.mark.parametrize("sandbox", [ROUGH], indirect=True)
async def test_under_faults_the_last_valid_row_of_each_conversation_wins(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    dice = random.Random(1)
    rows, expected = [], {}
    for number in range(1500):
        who = conversation(dice.randrange(500))
        rating = dice.choice(["POSITIVE", "NEGATIVE", "CLEAR", "", "meh"])
        comment = dice.choice(["", f"comment {number}", 'two\nlines, "quoted" 👍'])
        rows.append((who, rating, comment))
        if rating != "meh" and (rating or comment):
            kept = rating if rating in ("POSITIVE", "NEGATIVE") else None
            expected[who] = (kept, comment or None)
    settings = settings_for(write_csv(tmp_path / "in.csv", rows), base_url=sandbox.url)

    summary = await run_import(settings, api_key="any")

    assert stored(sandbox) == expected
    assert sandbox.most_at_once == 1
    assert summary.rows == sum(summary.outcomes.values()) == 1500
    assert summary.outcomes[OutcomeKind.REJECTED] == sum(
        r == "meh" or not (r or c) for _, r, c in rows
    )
    assert summary.outcomes[OutcomeKind.PENDING] == summary.outcomes[OutcomeKind.FAILED] == 0
    assert summary.end is RunEnd.FINISHED
    assert summary.exit_code is ExitCode.ROWS_NOT_IMPORTED


async def test_the_outcomes_of_all_inputs_come_as_a_table(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    first = write_csv(tmp_path / "first.csv", [(conversation(1), "up", ""), ("bad", "up", "")])
    second = tmp_path / "second.parquet"
    table = {
        "conversation_id": pa.array([bytes.fromhex(conversation(2).replace("-", ""))]),
        "rating": pa.array([False]),
    }
    pq.write_table(pa.table(table), second)
    settings = settings_for(
        first, second, base_url=sandbox.url, ratings=RatingTable.parse(["thumbs"])
    )

    summary = await run_import(settings, api_key="any")
    frame = summary.outcomes_frame()

    assert stored(sandbox) == {
        conversation(1): ("POSITIVE", None),
        conversation(2): ("NEGATIVE", None),
    }
    assert isinstance(frame, pd.DataFrame)
    assert [Path(name).name for name in frame["file"]] == [
        "first.csv",
        "first.csv",
        "second.parquet",
    ]
    assert frame["row"].tolist() == [1, 2, 1]
    assert frame["outcome"].tolist() == ["succeeded", "rejected", "succeeded"]
    assert frame["updated_at"].notna().tolist() == [True, False, True]


def test_a_notebook_can_rehearse_without_a_key(settings_for: Make, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "POSITIVE", "x" * 2001)])
    settings = settings_for(path, sandbox=True, long_comments=LongComments.TRUNCATE)
    summary = run_import_blocking(settings)
    assert summary.exit_code is ExitCode.OK
    assert summary.warnings == {Warn.COMMENT_TRUNCATED: 1}


@pytest.mark.parametrize("sandbox", [Faults(in_error=1.0)], indirect=True)
async def test_a_conversation_in_error_is_not_waited_for(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "POSITIVE", "")])
    summary = await run_import(settings_for(path, base_url=sandbox.url), api_key="any")
    assert summary.reasons == {(OutcomeKind.FAILED, Reason.CONVERSATION_ERROR): 1}
    assert summary.puts == 1
    assert summary.exit_code is ExitCode.ROWS_NOT_IMPORTED


@pytest.mark.parametrize("sandbox", [Faults(not_completed=1.0, completes_after=60)], indirect=True)
async def test_the_wait_for_a_conversation_has_a_deadline_and_the_next_run_tries_again(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "POSITIVE", ""), ("bad", "", "")])
    settings = settings_for(path, base_url=sandbox.url, defer_for=0.3)

    first = await run_import(settings, api_key="any")
    assert first.reasons[OutcomeKind.NOT_COMPLETED, Reason.DEFERRAL_DEADLINE] == 1
    assert (first.folder / "not_completed.csv").exists()

    sandbox.picker = FaultPicker(Faults())
    second = await run_import(settings, api_key="any")
    assert second.folder == first.folder, "the same job is resumed"
    assert second.outcomes[OutcomeKind.SUCCEEDED] == 1
    assert second.outcomes[OutcomeKind.REJECTED] == 1, "what was settled stays settled"
    assert not (first.folder / "not_completed.csv").exists()


@pytest.mark.parametrize("sandbox", [Faults(not_completed=1.0, completes_after=60)], indirect=True)
async def test_a_run_that_has_nothing_to_send_leaves_the_rate_to_its_group(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = 0
    take = RateBudget.take

    def noted(self: RateBudget, now: float, places: int) -> Lease | None:
        nonlocal taken
        taken += 1
        return take(self, now, places)

    monkeypatch.setattr(RateBudget, "take", noted)
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "POSITIVE", "")])
    wait = dict.fromkeys(("defer_first", "defer_max", "defer_for"), 1.0)
    settings = settings_for(path, base_url=sandbox.url, rate=50.0, rate_group="a", **wait)
    summary = await run_import(settings, api_key="any")
    assert summary.puts == 1
    assert 0 < taken <= 6, "one for each of two requests, and some if this machine is slow"


async def test_a_finished_job_sends_everything_again_as_a_new_job(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "POSITIVE", "")])
    settings = settings_for(path, base_url=sandbox.url)
    first = await run_import(settings, api_key="any")
    second = await run_import(settings, api_key="any")
    assert sandbox.statuses[200] == 2
    assert first.folder != second.folder


@pytest.mark.parametrize("sandbox", [Faults(server_error=0.8)], indirect=True)
async def test_retries_run_out_and_the_failures_can_end_the_run(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    rows = [(conversation(number), "POSITIVE", "") for number in range(2000)]
    settings = settings_for(
        write_csv(tmp_path / "in.csv", rows), base_url=sandbox.url, max_attempts=2,
        max_failures=FailureLimit(count=5), late_effect=0.0,
    )  # fmt: skip
    summary = await run_import(settings, api_key="any")
    assert summary.end is RunEnd.MAX_FAILURES
    assert summary.exit_code is ExitCode.ABORTED
    assert 5 <= summary.outcomes[OutcomeKind.FAILED] < 50
    assert summary.outcomes[OutcomeKind.PENDING] > 0
    assert "limit" in summary.message
    with (summary.folder / "failed.csv").open(newline="") as file:
        failed = list(csv.DictReader(file))
    assert {row["attempts"] for row in failed} == {"2"}


async def test_a_refused_key_stops_at_once_and_spends_no_row(
    settings_for: Make, tmp_path: Path
) -> None:
    rows = [(conversation(number), "POSITIVE", "") for number in range(3000)]
    path = write_csv(tmp_path / "in.csv", rows)
    async with Sandbox(key="right") as sandbox:
        settings = settings_for(path, base_url=sandbox.url)
        refused = await run_import(settings, api_key="wrong")
        asked = sandbox.statuses.total()
        with JournalReader(refused.folder) as journal:
            assert journal.doubts() == [], "each request was answered, and nothing stored"
        accepted = await run_import(settings, api_key="right")
    assert refused.end is RunEnd.KEY_REFUSED
    assert refused.exit_code is ExitCode.ABORTED
    assert asked <= settings.pacing.concurrency
    assert refused.outcomes[OutcomeKind.PENDING] == refused.rows > 0
    assert accepted.outcomes[OutcomeKind.SUCCEEDED] == 3000


async def test_a_service_that_is_down_ends_the_run_and_spends_no_row(
    settings_for: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(conversation(number), "POSITIVE", "") for number in range(20)]
    async with Sandbox() as sandbox:
        gone = sandbox.url
    path = write_csv(tmp_path / "in.csv", rows)
    settings = settings_for(path, base_url=gone, outage_for=0.5, max_attempts=1000, retry_max=0.1)
    summary = await run_import(settings, api_key="any")
    assert summary.end is RunEnd.SERVICE_DOWN
    assert summary.outcomes[OutcomeKind.PENDING] == 20
    assert 0 < summary.not_begun < 20
    again = await run_import(settings, api_key="any")
    assert 0 < again.not_begun <= summary.not_begun, "what an earlier run has begun is no news"
    assert "proxy" not in str(again.next_steps)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    last = await run_import(settings, api_key="any")
    assert "names a proxy, which is not used without --trust-env" in str(last.next_steps)


async def test_a_truncated_archive_is_reported_before_anything_is_sent(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    import gzip

    rows = [(conversation(n), "POSITIVE", "") for n in range(20_000)]
    whole = gzip.compress(write_csv(tmp_path / "in.csv", rows).read_bytes())
    path = tmp_path / "in.csv.gz"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(InputError, match="cut off"):
        await run_import(settings_for(path, base_url=sandbox.url), api_key="any")
    assert not sandbox.feedback


async def test_left_over_rows_can_be_fixed_and_imported_as_they_are(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    source = tmp_path / "legacy.csv"
    source.write_bytes(
        "Conversation_ID;rating;comment;team\n"
        f'{conversation(1)};meh;"caf\u00e9; two\r\nlines";blue\n'
        f"{conversation(2)};POSITIVE;;red\n"
        f"{conversation(3)};POSITIVE;a;b;c\n".encode("cp1252")
    )
    settings = settings_for(source, base_url=sandbox.url, encoding="cp1252")
    summary = await run_import(settings, api_key="any")
    left_over = summary.folder / "rejected.csv"
    with left_over.open(newline="", encoding="cp1252") as file:
        rows = list(csv.reader(file, delimiter=";"))
    assert rows[0] == ["Conversation_ID", "rating", "comment", "team", "job", "row", "reason",
                       "http_status", "attempts", "detail"]  # fmt: skip
    assert rows[1][:7] == [conversation(1), "meh", "café; two\r\nlines", "blue",
                           f"{summary.folder.name}#1", "1", "unknown_rating"]  # fmt: skip
    assert rows[2][:4] == [f"{conversation(3)};POSITIVE;a;b;c", "", "", ""], "kept whole"

    fixed = left_over.read_bytes().replace(b"meh", b"NEGATIVE")
    left_over.write_bytes(fixed)
    again = await run_import(
        settings_for(left_over, base_url=sandbox.url, encoding="cp1252"), api_key="any"
    )
    assert stored(sandbox)[conversation(1)] == ("NEGATIVE", "café; two\r\nlines")
    assert again.outcomes[OutcomeKind.REJECTED] == 1
    first, name = summary.folder, again.folder.name
    since = f"rejected.csv was imported by {name} since: 1 of 2 left-over rows."
    told = json.loads((first / "summary.json").read_text())
    left = " 1 of them is still to be dealt with where it was left over again."
    assert told["verdict"].endswith(since + left)
    assert "rejected.csv" not in str(told["next_steps"])
    assert since in (first / "report.html").read_text()
    assert since in CliRunner().invoke(cli, ["jobs", "show", str(first)]).output
    with (again.folder / "rejected.csv").open(newline="", encoding="cp1252") as file:
        (header, row) = csv.reader(file, delimiter=";")
    assert header == rows[0], "its own remarks do not pile up"
    assert row[0] == f"{conversation(3)};POSITIVE;a;b;c"
    assert row[4:6] == [f"{summary.folder.name}@3", "3"], "where it first came from"
    assert "it holds a whole row" in row[-1]

    left_over = again.folder / "rejected.csv"
    left_over.write_bytes(left_over.read_bytes().replace(b"a;b;c", b"a, b;c"))
    again = await run_import(
        settings_for(left_over, base_url=sandbox.url, encoding="cp1252"), api_key="any"
    )
    assert stored(sandbox)[conversation(3)] == ("POSITIVE", "a, b"), (
        "also corrected within its cell"
    )


@pytest.mark.parametrize("delimiter", [",", ";"])
async def test_a_line_of_an_input_with_other_columns_is_read_when_it_is_corrected_in_its_cell(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, delimiter: str
) -> None:
    paths = [tmp_path / name for name in ("a.csv", "b.csv", "c.csv")]
    for n, (path, header) in enumerate(zip(paths, [
        ["day", "conversation_id", "rating", "comment"],
        ["reply", "comment", "conversation_id", "rating", "day"],
        ["day", "conversation_id", "rating", "comment"],
    ], strict=True)):  # fmt: skip
        cut = delimiter if "reply" in header else ","
        cells = {"conversation_id": conversation(n), "rating": "POSITIVE", "comment": f"{n} STRAY",
                 "reply": "thanks", "day": "Friday"}  # fmt: skip
        lines = [cut.join(header), cut.join(cells[name] for name in header)]
        path.write_text("\n".join(lines).replace("STRAY", f"so{cut} so") + "\n", "utf-8")
    summary = await run_import(settings_for(*paths, base_url=sandbox.url), api_key="any")
    assert summary.outcomes[OutcomeKind.REJECTED] == len(paths)
    with (left_over := summary.folder / "rejected.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0][:6] == ["day", "conversation_id", "rating", "comment", "reply", "file"]
    assert all(
        row[0].endswith(path.read_text("utf-8").splitlines()[1])
        for row, path in zip(rows[1:], paths, strict=True)
    ), "whole, in the first column"
    assert not any(cell for row in rows[1:] for cell in row[1:5])

    again = await run_import(settings_for(left_over, base_url=sandbox.url), api_key="any")
    assert again.outcomes[OutcomeKind.REJECTED] == len(paths), "as it was, none can be read"
    left_over = again.folder / "rejected.csv"
    fixed = left_over.read_text("utf-8").replace(", so", " so").replace("; so", " so")
    left_over.write_text(fixed, "utf-8")
    await run_import(settings_for(left_over, base_url=sandbox.url), api_key="any")
    assert stored(sandbox) == {
        conversation(n): ("POSITIVE", f"{n} so so") for n in range(len(paths))
    }


async def test_a_left_over_file_is_taken_up_by_what_reads_it_into_the_same_product(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    rows = [(conversation(1), "meh", ""), (conversation(2), "POSITIVE", "")]
    make = partial(settings_for, base_url=sandbox.url)
    first = await run_import(make(write_csv(tmp_path / "in.csv", rows)), api_key="any")
    left_over, told = first.folder / "rejected.csv", first.folder / "summary.json"
    before = told.read_text()
    elsewhere = {"product_id": "00000000-0000-4000-8000-00000000000e"}
    await run_import(make(left_over, **elsewhere), api_key="any")
    assert told.read_text() == before
    again = await run_import(make(left_over), api_key="any")
    assert json.loads(told.read_text())["next_steps"] == []
    assert again.next_steps, "what was not fixed is named by the job that has it now"
    left_over.write_text(left_over.read_text().replace("meh", "NEGATIVE"))
    told.unlink()
    await run_import(make(left_over, restart=True), api_key="any")
    assert (first.folder / "report.html").exists(), "what was kept elsewhere is not missed"


@pytest.mark.parametrize("name", ["rejected.csv", "fixed elsewhere.csv"])
async def test_a_job_says_what_was_imported_since_and_what_is_still_to_do_of_its_left_overs(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, name: str
) -> None:
    rows = [(conversation(number), "meh", "") for number in (1, 2)]
    make = partial(settings_for, base_url=sandbox.url)
    first = await run_import(make(write_csv(tmp_path / "in.csv", rows)), api_key="any")
    header, one, _ = (first.folder / "rejected.csv").read_text().splitlines()
    path = (first.folder if name == "rejected.csv" else tmp_path) / name
    path.write_text(f"{header}\n{one.replace('meh', 'NEGATIVE')}\n")
    second = await run_import(make(path), api_key="any")
    told = json.loads((first.folder / "summary.json").read_text())
    assert told["since"] == (
        f"{name} was imported by {second.folder.name} since: 1 of 2 left-over rows. 1 of them is "
        "still to be dealt with."
    )
    assert any("rejected.csv" in step["command"] for step in told["next_steps"])


async def test_an_import_of_left_over_rows_that_was_stopped_before_it_sent_any_has_imported_none(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    make = partial(settings_for, base_url=sandbox.url, carry_over=True)
    rows = [(conversation(number), "meh", "") for number in (1, 2, 3)]
    rows += [(conversation(3), "meh", "last")]
    first = await run_import(make(write_csv(tmp_path / "in.csv", rows)), api_key="any")
    (rejected,) = first.files
    as_it_was = (first.folder / "summary.json").read_text()
    header, one, *others = rejected.read_text().splitlines()
    fixed = [line.replace("meh", "CLEAR") for line in others]
    rejected.write_text("\n".join([header, one, *fixed, ""]))
    settings = make(rejected, max_rejected=DataLimit.parse("0"))
    stopped = await run_import(settings, api_key="any")
    assert (stopped.end, stopped.outcomes[OutcomeKind.SUPERSEDED]) == (RunEnd.DATA_LIMIT, 1)
    assert (first.folder / "summary.json").read_text() == as_it_was
    night = [(conversation(3), "NEGATIVE", "")]
    next_night = await run_import(make(write_csv(tmp_path / "night.csv", night)), api_key="any")
    assert (first.folder / "summary.json").read_text() == as_it_was
    (step,) = [one for one in next_night.next_steps if one.purpose.startswith("To import")]
    assert step.purpose == (
        f"To import the 2 rows of {stopped.folder.name} that no job has sent, once the data is "
        "corrected:"
    ), "they name their job, and give way to rows of this night"


async def test_what_was_imported_since_is_told_in_the_order_of_the_jobs_and_adds_up(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    make = partial(settings_for, base_url=sandbox.url)
    rows = [(conversation(number), "meh", "") for number in (1, 2, 3, 4)]
    rows += [(conversation(5), "meh", ""), (conversation(5), "POSITIVE", "")]
    first = await run_import(make(write_csv(tmp_path / "in.csv", rows)), api_key="any")
    (rejected,) = first.files
    header, *lines = rejected.read_text().replace("meh", "CLEAR").splitlines()

    async def since(**parts: tuple[int, ...]) -> tuple[str, list[str]]:
        """Import files of these names with these lines; return by what, and what is told since."""
        paths = [tmp_path / f"{name}.csv" for name in parts]
        for path, places in zip(paths, parts.values(), strict=True):
            path.write_text("\n".join([header, *(lines[place] for place in places), ""]))
        by = (await run_import(make(*paths), api_key="any")).folder.name
        told = json.loads((first.folder / "summary.json").read_text())["since"]
        return by, [*told.replace(f"{by} since", "it since").split(". ")]

    z, told = await since(z=(0, 1))
    assert told == [
        "z.csv was imported by it since: 2 of 5 left-over rows",
        "2 of them are still to be dealt with; 1 gives way to another row of its conversation.",
    ]
    _, told = await since(b=(1,), a=(2,))
    assert told == [
        f"z.csv was imported by {z} since: 2 of 5 left-over rows",
        "b.csv and a.csv were imported by it since: 2 of 5 left-over rows",
        "1 of them is still to be dealt with; 1 gives way to another row of its conversation.",
    ]
    _, told = await since(c=(3,))
    assert told[-1] == (
        "None of them is left to be dealt with: 1 gives way to another row of its conversation."
    )
    head, _, below = (first.folder / "report.html").read_text().partition("</p>\n<p>z.csv was")
    assert head.endswith("Done, but 5 of 6 rows were not imported."), "the heading says that alone"
    assert "None of them is left" in below
    rejected.write_text("\n".join([header, *lines, ""]))
    by = (await run_import(make(rejected, as_new=True), api_key="any")).folder.name
    told_last = json.loads((first.folder / "summary.json").read_text())["since"]
    assert told_last.endswith(f"rejected.csv was imported by {by} since, as new rows.")


async def test_rows_that_were_imported_under_other_names_and_in_parts_are_nothing_to_do(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    make = partial(settings_for, base_url=sandbox.url)
    rows = [(conversation(number), "meh", "") for number in (1, 2, 1)]
    rows += [(conversation(number), "POSITIVE", "") for number in (3, 4)]
    sandbox.picker = FaultPicker(Faults(not_completed=1.0, completes_after=600.0))
    settings = make(write_csv(tmp_path / "in.csv", rows), defer_for=0.0)
    folder = (await run_import(settings, api_key="any")).folder
    sandbox.picker = FaultPicker(Faults())

    async def steps_after(name: str, kind: str, *places: int) -> list[str]:
        header, *lines = (folder / f"{kind}.csv").read_text().replace("meh", "CLEAR").splitlines()
        part = tmp_path / name
        part.write_text("\n".join([header, *(lines[place] for place in places)]) + "\n")
        await run_import(make(part), api_key="any")
        summary = json.loads((folder / "summary.json").read_text())
        steps = [step["text"] for step in summary["next_steps"]]
        shown = CliRunner().invoke(cli, ["jobs", "show", str(folder)]).output
        assert [line[11:] for line in shown.splitlines() if line.startswith("next")] == steps
        return [step.partition(":")[0].partition(", ")[0] for step in steps]

    assert await steps_after("one.csv", "not_completed", 1) == [
        "To try the 1 row not completed again later",
        "To give the ratings of 3 rows a meaning",
        "To import the 3 rows rejected",
    ]
    to_fix = ["To give the ratings of 3 rows a meaning", "To import the 3 rows rejected"]
    assert await steps_after("two.csv", "not_completed", 0) == to_fix
    to_fix = ["To give the ratings of 2 rows a meaning", "To import the 2 rows rejected"]
    assert await steps_after("three.csv", "rejected", 1) == to_fix
    assert await steps_after("four.csv", "rejected", 0, 2) == []


@pytest.mark.parametrize("is_another", [True, False])
async def test_where_another_encoding_may_be_right_the_next_steps_say_what_names_it(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, is_another: bool
) -> None:
    make = partial(settings_for, base_url=sandbox.url)
    rows = [(conversation(number), "POSITIVE", "schön") for number in (1, 2, 3)]
    path = write_csv(tmp_path / "in.csv", rows)
    header, *lines = path.read_text("utf-8").splitlines(keepends=True)
    right = [] if is_another else lines[2:]
    path.write_bytes("".join([header, *right]).encode() + "".join(lines[:2]).encode("cp1252"))
    summary = await run_import(make(path, encoding="utf-8"), api_key="any")
    told = "To see in which encoding the text of {} may be right: clarityq-import plan "
    assert (told.format("2 rows") in "\n".join(map(str, summary.next_steps))) is is_another
    left = (summary.folder / "rejected.csv").read_text("cp1252").splitlines(keepends=True)
    part = tmp_path / "part.csv"
    part.write_text("".join(left[:2]), "utf-8")
    await run_import(make(part), api_key="any")
    shown = CliRunner().invoke(cli, ["jobs", "show", str(summary.folder)]).output
    assert "To import the 1 row rejected" in shown
    assert (told.format("1 row") in shown) is is_another


async def test_rows_of_a_copy_that_gave_way_or_were_left_over_again_are_the_later_jobs_business(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, jobs = partial(settings_for, base_url=sandbox.url), tmp_path / "jobs"
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "POSITIVE", "later")])
    header, later = path.read_text().splitlines()
    broken = [f"{conversation(number)},NEGATIVE,a, b" for number in (1, 2)]
    unknown = [f"{conversation(number)},meh," for number in (3, 4, 1)]
    path.write_text("\n".join([header, *broken, *unknown, later, ""]))
    first = await run_import(make(path), api_key="any")
    steps = [step.purpose.partition(":")[0].partition(",")[0] for step in first.next_steps]
    assert steps[0] == "To give the ratings of 2 rows a meaning", "not of the one that gives way"
    assert steps[-1] == "To import the 3 rows rejected"

    def fixed(folder: Path, name: str, *fixes: tuple[str, str]) -> Path:
        text = (folder / "rejected.csv").read_text()
        for old, new in fixes:
            text = text.replace(old, new)
        (tmp_path / name).write_text(text)
        return tmp_path / name

    def to_do(folder: Path) -> list[str]:
        summary = json.loads((folder / "summary.json").read_text())
        told = [step["text"] for step in summary["next_steps"]]
        shown = CliRunner().invoke(cli, ["jobs", "show", str(folder)]).output
        assert [line[11:] for line in shown.splitlines() if line.startswith("next")] == told
        return [
            step.partition(":")[0].partition(",")[0].replace(f" of {folder}/", " of ")
            for step in told
        ]

    def lost(folder: Path) -> str:
        prune = ["jobs", "--jobs-dir", str(jobs), "prune", "--keep-last", "1", "--dry-run"]
        lines = CliRunner().invoke(cli, prune).output.splitlines()
        return next(line for line in lines if str(folder) in line).partition(": ")[2]

    three = f"{conversation(3)},meh"
    fixes = [(f'"{line}",,', line.replace("a, b", '"a, b"')) for line in broken]
    path = fixed(first.folder, "copy.csv", *fixes, (three, three.replace("meh", "NEGATIVE")))
    second = await run_import(make(path), api_key="any")
    assert second.outcomes[OutcomeKind.SUCCEEDED] == 2
    assert second.outcomes[OutcomeKind.REJECTED] == 2
    print_summary(second)
    assert re.search(r"superseded +1 +1 gave way to another job\n", capsys.readouterr().out)
    assert (to_do(first.folder), lost(first.folder)) == ([], "")
    assert to_do(second.folder) == [
        "To give the ratings of 1 row a meaning",
        "1 row of rejected.csv need not be fixed",
        "To import the 1 row rejected",
    ]
    third = await run_import(
        make(fixed(second.folder, "again.csv", ("meh", "CLEAR"))), api_key="any"
    )
    assert (to_do(first.folder), to_do(second.folder), to_do(third.folder)) == ([], [], [])
    assert (lost(first.folder), lost(second.folder)) == ("", "")
    assert stored(sandbox)[conversation(1)] == ("POSITIVE", "later")
    since = f"again.csv was imported by {third.folder.name} since: 1 of 2 left-over rows."
    assert since in json.loads((second.folder / "summary.json").read_text())["since"]


async def test_a_copy_that_is_read_again_in_its_encoding_settles_what_could_not_be_read_before(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    make = partial(settings_for, base_url=sandbox.url)
    rows = [(conversation(number), "meh", comment) for number, comment in enumerate("aüb")]
    first = await run_import(make(write_csv(tmp_path / "in.csv", rows)), api_key="any")
    saved = first.files[0].read_text("utf-8").replace("meh", "CLEAR").replace(",", ";")
    saved = saved.replace(f";b;{first.folder.name}", f";b; broken;{first.folder.name}")
    (copy := tmp_path / "copy.csv").write_bytes(saved.encode("cp1252"))

    def since(folder: Path) -> tuple[str, list[dict[str, str]]]:
        told = json.loads((folder / "summary.json").read_text())
        return told["since"], told["next_steps"]

    second = await run_import(make(copy), api_key="any")
    third = await run_import(make(copy, encoding="cp1252"), api_key="any")
    assert (second.outcomes[OutcomeKind.REJECTED], third.outcomes[OutcomeKind.REJECTED]) == (2, 1)
    left = "1 of them is still to be dealt with where it was left over again."
    by = f"copy.csv was imported by {third.folder.name} since"
    assert since(second.folder) == (f"{by}: 1 of 2 left-over rows. {left}", [])
    assert since(first.folder)[0].endswith(f"{by}: 2 of 3 left-over rows. {left}")
    with third.files[0].open(newline="", encoding="cp1252") as file:
        (row,) = csv.DictReader(file, delimiter=";")
    assert (row["reason"], row["job"]) == ("malformed", f"{first.folder.name}#3")
    row["conversation_id"] = row["conversation_id"].replace("b; broken", "b")
    with third.files[0].open("w", newline="", encoding="cp1252") as file:
        writer = csv.DictWriter(file, row, delimiter=";")
        writer.writeheader()
        writer.writerow(row)
    await run_import(make(third.files[0], encoding="cp1252"), api_key="any")
    for job in (first, second, third):
        text, steps = since(job.folder)
        assert (text.rpartition(": ")[2].partition(". ")[2], steps) == (
            "None of them is left to be dealt with.",
            [],
        )
    assert {comment for _, comment in stored(sandbox).values()} == {"a", "ü", "b"}


async def test_a_left_over_row_says_so_when_a_later_one_was_sent(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    rows = [(conversation(1), "meh", ""), (conversation(1), "POSITIVE", "")]
    settings = settings_for(write_csv(tmp_path / "in.csv", rows), base_url=sandbox.url)
    summary = await run_import(settings, api_key="any")
    left_over = summary.folder / "rejected.csv"
    assert "gives way to it" in left_over.read_text()
    assert not [step for step in summary.next_steps if left_over.name in step.command]
    again = await run_import(settings_for(left_over, base_url=sandbox.url), api_key="any")
    second = again.folder / "rejected.csv"
    assert "gives way to it" in second.read_text()
    assert not [step for step in again.next_steps if second.name in step.command]
    left_over.write_text(left_over.read_text().replace("meh", "NEGATIVE"))
    again = await run_import(settings_for(left_over, base_url=sandbox.url), api_key="any")
    assert again.outcomes[OutcomeKind.SUPERSEDED] == 1
    assert stored(sandbox)[conversation(1)] == ("POSITIVE", None)
    assert NamedRow.parse(OVERTAKEN_JOB) == NamedRow(OVERTAKEN_JOB)


@pytest.mark.parametrize(
    ("cell", "becomes"),
    [
        (OVERTAKEN_JOB + " ", "POSITIVE"),
        (f"\u00a0{OVERTAKEN_JOB}\u00a0", "POSITIVE"),
        (OVERTAKEN_JOB.upper(), "POSITIVE"),
        ("#NAME?", "POSITIVE"),
        (" \u00a0", "NEGATIVE"),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
async def test_only_an_empty_cell_of_a_left_over_file_makes_its_row_a_new_one(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, cell: str, becomes: str, ending: str
) -> None:
    rows = [(conversation(1), "meh", ""), (conversation(1), "POSITIVE", "")]
    settings = settings_for(write_csv(tmp_path / "in.csv", rows), base_url=sandbox.url)
    summary = await run_import(settings, api_key="any")
    fixed = pd.read_csv(summary.folder / "rejected.csv", dtype=str)
    fixed = fixed.assign(rating="NEGATIVE", job=cell)
    left_over = tmp_path / f"fixed.{ending}"
    fixed.to_csv(left_over, index=False) if ending == "csv" else fixed.to_parquet(left_over)
    await run_import(settings_for(left_over, base_url=sandbox.url), api_key="any")
    assert stored(sandbox)[conversation(1)] == (becomes, None)


async def test_a_row_that_was_added_to_a_left_over_file_was_brought_by_the_job_that_imports_it(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "meh", "")])
    first = await run_import(settings_for(path, base_url=sandbox.url), api_key="any")
    left_over = first.folder / "rejected.csv"
    left_over.write_text(left_over.read_text() + f"{conversation(2)},meh,,,,,,,\n")
    again = await run_import(settings_for(left_over, base_url=sandbox.url), api_key="any")
    jobs = pd.read_csv(again.folder / "rejected.csv")["job"]
    assert [*jobs] == [f"{first.folder.name}#1", f"{again.folder.name}#2"]


async def test_what_the_importer_writes_is_for_its_owner_only(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "meh", "")])
    summary = await run_import(settings_for(path, base_url=sandbox.url), api_key="any")
    for file in [summary.folder, *summary.folder.parent.rglob("*")]:
        assert file.stat().st_mode & 0o077 == 0, file
    assert json.loads((summary.folder / "summary.json").read_text()) == summary.as_json()


async def test_comments_that_were_sent_as_they_are_misread_are_told_with_what_to_do(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    lines = [f"{conversation(number)},,Sch\u00f6n" for number in (1, 2, 3)]
    path = tmp_path / "in.csv"
    one, *others = (line.encode("cp1252") for line in lines)
    path.write_bytes(b"\n".join([b"conversation_id,rating,comment", one, *others, b""]))
    settings = settings_for(path, base_url=sandbox.url, encoding="cp1252")
    assert not (await run_import(settings, api_key="any")).next_steps
    path.write_bytes(path.read_bytes().replace(one, lines[0].encode()))
    done = await run_import(settings, api_key="any")
    (step,) = done.next_steps
    assert step.purpose == (
        f"1 comment of {path} looks like UTF-8, and what was sent is read as cp1252. To correct "
        "that: save all of the file in one encoding, then"
    )
    assert "nothing is left to do" not in done.verdict
