"""What is shipped beside the code fits the code; `nox -s build` builds it and tries it."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.shell_completion import get_completion_class

from importer.cli.app import cli, main
from importer.errors import ExitCode

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def versions_of_constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    return {normal(line.split("==")[0]): line.split("==")[1] for line in lines}


def test_the_list_of_components_has_the_tested_versions_of_all_dependencies() -> None:
    (path,) = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["sbom-files"]
    content = json.loads((ROOT / path).read_text("utf-8"))
    assert content["bomFormat"] == "CycloneDX"
    listed = {normal(one["name"]): one["version"] for one in content["components"]}
    tested = versions_of_constraints()
    assert listed.items() <= tested.items(), "nox -s sbom"
    needed = {normal(re.split(r"[>=;\s]", line)[0]) for line in PROJECT["project"]["dependencies"]}
    assert needed <= listed.keys(), "nox -s sbom"
    root = content["metadata"]["component"]
    assert (root["name"], root["version"]) == ("clarityq-importer", PROJECT["project"]["version"])


@pytest.mark.parametrize("extra", ["excel", "cloud", "sql", "distributed", "otel", "dev"])
def test_what_an_extra_brings_has_a_tested_version(extra: str) -> None:
    needed = PROJECT["project"]["optional-dependencies"][extra]
    names = {normal(re.split(r"[>=;\[\s]", line)[0]) for line in needed}
    assert names <= versions_of_constraints().keys(), "nox -s constraints"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completions_are_those_of_the_command(
    shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = get_completion_class(shell)
    assert kind is not None
    # It would start the shell.
    monkeypatch.setattr(kind, "_check_version", lambda *_: None, raising=False)
    made = kind(cli, {}, "clarityq-import", "_CLARITYQ_IMPORT_COMPLETE").source()
    shipped = (ROOT / f"packaging/completions/clarityq-import.{shell}").read_text("utf-8")
    assert shipped.strip() == made.strip()


def test_a_release_needs_no_secret_and_pins_what_it_runs() -> None:
    text = (ROOT / ".github/workflows/release.yaml").read_text("utf-8")
    workflow = yaml.safe_load(text)
    assert "secrets." not in text
    assert workflow["permissions"] == {}
    assert workflow["jobs"]["publish"]["permissions"] == {"id-token": "write"}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) for action in used)
    sessions = re.findall(r"nox -s (\w+)", text)
    noxfile = (ROOT / "noxfile.py").read_text("utf-8")
    assert sessions
    assert all(f"def {name}(" in noxfile for name in sessions)


def test_windows_is_refused_with_what_to_use_instead(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Windows")
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == ExitCode.USAGE
    assert "WSL or a container" in capsys.readouterr().err
