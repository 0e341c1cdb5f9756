"""What has become of a job since: how it was closed, and which others took up what it left over."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from importer.common.text import counted, is_or_are
from importer.errors import JournalError
from importer.jobs.carry_over import joined, left_over_again, left_over_of, still_sends
from importer.jobs.commands import CLEARS, clearing, command_line, how_to_resume
from importer.jobs.ends import is_begun_anew, own_pending
from importer.jobs.folders import base_name
from importer.jobs.identity import ProductKey
from importer.jobs.inputs import UNDO_NAME, undone_job
from importer.jobs.journal_head import Head, read_head
from importer.jobs.journal_reader import JournalReader
from importer.jobs.listing import jobs_of
from importer.jobs.not_restored import not_restored
from importer.jobs.read_again import Beside, ReadAgain, read_again, read_beside
from importer.jobs.records import (
    BEGUN_AT,
    LEFT_OVERS_GIVEN_UP,
    UNDO_SENDS,
    WITHDRAWN,
    InputFile,
    JobRecord,
    JobState,
    job_number,
)
from importer.jobs.surveys import Survey
from importer.jobs.undo_rows import told_of_undos
from importer.jobs.undo_void import taken_back
from importer.reporting.endings import CARRIES_OVER, Step
from importer.reporting.imported_since import imported_in_words, inputs_with, still_in_words
from importer.reporting.journal_steps import (
    never_sent,
    steps_by_journal,
    steps_of_closed,
    steps_of_unread,
    steps_to_clear,
)
from importer.reporting.left_overs import KIND_OF_FILE, LEFT_OVER_NAMES
from importer.reporting.taken_back import (
    GOES_ON,
    DoneUndo,
    brings_back,
    brought_back_by,
    set_since_in_words,
    taken_back_in_words,
)
from importer.reporting.wording import TO_RESUME, stays_in_words

#: What the steps begin with, or hold, that try again what is left over.
_TRIES_AGAIN = (CARRIES_OVER, "clarityq-import retry ")
HAS_CARRIED_OVER = "has taken over what could be tried again (--carry-over)"


def closed_in_words(job: JobRecord, pending: int, beside: Sequence[Beside] | None = None) -> str:
    """Return that a job was closed with so many rows without an outcome; empty if it was not.

    What becomes of them: docs/reference.md, A4 and A17. `beside` are the jobs beside it, if they
    are known. Raises `JournalError`.
    """
    rows = f"{counted(pending, 'row')} without an outcome {is_or_are(pending)} not sent"
    carried = ", but for those that it had carried over, which " if job.holds_carried else ""
    match job.state:
        case JobState.GIVEN_UP if job.holds_carried and job.folder is not None:
            with JournalReader(job.folder) as journal:
                own = own_pending(journal)
            rows = f"{counted(own, 'row')} of its own without an outcome {is_or_are(own)} not sent"
            left = "are left over as before, but for those of jobs that were given up or taken back"
            return f"The job was given up: {rows}. Those that it had carried over {left}."
        case JobState.GIVEN_UP:
            return f"The job was given up: {rows}."
        case JobState.REPLACED if job.sent_anything:
            by, one, have = _replaced_by(job, pending, beside)
            others = ""
            if rest := pending - have:
                others = f", and the other {rest:,} without an outcome {is_or_are(rest)} not sent"
            return f"The job was replaced{by}: {counted(have, 'row')} of it joined {one}{others}."
        case JobState.REPLACED:
            by, one, _ = _replaced_by(job, pending, beside)
            carried += f"joined {one}" if carried else ""
            when = f"before it had sent anything{by and ','}{by}"
            return f"The job was replaced {when}: {rows}{carried}."
        case _:
            return ""


def _replaced_by(
    job: JobRecord, pending: int, beside: Sequence[Beside] | None
) -> tuple[str, str, int]:
    """Return by which job one was replaced, if its folder is there, and how that is called then.

    And how many of the `pending` rows joined that: not those that were given up, say.
    """
    if beside is None:
        beside = [] if job.folder is None else read_beside(job.folder.parent)
    for other in beside:
        if other.head.ends.get(job.id) is JobState.REPLACED:
            there = other.head.folder
            with suppress(JournalError):
                return f" by {there.name}", "that one", min(pending, len(joined(job, there)))
    return "", "the one that did", pending


class TakenUp(NamedTuple):
    """What has become of a job since, in a sentence."""

    text: str
    #: A step of the job that holds one of these need not be done any more.
    obsolete: Sequence[str] = ()
    #: What is to be done instead.
    instead: Sequence[Step] = ()

    def __str__(self) -> str:
        return self.text


def taken_up(folder: Path, beside: Sequence[Beside] | None = None) -> Iterator[TakenUp]:
    """Yield what became of a job since: what others, those `beside` it, have taken up of it.

    A left-over file is known again by the places of its rows, wherever it was put. One of which no
    row has an outcome is left out: what is to be done with it is as before. Raises `JournalError`
    if the job's own journal cannot be read.
    """
    with JournalReader(folder) as own:
        has_steps = own.has_comments()  # else it names none (docs/reference.md, U12)
    beside = read_beside(folder.parent) if beside is None else beside
    for one in _taken_up(folder, beside):
        yield one if has_steps else one._replace(instead=())


def _taken_up(folder: Path, beside: Sequence[Beside]) -> Iterator[TakenUp]:
    with JournalReader(folder) as own:
        facts, inputs = own.facts(), own.inputs()
    product, number = ProductKey.of(facts), job_number(facts["number"])
    is_given_up, head = LEFT_OVERS_GIVEN_UP in facts, read_head(folder)
    if is_given_up and _has_left_overs(folder):
        yield TakenUp("What it left over was given up.", _TRIES_AGAIN)
    since = _Since(again := read_again(folder, beside), facts)
    for other in beside:
        if other.head.folder != folder and other.head.product == product:
            with suppress(JournalError):
                since.take(head, inputs, other)
    imported = [one for _, one in sorted(since.imported, key=itemgetter(0))]
    gone, void = set[int](), list[TakenUp]()
    if since.undos or WITHDRAWN in facts:
        jobs = jobs_of(folder.parent, product, [other.head for other in beside])[0].jobs
        gone = taken_back(told_of_undos(jobs))
        void = [*since.take_states(jobs, gone)]
        void = void if number in gone else _counting_again(folder, void)
    if imported and since.is_counted and not since.undos:
        imported.append(TakenUp(still_in_words(folder, again)))
    imported += [*void, *since.brought_back]
    if since.undos:
        about = _steps_about(folder)
        told = taken_back_in_words(folder, number, since.later, since.undos)
        imported += [TakenUp(text, about, steps) for text, steps in told]
        imported[-1] = imported[-1]._replace(obsolete=(*about, GOES_ON))
    done_since = again.rows if head.finished else frozenset[int]()
    yield from _for_the_rest(folder, imported, done_since) if done_since else imported
    if since.anew and undone_job(file.path for file in inputs) is not None:
        yield TakenUp(f"{since.anew} has taken back more.", (CLEARS, GOES_ON))
    elif since.anew and (since.is_given_up or not head.sent_anything):
        held = "as far as its inputs still held it"
        text = f"{since.anew} began anew what it had not sent, {held}."
        yield TakenUp(text, (never_sent(folder),))
    if WITHDRAWN in facts and not since.is_undone:
        with JournalReader(folder) as own:
            yield _taken_back_unsent(own)
    elif number not in gone and head.finished:
        yield from _set_since(folder)
    if since.takers and not is_given_up:  # they had other rows, or do not send them any more
        yield from _taken_over(head, since.takers, beside, done_since)


@dataclass(slots=True)
class _Since:
    """What other jobs of the product have done about a job."""

    again: ReadAgain
    #: What the journal of that says of it.
    facts: Mapping[str, str]
    #: Those that have taken over rows of it, or of earlier ones: their names, by number.
    takers: dict[int, str] = field(default_factory=dict)
    #: What they have imported of its files, with their numbers.
    imported: list[tuple[int, TakenUp]] = field(default_factory=list)
    #: What they have imported again of what the job, an undo, has cleared.
    brought_back: list[TakenUp] = field(default_factory=list)
    #: All rows that they have imported of its files are known again.
    is_counted: bool = True
    #: The folders of the later ones.
    later: list[Path] = field(default_factory=list)
    undos: list[DoneUndo] = field(default_factory=list)
    #: The one that is of the same command, or has the same inputs.
    anew: str = ""
    #: Another has given it up.
    is_given_up: bool = False
    #: An undo of it has done something.
    is_undone: bool = False

    def take(self, head: Head, inputs: Sequence[InputFile], other: Beside) -> None:
        """Take what another job has done about the one of `head`."""
        folder, there = head.folder, other.head.folder
        is_later = other.head.number > head.number
        if is_later:
            self.later.append(there)
            if is_begun_anew(folder.name, inputs, base_name(there.name), other.inputs):
                self.anew = there.name
            for cleared in brought_back_by(folder, self.facts, other.inputs):
                told = f"{there.name} has imported again what {cleared} had brought."
                self.brought_back.append(TakenUp(told, (brings_back(cleared),)))
            if other.first_carried is not None and other.first_carried <= head.number:
                self.takers[other.head.number] = there.name
        self.is_given_up |= other.head.ends.get(head.id) is JobState.GIVEN_UP
        its_own = [file for file in other.inputs if is_left_over_of(folder, file.path)]
        if its_own or there in self.again.by:
            with JournalReader(there) as journal:
                self._take_read(head, its_own, other, journal)

    def _take_read(
        self, head: Head, its_own: Sequence[InputFile], other: Beside, journal: JournalReader
    ) -> None:
        """Take what another job has read: files in the job's folder, or rows of such ones."""
        folder, there, number = head.folder, other.head.folder, other.head.number
        for file in its_own:
            done = journal.without_trouble(file.first_seq, file.first_seq + file.rows - 1)
            if Path(file.path).name == UNDO_NAME:
                self.undos.append(DoneUndo(number, there, done))
            elif done or there in self.again.by:
                self._take_file(number, file, folder, there)
        is_undo = undone_job(file.path for file in other.inputs) is not None
        if not its_own and not is_undo:
            again = self.again.by[there]
            told = imported_in_words(folder, inputs_with(journal, again.rows), there.name, again)
            self.imported.append((number, TakenUp(told)))

    def _take_file(self, number: int, file: InputFile, folder: Path, other: Path) -> None:
        """Take that another job has read a file of the job in `folder` where it stands."""
        name, again = Path(file.path).name, self.again.by.get(other)
        with JournalReader(folder) as own:
            left_over = own.totals().outcomes[KIND_OF_FILE[name]]
        self.is_counted &= again is not None
        told = imported_in_words(folder, [name], other.name, again)
        obsolete = (f"{folder.name}/{name}",) if file.rows >= left_over else ()
        self.imported.append((number, TakenUp(told, obsolete)))

    def take_states(self, jobs: Sequence[JobRecord], gone: Collection[int]) -> Iterator[TakenUp]:
        """Take which of the undos are unfinished, or were given up; yield those that are `gone`.

        They were taken back themselves, which still counts.
        """
        states = {job.number: job.state for job in jobs}
        for undo in self.undos:
            if undo.number in gone and undo.rows:
                self.is_undone = True
                text = f"It was taken back by {undo.folder.name}, which was taken back itself."
                yield TakenUp(text, (GOES_ON,))
        self.undos = [undo for undo in self.undos if undo.number not in gone]
        self.undos = [
            undo
            if states[undo.number] is JobState.ENDED
            else undo._replace(
                resume=how_to_resume(undo.folder), is_given_up=states[undo.number].is_closed
            )
            for undo in self.undos
        ]
        self.is_undone |= bool(self.undos)


