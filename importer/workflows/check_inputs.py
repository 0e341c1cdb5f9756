"""All that can be known of an input without the API: what `clarityq-import check` finds out.

Streams: memory does not grow with the input. Nothing is sent and no job is begun.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from importer.common.text import is_blank
from importer.engine.reader import BATCH_ROWS
from importer.feedback.normalise import COMMENT_LIMIT, Normaliser
from importer.model import Feedback, Meaning, Outcome, OutcomeKind, Reason, Row
from importer.settings import ImportSettings, LongComments
from importer.sources.base import ColumnPart, RowPart
from importer.sources.conversations import ConversationCounter
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
    #: What a person should know of the inputs, in sentences.
    remarks: list[str] = field(default_factory=list)

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
        conversations = stack.enter_context(ConversationCounter(_MOST_EXAMPLES))
        sources = [open_source(path, settings) for path in settings.reading.inputs]
        for source in sources:
            stack.callback(source.close)
        for source in sources:
            for part in source.parts(1, BATCH_ROWS):
                if isinstance(part, RowPart):
                    for row in part.rows:
                        _check_row(found, settings, source.path, row, normalise, conversations)
                else:
                    _check_columns(found, settings, source.path, part, normalise, conversations)
            found.remarks += source.remarks()
        repetitions = conversations.conclude()
    found.conversations = repetitions.conversations
    found.repeated_conversations = repetitions.repeated
    found.superseded = repetitions.superseded
    found.repeated_examples = repetitions.examples
    return found


def _check_columns(
    found: Findings,
    settings: ImportSettings,
    path: Path,
    part: ColumnPart,
    normalise: Normaliser,
    conversations: ConversationCounter,
) -> None:
    survey = part.survey(normalise.ratings)
    found.rows += len(part)
    found.long_comments += survey.long_comments
    for word, times in survey.words.items():
        _note_word(found, settings, word, times)
    found.sendable += survey.sendable
    found.comment_only += survey.comment_only
    conversations.add_all(survey.ids)
    for place in survey.others:
        row = part.row(place)
        # Where a line starts is looked for only if it is shown.
        line = partial(part.line, place)
        _check_result(found, path, row, line, normalise(row), conversations)


def _check_row(
    found: Findings,
    settings: ImportSettings,
    path: Path,
    row: Row,
    normalise: Normaliser,
    conversations: ConversationCounter,
) -> None:
    found.rows += 1
    if len(row.comment) > COMMENT_LIMIT:
        found.long_comments += 1
    if not is_blank(row.rating):
        _note_word(found, settings, row.rating)
    _check_result(found, path, row, None, normalise(row), conversations)


def _check_result(
    found: Findings,
    path: Path,
    row: Row,
    line: Callable[[], int | None] | None,
    result: Feedback | Outcome,
    conversations: ConversationCounter,
) -> None:
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
            at = row.line if line is None else line()
            problem.examples.append(Example(path, row.seq, at, result.detail))


def _note_word(found: Findings, settings: ImportSettings, word: str, times: int = 1) -> None:
    word = word[:80]
    if word not in found.words:
        if len(found.words) >= _MOST_WORDS:
            found.more_words += times
            return
        found.meanings[word] = settings.mapping.ratings.meaning(word)
    found.words[word] += times
