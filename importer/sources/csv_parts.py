"""Reads CSV in two tiers: plain blocks by column, whatever is odd by the exact reader.

The exact reader (`csv_records`) alone says what a record is. A block goes by column only if it
can be proved to hold the same records for every parser; in such a block the rows with a wrong
number of fields or with bad bytes are still read by the exact reader, each on its own.
"""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator
from itertools import islice

from importer.model import Row
from importer.settings import FIELDS
from importer.sources.base import Part, RowPart
from importer.sources.blocks import Blocks
from importer.sources.column_part import ColumnBlock
from importer.sources.csv_records import RecordReader
from importer.sources.csv_rows import RowMaker
from importer.sources.plain import Parsed, Places, PlainParser, empty_cells, newlines, with_gaps

#: Bytes in a block. It is below the longest record, so that none within a block can be too long.
BLOCK = 512 * 1024
#: Bytes that go to the exact reader around something odd; smaller blocks are dear for pyarrow.
PIECE = 16 * 1024
#: What the differential test covers.
TRIED_DELIMITERS = frozenset(",;\t|")
#: After so many odd pieces in a row, more than one goes to the exact reader unseen.
_PATIENCE = 3
_MOST_PIECES = 16
#: Rows of the exact reader that are handed on together.
_MOST_ROWS = 500


class TwoTierReader:
    """Reads the rows of `blocks`, which begin with the header."""

    def __init__(self, blocks: Blocks, make: RowMaker, delimiter: str, size: int) -> None:
        self._blocks = blocks
        self._make = make
        self._delimiter = delimiter
        self._size = size
        self._width = len(make.header)
        self._parse = PlainParser(delimiter, self._width, make.places.values(), size)
        self._seq = 1
        self._line = 1
        self._awaits_header = True

    def parts(self, first_seq: int) -> Iterator[Part]:
        """Yield all rows in order; the first one gets `first_seq`."""
        self._seq, self._line = first_seq, 1
        blocks, piece = self._blocks, min(PIECE, self._size)
        self._awaits_header = True
        # There may be a piece of blank lines before it.
        while self._awaits_header and (block := blocks.take(piece)):
            yield from self._exactly(block)
        size, odd_pieces = self._size, 0
        while block := blocks.take(size):
            is_unseen = odd_pieces > _PATIENCE and size > piece
            if not is_unseen and blocks.is_whole(block):
                parsed = self._parse(block)
                if parsed is not None:
                    part = self._by_column(parsed, block)
                    self._line += newlines(block)
                    self._seq += len(part)
                    if len(part):
                        yield part
                    size, odd_pieces = min(2 * size, self._size), 0
                    continue
            if not is_unseen and size > piece:
                blocks.give_back(block)  # most of it may be plain all the same
                size = piece
                continue
            odd_pieces += 1
            yield from self._exactly(block)
            # Where everything is odd, looking at each piece is in vain.
            is_tried_next = odd_pieces <= _PATIENCE or is_unseen
            size = piece if is_tried_next else min(_MOST_PIECES * piece, self._size)

    def _by_column(self, parsed: Parsed, block: bytes) -> ColumnBlock:
        batch, miscounted, is_utf8 = parsed
        places: Places | None = None
        first_line = self._line

        def located() -> Places:
            nonlocal places
            if places is None:
                places = Places(block, first_line)
            return places

        columns = [
            batch.column(str(self._make.places[field]))
            if field in self._make.places
            else empty_cells(batch.num_rows)
            for field in FIELDS
        ]
        odd: dict[int, Row] = {}
        if miscounted or not is_utf8:
            undecodable = () if is_utf8 else located().undecodable()
            odd = {place: self._alone(located(), place) for place in {*miscounted, *undecodable}}
        if odd:
            columns = [with_gaps(one, len(located()), miscounted, sorted(odd)) for one in columns]
        return ColumnBlock(
            self._seq, columns, text=block, line_of=lambda place: located().line(place), odd=odd
        )

    def _alone(self, places: Places, place: int) -> Row:
        """Return a row of a block with sound quotes as the exact reader reads it."""
        text = places.text(place, self._blocks.errors)
        (record,) = RecordReader(io.StringIO(text, newline=""), self._delimiter, self._width)
        record = record._replace(line=places.line(place))
        return next(self._make.rows([record], self._seq + place))

    def _exactly(self, block: bytes) -> Generator[Part, None, None]:
        """Yield the rows of `block` and of what belongs to its last record."""
        lines = _Lines(self._blocks, block)
        width = None if self._awaits_header else self._width
        reader = RecordReader(lines, self._delimiter, width, self._line)
        lines.reader = reader
        records = iter(reader)
        if self._awaits_header:
            self._awaits_header = next(records, None) is None
            reader.width = self._width
        rows = self._make.rows(records, self._seq)
        while True:
            some: list[Row] = []
            try:
                some.extend(islice(rows, _MOST_ROWS))
            except Exception:
                # The list holds the rows before the damage.
                if some:
                    yield RowPart(some)
                raise
            if not some:
                break
            self._seq += len(some)
            yield RowPart(some)
        self._line = reader.line


class _Lines:
    """The lines of a block, and those of the blocks after it while a record goes on."""

    def __init__(self, blocks: Blocks, block: bytes) -> None:
        self._blocks = blocks
        #: What reads the lines.
        self.reader: RecordReader | None = None
        if blocks.is_whole(block):
            self._text = blocks.decoded(block)
        else:
            blocks.give_back(block)
            self._text = blocks.text()

    def readline(self, limit: int, /) -> str:
        if line := self._text.readline(limit):
            return line
        is_within = self.reader is not None and self.reader.is_within_record
        if not is_within or self._blocks.is_at_end:
            return ""
        self._text = self._blocks.text()
        return self._text.readline(limit)


def is_parsed_alike(delimiter: str) -> bool:
    """Return whether both tiers are known to split at `delimiter` alike."""
    return delimiter in TRIED_DELIMITERS
