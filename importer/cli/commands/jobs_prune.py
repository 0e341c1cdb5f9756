"""`clarityq-import jobs prune`: remove the folders of old jobs, or the comments in them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

import click

from importer.cli.config_file import CONFIG
from importer.cli.help import command, examples, option
from importer.cli.options import JOBS_DIR, chosen_folder
from importer.common.text import is_or_are, listed, was_or_were
from importer.errors import JobHeldError, JournalError, SettingsError
from importer.jobs.journal_reader import JournalReader
from importer.jobs.ledger import known_jobs
from importer.jobs.listing import ListedJob, list_jobs, surveys_to_prune, to_drop_comments, to_prune
from importer.jobs.product_jobs import ProductJobs, clear_removed, hold_jobs
from importer.jobs.read_again import Beside, read_beside
from importer.jobs.records import JobRecord
from importer.model import OutcomeKind
from importer.reporting.rows_to_do import to_be_fixed

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
    gone = to_prune(listing.jobs, oldest=oldest, keep_last=keep_last) if removes else []
    surveys = (
        [] if oldest is None else surveys_to_prune([one.folder for one in listing.surveys], oldest)
    )
    is_told = _tell(
        chain(_removed(folder, gone, dry_run=dry_run), _cleared(surveys, dry_run=dry_run))
    )
    if not dry_run:
        clear_removed(folder)
    if comments_after is not None:
        before = time.time() - _DAY * comments_after
        stay = [job for job in listing.jobs if job not in gone and job.folder.exists()]
        # Those that would be gone are none of them, if their comments went as well.
        here = [one for one in listing.jobs if one.folder.exists()]
        here = [one for one in here if one not in gone or not dry_run or one.last_seen >= before]
        is_told |= _tell(
            chain(
                _dropped(folder, to_drop_comments(stay, before), dry_run=dry_run),
                _dropped_of_gone(folder, here, listing.unreadable, before, dry_run=dry_run),
                _removed_damaged(folder, before, dry_run=dry_run),
            )
        )
    if not is_told:
        click.echo("There is nothing to remove.")


def _tell(lines: Iterable[str]) -> bool:
    """Print the lines; return whether there was one."""
    is_told = False
    for line in lines:
        click.echo(line)
        is_told = True
    return is_told


def _removed(folder: Path, jobs: Sequence[ListedJob], *, dry_run: bool) -> Iterator[str]:
    """Remove the jobs, and say so of each with what is lost; or only say it."""
    beside = read_beside(folder) if jobs else []
    lost = {job.folder: _lost_with(job.folder, beside, dry_run=dry_run) for job in jobs}
    if dry_run:
        yield from (f"would remove {path}{words}" for path, words in lost.items())
    else:
        yield from _held(
            folder, jobs, _prune, lambda job: f"removed {job.folder}{lost[job.folder]}"
        )


def _lost_with(folder: Path, beside: Sequence[Beside], *, dry_run: bool) -> str:
    """Return how many rows of a job were not imported since; empty if all that can be were."""
    rows: dict[OutcomeKind, int] = {}
    with suppress(JournalError), JournalReader(folder) as journal:  # it is removed all the same
        rows = to_be_fixed(journal, beside)
    if not rows:
        return ""
    were = was_or_were(sum(rows.values()))
    groups = listed([f"{number:,} {kind}" for kind, number in rows.items()])
    noun = "row" if sum(rows.values()) == 1 else "rows"
    went = "would go" if dry_run else "went"
    return f": {groups} {noun} of it {were} not imported since, and their files {went} with it"


def _dropped(folder: Path, jobs: Sequence[ListedJob], *, dry_run: bool) -> Iterator[str]:
    if dry_run:
        yield from (f"would drop the comments of {job.folder}" for job in jobs)
    else:
        yield from _held(
            folder, jobs, _drop_comments, lambda job: f"dropped the comments of {job.folder}"
        )


def _dropped_of_gone(
    folder: Path,
    here: Sequence[ListedJob],
    unreadable: Collection[str],
    before: float,
    *,
    dry_run: bool,
) -> Iterator[str]:
    """Drop the comments that other jobs than those `here` have left over, if they ended `before`.

    The ledgers have them, so that they can be carried over. Where a folder of this name is
    `unreadable` nobody knows which of them are of that job, which is not gone: they stay.
    """
    from importer.workflows.forget import (  # noqa: PLC0415 -- heavy, seldom needed
        drop_left_over_comments,
        left_over_by_gone,
    )

    for ledger in sorted(folder.glob("ledger-*.sqlite")):
        its = [job.folder for job in here if job.product.ledger(folder) == ledger]
        runs = left_over_by_gone(ledger, its, before)
        rows = sum(runs.values())
        of = (
            "the comment of 1 row that a job whose folder is gone has left over"
            if rows == 1
            else f"the comments of {rows:,} rows that jobs whose folders are gone have left over"
        )
        it = "it" if rows == 1 else "they"
        told = f"would drop {of}: {it} would not be carried over any more"
        known = {job.folder for job in known_jobs(ledger)[0]}
        if unread := sorted(name for name in unreadable if name in known):
            told = f"kept {of}: {listed(unread)} cannot be read, and {it} may be of that"
        elif not dry_run:
            try:
                drop_left_over_comments(ledger, runs)
                told = f"dropped {of}: {it} {is_or_are(rows)} not carried over any more"
            except JobHeldError as error:
                told = f"kept {of}: {error}"
        if rows:
            yield told


def _removed_damaged(folder: Path, before: float, *, dry_run: bool) -> Iterator[str]:
    """Remove the damaged ledgers that were set aside and written last `before`."""
    for path in sorted(folder.glob("ledger-*.sqlite.damaged*")):
        if path.stat().st_mtime < before:
            if not dry_run:
                path.unlink(missing_ok=True)
            yield f"{'would remove' if dry_run else 'removed'} {path}, a ledger that was damaged"


def _cleared(folders: Iterable[Path], *, dry_run: bool) -> Iterator[str]:
    for folder in folders:
        if not dry_run:
            with suppress(FileNotFoundError):  # somebody else has removed it
                shutil.rmtree(folder)
        yield f"{'would remove' if dry_run else 'removed'} {folder}, which was never begun"


def _held(
    folder: Path,
    jobs: Sequence[ListedJob],
    change: Callable[[ProductJobs, JobRecord], bool],
    done: Callable[[ListedJob], str],
) -> Iterator[str]:
    """Change the jobs, each product's while that is held; yield what is `done` of each changed."""
    for key in dict.fromkeys(job.product for job in jobs):
        its = [job for job in jobs if job.product == key]
        try:
            with hold_jobs(folder, key) as product:
                records = {record.id: record for record in product.jobs}
                for job in its:
                    if change(product, records[job.record.id]):
                        yield done(job)
        except JobHeldError as error:
            yield from (f"kept {job.folder}: {error}" for job in its)


def _prune(product: ProductJobs, job: JobRecord) -> bool:
    """Remove the job, unless that is not safe after all."""
    if not product.may_be_pruned(job):
        return False
    product.prune(job)
    return True


def _drop_comments(product: ProductJobs, job: JobRecord) -> bool:
    from importer.workflows.forget import drop_comments  # noqa: PLC0415 -- heavy, seldom needed

    return product.is_at_rest(job) and drop_comments(product, job)
