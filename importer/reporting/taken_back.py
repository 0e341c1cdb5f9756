"""What undos have taken back of a job, and what of earlier jobs they clear with it, in words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from importer.common.text import counted, listed
from importer.errors import JournalError
from importer.jobs.commands import command_line
from importer.jobs.folders import base_name, job_folders
from importer.jobs.inputs import how_changed, undone_job
from importer.jobs.journal_reader import JournalReader
from importer.jobs.keys import own_rank, rank_number
from importer.jobs.not_restored import NotRestored, cleared_so_far
from importer.jobs.own_commands import jobs_dir_of, resuming
from importer.jobs.records import CLEARS_OF, InputFile
from importer.model import OutcomeKind
from importer.reporting.steps import Step, StepKind
from importer.survey.findings import Findings

#: So many earlier jobs are named: the latest.
_MOST_NAMED = 3


class DoneUndo(NamedTuple):
    """An undo that has taken something back, or is to."""

    #: Its number among the jobs of the product.
    number: int
    folder: Path
    #: How many of its rows are done.
    rows: int
    #: The command that resumes it, or takes the rest back anew; empty if it has ended.
    resume: str = ""
    #: It was given up, or replaced, before it came to its end.
    is_given_up: bool = False


def going_on(name: str, command: str, why: str = "") -> Step:
    """Return the step that goes on with an undo, of that `name`, and `why` that is to be done.

    One that has no folder yet goes by the name of the job that it takes back.
    """
    purpose = " ".join([*filter(None, [why]), "To go on with the undo:"])
    return Step(purpose, command, StepKind.GO_ON_WITH_UNDO, name)


def taken_back_in_words(
    folder: Path, number: int, takers: Sequence[Path], undos: Sequence[DoneUndo]
) -> Iterator[tuple[str, list[Step]]]:
    """Yield of each of the `undos` how much it has taken back of what a job had set, and how on.

    The job has that `number` and is in `folder`; the `takers` may have set rows of it that they had
    taken over. Only what the job has set counts, or may have set: not what it found unchanged,
    nor rows of other jobs that an undo has sent. Raises `JournalError`.
    """
    undos = sorted(undos)
    had_set = _had_set([folder, *takers], number)
    of_others = _others(folder, takers, undos, number)
    done = [undo.rows - others for undo, others in zip(undos, of_others, strict=True)]
    had_set = max(had_set, sum(done))
    for undo, rows in zip(undos, done, strict=True):
        is_last = undo is undos[-1]
        others = "; the others stay as they are" if is_last and sum(done) < had_set else ""
        many = f"{rows:,} of {counted(had_set, 'conversation')}"
        if undo.is_given_up and not (rows or is_last):
            continue
        if undo.is_given_up:
            was = "taken back in part" if rows else "to be taken back"
            told = f"It was {was} by {undo.folder.name}, which was given up: {many}{others}."
            yield told, [going_on(undo.folder.name, undo.resume)] if is_last else []
        elif undo.resume:
            is_taken = f"It is being taken back by {undo.folder.name}, which is not finished"
            # Its beginning is told in files that stay as they are while it runs.
            so_far = f": {many} so far" if rows else ""
            yield f"{is_taken}{so_far}.", [going_on(undo.folder.name, undo.resume)]
        else:
            yield f"It was taken back by {undo.folder.name} since: {many}{others}.", []


def _had_set(folders: Sequence[Path], number: int) -> int:
    """Return of how many conversations these jobs have set rows that the one of `number` brought.

    Or may have set: of some no answer is recorded.
    """
    found, in_doubt = 0, set[bytes]()
    for folder in folders:
        with JournalReader(folder) as journal:
            found += journal.sent_and_set(brought_by=number)
            doubts = [one for one in journal.doubts() if one.in_doubt]
            ranks = journal.ranked() if doubts else {}
            own = own_rank(int(journal.facts()["number"]))
            for doubt in doubts:
                rank = rank_number(ranks[doubt.seq]) if doubt.seq in ranks else own
                if rank & 0xFFFFFFFF == number:
                    in_doubt.add(doubt.key)
    return found + len(in_doubt - _set_among(folders, in_doubt, number))


def _others(
    folder: Path, takers: Sequence[Path], undos: Sequence[DoneUndo], number: int
) -> Iterator[int]:
    """Yield how many rows each of the undos has sent where its job had set nothing."""
    with JournalReader(folder) as journal:
        after_all = journal.after_all()
    last = 0
    for undo in undos:
        keys = {key for since, key, _ in after_all if last <= since < undo.number}
        keys -= _set_among([folder, *takers], keys, number)
        with JournalReader(undo.folder) as journal:
            yield len(journal.set_among(keys)) if keys else 0
        last = undo.number


def _set_among(folders: Sequence[Path], keys: set[bytes], number: int) -> set[bytes]:
    found = set[bytes]()
    for folder in folders if keys else ():
        with JournalReader(folder) as journal:
            found |= journal.set_among(keys, brought_by=number, sent=True)
    return found


def cleared_of(facts: Mapping[str, str]) -> dict[str, int]:
    """Return which earlier jobs came last to conversations that an undo clears, and to how many.

    `facts` are those of its journal; the oldest job is the first.
    """
    found: dict[str, int] = json.loads(facts.get(CLEARS_OF, "{}"))
    return found


def cleared_of_in_words(by: Mapping[str, int], was: str, done: Mapping[str, int]) -> str:
    """Return that an undo clears what these earlier jobs have set, as a sentence without its end.

    `was` says when: it is cleared, or was so far. In how many it is `done`, by job, is said where
    it is not in all.
    """
    latest = [f"{job} ({_part(done[job], number)})" for job, number in by.items()]
    others = len(latest) - _MOST_NAMED
    names = ", ".join(latest[-_MOST_NAMED:])
    more = f"{counted(others, 'older job')}, {names}" if others > 0 else names
    return (
        f"In {_part(sum(done.values()), sum(by.values()))} feedback {was} that earlier jobs had "
        f"set, or tried to, and that is not kept: {more}"
    )


def _part(done: int, of: int) -> str:
    conversations = counted(of, "conversation")
    return conversations if done == of else f"{done:,} of {conversations}"


def cleared_by_now(folder: Path, facts: Mapping[str, str], *, has_ended: bool) -> str:
    """Return what the undo in `folder`, with these `facts`, has cleared of earlier jobs; or "".

    Where it is not known how much of it is done, it is said of the whole.
    """
    by = cleared_of(facts)
    if not by:
        return ""
    done = cleared_so_far(folder)
    if done is not None:
        return cleared_of_in_words(by, f"was cleared{'' if has_ended else ' so far'}", done)
    was = "was cleared" if has_ended else "is cleared, once all of it is done,"
    return cleared_of_in_words(by, was, by)


def set_since_in_words(undone: str, rest: NotRestored) -> str:
    """Return in how many conversations that an undo did not restore later jobs have set feedback.

    `undone` is the job that was taken back. Empty if they have in none.
    """
    if not rest.is_touched:
        return ""
    many = f"{rest.set_since:,} since" if rest.set_since else "none since that still counts"
    kind = "had cleared what earlier jobs had set" if rest.clears else f"had left what {undone} set"
    return (
        f"Of {counted(rest.of, 'conversation')} in which the undo {kind}, later jobs have set "
        f"{many}."
    )


def brought_back_by(
    folder: Path,
    facts: Mapping[str, str],
    inputs: Sequence[InputFile],
    also: Iterable[str] = (),
) -> Iterator[str]:
    """Yield the earlier jobs of which a later one with these `inputs` brings back what was cleared.

    The undo that has cleared it is in `folder`, with these `facts`; the names in `also` are asked
    for as well. A journal that cannot be read is passed over.
    """
    digests = [file.digest for file in inputs]
    for name in {**cleared_of(facts), **dict.fromkeys(also)} if all(digests) else ():
        with suppress(JournalError), JournalReader(folder.parent / name) as journal:
            if [file.digest for file in journal.inputs()] == digests:
                yield name


def steps_to_bring_back(
    jobs_dir: Path, by: Mapping[str, int], *, is_cleared: bool = False
) -> list[Step]:
    """Return how what these earlier jobs have set comes back once it was cleared, oldest first.

    Their inputs are imported again. Of each of the others it is said why no command does that. It
    `is_cleared` if the undo has ended.
    """
    steps = []
    once = "" if is_cleared else ", once the undo has cleared it"
    for name, number in [*by.items()][-_MOST_NAMED:]:
        why_not, command = _how_again(jobs_dir / name)
        what = f"To bring back what {name} had set in {counted(number, 'conversation')}"
        is_about = StepKind.BRING_BACK, name
        if why_not:
            steps.append(Step(f"{what}, no command is known: {why_not}.", "", *is_about))
        else:
            purpose = (
                f"{what}{once}: this imports all of that job again, also "
                "over what later jobs have set (plan in the place of run shows it first):"
            )
            steps.append(Step(purpose, command, *is_about))
    return steps


def steps_for_gone_over(jobs_dir: Path, over: Mapping[str, int]) -> list[Step]:
    """Return how later jobs are imported again after that, by name and number of conversations."""
    if len(over) > _MOST_NAMED:
        first, *_, last = over
        what = (
            f"After that, as it goes over what {len(over):,} later jobs have set, all of these "
            f"again, in the order in which they began: {first} to {last}."
        )
        return [Step(what, "", StepKind.BRING_BACK, last)]
    steps = []
    for name, number in over.items():
        why_not, command = _how_again(jobs_dir / name)
        what = f"what {name} has set in {counted(number, 'conversation')}"
        what = f"After that, as it goes over {what}, all of {name} again"
        end = f", but no command is known: {why_not}." if why_not else ":"
        steps.append(Step(f"{what}{end}", command, StepKind.BRING_BACK, name))
    return steps


def _how_again(folder: Path) -> tuple[str, str]:
    """Return why the inputs of a job cannot be imported again, or the command that does it."""
    try:
        with JournalReader(folder) as journal:
            why_not = _why_not_again(journal)
            return why_not, "" if why_not else _again(journal)
    except JournalError as error:
        return str(error), ""


def _why_not_again(journal: JournalReader) -> str:
    """Return why the inputs of a job cannot be imported again as they were; empty if they can."""
    inputs = journal.inputs()
    if undone_job(file.path for file in inputs) is not None:
        return "it is an undo"
    if elsewhere := [file.path for file in inputs if not Path(file.path).is_absolute()]:
        return f"what {listed(elsewhere)} holds by now is not known"
    return how_changed(journal.folder, inputs, may_be=True)


def _again(journal: JournalReader) -> str:
    """Return the command that imports the inputs of a job again, all of them."""
    folder, last = journal.folder, journal.last_run()
    record = journal.latest_settings() | jobs_dir_of(folder)
    record["inputs"] = [file.path for file in journal.inputs()]
    words = resuming(record, last.end if last else None)
    words += [] if "--sandbox" in words else journal.key_source()
    if Findings.of_json(journal.survey()).has_left_overs and "--as-new" not in words:
        words.append("--as-new")  # they would give way to the undo
    if _would_be_resumed(folder):
        words.append("--restart")
    return command_line(words)


def _would_be_resumed(folder: Path) -> bool:
    """Return whether the command of a job would try rows of its latest one again (J4)."""
    base = base_name(folder.name)
    *_, latest = (one for one in job_folders(folder.parent) if base_name(one.name) == base)
    with JournalReader(latest) as journal:
        return bool(journal.totals().outcomes[OutcomeKind.NOT_COMPLETED])
