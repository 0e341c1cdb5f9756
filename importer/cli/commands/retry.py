"""`clarityq-import retry`: try rows of a job again that did not succeed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from importer.cli.commands.run import SHOWING, Showing, perform
from importer.cli.config_file import CONTEXT
from importer.cli.options import CONFIG, FAULT, SENDING, jobs_folder, with_options
from importer.errors import ExitCode, SettingsError
from importer.jobs.folders import find_job
from importer.jobs.journal_reader import JournalReader
from importer.model import OutcomeKind, Reason
from importer.sandbox.faults import Faults
from importer.settings import Retry, recorded_settings

_KINDS = (OutcomeKind.FAILED, OutcomeKind.NOT_COMPLETED)
_REASONS = (
    Reason.REFUSED, Reason.RETRIES_EXHAUSTED, Reason.DEFERRAL_DEADLINE, Reason.CONVERSATION_ERROR
)  # fmt: skip


@click.command(context_settings=CONTEXT)
@CONFIG
@click.argument("job")
@click.option(
    "--only",
    type=click.Choice([str(kind) for kind in _KINDS]),
    help="Only rows with this outcome.  [default: both]",
)
@click.option(
    "--reason",
    "reasons",
    multiple=True,
    type=click.Choice([str(reason) for reason in _REASONS]),
    help="Only rows that ended so for this reason. Repeatable.  [default: any]",
)
@FAULT
@with_options(SENDING)
@with_options(SHOWING)
@click.pass_context
def retry(
    ctx: click.Context,
    /,
    job: str,
    only: str | None,
    reasons: tuple[str, ...],
    fault: tuple[str, ...],
    api_key_file: Path | None,
    outcomes: Path | None,
    quiet: bool,
    log_format: str,
    **options: Any,
) -> ExitCode:
    """Send rows of JOB again that failed or were not completed, with the job's own settings.

    Rows of a conversation that a later row, or a later job with a ledger, has set stay as they are:
    to send them now would undo the newer feedback.
    """
    folder = find_job(jobs_folder(options.pop("jobs_dir")), job)
    with JournalReader(folder) as history:
        runs = history.runs()
    if not runs:
        raise SettingsError(f"the job {folder.name} has never run: give its command again")
    changes = {
        name: value
        for name, value in options.items()
        if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT
    }
    kinds = _KINDS if only is None else (OutcomeKind(only),)
    settings = recorded_settings(
        runs[-1].settings,
        **{**changes, "jobs_dir": folder.parent, "restart": False},
        retry=Retry(kinds, tuple(map(Reason, reasons))),
    )
    showing = Showing(outcomes, quiet=quiet, as_json=log_format == "json")
    return perform(ctx, settings, showing, api_key_file, Faults.parse(fault))
