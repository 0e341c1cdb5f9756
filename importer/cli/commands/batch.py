"""`clarityq-import batch`: several imports from one file, one after the other."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from glob import glob
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TextIO

import click
from click.core import ParameterSource
from rich.table import Column, Table

from importer.cli.cannot_start import ToldCommand, failure_told
from importer.cli.commands.run import perform
from importer.cli.config_file import (
    CONFIG,
    config_arguments,
    ever_configured,
    files_read,
    origins_of,
    with_origins,
)
from importer.cli.config_values import read_toml
from importer.cli.console import messages, outcome_counts, output, plain
from importer.cli.defects import explained
from importer.cli.help import command, examples
from importer.cli.hiding import without_keys
from importer.cli.log_view import log_failure
from importer.cli.options import (
    RUN_GROUPS,
    Display,
    KeySource,
    LogFormat,
    PathName,
    Request,
    key_arguments,
    options_from,
)
from importer.errors import ExitCode, ImporterError, InputError, SettingsError
from importer.jobs.commands import NOT_OF_LEFT_OVERS, ONCE, Again, not_for_left_overs
from importer.reporting.summary import Summary
from importer.settings.derive import arguments, flat, options_of

#: From bad to good: the first that occurs is the exit code of all.
_WORST_FIRST = (
    ExitCode.SIGINT, ExitCode.SIGTERM, ExitCode.SIGHUP, ExitCode.DEFECT, ExitCode.ABORTED,
    ExitCode.USAGE, ExitCode.DATA_LIMIT, ExitCode.JOB_HELD, ExitCode.TIME_BOX,
    ExitCode.ROWS_NOT_IMPORTED, ExitCode.NOT_COMPLETED, ExitCode.OK,
)  # fmt: skip


class Entry(NamedTuple):
    """One import of a batch, with its options by flat name."""

    name: str
    options: Mapping[str, Any]
    #: What has set them, where that is no argument.
    origins: Mapping[str, str] = MappingProxyType({})


class _Ended(NamedTuple):
    name: str
    exit_code: ExitCode
    summary: Summary | None
    message: str = ""


@command(cls=ToldCommand, epilog=examples("batch imports.toml", "batch imports.toml --quiet"))
@click.argument("file", type=PathName())
@options_from(KeySource)
@options_from(Display, only=("quiet",))
@CONFIG
@click.pass_context
def batch(ctx: click.Context, /, file: Path, **options: Any) -> ExitCode:
    """Run the imports that FILE (TOML) lists, in order, each as a job of its own.

    Each [[import]] has an input (a pattern, or a list of them), any option of `run`, and, if you
    like, a name, which stands above what is printed of it. What is above them holds for all. One
    that fails does not keep the others from running. The exit code is the worst one.
    """
    known = options_of(RUN_GROUPS)
    usual = {name: value for name, value in (ctx.default_map or {}).items() if name in known}
    typed = {
        name: value
        for name, value in options.items()
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    repeated = {name: value for name, value in typed.items() if name not in ONCE}
    resume = ["batch", str(file), *arguments(repeated, RUN_GROUPS), *config_arguments(ctx)]
    ended: list[_Ended] = []
    with failure_told({**usual, "inputs": [file]}):
        entries = read_batch(file)
    for entry in entries:
        values = {**usual, **entry.options, **typed}
        origins = {**origins_of(ctx), **dict.fromkeys(entry.options, str(file))}
        origins = {name: origin for name, origin in origins.items() if name not in typed}
        with _headed(entry.name, values):
            files = [*files_read(ctx), file]
            one = Entry(entry.name, values, origins)
            ended.append(_run(one, resume, files, ever_configured(ctx)))
        if ended[-1].exit_code in (ExitCode.SIGINT, ExitCode.SIGTERM, ExitCode.SIGHUP):
            break
    codes = {one.exit_code for one in ended}
    in_json = all(_is_json({**usual, **entry.options}) for entry in entries)
    if not in_json and (not typed.get("quiet") or codes != {ExitCode.OK}):
        _print(ended)
    return next(code for code in _WORST_FIRST if code in codes)


def _is_json(options: Mapping[str, Any]) -> bool:
    """Return whether the log of an import with these options is JSON."""
    return options.get("log_format") == LogFormat.JSON


class _Headed:
    """A stream on which a heading comes first, once there is something to write."""

    def __init__(self, stream: TextIO, heading: str) -> None:
        self._stream = stream
        self._heading = heading

    def write(self, text: str) -> int:
        if text:
            heading, self._heading = self._heading, ""
            self._stream.write(heading)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- as the stream has it
        return getattr(self._stream, name)


@contextmanager
def _headed(name: str, values: Mapping[str, Any]) -> Iterator[None]:
    """Name the import above what is printed of it: of both streams, which may go elsewhere."""
    if _is_json(values):
        yield  # each line is an object
        return
    heading = plain(f"Import {name}:\n")
    error: Any = _Headed(sys.stderr, heading)
    to_output: Any = _Headed(sys.stdout, heading)
    if not values.get("quiet"):
        error = sys.stderr
        error.write(heading)
        if sys.stdout.isatty():  # where both are seen
            to_output = sys.stdout
    with redirect_stderr(error), redirect_stdout(to_output):
        yield


def _run(entry: Entry, resume: list[str], files: list[Path], usual: Collection[str]) -> _Ended:
    """Run one of the imports; `usual` are the options that a configuration sets."""
    try:
        with failure_told(entry.options):
            request = Request.of(entry.options)
        options = {k: v for k, v in entry.options.items() if k not in NOT_OF_LEFT_OVERS}
        of_retry = arguments(entry.options, (KeySource,))
        of_files, taken_back = arguments(options, RUN_GROUPS), not_for_left_overs(usual)
        again = Again(resume, of_files, of_retry, key_arguments(request.key), taken_back)
        code, summary = perform(request, again, files)
    except ImporterError as error:
        return _failed(entry, error)
    except Exception as error:  # noqa: BLE001 -- the other imports are run all the same
        return _failed(entry, explained(error, None, keys=[os.environ.get("CLARITYQ_API_KEY", "")]))
    return _Ended(entry.name, code, summary)


def _failed(entry: Entry, error: ImporterError) -> _Ended:
    told = without_keys(str(error))
    if isinstance(error, (InputError, SettingsError)):
        told = with_origins(told, entry.origins)
    if _is_json(entry.options):
        log_failure(f"import {entry.name}: {told}", error.exit_code)
    else:
        messages().print(f"Error: {told}", soft_wrap=True)
    return _Ended(entry.name, error.exit_code, None, told)


def read_batch(file: Path) -> list[Entry]:
    """Return the imports that a file lists. Raises `SettingsError` for a name that is not known."""
    content = read_toml(file)
    imports = content.pop("import", None)
    if not isinstance(imports, list) or not imports:
        raise SettingsError(f"{file} lists no imports: it needs at least one [[import]]")
    entries = []
    for number, entry in enumerate(imports, start=1):
        where = f"{file}, import {number}"
        if not isinstance(entry, dict):
            raise SettingsError(f"{where} is not a table: write [[import]] above its options")
        name = str(entry.get("name", number))
        try:
            options = {**_flat(content), **_flat(entry)}
        except ValueError as error:
            raise SettingsError(f"{where}: {error}") from None
        options.pop("name", None)
        if not (patterns := options.pop("input", None)):
            raise SettingsError(f"{where}: there is no input")
        entries.append(Entry(name, {**options, "inputs": list(_files(patterns))}))
    return entries


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    values = flat(table, RUN_GROUPS, ("input", "name"))
    if "inputs" in values:
        raise ValueError("'inputs' is not known; did you mean 'input'?")
    return values


def _files(patterns: object) -> Iterator[str]:
    for pattern in map(str, patterns if isinstance(patterns, list) else [patterns]):
        # A pattern that nothing matches is named as a missing file.
        yield from sorted(glob(pattern)) or [pattern]  # noqa: PTH207 -- Path has none for any path


def _print(ended: list[_Ended]) -> None:
    table = Table("import", Column("exit", justify="right"), "outcomes", box=None, pad_edge=False)
    for one in ended:
        told = plain(one.message)
        if one.summary is not None:
            told = outcome_counts(one.summary.outcomes)
        table.add_row(plain(one.name), str(int(one.exit_code)), told)
    console = output()
    console.print()
    console.print(table)
