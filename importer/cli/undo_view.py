"""What an undo would do, or does, as it is shown: a table, and sentences beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.table import Column, Table

from importer.cli.console import output
from importer.common.text import counted, few_listed, is_or_are, sentence
from importer.jobs.key_source import note_on_key
from importer.jobs.not_restored import gone_over
from importer.jobs.own_commands import is_not_finished
from importer.reporting.taken_back import (
    cleared_of_in_words,
    steps_for_gone_over,
    steps_to_bring_back,
)
from importer.reporting.wording import waits_again_in_words
from importer.workflows.undo_job import InTheWay, UndoTable

#: So many later jobs are named.
_MOST_NAMED = 3
_NOT_SEEN = (
    "Feedback that was given in the app since cannot be seen, and is replaced or cleared as well. "
    "The next full export sends all of it again, unless it is corrected."
)


def print_table(
    folder: Path, found: UndoTable, command_to_type: str, clearing: str, *, done: bool
) -> None:
    """Print what the undo does. What is to be given up is given up already if it is `done`.

    `clearing` is the same command with which nothing is left for not being known.
    """
    becomes = "cleared" if found.clears_unknown else "left"
    table = Table(
        f"undo of {folder.name}", Column("conversations", justify="right"), "such as",
        box=None, pad_edge=False,
    )  # fmt: skip
    for what, number, some in (
        ("restored: what they held before is known", found.restored.number,
         ", ".join(found.restored.examples)),
        ("sent: rows of earlier jobs whose place it had taken", found.waiting.number,
         ", ".join(found.waiting.examples)),
        (f"{becomes}: an earlier job had set them, or tried to", found.set_before.number,
         ", ".join(found.set_before.examples)),
        (f"{becomes}: nothing is known of what they held before", found.unknown.number,
         ", ".join(found.unknown.examples)),
        ("left: a later job has set them, or tried to", found.later.number,
         ", ".join(found.later.examples)),
        ("left: taken back before", found.back.number, ", ".join(found.back.examples)),
    ):  # fmt: skip
        table.add_row(what, f"{number:,}", some if number else "")
    console = output()
    console.print(table)
    for remark in [*_remarks(folder.name, found, done=done), *_brought_back(folder, found, done)]:
        console.print(remark, soft_wrap=True)
    if not found.to_send:
        _print_nothing_to_send(found, "" if done else command_to_type, clearing)
        return
    console.print(_NOT_SEEN, soft_wrap=True)
    if not done:
        console.print(f"Nothing was sent. {_how_to_do(found, command_to_type)}", soft_wrap=True)


def _how_to_do(found: UndoTable, once: str) -> str:
    """Return how the undo is done by the command `once`, and what is to be done before."""
    way = found.in_the_way
    if way is None or way.may_stay:
        return f"To do it:\n  {once}"
    first = ""
    if way.taken_over and not way.is_given_up:
        first = f"first, this, which gives up what {way.name} has taken over, and ends with 2:"
    commands = [*([once] if first else []), way.resume, once]
    lines = "".join(f"\n  {command}" for command in commands)
    return (
        f"{_is_not_finished(way)} With --replace it is given up for good{_own_lost(way)}. Else, to "
        f"do it, {first or 'in order:'}{lines}{note_on_key(*commands)}"
    )


def to_end_first(job: str, found: UndoTable, once: str) -> str:
    """Return that another job is in the way of the undo, which `once` does, and what to do."""
    way = found.in_the_way
    assert way is not None  # noqa: S101 -- the undo may not begin
    told = _pending_elsewhere(way, done=True)
    return (
        f"{told and f'{told} '}{_is_not_finished(way)} Resume it first:\n  {way.resume}\nthen give "
        f"this command again:\n  {once}\nor give it up for good{_own_lost(way)}, and take {job} "
        f"back:\n  {once} --replace{note_on_key(way.resume, once)}"
    )


def _is_not_finished(way: InTheWay) -> str:
    told = is_not_finished(way.name)
    return f"{told[0].upper()}{told[1:]}"


def _own_lost(way: InTheWay) -> str:
    if not way.own:
        return ""
    rows = counted(way.own, "row")
    return (
        f" (its own {rows} {is_or_are(way.own)} not sent then, unless its command is given again)"
    )


def _pending_elsewhere(way: InTheWay, *, done: bool) -> str:
    """Return what becomes of rows that another job has taken over, as a sentence; or nothing."""
    if not way.taken_over:
        return ""
    are, them = ("It is", "it") if way.taken_over == 1 else ("They are", "them")
    if not (done or way.is_given_up):
        are = f"With the undo {are.lower()}"
    return (
        f"Pending in {way.name}, which has taken {them} over: {counted(way.taken_over, 'row')}. "
        f"{are} given up: {way.name} does not send {them}."
    )


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


def _brought_back(folder: Path, found: UndoTable, done: bool) -> Iterator[str]:
    """Yield what of earlier jobs is cleared, and how it comes back; once `done` the run tells."""
    by = found.set_before_by if found.clears_unknown else {}
    if by and not done:
        yield f"{cleared_of_in_words(by, 'is cleared', by)}."
        over = gone_over(folder, by, folder.name).jobs
        steps = steps_to_bring_back(folder.parent, by)
        for step in [*steps, *steps_for_gone_over(folder.parent, over)]:
            yield f"{step.purpose}\n  {step.command}" if step.command else step.purpose


def _given_up(job: str, found: UndoTable, *, done: bool) -> Iterator[str]:
    """Yield what is given up, and what waits again because of that, in sentences."""
    if found.in_the_way and (told := _pending_elsewhere(found.in_the_way, done=done)):
        yield told
    if found.gives_up and done:
        yield "The job was not finished: its pending rows are given up now."
    elif found.gives_up:
        yield "The job is not finished: with the undo its pending rows are given up."
    yield from map(sentence, found.remarks)
    if found.waits_again and not (done and found.to_send):  # then it is told after that
        yield f"{'' if done else 'With the undo, '}{waits_again_in_words(job, found.waits_again)}."
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


def _print_nothing_to_send(found: UndoTable, command_to_type: str, clearing: str) -> None:
    console = output()
    way = found.in_the_way
    taken_over = 0 if way is None or way.is_given_up else way.taken_over
    gives_up = found.gives_up or found.left_over or taken_over
    nothing = f"There is nothing {'else ' if gives_up else ''}to take back"
    with_it = f" without --clear-unknown. To do it with that:\n  {clearing}" if found.kept else "."
    console.print(f"{nothing}{with_it}", soft_wrap=True)
    if command_to_type and (gives_up or found.counts):
        what = "give that up" if gives_up else "let it count for nothing"
        console.print(f"To {what}:\n  {command_to_type}", soft_wrap=True)
