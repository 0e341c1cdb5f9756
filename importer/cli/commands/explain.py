"""`clarityq-import explain`: the story of one conversation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from importer.cli.config_file import CONFIG
from importer.cli.console import messages, output
from importer.cli.help import command, examples
from importer.cli.options import JOBS_DIR, jobs_folder
from importer.common.durations import format_duration
from importer.common.text import counted, shown
from importer.common.uuids import canonical_uuid
from importer.errors import ExitCode, JournalError, SettingsError
from importer.jobs.find_job import find_job
from importer.jobs.folders import job_folders
from importer.reporting.wording import CALLS, words

if TYPE_CHECKING:
    from importer.reporting.conversation import RowStory, Story

_COMMENT_SHOWN = 60
_MOST_NAMES = 2


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
    found = [folder for folder in folders if _tell(folder, conversation, alone=job is not None)]
    if not found and not _tell_rejected(folders, conversation):
        where = f"job {folders[0].name}" if job is not None else f"the jobs in {here}"
        raise SettingsError(f"there is no row of conversation {conversation} in {where}")
    return ExitCode.OK


def _tell_rejected(folders: Sequence[Path], conversation: str) -> bool:
    """Print which rejected lines hold the id, if there are any; return whether there are."""
    from importer.reporting.left_overs import rejected_line  # noqa: PLC0415 -- seldom needed

    found = [line for folder in folders if (line := rejected_line(folder, conversation))]
    for path, number in found:
        output().print(
            f"No row of conversation {conversation} could be read in job {path.parent.name}, but a "
            f"rejected line holds the id: line {number:,} of {path}, which says why.",
            soft_wrap=True,
        )
    return bool(found)


def _tell(folder: Path, conversation: str, *, alone: bool) -> bool:
    """Print the story of the conversation in the job; return whether the job has a row of it."""
    from importer.reporting.conversation import (  # noqa: PLC0415 -- heavy; --help does without
        may_tell,
        tell_story,
    )

    try:
        if not may_tell(folder, conversation):
            return False
        story = tell_story(folder, conversation)
    except JournalError as error:
        if alone:
            raise SettingsError(str(error)) from None
        messages().print(f"{folder.name} cannot be read: {error}", soft_wrap=True)
        return False
    _print(story, folder, output())
    return bool(story.rows)


def _print(story: Story, folder: Path, console: Console) -> None:
    if story.remark:
        console.print(f"{story.remark}.", soft_wrap=True)
    if not story.rows:
        return
    console.print(
        f"Conversation {story.conversation_id}: {counted(len(story.rows), 'row')} "
        f"in job {folder.name}{', a REHEARSAL' if story.is_rehearsal else ''}."
    )
    for row in story.rows:
        console.print()
        for line in _lines(row, story):
            console.print(line, soft_wrap=True)


def _lines(story: RowStory, whole: Story) -> list[str]:
    from importer.reporting.conversation import why  # noqa: PLC0415

    events = []
    for attempt in story.attempts:
        text = f"{CALLS[attempt.call]:7} {attempt.detail}"
        if attempt.wait:
            text += f"; waits {format_duration(attempt.wait)}"
        events.append((attempt.at, text))
    looks = [attempt for attempt in story.attempts if attempt.http_status == HTTPStatus.CONFLICT]
    if story.deferral is not None and story.deferral.looks > len(looks):
        looked = f"looked {story.deferral.looks:,} times in all, the first by a PUT"
        events.append((story.deferral.looked_at, f"status? still not completed; {looked}"))
    lines = [_title(story), *(f"  {_time(at)}  {text}" for at, text in sorted(events))]
    outcome = story.outcome
    if outcome is not None:
        when = _time(outcome.settled_at) if outcome.settled_at is not None else ""
        name = words(outcome.kind)
        puts = f", after {counted(outcome.attempts, 'PUT')}" if outcome.attempts else ""
        lines.append(f"  {when}  {name}{puts}: {why(outcome)}")
    elif story.is_forgotten:
        lines.append("  forgotten: the job does not tell any more what became of it")
    elif story.deferral is not None:
        lines.append(f"  pending: the next look is due at {_time(story.deferral.due)}")
    else:
        end = f"the latest run ended first ({whole.end})" if whole.end else "it is not settled yet"
        lines.append(f"  pending: {words(end)}")
    return lines


def _title(story: RowStory) -> str:
    title = f"Row {story.number:,}"
    row = story.row
    if row is not None and row.line is not None:
        title += f" (line {row.line:,})"
    title += f" of {story.file}"
    if row is None:
        return title
    rating = f"rating {shown(row.rating)}" if row.rating else "no rating"
    comment = f"comment {shown(row.comment, _COMMENT_SHOWN)}" if row.comment else "no comment"
    return f"{title}: {rating}, {comment}"


def _time(seconds: float) -> str:
    """Return a time of day, in this machine's zone, with its date."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
