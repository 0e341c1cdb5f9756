"""What has become of a job since: how it was closed, and which others took up what it left over."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
from importer.jobs.placing import imported_since
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
from importer.reporting.journal_steps import never_sent, steps_by_journal, steps_of_closed
from importer.reporting.left_overs import KIND_OF_FILE, LEFT_OVER_NAMES
from importer.reporting.wording import TO_RESUME

#: What the steps begin with, or hold, that try again what is left over.
_TRIES_AGAIN = (CARRIES_OVER, "clarityq-import retry ")
HAS_CARRIED_OVER = "has taken over what could be tried again (--carry-over)"


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
            by, one = _replaced_by(job)
            return f"The job was replaced{by}: {counted(pending, 'row')} of it joined {one}."
        case JobState.REPLACED:
            by, one = _replaced_by(job)
            carried += f"joined {one}" if carried else ""
            when = f"before it had sent anything{by and ','}{by}"
            return f"The job was replaced {when}: {rows}{carried}."
        case _:
            return ""


def _replaced_by(job: JobRecord) -> tuple[str, str]:
    """Return by which job one was replaced, if its folder is there, and how that is called then."""
    for other in job_folders(job.folder.parent) if job.folder is not None else ():
        with suppress(JournalError):
            if read_head(other).ends.get(job.id) is JobState.REPLACED:
                return f" by {other.name}", "that one"
    return "", "the one that did"


class TakenUp(NamedTuple):
    """What has become of a job since, in a sentence."""

    text: str
    #: A step of the job that holds one of these need not be done any more.
    obsolete: Sequence[str] = ()
    #: What is to be done instead.
    instead: Sequence[Step] = ()

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
    imported: list[TakenUp] = []
    anew, head = "", read_head(folder)
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
            its_own = [file for file in journal.inputs() if is_left_over_of(folder, file.path)]
            for file in its_own:
                done = journal.without_trouble(file.first_seq, file.first_seq + file.rows - 1)
                if done:
                    is_taken_back &= Path(file.path).name != UNDO_NAME  # which tells it
                    one = _read_in_place(
                        folder, file, other.name, done, by_is_taken_back=WITHDRAWN in facts
                    )
                    imported.append(one)
            rank = Rank(number, later)
            if not its_own and undone_job(file.path for file in journal.inputs()) is None:
                imported += _read_elsewhere(journal, rank, other.name)
            if rank.version > number and any(r.rank.first <= number for r in journal.carried()):
                takers[rank.version] = other.name
    done_since = imported_since(folder) if head.finished and (imported or takers) else set[int]()
    yield from _for_the_rest(folder, imported, done_since) if done_since else imported
    if anew and not head.sent_anything:
        yield TakenUp(f"{anew} began anew what it had not sent.", (never_sent(folder),))
    if is_taken_back:
        yield TakenUp("It was taken back.", _steps_about(folder))
    if takers:
        yield from _taken_over(folder, number, takers, product, done_since)


def _steps_about(folder: Path) -> Sequence[str]:
    """Return what steps about rows of a job hold; those of one that was wrong are not fixed."""
    return *_TRIES_AGAIN, *(f"{folder.name}/{name}" for name in LEFT_OVER_NAMES)


def _all_about(folder: Path) -> Sequence[str]:
    """Return what each step holds about the rows of a job that has ended: the others stay."""
    return *_TRIES_AGAIN, f"{folder.name}/", *TO_RESUME.values()


def _for_the_rest(
    folder: Path, imported: Iterable[TakenUp], done: Collection[int]
) -> Iterator[TakenUp]:
    """Yield what was imported since, with what is to be done about the rows that are not `done`."""
    with JournalReader(folder) as own:
        steps = steps_by_journal(own, done)
    for one in imported:
        yield one if one.obsolete else TakenUp(one.text, _all_about(folder), steps)


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
    folder: Path,
    number: int,
    takers: Mapping[int, str],
    product: ProductKey,
    done: Collection[int],
) -> Iterator[TakenUp]:
    """Tell who has taken over what the job of that number has left over.

    If none of the `takers`, by number, sends it any more, it waits for the next import again.
    `done` are the rows (seq) that others have imported.
    """
    (jobs, floor, _), given_up = jobs_of(folder.parent, product)
    own = jobs[number - 1]
    obsolete: Sequence[str] = (CARRIES_OVER,)
    steps: list[Step] = []
    sending = [taker for taker in takers if still_sends(jobs[taker - 1], given_up)]
    waiting: Collection[bytes] = ()
    if not sending and number not in given_up:
        waiting = left_over_again(left_over_of(own), jobs[number:], jobs, given_up, floor)
    # Other commands are named for what waits again if the job began without --carry-over.
    is_taken_over = not waiting or own.keeps_bodies
    if own.state is JobState.ENDED:
        obsolete = _all_about(folder)
        with JournalReader(folder) as journal:
            steps = steps_by_journal(journal, done, is_taken_over=is_taken_over)
    if waiting:
        rows, are = counted(len(waiting), "row"), is_or_are(len(waiting))
        if is_taken_over:
            steps = [Step(f"{CARRIES_OVER} tries the {rows} again that {are} left over."), *steps]
        yield TakenUp(
            f"{takers[max(takers)]} had taken over what could be tried again (--carry-over), "
            f"and does not send it any more: {rows} {are} left over again.",
            obsolete,
            steps,
        )
    elif _has_left_overs(folder):
        yield TakenUp(f"{takers[min(sending or takers)]} {HAS_CARRIED_OVER}.", obsolete, steps)


def _has_left_overs(folder: Path) -> bool:
    with JournalReader(folder) as journal:
        return next(journal.left_overs(), None) is not None


def still_to_do(steps: Sequence[Step], taken: Sequence[TakenUp]) -> list[Step]:
    """Return those of the steps of a job that are still to be done, and those instead of others."""
    found = list(steps)
    # What is to be done instead may be needless for another reason.
    for one in sorted(taken, key=lambda each: not each.instead):
        rest = [step for step in found if not any(part in str(step) for part in one.obsolete)]
        found = [*one.instead, *rest]
    return found


def steps_of_all_closed(jobs: Iterable[JobRecord], key_source: Sequence[str]) -> list[Step]:
    """Return what is to be done about jobs that were closed; of one that cannot be read nothing.

    `key_source` are the options that say where the key is, of a job that has not said that.
    """
    steps: list[Step] = []
    for job in jobs:
        with suppress(JournalError):
            assert job.folder is not None  # noqa: S101 -- its journal is there
            with JournalReader(job.folder) as journal:
                found = steps_of_closed(job, journal, key_source)
            steps += still_to_do(found, [*taken_up(job.folder)]) if found else []
    return steps


def is_left_over_of(folder: Path, path: str) -> bool:
    """Return whether a file is one that the job in `folder` has left over, or its undo's input."""
    file = Path(path)
    return file.parent == folder.absolute() and file.name in (*LEFT_OVER_NAMES, UNDO_NAME)
