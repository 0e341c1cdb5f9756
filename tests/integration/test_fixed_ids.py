"""Rows whose conversation could not be read, fixed in `rejected.csv`: the order of the input holds.

docs/reference.md, A18 and F3.
"""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import anyio.to_thread
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from importer.api import run_import
from importer.cli.app import cli
from importer.model import OutcomeKind
from importer.sandbox.faults import FaultPicker, Faults
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings
from tests.support.data import conversation

pytestmark = pytest.mark.anyio
Make = Callable[..., ImportSettings]

ONE = conversation(1)
GOOD = f"{ONE},POSITIVE,good,2026-11-02"
FIXED = [ONE, "NEGATIVE", "fixed"]
UNREADABLE = {
    "a typo in the id": f"x{ONE},NEGATIVE,fixed,2026-11-01",
    "too many cells": f"{ONE},NEGATIVE,fixed,2026-11-01,more",
    "an open quote": f'{ONE},NEGATIVE,"fixed',
}

NOT_SENT = (
    "not sent: another row of this conversation was sent, or may have been "
    "(--as-new sends it all the same) 1"
)


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(["conversation_id,rating,comment,made", *lines, ""]))
    return path


def read(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return [*csv.reader(file)]


def write_rows(path: Path, *rows: list[str]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def fix(path: Path) -> Path:
    """Write the three cells of the row as they were meant."""
    header, *rows = read(path)
    return write_rows(path, header, *([*FIXED, *row[3:]] for row in rows))


async def rejected(make: Make, folder: Path, *lines: str) -> Path:
    """Import the lines; return the file of those that were rejected."""
    summary = await run_import(make(write(folder / "in.csv", *lines)), api_key="any")
    return summary.folder / "rejected.csv"


async def fixed(make: Make, folder: Path, *lines: str) -> Path:
    """The same, fixed."""
    return fix(await rejected(make, folder, *lines))


def fixed_files(folder: Path, rows: list[list[str]]) -> list[Path]:
    """Write a file for each of the two rows below the header: the first is fixed to NEGATIVE."""
    header, *two = rows
    return [
        write_rows(folder / f"{word}.csv", header, [ONE, word, "fixed", *row[3:]])
        for word, row in zip(("NEGATIVE", "POSITIVE"), two, strict=True)
    ]


async def taken_back(folder: Path, job: Path) -> None:
    """Take a job back with the command itself; what was there before is cleared."""
    key = folder / "key"
    key.write_text("any")
    key.chmod(0o600)
    undo = ["undo", str(job), "--clear-unknown", "--yes", "--api-key-file", str(key)]
    undo += ["--late-effect", "0s"]
    done = await anyio.run_process([sys.executable, "-m", "importer", *undo], check=False)
    assert done.returncode == 0, done.stderr


async def forget_folder(make: Make, folder: Path, job: Path) -> None:
    """Let the folder of that job be pruned."""
    other = write(folder / "other.csv", f"{conversation(2)},POSITIVE,other,2026-11-03")
    await run_import(make(other), api_key="any")
    prune = ["jobs", "--jobs-dir", str(folder / "jobs"), "prune", "--keep-last", "1"]
    await anyio.to_thread.run_sync(CliRunner().invoke, cli, prune)
    assert not await anyio.Path(job).exists()


async def told_by(command: str, settings: ImportSettings, *options: str) -> str:
    """Return what `check` or `plan` tells of an input."""
    target, job = settings.target, settings.job
    words = ["--product-id", target.product_id, "--base-url", target.base_url]
    words = [*words, "--jobs-dir", str(job.jobs_dir)] if command == "plan" else []
    arguments = [command, *map(str, settings.reading.inputs), *words, *options]
    done = await anyio.to_thread.run_sync(CliRunner().invoke, cli, arguments)
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def stored(sandbox: Sandbox) -> str | None:
    return sandbox.feedback[ONE].rating


@pytest.mark.parametrize("bad", UNREADABLE.values(), ids=UNREADABLE)
async def test_it_gives_way_to_a_later_row_of_its_job(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, bad: str
) -> None:
    make = partial(settings_for, base_url=sandbox.url)
    again = await run_import(make(await fixed(make, tmp_path, bad, GOOD)), api_key="any")
    assert again.outcomes[OutcomeKind.SUPERSEDED] == 1
    assert stored(sandbox) == "POSITIVE"


@pytest.mark.parametrize("bad", list(UNREADABLE.values())[:2], ids=list(UNREADABLE)[:2])
async def test_it_wins_over_an_earlier_row_of_its_job(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, bad: str
) -> None:
    make = partial(settings_for, base_url=sandbox.url)
    await run_import(make(await fixed(make, tmp_path, GOOD, bad)), api_key="any")
    assert stored(sandbox) == "NEGATIVE"


async def test_it_gives_way_to_a_newer_row_of_its_job_wherever_that_stands(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    make = partial(settings_for, base_url=sandbox.url, newest_by="made")
    path = await fixed(make, tmp_path, GOOD, UNREADABLE["a typo in the id"])
    await run_import(make(path), api_key="any")
    assert stored(sandbox) == "POSITIVE"


async def test_where_a_column_tells_the_newest_row_it_is_said_that_it_gives_way_unseen(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    make = partial(settings_for, base_url=sandbox.url, newest_by="made")
    newest = f"{ONE},meh,fixed,2026-11-03"
    first = await run_import(make(write(tmp_path / "in.csv", newest, GOOD)), api_key="any")
    (step,) = [
        step for step in first.next_steps if "give" in step.purpose and "way" in step.purpose
    ]
    assert "which of them is the newest by 'made' was not looked at" in step.purpose
    path = first.folder / "rejected.csv"
    assert str(path) in step.command
    assert step.command.endswith(" --as-new")
    assert "which of them is newer was not looked at" in path.read_text()
    path.write_text(path.read_text().replace("meh", "NEGATIVE"))
    told = await told_by("plan", make(path), "--newest-by", "made")
    assert "not sent: another row of this conversation was sent, or may have been 1" in told
    unseen = "which is newer is not looked at"
    assert f"rows of later ones ({unseen}; --as-new sends them all the same)" in told
    second = await run_import(make(path), api_key="any")
    assert stored(sandbox) == "POSITIVE"
    assert second.verdict == "Done: every row is accounted for."
    assert not any("gave way" in remark for remark in second.remarks)
    steps = json.loads((first.folder / "summary.json").read_text())["next_steps"]
    assert step.as_json() in steps, "nothing of it was imported"
    (step,) = second.next_steps
    assert step.purpose == (
        "1 row gave way, as another row of the same conversation was sent, or may have been: which "
        "of them is the newest by 'made' was not looked at. To import one that is the newest all "
        "the same, also of later jobs: copy the header and no other row into FILE, then"
    )
    assert step.command.startswith("clarityq-import run FILE ")
    assert step.command.endswith(" --as-new")
    await run_import(make(path, as_new=True), api_key="any")
    assert stored(sandbox) == "NEGATIVE"


async def test_it_gives_way_where_the_folder_of_its_job_is_pruned(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    make = partial(settings_for, base_url=sandbox.url)
    path = await fixed(make, tmp_path, UNREADABLE["a typo in the id"], GOOD)
    kept = shutil.copy(path, tmp_path)
    await forget_folder(make, tmp_path, path.parent)
    told = (
        "1 row gave way: another row of the conversation was sent, or may have been "
        "(--as-new sends it all the same)"
    )
    assert NOT_SENT in await told_by("plan", make(Path(kept)))
    summary = await run_import(make(Path(kept)), api_key="any")
    assert told in summary.remarks
    assert told in (summary.folder / "report.html").read_text("utf-8")
    assert stored(sandbox) == "POSITIVE"


async def test_what_was_passed_as_new_and_rejected_again_stays_new(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    make = partial(settings_for, base_url=sandbox.url)
    path = await fixed(make, tmp_path, UNREADABLE["a typo in the id"])
    await run_import(make(write(tmp_path / "later.csv", GOOD)), api_key="any")
    rows = read(path)
    write_rows(path, rows[0], [ONE, "meh", *rows[1][2:]])
    again = (await run_import(make(path, as_new=True), api_key="any")).folder / "rejected.csv"
    rows = read(again)
    assert rows[1][4:6] == [f"{again.parent.name}#1", "1"]
    write_rows(again, rows[0], [*FIXED, *rows[1][3:]])
    await run_import(make(again), api_key="any")
    assert stored(sandbox) == "NEGATIVE"


@pytest.mark.parametrize("is_large", [False, True])
async def test_a_file_that_has_kept_of_the_importers_columns_only_the_job_is_told_as_left_over(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    *, is_large: bool,
) -> None:  # fmt: skip
    if is_large:
        monkeypatch.setattr("importer.sources.csv.file.BY_COLUMN_FROM", 0)
    make = partial(settings_for, base_url=sandbox.url)
    path = await fixed(make, tmp_path, UNREADABLE["a typo in the id"], GOOD)
    rows = [row[:5] for row in read(path)]
    assert rows[0][3:] == ["made", "job"]
    trimmed = make(write_rows(tmp_path / "trimmed.csv", *rows))
    for command in ("check", "plan"):
        told = await told_by(command, trimmed)
        assert "rows left over from earlier jobs: they give way to newer rows" in told
        assert "job in 'job' ignored: 'made'" in told
    assert NOT_SENT in told
    assert "they are sent as new ones" in await told_by("plan", trimmed, "--as-new")
    other = write_rows(tmp_path / "other.csv", rows[0], [*rows[1][:4], "engineer"])
    assert "rows left over" not in await told_by("check", make(other))


@pytest.mark.parametrize("comes", ["before", "after"])
async def test_it_keeps_its_place_when_it_is_fixed_in_a_parquet_file(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, comes: str
) -> None:
    make = partial(settings_for, base_url=sandbox.url)
    lines = [UNREADABLE["a typo in the id"], GOOD]
    path = await fixed(make, tmp_path, *(lines if comes == "before" else reversed(lines)))
    with path.open(newline="") as file:
        rows = [*csv.DictReader(file)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "fixed.parquet")
    await run_import(make(tmp_path / "fixed.parquet"), api_key="any")
    assert stored(sandbox) == ("POSITIVE" if comes == "before" else "NEGATIVE")


BAD_ID = UNREADABLE["a typo in the id"]
UNKNOWN_WORD = f"{ONE},meh,fixed,2026-11-01"


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
@pytest.mark.parametrize(
    ("bad", "is_pruned"),
    [((BAD_ID, BAD_ID), False), ((BAD_ID, BAD_ID), True), ((BAD_ID, UNKNOWN_WORD), False),
     ((UNKNOWN_WORD, BAD_ID), False), ((UNKNOWN_WORD, UNKNOWN_WORD), False),
     ((UNKNOWN_WORD, UNKNOWN_WORD), True)],
    ids=["both ids", "both ids, pruned", "an id and a word", "a word and an id", "both words",
         "both words, pruned"],
)  # fmt: skip
async def test_rows_that_are_fixed_one_by_one_keep_their_places(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, order: tuple[int, int],
    bad: tuple[str, str], is_pruned: bool,
) -> None:  # fmt: skip
    make = partial(settings_for, base_url=sandbox.url)
    path = await rejected(make, tmp_path, *bad)
    header, *rows = read(path)
    if is_pruned:
        await forget_folder(make, tmp_path, path.parent)
    for place in order:
        name, word = f"fixed-{place}.csv", "NEGATIVE" if place == 1 else "POSITIVE"
        fixed_row = [ONE, word, "fixed", *rows[place - 1][3:]]
        await run_import(make(write_rows(tmp_path / name, header, fixed_row)), api_key="any")
    assert stored(sandbox) == "POSITIVE"


@pytest.mark.parametrize("bad", [BAD_ID, UNKNOWN_WORD])
@pytest.mark.parametrize("newest", [False, True])
async def test_rows_that_are_fixed_at_once_keep_their_places_in_whatever_order_they_stand(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, bad: str, newest: bool
) -> None:
    make = partial(settings_for, base_url=sandbox.url, newest_by="made" if newest else None)
    earlier = bad.replace("2026-11-01", "2026-10-31")
    header, *rows = read(await rejected(make, tmp_path, earlier, bad))
    fixed_rows = (
        [ONE, word, "fixed", *row[3:]]
        for word, row in zip(("NEGATIVE", "POSITIVE"), rows, strict=True)
    )
    file = write_rows(tmp_path / "sorted.csv", header, *[*fixed_rows][::-1])
    await run_import(make(file), api_key="any")
    assert stored(sandbox) == "POSITIVE"


async def test_the_undo_of_a_job_takes_it_back_where_rows_of_it_were_fixed(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    make = partial(settings_for, base_url=sandbox.url, late_effect=0.0)
    other = f"x{conversation(2)},NEGATIVE,,2026-11-01"
    path = await rejected(make, tmp_path, other, f"{ONE},NEGATIVE,,2026-11-01")
    header, row = read(path)
    file = write_rows(tmp_path / "fixed.csv", header, [conversation(2), *row[1:]])
    await run_import(make(file), api_key="any")
    await taken_back(tmp_path, path.parent)
    assert stored(sandbox) is None
    assert sandbox.feedback[conversation(2)].rating == "NEGATIVE", "its own job brought that"


async def test_a_row_that_was_fixed_while_its_job_was_unfinished_gives_way_to_what_came_after(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    make = partial(settings_for, base_url=sandbox.url)
    path = write(tmp_path / "in.csv", UNKNOWN_WORD, f"{conversation(2)},CLEAR,,2026-11-03", GOOD)
    stopped = await run_import(make(path, limit=1), api_key="any")
    kept = Path(shutil.copy(stopped.folder / "rejected.csv", tmp_path))
    await run_import(make(path), api_key="any")
    await run_import(make(fix(kept)), api_key="any")
    assert stored(sandbox) == "POSITIVE"


async def test_rows_that_are_rejected_again_are_not_marked_by_rows_that_they_come_after(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    """Row 2 stands before row 1 in the file; Tuesday's row before Monday's among the inputs."""
    make = partial(settings_for, base_url=sandbox.url)
    header, one, two = read(await rejected(make, tmp_path, UNKNOWN_WORD, UNKNOWN_WORD))
    fixed_one = [ONE, "NEGATIVE", "fixed", *one[3:]]
    file = write_rows(tmp_path / "sorted.csv", header, two, fixed_one)
    tuesday = write(tmp_path / "tuesday.csv", f"{conversation(2)},meh,,2026-11-01")
    monday = write_rows(
        tmp_path / "monday.csv", header, [conversation(2), "NEGATIVE", "fixed", *one[3:]]
    )
    for inputs in ([file], [tuesday, monday]):
        again = await run_import(make(*inputs), api_key="any")
        path = again.folder / "rejected.csv"
        header, row = read(path)
        right = [row[0], "POSITIVE", "right", *row[3:]]
        await run_import(make(write_rows(tmp_path / "right.csv", header, right)), api_key="any")
    assert stored(sandbox) == "POSITIVE"
    assert sandbox.feedback[conversation(2)].rating == "POSITIVE"


async def test_it_gives_way_to_a_row_that_came_after_it_also_where_comments_were_dropped(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    make = partial(settings_for, base_url=sandbox.url, carry_over=True)
    other = f"{conversation(2)},POSITIVE,other,2026-11-03"
    stopped = await run_import(
        make(write(tmp_path / "in.csv", BAD_ID, other, GOOD), limit=1), api_key="any"
    )
    kept = Path(shutil.copy(stopped.folder / "rejected.csv", tmp_path))
    await run_import(make(write(tmp_path / "night.csv", other)), api_key="any")
    drop = ["jobs", "--jobs-dir", str(tmp_path / "jobs"), "prune", "--comments-after", "0"]
    done = await anyio.to_thread.run_sync(CliRunner().invoke, cli, drop)
    assert done.exit_code == 0, done.output
    await run_import(make(fix(kept)), api_key="any")
    assert stored(sandbox) == "POSITIVE"


async def test_with_newest_by_too_the_row_that_stood_last_wins_of_those_fixed_one_by_one(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    make = partial(settings_for, base_url=sandbox.url, newest_by="made")
    for file in fixed_files(tmp_path, read(await rejected(make, tmp_path, BAD_ID, BAD_ID))):
        await run_import(make(file), api_key="any")
    assert stored(sandbox) == "POSITIVE"


async def test_it_does_not_give_way_to_a_fix_that_was_taken_back(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    make = partial(settings_for, base_url=sandbox.url, late_effect=0.0)
    files = fixed_files(tmp_path, read(await rejected(make, tmp_path, BAD_ID, BAD_ID)))
    last = await run_import(make(files[1]), api_key="any")
    await taken_back(tmp_path, last.folder)
    await run_import(make(files[0]), api_key="any")
    assert stored(sandbox) == "NEGATIVE"


async def test_a_row_that_is_rejected_again_keeps_its_place_where_only_the_job_is_left(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    make = partial(settings_for, base_url=sandbox.url)
    path = await rejected(make, tmp_path, UNKNOWN_WORD)
    header, row = read(path)
    job = header.index("job")
    cut = write_rows(
        tmp_path / "cut.csv", ["conversation_id", "rating", "job"], [ONE, "?", row[job]]
    )
    again = await run_import(make(cut), api_key="any")
    header, row = read(again.folder / "rejected.csv")
    assert row[header.index("import_job")] == f"{path.parent.name}#1"


async def test_a_fixed_row_can_be_corrected_once_more(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    make = partial(settings_for, base_url=sandbox.url)
    path = await rejected(make, tmp_path, BAD_ID)
    header, row = read(path)
    await forget_folder(make, tmp_path, path.parent)
    for word in ("NEGATIVE", "POSITIVE"):
        file = write_rows(tmp_path / f"{word}.csv", header, [ONE, word, "fixed", *row[3:]])
        await run_import(make(file), api_key="any")
    assert stored(sandbox) == "POSITIVE"


@pytest.mark.parametrize("ends", ["given up", "in nobody's way", "replaced for what it took over"])
async def test_it_does_not_give_way_to_a_row_that_is_never_sent(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, ends: str
) -> None:
    make = partial(settings_for, base_url=sandbox.url, carry_over=True)
    await run_import(make(write(tmp_path / "sunday.csv", GOOD)), api_key="any")
    others = [f"{conversation(number)},POSITIVE,other,2026-11-03" for number in (2, 3)]
    if ends == "replaced for what it took over":
        await run_import(make(write(tmp_path / "monday.csv", *others), limit=1), api_key="any")
    path = write(tmp_path / "in.csv", BAD_ID, others[0], GOOD)
    stop: dict[str, float] = {"limit": 1} if ends == "given up" else {"max_rejected": 0}
    stopped = await run_import(make(path, **stop), api_key="any")
    kept = Path(shutil.copy(stopped.folder / "rejected.csv", tmp_path))
    if ends == "given up":
        abandon = ["jobs", "--jobs-dir", str(tmp_path / "jobs"), "abandon", str(stopped.folder)]
        await anyio.to_thread.run_sync(CliRunner().invoke, cli, abandon)
    await run_import(make(fix(kept)), api_key="any")
    assert stored(sandbox) == "NEGATIVE"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_a_fixed_row_keeps_its_place_when_it_is_left_over_and_taken_over(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, order: tuple[int, int]
) -> None:
    make = partial(settings_for, base_url=sandbox.url, carry_over=True)
    files = fixed_files(tmp_path, read(await rejected(make, tmp_path, BAD_ID, BAD_ID)))
    sandbox.picker = FaultPicker(Faults(not_completed=1.0, completes_after=600.0))
    await run_import(make(files[order[0]], defer_for=0.0), api_key="any")
    night = write(tmp_path / "night.csv", f"{conversation(2)},CLEAR,,2026-11-04")
    await run_import(make(night, defer_for=0.0), api_key="any")
    sandbox.picker = FaultPicker(Faults())
    await run_import(make(files[order[1]]), api_key="any")
    assert stored(sandbox) == "POSITIVE"


async def test_it_gives_way_to_a_later_row_that_another_job_is_to_send(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    make = partial(settings_for, base_url=sandbox.url, carry_over=True)
    other = f"{conversation(2)},POSITIVE,other,2026-11-03"
    path = write(tmp_path / "in.csv", BAD_ID, other, GOOD)
    stopped = await run_import(make(path, limit=1), api_key="any")
    kept = Path(shutil.copy(stopped.folder / "rejected.csv", tmp_path))
    await run_import(make(fix(kept)), api_key="any")
    assert stored(sandbox) == "POSITIVE"


@pytest.mark.parametrize("sandbox", [Faults(not_completed=1.0, completes_after=3)], indirect=True)
async def test_it_does_not_give_way_to_a_row_that_its_job_had_taken_over(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    make = partial(settings_for, base_url=sandbox.url, carry_over=True, newest_by="made")
    await run_import(make(write(tmp_path / "monday.csv", GOOD), defer_for=0.2), api_key="any")
    path = await fixed(make, tmp_path, BAD_ID)
    assert stored(sandbox) == "POSITIVE"
    await run_import(make(path), api_key="any")
    assert stored(sandbox) == "NEGATIVE"


async def test_it_gives_way_to_a_later_row_that_was_forgotten(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    make = partial(settings_for, base_url=sandbox.url)
    path = await rejected(make, tmp_path, BAD_ID, GOOD)
    kept = Path(shutil.copy(path, tmp_path))
    forget = ["forget", "--jobs-dir", str(tmp_path / "jobs"), ONE]
    done = await anyio.to_thread.run_sync(CliRunner().invoke, cli, forget)
    assert done.exit_code == 0, done.output
    again = await run_import(make(fix(kept)), api_key="any")
    assert again.outcomes[OutcomeKind.SUPERSEDED] == 1


@pytest.mark.parametrize("place", ["-1", "9" * 30, "x"])
async def test_a_row_whose_place_cannot_be_gives_way_to_all(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, place: str
) -> None:
    make = partial(settings_for, base_url=sandbox.url)
    path = await rejected(make, tmp_path, GOOD, BAD_ID)
    path.write_text(path.read_text().replace("@2", f"@{place}"))
    await run_import(make(fix(path)), api_key="any")
    assert stored(sandbox) == "POSITIVE"


@pytest.mark.parametrize("sandbox", [Faults(not_completed=1.0, completes_after=3)], indirect=True)
@pytest.mark.parametrize("bad", [UNREADABLE["a typo in the id"], f"{ONE},meh,fixed,2026-11-01"])
async def test_a_fixed_row_gives_way_to_a_later_row_that_is_left_over(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, bad: str
) -> None:
    make = partial(settings_for, base_url=sandbox.url, carry_over=True)
    path = write(tmp_path / "in.csv", bad, GOOD)
    first = await run_import(make(path, defer_for=0.2), api_key="any")
    assert first.outcomes[OutcomeKind.NOT_COMPLETED] == 1
    await run_import(make(fix(first.folder / "rejected.csv")), api_key="any")
    assert stored(sandbox) == "POSITIVE"
