"""All that can be known of an input without the API: what `clarityq-import check` finds out.

Streams: memory does not grow with the input. Nothing is sent and no job is begun.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from importer.common.uuids import uuid_bytes, uuid_text
from importer.engine.reader import BATCH_ROWS
from importer.feedback.normalise import COMMENT_LIMIT, Normaliser
from importer.model import Feedback, Meaning, OutcomeKind, Reason, Row
from importer.settings import ImportSettings, LongComments
from importer.sources.registry import open_source

_MOST_EXAMPLES = 5
_MOST_WORDS = 1000


class Example(NamedTuple):
    """Where a problem is: the file, the row in it (from 1), and for CSV the physical line."""

    file: Path
    row: int
    line: int | None
    detail: str


@dataclass(slots=True)
class Problem:
    """The rows that are rejected for one reason, the first few as examples."""

    rows: int = 0
    examples: list[Example] = field(default_factory=list)


@dataclass(slots=True)
class Findings:
    """What an import of the input would meet. All figures but `conversations` are in rows."""

    rows: int = 0
    sendable: int = 0
    skipped: int = 0
    problems: dict[Reason, Problem] = field(default_factory=dict)
    #: Every word of the rating column as it stands there, up to a bound on distinct ones.
    words: Counter[str] = field(default_factory=Counter)
    meanings: dict[str, Meaning | None] = field(default_factory=dict)
    more_words: int = 0
    long_comments: int = 0
    comment_only: int = 0
    conversations: int = 0
    repeated_conversations: int = 0
    superseded: int = 0
    repeated_examples: list[tuple[str, int]] = field(default_factory=list)

    @property
    def rejected(self) -> int:
        """Return the number of rows that would be rejected."""
        return sum(problem.rows for problem in self.problems.values())


def check_inputs(settings: ImportSettings) -> Findings:
    """Read all inputs of `settings` and return what was found. Raises `InputError`."""
    found = Findings()
    normalise = Normaliser(
        settings.mapping.ratings,
        truncate_comments=settings.mapping.long_comments is LongComments.TRUNCATE,
    )
    with ExitStack() as stack:
        conversations = stack.enter_context(_ConversationCounter())
        sources = [open_source(path, settings) for path in settings.reading.inputs]
        for source in sources:
            stack.callback(source.close)
        for source in sources:
            for rows in source.batches(1, BATCH_ROWS):
                for row in rows:
                    _check_row(found, settings, source.path, row, normalise, conversations)
        conversations.conclude(found)
    return found


def _check_row(
    found: Findings,
    settings: ImportSettings,
    path: Path,
    row: Row,
    normalise: Normaliser,
    conversations: _ConversationCounter,
) -> None:
    found.rows += 1
    if len(row.comment) > COMMENT_LIMIT:
        found.long_comments += 1
    if row.rating and not row.rating.isspace():
        _note_word(found, settings, row.rating)
    result = normalise(row)
    if isinstance(result, Feedback):
        found.sendable += 1
        conversations.add(result.conversation_id)
        if result.rating is None:
            found.comment_only += 1
    elif result.kind is OutcomeKind.SKIPPED:
        found.skipped += 1
    else:
        reason = result.reason or Reason.MALFORMED
        problem = found.problems.setdefault(reason, Problem())
        problem.rows += 1
        if len(problem.examples) < _MOST_EXAMPLES:
            problem.examples.append(Example(path, row.seq, row.line, result.detail))


def _note_word(found: Findings, settings: ImportSettings, word: str) -> None:
    word = word[:80]
    if word not in found.words:
        if len(found.words) >= _MOST_WORDS:
            found.more_words += 1
            return
        found.meanings[word] = settings.mapping.ratings.meaning(word)
    found.words[word] += 1


class _ConversationCounter:
    """Counts how often each conversation occurs, on disk once there are many.

    The ids are spread over parts by their first byte, so that each part can be sorted in memory.
    """

    _PARTS = 256
    _SPILL_AT = 64 * 1024

    def __init__(self) -> None:
        self._buffers = [bytearray() for _ in range(self._PARTS)]
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> _ConversationCounter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, conversation_id: str) -> None:
        raw = uuid_bytes(conversation_id)
        # The last byte is random in every version of UUID that is in use, unlike the first ones.
        buffer = self._buffers[raw[-1]]
        buffer += raw
        if len(buffer) >= self._SPILL_AT:
            with self._part(raw[-1]).open("ab") as file:
                file.write(buffer)
            buffer.clear()

    def conclude(self, found: Findings) -> None:
        """Put the figures into `found`."""
        most: list[tuple[int, str]] = []
        for ids in self._sorted_parts():
            starts = np.flatnonzero(np.concatenate(([True], np.any(ids[1:] != ids[:-1], axis=1))))
            counts = np.diff(np.append(starts, len(ids)))
            found.conversations += len(counts)
            found.repeated_conversations += int(np.count_nonzero(counts > 1))
            found.superseded += len(ids) - len(counts)
            most += [
                (int(counts[at]), _id_text(ids[starts[at]]))
                for at in np.argsort(counts)[-_MOST_EXAMPLES:]
                if counts[at] > 1
            ]
        found.repeated_examples = [
            (text, number) for number, text in sorted(most, reverse=True)[:_MOST_EXAMPLES]
        ]

    def _sorted_parts(self) -> Iterator[np.ndarray[tuple[int, int], np.dtype[np.uint64]]]:
        for number, buffer in enumerate(self._buffers):
            raw = bytes(buffer)
            if self._folder is not None and self._part(number).exists():
                raw = self._part(number).read_bytes() + raw
            if raw:
                halves = np.frombuffer(raw, dtype=">u8").reshape(-1, 2)
                yield halves[np.lexsort((halves[:, 1], halves[:, 0]))]

    def _part(self, number: int) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="clarityq-check-")
        return Path(self._folder.name) / str(number)


def _id_text(halves: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> str:
    return uuid_text(halves.tobytes())
