"""The page about Python, executed as the notebook that it is."""

import re
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Return the executed cells, one for each block of code."""
    nbformat, nbclient = import_module("nbformat.v4"), import_module("nbclient")  # untyped
    blocks = CODE.findall((ROOT / "docs/python.md").read_text("utf-8"))
    folder = tmp_path_factory.mktemp("notebook")
    shutil.copytree(ROOT / "samples", folder / "samples")
    notebook = nbformat.new_notebook(cells=[nbformat.new_code_cell(block) for block in blocks])
    client = nbclient.NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return list(notebook.cells)


def outputs(cells: list[Any], beginning: str) -> list[Any]:
    """Return what the cell has shown that holds this code."""
    (found,) = [cell for cell in cells if beginning in cell.source]
    return list(found.outputs)


def text(outputs: list[Any]) -> str:
    return "".join(output.get("text", "") for output in outputs)


def test_findings_and_mistakes_are_told_in_words(cells: list[Any]) -> None:
    (found,) = outputs(cells, "found = check_inputs(")
    assert "60 rows: 55 can be sent" in found.data["text/plain"]
    assert "product_id '7d0f' is not a UUID" in text(outputs(cells, "except ImporterError"))
    assert text(outputs(cells, "preview = plan(")) == "7 0 1\n"


def test_a_summary_shows_itself(cells: list[Any]) -> None:
    (shown,) = outputs(cells, "summary = run_import_blocking(settings)\n")
    page, plain = shown.data["text/html"], shown.data["text/plain"]
    assert "10 of 18 rows were not imported" in page
    assert "<code>clarityq-import run clarityq-jobs/messy-" in page
    assert "exit code 1, 18 rows (7 succeeded, 1 superseded, 10 rejected)" in plain
    told = text(outputs(cells, "step.command"))
    assert "fix clarityq-jobs/messy-" in told


def test_a_data_frame_is_an_input(cells: list[Any]) -> None:
    assert "nothing is left to do" in text(outputs(cells, "inputs=frame"))


def test_progress_and_log_are_seen(cells: list[Any]) -> None:
    assert "importing into product" in text(outputs(cells, "logging.basicConfig"))
    shown = outputs(cells, "ProgressBar(total")
    assert any("100/100" in str(output.get("data")) for output in shown)


def test_a_run_is_stopped_by_a_callback(cells: list[Any]) -> None:
    assert "of 123 rows are done, and every response so far is recorded" in text(
        outputs(cells, "control.stop(")
    )
