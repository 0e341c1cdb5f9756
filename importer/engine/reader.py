"""The rows of all inputs as one numbered stream: those done already dropped, the others normalised.

Runs on a reader thread, one batch at a time; the run pulls a batch when it has room for one.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

from importer.common.row_set import RowSet
from importer.errors import InputError
from importer.feedback.normalise import Normaliser
from importer.model import Feedback, Outcome
from importer.sources.base import RowPart, RowSource

T = TypeVar("T")

#: Rows in a batch: enough that the change of threads costs nothing, few enough to stay small.
BATCH_ROWS = 500


@dataclass(slots=True)
class Batch:
    """Some rows in input order."""

    #: All rows read so far.
    rows_read: int
    #: What the rows became, without those that were done already.
    items: list[Feedback | Outcome]
    #: How much of all inputs has been read, from 0 to 1.
    share: float
    #: Where inputs begin that this batch is the first of, by position.
    first_seqs: dict[int, int] = field(default_factory=dict)
    #: The status of a row's conversation is asked for before the row is sent.
    ask_status: bool = False


class Input(NamedTuple):
    """A file and how its rows are understood.

    With `ask_status`, the status of a row's conversation is asked for before the row is sent.
    """

    source: RowSource
    normalise: Normaliser
    ask_status: bool = False


def read_rows(inputs: Sequence[Input], settled: RowSet) -> Generator[Batch, None, None]:
    """Yield the rows of `inputs`, in order, as batches.

    Raises `InputError` if a file is damaged, or changes while it is read.
    """
    marks = [_mark(source.path) for source, _, _ in inputs]
    sizes = [size for size, _ in marks]
    done = seq = 0
    for position, (source, normalise, ask_status) in enumerate(inputs):
        first_seqs = {position: seq + 1}
        for last_seq, items in _normalised(source, normalise, seq + 1, settled):
            seq = last_seq
            share = (done + sizes[position] * source.progress()) / max(1, sum(sizes))
            yield Batch(seq, items, share, first_seqs, ask_status)
            first_seqs = {}
        done += sizes[position]
        if _mark(source.path) != marks[position]:
            raise InputError(
                f"{source.path} was changed while it was being read: import it again with "
                "--restart when it is complete"
            )


def _normalised(
    source: RowSource, normalise: Normaliser, first_seq: int, settled: RowSet
) -> Iterator[tuple[int, list[Feedback | Outcome]]]:
    """Yield what rows become, without those that are settled, with the number of the last row."""
    for part in source.parts(first_seq, BATCH_ROWS):
        if isinstance(part, RowPart):
            for rows in _in_batches(part.rows):
                yield (
                    rows[-1].seq,
                    [normalise(row) for row in rows if not settled.count or row.seq not in settled],
                )
        else:
            seq = part.first_seq - 1
            for items in _in_batches(part.feedback(normalise)):
                seq += len(items)
                if settled.count:
                    yield seq, [item for item in items if item.seq not in settled]
                else:
                    yield seq, list(items)


def _in_batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    if len(items) <= BATCH_ROWS:
        yield items
        return
    for start in range(0, len(items), BATCH_ROWS):
        yield items[start : start + BATCH_ROWS]


def _mark(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    return found.st_size, found.st_mtime_ns