def _counting_again(folder: Path, void: Sequence[TakenUp]) -> list[TakenUp]:
    """Return what is told of undos that count for nothing, with what the job has to do again.

    If that is an undo, what it left as it was is to be done as before.
    """
    with JournalReader(folder) as own:
        steps = steps_to_clear(own)
    return [TakenUp(one.text, (*one.obsolete, CLEARS, brings_back()), steps) for one in void]


def _taken_back_unsent(journal: JournalReader) -> TakenUp:
    """Tell that a job was taken back, and no undo has sent anything: what it leaves as it is.

    Or that its undo was cut off before that.
    """
    folder, facts, about = journal.folder, journal.facts(), _steps_about(journal.folder)
    if int(facts.get(UNDO_SENDS, 0)):
        words = ["undo", str(folder.absolute()), *clearing(facts), "--yes", *journal.key_source()]
        told = "It is being taken back: its undo has begun, and has sent nothing so far."
        return TakenUp(told, (*about, GOES_ON), [Step(GOES_ON, command_line(words))])
    rest = not_restored(folder, of_undo=False)
    since = set_since_in_words(folder.name, rest)
    if not rest.left:
        return TakenUp(" ".join(["It was taken back.", *filter(None, [since])]), about)
    told = f"{since} {stays_in_words(folder.name, rest.left)}.".strip()
    command = command_line(["undo", str(folder.absolute()), CLEARS, *journal.key_source()])
    return TakenUp(f"It was taken back. {told}", about, [Step("To clear that:", command)])


