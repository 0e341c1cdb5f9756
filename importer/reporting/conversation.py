"""The story of one conversation in a job: its rows, every attempt, and why each ended as it did."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from pathlib import Path

from importer.common.row_set import RowSet
from importer.common.uuids import canonical_uuid
from importer.errors import InputError, JournalError
from importer.feedback.normalise import Normaliser
from importer.feedback.ratings import RatingTable
from importer.jobs.carry_over import carried_given_up, joined
from importer.jobs.census import take_census
from importer.jobs.copies import file_of
from importer.jobs.ends import successors_of
from importer.jobs.forget import Tombs, tomb_of
from importer.jobs.identity import ProductKey
from importer.jobs.inputs import undone_job
from importer.jobs.journal_file import FILE_NAME, JournalFile, explained
from importer.jobs.journal_lines import SETTLED
from importer.jobs.journal_reader import JournalReader
from importer.jobs.keys import conversation_of, key_of
from importer.jobs.ledger import known_jobs
from importer.jobs.listing import jobs_of
from importer.jobs.product_jobs import read_heads
from importer.jobs.records import BEGUN_AT, InputFile, JobRecord, JobState, job_number
from importer.jobs.undo_rows import given_up_rows
from importer.model import Attempt, Deferral, Outcome, OutcomeKind, Rank, Reason, Row, RunEnd
from importer.reporting.wording import WHY
from importer.settings import ImportSettings
from importer.sources.base import BATCH_ROWS, DIGEST_BYTES, Part, RowPart
from importer.sources.copies.carriers import open_recorded

#: Tells the conversations of many rows at once; what their ratings mean is of no interest here.
_NORMALISE = Normaliser(RatingTable())


@dataclass(frozen=True, slots=True)
class RowStory:
    """One row: where it stands, what it holds (None if the input cannot tell), what happened.

    `carried_from` is the job that had brought it, empty if the row stands in an input.
    """

    seq: int
    file: str
    number: int
    row: Row | None
    outcome: Outcome | None
    attempts: Sequence[Attempt]
    deferral: Deferral | None
    #: A request was made for it whose end is not known, and it has no outcome.
    is_in_doubt: bool
    carried_from: str
    #: It has no outcome, and was given up before the job could send it.
    is_given_up: bool = False
    #: The job of the row that it gave way to, if that is in another job and known.
    gave_way_to: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """All rows of a conversation that the job has met, in input order.

    `forgotten` counts rows of it of which nothing else is known. `state` is that of the job where
    a row is pending, and `has_sent` whether it has made any request. `end` is how the latest run
    ended, None if it has not. `remark` says what is missing.
    """

    conversation_id: str
    rows: Sequence[RowStory]
    forgotten: int
    state: JobState
    has_sent: bool
    end: RunEnd | None
    #: When its first run started or, without one, it began, in Unix seconds; 0 if not known.
    began_at: float
    remark: str
    product: ProductKey


def tell_story(folder: Path, conversation_id: str) -> Story:
    """Return the story of a conversation (a canonical UUID) in the job in `folder`.

    Reads the inputs again for the rows themselves; where they are not as they were, the journal
    alone tells. Raises `JournalError`.
    """
    with explained(folder / FILE_NAME), JournalReader(folder) as history:
        facts, runs = history.facts(), history.runs()
        tomb, number = _tomb(history, conversation_id), job_number(facts["number"])
        outcomes = {outcome.seq: outcome for outcome in history.outcomes_of(conversation_id)}
        forgotten = {outcome.seq for outcome in history.outcomes_of(tomb)}
        begun, in_doubt = set(), set()
        for doubt in history.doubts():
            if doubt.key == key_of(tomb):
                forgotten.add(doubt.seq)
            elif doubt.key == key_of(conversation_id):
                begun.add(doubt.seq)
                in_doubt |= {doubt.seq} if doubt.in_doubt else set()
        carried = {
            row.seq: row.rank.version
            for row in history.carried()
            if row.conversation_id == conversation_id
        }
        rows: dict[int, Row] = {}
        remarks: list[str] = []
        if outcomes or _has_pending(history):
            record = runs[-1].settings if runs else json.loads(facts["settings"])
            settings = ImportSettings.of(**{**record, "ca_file": None})
            rows = {row.seq: row for row in _rows_of(conversation_id, history, settings, remarks)}
        forgotten |= rows.keys() & history.forgotten_rows()
        pending = (rows.keys() | begun) - outcomes.keys() - forgotten
        job = _record_of(folder, facts) if pending else None
        gave_way = {s for s, one in outcomes.items() if one.reason is Reason.LATER_JOB}
        names = _names_beside(folder, facts) if carried or gave_way else {}
        ranks = history.ranked() if gave_way else {}
        beside = _ranks_beside(folder, names, number, conversation_id) if gave_way else []
        brought = {
            seq: _brought_by(folder, names, version, conversation_id)
            for seq, version in carried.items()
        }
        given_up = RowSet()
        if job is not None and pending & carried.keys():
            given_up = _given_up_of(job, history)
        unknown = JobState.UNFINISHED if pending else JobState.ENDED
        state = unknown if job is None else job.state
        if state.is_closed and Tombs(history).are_in(conversation_id):
            forgotten |= pending
        files, starts = zip(*history.places(), strict=True)
        stories = []
        for seq in sorted({*outcomes, *rows, *begun} - forgotten):
            position = sum(start <= seq for start in starts) - 1
            stories.append(
                RowStory(
                    seq,
                    files[position],
                    seq - starts[position] + 1,
                    rows.get(seq),
                    outcomes.get(seq),
                    history.attempts(seq),
                    history.deferral(seq),
                    seq in in_doubt,
                    brought.get(seq, ""),
                    seq in given_up,
                    _job_ahead(beside, names, number, ranks.get(seq)) if seq in gave_way else "",
                )
            )
        return Story(
            conversation_id, stories, len(forgotten), state,
            job is None or job.sent_anything, runs[-1].run.end if runs else None,
            runs[0].run.started_at if runs else float(facts.get(BEGUN_AT, 0)), "; ".join(remarks),
            ProductKey.of(facts),
        )  # fmt: skip


def may_tell(folder: Path, conversation_id: str) -> bool:
    """Return whether the job in `folder` may have a row of the conversation, by its journal alone.

    Raises `JournalError`.
    """
    with explained(folder / FILE_NAME), JournalReader(folder) as history:
        known = (conversation_id, _tomb(history, conversation_id))
        return _has_pending(history) or any(history.outcomes_of(one) for one in known)


def _has_pending(history: JournalReader) -> bool:
    return history.totals().outcomes[OutcomeKind.PENDING] > 0


def _tomb(history: JournalReader, conversation_id: str) -> str:
    """Return what stands in the journal for the conversation once it is forgotten, as an id."""
    facts = history.facts()
    return conversation_of(tomb_of(key_of(conversation_id), ProductKey.of(facts)))


def why(outcome: Outcome) -> str:
    """Return in words why a row ended as it did, with the service's own words if it said any."""
    if outcome.kind is OutcomeKind.SUCCEEDED:
        return f"the service stored it ({outcome.updated_at})"
    reason = WHY[outcome.reason] if outcome.reason is not None else "no reason is recorded"
    said = outcome.detail and outcome.reason is not Reason.LATER_ROW
    return f"{reason}: {outcome.detail}" if said else reason


