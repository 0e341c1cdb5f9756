"""`clarityq-import jobs`: the jobs in the jobs folder, how they ended, and how to end them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click
from click.core import ParameterSource
from rich.table import Table

from importer.cli.config_file import CONFIG
from importer.cli.console import messages, outcome_counts, output
from importer.cli.help import command_group, examples, json_flag, option
from importer.cli.options import JOBS_DIR, jobs_folder
from importer.common.text import counted, escaped
from importer.errors import JobHeldError, JournalError, SettingsError
from importer.jobs.commands import resume_command
from importer.jobs.folders import find_job
from importer.jobs.identity import ProductKey
from importer.jobs.journal_head import read_head
from importer.jobs.journal_reader import JournalReader
from importer.jobs.listing import ListedJob, Listing, list_jobs, to_drop_comments, to_prune
from importer.jobs.product_jobs import ProductJobs, clear_removed, hold_jobs
from importer.jobs.records import JobRecord, JobState
from importer.model import OutcomeKind, exit_code
from importer.reporting.summary import kept_steps
from importer.reporting.wording import words
from importer.settings import SANDBOX

_DAY = 86_400
_SURVEY = "survey not finished"


@command_group(
    invoke_without_command=True,
    epilog=examples("jobs", "jobs show ratings-2026", "jobs prune --keep-days 30 --keep-last 5"),
)
@json_flag("List them as JSON.")
@JOBS_DIR
@CONFIG
@click.pass_context
def jobs(ctx: click.Context, jobs_dir: Path | None, *, as_json: bool) -> None:
    """List the jobs with their outcomes, the oldest first; or show, abandon or prune them."""
    ctx.obj = folder = jobs_folder(jobs_dir)
    if ctx.invoked_subcommand is not None:
        return
    listing = list_jobs(folder)
    if as_json:
        _print_json(listing)
        return
    if not (listing.jobs or listing.surveys or listing.unreadable):
        click.echo(f"There are no jobs in {folder}.")
        return
    table = Table("job", "last run (UTC)", "state", "exit", "rows", "outcomes", box=None)
    if any(job.label is not None for job in listing.jobs):
        table.add_column("label")
    for path in listing.surveys:
        table.add_row(path.name, "", _SURVEY, "", "", "")
    for job in listing.jobs:
        table.add_row(*_cells(job), *[] if job.label is None else [escaped(job.label)])
    output().print(table)
    for name, problem in listing.unreadable.items():
        messages().print(f"{name} cannot be read: {problem}", soft_wrap=True)


@jobs.command(epilog=examples("jobs show ratings-2026"))
@click.argument("job")
@JOBS_DIR
@CONFIG
@click.pass_context
def show(ctx: click.Context, /, job: str, jobs_dir: Path | None) -> None:
    """Describe JOB: what it imports, its runs, where it stands, and what comes next."""
    folder, found = _find(ctx, job, jobs_dir)
    with JournalReader(folder) as history:
        inputs, runs, doubts = history.inputs(), history.runs(), history.doubts()
    console = output()

    def tell(name: str, text: str) -> None:
        console.print(f"{name:10} {text}", soft_wrap=True)

    tell("job", f"{found.folder} (number {found.record.number} of its product)")
    if found.label is not None:
        tell("label", found.label)
    tell("product", f"{found.product.product_id} at {found.product.service}")
    for file in inputs:
        tell("input", f"{file.path}: {counted(file.rows, 'row')}")
    tell("state", _state(found))
    for past in runs:
        end = words(past.run.end) if past.run.end is not None else "not ended, or killed"
        tell("run", f"{_time(past.run.started_at)} UTC: {end}{_because(past.run.message)}")
    tell("outcomes", outcome_counts(found.totals.outcomes))
    if in_doubt := len({doubt.seq for doubt in doubts if doubt.in_doubt}):
        tell("in doubt", f"at most {counted(in_doubt, 'row')} may have been sent; nobody knows")
    if found.record.state is JobState.UNFINISHED and runs and not found.running:
        tell("resume", resume_command(runs[-1].settings, runs[-1].run.end))
        if found.product.service != SANDBOX:
            tell("", "(and, where the key is not in the environment, --api-key-file as before)")
    elif found.record.state is JobState.ENDED and not found.running:
        for step in kept_steps(folder):
            tell("next", step)


@jobs.command(epilog=examples("jobs abandon ratings-2026"))
@click.argument("job")
@JOBS_DIR
@CONFIG
@click.pass_context
def abandon(ctx: click.Context, /, job: str, jobs_dir: Path | None) -> None:
    """Give JOB up for good: its rows that are pending are never sent.

    What it has sent stays. Another job of the product can begin then.
    """
    folder, found = _find(ctx, job, jobs_dir)
    with hold_jobs(folder.parent, found.product) as product:
        record = next(one for one in product.jobs if one.id == found.record.id)
        with JournalReader(folder) as history:
            pending = history.totals().outcomes[OutcomeKind.PENDING]
            in_doubt = len({doubt.seq for doubt in history.doubts() if doubt.in_doubt})
        product.abandon(record, time.time())
    click.echo(f"{folder.name} is given up: {counted(pending, 'row')} will not be sent.")
    if in_doubt:
        click.echo(
            f"At most {counted(in_doubt, 'row')} of it may have been sent, and nobody knows which: "
            "the service may hold their feedback or what was there before."
        )


@jobs.command(
    epilog=examples(
        "jobs prune --keep-days 30 --keep-last 5", "jobs prune --keep-last 1 --dry-run"
    ),
)
@option(
    "--keep-days",
    type=click.IntRange(0),
    metavar="N",
    help="Keep jobs that ended in the last N days.",
)
@option("--keep-last", type=click.IntRange(0), metavar="N", help="Keep the last N jobs.")
@option(
    "--comments-after",
    type=click.IntRange(0),
    metavar="N",
    help="Drop the comments of jobs that ended more than N days ago, and keep their outcomes.",
)
@option("--dry-run", is_flag=True, help="Only say what would be removed.")
@JOBS_DIR
@CONFIG
@click.pass_context
def prune(
    ctx: click.Context,
    /,
    keep_days: int | None,
    keep_last: int | None,
    comments_after: int | None,
    dry_run: bool,
    jobs_dir: Path | None,
) -> None:
    """Remove the folders of old jobs that ended or were given up, or the comments in them.

    Unfinished jobs, those at work, and the last job of each product always stay. With both options
    a job stays that either of them keeps. What other jobs have to know of a job is kept in the
    ledger of its product.
    """
    removes = keep_days is not None or keep_last is not None
    if not removes and comments_after is None:
        raise SettingsError(
            "say what to keep: --keep-days N, --keep-last N, or both; or --comments-after N"
        )
    folder = _folder(ctx, jobs_dir)
    oldest = None if keep_days is None else time.time() - _DAY * keep_days
    listed = list_jobs(folder).jobs
    gone = to_prune(listed, oldest=oldest, keep_last=keep_last) if removes else []
    for job in gone:
        if dry_run:
            click.echo(f"would remove {job.folder}")
        elif _held(folder, job, _prune):
            click.echo(f"removed {job.folder}")
    if not dry_run:
        clear_removed(folder)
    if comments_after is None:
        return
    for job in to_drop_comments(listed, time.time() - _DAY * comments_after):
        if job in gone or not job.folder.exists():
            continue
        if dry_run:
            click.echo(f"would drop the comments of {job.folder}")
        elif _held(folder, job, _drop_comments):
            click.echo(f"dropped the comments of {job.folder}")


def _held(folder: Path, job: ListedJob, change: Callable[[ProductJobs, JobRecord], bool]) -> bool:
    """Change the job while its product is held; return whether something was changed."""
    try:
        with hold_jobs(folder, job.product) as product:
            return change(product, next(one for one in product.jobs if one.id == job.record.id))
    except JobHeldError as error:
        click.echo(f"kept {job.folder}: {error}")
    return False


def _prune(product: ProductJobs, job: JobRecord) -> bool:
    """Remove the job, unless that is not safe after all."""
    if not product.may_be_pruned(job):
        return False
    product.prune(job)
    return True


def _drop_comments(product: ProductJobs, job: JobRecord) -> bool:
    from importer.workflows.forget import drop_comments  # noqa: PLC0415 -- heavy, seldom needed

    return product.is_at_rest(job) and drop_comments(product, job)


def _folder(ctx: click.Context, jobs_dir: Path | None) -> Path:
    """Return the jobs folder; the option may stand before or after the word of the command."""
    here = ctx.get_parameter_source("jobs_dir") is ParameterSource.COMMANDLINE
    folder: Path = jobs_folder(jobs_dir) if here else ctx.obj
    return folder


def _find(ctx: click.Context, job: str, jobs_dir: Path | None) -> tuple[Path, ListedJob]:
    folder = find_job(_folder(ctx, jobs_dir), job)
    try:
        head = read_head(folder)
    except JournalError as error:
        raise SettingsError(str(error)) from None
    found = next(one for one in list_jobs(folder.parent).jobs if one.record.id == head.id)
    assert found.product == ProductKey(head.product_id, head.service)  # noqa: S101 -- the same job
    return folder, found


def _cells(job: ListedJob) -> list[str]:
    run, totals = job.run, job.totals
    if run is None:
        return [job.folder.name, "", _state(job), "", f"{totals.rows:,}", ""]
    code = "" if run.end is None else str(int(exit_code(run.end, totals.outcomes)))
    counts = outcome_counts(totals.outcomes)
    return [job.folder.name, _time(run.started_at), _state(job), code, f"{totals.rows:,}", counts]


def _state(job: ListedJob) -> str:
    note = " (rehearsal)" if job.product.service == SANDBOX else ""
    return f"{_how_it_stands(job)}{note}"


def _how_it_stands(job: ListedJob) -> str:
    if job.running:
        return "running"
    if job.record.state in (JobState.GIVEN_UP, JobState.REPLACED):
        return words(job.record.state)
    if job.run is None:
        return "not started"
    return "interrupted" if job.run.end is None else words(job.run.end)


def _print_json(listing: Listing) -> None:
    lines: list[dict[str, object]] = [
        {"job": path.name, "folder": str(path), "state": "survey_not_finished"}
        for path in listing.surveys
    ]
    lines += [_as_json(job) for job in listing.jobs]
    lines += [
        {"job": name, "state": "unreadable", "problem": problem}
        for name, problem in listing.unreadable.items()
    ]
    click.echo(json.dumps(lines, indent=2))


def _as_json(job: ListedJob) -> dict[str, object]:
    run, totals = job.run, job.totals
    return {
        "job": job.folder.name,
        "label": job.label,
        "folder": str(job.folder),
        "state": "running" if job.running else job.record.state,
        "number": job.record.number,
        "product_id": job.product.product_id,
        "base_url": job.product.service,
        "started_at": None if run is None else _iso(run.started_at),
        "ended_at": None if run is None or run.ended_at is None else _iso(run.ended_at),
        "end": None if run is None else run.end,
        "exit_code": (
            None if run is None or run.end is None else int(exit_code(run.end, totals.outcomes))
        ),
        "rows": totals.rows,
        "outcomes": dict(totals.outcomes),
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _because(message: str) -> str:
    return f" ({message})" if message else ""
