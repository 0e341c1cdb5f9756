"""`clarityq-import run`: import, show how it goes, and say what comes next."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import anyio.abc
import click

from importer.clarityq.api_key import ApiKey
from importer.cli.commands.check import review
from importer.cli.config_file import CONTEXT
from importer.cli.console import output
from importer.cli.log_view import LineObserver, logging_to_stderr
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
from importer.cli.summary_view import print_summary
from importer.common.durations import format_duration
from importer.engine.control import Control
from importer.engine.progress import Observer
from importer.errors import ExitCode, SettingsError, one_error
from importer.model import RunEnd
from importer.reporting.outcomes_table import check_outcomes_path, write_outcomes
from importer.reporting.summary import Summary
from importer.sandbox.faults import Faults
from importer.settings import ImportSettings

#: Where a command's context holds the `Summary` of its run.
SUMMARY = "importer.summary"

SHOWING = (
    click.option(
        "--outcomes", type=PATH, metavar="FILE",
        help="Write the outcome of every row to this .csv or .parquet file.",
    ),
    click.option("--quiet", is_flag=True,
                 help="No progress; the summary only if something is left."),
    click.option(
        "--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True,
        help="Form of the progress lines and of the summary.",
    ),
)  # fmt: skip


@click.command(context_settings=CONTEXT)
@INPUTS
@click.option("--product-id", required=True, help="UUID of the product that is rated.")
@click.option("--sandbox", is_flag=True, help="Rehearse against a stand-in inside this run.")
@FAULT
@with_options(READING)
@with_options(SENDING)
@click.option("--dry-run", is_flag=True, help="Check the inputs as `check` does; send nothing.")
@with_options(SHOWING)
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
    if fault and not settings.sandbox:
        raise SettingsError("--fault is for the sandbox: add --sandbox, or leave it out")
    showing = Showing(outcomes, quiet=quiet, as_json=log_format == "json")
    return perform(ctx, settings, showing, api_key_file, Faults.parse(fault))


class Showing(NamedTuple):
    """What is shown of a run: see the options `SHOWING`."""

    outcomes: Path | None
    quiet: bool
    as_json: bool


def perform(
    ctx: click.Context,
    settings: ImportSettings,
    showing: Showing,
    api_key_file: Path | None,
    faults: Faults,
) -> ExitCode:
    """Run an import, show how it goes, and print its summary; return the exit code."""
    if showing.outcomes is not None:
        check_outcomes_path(showing.outcomes)
    key = None if settings.sandbox else find_key(api_key_file)
    with ExitStack() as stack:
        stack.enter_context(logging_to_stderr(as_json=showing.as_json, quiet=showing.quiet))
        observer: Observer = LineObserver()
        if _is_terminal() and not showing.quiet and not showing.as_json:
            from importer.cli.live_view import LiveObserver  # noqa: PLC0415 -- for terminals only

            observer = stack.enter_context(LiveObserver())
        summary = anyio.run(
            _run, settings, key, faults, observer, backend_options={"use_uvloop": _has_uvloop()}
        )
    ctx.meta[SUMMARY] = summary
    if showing.outcomes is not None:
        write_outcomes(summary.folder, showing.outcomes)
    if showing.as_json:
        line = json.dumps({"event": "summary", **summary.as_json()})
        output().print(line, soft_wrap=True)
    elif not showing.quiet or summary.exit_code is not ExitCode.OK:
        print_summary(summary, ctx)
    return summary.exit_code


async def _run(
    settings: ImportSettings, key: ApiKey | None, faults: Faults, observer: Observer
) -> Summary:
    from importer.api import run_import  # noqa: PLC0415 -- heavy, and --help does without

    # What is loaded by now stays: the collector need not look at it again and again.
    gc.freeze()
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
