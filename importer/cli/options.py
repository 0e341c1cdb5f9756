"""The options of the commands, made from the declared ones; and what their values mean."""

# Annotations are read when the groups are made, so they are not put off.

import os
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

import click
from click.core import ParameterSource

from importer.clarityq.api_key import ApiKey
from importer.clarityq.key_sources import (
    key_from_command,
    key_from_file,
    key_of_the_surroundings,
)
from importer.cli import help as command_help
from importer.errors import SettingsError
from importer.sandbox.faults import Faults
from importer.settings import SETTINGS_GROUPS, ImportSettings, Retry
from importer.settings.derive import arguments, build, options_of, values_of
from importer.settings.groups import JobRules
from importer.settings.kinds import CA_FILE, FLAG, PATH, Kind
from importer.settings.option import REQUIRED, Group, Option, option
from importer.settings.places import has_password, read_place

_Command = TypeVar("_Command", bound=Callable[..., Any])

#: The variable with the address of the database that `--sql` reads from.
SQL_URL = "CLARITYQ_SQL_URL"


class LogFormat(StrEnum):
    """The form of what a run tells."""

    TEXT = "text"
    JSON = "json"


def _faults(value: object) -> Faults:
    if isinstance(value, Faults):
        return value
    return Faults.parse(map(str, value if isinstance(value, (list, tuple)) else [value]))


_FAULTS = Kind(
    "NAME=VALUE", _faults, {"type": ["string", "array"], "items": {"type": "string"}}, many=True
)


class KeySource(Group, table="key"):
    """Where the API key comes from."""

    file: Path | None = option(
        None, "File that holds the API key, and nothing else.", flag="--api-key-file",
        unset="CLARITYQ_API_KEY, a secret of systemd or the container, or a prompt", guarded=True,
    )  # fmt: skip
    command: str | None = option(
        None, "Command that prints the API key, within 30 s; it is run without a shell.",
        flag="--api-key-command", guarded=True,
    )  # fmt: skip


class Rehearsal(Group, table="rehearsal"):
    """Try out an import first."""

    fault: Annotated[Faults, _FAULTS] = option(
        (), "Fault of the sandbox, such as 5xx=1% or not-completed=5%:10s. Repeatable."
    )
    dry_run: bool = option(False, "Do what `plan` does; send nothing.")


class Display(Group, table="display"):
    """What is shown of a run."""

    outcomes: Path | None = option(
        None, "Write the outcome of every row to this .csv or .parquet file."
    )
    quiet: bool = option(False, "No progress; the summary only if something is left.")
    log_format: LogFormat = option(LogFormat.TEXT, "Form of the progress lines and of the summary.")


#: All options of `run`, in the order of its help.
RUN_GROUPS: tuple[type[Group], ...] = (
    SETTINGS_GROUPS["target"], KeySource, Rehearsal,
    *(group for name, group in SETTINGS_GROUPS.items() if name != "target"), Display,
)  # fmt: skip


class Request(NamedTuple):
    """What `run` is asked to do."""

    settings: ImportSettings
    key: KeySource
    rehearsal: Rehearsal
    display: Display

    @classmethod
    def of(cls, values: Mapping[str, object], retry: Retry | None = None) -> "Request":
        """Return what is meant by the values, by flat name. Raises `SettingsError`."""
        return cls(
            settings_of(values, retry),
            build(KeySource, values), build(Rehearsal, values), build(Display, values),
        )  # fmt: skip


def settings_of(values: Mapping[str, object], retry: Retry | None = None) -> ImportSettings:
    """Return the settings among the values, by flat name. Raises `SettingsError`."""
    names = options_of(SETTINGS_GROUPS.values())
    chosen = {name: value for name, value in values.items() if name in names}
    if not chosen.get("inputs", True):
        database = os.environ.get(SQL_URL, "")
        if chosen.get("sql") is None:
            raise click.UsageError("Missing argument 'INPUT...'.")
        if not database:
            raise SettingsError(
                f"--sql: which database? Set {SQL_URL} to its address, such as "
                "postgresql://reader:PASSWORD@host/database"
            )
        chosen["inputs"] = [database]
    return ImportSettings.read(chosen, retry)


