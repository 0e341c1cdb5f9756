"""The commands that the documentation shows do what it shows."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import jsonschema
import pytest

import importer
from importer.cli.app import cli
from importer.cli.reference import options_page, schema_page
from importer.errors import ExitCode
from importer.model import Meaning, OutcomeKind, Reason, RunEnd, Warn
from importer.sandbox.faults import FAULT_NAMES
from importer.settings import InputFormat, LongComments
from tests.support.data import PRODUCT

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE = (ROOT / "docs/reference.md").read_text("utf-8")
SHOWN = re.compile(r"^\$ (clarityq-import .*)\n((?:(?!```|\$ ).*\n)*)", re.MULTILINE)


WRITTEN = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)


def settled_down(text: str) -> list[str]:
    """Return the lines of an output without what differs from run to run."""
    text = re.sub(r"-[0-9a-f]{8}-\d+", "-JOB", text)
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?", "TIME", text)
    text = text.replace(f"{Path.cwd()}/", "")
    text = re.sub(r"\(\d+(\.\d+)? m?s, \d+ PUTs\)", "(TIME, PUTS)", text)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/guide.md"])
def test_the_commands_of_a_page_do_one_after_the_other_what_it_shows(
    page: str, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    scripts = Path(sys.executable).parent
    shown = SHOWN.findall((ROOT / page).read_text("utf-8"))
    assert shown
    for command, output in shown:
        done = subprocess.run(
            ["bash", "-c", command],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}"},
        )
        assert "Traceback" not in done.stderr, command
        expected = [line for line in settled_down(output) if line != "…"]
        assert expected, "a command is shown with what it prints"
        printed = settled_down(done.stdout + done.stderr)
        assert [line for line in expected if line not in printed] == [], command


def commands_in(text: str) -> list[list[str]]:
    """Return what follows the program's name in the lines that a reader is to put into a shell."""
    blocks = "".join(WRITTEN.findall(text)).replace("\\\n", " ")
    found = []
    for line in blocks.splitlines():
        _, name, rest = line.partition("clarityq-import ")
        if name:
            found.append(shlex.split(rest, comments=True))
    return found


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{p.name}" for p in DOCS.glob("*.md"))])
def test_the_other_commands_have_options_that_there_are(page: str) -> None:
    for words in commands_in((ROOT / page).read_text("utf-8")):
        command: click.Command | None = cli
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            command = command.get_command(click.Context(command), words.pop(0))
        assert command is not None, words
        assert command is not cli, words
        command.make_parser(click.Context(command)).parse_args(words)


def anchors(page: Path) -> set[str]:
    """Return the names under which the headings of a page can be linked to."""
    titles = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_links_of_the_documents_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), ROOT / "benchmarks/README.md"]
    lost = []
    for page in pages:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
            file, _, anchor = link.partition("#")
            target = page.parent / file if file else page
            if "://" in link or (target.exists() and (not anchor or anchor in anchors(target))):
                continue
            lost.append(f"{page.relative_to(ROOT)}: {link}")
    assert lost == []


def test_what_the_reference_refers_to_is_a_promise_of_it() -> None:
    promised = {}
    for section in REFERENCE.split("\n## ")[1:]:
        anchor = section.partition("\n")[0].lower().replace(",", "").replace(" ", "-")
        for name in re.findall(r"^- \*\*\[([A-Z]\d+)\]\*\*", section, re.MULTILINE):
            promised[name] = anchor
    links = dict(re.findall(r"^\[([A-Z]\d+)\]: #(\S+)$", REFERENCE, re.MULTILINE))
    used = set(re.findall(r"(?<!\*)\[([A-Z]\d+)\](?!:)", REFERENCE))
    assert links == {name: promised.get(name) for name in used}


def test_the_page_of_options_is_what_the_commands_have() -> None:
    page = (ROOT / "docs/options.md").read_text("utf-8")
    assert page == options_page(), "python -m importer.cli.reference docs"
    schema = (ROOT / "docs/clarityq-import.schema.json").read_text("utf-8")
    assert schema == schema_page(), "python -m importer.cli.reference docs"


@pytest.mark.parametrize(
    "command", [["check"], ["plan", "--sandbox", "--product-id", PRODUCT, "--max-rejected", "0"]]
)
def test_the_json_of_check_and_plan_has_the_keys_of_its_schema(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "importer", *command, str(ROOT / "samples/messy.csv"), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    printed = json.loads(done.stdout)
    schema = json.loads((ROOT / "docs/check.schema.json").read_text("utf-8"))
    jsonschema.validate(printed, schema, format_checker=jsonschema.FormatChecker())
    assert printed["exit_code"] == done.returncode
    assert set(printed) == set(schema["required"])
    for part in ("findings", "plan"):
        assert set(printed[part] or ()) <= set(schema["$defs"][part]["required"])


def test_the_schema_of_the_summary_has_every_end() -> None:
    schema = json.loads((ROOT / "docs/summary.schema.json").read_text("utf-8"))
    assert set(schema["properties"]["end"]["enum"]) == set(RunEnd)


def test_the_reference_names_everything_that_has_a_name() -> None:
    names = [*OutcomeKind, *RunEnd, *Warn, *FAULT_NAMES]
    assert [name for name in names if not re.search(f"`{name}[`=]", REFERENCE)] == []
    assert [code for code in ExitCode if str(int(code)) not in REFERENCE] == []
    (public,) = re.findall(r"\[P1\].*", REFERENCE)
    unnamed = [name for name in importer.__all__ if f"`{name}`" not in public]
    enums = (OutcomeKind, Reason, RunEnd, Warn, Meaning, InputFormat, LongComments)
    assert set(unnamed) == {enum.__name__ for enum in enums}, "which are “the enums”"
