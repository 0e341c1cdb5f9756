"""The rows of all inputs as one numbered stream: those done already dropped, the others normalised.

Runs on a reader thread, one batch at a time; the run pulls a batch when it has room for one.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from importer.common.row_set import RowSet
from importer.errors import InputError
from importer.feedback.normalise import Normaliser
from importer.model import Feedback, Outcome, OutcomeKind, Reason, Row
from importer.sources.base import BATCH_ROWS, DIGEST_BYTES, Part, RowPart, RowSource

T = TypeVar("T")
S = TypeVar("S", Row, Feedback | Outcome)

#: Rows in a batch that comes by column.
_MOST_ROWS = 2000
_NONE: Mapping[Reason, RowSet] = {}
#: What becomes of rows that are not sent.
NOT_SENT = {
    Reason.LATER_ROW: OutcomeKind.SUPERSEDED,
    Reason.LATER_JOB: OutcomeKind.SUPERSEDED,
    Reason.SET_BY_JOB: OutcomeKind.SUPERSEDED,
    Reason.JOB_GIVEN_UP: OutcomeKind.SUPERSEDED,
    Reason.SAME_AS_STORED: OutcomeKind.UNCHANGED,
    Reason.LATER_JOB_MISSING: OutcomeKind.NOT_COMPLETED,
}


#: What a row becomes: feedback that is sent, or the outcome of one that is not.
Item = Feedback | Outcome
#: Some rows in input order, without those that were done already.
Batch = Sequence[Item]


@dataclass(frozen=True, slots=True)
class Input:
    """An input, how its rows are understood, and what the survey has found in it."""

    source: RowSource
    normalise: Normaliser
    #: The number of its first row.
    first_seq: int = 1
    #: The digests of its parts, one after the other; None if they cannot have changed.
    digests: bytes | None = None


def read_rows(
    inputs: Sequence[Input], settled: RowSet, not_sent: Mapping[Reason, RowSet] = _NONE
) -> Generator[Batch, None, None]:
    """Yield the rows of `inputs`, in order, as batches; `not_sent` are known not to be sent.

    Raises `InputError` if an input is damaged, or is not what was surveyed: then nothing of the
    block that differs is in a batch.
    """
    skipped = {reason: rows for reason, rows in not_sent.items() if rows.count}
    for each in inputs:
        for items in _normalised(each, settled):
            yield _judged(items, skipped)


def _normalised(one: Input, settled: RowSet) -> Iterator[Sequence[Feedback | Outcome]]:
    """Yield what the rows of an input become, without those that are settled."""
    for part in _surveyed_parts(one):
        if isinstance(part, RowPart):
            for rows in _in_batches(part.rows):
                yield [one.normalise(row) for row in _pending(rows, settled)]
        else:
            # Each batch costs a change of threads, and what is in one stays in memory.
            yield from _in_batches(_pending(part.feedback(one.normalise), settled), _MOST_ROWS)


def _pending(items: Sequence[S], settled: RowSet) -> Sequence[S]:
    """Return the items of rows that follow each other without those that are settled."""
    if not items or not settled.any_between(items[0].seq, items[-1].seq):
        return items
    return [item for item in items if item.seq not in settled]


def _surveyed_parts(one: Input) -> Iterator[Part]:
    """Yield the parts of an input as long as they are those that were surveyed."""
    parts = one.source.parts(one.first_seq, BATCH_ROWS)
    if one.digests is None:
        yield from parts
        return
    at = 0
    for part in parts:
        if one.digests[at : at + DIGEST_BYTES] != part.digest():
            at = -1
            break
        yield part
        at += DIGEST_BYTES
    if at != len(one.digests):
        raise InputError(
            f"{one.source.name} was changed since the job began: bring the old content back to "
            "resume, or import the new content with --restart"
        )


def _judged(items: Sequence[Feedback | Outcome], not_sent: Mapping[Reason, RowSet]) -> list[Item]:
    """Return the items with the outcomes of those that are not sent."""
    judged: list[Item] = list(items)
    for reason, rows in not_sent.items():
        if items and rows.any_between(items[0].seq, items[-1].seq):
            for place, item in enumerate(items):
                if isinstance(item, Feedback) and item.seq in rows:
                    judged[place] = Outcome(
                        item.seq, NOT_SENT[reason], item.conversation_id, reason
                    )
    return judged


def _in_batches(items: Sequence[T], most: int = BATCH_ROWS) -> Iterator[Sequence[T]]:
    if len(items) <= most:
        yield items
        return
    for start in range(0, len(items), most):
        yield items[start : start + most]