def _set_since(folder: Path) -> Iterator[TakenUp]:
    """Tell in how many conversations that an undo did not restore later jobs have set feedback."""
    rest = not_restored(folder, of_undo=True)
    if rest.is_touched:
        with JournalReader(folder) as own:
            undone = undone_job(file.path for file in own.inputs()) or ""
            steps = steps_to_clear(own)
        yield TakenUp(set_since_in_words(undone, rest), (CLEARS, brings_back()), steps)


def _steps_about(folder: Path) -> Sequence[str]:
    """Return what steps about rows of a job hold; those of one that was wrong are not fixed."""
    files = (f"{folder.name}/{name}" for name in LEFT_OVER_NAMES)
    return *_TRIES_AGAIN, *files, CLEARS, brings_back(), never_sent(folder)


def _all_about(folder: Path) -> Sequence[str]:
    """Return what each step holds about the rows of a job that has ended: the others stay.

    What an undo of it leaves, its steps by its journal tell as well.
    """
    return *_TRIES_AGAIN, f"{folder.name}/", CLEARS, brings_back(), *TO_RESUME.values()


def _for_the_rest(
    folder: Path, imported: Iterable[TakenUp], done: Collection[int]
) -> Iterator[TakenUp]:
    """Yield what was imported since, with what is to be done about the rows that are not `done`."""
    with JournalReader(folder) as own:
        steps = steps_by_journal(own, done)
    for one in imported:
        yield one if one.obsolete else TakenUp(one.text, _all_about(folder), steps)


