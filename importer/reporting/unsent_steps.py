"""How the rows of jobs are imported that have sent nothing, or were not read to their end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from importer.common.text import counted
from importer.errors import JournalError
from importer.jobs.commands import FILE_KEPT, Again
from importer.jobs.ends import has_same_content, own_pending
from importer.jobs.inputs import how_changed, undone_job
from importer.jobs.journal_file import JournalFile
from importer.jobs.journal_head import Head
from importer.jobs.journal_reader import JournalReader
from importer.jobs.own_commands import how_to_resume, own_command
from importer.jobs.read_again import Beside
from importer.jobs.records import InputFile
from importer.jobs.surveys import UnreadJob
from importer.model import OutcomeKind, Rank, RunEnd
from importer.reporting.left_overs import FILE_OF_KIND
from importer.reporting.steps import Step, StepKind, TakenUp, file_of_job
from importer.reporting.taken_back import going_on
from importer.survey.findings import Findings


class Passed(NamedTuple):
    """The command of a job that had sent nothing has imported other content since."""

    #: Of how many of the rows no later job has brought their conversations.
    rows: int

    def __str__(self) -> str:
        return f" ({self.rows:,} of conversations that no later job has brought)"


def begun_anew(
    journal: JournalReader, head: Head, anew: Sequence[Beside], later: Sequence[Head]
) -> TakenUp:
    """Return which of the jobs in `anew` has begun the one of `journal` anew, and what is to do.

    These are of the same command, or have the same inputs. Another content leaves those rows
    unsent whose conversations are in none of the `later` jobs, of which these are some. Raises
    `JournalError`.
    """
    inputs = journal.inputs()
    text, topics = _begun_anew_in_words(inputs, anew), {(StepKind.BEGIN, journal.folder.name)}
    is_same = any(has_same_content(inputs, one.inputs) for one in anew)
    if is_same and not head.sent_anything:  # that one tells of the same rejected rows
        path = journal.folder / FILE_OF_KIND[OutcomeKind.REJECTED]
        topics.add((StepKind.LEFT_OVERS, file_of_job(path)))
    if is_same or head.sent_anything or head.given_up:
        return TakenUp(text, topics)
    rows = _brought_by_none(journal, head, later)
    if not rows:
        return TakenUp(text, topics)
    return TakenUp(text, instead=steps_of_unsent(journal, passed_by=Passed(rows)))


def _brought_by_none(journal: JournalReader, head: Head, later: Sequence[Head]) -> int:
    """Return of how many own rows that a job was to send no later job has the conversation.

    What such a job has only taken over from jobs before counts for nothing: it is older. None of a
    job that has not kept what it was to send: then nobody knows.
    """
    own, ranks = Rank(head.number, head.number), journal.ranked()
    carried = journal.carried_count()
    pending = journal.pending() if head.keeps_bodies else ()
    rows = {key: ranks.get(seq, own) for key, seq, *_ in pending if seq > carried}
    for other in later:
        if rows:
            with suppress(JournalError), JournalReader(other.folder) as its:
                brought = [(key, rank) for key, rank, _ in its.settled_among(rows)]
                if other.sent_anything and not other.given_up:
                    at, its_own = its.ranked(), Rank(other.number, other.number)
                    brought += [(key, at.get(seq, its_own)) for key, seq, *_ in its.pending()]
                for key, rank in brought:
                    if key in rows and rank > rows[key]:
                        del rows[key]
    return len(rows)


def _begun_anew_in_words(inputs: Sequence[InputFile], anew: Sequence[Beside]) -> str:
    """Return which of the later jobs, `anew`, has begun anew one with these inputs, and how far.

    It is one that has sent something, if there is one; of those one with the same content, as
    inputs of the same command may have held anything; of those the first.
    """
    alike = {one.head.id for one in anew if has_same_content(inputs, one.inputs)}
    found = min(anew, key=lambda one: (not one.head.sent_anything, one.head.id not in alike)).head
    if found.id in alike:
        return f"{found.folder.name} began anew what it had not sent."
    return (
        f"{found.folder.name} is of the same command, and its inputs hold other content: of what "
        "this job had not sent, only what they hold again is sent."
    )


def steps_of_unsent(
    journal: JournalFile, key_source: Sequence[str] = (), passed_by: Passed | None = None
) -> list[Step]:
    """Return how the own rows of a job are imported that it has not come to: it is begun anew.

    If it is `passed_by` a later one, its inputs may be another file by now.
    """
    folder, inputs, number = journal.folder, journal.inputs(), own_pending(journal)
    if not number:
        return []
    if (undone := undone_job(file.path for file in inputs)) is not None:
        why = (
            f"{folder.name} was given up: up to {counted(number, 'conversation')} still "
            f"{'holds' if number == 1 else 'hold'} what {undone} has stored."
        )
        return [going_on(folder.name, how_to_resume(folder, key_source), why)]
    is_about, never_sent = (StepKind.BEGIN, folder.name), f"of {folder.name} that no job has sent"
    local = [file for file in inputs if Path(file.path).is_absolute()]
    changed = how_changed(folder, local, may_be=passed_by is not None)
    but, others = f" ({changed})" if changed else "", None
    if passed_by is not None:
        never_sent = f"of {folder.name}{passed_by}"
        if changed or len(local) < len(inputs):
            others, but = [FILE_KEPT], f", if what it had read is kept as {FILE_KEPT}{but}"
    rows = f"the {counted(number, 'row')} {never_sent}"
    words = [*own_command(journal, others), *(journal.key_source() or key_source)]
    again = Again(words, [], taken_back=journal.taken_back())
    last = journal.last_run()
    # Rows of left-over files name their jobs, and give way to newer ones.
    is_newest = journal.is_as_new() or not Findings.of_json(journal.survey()).has_left_overs
    as_newest = ", as the newest of their conversations" if is_newest else ""
    is_over_limit = last is not None and last.end is RunEnd.DATA_LIMIT
    corrected = ", once the data is corrected" if is_over_limit else ""
    steps = [
        Step(f"To see what {rows} would change by now{but if others else ''}:", again.plan(),
             *is_about),
        Step(f"To import {rows}{corrected}{as_newest}{but}:",
             again.same(), *is_about),
    ]  # fmt: skip
    if not is_over_limit:
        return steps
    if (path := folder / FILE_OF_KIND[OutcomeKind.REJECTED]).exists():
        rejected = journal.totals().outcomes[OutcomeKind.REJECTED]
        its = never_sent if passed_by is None else f"of {folder.name}"
        told = f"{rejected:,} of the rows {its} would be rejected: see {path}."
        steps.insert(0, Step(told, "", *is_about))
    accepting = f"If the data is right as it is, to send {rows} this once{but if others else ''}:"
    return [*steps, Step(accepting, again.accepting(), *is_about)]


def steps_of_unread(surveys: Iterable[UnreadJob]) -> list[Step]:
    """Return how the rows of jobs are imported that were stopped before they had a journal."""
    steps = []
    for survey in surveys:
        name = survey.folder.name
        is_about = StepKind.BEGIN, name
        rows = f"the rows of {name}, whose inputs were not read to their end,"
        if survey.plan:
            steps.append(
                Step(f"To see what {rows} would change by now{survey.but}:", survey.plan, *is_about)
            )
            rows += " as the newest of their conversations"
        steps.append(Step(f"To import {rows}{survey.but}:", survey.command, *is_about))
    return steps
