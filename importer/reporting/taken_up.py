"""What has become of a job since: how it was closed, and which others took up what it left over."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from importer.common.text import counted, is_or_are
from importer.errors import JournalError
from importer.jobs.carry_over import left_over_again, left_over_of, still_sends
from importer.jobs.ends import is_begun_anew
from importer.jobs.folders import job_folders
from importer.jobs.identity import ProductKey
from importer.jobs.inputs import UNDO_NAME, undone_job
from importer.jobs.journal_head import read_head
from importer.jobs.journal_reader import JournalReader
from importer.jobs.listing import jobs_of
from importer.jobs.records import (
    LEFT_OVERS_GIVEN_UP,
    WITHDRAWN,
    InputFile,
    JobRecord,
    JobState,
    job_number,
)
from importer.model import Rank
from importer.reporting.endings import CARRIES_OVER, Step
from importer.reporting.left_overs import KIND_OF_FILE, LEFT_OVER_NAMES
from importer.reporting.summary import kept_since, kept_steps

_MOST_ROWS = 1_000_000
#: What the steps begin with, or hold, that try again what is left over.
_TRIES_AGAIN = (CARRIES_OVER, "clarityq-import retry ")
_CARRIED_OVER = "has taken over what could be tried again (--carry-over)"
#: What the step holds about inputs that were not read, as an older copy was there.
NOT_READ = "this run went on with the copy of"


def closed_in_words(job: JobRecord, pending: int) -> str:
    """Return that a job was closed with so many rows without an outcome; empty if it was not.

    What becomes of them: docs/reference.md, A4 and A17.
    """
    rows = f"{counted(pending, 'row')} without an outcome {is_or_are(pending)} not sent"
    carried = ", but for those that it had carried over, which " if job.holds_carried else ""
    match job.state:
        case JobState.GIVEN_UP:
            carried += "are left over as before" if carried else ""
            return f"The job was given up: {rows}{carried}."
        case JobState.REPLACED if job.sent_anything:
            return f"The job was replaced: {counted(pending, 'row')} of it joined the one that did."
        case JobState.REPLACED:
            carried += "joined the one that did" if carried else ""
            return f"The job was replaced before it had sent anything: {rows}{carried}."
        case _:
            return ""


class TakenUp(NamedTuple):
    """What has become of a job since, in a sentence."""

    text: str
    #: A step of the job that holds one of these need not be done any more.
    obsolete: Sequence[str] = ()
    #: Whether another has taken over what could be tried again.
    is_taken_over: bool = False
    #: What is to be done instead; empty if nothing is.
    instead: str = ""

    def __str__(self) -> str:
        return self.text


def taken_up(folder: Path) -> Iterator[TakenUp]:
    """Yield what became of a job since: what others, in folders beside it, have taken up of it.

    A left-over file is known again by the ranks of its rows, wherever it was put. One of which no
    row is done is left out: what is to be done with it is as before. Raises `JournalError` if the
    job's own journal cannot be read.
    """
    with JournalReader(folder) as own:
        facts, inputs = own.facts(), own.inputs()
    product, number = ProductKey.of(facts), job_number(facts["number"])
    if LEFT_OVERS_GIVEN_UP in facts and _has_left_overs(folder):
        yield TakenUp("What it left over was given up.", _TRIES_AGAIN)
    takers: dict[int, str] = {}
    anew, sent_anything = "", read_head(folder).sent_anything
    is_taken_back = WITHDRAWN in facts
    for other in job_folders(folder.parent):
        with suppress(JournalError), JournalReader(other) as journal:
            facts = journal.facts()
            if other == folder or ProductKey.of(facts) != product:
                continue
            later = job_number(facts["number"])
            if later > number and is_begun_anew(
                folder.name, inputs, other.name.rpartition("-")[0], journal.inputs()
            ):
                anew = other.name
            its_own = [file for file in journal.inputs() if _is_of(folder, file.path)]
            for file in its_own:
                done = journal.without_trouble(file.first_seq, file.first_seq + file.rows - 1)
                if done:
                    is_taken_back &= Path(file.path).name != UNDO_NAME  # which tells it
                    yield _read_in_place(
                        folder, file, other.name, done, by_is_taken_back=WITHDRAWN in facts
                    )
            rank = Rank(number, later)
            if not its_own and undone_job(file.path for file in journal.inputs()) is None:
                yield from _read_elsewhere(journal, rank, other.name)
            if rank.version > number and any(r.rank.first <= number for r in journal.carried()):
                takers[rank.version] = other.name
    if anew and not sent_anything:
        yield TakenUp(f"{anew} began anew what it had not sent.", (never_sent(folder),))
    if is_taken_back:
        yield TakenUp("It was taken back.", _steps_about(folder))
    if takers:
        yield from _taken_over(folder, number, takers, product)


def never_sent(folder: Path) -> str:
    """Return how the rows of a job are called that sent nothing, in each step about them."""
    return f"of {folder.name} that no job has sent"


def _steps_about(folder: Path) -> Sequence[str]:
    """Return what steps about rows of a job hold; those of one that was wrong are not fixed."""
    return *_TRIES_AGAIN, *(f"{folder.name}/{name}" for name in LEFT_OVER_NAMES)


def _read_in_place(
    folder: Path, file: InputFile, by: str, done: int, *, by_is_taken_back: bool
) -> TakenUp:
    """Tell of a file of the job's folder that the job `by` reads, and has `done` rows of."""
    name = Path(file.path).name
    if name == UNDO_NAME and by_is_taken_back:
        return TakenUp(f"It was taken back by {by}, which was taken back itself.")
    with JournalReader(folder) as own:
        totals = own.totals()
    if name == UNDO_NAME:
        had_set = max(file.rows, totals.set)
        many = f"{done:,} of {counted(had_set, 'conversation')}"
        others = "; the others stay as they are" if file.rows < had_set else ""
        return TakenUp(f"It was taken back by {by} since: {many}{others}.", _steps_about(folder))
    left_over = totals.outcomes[KIND_OF_FILE[name]]
    obsolete = (f"{folder.name}/{name}",) if file.rows >= left_over else ()
    return TakenUp(_imported(name, by, done, max(file.rows, left_over)), obsolete)


