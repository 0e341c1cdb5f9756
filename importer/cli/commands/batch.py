"""`clarityq-import batch`: several imports from one file, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from glob import glob
from pathlib import Path
from typing import Any, NamedTuple

import click
from rich.table import Column, Table

from importer.cli.commands.run import SUMMARY, run
from importer.cli.config_file import CONTEXT, read_toml
from importer.cli.console import messages, outcome_counts, output, plain
from importer.cli.options import PATH
from importer.errors import ExitCode, ImporterError, SettingsError
from importer.reporting.summary import Summary

#: From bad to good: the first that occurs is the exit code of all.
_WORST_FIRST = (
    ExitCode.SIGINT, ExitCode.SIGTERM, ExitCode.ABORTED, ExitCode.USAGE, ExitCode.JOB_HELD,
    ExitCode.TIME_BOX, ExitCode.ROWS_NOT_IMPORTED, ExitCode.NOT_COMPLETED, ExitCode.OK,
)  # fmt: skip


class _Ended(NamedTuple):
    name: str
    exit_code: ExitCode
    summary: Summary | None
    message: str = ""


@click.command(context_settings=CONTEXT)
@click.argument("file", type=PATH)
def batch(file: Path) -> ExitCode:
    """Run the imports that FILE (TOML) lists, in order, each as a job of its own.

    Each [[import]] has an input (a pattern, or a list of them) and any option of `run`; what stands
    above them holds for all. One that fails does not keep the others from running. The exit code is
    the worst one.
    """
    ended: list[_Ended] = []
    for name, arguments in _read(file):
        messages().print(f"Import {name}:")
        ended.append(_run(name, arguments))
        if ended[-1].exit_code in (ExitCode.SIGINT, ExitCode.SIGTERM):
            break
    _print(ended)
    codes = {one.exit_code for one in ended}
    return next(code for code in _WORST_FIRST if code in codes)


def _run(name: str, arguments: list[str]) -> _Ended:
    try:
        with run.make_context("run", arguments) as ctx:
            code = run.invoke(ctx)
            return _Ended(name, ExitCode(code), ctx.meta.get(SUMMARY))
    except ImporterError as error:
        messages().print(f"Error: {error}", soft_wrap=True)
        return _Ended(name, error.exit_code, None, str(error))
    except click.ClickException as error:
        error.show()
        return _Ended(name, ExitCode.USAGE, None, error.format_message())


def _read(file: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the name and the arguments of each import. Raises `SettingsError` before the first."""
    content = read_toml(file)
    imports = content.pop("import", None)
    if not isinstance(imports, list) or not imports:
        raise SettingsError(f"{file} lists no imports: it needs at least one [[import]]")
    parsed = []
    for number, entry in enumerate(imports, start=1):
        options = {**content, **entry}
        name = str(options.pop("name", number))
        parsed.append((name, [*_options(options, f"{file}, import {name}"), *_files(options)]))
    yield from parsed


def _options(options: dict[str, Any], where: str) -> Iterator[str]:
    if not options.get("input"):
        raise SettingsError(f"{where}: there is no input")
    known = {param.name: param for param in run.params if isinstance(param, click.Option)}
    for key, value in options.items():
        if key == "input":
            continue
        option = known.get(key.replace("-", "_"))
        if option is None:
            raise SettingsError(f"{where}: {key!r} is no option of run")
        if option.is_flag:
            yield from [option.opts[0]] if value else []
            continue
        values = value if isinstance(value, list) else [value]
        if isinstance(value, Mapping):
            values = [f"{word}={meaning}" for word, meaning in value.items()]
        for item in values:
            yield from (option.opts[0], str(item))


def _files(options: Mapping[str, Any]) -> Iterator[str]:
    patterns = options["input"] if isinstance(options["input"], list) else [options["input"]]
    for pattern in map(str, patterns):
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
