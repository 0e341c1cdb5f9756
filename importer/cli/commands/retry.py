"""`clarityq-import retry`: try rows of a job again that did not succeed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from importer.cli.cannot_start import ToldCommand, failure_told
from importer.cli.commands.run import perform, typed
from importer.cli.config_file import CONFIG, ever_configured, files_read
from importer.cli.help import command, examples, option
from importer.cli.options import (
    Display,
    KeySource,
    Rehearsal,
    Request,
    given,
    jobs_folder,
    key_arguments,
    options_from,
)
from importer.errors import ExitCode, JournalError, SettingsError
from importer.jobs.commands import (
    NOT_OF_LEFT_OVERS,
    ONCE,
    Again,
    not_for_left_overs,
    options_told,
    path_argument,
)
from importer.jobs.find_job import find_job
from importer.jobs.journal_reader import JournalReader, PastRun
from importer.jobs.key_source import note_on_key
from importer.jobs.own_commands import how_to_resume
from importer.model import OutcomeKind, Reason, RunEnd
from importer.settings import Retry
from importer.settings.groups import (
    AbortRules,
    Deferral,
    Exports,
    JobRules,
    Pacing,
    Retries,
    Target,
    Timeouts,
)

#: What the job began with, and a retry does not repeat.
_ANEW = {"restart": False, "replace": False, "carry_over": False}
#: Of the inputs as a whole, which were let through when the job began.
_LIMITS = ("max_rejected", "max_changes", "no_history_check", "accept_change")
_KINDS = (OutcomeKind.FAILED, OutcomeKind.NOT_COMPLETED)
_REASONS = (
    Reason.REFUSED, Reason.RETRIES_EXHAUSTED, Reason.DEFERRAL_DEADLINE, Reason.CONVERSATION_ERROR
)  # fmt: skip


@command(
    cls=ToldCommand,
    epilog=examples(
        "retry ratings-2026",
        "retry ratings-2026 --only failed --reason retries_exhausted",
    ),
)
@click.argument("job")
@option(
    "--only",
    type=click.Choice([str(kind) for kind in _KINDS]),
    help="Only rows with this outcome.",
    default_text="both",
)
@option(
    "--reason",
    multiple=True,
    type=click.Choice([str(reason) for reason in _REASONS]),
    help="Only rows that ended so for this reason. Repeatable.",
    default_text="any but conversation_error",
)
@options_from(Target, only=("ca_file", "trust_env"))
@options_from(KeySource)
@options_from(Rehearsal, only=("fault",))
@options_from(Pacing, Retries, Deferral, Timeouts)
@options_from(AbortRules, without=("canary", *_LIMITS))
@options_from(JobRules, without=("restart", "replace", "as_new"))
@options_from(Exports, Display)
@CONFIG
@click.pass_context
def retry(
    ctx: click.Context,
    /,
    job: str,
    only: str | None,
    reason: tuple[str, ...],
    jobs_dir: Path | None,
    **options: Any,
) -> ExitCode:
    """Send rows of JOB again that failed or were not completed, with the job's own settings.

    A row whose conversation a later job has set is not sent: that would undo the newer feedback.
    JOB is a job's folder, its name, or the beginning of its name. If several jobs of one command
    match, the latest is taken; if jobs of different commands match, that is an error.
    """
    with failure_told(given(options)):
        folder = find_job(jobs_folder(jobs_dir), job)
        runs = runs_of(folder)
    kinds = _KINDS if only is None else (OutcomeKind(only),)
    own = runs[-1].settings
    if runs[-1].run.end is RunEnd.LIMIT:
        own = {name: value for name, value in own.items() if name != "limit"}
    values = {**own, **given(options), "jobs_dir": folder.parent, **_ANEW}
    with failure_told(values):
        request = Request.of(values, retry=Retry(kinds, tuple(map(Reason, reason)), folder.name))
    words = [] if only is None else ["--only", only]
    words += [word for one in reason for word in ("--reason", one)]
    keys = typed(ctx, groups=(KeySource,))
    # Another abbreviation of its name may come to mean another job.
    again = Again(
        ["retry", path_argument(folder), *words, *typed(ctx, without=ONCE)],
        [*options_told(runs[-1].settings, without=NOT_OF_LEFT_OVERS), *keys],
        keys,
        key_arguments(request.key),
        not_for_left_overs(ever_configured(ctx)),
    )
    code, _ = perform(request, again, files_read(ctx))
    return code


def runs_of(folder: Path) -> list[PastRun]:
    """Return the runs of a job, at least one. Raises `SettingsError`."""
    try:
        with JournalReader(folder) as history:
            runs = history.runs()
        begins = "" if runs else how_to_resume(folder)
    except JournalError as error:
        raise SettingsError(str(error)) from None
    if begins:
        raise SettingsError(
            f"the job {folder.name} has never run, and has sent nothing. To begin it anew:\n  "
            f"{begins}{note_on_key(begins)}"
        )
    return runs
