"""`clarityq-import jobs prune`: remove the folders of old jobs, or the comments in them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import click

from importer.cli.config_file import CONFIG
from importer.cli.help import command, examples, option
from importer.cli.options import JOBS_DIR, chosen_folder
from importer.errors import JobHeldError, SettingsError
from importer.jobs.listing import ListedJob, list_jobs, surveys_to_prune, to_drop_comments, to_prune
from importer.jobs.product_jobs import ProductJobs, clear_removed, hold_jobs
from importer.jobs.records import JobRecord

_DAY = 86_400


@command(
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
@option(
    "--keep-last",
    type=click.IntRange(0),
    metavar="N",
    help="Keep the last N jobs of each product.",
)
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
    folder = chosen_folder(ctx, jobs_dir)
    oldest = None if keep_days is None else time.time() - _DAY * keep_days
    listing = list_jobs(folder)
    listed = listing.jobs
    gone = to_prune(listed, oldest=oldest, keep_last=keep_last) if removes else []
    for job in gone:
        if dry_run:
            click.echo(f"would remove {job.folder}")
        elif _held(folder, job, _prune):
            click.echo(f"removed {job.folder}")
    if oldest is not None:
        _clear_surveys(surveys_to_prune(listing.surveys, oldest), dry_run=dry_run)
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


def _clear_surveys(folders: Iterable[Path], *, dry_run: bool) -> None:
    for folder in folders:
        if not dry_run:
            with suppress(FileNotFoundError):  # somebody else has removed it
                shutil.rmtree(folder)
        click.echo(f"{'would remove' if dry_run else 'removed'} {folder}, which was never begun")


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
