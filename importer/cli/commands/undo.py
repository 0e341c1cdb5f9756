"""`clarityq-import undo`: take back what a job has stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.table import Column, Table

from importer.cli.cannot_start import ToldCommand, failure_told
from importer.cli.commands.retry import runs_of
from importer.cli.commands.run import perform, typed
from importer.cli.config_file import CONFIG, configured, files_read
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
from importer.common.text import counted, few_listed, is_or_are, sentence
from importer.errors import ExitCode, UnfinishedJobError
from importer.jobs.commands import (
    ONCE,
    SAME_IN_UNDO,
    Again,
    command_line,
    label_of_undo,
    not_for_left_overs,
    options_told,
    path_argument,
    replacing_command,
)
from importer.jobs.find_job import find_job
from importer.jobs.inputs import UNDO_NAME
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
from importer.workflows.left_over_again import in_words
from importer.workflows.undo_job import UndoTable, plan_undo

_REHEARSAL = "REHEARSAL: nothing of the job {} was sent to ClarityQ, and nothing of its undo is."
#: So many later jobs are named.
_MOST_NAMED = 3
_NOT_SEEN = (
    "Feedback that was given in the app since cannot be seen, and is replaced or cleared as well. "
    "The next full export sends all of it again, unless it is corrected."
)


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
    words = ["undo", path_argument(folder), *["--clear-unknown"] * clear_unknown]
    typed_words = typed(ctx, without=ONCE)
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
        if not yes or not found.to_send or not request.display.quiet:
            _print(folder, found, once, done=yes)
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
        _of_left_overs(ctx, request),
        typed(ctx, groups=(KeySource,)),
        key_arguments(request.key),
    )
    with _named(once, request):
        code, _ = perform(request, again, files_read(ctx))
    if isinstance(found, UndoTable) and found.kept and not request.display.quiet:
        clear = command_line(["undo", path_argument(folder), "--clear-unknown", *typed_words])
        output().print(
            f"What {folder.name} has stored stays in {counted(found.kept, 'conversation')}, as it "
            f"is not known what was there before. To clear that:\n  {clear}",
            soft_wrap=True,
        )
    if isinstance(found, UndoTable) and found.waits_again and not request.display.quiet:
        output().print(f"{in_words(folder.name, found.waits_again)}.", soft_wrap=True)
    return code


def _of_left_overs(ctx: click.Context, request: Request) -> list[str]:
    """Return the options with which `run` imports a file that the undo leaves over."""
    record = request.settings.as_record()
    others = record.keys() - options_of(SAME_IN_UNDO) - {"jobs_dir"}
    told = options_told(record, without=others)
    return [*told, *not_for_left_overs(configured(ctx)), *key_arguments(request.key)]


@contextmanager
def _named(once: str, request: Request) -> Iterator[None]:
    """Let a job in the way be told with `once`, the command of the undo, in place of its job's."""
    try:
        yield
    except UnfinishedJobError as error:
        of_job = replacing_command(request.settings, key_arguments(request.key))
        told = str(error).replace(of_job, f"{once} --replace")
        raise UnfinishedJobError(told) from None


def _print(folder: Path, found: UndoTable, command_to_type: str, *, done: bool) -> None:
    """Print what the undo does. What is to be given up is given up already if it is `done`."""
    cleared, left = found.unknown.number - found.kept, found.kept
    examples_of = ", ".join(found.unknown.examples)
    table = Table(
        f"undo of {folder.name}", Column("conversations", justify="right"), "such as",
        box=None, pad_edge=False,
    )  # fmt: skip
    for what, number, some in (
        ("restored: what they held before is known", found.restored.number,
         ", ".join(found.restored.examples)),
        ("sent: rows of earlier jobs whose place it had taken", found.waiting.number,
         ", ".join(found.waiting.examples)),
        ("cleared: what they held before is not known", cleared, examples_of),
        ("left: what they held before is not known", left, examples_of),
        ("left: a later job has set them, or tried to", found.later.number,
         ", ".join(found.later.examples)),
        ("left: taken back before", found.back.number, ", ".join(found.back.examples)),
    ):  # fmt: skip
        table.add_row(what, f"{number:,}", some if number else "")
    console = output()
    console.print(table)
    for remark in _remarks(folder.name, found, done=done):
        console.print(remark, soft_wrap=True)
    if not found.to_send:
        _print_nothing_to_send(found, "" if done else command_to_type)
        return
    console.print(_NOT_SEEN, soft_wrap=True)
    if not done:
        console.print(f"Nothing was sent. To do it:\n  {command_to_type}", soft_wrap=True)


