"""What is known of the inputs when all of them have been read: facts of the inputs alone.

`Findings` is also the JSON of `check --json`, field by field, and is kept with the job.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import msgspec

from importer.common.text import counted
from importer.feedback.newest import NewestKind
from importer.model import Meaning, Reason

#: Examples of one problem.
MOST_EXAMPLES = 5
#: Distinct rating words that are counted one by one, and how much of each is kept.
MOST_WORDS = 1000
_WORD = 80


@dataclass(slots=True)
class Example:
    """Where a problem is: the file, the row in it (from 1), and for CSV the physical line."""

    file: str
    row: int
    line: int | None
    detail: str


@dataclass(slots=True)
class Problem:
    """The rows that are rejected for one reason, a few of them as examples.

    They are the first ones, but so that each file has one, as far as there is room.
    """

    rows: int = 0
    examples: list[Example] = field(default_factory=list)

    def wants(self, file: str) -> bool:
        """Return whether the next row of a file is to be an example. They come file by file."""
        if len(self.examples) < MOST_EXAMPLES:
            return True
        return self.examples[-1].file != file and len(self._by_file()) < MOST_EXAMPLES

    def add(self, example: Example) -> None:
        """Take an example that is wanted; it takes the place of another one of its file."""
        if len(self.examples) == MOST_EXAMPLES:
            times = self._by_file()
            self.examples.remove([one for one in self.examples if times[one.file] > 1][-1])
        self.examples.append(example)

    def _by_file(self) -> Counter[str]:
        return Counter(one.file for one in self.examples)


@dataclass(slots=True)
class Understanding:
    """How one input was read."""

    file: str
    format: str
    #: Only of CSV, as is the encoding.
    delimiter: str | None
    encoding: str | None
    #: The column that holds each field (and `newest`, and `job` in a left-over file).
    columns: dict[str, str]
    #: The columns that nothing is read from.
    ignored: list[str]
    #: What a person should know, in words.
    remarks: list[str] = field(default_factory=list)
    rows: int = 0
    #: The columns that may hold a field for which there is none, by field; of the first input.
    likely: dict[str, list[str]] = field(default_factory=dict)
    #: Where bytes are not in the encoding, one in which the whole file may be: empty if none is
    #: likely, None if none is right for all lines.
    other_encoding: str | None = None
    #: What the bytes beyond ASCII are in that, some of them if they are many.
    other_letters: str = ""
    #: Comments that look like UTF-8, read in another encoding.
    misread: int = 0


@dataclass(slots=True)
class Word:
    """A word of the rating column, as it stands there."""

    rows: int
    #: None if it is not in the rating table.
    meaning: Meaning | None


@dataclass(slots=True)
class Repeated:
    """A conversation with several rows."""

    conversation_id: str
    rows: int


@dataclass(slots=True, repr=False)
class Findings:
    """What an import of the inputs would meet. Figures are in rows, if nothing else is said."""

    inputs: list[Understanding] = field(default_factory=list)
    rows: int = 0
    #: Neither rejected nor skipped.
    valid: int = 0
    skipped: int = 0
    problems: dict[Reason, Problem] = field(default_factory=dict)
    #: Valid rows by what they set the rating to.
    positive: int = 0
    negative: int = 0
    cleared: int = 0
    #: Valid rows without a rating: sending one erases the rating that its conversation may have.
    comment_only: int = 0
    #: Valid rows without a comment: sending one erases the comment that its conversation may have.
    rating_only: int = 0
    #: Valid rows whose comment is cut.
    truncated: int = 0
    #: Comments over the limit, of all rows.
    long_comments: int = 0
    #: The words of the rating column, in rows with a conversation; the most frequent first.
    words: dict[str, Word] = field(default_factory=dict)
    #: Rows with rating words that are not among them, because there are too many.
    other_words: int = 0
    #: Conversations of valid rows.
    conversations: int = 0
    #: Conversations with more than one valid row.
    repeated_conversations: int = 0
    repeated_examples: list[Repeated] = field(default_factory=list)
    #: Valid rows in whose place another row of the conversation is sent.
    superseded: int = 0
    #: Conversations of which an older row is sent, as a newer one is rejected: among those of the
    #: first 20,000 whose rows are, and that can be read.
    older_than_rejected: int = 0
    #: Rejected rows that were not compared: their conversation, or how new they are, is not known.
    rejected_uncompared: int = 0
    #: Rows that were carried over from earlier jobs. They are in no other figure but those of
    #: conversations.
    carried: int = 0
    #: Of these, the ones in whose place another row of the conversation is sent.
    carried_superseded: int = 0
    #: What the values of the `--newest-by` column are.
    newest_kind: NewestKind | None = None

    def __repr__(self) -> str:
        return (
            f"<Findings: {counted(self.rows, 'row')}: {self.valid:,} can be sent, "
            f"{self.rejected:,} would be rejected, {self.skipped:,} skipped>"
        )

    @property
    def has_left_overs(self) -> bool:
        """Return whether an input is a left-over file: what it holds is unlike any export."""
        return any("job" in one.columns for one in self.inputs)

    @property
    def rejected(self) -> int:
        """Return the number of rows that would be rejected."""
        return sum(problem.rows for problem in self.problems.values())

    def note_word(self, word: str, meaning: Meaning | None, times: int = 1) -> None:
        """Count a word of the rating column."""
        word = word[:_WORD]
        if (known := self.words.get(word)) is not None:
            known.rows += times
        elif len(self.words) < MOST_WORDS:
            self.words[word] = Word(times, meaning)
        else:
            self.other_words += times

    def sort_words(self) -> None:
        """Put the most frequent words first, however the rows were read."""
        found = sorted(self.words.items(), key=lambda item: (-item[1].rows, item[0]))
        self.words = dict(found)

    def note_meanings(self, meanings: Mapping[Meaning | None, int]) -> None:
        """Count valid rows by what their rating means."""
        for meaning, rows in meanings.items():
            self.note_meaning(meaning, rows)

    def note_meaning(self, meaning: Meaning | None, rows: int = 1) -> None:
        """Count valid rows with this rating."""
        self.valid += rows
        match meaning:
            case None:
                self.comment_only += rows
            case Meaning.POSITIVE:
                self.positive += rows
            case Meaning.NEGATIVE:
                self.negative += rows
            case _:
                self.cleared += rows

    def note_problem(self, reason: Reason) -> Problem:
        """Count a rejected row; the problem may take it as an example."""
        problem = self.problems.setdefault(reason, Problem())
        problem.rows += 1
        return problem

    def as_json(self) -> dict[str, Any]:
        """Return the findings as JSON can hold them (docs/check.schema.json)."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found | {"rejected": self.rejected}

    @classmethod
    def of_json(cls, text: str | bytes) -> Self:
        """Return the findings that `as_json` has made this of."""
        # The names of files may hold bytes that are not UTF-8, which msgspec's own reader refuses.
        return msgspec.convert(json.loads(text), type=cls)
