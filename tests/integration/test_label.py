"""Who imports, or why, is kept with the job and shown wherever the job is."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from importer.api import run_import
from importer.errors import SettingsError
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings
from tests.integration.test_afterwards import Page, command
from tests.support.data import PRODUCT, conversation, write_csv

pytestmark = pytest.mark.anyio
LABEL = "Ticket 42 <Ada>: March's export"


async def test_the_label_is_shown_wherever_the_job_is(
    sandbox: Sandbox, settings_for: Callable[..., ImportSettings], tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "POSITIVE", "")])
    metrics = tmp_path / "import.prom"
    settings = settings_for(path, base_url=sandbox.url, label=LABEL, metrics_file=metrics)
    summary = await run_import(settings, api_key="any")

    assert json.loads((summary.folder / "summary.json").read_text("utf-8"))["label"] == LABEL
    assert LABEL in Page(summary.folder / "report.html").text
    assert f'label="{LABEL}"' in metrics.read_text("utf-8")
    where = ["--jobs-dir", summary.folder.parent]
    assert LABEL in command("jobs", *where)[1]
    assert json.loads(command("jobs", "--json", *where)[1])[0]["label"] == LABEL
    assert LABEL in command("jobs", "show", summary.folder, *where)[1]


async def test_another_label_is_the_same_job_and_stands_for_it(
    sandbox: Sandbox, settings_for: Callable[..., ImportSettings], tmp_path: Path
) -> None:
    rows = [(conversation(n), "POSITIVE", "") for n in range(3)]
    path = write_csv(tmp_path / "in.csv", rows)
    settings = settings_for(path, base_url=sandbox.url, label="first", limit=1)
    first = await run_import(settings, api_key="any")
    second = await run_import(settings.replace(label="second"), api_key="any")
    third = await run_import(settings.replace(label=None, limit=None), api_key="any")
    assert first.folder == second.folder == third.folder
    assert (first.label, second.label, third.label) == ("first", "second", "second")


@pytest.mark.parametrize("label", ["", "two\nlines", "x" * 201, "\u202eright to left"])
def test_a_label_is_one_line_that_can_be_shown(label: str) -> None:
    with pytest.raises(SettingsError, match="label is one line"):
        ImportSettings.of(inputs="a.csv", product_id=PRODUCT, label=label)
