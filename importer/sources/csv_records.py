"""Splits text into CSV records, one malformed line at a time.

The csv module is exact about quotes and new lines, but after an error it has lost its place: an
unclosed quote swallows the lines that follow. This reader remembers the physical lines of the
record at hand; when the record turns out to be malformed, only its first line is given up and the
others are read again.
"""

from __future__ import annotations

import codecs
import csv
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple, Protocol

#: The longest record, in code points; it bounds the memory that a stray quote can take.
RECORD_LIMIT = 1024 * 1024

#: The name of the error handler that keeps undecodable bytes as lone surrogates, and gives them
#: back when the text is written. Unlike `surrogateescape` it does so for every codec.
KEEP_BYTES = "importer_keep_bytes"


def _keep_bytes(error: UnicodeError) -> tuple[str | bytes, int]:
    if isinstance(error, UnicodeDecodeError):
        bad = error.object[error.start : error.end]
        return "".join(chr(0xDC00 + byte) for byte in bad), error.end
    if isinstance(error, UnicodeEncodeError):
        text = error.object[error.start : error.end]
        if all(0xDC00 <= ord(c) <= 0xDCFF for c in text):
            return bytes(ord(c) - 0xDC00 for c in text), error.end
        return "?" * len(text), error.end
    raise error


codecs.register_error(KEEP_BYTES, _keep_bytes)

# The csv module's own limit is one number for the whole process; it must not be below ours.
csv.field_size_limit(max(csv.field_size_limit(), 2 * RECORD_LIMIT))


def kept_byte(text: str) -> int | None:
    """Return the first byte of `text` that could not be decoded, or None if there is none."""
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return ord(text[error.start]) & 0xFF
    return None


class Record(NamedTuple):
    """A record and the physical line (from 1) on which it starts.

    A malformed record has its `problem` in words, and its raw text as its only field.
    """

    line: int
    fields: list[str]
    problem: str | None = None


class Lines(Protocol):
    """Where text comes from, a physical line at a time."""

    def readline(self, limit: int, /) -> str:
        """Return the next line, or its next `limit` code points; nothing at the end."""
        ...


class _TooLongError(Exception):
    pass


class RecordReader:
    """Iterates over the records of `stream`; blank lines are passed over.

    With `width` set, a record with another number of fields is malformed. The first physical line
    of `stream` is `line`.
    """

    def __init__(
        self, stream: Lines, delimiter: str, width: int | None = None, line: int = 1
    ) -> None:
        self._stream = stream
        self._delimiter = delimiter
        self.width = width
        self._line = line
        self._again: deque[str] = deque()
        self._consumed: list[str] = []

    @property
    def line(self) -> int:
        """Return the physical line that follows the latest record."""
        return self._line

    @property
    def is_within_record(self) -> bool:
        """Return whether lines were read that belong to no record yet."""
        return bool(self._consumed)

    def __iter__(self) -> Iterator[Record]:
        consumed = self._consumed
        while True:
            try:
                for fields in csv.reader(self._lines(), delimiter=self._delimiter, strict=True):
                    line = self._line
                    self._line += len(consumed)
                    if len(fields) == self.width or (fields and self.width is None):
                        consumed.clear()
                        yield Record(line, fields)
                    else:
                        raw = "".join(consumed).rstrip("\r\n")
                        consumed.clear()
                        if fields:
                            yield Record(line, [raw], self._miscounted(len(fields)))
            except csv.Error as error:
                yield self._give_up_first_line(_in_words(error))
            except _TooLongError:
                yield self._give_up_first_line(
                    f"the row is longer than {RECORD_LIMIT:,} characters; is a quote not closed?"
                )
            else:
                return

    def _lines(self) -> Iterator[str]:
        """Yield physical lines, remembering those of the record at hand."""
        again, consumed, readline = self._again, self._consumed, self._stream.readline
        total = 0
        while line := again.popleft() if again else readline(RECORD_LIMIT):
            total = total + len(line) if consumed else len(line)
            consumed.append(line)
            if total >= RECORD_LIMIT:
                if len(line) >= RECORD_LIMIT and not line.endswith(("\n", "\r")):
                    self._drop_rest_of_line()
                raise _TooLongError
            yield line

    def _drop_rest_of_line(self) -> None:
        if self._again:
            return  # the line was read before, and its rest dropped then
        while (part := self._stream.readline(RECORD_LIMIT)) and not part.endswith(("\n", "\r")):
            pass

    def _give_up_first_line(self, problem: str) -> Record:
        first, *rest = self._consumed
        self._again.extendleft(reversed(rest))
        self._consumed.clear()
        self._line += 1
        return Record(self._line - 1, [first.rstrip("\r\n")], problem)

    def _miscounted(self, number: int) -> str:
        hint = (
            "; a field that holds the delimiter must be in double quotes"
            if number > (self.width or 0)
            else ""
        )
        return f"the row has {number} fields, the header has {self.width}{hint}"


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
