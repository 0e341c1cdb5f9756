"""What has become of a job since: how it was closed, and which others took up what it left over."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from operator import itemgetter
from pathlib import Path

from importer.common.text import counted, is_or_are
from importer.errors import JournalError
from importer.jobs.carry_over import joined, left_over_again, left_over_of, still_sends
from importer.jobs.commands import command_line
from importer.jobs.ends import own_pending
from importer.jobs.folders import job_folders
from importer.jobs.inputs import undone_job
from importer.jobs.journal_head import Head, read_head
from importer.jobs.journal_reader import JournalReader
from importer.jobs.listing import jobs_of
from importer.jobs.not_restored import not_restored
from importer.jobs.own_commands import CLEARS, has_undo_to_begin, how_to_undo
from importer.jobs.read_again import Beside, read_again, read_beside
from importer.jobs.records import (
    BEGUN_AT,
    CLEARS_UNKNOWN,
    WITHDRAWN,
    JobRecord,
    JobState,
)
from importer.jobs.surveys import UnreadJob
from importer.jobs.undo_rows import told_of_undos
from importer.jobs.undo_void import taken_back
from importer.reporting.done_by_others import DoneByOthers
from importer.reporting.imported_since import still_in_words
from importer.reporting.journal_steps import (
    steps_by_journal,
    steps_of_closed,
    steps_to_clear,
)
from importer.reporting.left_overs import LEFT_OVER_NAMES
from importer.reporting.next_steps import by_the_next
from importer.reporting.steps import Step, StepKind, TakenUp, Topic, file_of_job, still_to_do
from importer.reporting.taken_back import (
    going_on,
    set_since_in_words,
    taken_back_in_words,
)
from importer.reporting.unsent_steps import begun_anew, steps_of_unread
from importer.reporting.wording import stays_in_words

#: The steps that try again what is left over.
_TRIES_AGAIN = (StepKind.RESUME, StepKind.RETRY, StepKind.CARRY_OVER)
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
    head = read_head(folder)
    product, number, is_given_up = head.product, head.number, head.left_overs_given_up
    if is_given_up and _has_left_overs(folder):
        yield TakenUp("What it left over was given up.", _of_kinds(_TRIES_AGAIN, folder))
    since = DoneByOthers(again := read_again(folder, beside), facts)
    for other in beside:
        if other.head.folder != folder and other.head.product == product:
            with suppress(JournalError):
                since.take(head, inputs, other)
    imported = [one for _, one in sorted(since.imported, key=itemgetter(0))]
    gone, void = set[int](), list[TakenUp]()
    if since.undos or WITHDRAWN in facts:
        jobs = jobs_of(folder.parent, product, [other.head for other in beside])[0].jobs
        gone = taken_back(told_of_undos(jobs))
        void = since.take_states(jobs, gone)
        void = void if number in gone else _counting_again(folder, void)
    if imported and since.is_counted and not since.undos:
        imported.append(TakenUp(still_in_words(folder, again)))
    imported += [*void, *since.brought_back]
    if since.undos:
        about = all_about(folder) | _about_not_restored(folder)
        told = taken_back_in_words(folder, number, [*since.takers.values()], since.undos)
        imported += [TakenUp(text, about, steps) for text, steps in told]
        undos = [folder.name, *(undo.folder.name for undo in since.undos)]
        going = {(StepKind.GO_ON_WITH_UNDO, name) for name in undos}
        imported[-1] = imported[-1]._replace(obsolete=about | going)
    done_since = again.rows if head.finished else frozenset[int]()
    yield from _for_the_rest(folder, imported, done_since, beside) if done_since else imported
    if since.anew and undone_job(file.path for file in inputs) is not None:
        more = f"{since.anew[-1].head.folder.name} has taken back more."
        yield TakenUp(more, _of_kinds((StepKind.CLEAR, StepKind.GO_ON_WITH_UNDO), folder))
    elif since.anew and (since.is_given_up or not head.sent_anything):
        with JournalReader(folder) as own:
            yield begun_anew(own, head, since.anew, since.later)
    if facts.keys() & {WITHDRAWN, CLEARS_UNKNOWN} and not since.is_undone:
        with JournalReader(folder) as own:
            yield _taken_back_unsent(own)
    elif number not in gone and head.finished:
        yield from _set_since(folder)
    if since.takers and not is_given_up:  # they had other rows, or do not send them any more
        yield from _taken_over(head, since.takers, beside, done_since)


def _taken_back_unsent(journal: JournalReader) -> TakenUp:
    """Tell that a job was taken back, and no undo has sent anything: what it leaves as it is.

    Or that its undo was cut off before that, or was not to begin yet.
    """
    folder, facts, about = journal.folder, journal.facts(), all_about(journal.folder)
    waits = WITHDRAWN not in facts
    if waits or has_undo_to_begin(facts):
        told = "It is being taken back: its undo has begun, and has sent nothing so far."
        if waits:
            told = (
                "It is not taken back yet: its undo has given up what others were to send of it, "
                "and another job that was not finished was in its way."
            )
        return TakenUp(told, about, [going_on(folder.name, how_to_undo(journal))])
    rest = not_restored(folder, of_undo=False)
    since = set_since_in_words(folder.name, rest)
    if not rest.left:
        return TakenUp(" ".join(["It was taken back.", *filter(None, [since])]), about)
    told = f"{since} {stays_in_words(folder.name, rest.left)}.".strip()
    command = command_line(["undo", str(folder.absolute()), CLEARS, *journal.key_source()])
    step = Step("To clear that:", command, StepKind.CLEAR, folder.name)
    return TakenUp(f"It was taken back. {told}", about, [step])


def _of_kinds(kinds: Iterable[StepKind], folder: Path) -> set[Topic]:
    return {(kind, folder.name) for kind in kinds}


def _set_since(folder: Path) -> Iterator[TakenUp]:
    """Tell in how many conversations that an undo did not restore later jobs have set feedback."""
    rest = not_restored(folder, of_undo=True)
    if rest.is_touched:
        with JournalReader(folder) as own:
            undone = undone_job(file.path for file in own.inputs()) or ""
        yield TakenUp(set_since_in_words(undone, rest), *_not_restored(folder))


def _counting_again(folder: Path, void: Sequence[TakenUp]) -> list[TakenUp]:
    """Return what is told of undos that count for nothing, with what the job has to do again.

    If that is an undo, what it left as it was is to be done as before.
    """
    obsolete, steps = _not_restored(folder) if void else ((), [])
    return [TakenUp(one.text, {*one.obsolete, *obsolete}, steps) for one in void]


def _not_restored(folder: Path) -> tuple[set[Topic], list[Step]]:
    """Return what steps there were about what an undo did not restore, and those that are left."""
    with JournalReader(folder) as own:
        return _about_not_restored(folder), steps_to_clear(own)


def _about_not_restored(folder: Path) -> set[Topic]:
    again = {(StepKind.BRING_BACK, path.name) for path in job_folders(folder.parent)}
    return {(StepKind.CLEAR, folder.name), *again}


def all_about(folder: Path) -> set[Topic]:
    """Return the steps about rows of a job: of one that was wrong none is to be imported.

    Those of one that has ended its journal tells again, as far as something is left to do.
    """
    kinds = *_TRIES_AGAIN, StepKind.EDITED, StepKind.GAVE_WAY, StepKind.CLEAR, StepKind.BEGIN
    files = {(StepKind.LEFT_OVERS, file_of_job(folder / name)) for name in LEFT_OVER_NAMES}
    return _of_kinds(kinds, folder) | files


def _for_the_rest(
    folder: Path, imported: Iterable[TakenUp], done: Collection[int], beside: Sequence[Beside]
) -> Iterator[TakenUp]:
    """Yield what was imported since, with what is to be done about the rows that are not `done`."""
    with JournalReader(folder) as own:
        steps = steps_by_journal(own, done, beside=beside)
    for one in imported:
        yield one if one.obsolete else TakenUp(one.text, all_about(folder), steps)


def _taken_over(
    head: Head, takers: Mapping[int, Path], beside: Sequence[Beside], done: Collection[int]
) -> Iterator[TakenUp]:
    """Tell who has taken over what the job of `head` has left over; `beside` are all jobs there.

    If none of the `takers`, by number, sends it any more, it waits for the next import again.
    `done` are the rows (seq) that others have imported.
    """
    folder, number = head.folder, head.number
    heads = [one.head for one in beside]
    (jobs, floor, _), given_up = jobs_of(folder.parent, head.product, heads)
    own = jobs[number - 1]
    obsolete = _of_kinds((StepKind.CARRY_OVER,), folder)
    steps: list[Step] = []
    sending = [taker for taker in takers if still_sends(jobs[taker - 1], given_up)]
    waiting: Collection[bytes] = ()
    if not sending and number not in given_up:
        waiting = left_over_again(left_over_of(own), jobs[number:], jobs, given_up, floor)
    # Other commands are named for what waits again if the job began without --carry-over.
    is_taken_over = not waiting or own.keeps_bodies
    if own.state is JobState.ENDED:
        obsolete = all_about(folder)
        with JournalReader(folder) as journal:
            steps = steps_by_journal(journal, done, is_taken_over=is_taken_over, beside=beside)
    if waiting:
        rows, are = counted(len(waiting), "row"), is_or_are(len(waiting))
        if is_taken_over:
            steps = [by_the_next(f"tries the {rows} again that {are} left over.", folder), *steps]
        yield TakenUp(
            f"{takers[max(takers)].name} had taken over what could be tried again (--carry-over), "
            f"and does not send it any more: {rows} {are} left over again.",
            obsolete,
            steps,
        )
    elif _has_left_overs(folder):
        yield TakenUp(f"{takers[min(sending or takers)].name} {HAS_CARRIED_OVER}.", obsolete, steps)


def _has_left_overs(folder: Path) -> bool:
    with JournalReader(folder) as journal:
        return next(journal.left_overs(), None) is not None


def steps_of_earlier(
    closed: Iterable[JobRecord], unread: Iterable[UnreadJob], key_source: Sequence[str]
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
                steps = [
                    step
                    for step in steps_of_closed(job, journal, key_source)
                    if step.kind is not StepKind.BRING_BACK  # once its undo has ended
                ]
                began_at = float(journal.facts().get(BEGUN_AT, 0.0))
            if steps:
                found.append((began_at, still_to_do(steps, [*taken_up(job.folder)])))
    return [step for _, steps in sorted(found, key=itemgetter(0)) for step in steps]