def _taken_over(
    head: Head, takers: Mapping[int, str], beside: Sequence[Beside], done: Collection[int]
) -> Iterator[TakenUp]:
    """Tell who has taken over what the job of `head` has left over; `beside` are all jobs there.

    If none of the `takers`, by number, sends it any more, it waits for the next import again.
    `done` are the rows (seq) that others have imported.
    """
    folder, number = head.folder, head.number
    heads = [one.head for one in beside]
    (jobs, floor, _), given_up = jobs_of(folder.parent, head.product, heads)
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


def steps_of_earlier(
    closed: Iterable[JobRecord], unread: Iterable[Survey], key_source: Sequence[str]
) -> list[Step]:
    """Return what is to be done about jobs that were `closed`, or had no journal yet (`unread`).

    In the order in which they began: rows of each count as newer than those before. Of one that
    cannot be read it is nothing. `key_source` are the options that say where the key is, of a job
    that has not said that.
    """
    found = [(survey.began_at, steps_of_unread([survey])) for survey in unread]
    for job in closed:
        with suppress(JournalError):
            assert job.folder is not None  # noqa: S101 -- its journal is there
            with JournalReader(job.folder) as journal:
                steps = steps_of_closed(job, journal, key_source)
                began_at = float(journal.facts().get(BEGUN_AT, 0.0))
            if steps:
                found.append((began_at, still_to_do(steps, [*taken_up(job.folder)])))
    return [step for _, steps in sorted(found, key=itemgetter(0)) for step in steps]


def is_left_over_of(folder: Path, path: str) -> bool:
    """Return whether a file is one that the job in `folder` has left over, or its undo's input."""
    file = Path(path)
    return file.parent == folder.absolute() and file.name in (*LEFT_OVER_NAMES, UNDO_NAME)