def _read_elsewhere(journal: JournalReader, rank: Rank, by: str) -> Iterator[TakenUp]:
    """Tell of the rows of that rank, if there are some: they come from a left-over file."""
    rows, done, first = journal.ranked_so(rank)
    if done:
        file = next(one for one in reversed(journal.inputs()) if one.first_seq <= first)
        yield TakenUp(_imported(Path(file.path).name, by, done, rows))


def _imported(name: str, by: str, done: int, rows: int) -> str:
    return f"{name} was imported by {by} since: {done:,} of {counted(rows, 'row')}."


def _taken_over(
    folder: Path, number: int, takers: Mapping[int, str], product: ProductKey
) -> Iterator[TakenUp]:
    """Tell who has taken over what the job of that number has left over.

    If none of the `takers`, by number, sends it any more, it waits for the next import again.
    """
    (jobs, floor, _), given_up = jobs_of(folder.parent, product)
    own = jobs[number - 1]
    if not any(still_sends(jobs[taker - 1], given_up) for taker in takers):
        waiting = left_over_again(left_over_of(own), jobs[number:], jobs, given_up, floor)
        if waiting and number not in given_up:
            rows = counted(len(waiting), "row")
            are = is_or_are(len(waiting))
            instead = ""
            if own.keeps_bodies:  # it began with --carry-over: no other command is named for them
                instead = f"{CARRIES_OVER} tries the {rows} again that {are} left over."
            yield TakenUp(
                f"{takers[max(takers)]} had taken over what could be tried again (--carry-over), "
                f"and does not send it any more: {rows} {are} left over again.",
                (CARRIES_OVER,),
                is_taken_over=own.keeps_bodies,
                instead=instead,
            )
            return
    if _has_left_overs(folder):
        yield TakenUp(f"{takers[min(takers)]} {_CARRIED_OVER}.", (CARRIES_OVER,), True)


