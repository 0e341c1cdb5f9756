"""Parses blocks of CSV by column, if no two parsers could read them differently.

pyarrow is fast and forgiving: it takes an unclosed quote for one long row, and text after a closing
quote for part of the field. So a block is looked at first, and left to the exact reader if anything
but the number of fields or a byte could be wrong in it.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

from importer.sources.csv.hidden_rows import HiddenRows
from importer.sources.csv.shape import Dialect, Shape

_NEWLINE, _RETURN, _QUOTE = b'\n\r"'
#: A row's cells without the line end, at the least: none.
_LINE_END = 2

Numbers = np.ndarray[Any, np.dtype[np.int64]]


class Parsed(NamedTuple):
    """A block by column. `miscounted` are the rows that are in no column, by place (from 0)."""

    columns: pa.RecordBatch
    miscounted: Sequence[int]
    is_utf8: bool


class PlainParser:
    """Parses blocks with the columns of `shape`; `places` are the ones that are wanted.

    A block has at most `most` bytes.
    """

    def __init__(self, dialect: Dialect, shape: Shape, places: Iterable[int], most: int) -> None:
        delimiter = dialect.delimiter
        self._holds_row = None if dialect.trust_quotes else HiddenRows(shape, delimiter)
        wanted = [str(place) for place in dict.fromkeys(places)]
        self._miscounted: list[int] = []
        self._read = pc.ReadOptions(
            use_threads=False,
            column_names=[str(number) for number in range(shape.width)],
            # A block that is parsed in two batches would be numbered wrongly.
            block_size=2 * most + 64,
        )
        self._parse = {
            # pyarrow prints a traceback if the handler is to see bytes that are not UTF-8.
            is_utf8: pc.ParseOptions(
                delimiter=delimiter,
                newlines_in_values=True,
                invalid_row_handler=self._note if is_utf8 else None,
            )
            for is_utf8 in (False, True)
        }
        self._convert = pc.ConvertOptions(
            check_utf8=False,
            include_columns=wanted,
            column_types=dict.fromkeys(wanted, pa.string()),
            strings_can_be_null=False,
        )
        self._opens = np.zeros(256, bool)
        self._opens[[ord(delimiter), _NEWLINE, _QUOTE]] = True
        self._closes = np.zeros(256, bool)
        self._closes[[ord(delimiter), _NEWLINE, _RETURN, _QUOTE]] = True

    def __call__(self, block: bytes) -> Parsed | None:
        """Return a block that ends with a line by column, or None if it is not plain."""
        if b'"' in block and not self._is_well_quoted(block):
            return None
        if b"\0" in block or block.startswith(codecs.BOM_UTF8):
            return None  # pyarrow would take the mark away
        if b"\r" in block and block.count(b"\r") != block.count(b"\r\n"):
            return None
        utf8 = is_utf8(block)
        self._miscounted = []
        try:
            reader = pc.open_csv(
                pa.BufferReader(block), self._read, self._parse[utf8], self._convert
            )
            batch = reader.read_next_batch()
            is_one = not any(True for _ in reader)
        except (pa.ArrowInvalid, StopIteration):
            return None
        return Parsed(batch, self._miscounted, utf8) if is_one else None

    def _note(self, row: pc.InvalidRow) -> str:
        self._miscounted.append(row.number - 1)
        return "skip"

    def _is_well_quoted(self, block: bytes) -> bool:
        """Return whether each quote opens a field, closes one, or stands twice.

        And what is in quotes holds no line that reads like a row.
        """
        text = np.frombuffer(b"\n%b\n" % block, np.uint8)
        at = np.flatnonzero(text == _QUOTE)
        return (
            not len(at) & 1
            and bool(self._opens[text[at[0::2] - 1]].all())
            and bool(self._closes[text[at[1::2] + 1]].all())
            and not (self._holds_row is not None and self._holds_row.among(text, at))
        )


class Places:
    """Where the records of a well quoted block are. Blank lines are none."""

    def __init__(self, block: bytes, first_line: int) -> None:
        text = np.frombuffer(block, np.uint8)
        self._block = block
        self._first_line = first_line
        self._newlines = ends = np.flatnonzero(text == _NEWLINE)
        if b'"' in block:
            quotes_before = np.searchsorted(np.flatnonzero(text == _QUOTE), ends)
            ends = ends[quotes_before % 2 == 0]
        ends = ends + 1
        if not block.endswith(b"\n"):
            ends = np.append(ends, len(block))
        starts = np.append(0, ends[:-1])
        first = text[starts]
        holds_text = (ends - starts > _LINE_END) | ((first != _NEWLINE) & (first != _RETURN))
        self._starts: Numbers = starts[holds_text]
        self._ends: Numbers = ends[holds_text]

    def __len__(self) -> int:
        return len(self._starts)

    def drop(self, places: Sequence[int]) -> None:
        """Leave out the records at `places`: the others move up."""
        self._starts, self._ends = np.delete(self._starts, places), np.delete(self._ends, places)

    def line(self, place: int) -> int:
        """Return the physical line on which the record at `place` (from 0) starts."""
        return self._first_line + int(np.searchsorted(self._newlines, self._starts[place]))

    def text(self, place: int, errors: str = "strict") -> str:
        """Return the record at `place` as it stands in the file."""
        return self._block[self._starts[place] : self._ends[place]].decode("utf-8", errors)

    def undecodable(self) -> Iterator[int]:
        """Yield the places of the records that are not valid UTF-8."""
        high = np.flatnonzero(np.frombuffer(self._block, np.uint8) > 127)
        for place in np.unique(np.searchsorted(self._ends, high, "right")).tolist():
            try:
                self.text(place)
            except UnicodeDecodeError:
                yield place


def is_utf8(block: bytes) -> bool:
    """Return whether `block` is valid UTF-8."""
    if block.isascii():
        return True
    ends = pa.py_buffer(np.array([0, len(block)], np.int32))
    try:
        pa.StringArray.from_buffers(1, ends, pa.py_buffer(block)).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def newlines(block: bytes) -> int:
    """Return how many lines end in `block`."""
    # `bytes.count` takes several times as long where there are many.
    return int(np.count_nonzero(np.frombuffer(block, np.uint8) == _NEWLINE))
