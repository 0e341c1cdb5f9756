"""The commands that the documentation shows do what it shows."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from importer.cli.reference import options_page
from importer.errors import ExitCode
from importer.model import OutcomeKind, RunEnd, Warn
from importer.sandbox.faults import FAULT_NAMES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
REFERENCE = (ROOT / "docs/reference.md").read_text("utf-8")
SHOWN = re.findall(r"^\$ (clarityq-import .*)\n((?:(?!```|\$ ).*\n)*)", README, re.MULTILINE)


def settled_down(text: str) -> list[str]:
    """Return the lines of an output without what differs from run to run."""
    text = re.sub(r"-[0-9a-f]{8}-\d+", "-JOB", text)
    text = re.sub(r"\(\d+(\.\d+)? m?s, \d+ PUTs\)", "(TIME, PUTS)", text)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize(("command", "output"), SHOWN)
def test_the_readme_shows_what_happens(command: str, output: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    scripts = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-c", command],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}"},
    )
    assert done.returncode in (ExitCode.OK, ExitCode.ROWS_NOT_IMPORTED), done.stderr
    expected = settled_down(output)
    assert expected, "a command is shown with what it prints"
    shown = settled_down(done.stdout)
    assert [line for line in expected if line not in shown] == []


def test_the_page_of_options_is_what_the_commands_have() -> None:
    page = (ROOT / "docs/options.md").read_text("utf-8")
    assert page == options_page(), "python -m importer.cli.reference > docs/options.md"


def test_the_reference_names_everything_that_has_a_name() -> None:
    names = [*OutcomeKind, *RunEnd, *Warn, *FAULT_NAMES]
    assert [name for name in names if f"`{name}" not in REFERENCE] == []
    assert [code for code in ExitCode if str(int(code)) not in REFERENCE] == []
