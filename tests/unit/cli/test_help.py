"""What `--help` tells, and which options a command has."""

import re

import click
import pytest
from click.testing import CliRunner

from importer.cli.app import cli

COMMANDS = [
    "check",
    "run",
    "retry",
    "batch",
    "plan",
    "doctor",
    "init",
    "undo",
    "forget",
    "jobs",
    "jobs prune",
    "jobs show",
    "jobs abandon",
    "explain",
    "outcomes",
    "sandbox",
]


def help_of(command: str) -> str:
    result = CliRunner().invoke(cli, [*command.split(), "--help"])
    assert result.exit_code == 0, result.output
    return result.output


def options_of(name: str) -> set[str]:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return {option for parameter in command.params for option in parameter.opts}


def test_the_options_of_a_run_stand_in_sections_with_examples() -> None:
    text = help_of("run")
    titles = re.findall(r"^(\w[\w ]*):$", text, re.MULTILINE)
    assert titles[:3] == ["Target", "Key", "Rehearsal"]
    assert titles[-2:] == ["Display", "Other"]
    assert len(re.findall(r"^    clarityq-import run .*$", text, re.MULTILINE)) == 3


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_names_its_variable_and_has_its_default_once(command: str) -> None:
    text = " ".join(help_of(command).split())
    assert "Examples:" in text
    for description in re.split(r" (?=--\w)", text.partition("-h, --help")[0])[1:]:
        flag = description.split()[0]
        if flag.startswith("--") and "env var" in description:
            variable = "CLARITYQ_" + flag[2:].upper().replace("-", "_")
            assert variable in description.replace(" ", "")
    assert "default: (" not in text
    assert not re.search(r"\[default:", text), "defaults stand beside the variable"


@pytest.mark.parametrize("command", ["plan", "doctor"])
def test_a_command_of_run_can_be_looked_at_as_it_is(command: str) -> None:
    assert options_of(command) >= options_of("run") - {"--dry-run"}
    assert "--late-effect" not in help_of(command)


def test_a_command_has_the_options_that_make_sense_for_it() -> None:
    assert options_of("check") == {
        "inputs", "--config", "--unset", "--write-ratings", "--write-config", "--format",
        "--delimiter", "--encoding", "--column", "--ratings", "--long-comments", "--newest-by",
        "--rate", "--max-rejected", "--json", "--null", "--skip-lines", "--trust-quotes",
        "--sheet", "--sql", "--in-order", "--ca-file", "--trust-env",
    }  # fmt: skip
    assert options_of("batch") == {
        "file", "--config", "--unset", "--api-key-file", "--api-key-command", "--quiet",
    }  # fmt: skip
    pointless = {"--restart", "--base-url", "--product-id", "--canary", "--carry-over",
                 "--skip-unchanged", "--refresh-after", "--encoding"}  # fmt: skip
    assert not options_of("retry") & pointless
    assert {"--only", "--rate", "--ca-file", "--notify-url", "--outcomes"} <= options_of("retry")
    assert pointless <= options_of("run")