def _has_left_overs(folder: Path) -> bool:
    with JournalReader(folder) as journal:
        return next(journal.left_overs(), None) is not None


def still_to_do(steps: Sequence[Step], taken: Sequence[TakenUp]) -> list[Step]:
    """Return those of the steps of a job that are still to be done, and those instead of others."""
    gone = [part for one in taken for part in one.obsolete]
    instead = [Step(one.instead) for one in taken if one.instead]
    return [*instead, *(step for step in steps if not any(part in str(step) for part in gone))]


def jobs_behind(
    jobs: Sequence[JobRecord], inputs: Sequence[str], origins: Collection[int]
) -> Iterator[JobRecord]:
    """Yield those of the jobs of which an input is taken up, unless they are large.

    It is known by its path, or by the number of the job that had brought its rows first; of an undo
    also by whose rows it was to send after all. To write summary and report of a job once more, its
    journal is read: seconds for millions.
    """
    origins = {*origins, *_sent_after_all(jobs, inputs)}
    for job in jobs:
        if job.folder is None:
            continue
        if job.number in origins or any(_is_of(job.folder, path) for path in inputs):
            with JournalReader(job.folder) as journal:
                rows = sum(file.rows for file in journal.inputs())
            if rows <= _MOST_ROWS:
                yield job


def jobs_begun_anew(
    jobs: Sequence[JobRecord], folder: Path, inputs: Sequence[InputFile]
) -> Iterator[JobRecord]:
    """Yield those of the jobs whose summary has steps that the one in `folder` makes needless.

    It has these `inputs`, and begins anew what they have never sent.
    """
    for job in jobs:
        if job.folder is None or job.folder == folder or job.sent_anything:
            continue
        if any(never_sent(job.folder) in step for step in kept_steps(job.folder).steps):
            with JournalReader(job.folder) as journal:
                its_inputs = journal.inputs()
            if is_begun_anew(job.name, its_inputs, folder.name.rpartition("-")[0], inputs):
                yield job


def read_anew(jobs: Sequence[JobRecord], by: str) -> tuple[JobRecord, list[TakenUp]] | None:
    """Return the job whose inputs the one named `by` has read anew, with what became of it.

    None if no step of the one before it with the same inputs is about that any more.
    """
    names = [job.name for job in jobs]
    alike = (job for job in jobs[: names.index(by)] if _base(job.name) == _base(by))
    job = next(reversed([*alike]), None)
    if (
        job is None
        or job.folder is None
        or not any(NOT_READ in step for step in kept_steps(job.folder).steps)
    ):
        return None
    return job, [*taken_up(job.folder), TakenUp(f"{by} has read its inputs anew.", (NOT_READ,))]


def _base(name: str) -> str:
    return name.rpartition("-")[0]


def _sent_after_all(jobs: Sequence[JobRecord], inputs: Sequence[str]) -> Iterator[int]:
    """Yield the numbers of the jobs whose rows an undo with these inputs was to send after all."""
    undone = undone_job(inputs)
    for job in jobs:
        if job.folder is not None and job.name == undone:
            with JournalReader(job.folder) as journal:
                yield from (by for _, _, by in journal.after_all())


def is_told_as_carried_over(job: JobRecord) -> bool:
    """Return whether the summary of a job, whose folder is there, says so already."""
    assert job.folder is not None  # noqa: S101 -- its journal is there
    return _CARRIED_OVER in kept_since(job.folder)


def _is_of(folder: Path, path: str) -> bool:
    file = Path(path)
    return file.parent == folder.absolute() and file.name in (*LEFT_OVER_NAMES, UNDO_NAME)
