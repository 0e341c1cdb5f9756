"""`clarityq-import explain`: the story of one conversation."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime
from http import HTTPStatus
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from importer.cli.config_file import CONFIG
from importer.cli.console import messages, output
from importer.cli.help import command, examples
from importer.cli.options import JOBS_DIR, jobs_folder
from importer.common.durations import format_duration
from importer.common.text import counted, few_listed, listed, sentence, shown
from importer.common.uuids import canonical_uuid
from importer.errors import ExitCode, JournalError, SettingsError
from importer.jobs.commands import FROM_A_COPY
from importer.jobs.find_job import find_job
from importer.jobs.folders import job_folders
from importer.jobs.identity import told_apart
from importer.jobs.listing import names_of_gone
from importer.jobs.records import CARRIED_OVER, JobState
from importer.jobs.surveys import surveys_in
from importer.model import Attempt, Call, Deferral, Outcome, OutcomeKind, Reason
from importer.reporting.wording import CALLS, WHY, words
from importer.settings import SANDBOX

if TYPE_CHECKING:
    from importer.reporting.conversation import RowStory, Story

_COMMENT_SHOWN = 60
_MOST_NAMES = 2
#: So many jobs are named of which nothing was read.
_MOST_NAMED = 3
#: And so many rejected lines.
_MOST_LINES = 10
#: Seconds between two times that are of the same moment, by different clocks.
_SAME_MOMENT = 0.5
_CLOSED = {
    JobState.GIVEN_UP: "the job was given up",
    JobState.REPLACED: "the job was replaced, and the one in its place has taken its rows over",
}


@command(
    epilog=examples(
        "explain 31ed7854-51a8-42bb-ad24-2f6d382c9e20",
        "explain ratings-2026 31ed7854-51a8-42bb-ad24-2f6d382c9e20",
    )
)
@click.argument("names", nargs=-1, required=True, metavar="[JOB] CONVERSATION_ID")
@JOBS_DIR
@CONFIG
def explain(jobs_dir: Path | None, names: tuple[str, ...]) -> ExitCode:
    """Tell what happened to one conversation: its rows, every attempt, and why.

    JOB is a job's folder or its name; without it, all jobs of the folder are looked through. Exit
    code 2: there is no row of this conversation.
    """
    if len(names) > _MOST_NAMES:
        raise click.UsageError(f"give a job and a conversation, not {len(names)} names")
    job, conversation_id = names if len(names) == _MOST_NAMES else (None, names[0])
    here = jobs_folder(jobs_dir)
    conversation = canonical_uuid(conversation_id.strip())
    if conversation is None:
        raise SettingsError(f"{shown(conversation_id)} is not a UUID: copy it from the input")
    folders = job_folders(here) if job is None else [find_job(here, job)]
    stories = list(_stories(folders, conversation, alone=job is not None))
    has_rows = _tell(stories)
    gone = _gone_in_words(here) if job is None else ""
    if not _tell_rejected(folders, conversation, stories) and not has_rows:
        where = f"job {folders[0].name}" if job is not None else f"the jobs in {here}"
        known = " known" if any(story.remark for _, story in stories) else ""
        also = ""
        if job is None and (surveys := surveys_in(here)):
            unread = few_listed([one.folder.name for one in surveys], _MOST_NAMED)
            also = f". What inputs hold that were not read to their end is not known: {unread}"
        raise SettingsError(
            f"there is no row of conversation {conversation}{known} in {where}{also}"
            f"{gone and '. '}{gone}"
        )
    if gone:
        output().print(f"\n{gone}", soft_wrap=True)
    return ExitCode.OK


def _gone_in_words(jobs_dir: Path) -> str:
    """Return that it is not known what jobs had whose folders are gone; empty without such."""
    names = names_of_gone(jobs_dir)
    if not names:
        return ""
    latest = few_listed(names[::-1], _MOST_NAMED)
    folders = "folder is" if len(names) == 1 else "folders are"
    return (
        f"What {counted(len(names), 'job')} had of it whose {folders} gone is not known: {latest}."
    )


def _tell_rejected(
    folders: Sequence[Path], conversation: str, stories: Sequence[tuple[Path, Story]]
) -> bool:
    """Print which rejected lines hold the id where not all of them are told as rows.

    Returns whether there are any.
    """
    from importer.reporting.left_overs import rejected_lines  # noqa: PLC0415 -- as above

    told = {folder: _rejected_rows(story) for folder, story in stories}
    found = False
    for folder in folders:
        path, lines = rejected_lines(folder, conversation)
        if len(lines) > told.get(folder, 0):
            if found or any(story.rows for _, story in stories):
                output().print()
            found = True
            is_one = len(lines) == 1
            which = few_listed([f"{number:,}" for number in lines], _MOST_LINES)
            output().print(
                f"{counted(len(lines), 'rejected line')} of job {folder.name} "
                f"{'holds' if is_one else 'hold'} this id: {'line' if is_one else 'lines'} {which} "
                f"of {path}, which {'says' if is_one else 'say'} why.",
                soft_wrap=True,
            )
    return found


def _rejected_rows(story: Story) -> int:
    """Return how many of the rows that are told stand in the file of the rejected ones."""
    return sum(
        row.outcome is not None and row.outcome.kind is OutcomeKind.REJECTED for row in story.rows
    )


def _stories(
    folders: Sequence[Path], conversation: str, *, alone: bool
) -> Iterator[tuple[Path, Story]]:
    """Yield the story of the conversation in each job that may have a row of it."""
    from importer.reporting.conversation import (  # noqa: PLC0415 -- heavy; --help does without
        may_tell,
        tell_story,
    )

    for folder in folders:
        try:
            if may_tell(folder, conversation):
                yield folder, tell_story(folder, conversation)
        except JournalError as error:
            if alone:
                raise SettingsError(str(error)) from None
            messages().print(f"{folder.name} cannot be read: {error}", soft_wrap=True)


def _tell(stories: Sequence[tuple[Path, Story]]) -> bool:
    """Print the stories, the oldest job first; return whether there is a row in one of them."""
    console = output()
    products = told_apart(story.product for _, story in stories)
    told = 0
    for folder, story in sorted(stories, key=lambda one: one[1].began_at):
        if story.rows or story.remark:
            if told:
                console.print()
            told += 1
            _print(story, folder, products[story.product], console)
    forgotten = [
        f"{counted(story.forgotten, 'row')} in job {folder.name}"
        for folder, story in stories
        if story.forgotten
    ]
    if forgotten:
        if told:
            console.print()
        console.print(
            f"Forgotten: {listed(forgotten)}. What became of it is not known any more.",
            soft_wrap=True,
        )
    return bool(forgotten) or any(story.rows for _, story in stories)


def _print(story: Story, folder: Path, product: str, console: Console) -> None:
    of_product = f" of product {product}" if product else ""
    if not story.rows:
        console.print(
            f"Whether job {folder.name}{of_product} has a row of it is not known: "
            f"{sentence(story.remark)}",
            soft_wrap=True,
        )
        return
    rehearsal = ", a REHEARSAL" if story.product.service == SANDBOX else ""
    console.print(
        f"Conversation {story.conversation_id}: {counted(len(story.rows), 'row')} "
        f"in job {folder.name}{of_product}{rehearsal}.",
        soft_wrap=True,
    )
    if story.remark:
        console.print(
            f"{sentence(story.remark)} A row without rating and comment is told from the journal "
            f"alone.{_from_a_copy(story, folder)}",
            soft_wrap=True,
        )
    for row in story.rows:
        console.print()
        for line in _lines(row, story):
            console.print(line, soft_wrap=True)


def _from_a_copy(story: Story, folder: Path) -> str:
    """Return how rows are imported all the same that are in no file; empty without such."""
    from importer.reporting.left_overs import FILE_OF_KIND  # noqa: PLC0415 -- as above

    kinds = {row.outcome.kind for row in story.rows if row.row is None and row.outcome is not None}
    lost = any(
        kind in kinds and not (folder / name).exists() for kind, name in FILE_OF_KIND.items()
    )
    return f" {FROM_A_COPY}" if lost else ""


def _lines(story: RowStory, whole: Story) -> list[str]:
    events = [(attempt.at, _attempt(attempt)) for attempt in story.attempts]
    deferral, outcome = story.deferral, story.outcome
    # Of looks that follow each other, not each is recorded.
    if deferral is not None and deferral.looks > _looks_shown(story.attempts, deferral):
        told = counted(deferral.looks, "time")
        events.append(
            (deferral.looked_at, f"{CALLS[Call.STATUS]} still not completed, told so {told} by now")
        )
    lines = [(at, f"  {_time(at)}  {text}") for at, text in sorted(events)]
    if outcome is None:
        return [_title(story), *(line for _, line in lines), f"  {_pending(story, whole)}"]
    at = outcome.settled_at
    ahead = f": one of job {story.gave_way_to}" if story.gave_way_to else ""
    # What ended a row is told after it; attempts of a later try stand after the outcome of before.
    place = bisect_right(lines, math.inf if at is None else at + _SAME_MOMENT, key=itemgetter(0))
    lines.insert(place, (0.0, f"  {'' if at is None else _time(at)}  {_outcome(outcome)}{ahead}"))
    return [_title(story), *(line for _, line in lines)]


def _attempt(attempt: Attempt) -> str:
    text = f"{CALLS[attempt.call]:7} {attempt.detail}"
    return f"{text}; waits {format_duration(attempt.wait)}" if attempt.wait else text


def _looks_shown(attempts: Sequence[Attempt], deferral: Deferral) -> int:
    """Return how many of the looks that the deferral counts are recorded as attempts."""
    first, last = deferral.since - _SAME_MOMENT, deferral.looked_at + _SAME_MOMENT
    return sum(
        attempt.http_status == HTTPStatus.CONFLICT and first <= attempt.at <= last
        for attempt in attempts
    )


def _outcome(outcome: Outcome) -> str:
    from importer.reporting.conversation import why  # noqa: PLC0415

    puts = f", after {counted(outcome.attempts, 'PUT')}" if outcome.attempts else ""
    return f"{words(outcome.kind)}{puts}: {why(outcome)}"


def _pending(story: RowStory, whole: Story) -> str:
    """Return why a row has no outcome, and whether it will have one."""
    closed = WHY[Reason.JOB_GIVEN_UP] if story.is_given_up else _CLOSED.get(whole.state)
    if not whole.has_sent and story.file != CARRIED_OVER:
        if closed is None and whole.end is None:
            return "pending: the job has sent nothing yet (jobs show names the command to begin it)"
        if whole.state is JobState.REPLACED:
            closed = (
                "the job was replaced before it sent anything, and its own rows joined no other"
            )
        if closed is not None:
            closed += " (jobs show says how they are imported after all, if they were not)"
    if closed is not None:
        if story.is_in_doubt:
            if {attempt.call for attempt in story.attempts} == {Call.STATUS}:
                return (
                    "not sent again: no PUT of it is recorded, but the run that was cut off may "
                    f"have made one; {closed}"
                )
            return f"not sent again, and the service may hold it: {closed}"
        return f"{'not sent again' if story.attempts else 'never sent'}: {closed}"
    if story.deferral is not None:
        return f"pending: the next look is due at {_time(story.deferral.due)}"
    end = f"the latest run ended first ({whole.end})" if whole.end else "it is not settled yet"
    return f"pending: {words(end)}"


def _title(story: RowStory) -> str:
    row = story.row
    if story.carried_from:
        title = f"Row {story.number:,}, carried over from {story.carried_from}"
    else:
        line = "" if row is None or row.line is None else f" (line {row.line:,})"
        title = f"Row {story.number:,}{line} of {story.file}"
    if row is None or row.problem is not None:
        return title
    rating = f"rating {shown(row.rating)}" if row.rating else "no rating"
    comment = f"comment {shown(row.comment, _COMMENT_SHOWN)}" if row.comment else "no comment"
    return f"{title}: {rating}, {comment}"


def _time(seconds: float) -> str:
    """Return a time of day, in this machine's zone, with its date."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