def _names_beside(folder: Path, facts: Mapping[str, str]) -> dict[int, str]:
    """Return the names of the jobs of the product of the job with these facts, by number."""
    return _names_in(folder.parent, ProductKey.of(facts), folder.parent.stat().st_mtime_ns)


@lru_cache(maxsize=1)  # where many jobs are looked through, they are all beside each other
def _names_in(jobs_dir: Path, product: ProductKey, changed: int) -> dict[int, str]:  # noqa: ARG001
    """Return the names of the product's jobs in a folder that `changed` then, by number."""
    heads, _ = read_heads(jobs_dir)
    return {head.number: head.folder.name for head in heads if head.product == product}


def _brought_by(folder: Path, names: Mapping[int, str], number: int, conversation_id: str) -> str:
    """Return the name of the job that has brought the row with that number in its rank.

    An undo may have sent it for a job whose row the one that it takes back had displaced.
    """
    with suppress(JournalError), JournalReader(folder.parent / names.get(number, "")) as journal:
        undone = undone_job(file.path for file in journal.inputs())
        if undone is not None:
            with JournalReader(folder.parent / undone) as wrong:
                for since, key, by in wrong.after_all():
                    if since < number and key == key_of(conversation_id):
                        return names.get(by, "an earlier job")
    return names.get(number, "an earlier job")


