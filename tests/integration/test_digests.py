"""An auditor can tell later whether inputs and outcomes are still those of a summary."""

import hashlib
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from importer.api import run_import
from importer.errors import SettingsError
from importer.reporting.summary import Summary
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings
from tests.integration.test_afterwards import Page, command
from tests.support.data import conversation, write_csv

pytestmark = pytest.mark.anyio
Make = Callable[..., ImportSettings]


@pytest.fixture
async def done(sandbox: Sandbox, settings_for: Make, tmp_path: Path) -> Summary:
    rows = [(conversation(n), "POSITIVE", f"fine {n}") for n in range(9)]
    rows += [(conversation(3), "CLEAR", ""), ("no id", "CLEAR", "")]
    settings = settings_for(write_csv(tmp_path / "in.csv", rows), base_url=sandbox.url)
    return await run_import(settings, api_key="any")


async def test_the_digest_of_the_outcomes_is_that_of_the_canonical_table(
    done: Summary, tmp_path: Path
) -> None:
    table = tmp_path / "canonical.csv"
    code, _ = command("outcomes", done.folder, "--canonical", "-o", table)
    assert code == 0
    lines = table.read_text("utf-8").splitlines()
    assert lines[0] == (
        "seq,outcome,conversation_id,reason,http_status,attempts,updated_at,warning"
    )
    assert lines[1].startswith(f'1,succeeded,{conversation(0)},,200,1,"20')
    assert lines[11] == "11,rejected,,bad_conversation_id,,0,,"
    digests = json.loads((done.folder / "summary.json").read_text("utf-8"))["digests"]
    assert hashlib.sha256(table.read_bytes()).hexdigest() == digests["outcomes"]
    page = Page(done.folder / "report.html").text
    assert digests["outcomes"] in page
    assert digests["inputs"][0]["sha256"] in page


async def test_what_is_unchanged_agrees_wherever_the_summary_is(
    done: Summary, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.json"
    kept.write_bytes((done.folder / "summary.json").read_bytes())
    for where in (done.folder / "summary.json", kept):
        code, told = command("outcomes", "--verify", where, "--jobs-dir", done.folder.parent)
        assert code == 0, told
        assert [line.partition(":")[0] for line in told.splitlines()] == ["same", "same"]


async def test_an_input_that_changed_or_is_gone_is_told(done: Summary, tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text(path.read_text("utf-8").replace("fine 3", "fine 4"), "utf-8")
    verify = ("outcomes", "--verify", done.folder / "summary.json")
    code, told = command(*verify)
    assert (code, f"differs: {path}" in told, "same: outcomes" in told) == (1, True, True)
    path.unlink()
    code, told = command(*verify)
    assert (code, f"gone: {path}" in told) == (1, True)


async def test_an_outcome_that_changed_is_told(done: Summary) -> None:
    with closing(sqlite3.connect(done.folder / "journal.sqlite")) as db, db:
        db.execute("UPDATE outcome SET updated_at = '2020-01-01T00:00:00Z' WHERE seq = 5")
    code, told = command("outcomes", "--verify", done.folder / "summary.json")
    assert (code, "differs: outcomes" in told) == (1, True)


def test_what_is_no_summary_is_refused(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text("{}")
    with pytest.raises(SettingsError, match="no summary that can be compared"):
        command("outcomes", "--verify", tmp_path / "summary.json")
