"""Splits text into CSV records, one malformed line at a time.

The csv module is exact about quotes and new lines, but after an error it has lost its place: an
unclosed quote swallows the lines that follow. This reader remembers the physical lines of the
record at hand; when the record turns out to be malformed, only its first line is given up and the
others are read again.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from typing import Protocol

from importer.common.text import counted
from importer.common.uuids import UUID_LENGTH
from importer.sources.csv.shape import Dialect, Shape
from importer.sources.noticed import Noticed
from importer.sources.row_maker import Record

#: The longest record, in code points; it bounds the memory that a stray quote can take.
RECORD_LIMIT = 1024 * 1024

#: Stands for a carriage return that does not end a line, which the csv module would cut at. No
#: decoder makes it, and it is no byte that `KEEP_BYTES` keeps.
_RETURN = "\udbff"

# The csv module's own limit is one number for the whole process; it must not be below ours.
csv.field_size_limit(max(csv.field_size_limit(), 2 * RECORD_LIMIT))


class Lines(Protocol):
    """Where text comes from, a physical line at a time."""

    def readline(self, limit: int, /) -> str:
        """Return the next line, or its next `limit` code points; nothing at the end."""
        ...


class _TooLongError(Exception):
    pass


class RecordReader:
    """Iterates over the records of `stream`; lines that hold nothing are passed over.

    With `shape` set, a record that does not fit it is malformed, and one that repeats the header
    is passed over. The first physical line of `stream` is `line`. `noticed` takes in what is odd.
    """

    def __init__(
        self,
        stream: Lines,
        dialect: Dialect,
        shape: Shape | None = None,
        line: int = 1,
        *,
        noticed: Noticed | None = None,
    ) -> None:
        self._stream = stream
        self._dialect = dialect
        self.shape = shape
        self._line = line
        self._noticed = noticed or Noticed()
        self._line_ends = ("\n",) if dialect.has_line_feeds else ("\n", "\r")
        self._is_skipping = False
        self._holds_returns = False
        self._again: deque[str] = deque()
        self._consumed: list[str] = []

    @property
    def line(self) -> int:
        """Return the physical line that follows the latest record."""
        return self._line

    @property
    def is_within_record(self) -> bool:
        """Return whether lines were read that belong to no record yet."""
        return bool(self._consumed) or self._is_skipping

    def __iter__(self) -> Iterator[Record]:
        if self._line == 1:
            self._begin()
        consumed, delimiter = self._consumed, self._dialect.delimiter
        while True:
            try:
                for fields in csv.reader(self._lines(), delimiter=delimiter, strict=True):
                    if len(consumed) > 1 and (found := self._line_like_row()) is not None:
                        yield self._give_up_first_line(
                            "its double quote is closed only after lines that read like rows, such "
                            f"as line {self._line + found:,}: is it a stray one? If the text does "
                            "hold such lines, give --trust-quotes"
                        )
                        continue
                    line = self._line
                    self._line += len(consumed)
                    record = self._record(line, fields)
                    consumed.clear()
                    if record is not None:
                        yield record
            except csv.Error as error:
                yield self._give_up_first_line(_in_words(error))
            except _TooLongError:
                yield self._give_up_first_line(
                    f"the row is longer than {RECORD_LIMIT:,} characters; is a quote not closed?"
                )
            else:
                return

    def _begin(self) -> None:
        """Pass over the lines above the header, and the byte order marks before it."""
        self._is_skipping = True
        for _ in range(self._dialect.skip):
            while (part := self._stream.readline(RECORD_LIMIT)) and not part.endswith(
                self._line_ends
            ):
                pass
            self._line += bool(part)
        if first := self._stream.readline(RECORD_LIMIT):
            self._again.append(first.lstrip("\ufeff"))
        self._is_skipping = False

    def _record(self, line: int, fields: list[str]) -> Record | None:
        """Return what was consumed as a record, or None if it is none."""
        if not fields:
            return None
        if self._holds_returns:
            fields = [_with_returns(cell) for cell in fields]
        shape = self.shape
        if shape is None:
            return Record(line, fields)
        if not fields[0].strip() and not any(map(str.strip, fields)):
            self._noticed.hollow += 1
            return None
        if len(fields) != shape.width:
            fitted = shape.fit(fields)
            if fitted is None:
                raw = _with_returns("".join(self._consumed)).rstrip("\r\n")
                problem = _miscounted(len(fields), shape.width)
                # One with fields missing may be text that went on from the line before.
                named = shape.id_in(raw) if len(fields) > shape.width else ""
                return Record(line, [raw], problem, shape.job_in(raw), named)
            self._noticed.ended_early += shape.ends_early(fields)
            fields = fitted
        if len(fields[shape.id_at]) != UUID_LENGTH:
            if shape.is_header(fields):
                self._noticed.repeated_headers += 1
                return None
            fields = shape.unfolded(fields)
        return Record(line, fields)

    def _line_like_row(self) -> int | None:
        """Return the place of a consumed line that reads like a row of its own."""
        shape = self.shape
        if shape is None or self._dialect.trust_quotes or shape.goes_on(self._consumed[0]):
            return None
        lines = enumerate(self._consumed[1:], 1)
        return next((place for place, line in lines if shape.reads_like_row(line)), None)

    def _lines(self) -> Iterator[str]:
        """Yield physical lines, remembering those of the record at hand."""
        again, consumed, readline = self._again, self._consumed, self._stream.readline
        has_line_feeds = self._dialect.has_line_feeds
        total, last = 0, ""
        while line := again.popleft() if again else readline(RECORD_LIMIT):
            if has_line_feeds and -1 < line.find("\r") < len(line) - len("\r\n"):
                line = self._without_returns(line)
            total = total + len(line) if consumed else len(line)
            consumed.append(line)
            if total >= RECORD_LIMIT:
                if len(line) >= RECORD_LIMIT and not line.endswith(self._line_ends):
                    self._drop_rest_of_line()
                raise _TooLongError
            yield line
            last = line
        if last and not last.endswith(self._line_ends):
            self._noticed.unended = last

    def _without_returns(self, line: str) -> str:
        """Return `line` with what stands for the carriage returns that do not end it."""
        text = line.rstrip("\r\n")
        self._holds_returns |= "\r" in text
        return text.replace("\r", _RETURN) + line[len(text) :]

    def _drop_rest_of_line(self) -> None:
        if self._again:
            return  # the line was read before, and its rest dropped then
        while (part := self._stream.readline(RECORD_LIMIT)) and not part.endswith(self._line_ends):
            pass

    def _give_up_first_line(self, problem: str) -> Record:
        first, *rest = self._consumed
        self._again.extendleft(reversed(rest))
        self._consumed.clear()
        self._line += 1
        raw = _with_returns(first).rstrip("\r\n")
        shape = self.shape
        sure = ("", "") if shape is None else (shape.job_in(raw), shape.id_in(raw))
        return Record(self._line - 1, [raw], problem, *sure)


def _with_returns(text: str) -> str:
    return text.replace(_RETURN, "\r")


def _miscounted(number: int, width: int) -> str:
    hint = (
        "; a field that holds the delimiter must be in double quotes"
        if number > width
        else "; a field that holds a line break must be in double quotes"
    )
    return f"the row has {counted(number, 'field')}, the header has {width}{hint}"


def _in_words(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end of data" in text:
        return "a double quote is opened and never closed"
    if "expected after" in text:
        return (
            "a double quote is not closed, or text follows a closing one; "
            "within quotes write it twice"
        )
    return text