def _remarks(job: str, found: UndoTable, *, done: bool) -> Iterator[str]:
    """Yield what a person should know beside the table, in sentences."""
    if found.later_jobs:
        yield (
            f"That has come from {few_listed(found.later_jobs, _MOST_NAMED)}. If it is wrong as "
            "well, take it back first, the latest job first, and then this one again."
        )
    if found.stay.number and found.gone:
        yield _stay(found)
    if found.earlier:
        yield f"It was taken back before, by {', '.join(found.earlier)}."
    if found.in_doubt:
        yield (
            f"Of {counted(found.in_doubt, 'conversation')} of these it is not known whether the "
            "job has set it."
        )
    if found.carried:
        yield (
            f"Carried over from earlier jobs, and not taken back: {counted(found.carried, 'row')}. "
            "A row goes with the undo of the job that brought it."
        )
    yield from _given_up(job, found, done=done)
    if found.not_sent:
        yield f"Not sent by the job, or refused: {counted(found.not_sent, 'row')}."
    if found.counts:
        yield (
            "With the undo the job counts for nothing: it is in the way of no other undo, and none "
            "brings back what it has stored."
        )
    if found.kept:
        yield (
            f"{counted(found.kept, 'conversation')} would keep what the job has stored: what was "
            "there before is not known. To clear their feedback instead: --clear-unknown"
        )


def _given_up(job: str, found: UndoTable, *, done: bool) -> Iterator[str]:
    """Yield what is given up, and what waits again because of that, in sentences."""
    if found.gives_up and done:
        yield "The job was not finished: its pending rows are given up now."
    elif found.gives_up:
        yield "The job is not finished: with the undo its pending rows are given up."
    yield from map(sentence, found.remarks)
    if found.waits_again and not (done and found.to_send):  # then it is told after that
        yield f"{'' if done else 'With the undo, '}{in_words(job, found.waits_again)}."
    if found.left_over:
        now = "All that is left over is given up now"
        then = "With the undo all that is left over is given up"
        yield (
            f"Left over from the job, and never stored: {counted(found.left_over, 'row')}. "
            f"{now if done else then}: --carry-over and retry do not send it."
        )


def _stay(found: UndoTable) -> str:
    """Return why no undo can bring some conversations back, and what to do about them."""
    number = found.stay.number
    folders = "folder of a later job is" if len(found.gone) == 1 else "folders of later jobs are"
    undos = ""
    if found.later_undos:
        undos = f", nor what {few_listed(found.later_undos, _MOST_NAMED)} took back"
    return (
        f"Of these {counted(number, 'conversation')} {is_or_are(number)} left since the {folders} "
        f"gone: {few_listed(found.gone, _MOST_NAMED)}. Nobody knows any more what was set "
        f"there{undos}, so no undo changes that: import what "
        f"{'it is' if number == 1 else 'they are'} to hold."
    )


def _print_nothing_to_send(found: UndoTable, command_to_type: str) -> None:
    console = output()
    gives_up = found.gives_up or found.left_over
    nothing = f"There is nothing {'else ' if gives_up else ''}to take back"
    console.print(f"{nothing} without --clear-unknown." if found.kept else f"{nothing}.")
    if command_to_type and (gives_up or found.counts):
        what = "give that up" if gives_up else "let it count for nothing"
        console.print(f"To {what}:\n  {command_to_type}", soft_wrap=True)
