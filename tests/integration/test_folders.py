"""A folder as an input, through a whole job."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from importer.api import run_import
from importer.engine.control import Control
from importer.engine.progress import Progress
from importer.errors import InputChangedError
from importer.model import OutcomeKind, RunEnd
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings
from tests.support.data import conversation, write_csv

pytestmark = pytest.mark.anyio


class StopWhenSent:
    """An observer that stops its run once some rows are done."""

    def __init__(self, control: Control) -> None:
        self.control = control

    def surveying(self, *_: object) -> None: ...
    def started(self, *_: object) -> None: ...
    def noticed(self, message: str) -> None: ...
    def progressed(self, progress: Progress) -> None:
        if progress.outcomes[OutcomeKind.SUCCEEDED]:
            self.control.stop(RunEnd.SIGTERM)


async def test_a_folder_is_one_job_that_is_gone_on_with_only_as_it_was(
    tmp_path: Path, settings_for: Callable[..., ImportSettings], sandbox: Sandbox
) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    for name, first in (("b", 600), ("a", 0)):
        rows = [(conversation(n), "POSITIVE", f"{name} {n}") for n in range(first, first + 600)]
        write_csv(folder / f"{name}.csv", [*rows, ("bad", "POSITIVE", name)])
    settings = settings_for(folder, base_url=sandbox.url, concurrency=2)
    control = Control()
    observers = [StopWhenSent(control)]
    stopped = await run_import(settings, api_key="any", control=control, observers=observers)
    assert stopped.end is RunEnd.SIGTERM
    late = write_csv(folder / "c.csv", [(conversation(1), "NEGATIVE", "late")])
    with pytest.raises(InputChangedError, match=r"c\.csv changed since"):
        await run_import(settings, api_key="any")
    late.unlink()
    summary = await run_import(settings, api_key="any")
    assert summary.folder == stopped.folder
    assert summary.rows == 1202
    assert len(sandbox.feedback) == 1200
    with (summary.folder / "rejected.csv").open(newline="") as file:
        left_over = [(Path(row["file"]).name, row["row"]) for row in csv.DictReader(file)]
    assert left_over == [("a.csv", "601"), ("b.csv", "601")]
