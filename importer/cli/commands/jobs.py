"""`clarityq-import jobs`: the jobs in the jobs folder and how they ended."""

from __future__ import annotations

import math
import shutil
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.table import Table

from importer.cli.config_file import CONFIG
from importer.cli.console import outcome_counts, output, plain
from importer.cli.help import command_group, examples, option
from importer.cli.options import JOBS_DIR, jobs_folder
from importer.errors import SettingsError
from importer.jobs.folders import job_folders
from importer.jobs.journal import Journal
from importer.jobs.lock import is_held
from importer.model import RunEnd, exit_code


@command_group(
    invoke_without_command=True,
    epilog=examples("jobs", "jobs prune --keep-days 30 --keep-last 5"),
)
@JOBS_DIR
@CONFIG
@click.pass_context
def jobs(ctx: click.Context, jobs_dir: Path | None) -> None:
    """List the jobs with their outcomes, the oldest first; or prune them."""
    ctx.obj = folder = jobs_folder(jobs_dir)
    if ctx.invoked_subcommand is None:
        _list(folder)


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
@option("--dry-run", is_flag=True, help="Only say what would be removed.")
@JOBS_DIR
@CONFIG
@click.pass_context
def prune(
    ctx: click.Context,
    /,
    keep_days: int | None,
    keep_last: int | None,
    dry_run: bool,
    jobs_dir: Path | None,
) -> None:
    """Remove the folders of old jobs. Unfinished ones, and those at work, always stay.

    With both options a job stays that either of them keeps. The ledger is not touched.
    """
    if keep_days is None and keep_last is None:
        raise SettingsError("say what to keep: --keep-days N, --keep-last N, or both")
    # The option may stand before or after the word prune.
    here = ctx.get_parameter_source("jobs_dir") is ParameterSource.COMMANDLINE
    folder = jobs_folder(jobs_dir) if here else ctx.obj
    finished = sorted(
        (ended_at, job) for job in job_folders(folder) if (ended_at := _ended_at(job)) is not None
    )
    oldest = math.inf if keep_days is None else time.time() - 86_400 * keep_days
    last = [job for _, job in finished[len(finished) - (keep_last or 0) :]]
    for ended_at, job in finished:
        if ended_at < oldest and job not in last and not is_held(job):
            if not dry_run:
                shutil.rmtree(job)
            click.echo(f"{'would remove' if dry_run else 'removed'} {job}")


def _ended_at(folder: Path) -> float | None:
    """Return when the job was finished, in Unix seconds; None if it is not, or not known."""
    try:
        with closing(Journal(folder)) as journal:
            run = journal.last_run()
    except Exception:  # noqa: BLE001 -- whatever is wrong with it, it stays
        return None
    return run.ended_at if run is not None and run.end is RunEnd.FINISHED else None


def _list(folder: Path) -> None:
    folders = job_folders(folder)
    if not folders:
        click.echo(f"There are no jobs in {folder}.")
        return
    table = Table("job", "started (UTC)", "state", "exit", "rows", "outcomes", box=None)
    lines = sorted((_line(job) for job in folders), key=lambda line: line[0])
    for _, cells in lines:
        table.add_row(*cells)
    output().print(table)


def _line(folder: Path) -> tuple[float, list[Any]]:
    try:
        with closing(Journal(folder)) as journal:
            run, totals = journal.last_run(), journal.totals()
    except Exception as error:  # noqa: BLE001 -- a damaged job does not hide the others
        words = str(error) or type(error).__name__
        return 0.0, [folder.name, "", "unreadable", "", "", plain(words)]
    if run is None:
        return 0.0, [folder.name, "", "empty", "", "", ""]
    if run.end is not None:
        state, code = str(run.end), str(int(exit_code(run.end, totals.outcomes)))
    else:
        state, code = ("running" if is_held(folder) else "interrupted"), ""
    counts = outcome_counts(totals.outcomes)
    started = datetime.fromtimestamp(run.started_at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return run.started_at, [folder.name, started, state, code, f"{totals.rows:,}", counts]
