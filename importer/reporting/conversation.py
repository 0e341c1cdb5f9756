"""The story of one conversation in a job: its rows, every attempt, and why each ended as it did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from importer.common.uuids import canonical_uuid
from importer.errors import InputError
from importer.jobs.copies import file_of
from importer.jobs.journal_file import JournalFile
from importer.jobs.journal_reader import JournalReader
from importer.model import Attempt, Deferral, Outcome, OutcomeKind, Reason, Row, RunEnd
from importer.reporting.wording import WHY
from importer.settings import SANDBOX, ImportSettings
from importer.sources.copies import open_copy
from importer.sources.registry import open_source

_ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class RowStory:
    """One row: where it stands, what it holds (None if the input cannot be read), what happened."""

    seq: int
    file: str
    number: int
    row: Row | None
    outcome: Outcome | None
    attempts: Sequence[Attempt]
    deferral: Deferral | None
    #: What became of it is not known any more: the conversation was to be forgotten.
    is_forgotten: bool


@dataclass(frozen=True, slots=True)
class Story:
    """All rows of a conversation that the job has met, in input order.

    `remark` says what is missing. `end` is how the latest run ended, None if it has not. A
    rehearsal was sent to a mock server.
    """

    conversation_id: str
    rows: Sequence[RowStory]
    end: RunEnd | None
    remark: str
    is_rehearsal: bool


def tell_story(folder: Path, conversation_id: str) -> Story:
    """Return the story of a conversation (a canonical UUID) in the job in `folder`.

    Reads the inputs again for the rows themselves; without them, the journal alone tells. Raises
    `JournalError`.
    """
    with ExitStack() as stack:
        history = stack.enter_context(JournalReader(folder))
        files, starts = zip(*history.places(), strict=True)
        outcomes = {outcome.seq: outcome for outcome in history.outcomes_of(conversation_id)}
        forgotten = history.forgotten_rows()
        rows: dict[int, Row] = {}
        runs = history.runs()
        is_rehearsal = history.facts()["base_url"] == SANDBOX
        remark = ""
        try:
            _check_unchanged(history)
            if runs:
                settings = ImportSettings.of(**{**runs[-1].settings, "ca_file": None})
                rows = {row.seq: row for row in _rows_of(conversation_id, history, settings)}
        except InputError as error:
            remark = f"{error}. What follows is from the journal alone"
        stories = []
        for seq in sorted({*outcomes, *rows}):
            position = sum(start <= seq for start in starts) - 1
            is_forgotten = seq in forgotten
            stories.append(
                RowStory(
                    seq,
                    files[position],
                    seq - starts[position] + 1,
                    None if is_forgotten else rows.get(seq),
                    outcomes.get(seq),
                    history.attempts(seq),
                    history.deferral(seq),
                    is_forgotten,
                )
            )
    end = runs[-1].run.end if runs else None
    return Story(conversation_id, stories, end, remark, is_rehearsal)


def may_tell(folder: Path, conversation_id: str) -> bool:
    """Return whether the job in `folder` may have a row of the conversation, by its journal alone.

    Raises `JournalError`.
    """
    with JournalReader(folder) as history:
        pending = history.totals().outcomes[OutcomeKind.PENDING] > 0
        return pending or bool(history.outcomes_of(conversation_id))


def why(outcome: Outcome) -> str:
    """Return in words why a row ended as it did, with the service's own words if it said any."""
    if outcome.kind is OutcomeKind.SUCCEEDED:
        return f"the service stored it ({outcome.updated_at})"
    reason = WHY[outcome.reason] if outcome.reason is not None else "no reason is recorded"
    said = outcome.detail and outcome.reason is not Reason.LATER_ROW
    return f"{reason}: {outcome.detail}" if said else reason


def _check_unchanged(journal: JournalFile) -> None:
    for position, file in enumerate(journal.inputs()):
        path = file_of(journal.folder, position, file)
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            is_local = Path(file.path).is_absolute()
            why = "No such file or directory" if is_local else "the job's copy of it is gone"
            raise InputError(f"{file.path}: {why}") from None
        except OSError as error:
            raise InputError(f"{file.path}: {error.strerror}") from None
        if size != file.size:
            raise InputError(f"{file.path} has changed since the job began")


def _rows_of(conversation_id: str, journal: JournalFile, settings: ImportSettings) -> Iterator[Row]:
    """Yield the rows of the conversation, from the journal and the inputs. Raises `InputError`."""
    for carried in journal.carried():
        if carried.conversation_id == conversation_id:
            yield Row(
                carried.seq, conversation_id, str(carried.rating or ""), carried.comment or ""
            )
    for position, file in enumerate(journal.inputs()):
        path = file_of(journal.folder, position, file)
        opened = (
            open_source(path, settings)
            if Path(file.path).is_absolute()
            else open_copy(path, file.path, settings)
        )
        with closing(opened) as source:
            for batch in source.batches(file.first_seq, _ROWS_AT_ONCE):
                yield from (
                    row for row in batch if canonical_uuid(row.conversation_id) == conversation_id
                )
