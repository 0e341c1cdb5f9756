"""`clarityq-import run`: import, show how it goes, and say what comes next."""

from __future__ import annotations

import gc
import json
import os
import shlex
import signal
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import click
from click.core import ParameterSource
from rich.table import Column, Table

from importer.cli.check import review
from importer.cli.configuration import PREFIX
from importer.cli.console import output
from importer.cli.live import LiveObserver
from importer.cli.options import (
    FAULT,
    INPUTS,
    PATH,
    READING,
    SENDING,
    build_settings,
    find_key,
    with_options,
)
from importer.cli.progress import LIMITS, LineObserver, logging_to_stderr
from importer.control import Control, Observer
from importer.errors import ExitCode, SettingsError, one_error
from importer.model import OutcomeKind, RunEnd, Warn
from importer.quantities import counted, format_duration
from importer.reporting.files import REPORT_NAME
from importer.reporting.outcomes import check_outcomes_path, write_outcomes
from importer.reporting.summary import Summary
from importer.sandbox.faults import Faults
from importer.secret import ApiKey
from importer.settings import ImportSettings

#: In a shorter run, in seconds, what limited the speed is mostly its start.
_LONG_ENOUGH = 5.0
#: New objects between two looks of the garbage collector; a run makes hardly any cycles.
_COLLECT_AFTER = 50_000
_WARNINGS = {
    Warn.ECHO_DIFFERS: "stored otherwise than sent, by the service's own answer",
    Warn.COMMENT_TRUNCATED: "sent with the comment cut to 2,000 characters",
}


@click.command(context_settings={"auto_envvar_prefix": PREFIX})
@INPUTS
@click.option("--product-id", required=True, help="UUID of the product that is rated.")
@click.option("--sandbox", is_flag=True, help="Rehearse against a stand-in inside this run.")
@FAULT
@with_options(READING)
@with_options(SENDING)
@click.option("--dry-run", is_flag=True, help="Check the inputs as `check` does; send nothing.")
@click.option(
    "--outcomes",
    type=PATH,
    metavar="FILE",
    help="Write the outcome of every row to this .csv or .parquet file.",
)
@click.option("--quiet", is_flag=True, help="No progress; the summary only if something is left.")
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="Form of the progress lines and of the summary.",
)  # fmt: skip
@click.pass_context
def run(
    ctx: click.Context,
    /,
    inputs: tuple[Path, ...],
    fault: tuple[str, ...],
    api_key_file: Path | None,
    dry_run: bool,
    outcomes: Path | None,
    quiet: bool,
    log_format: str,
    **options: Any,
) -> ExitCode:
    """Import the rows of CSV and Parquet files, in the order given, as one job.

    The same command on the same files goes on where it stopped.
    """
    settings = build_settings(inputs, options)
    if dry_run:
        return review(settings)
    if outcomes is not None:
        check_outcomes_path(outcomes)
    if fault and not settings.sandbox:
        raise SettingsError("--fault is for the sandbox: add --sandbox, or leave it out")
    faults = Faults.parse(fault)
    key = None if settings.sandbox else find_key(api_key_file)

    as_json = log_format == "json"
    with ExitStack() as stack:
        stack.enter_context(logging_to_stderr(as_json=as_json, quiet=quiet))
        observer: Observer = LineObserver()
        if _is_terminal() and not quiet and not as_json:
            observer = stack.enter_context(LiveObserver())
        summary = anyio.run(
            _run, settings, key, faults, observer, backend_options={"use_uvloop": _has_uvloop()}
        )
    if outcomes is not None:
        write_outcomes(summary.folder, outcomes)
    if as_json:
        line = json.dumps({"event": "summary", **summary.as_json()})
        output().print(line, soft_wrap=True)
    elif not quiet or summary.exit_code is not ExitCode.OK:
        _print_summary(summary, ctx)
    return summary.exit_code


async def _run(
    settings: ImportSettings, key: ApiKey | None, faults: Faults, observer: Observer
) -> Summary:
    from importer.api import run_import  # noqa: PLC0415 -- heavy, and --help does without

    # What is loaded by now stays: the collector need not look at it again and again.
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
    control = Control()
    with one_error():
        async with anyio.create_task_group() as tasks:
            await tasks.start(_watch_signals, control, settings.grace, observer)
            summary = await run_import(
                settings, api_key=key, faults=faults, control=control, observers=[observer]
            )
            tasks.cancel_scope.cancel()
    return summary


