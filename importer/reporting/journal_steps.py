"""What is to be done about the rows that a job has left over, as only its journal tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from pathlib import Path

from importer.common.text import counted, listed
from importer.jobs.commands import (
    NOT_OF_LEFT_OVERS,
    Again,
    not_for_left_overs,
    options_told,
    own_command,
    path_argument,
    to_see_which,
)
from importer.jobs.ends import own_pending
from importer.jobs.forget import NO_COMMENTS
from importer.jobs.inputs import how_changed, undone_job
from importer.jobs.journal_file import WRITTEN, JournalFile
from importer.jobs.journal_reader import JournalReader
from importer.jobs.placing import imported_since
from importer.jobs.records import GIVEN_UP, WITHDRAWN, JobRecord, JobState, Totals
from importer.model import OutcomeKind, Reason, RunEnd
from importer.reporting.endings import CARRIES_OVER, Step, next_steps
from importer.reporting.left_overs import (
    FILE_OF_KIND,
    LEFT_OVER_NAMES,
    forgotten_outcomes,
)
from importer.reporting.wording import status_in_words, unread_in_words, words
from importer.survey.findings import Findings


def steps_by_journal(
    journal: JournalReader, done: Collection[int] = frozenset(), *, is_taken_over: bool = False
) -> list[Step]:
    """Return what is to be done about the rows that a job has left over.

    For a job that has ended, of which only the journal tells how it stands. Rows of which all but
    the count is forgotten are left out, and those (seq) that others have `done`; also all that can
    be tried again, if that `is_taken_over`. Raises `JournalError`.
    """
    folder, settings = journal.folder, journal.latest_settings()
    outcomes, reasons = _to_do(journal, done)
    again = _again(journal)
    files = [path for name in LEFT_OVER_NAMES if (path := folder / name).exists()]
    steps = next_steps(
        RunEnd.FINISHED, outcomes, reasons, folder, files, again,
        {kind: len(journal.overtaken(kind).difference(done)) for kind in FILE_OF_KIND},
        carries_over=is_taken_over or settings["carry_over"],
        refused_with=refused_with(journal, reasons),
        newest_by=journal.newest_by(),
    )  # fmt: skip
    if is_taken_over:
        steps = [step for step in steps if not step.purpose.startswith(CARRIES_OVER)]
    return steps


def are_outdated(journal: JournalReader) -> bool:
    """Return whether the steps after the latest run of an ended job are not those of today.

    It was killed while it tried rows again.
    """
    last = journal.last_run()
    return last is not None and last.end is None


def to_be_fixed(journal: JournalReader) -> dict[OutcomeKind, int]:
    """Return how many rows a job has left over that only its files hold, and no other has imported.

    Rejected and failed ones: without those to which nothing helps, that give way to others of the
    job, or that the ledger knows (whose attempts ran out). None of a job that was taken back.
    Raises `JournalError`.
    """
    if WITHDRAWN in journal.facts():
        return {}
    done = imported_since(journal.folder)
    outcomes, reasons = _to_do(journal, done)
    found = {}
    for kind in (OutcomeKind.REJECTED, OutcomeKind.FAILED):
        found[kind] = outcomes[kind] - sum(
            reasons[kind, reason]
            for reason in (Reason.RETRIES_EXHAUSTED, Reason.CONVERSATION_ERROR)
        )
        if journal.newest_by() is None:  # else it is not known that another row is newer
            found[kind] -= len(journal.overtaken(kind).difference(done))
    return {kind: number for kind, number in found.items() if number > 0}


def _to_do(
    journal: JournalFile, done: Collection[int]
) -> tuple[Counter[OutcomeKind], Counter[tuple[OutcomeKind, Reason]]]:
    """Return how many rows ended how, and why, without those that were forgotten, or are `done`."""
    totals = journal.totals()
    outcomes, reasons = Counter(totals.outcomes), Counter(totals.reasons)
    others = {*done} - journal.forgotten_rows()
    left_over = chain.from_iterable(map(journal.outcomes, FILE_OF_KIND)) if others else ()
    gone = (row for row in left_over if row.seq in others)
    for outcome in chain(forgotten_outcomes(journal), gone):
        outcomes[outcome.kind] -= 1
        if outcome.reason is not None:
            reasons[outcome.kind, outcome.reason] -= 1
    return outcomes, reasons


def steps_of_closed(
    job: JobRecord, journal: JournalFile, key_source: Sequence[str] = ()
) -> list[Step]:
    """Return how those rows of a job are imported that was replaced or given up, and no other has.

    Of one that was given up these are the ones that were rejected or refused: the others a person
    has given up. Rows of conversations in ERROR are left out: nothing helps them. One that had sent
    nothing is begun anew by its command, unless a person has given it up. A file that is not there
    any more is nothing to do. `key_source` are the options that say where the key is, if its own
    run has not said that. Raises `JournalError`.
    """
    folder = journal.folder
    is_given_up = job.state is JobState.GIVEN_UP
    facts = journal.facts()
    if NO_COMMENTS in facts:
        return []
    if not (job.sent_anything or GIVEN_UP in facts):
        return _steps_of_unsent(journal, key_source)
    # Without a file, nothing was left over, and to count would mean to read the whole journal.
    has_left = any(name.startswith(WRITTEN) for name in facts)
    if not has_left or not (is_given_up or job.keeps_bodies):
        return []
    made = journal.written_files()
    again = _again(journal, key_source)
    outcomes, reasons = _to_do(journal, imported_since(folder))
    rows = joined_no_other(JobState.REPLACED, outcomes, reasons)
    final = reasons[OutcomeKind.FAILED, Reason.CONVERSATION_ERROR]
    to_fix = {kind: rows[kind] - (final if kind is OutcomeKind.FAILED else 0) for kind in rows}
    steps = [
        Step(f"To import the {counted(number, 'row')} {words(kind)} of {folder.name} that joined "
             f"no other job: fix {path}, then", again.of_file(path))
        for kind, number in to_fix.items()
        if number and FILE_OF_KIND[kind] in made and (path := folder / FILE_OF_KIND[kind]).exists()
    ]  # fmt: skip
    if lost := {kind: number for kind, number in rows.items() if FILE_OF_KIND[kind] not in made}:
        groups = listed([f"{number:,} {words(kind)}" for kind, number in lost.items()])
        steps.append(
            Step(
                f"Rows of {folder.name} that joined no other job are in no file: {groups}. To see "
                "which they are:",
                to_see_which(folder),
            )
        )
    if job.sent_anything and (unread := unread_rejected(journal, journal.totals())):
        steps.append(Step(f"{unread_in_words(folder.name, unread)}."))
    return steps


def never_sent(folder: Path) -> str:
    """Return how the rows of a job are called that sent nothing, in each step about them."""
    return f"of {folder.name} that no job has sent"


def _steps_of_unsent(journal: JournalFile, key_source: Sequence[str]) -> list[Step]:
    """Return how the own rows of a job are imported that has sent nothing: it is begun anew."""
    folder, inputs, number = journal.folder, journal.inputs(), own_pending(journal)
    if not number or undone_job(file.path for file in inputs) is not None:
        return []
    again = Again([*own_command(journal), *(journal.key_source() or key_source)], [])
    rows = f"the {counted(number, 'row')} {never_sent(folder)}"
    changed = how_changed(folder, [file for file in inputs if Path(file.path).is_absolute()])
    but = f" ({changed})" if changed else ""
    last = journal.last_run()
    is_over_limit = last is not None and last.end is RunEnd.DATA_LIMIT
    corrected = ", once the data is corrected" if is_over_limit else ""
    steps = [
        Step(f"To see what {rows} would change by now:", again.plan()),
        Step(f"To import {rows}{corrected}, as the newest of their conversations{but}:",
             again.same()),
    ]  # fmt: skip
    if not is_over_limit:
        return steps
    if (path := folder / FILE_OF_KIND[OutcomeKind.REJECTED]).exists():
        rejected = journal.totals().outcomes[OutcomeKind.REJECTED]
        told = f"{rejected:,} of the rows {never_sent(folder)} would be rejected: see {path}."
        steps.insert(0, Step(told))
    accepting = f"If the data is right as it is, to send {rows} this once:"
    return [*steps, Step(accepting, again.accepting())]


def unread_rejected(journal: JournalFile, totals: Totals) -> int:
    """Return to how many of the rows that its survey has rejected no run of a job has come."""
    found = Findings.of_json(journal.survey()).rejected
    return max(0, found - totals.outcomes[OutcomeKind.REJECTED])


def joined_no_other(
    state: JobState,
    outcomes: Mapping[OutcomeKind, int],
    reasons: Mapping[tuple[OutcomeKind, Reason], int],
) -> dict[OutcomeKind, int]:
    """Return how many left-over rows no other job has of one in that state: replaced or given up.

    The successor has those of the replaced one that can be tried again (docs/reference.md, A5).
    """
    rows = {kind: outcomes[kind] for kind in FILE_OF_KIND}
    if state is JobState.REPLACED:
        exhausted = reasons.get((OutcomeKind.FAILED, Reason.RETRIES_EXHAUSTED), 0)
        rows[OutcomeKind.FAILED] -= exhausted
        del rows[OutcomeKind.NOT_COMPLETED]
    return {kind: number for kind, number in rows.items() if number}


def _again(journal: JournalFile, key_source: Sequence[str] = ()) -> Again:
    key = journal.key_source() or key_source
    record = journal.latest_settings()
    told = options_told(record, without=NOT_OF_LEFT_OVERS)
    # Nobody knows any more what of it a configuration file says, which is read again.
    maybe = {name for name, value in record.items() if value}
    if Findings.of_json(journal.survey()).has_left_overs:  # they were read without such lines
        maybe.add("skip_lines")
    # The command of the import would begin a new job if nothing is left to try (J4).
    return Again(
        ["retry", path_argument(journal.folder), *key],
        [*told, *not_for_left_overs(maybe), *key],
        key,
    )


def refused_with(journal: JournalFile, reasons: Mapping[tuple[OutcomeKind, Reason], int]) -> str:
    """Return the status of the first row that the service refused, in words; empty without one.

    `reasons` are the counts of the journal. Not what the service said: it may quote a comment.
    """
    if not reasons.get((OutcomeKind.FAILED, Reason.REFUSED)):
        return ""
    failed = journal.outcomes(OutcomeKind.FAILED)
    first = next((one for one in failed if one.reason is Reason.REFUSED), None)
    return "" if first is None or first.http_status is None else status_in_words(first.http_status)