def _ranks_beside(
    folder: Path, names: Mapping[int, str], own: int, conversation_id: str
) -> list[tuple[bool, Rank]]:
    """Return the ranks of the rows of the conversation that other jobs than the `own` have settled.

    Each with whether its job came earlier.
    """
    found = list[tuple[bool, Rank]]()
    for number, name in names.items():
        if number != own:
            with suppress(JournalError), JournalReader(folder.parent / name) as journal:
                rows = [one for one in journal.outcomes_of(conversation_id) if one.kind in SETTLED]
                ranks = journal.ranked() if rows else {}
                mine = Rank(number, number)
                found += [(number < own, ranks.get(one.seq, mine)) for one in rows]
    return found


def _job_ahead(
    beside: Sequence[tuple[bool, Rank]], names: Mapping[int, str], own: int, rank: Rank | None
) -> str:
    """Return the job of the row of those `beside` that ranks highest; empty if it is not known.

    It ranks above the row with this `rank` of the job of the number `own`: without one, as a new
    row. Jobs that came later count only where no earlier one is above: then it was tried again.
    """
    above = [one for one in beside if one[1] > (rank or Rank(own, own))]
    return names.get(max(above)[1].version, "") if above else ""


def _record_of(folder: Path, facts: Mapping[str, str]) -> JobRecord | None:
    """Return how the job with these facts stands among those of its product, if that is known."""
    product = ProductKey.of(facts)
    heads, _ = read_heads(folder.parent)
    # Of a job and its copy, one is enough.
    own = {head.number: head for head in heads if head.product == product}
    known, floor = known_jobs(product.ledger(folder.parent))
    jobs = take_census([*own.values()], known, floor).jobs
    return next((job for job in jobs if job.id == facts["id"]), None)


def _given_up_of(job: JobRecord, journal: JournalFile) -> RowSet:
    """Return which rows without an outcome of a job were given up that it had taken over.

    Of one that was replaced they are those that have not joined the other.
    """
    product = ProductKey.of(journal.facts())
    (jobs, _, _), gone = jobs_of(journal.folder.parent, product)
    found = carried_given_up(journal, given_up_rows(jobs, gone))
    by = next(successors_of(jobs, job), None) if job.state is JobState.REPLACED else None
    with_that = joined(job, by) if by is not None else set[bytes]()
    rows = journal.carried()
    return RowSet(
        row.seq for row in rows if row.seq in found and key_of(row.conversation_id) not in with_that
    )


def _rows_of(
    conversation_id: str, journal: JournalFile, settings: ImportSettings, remarks: list[str]
) -> Iterator[Row]:
    """Yield the rows of the conversation, from the journal and the inputs.

    What of the inputs is not as the job has read it goes to `remarks`.
    """
    for carried in journal.carried():
        if carried.conversation_id == conversation_id:
            yield Row(
                carried.seq, conversation_id, str(carried.rating or ""), carried.comment or ""
            )
    for position, file in enumerate(journal.inputs()):
        path = file_of(journal.folder, position, file)
        try:
            for part in _unchanged_parts(path, file, settings):
                yield from _rows_in(part, conversation_id)
        except InputError as error:
            remarks.append(str(error))


def _unchanged_parts(path: Path, file: InputFile, settings: ImportSettings) -> Iterator[Part]:
    """Yield the parts of an input up to the first that is not what the job has read.

    Raises `InputError` after them if there is one, or if the input cannot be read.
    """
    is_local = Path(file.path).is_absolute()
    try:
        path.stat()
    except FileNotFoundError:
        why = "No such file or directory" if is_local else "the job's copy of it is gone"
        raise InputError(f"{file.path}: {why}") from None
    except OSError as error:
        raise InputError(f"{file.path}: {error.strerror}") from None
    places = range(0, len(file.blocks), DIGEST_BYTES)
    with closing(open_recorded(path, file.path, settings)) as source:
        # After a part that differs, a row that looks as before may have another number.
        for part, at in zip_longest(source.parts(file.first_seq, BATCH_ROWS), places):
            known = None if at is None else file.blocks[at : at + DIGEST_BYTES]
            if part is None or part.digest() != known:
                raise InputError(f"{file.path} has changed since the job began")
            yield part


def _rows_in(part: Part, conversation_id: str) -> Iterator[Row]:
    """Yield the rows of a part that are of the conversation, those that were not sent included."""
    if isinstance(part, RowPart):
        found = iter(part.rows)
    else:
        # By column it is known much sooner which rows may be of it.
        places = (
            made.seq - part.first_seq
            for made in part.feedback(_NORMALISE)
            if made.conversation_id in (None, conversation_id)
        )
        found = (part.row(place)._replace(line=part.line(place)) for place in places)
    yield from (row for row in found if canonical_uuid(row.conversation_id) == conversation_id)
