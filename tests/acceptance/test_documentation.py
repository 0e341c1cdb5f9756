"""The commands that the documentation shows do what it shows."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import jsonschema
import pytest

import importer
from importer.cli.app import cli
from importer.cli.reference import options_page, schema_page
from importer.errors import ExitCode
from importer.model import Meaning, OutcomeKind, Reason, RunEnd, Warn
from importer.pacing import Limit
from importer.sandbox.faults import FAULT_NAMES
from importer.settings import InputFormat, LongComments
from tests.support.data import PRODUCT

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE = (ROOT / "docs/reference.md").read_text("utf-8")
SHOWN = re.compile(r"^\$ (clarityq-import .*)\n((?:(?!```|\$ ).*\n)*)", re.MULTILINE)


WRITTEN = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
#: Pages for who uses the importer, and those for who works on it.
USED = ["README.md", *(f"docs/{page.name}" for page in DOCS.glob("*.md") if page.stem != "proof")]
BUILT = [
    "CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md", "docs/architecture.md",
    "docs/performance.md", "docs/proof.md",
    *(f"docs/design/{page.name}" for page in DOCS.glob("design/*.md")),
]  # fmt: skip


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


def read(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def spans(page: str) -> list[str]:
    """Return what stands in code within the sentences of a page."""
    return re.findall(r"`([^`\n]+)`", BLOCK.sub("", read(page)))


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


def every_command(command: click.Command = cli) -> Iterator[click.Command]:
    yield command
    for inner in inner_commands(command).values():
        yield from every_command(inner)


def inner_commands(command: click.Command) -> dict[str, click.Command]:
    if not isinstance(command, click.Group):
        return {}
    context = click.Context(command)
    names = command.list_commands(context)
    found = ((name, command.get_command(context, name)) for name in names)
    return {name: inner for name, inner in found if inner is not None}


@pytest.mark.parametrize("page", [*USED, *(p for p in BUILT if "design" in p)])
def test_the_options_in_the_sentences_of_a_page_are_there(page: str) -> None:
    everywhere = {name for each in every_command() for param in each.params for name in param.opts}
    missing = []
    for span in spans(page):
        words = span.removeprefix("clarityq-import ").split()
        command: click.Command = cli
        while words and words[0] in (inner := inner_commands(command)):
            command = inner[words.pop(0)]
        own = {name for param in command.params for name in param.opts}
        there = {"--help"} | (everywhere if command is cli else own)
        if command is not cli or span.startswith("-"):
            named = [word.partition("=")[0] for word in words if word.startswith("--")]
            missing += [span for name in named if name not in there]
    assert missing == []


@pytest.mark.parametrize("page", BUILT)
def test_the_files_that_a_page_names_are_there(page: str) -> None:
    folders = ("importer", "tests", "benchmarks", "docs", "packaging", "samples")
    files = [f"/{path.relative_to(ROOT)}" for name in folders for path in ROOT.glob(f"{name}/**/*")]
    known = {path.removesuffix(".py") for path in [*files, *(f"/{p.name}" for p in ROOT.iterdir())]}
    named = [
        span.rstrip("/").removesuffix(".py") for span in spans(page)
        if re.fullmatch(r"[a-z_][\w/.-]*(/[\w.-]*|\.(py|sql|j2|json|ya?ml|toml|md))", span)
    ]  # fmt: skip
    made = {"bodies.jsonl.gz", "summary.json", "undo.jsonl", "copies"}
    lost = {name for name in named if not any(path.endswith(f"/{name}") for path in known)}
    assert lost - made == set()


def test_the_packages_of_the_architecture_are_those_that_there_are() -> None:
    (tree,) = re.findall(
        r"^cli  .*?(?=^```)", read("docs/architecture.md"), re.DOTALL | re.MULTILINE
    )
    told = {name for line in tree.splitlines() for name in line[:29].replace("|", " ").split()}
    there = {path.stem for path in (ROOT / "importer").iterdir() if path.suffix in ("", ".py")}
    assert told == {name for name in there if not name.startswith("_")}


@pytest.mark.parametrize("name", ["journal", "ledger"])
def test_the_tables_of_a_journal_and_a_ledger_are_told(name: str) -> None:
    tables = re.findall(r"CREATE TABLE (\w+)", read(f"importer/jobs/{name}.sql"))
    _, _, told = read("docs/design/across-jobs.md").partition(f"| {name} (`{name}.sql`) | holds |")
    lines = re.findall(r"^\| (`.*?`) \|", told.partition("\n\n")[0], re.MULTILINE)
    named = {table for line in lines for table in re.findall(r"`(\w+)`", line)}
    assert named == set(tables)


def test_the_sessions_and_scenarios_that_pages_name_are_there() -> None:
    sessions = set(re.findall(r"^def ([a-z]\w*)\(", read("noxfile.py"), re.MULTILINE))
    contributing = read("CONTRIBUTING.md")
    assert set(re.findall(r"nox -s (\w+)", contributing)) <= sessions
    listed = re.search(r"for function in \((.*?)\)", read("benchmarks/scenarios.py"), re.DOTALL)
    assert listed is not None
    there = {name.replace("_", "-") for name in re.findall(r"\w+", listed[1])}
    lines = re.findall(r"^\| (`.*?`) \|", read("benchmarks/README.md"), re.MULTILINE)
    assert {name for line in lines for name in re.findall(r"`([\w-]+)`", line)} == there


@pytest.mark.parametrize("page", USED)
def test_the_files_of_options_that_a_page_shows_can_be_used(page: str) -> None:
    schema = json.loads(schema_page())
    for shown in re.findall(r"^```toml\n(.*?)^```", read(page), re.DOTALL | re.MULTILINE):
        jsonschema.validate(tomllib.loads(shown), schema)


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


def test_the_reference_has_every_key_of_the_summary() -> None:
    schema = json.loads((ROOT / "docs/summary.schema.json").read_text("utf-8"))
    _, _, table = REFERENCE.partition("**[F4]**")
    lines = re.findall(r"^\| (`.*?`) \|", table.partition("**[F5]**")[0], re.MULTILINE)
    told = {key for line in lines for key in re.findall(r"`(\w+)`", line)}
    assert told == set(schema["properties"])


def test_the_reference_names_everything_that_has_a_name() -> None:
    names = [*OutcomeKind, *Reason, *RunEnd, *Warn, *Limit, *FAULT_NAMES]
    assert [name for name in names if not re.search(f"`{name}[`=]", REFERENCE)] == []
    assert [code for code in ExitCode if str(int(code)) not in REFERENCE] == []
    (public,) = re.findall(r"\[P1\].*", REFERENCE)
    unnamed = [name for name in importer.__all__ if f"`{name}`" not in public]
    enums = (OutcomeKind, Reason, RunEnd, Warn, Meaning, InputFormat, LongComments)
    assert set(unnamed) == {enum.__name__ for enum in enums}, "which are “the enums”"
