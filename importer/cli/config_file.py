"""Where option values come from: arguments, then `CLARITYQ_…`, then a TOML file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from importer.common.text import did_you_mean
from importer.errors import SettingsError

DEFAULT_FILE = Path("clarityq-import.toml")
PREFIX = "CLARITYQ"
#: What all commands have in common, whether they are called by name or by another command.
CONTEXT = {"auto_envvar_prefix": PREFIX, "help_option_names": ["-h", "--help"]}

#: Options that may be given more than once; in the file, as a table or a list.
_LISTS = ("column", "ratings", "fault")

#: Variables that are not options.
_OTHER_VARIABLES = {"CLARITYQ_API_KEY", "CLARITYQ_IMPORT_COMPLETE"}


def load_defaults(ctx: click.Context, path: Path | None) -> None:
    """Give `ctx` the values of the file as defaults, and check the environment's names.

    Raises `SettingsError` for an unknown key or variable, naming the nearest known one.
    """
    known = _option_names(ctx)
    _check_environment(known)
    if path is None:
        if not DEFAULT_FILE.exists():
            return
        path = DEFAULT_FILE
    ctx.default_map = _defaults(path, read_toml(path, "--config "), known)


def read_toml(path: Path, given_by: str = "") -> dict[str, Any]:
    """Return what the file holds. Raises `SettingsError`, with the option that named it, if any."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{given_by}{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from None


def _defaults(path: Path, table: Mapping[str, Any], known: set[str]) -> dict[str, Any]:
    defaults: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name == "api_key":
            raise SettingsError(
                f"{path}: the API key does not belong in this file: set CLARITYQ_API_KEY or "
                "api_key_file"
            )
        if name not in known:
            raise SettingsError(f"{path}: {key!r} is not known{did_you_mean(name, known)}")
        if name not in _LISTS:
            if isinstance(value, dict):
                raise SettingsError(f"{path}: {key!r} takes a value, not a table")
            defaults[name] = value
        elif isinstance(value, dict):
            defaults[name] = [f"{word}={meaning}" for word, meaning in value.items()]
        else:
            defaults[name] = value if isinstance(value, list) else [value]
    return defaults


def _check_environment(known: set[str]) -> None:
    variables = {f"{PREFIX}_{name.upper()}" for name in known} | _OTHER_VARIABLES
    for variable in os.environ:
        if variable.startswith(f"{PREFIX}_") and variable not in variables:
            raise SettingsError(
                f"the environment variable {variable} is not known"
                f"{did_you_mean(variable, variables)}; unset it or correct it"
            )


def _option_names(ctx: click.Context) -> set[str]:
    """Return the options of all commands: one file serves all of them."""
    group = ctx.parent.command if ctx.parent is not None else None
    commands: Iterable[click.Command | None] = [ctx.command]
    if isinstance(group, click.Group):
        commands = [group.get_command(ctx, name) for name in group.list_commands(ctx)]
    return {
        parameter.name
        for command in commands
        if command is not None
        for parameter in command.params
        if isinstance(parameter, click.Option) and parameter.name
    }
