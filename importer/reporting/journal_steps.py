"""What is to be done about the rows that a job has left over, as only its journal tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from importer.common.text import counted, listed
from importer.jobs.commands import (
    FROM_A_COPY,
    NOT_OF_LEFT_OVERS,
    Again,
    command_line,
    options_told,
    path_argument,
    to_see_which,
)
from importer.jobs.inputs import undone_job
from importer.jobs.journal_file import NO_COMMENTS, WRITTEN, JournalFile
from importer.jobs.journal_reader import JournalReader
from importer.jobs.not_restored import gone_over, not_restored
from importer.jobs.outranked import left_over_later
from importer.jobs.overtaken import awaited_of
from importer.jobs.own_commands import CLEARS, own_command
from importer.jobs.read_again import Beside, read_again
from importer.jobs.records import GIVEN_UP, JobRecord, JobState, job_number
from importer.model import OutcomeKind, Reason, RunEnd
from importer.reporting.edited_files import edited_in
from importer.reporting.left_overs import (
    FILE_OF_KIND,
    LEFT_OVER_NAMES,
)
from importer.reporting.next_steps import Circumstances, needless, next_steps
from importer.reporting.rows_to_do import (
    Rest,
    joined_no_other,
    leave_out_needless,
    outranked_since,
    to_do,
    unread_rejected,
    without_id,
    worth_fixing,
)
from importer.reporting.steps import Step, StepKind, file_of_job
from importer.reporting.taken_back import cleared_of, steps_for_gone_over, steps_to_bring_back
from importer.reporting.unsent_steps import steps_of_unsent
from importer.reporting.wording import status_in_words, stays_in_words, unread_in_words, words
from importer.survey.findings import Findings


def steps_by_journal(
    journal: JournalReader,
    done: Collection[int] = frozenset(),
    *,
    is_taken_over: bool = False,
    beside: Sequence[Beside] | None = None,
    later: Mapping[OutcomeKind, Mapping[int, bytes]] | None = None,
) -> list[Step]:
    """Return what is to be done about the rows that a job has left over.

    For a job that has ended, of which only the journal tells how it stands. Rows of which all but
    the count is forgotten are left out, and those (seq) that others have `done`; also all that can
    be tried again, if that `is_taken_over`. Those that give way to later jobs are only counted:
    `later`, as `outranked_since` returns them, if that was asked. Nothing is to be done once the
    comments were dropped. `beside` are the jobs beside it, if they are known. Raises
    `JournalError`.
    """
    if not journal.has_comments():
        return []
    folder, settings = journal.folder, journal.latest_settings()
    if later is None:
        later = outranked_since(journal, done, beside=beside)
    gone = {*done, *chain.from_iterable(later.values())}
    rest = to_do(journal, gone)
    if gone and journal.newest_by() is None:
        leave_out_needless(rest)
    files = [path for name in LEFT_OVER_NAMES if (path := folder / name).exists()]
    steps = next_steps(
        RunEnd.FINISHED, rest, folder, files, _again(journal), circumstances(journal, rest),
        carries_over=is_taken_over or settings["carry_over"],
    )  # fmt: skip
    if is_taken_over:
        steps = [step for step in steps if step.kind is not StepKind.CARRY_OVER]
    return [*_to_leave(folder, later, done, beside), *steps, *steps_to_clear(journal)]


def _to_leave(
    folder: Path,
    later: Mapping[OutcomeKind, Mapping[int, bytes]],
    done: Collection[int],
    beside: Sequence[Beside] | None,
) -> Iterator[Step]:
    """Yield of how many rows nothing is to be done, as they give way to `later` jobs, by kind."""
    for kind, rows in later.items():
        path, command = folder / FILE_OF_KIND[kind], ""
        told = (
            f"{counted(len(rows), 'row')} of {path} need not be dealt with: later jobs have "
            "brought newer rows of these conversations, to which an older one gives way."
        )
        if unread := without_id(folder, kind, done):
            told += (
                f" Of {counted(unread, 'row')} more that is not known, as no id could be read "
                "there: plan tells it of the fixed file."
            )
        if (other := left_over_later(folder, kind, {*rows.values()}, beside)) is not None:
            told += f" {other.name} has left over such rows itself. What is to be done about those:"
            command = command_line(["jobs", "show", path_argument(other)])
        yield Step(told, command, StepKind.LEFT_OVERS, file_of_job(path))


def steps_to_clear(journal: JournalFile, command: Sequence[str] = ()) -> list[Step]:
    """Return what is to be done about conversations that an undo had to leave as they are.

    Also how that comes back which earlier jobs had set and it has cleared. Without those that later
    jobs have set since. `command` are the words by which its latest run was begun, which may be of
    `retry`. Raises `JournalError`.
    """
    undone = undone_job(file.path for file in journal.inputs())
    if undone is None:  # those of a job that is taken back are told by its undo
        return []
    left, cleared, *_ = not_restored(journal.folder, of_undo=True)
    if not left:
        return _steps_to_bring_back(journal, undone, cleared)
    words = command if "undo" in command[:1] else [*own_command(journal), *journal.key_source()]
    words = [word for word in words if word not in {"--yes", CLEARS}]
    why = f"{stays_in_words(undone, left)}. To clear that:"
    command = command_line([*words[:2], CLEARS, *words[2:]])
    return [Step(why, command, StepKind.CLEAR, journal.folder.name)]


def _steps_to_bring_back(
    journal: JournalFile, undone: str, cleared: Mapping[str, int]
) -> list[Step]:
    """Return how that comes back which an undo has `cleared`, and no later job has set since.

    With what is to be imported again after that. The job `undone` was taken back.
    """
    jobs_dir, facts = journal.folder.parent, journal.facts()
    if not (by := cleared_of(facts)):
        return []
    over = gone_over(journal.folder, by, undone, job_number(facts["number"]))
    steps = steps_to_bring_back(jobs_dir, cleared, is_cleared=True)
    return [*steps, *steps_for_gone_over(jobs_dir, over.jobs)] if steps or over.is_begun else []


def are_outdated(journal: JournalReader) -> bool:
    """Return whether the steps after the latest run of an ended job are not those of today.

    It was killed while it tried rows again.
    """
    last = journal.last_run()
    return last is not None and last.end is None


def steps_of_closed(
    job: JobRecord,
    journal: JournalFile,
    key_source: Sequence[str] = (),
    beside: Sequence[Beside] | None = None,
) -> list[Step]:
    """Return how those rows of a job are imported that was replaced or given up, and no other has.

    Of one that was given up these are the ones that were rejected or refused; and those that it has
    not come to, unless a person has given it up by itself: its command begins it anew. So does that
    of one that had sent nothing; if it had nothing to send either, those that were rejected are
    left. Rows of conversations in ERROR are left out: nothing helps them. A file that is not there
    any more is nothing to do. `key_source` are the options that say where the key is, if its own
    run has not said that; `beside` are the jobs beside it, if they are known. Raises
    `JournalError`.
    """
    folder = journal.folder
    is_given_up = job.state is JobState.GIVEN_UP
    facts = journal.facts()
    if NO_COMMENTS in facts:
        return []
    undone = undone_job(file.path for file in journal.inputs())
    is_by_another = is_given_up and GIVEN_UP not in facts
    is_unsent = not (job.sent_anything or GIVEN_UP in facts)
    unsent = steps_of_unsent(journal, key_source) if is_unsent or is_by_another else []
    if is_unsent and (unsent or undone is not None):
        return unsent
    if undone is not None:
        cleared = not_restored(folder, of_undo=True, so_far=True).cleared
        unsent += _steps_to_bring_back(journal, undone, cleared)
    # Without a file, nothing was left over, and to count would mean to read the whole journal.
    has_left = any(name.startswith(WRITTEN) for name in facts)
    if not has_left or not (is_given_up or job.keeps_bodies):
        return unsent
    made = journal.written_files()
    again = _again(journal, key_source)
    done, awaited = read_again(folder, beside).rows, awaited_of(job)
    later = outranked_since(journal, done, awaited, beside)
    rest = to_do(journal, {*done, *chain.from_iterable(later.values())}, awaited)
    rows = joined_no_other(JobState.REPLACED, rest.outcomes, rest.reasons)
    to_fix = worth_fixing(journal, rest)
    steps = _needless(journal, rest, has_done=bool(done))
    steps += [
        Step(f"To import the {counted(number, 'row')} {words(kind)} of {folder.name} that joined "
             f"no other job: fix {path}, then", again.of_file(path),
             StepKind.LEFT_OVERS, file_of_job(path))
        for kind, number in to_fix.items()
        if FILE_OF_KIND[kind] in made and (path := folder / FILE_OF_KIND[kind]).exists()
    ]  # fmt: skip
    if lost := {kind: number for kind, number in rows.items() if FILE_OF_KIND[kind] not in made}:
        groups = listed([f"{number:,} {words(kind)}" for kind, number in lost.items()])
        steps.append(
            Step(
                f"Rows of {folder.name} that joined no other job are in no file: {groups}. "
                f"{FROM_A_COPY} To see which they are:",
                to_see_which(folder),
            )
        )
    if job.sent_anything and (unread := unread_rejected(journal, journal.totals())):
        steps.append(Step(f"{unread_in_words(folder.name, unread)}."))
    later.pop(OutcomeKind.NOT_COMPLETED, None)  # nobody is told of those otherwise
    told = {kind: some for kind, some in later.items() if (folder / FILE_OF_KIND[kind]).exists()}
    return [*unsent, *_to_leave(folder, told, done, beside), *steps]


def _needless(journal: JournalFile, rest: Rest, *, has_done: bool) -> list[Step]:
    """Return how many rows of the files of a closed job give way also once they are fixed.

    Not where all others of the file are done, if the others have some.
    """
    found: list[Step] = []
    if journal.newest_by() is not None:  # it is not known whether the other row is newer
        return found
    overtaken = rest._replace(reasons=rest.overtaken, overtaken=Counter())
    for kind, name in FILE_OF_KIND.items():
        number = overtaken.to_fix(kind).total()
        path = journal.folder / name
        if number and path.exists() and (not has_done or rest.to_fix(kind)):
            found.append(needless(number, path))
    return found


def _again(journal: JournalFile, key_source: Sequence[str] = ()) -> Again:
    key = journal.key_source() or key_source
    told = options_told(journal.latest_settings(), without=NOT_OF_LEFT_OVERS)
    # The command of the import would begin a new job if nothing is left to try (J4).
    return Again(
        ["retry", path_argument(journal.folder), *key],
        [*told, *key],
        key,
        taken_back=journal.taken_back(),
    )


def circumstances(journal: JournalFile, rest: Rest) -> Circumstances:
    """Return what the steps about the `rest` of a job's rows depend on."""
    return Circumstances(
        _refused_with(journal) if rest.reasons[OutcomeKind.FAILED, Reason.REFUSED] else "",
        journal.newest_by(),
        Findings.of_json(journal.survey()).has_left_overs,
        journal.may_be_encoded(),
        edited_in(journal.folder),
    )


def _refused_with(journal: JournalFile) -> str:
    """Return with which statuses the service refused rows, in words; empty if it gave none.

    Not what the service said: it may quote a comment.
    """
    failed = journal.outcomes(OutcomeKind.FAILED)
    statuses = {one.http_status or 0 for one in failed if one.reason is Reason.REFUSED} - {0}
    return listed([*map(status_in_words, sorted(statuses))]) if statuses else ""
