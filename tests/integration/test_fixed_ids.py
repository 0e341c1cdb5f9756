"""Rows whose conversation could not be read, fixed in `rejected.csv`: the order of the input holds.

docs/reference.md, A18 and F3.
"""

from __future__ import annotations

import csv
import shutil
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
from importer.sandbox.faults import Faults
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


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(["conversation_id,rating,comment,made", *lines, ""]))
    return path


def fix(path: Path) -> Path:
    """Write the three cells of the row as they were meant."""
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *([*FIXED, *row[3:]] for row in rows)])
    return path


async def fixed(make: Make, folder: Path, *lines: str) -> Path:
    """Import the lines; return the file of those that were rejected, fixed."""
    summary = await run_import(make(write(folder / "in.csv", *lines)), api_key="any")
    return fix(summary.folder / "rejected.csv")


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


async def test_it_gives_way_where_the_folder_of_its_job_is_pruned(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    make = partial(settings_for, base_url=sandbox.url)
    path = await fixed(make, tmp_path, UNREADABLE["a typo in the id"], GOOD)
    other = write(tmp_path / "other.csv", f"{conversation(2)},POSITIVE,other,2026-11-03")
    await run_import(make(other), api_key="any")
    kept = shutil.move(path, tmp_path)
    prune = ["jobs", "--jobs-dir", str(tmp_path / "jobs"), "prune", "--keep-last", "1"]
    await anyio.to_thread.run_sync(CliRunner().invoke, cli, prune)
    assert not path.parent.exists()
    await run_import(make(Path(kept)), api_key="any")
    assert stored(sandbox) == "POSITIVE"


async def test_it_keeps_its_place_when_it_is_fixed_in_a_parquet_file(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    make = partial(settings_for, base_url=sandbox.url)
    path = await fixed(make, tmp_path, UNREADABLE["a typo in the id"], GOOD)
    with path.open(newline="") as file:
        rows = [*csv.DictReader(file)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "fixed.parquet")
    await run_import(make(tmp_path / "fixed.parquet"), api_key="any")
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
