"""`clarityq-import jobs show` and `jobs abandon`: one job, and how to give it up."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import click

from importer.cli.config_file import CONFIG
from importer.cli.console import outcome_counts, output
from importer.cli.help import command, examples
from importer.cli.jobs_view import state_of, time_of
from importer.cli.options import JOBS_DIR, chosen_folder
from importer.common.text import counted, sentence
from importer.errors import JournalError, SettingsError
from importer.jobs.carry_over import carried_given_up
from importer.jobs.doubts import Doubt
from importer.jobs.ends import before_the_next, closed_by, successors_of
from importer.jobs.find_job import find_job, not_begun_in_words, unread_after
from importer.jobs.inputs import how_changed
from importer.jobs.journal_head import read_head
from importer.jobs.journal_reader import JournalReader, PastRun
from importer.jobs.key_source import KEY_AS_BEFORE, lacks_key
from importer.jobs.listing import ListedJob, given_up_in, list_jobs
from importer.jobs.own_commands import how_to_resume
from importer.jobs.product_jobs import hold_jobs
from importer.jobs.records import TOO_OLD, JobRecord, JobState
from importer.model import OutcomeKind, RunEnd
from importer.reporting.journal_steps import are_outdated, steps_by_journal, steps_of_closed
from importer.reporting.kept_summary import KeptSteps, kept_steps
from importer.reporting.rows_to_do import outranked_since
from importer.reporting.steps import StepKind, TakenUp, are_untold, still_to_do
from importer.reporting.taken_up import all_about, closed_in_words, taken_up
from importer.reporting.wording import (
    ENDS,
    given_up_in_words,
    in_doubt_in_words,
    too_old_in_words,
)
from importer.settings import SANDBOX
from importer.workflows.left_behind import close_summary, leave_files, tell_undone
from importer.workflows.left_over_again import tell_waiting_again, waiting_again
from importer.workflows.rewrite_summary import rewrite_summary


@command(epilog=examples("jobs show ratings-2026"))
@click.argument("job")
@JOBS_DIR
@CONFIG
@click.pass_context
def show(ctx: click.Context, /, job: str, jobs_dir: Path | None) -> None:
    """Describe JOB: what it imports, its runs, where it stands, and what comes next."""
    folder, found, others = _find(ctx, job, jobs_dir)
    with JournalReader(folder) as history:
        inputs, runs, doubts = history.inputs(), history.runs(), history.doubts()
        too_old = int(history.facts().get(TOO_OLD, 0))
    console = output()

    def tell(name: str, text: str) -> None:
        console.print(f"{name:10} {text}", soft_wrap=True)

    if (unread := unread_after(folder, job)) is not None:
        tell("later", not_begun_in_words(unread, unread.folder.name))
    tell("job", f"{found.folder} (number {found.record.number} of its product)")
    if found.label is not None:
        tell("label", found.label)
    tell("product", f"{found.product.product_id} at {found.product.service}")
    for file in inputs:
        tell("input", f"{file.path}: {counted(file.rows, 'row')}")
    state = state_of(found)
    if found.record.state is JobState.REPLACED:
        by = next(successors_of(others, found.record), None)
        state = state if by is None else state.replace("replaced", f"replaced by {by.name}", 1)
    tell("state", state)
    for past in runs:
        why = past.run.message or ENDS[past.run.end]
        if found.running and past is runs[-1]:
            why = "running"
        tell("run", f"{time_of(past.run.started_at)} UTC: {why}")
    tell("outcomes", outcome_counts(found.totals.outcomes))
    if found.record.state is JobState.UNFINISHED and (given_up := _given_up(found)):
        tell("given up", given_up_in_words(given_up))
    if too_old:
        tell("too old", too_old_in_words(too_old))
    for text in _in_doubt_in_words(folder, _in_doubt(found.record, doubts, others)):
        tell("in doubt", text)
    for name, text in _what_next(found, runs, others):
        tell(name, text)


@command(epilog=examples("jobs abandon ratings-2026"))
@click.argument("job")
@JOBS_DIR
@CONFIG
@click.pass_context
def abandon(ctx: click.Context, /, job: str, jobs_dir: Path | None) -> None:
    """Give JOB up for good: its rows that are pending are never sent.

    What it has sent stays. Another job of the product can begin then. Of a job that has ended, what
    it has left over is given up: neither --carry-over nor retry sends it any more.
    """
    folder, found, _ = _find(ctx, job, jobs_dir)
    with hold_jobs(folder.parent, found.product) as product:
        record = next(one for one in product.jobs if one.id == found.record.id)
        left, remarks = None, list[str]()
        if record.state is JobState.UNFINISHED:
            given_up = replace(record, state=JobState.GIVEN_UP)
            left = leave_files(product, given_up, for_good=True)
        with JournalReader(folder) as history:
            pending = history.totals().outcomes[OutcomeKind.PENDING]
            in_doubt = {doubt.seq for doubt in history.doubts() if doubt.in_doubt}
        left_over = product.abandon(record, time.time())
        closed = product.jobs[record.number - 1]
        if left_over:
            rewrite_summary(closed, taken=list(taken_up(folder)))
        else:
            remarks = close_summary(closed, left)
            tell_undone(product, folder)
        if waiting := waiting_again(product, closed):
            remarks.append(tell_waiting_again(product, closed, waiting))
    if left_over:
        click.echo(
            f"{folder.name}: no job sends the {counted(left_over, 'row')} that it left over."
        )
    else:
        click.echo(closed_in_words(closed, pending).replace("The job", folder.name, 1))
        for told in _in_doubt_in_words(folder, in_doubt, " of it"):
            click.echo(f"{told[0].upper()}{told[1:]}.")
    for remark in remarks:
        click.echo(sentence(remark))


def _given_up(found: ListedJob) -> int:
    """Return how many of its pending rows a job does not send: they were given up."""
    if not found.record.holds_carried:
        return 0
    with JournalReader(found.folder) as history:
        return carried_given_up(history, given_up_in(found.folder.parent, found.product)).count


def _in_doubt(
    job: JobRecord, doubts: Iterable[Doubt], others: Sequence[JobRecord]
) -> dict[int, bytes]:
    """Return the rows of a job that are in doubt, and that no successor has set, by number."""
    rows = {doubt.seq: doubt.key for doubt in doubts if doubt.in_doubt}
    for folder in successors_of(others, job) if rows else ():
        with suppress(JournalError), JournalReader(folder) as later:
            known = later.set_among(rows.values())
            rows = {seq: key for seq, key in rows.items() if key not in known}
    return rows


def _in_doubt_in_words(folder: Path, rows: Collection[int], of: str = "") -> list[str]:
    with JournalReader(folder) as journal:
        ended = len(journal.ended_among(rows)) if rows else 0
    return [*in_doubt_in_words(len(rows), ended, of)]


def _what_next(
    found: ListedJob, runs: Sequence[PastRun], others: Sequence[JobRecord]
) -> Iterator[tuple[str, str]]:
    """Yield what a person does about the job now, each line with what it begins with.

    `others` are the jobs of its product.
    """
    if found.running:
        return
    taken = list(taken_up(found.folder))
    closed = [job.folder for job in closed_by(others, found.folder) if job.folder]
    of_these = [
        one._replace(instead=()) for folder in closed for one in taken_up(folder)
    ]  # what is to be done there is shown there
    lines: list[tuple[str, str]] = []
    if found.record.state is JobState.UNFINISHED:
        lines += _until_done(found, runs[-1].run.end if runs else None, [*taken, *of_these])
    elif found.record.state.is_at_rest:
        kept = _next_steps(found, is_taken=bool(taken))
        lines += _told(kept, [*_given_way(found, kept), *taken, *of_these])
    yield from lines
    if found.product.service != SANDBOX and any(lacks_key(text) for _, text in lines):
        yield "", KEY_AS_BEFORE
    for one in taken:
        yield "since", str(one)


def _until_done(
    found: ListedJob, end: RunEnd | None, taken: Sequence[TakenUp]
) -> Iterator[tuple[str, str]]:
    """Yield what a person does about a job that is not finished, and whose latest run ended so."""
    before, after = _around_resuming(found, end)
    yield from _told(before, taken)
    if end is RunEnd.DATA_LIMIT:  # that says it all
        return
    command, has_sent = how_to_resume(found.folder), found.record.sent_anything
    yield ("resume", command) if has_sent else ("next", f"To begin it anew: {command}")
    if found.record.keeps_bodies:
        yield "", f"({before_the_next(has_sent=has_sent).strip()})"
    with JournalReader(found.folder) as history:
        changed = how_changed(found.folder, history.inputs())
    if changed:
        then = "until its content is back, this says what else can be done"
        if found.record.keeps_bodies:
            then = "what is pending then joins a new job"
        yield "", f"({changed}: {then})" if has_sent else f"({changed})"
    yield from _told(after, taken)


def _told(kept: KeptSteps, taken: Sequence[TakenUp]) -> Iterator[tuple[str, str]]:
    steps = still_to_do(kept.steps, taken)
    for step in steps:
        yield "next", str(step)
    if kept.given_in and any(step.command and step in kept.steps for step in steps):
        yield "", f"(to be given in {kept.given_in})"


def _around_resuming(found: ListedJob, end: RunEnd | None) -> tuple[KeptSteps, KeptSteps]:
    """Return what the latest run of a job has said before the command that resumes, and after."""
    kept = KeptSteps() if end is None else kept_steps(found.folder)  # None: it was killed
    steps = kept.steps
    if are_untold(steps):
        return KeptSteps(), KeptSteps()
    if end is RunEnd.DATA_LIMIT:  # the same command would be stopped again
        return kept, KeptSteps()
    resuming = (at for at, step in enumerate(steps) if step.kind is StepKind.RESUME)
    at = next(resuming, len(steps))
    return kept._replace(steps=steps[:at]), kept._replace(steps=steps[at + 1 :])


def _next_steps(found: ListedJob, *, is_taken: bool) -> KeptSteps:
    """Return what is to be done about a job that has ended, was replaced or given up.

    Others may have taken something of it up.
    """
    kept = kept_steps(found.folder)
    with JournalReader(found.folder) as history:
        if found.record.state.is_closed:
            return KeptSteps(steps_of_closed(found.record, history))
        if are_outdated(history) or (is_taken and are_untold(kept.steps)):
            return KeptSteps(steps_by_journal(history))
    return kept


def _given_way(found: ListedJob, kept: KeptSteps) -> Iterator[TakenUp]:
    """Yield what is to be done instead of what was `kept`, where rows give way to later jobs."""
    if kept.steps and not found.record.state.is_closed:
        with JournalReader(found.folder) as history:
            if later := outranked_since(history):
                steps = steps_by_journal(history, later=later)
                yield TakenUp("", all_about(found.folder), steps)


def _find(
    ctx: click.Context, job: str, jobs_dir: Path | None
) -> tuple[Path, ListedJob, list[JobRecord]]:
    """Return the folder of a job, how it stands, and all jobs of its product that are there."""
    folder = find_job(chosen_folder(ctx, jobs_dir), job)
    try:
        head = read_head(folder)
    except JournalError as error:
        raise SettingsError(str(error)) from None
    listing = list_jobs(folder.parent, head.product)
    found = next((one for one in listing.jobs if one.record.id == head.id), None)
    if found is None:
        raise SettingsError(listing.unreadable.get(folder.name, f"{folder} cannot be read"))
    return folder, found, [one.record for one in listing.jobs]
