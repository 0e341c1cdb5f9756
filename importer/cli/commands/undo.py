"""`clarityq-import undo`: take back what a job has stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from importer.cli.cannot_start import ToldCommand, failure_told
from importer.cli.commands.retry import runs_of
from importer.cli.commands.run import perform, typed
from importer.cli.config_file import CONFIG, ever_configured, files_read
from importer.cli.console import messages, output
from importer.cli.help import command, examples, option
from importer.cli.options import (
    Display,
    KeySource,
    Rehearsal,
    Request,
    find_key,
    given,
    jobs_folder,
    key_arguments,
    options_from,
)
from importer.cli.undo_view import print_table, to_end_first
from importer.errors import ExitCode, UnfinishedJobError
from importer.jobs.commands import (
    ONCE,
    Again,
    command_line,
    not_for_left_overs,
    options_told,
    path_argument,
    replacing_command,
)
from importer.jobs.find_job import find_job
from importer.jobs.inputs import UNDO_NAME
from importer.jobs.own_commands import CLEARS, SAME_IN_UNDO, label_of_undo
from importer.settings import SANDBOX
from importer.settings.derive import options_of
from importer.settings.groups import (
    AbortRules,
    Deferral,
    Exports,
    JobRules,
    LedgerUse,
    Pacing,
    Retries,
    Target,
    Timeouts,
)
from importer.workflows.undo_job import UndoTable, plan_undo

_REHEARSAL = "REHEARSAL: nothing of the job {} was sent to ClarityQ, and nothing of its undo is."


@command(
    cls=ToldCommand,
    epilog=examples("undo ratings-2026", "undo ratings-2026 --clear-unknown --yes"),
)
@click.argument("job")
@option(
    "--yes",
    is_flag=True,
    allow_from_autoenv=False,
    help="Do it; without it, only what it would do is shown.",
)
@option(
    "--clear-unknown",
    is_flag=True,
    help="Clear the feedback of conversations of which it is not known what they held before.",
)
@options_from(Target, only=("ca_file", "trust_env"))
@options_from(KeySource)
@options_from(Rehearsal, only=("fault",))
@options_from(Pacing, Retries, Deferral, Timeouts)
@options_from(AbortRules, only=("max_failures", "canary", "outage_for"))
@options_from(LedgerUse, only=("keep_bodies",))
@options_from(JobRules, without=("restart", "as_new", "keep_copies"))
@options_from(Exports, Display)
@CONFIG
@click.pass_context
def undo(
    ctx: click.Context,
    /,
    job: str,
    jobs_dir: Path | None,
    *,
    yes: bool,
    clear_unknown: bool,
    **options: Any,
) -> ExitCode:
    """Take back what JOB has stored, where no later job has come after it.

    What a conversation held before is sent again if it is known: ratings without a comment are, and
    what was sent by jobs with --keep-bodies. What the job has left over is given up. The undo is a
    job of its own: the same command resumes it. JOB is a job's folder, its name, or the beginning
    of its name. If several jobs of one command match, the latest is taken; if jobs of different
    commands match, that is an error.
    """
    with failure_told(given(options)):
        folder = find_job(jobs_folder(jobs_dir), job)
        record = runs_of(folder)[-1].settings
    values = {
        **{name: record[name] for name in options_of(SAME_IN_UNDO) if name in record},
        "label": label_of_undo(folder),
        **given(options),
        "inputs": [folder.absolute() / UNDO_NAME],
        "jobs_dir": folder.parent,
        "no_history_check": True,
    }
    words = ["undo", path_argument(folder), *[CLEARS] * clear_unknown]
    typed_words = typed(ctx, without=ONCE)
    clearing = command_line([*words[:2], CLEARS, *typed_words, "--yes"])
    once = command_line([*words, *typed_words, "--yes"])
    with failure_told(values):
        request = Request.of(values)
        if yes and not request.settings.target.sandbox:
            find_key(request.key)  # without one nothing is given up, nor taken back
        with _named(once, request):
            found = plan_undo(
                request.settings, folder, key_arguments(request.key),
                clear_unknown=clear_unknown, write=yes,
            )  # fmt: skip
    if request.settings.target.service == SANDBOX and not (yes and request.display.quiet):
        output().print(_REHEARSAL.format(folder.name), soft_wrap=True)
    if isinstance(found, UndoTable):
        if yes and not found.may_begin:
            raise UnfinishedJobError(to_end_first(folder.name, found, once))
        if not yes or not found.to_send or not request.display.quiet:
            print_table(folder, found, once, clearing, done=yes)
        if not found.to_send:
            return ExitCode.OK
    elif yes:
        messages().print(f"going on with the undo {found}, as it was decided when it began")
    else:
        output().print(f"The undo {found} is not finished. To go on:\n  {once}", soft_wrap=True)
    if not yes:
        return ExitCode.OK
    again = Again(
        [*words, *typed_words, "--yes"],
        _of_left_overs(request),
        typed(ctx, groups=(KeySource,)),
        key_arguments(request.key),
        not_for_left_overs(ever_configured(ctx)),
    )
    with _named(once, request):
        code, _ = perform(request, again, files_read(ctx))
    return code


def _of_left_overs(request: Request) -> list[str]:
    """Return the options with which `run` imports a file that the undo leaves over."""
    record = request.settings.as_record()
    others = record.keys() - options_of(SAME_IN_UNDO) - {"jobs_dir"}
    told = options_told(record, without=others)
    return [*told, *key_arguments(request.key)]


@contextmanager
def _named(once: str, request: Request) -> Iterator[None]:
    """Let a job in the way be told with `once`, the command of the undo, in place of its job's."""
    try:
        yield
    except UnfinishedJobError as error:
        of_job = replacing_command(request.settings, key_arguments(request.key))
        told = str(error).replace(of_job, f"{once} --replace")
        raise UnfinishedJobError(told) from None