async def _watch_signals(
    control: Control,
    grace: float,
    observer: Observer,
    *,
    task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """The first signal stops the run in good order, the second at once."""
    ends = {signal.SIGINT: RunEnd.SIGINT, signal.SIGTERM: RunEnd.SIGTERM}
    with anyio.open_signal_receiver(*ends) as signals:
        task_status.started()
        async for number in signals:
            if control.stopped():
                control.cancel(ends[number])
            else:
                observer.noticed(
                    f"stopping: requests in flight may take up to {format_duration(grace)}; "
                    "once more stops at once"
                )
                control.stop(ends[number])


def _is_terminal() -> bool:
    """Return whether standard error can show lines that change."""
    return sys.stderr.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")


def _has_uvloop() -> bool:
    try:
        import uvloop  # noqa: F401, PLC0415 -- not on every platform
    except ImportError:
        return False
    return True


def _print_summary(summary: Summary, ctx: click.Context) -> None:
    table = Table("outcome", Column("rows", justify="right"), "", box=None, pad_edge=False)
    for kind in OutcomeKind:
        reasons = ", ".join(
            f"{number:,} {str(reason).replace('_', ' ')}"
            for (of, reason), number in sorted(summary.reasons.items())
            if of is kind and kind not in (OutcomeKind.SUPERSEDED, OutcomeKind.SKIPPED)
        )
        table.add_row(str(kind), f"{summary.outcomes[kind]:,}", reasons)
    table.add_row("total", f"{summary.rows:,}")
    console = output()
    console.print()
    console.print(table)
    console.print()
    seconds = format_duration(max(0.0, summary.ended_at - summary.started_at))
    console.print(
        f"{_verdict(summary)} ({seconds}, {counted(summary.puts, 'PUT')})", soft_wrap=True
    )
    if summary.limited_by in LIMITS and summary.ended_at - summary.started_at > _LONG_ENOUGH:
        console.print(f"What limited the speed: {LIMITS[summary.limited_by]}.", soft_wrap=True)
    for warning, number in summary.warnings.items():
        console.print(f"{counted(number, 'row')} {_WARNINGS[warning]}.", soft_wrap=True)
    console.print(f"Job folder: {summary.folder}", soft_wrap=True)
    console.print(f"Report: {summary.folder / REPORT_NAME}", soft_wrap=True)
    for line in _next_steps(summary, ctx):
        console.print(line, soft_wrap=True)


def _verdict(summary: Summary) -> str:
    match summary.end:
        case RunEnd.FINISHED if summary.exit_code is ExitCode.OK:
            return "Done: every row is accounted for and nothing is left to do."
        case RunEnd.FINISHED if summary.exit_code is ExitCode.NOT_COMPLETED:
            return "Done, but for conversations that are not completed."
        case RunEnd.FINISHED:
            return "Done, but some rows were not imported."
        case RunEnd.SIGINT | RunEnd.SIGTERM:
            return "Stopped. What was answered is recorded."
        case _:
            return f"Aborted: {summary.message}."


def _next_steps(summary: Summary, ctx: click.Context) -> list[str]:
    """Return what to do now, as commands to type."""
    inputs = ctx.params["inputs"]
    if summary.end is not RunEnd.FINISHED:
        return [f"To go on: {_command(ctx, inputs)}"]
    steps = []
    for path in summary.files:
        number = summary.outcomes[OutcomeKind(path.stem)]
        if path.stem == OutcomeKind.NOT_COMPLETED:
            steps.append(
                f"To try the {counted(number, 'row')} not completed again later: "
                f"{_command(ctx, inputs)}"
            )
        else:
            steps.append(
                f"To import the {counted(number, 'row')} {path.stem}: mend {path}, then "
                f"{_command(ctx, [path], without=('format',))}"
            )
    return steps


def _command(ctx: click.Context, inputs: Iterable[Path], without: tuple[str, ...] = ()) -> str:
    """Return this command for `inputs`, with the options that were given as arguments."""
    words = ["clarityq-import", "run", *map(str, inputs)]
    for parameter in ctx.command.params:
        name = parameter.name or ""
        if (
            not isinstance(parameter, click.Option)
            or name in ("restart", *without)
            or ctx.get_parameter_source(name) is not ParameterSource.COMMANDLINE
        ):
            continue
        if parameter.is_flag:
            words.append(parameter.opts[0])
            continue
        value: Any = ctx.params[name]
        for item in value if parameter.multiple else [value]:
            words += [parameter.opts[0], str(item)]
    return shlex.join(words)
