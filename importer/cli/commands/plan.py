"""`clarityq-import plan`: what a run would send now, and what that would change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from importer.cli.config_file import CONFIG, files_read, with_inputs
from importer.cli.console import messages, output, tell
from importer.cli.help import command, examples, json_flag
from importer.cli.options import INPUTS, RUN_GROUPS, Request, key_arguments, options_from
from importer.common.text import counted, is_or_are
from importer.errors import ExitCode
from importer.model import Reason
from importer.reporting.wording import WHY
from importer.settings import ImportSettings
from importer.settings.groups import (
    AbortRules,
    JobRules,
    LedgerUse,
    Pacing,
    Reading,
    RowMapping,
    Target,
)
from importer.settings.places import Place
from importer.survey.changes import CHANGES

if TYPE_CHECKING:
    from importer.workflows.plan_import import LastSetBy, Preview

#: The options that the help names: those that decide what is planned.
_SHOWN = (Target, Reading, RowMapping, LedgerUse, JobRules)
_LIMITS = ("max_rejected", "max_changes", "accept_change", "no_history_check")
_RATE = ("rate",)
#: So many jobs are named whose feedback would be replaced.
_MOST_NAMED = 3
#: With the others a command of `run` can be given as it is.
_OTHERS = tuple(group for group in RUN_GROUPS if group not in _SHOWN)


@command(
    epilog=examples(
        "plan ratings.csv --product-id 7d0f…",
        "plan ratings.csv --product-id 7d0f… --skip-unchanged --max-changes 5% --json",
    )
)
@INPUTS
@json_flag("Print the plan as JSON.")
@options_from(*_SHOWN)
@options_from(AbortRules, only=_LIMITS)
@options_from(Pacing, only=_RATE)
@options_from(*_OTHERS, without=(*_LIMITS, *_RATE, "dry_run"), hidden=True)
@CONFIG
@click.pass_context
def plan(
    ctx: click.Context, /, inputs: tuple[Place, ...], *, as_json: bool, **options: Any
) -> ExitCode:
    """Tell what a run would send now, and what that would change; send nothing.

    It compares the inputs with the earlier jobs of the product, and begins no job. The same as
    `run --dry-run`; all options of `run` are taken. Exit code 0: every row can be sent. 1: some
    rows would be rejected. 2: the run would not begin. 7: a limit on the data would stop it.
    """
    request = Request.of(with_inputs(ctx, options, inputs))
    for file in files_read(ctx):
        messages().print(f"configuration: {file}", soft_wrap=True)
    return preview(request, as_json=as_json)


def preview(request: Request, *, as_json: bool) -> ExitCode:
    """Print what a run that is asked for so would do, and return the exit code of `plan`."""
    from importer.cli.survey_view import print_json, watched_survey  # noqa: PLC0415 -- as below
    from importer.workflows.plan_import import Resumed, plan_import  # noqa: PLC0415 -- for --help

    settings = request.settings
    with watched_survey() as progress:
        found = plan_import(settings, progress, tell, key_arguments(request.key))
    if isinstance(found, Resumed):
        if as_json:
            print_json(found.exit_code, resumes=asdict(found))
        else:
            rest = ""
            if found.given_up:
                rest = f" {counted(found.given_up, 'row')} {is_or_are(found.given_up)} given up."
            output().print(
                f"This resumes the job {found.job}: {found.left:,} of "
                f"{counted(found.rows, 'row')} {is_or_are(found.left)} left to be done.{rest} "
                "Nothing is compared anew."
            )
        return found.exit_code
    if as_json:
        print_json(
            found.exit_code, found.limit, findings=found.findings.as_json(),
            plan={**found.plan.as_json(), "last_set_by": _last_as_json(found.last_set_by)},
            replaces=found.replaces,
        )  # fmt: skip
    else:
        _print(found, settings, output())
    return found.exit_code


def _print(found: Preview, settings: ImportSettings, console: Console) -> None:
    from importer.cli import findings_view  # noqa: PLC0415 -- as above

    findings_view.print_findings(found.findings, settings, console)
    for end in found.ends:
        console.print(f"With the run, {end}.", soft_wrap=True)
    console.print(_table(found, settings))
    for change, conversations in found.plan.examples.items():
        console.print(f"{CHANGES[change]}, for example: {', '.join(conversations)}")
    console.print()
    findings_view.print_durations(found.plan.to_send, settings, console)
    if found.limit is not None:
        console.print(
            f"Not to be sent: {found.limit}. To let it through once: --accept-change",
            soft_wrap=True,
        )


def _table(found: Preview, settings: ImportSettings) -> Table:
    """Return the plan: what is sent and what that changes, then what is not sent and why."""
    plan = found.plan
    table = Table("plan", "rows", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    table.add_row("to be sent", f"{plan.to_send:,}")
    of_these = {"for conversations never sent before": plan.new}
    if plan.stored_unknown:
        of_these["that an earlier job has not set, or not surely"] = plan.stored_unknown
    if plan.left_overs:
        of_these["left over from earlier jobs"] = plan.left_overs
    of_these |= {CHANGES[change]: number for change, number in plan.changes.items() if number}
    if plan.added:
        of_these["a rating or a comment added, nothing taken away"] = plan.added
    if plan.same:
        of_these["the same as is stored: --skip-unchanged leaves out what is not too old"] = (
            plan.same
        )
    if len(of_these) > 1:
        table.add_row("of these (one row may be in several)", "")
    of_these |= _last_in_words(found.last_set_by)
    for what, number in of_these.items():
        table.add_row(f"  {what}", f"{number:,}")
    if found.findings.rejected:
        table.add_row("rejected", f"{found.findings.rejected:,}")
    if found.findings.skipped:
        table.add_row("skipped", f"{found.findings.skipped:,}")
    for reason, rows in plan.not_sent.items():
        if rows.count:
            why = WHY[Reason(reason)]
            # By a column it may be an older one: the remarks on the input say it then.
            is_sure = settings.mapping.newest_by is None
            if reason is Reason.LATER_JOB and found.findings.has_left_overs and is_sure:
                why += " (--as-new sends it all the same)"
            table.add_row(f"not sent: {why}", f"{rows.count:,}")
    return table


def _last_in_words(last: Sequence[LastSetBy]) -> dict[str, int]:
    """Return which jobs came last to the conversations that get other feedback: the latest few."""
    more = last[_MOST_NAMED:]
    words = {
        f"last set, or tried, by {job}{'' if day is None else f' ({day})'}": number
        for job, day, number in last[:_MOST_NAMED]
    }
    if more:
        words[f"last set, or tried, by {counted(len(more), 'other job')}"] = sum(
            one.conversations for one in more
        )
    return words


def _last_as_json(last: Sequence[LastSetBy]) -> list[dict[str, Any]]:
    return [{**one._asdict(), "day": one.day and str(one.day)} for one in last]