class _Declared(click.ParamType[Any]):
    """The type of a declared option."""

    def __init__(self, declared: Option) -> None:
        self.name = declared.kind.metavar
        self._read = declared.read

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class PathName(click.Path):
    """A path; an empty one, such as of a variable that is not set, is refused."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(
        self,
        value: Any,  # noqa: ANN401 -- as click has it
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:  # noqa: ANN401
        """See `click.ParamType`."""
        if value == "":
            self.fail("the path is empty", param, ctx)
        return super().convert(value, param, ctx)


class InputName(click.ParamType[Any]):
    """Where an input is: a path or an address."""

    name = "input"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        """See `click.ParamType`."""
        if value == "":
            self.fail("the path is empty", param, ctx)
        try:
            place = read_place(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if has_password(place):
            self.fail(
                "the address holds a password, which other users of the machine can see among the "
                f"arguments: set {SQL_URL} to the address of a database, and put any other into a "
                "batch file",
                param,
                ctx,
            )
        return place


def options_from(
    *groups: type[Group],
    only: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
    required: bool = True,
    hidden: bool = False,
) -> Callable[[_Command], _Command]:
    """Return a decorator that gives a command the options of `groups`, or some, by flat name.

    With `required`, those that have no default have to be given. The help leaves `hidden` ones out.
    """
    chosen = [
        (group, declared)
        for group in groups
        for declared in group.options
        if declared.flag and (not only or declared.name in only) and declared.name not in without
    ]

    def decorate(command: _Command) -> _Command:
        for group, declared in reversed(chosen):
            details = _details(group, declared)
            details["required"] = required and declared.default is REQUIRED
            details["hidden"] = hidden
            add = command_help.option(declared.flag, declared.name, **details)
            command = add(command)
        return command

    return decorate


def _details(group: type[Group], declared: Option) -> dict[str, Any]:
    kind = declared.kind
    details: dict[str, Any] = {
        "help": declared.help,
        "section": command_help.title_of(group),
        "default_text": declared.default_text,
        "declared": declared,
    }
    if kind is FLAG:
        return {**details, "is_flag": True, "default": None}
    if kind.choices:
        return {**details, "type": click.Choice(kind.choices)}
    if kind.many:
        return {**details, "multiple": True, "type": str, "metavar": kind.metavar}
    path = kind in (PATH, CA_FILE)
    kind_of_value = PathName() if path else _Declared(declared)
    return {**details, "type": kind_of_value, "metavar": kind.metavar}


INPUTS = click.argument("inputs", nargs=-1, type=InputName(), metavar="INPUT...")
JOBS_DIR = options_from(JobRules, only=("jobs_dir",))


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that have a value."""
    return {name: value for name, value in options.items() if value not in (None, ())}


def written(options: Mapping[str, Any]) -> dict[str, object]:
    """Return the declared options that have a value, as a TOML file would hold them."""
    declared = options_of(RUN_GROUPS)
    values: dict[str, object] = {}
    for name, value in given(options).items():
        if name == "column":
            values[name] = dict(text.split("=", 1) for text in value)
        elif name in declared:
            option = declared[name]
            values[name] = list(value) if option.kind.many else option.write(option.read(value))
    return values


def jobs_folder(jobs_dir: Path | None) -> Path:
    """Return the folder of the jobs: the one that was given, or the usual one."""
    return JobRules().jobs_dir if jobs_dir is None else jobs_dir


def chosen_folder(ctx: click.Context, jobs_dir: Path | None) -> Path:
    """Return the folder of the jobs in a command of `jobs`, wherever its option stands."""
    here = ctx.get_parameter_source("jobs_dir") is ParameterSource.COMMANDLINE
    folder: Path = jobs_folder(jobs_dir) if here else ctx.obj
    return folder


def key_arguments(source: KeySource) -> list[str]:
    """Return the options that say the same, wherever that was said; empty if nothing was."""
    return arguments(given(values_of([source])), (KeySource,))


def find_key(source: KeySource) -> ApiKey:
    """Return the API key from where it is kept, or from a prompt on a terminal.

    Raises `SettingsError`.
    """
    if source.file is not None and source.command is not None:
        raise SettingsError("the API key comes from one place: leave out either --api-key-file "
                            "or --api-key-command")  # fmt: skip
    if source.file is not None:
        return key_from_file(source.file)
    if source.command is not None:
        return key_from_command(source.command)
    if (found := key_of_the_surroundings()) is not None:
        return found
    if sys.stdin.isatty():
        return ApiKey(click.prompt("API key", hide_input=True, err=True), "a prompt")
    raise SettingsError(
        "there is no API key: set CLARITYQ_API_KEY, or give --api-key-file or --api-key-command "
        "(or try the import with --sandbox, which needs none)"
    )
