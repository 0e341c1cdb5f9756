"""Where option values come from: arguments, then `CLARITYQ_…`, then a TOML file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from importer.cli import help as command_help
from importer.cli.config_values import from_environment, from_table, read_toml, readable
from importer.cli.hiding import NOT_SHOWN
from importer.cli.options import given
from importer.common.text import did_you_mean
from importer.errors import SettingsError
from importer.jobs.commands import UNSET, unsetting
from importer.settings.option import PREFIX
from importer.settings.places import Place

_Command = TypeVar("_Command", bound=Callable[..., Any])

DEFAULT_FILE = Path("clarityq-import.toml")
#: Where a command's context holds the configuration files that were read, and what they say.
_FILES = "importer.configuration_files"
_DEFAULTS = "importer.defaults"
#: Where it holds what has set the options that are no arguments: a file or a variable, by name.
_ORIGINS = "importer.origins"
#: Where it holds the options that neither a file nor a variable is to set.
_UNSET = "importer.unset"
#: How an error names an option.
_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
#: A command, or options to be added, at the end of a line: what is proposed is not named.
_PROPOSED = re.compile(r"clarityq-import .*|: --[a-z][^:\n]*$", re.MULTILINE)


def _load_defaults(ctx: click.Context, _: click.Parameter, path: Path | None) -> None:
    """Give a command the values of the environment and of the file as its defaults.

    Raises `SettingsError` for a name that is not known or a value that cannot be used; the context
    then has the values that can be read, so that others can be told of it.
    """
    if path is None and _DEFAULTS in ctx.meta:  # loaded by the command above this one
        _use(ctx, ctx.meta[_DEFAULTS])
        return
    known = {n: option for n, option in options_below(ctx.find_root()) if n != "config"}
    unset = ctx.meta.get(_UNSET, ())
    own = {parameter.name or "" for parameter in ctx.command.params}
    values: dict[str, Any] = {}
    table: dict[str, Any] = {}
    origins = ctx.meta.setdefault(_ORIGINS, {})
    try:
        if path is not None or DEFAULT_FILE.exists():
            file = path or DEFAULT_FILE
            # Where the value is from, not every version of click knows yet.
            if path is not None and str(path) == os.environ.get("CLARITYQ_CONFIG"):
                _check_named_by_variable(path)
            ctx.meta[_FILES] = [file]
            table = read_toml(file, "--config " if path is not None else "")
            values |= from_table(file, table, known, own, unset, found=path is None)
            origins |= dict.fromkeys(values, str(file))
        of_environment = from_environment(known, own, unset)
        values |= of_environment
        origins |= {name: PREFIX + name.upper() for name in of_environment}
    except SettingsError:
        _use(ctx, readable(table, known, found=path is None))
        raise
    ctx.meta[_DEFAULTS] = values
    _use(ctx, values)


def _use(ctx: click.Context, values: Mapping[str, Any]) -> None:
    """Give a command these values as its defaults, but for those that are taken back."""
    unset = ctx.meta.get(_UNSET, ())
    ctx.default_map = {name: value for name, value in values.items() if name not in unset}
    for name in unset:
        ctx.meta.get(_ORIGINS, {}).pop(name, None)


def _check_named_by_variable(file: Path) -> None:
    if not file.exists():
        raise SettingsError(f"CLARITYQ_CONFIG {NOT_SHOWN} names no file")


class _ConfigOption(command_help.CommandOption):
    """Knows which options are taken back before it reads their values, in whichever order."""

    def handle_parse_result(
        self, ctx: click.Context, opts: Mapping[str, Any], args: list[str]
    ) -> tuple[Any, list[str]]:
        """Raise `SettingsError` if an option to be taken back is not known."""
        known = {name for name, _ in options_below(ctx.find_root())}
        for name in (one.removeprefix("--").replace("-", "_") for one in opts.get("unset", ())):
            if name == "config":
                raise SettingsError(
                    "--unset config: it takes back what the configuration sets, and not which it "
                    "is: name another file with --config, or unset CLARITYQ_CONFIG"
                )
            if name not in known:
                raise SettingsError(f"--unset: {name!r} is not known{did_you_mean(name, known)}")
            ctx.meta.setdefault(_UNSET, []).append(name)
        return super().handle_parse_result(ctx, opts, args)


_CONFIG = command_help.option(
    "--config", cls=_ConfigOption, type=click.Path(path_type=Path), envvar="CLARITYQ_CONFIG",
    is_eager=True, expose_value=False, callback=_load_defaults, section=command_help.OTHER,
    metavar="FILE", help="TOML file with values for these options.",
    default_text=f"{DEFAULT_FILE}, if it exists",
)  # fmt: skip
_TAKING_BACK = command_help.option(
    UNSET, "unset", multiple=True, expose_value=False,
    allow_from_autoenv=False, section=command_help.OTHER, metavar="NAME",
    help="Take an option, such as limit, as if neither that file nor a variable set it. "
    "Repeatable.",
)  # fmt: skip


def CONFIG(command: _Command) -> _Command:  # noqa: N802 -- a decorator, as those of other options
    """Give a command the options that say what its configuration is."""
    return _CONFIG(_TAKING_BACK(command))


def files_read(ctx: click.Context) -> list[Path]:
    """Return the configuration files that a command has read."""
    return list(ctx.meta.get(_FILES, ()))


def origins_of(ctx: click.Context) -> dict[str, str]:
    """Return what has set the options of a command that are no arguments: a file or a variable."""
    arguments = {
        name for name in ctx.params if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    found: dict[str, str] = ctx.meta.get(_ORIGINS, {})
    return {name: origin for name, origin in found.items() if name not in arguments}


def with_origins(text: str, origins: Mapping[str, str]) -> str:
    """Return what an error says, and what has set the options that it names (see `origins_of`).

    That has a line of its own: whoever pastes a command at the end would paste it too.
    """
    flags = _FLAG.findall(_PROPOSED.sub("", text))
    named = {flag: flag[2:].replace("-", "_") for flag in flags}
    told = [f"{flag} is set in {origins[name]}" for flag, name in named.items() if name in origins]
    return f"{text}\n({', '.join(told)})" if told else text


def config_arguments(ctx: click.Context) -> list[str]:
    """Return the arguments that say what the configuration of a command is, if there are any."""
    is_named = ctx.get_parameter_source("config") is ParameterSource.COMMANDLINE
    files = files_read(ctx) if is_named else []
    named = [word for file in files for word in ("--config", str(file))]
    return [*named, *unsetting(ctx.meta.get(_UNSET, ()))]


def with_inputs(
    ctx: click.Context, options: Mapping[str, Any], inputs: Sequence[Place]
) -> dict[str, Any]:
    """Return the options of a command that have a value, with the `inputs` that it was given.

    A query that a configuration sets is none of files that are named, such as left-over ones.
    """
    values = {**given(options), "inputs": inputs}
    is_typed = ctx.get_parameter_source("sql") is ParameterSource.COMMANDLINE
    if not is_typed and any(isinstance(place, Path) for place in inputs):
        values.pop("sql", None)
    return values


def configured(ctx: click.Context) -> dict[str, Any]:
    """Return the options that files and variables set, by flat name, also those typed besides."""
    return {name: value for name, value in (ctx.default_map or {}).items() if value}


def ever_configured(ctx: click.Context) -> set[str]:
    """Return the options that files and variables set, by flat name, and those that are taken back.

    The next command may be without that.
    """
    return {*configured(ctx), *ctx.meta.get(_UNSET, ())}


def log_format_said(words: Sequence[str]) -> str:
    """Return the form of the log that the files of a command say, whatever else is wrong in them.

    `words` are its arguments: a configuration, or the file of a batch, may be among them.
    """
    batch = words[words.index("batch") + 1 :] if "batch" in words else []
    config = [after for word, after in pairwise(words) if word == "--config"]
    config = config or [os.environ.get("CLARITYQ_CONFIG") or str(DEFAULT_FILE)]
    for file in [*(word for word in batch if not word.startswith("-")), *config]:
        with suppress(SettingsError):
            table = read_toml(Path(file))
            display = table.get("display")
            for found in (table, display if isinstance(display, dict) else {}):
                if said := found.get("log_format", found.get("log-format")):
                    return str(said)
    return ""


def options_below(ctx: click.Context) -> Iterator[tuple[str, click.Option]]:
    """Yield the options of all commands that are not arguments only, by name.

    One file serves all commands.
    """
    command = ctx.command
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            if (below := command.get_command(ctx, name)) is not None:
                yield from options_below(click.Context(below, parent=ctx))
    for parameter in command.params if ctx.parent is not None else ():
        if isinstance(parameter, click.Option) and parameter.name and parameter.allow_from_autoenv:
            yield parameter.name, parameter
