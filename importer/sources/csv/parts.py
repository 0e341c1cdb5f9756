"""Reads CSV in two tiers: plain blocks by column, whatever is odd by the exact reader.

The exact reader (`records`) alone says what a record is. A block goes by column only if it
can be proved to hold the same records for every parser; in such a block the rows with a wrong
number of fields or with bad bytes are still read by the exact reader, each on its own.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import islice

import pyarrow as pa

from importer.model import Row
from importer.sources.base import Part, RowPart
from importer.sources.by_column.noticing import emptied, names_or_nothing
from importer.sources.by_column.part import ColumnBlock
from importer.sources.by_column.text_columns import empty_cells, shifted, with_gaps, without
from importer.sources.columns import CELLS
from importer.sources.csv.blocks import Blocks
from importer.sources.csv.plain import Parsed, Places, PlainParser, newlines
from importer.sources.csv.records import Lines, RecordReader
from importer.sources.csv.shape import Dialect, Shape
from importer.sources.noticed import Noticed
from importer.sources.row_maker import Record, RowMaker

#: Bytes in a block. It is below the longest record, so that none within a block can be too long.
BLOCK = 512 * 1024
#: Bytes that go to the exact reader around something odd; smaller blocks are dear for pyarrow.
PIECE = 16 * 1024
#: What the differential test covers.
TRIED_DELIMITERS = frozenset(",;\t|")
#: After so many odd pieces in a row, more and more of them go to the exact reader unseen: so many
#: at first, then twice as many each time.
_PATIENCE = 3
_FIRST_UNSEEN = 16
_MOST_UNSEEN = 1024
#: A block of which more than one row in so many has to be read on its own is read exactly.
_ODD_SHARE = 8
#: Rows of the exact reader that are handed on together.
_MOST_ROWS = 500


class TwoTierReader:
    """Reads the rows of `blocks`, which begin with the header."""

    def __init__(
        self, blocks: Blocks, make: RowMaker, dialect: Dialect, shape: Shape, size: int
    ) -> None:
        self._blocks = blocks
        self._make = make
        self._dialect = dialect
        self._shape = shape
        self._size = size
        self._parse = PlainParser(dialect, shape, make.places.values(), size)
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
        size, odd_pieces, unseen = self._size, 0, _FIRST_UNSEEN
        while block := blocks.take(size):
            if blocks.is_whole(block):
                parsed = self._parse(block)
                part = None if parsed is None else self._by_column(parsed, block)
                if part is not None:
                    self._line += newlines(block)
                    self._seq += len(part)
                    if len(part):
                        yield part
                    size, odd_pieces, unseen = min(2 * size, self._size), 0, _FIRST_UNSEEN
                    continue
            if size > piece:
                blocks.give_back(block)  # most of it may be plain all the same
                size = piece
                continue
            odd_pieces += 1
            yield from self._exactly(block)
            if odd_pieces > _PATIENCE:
                # Where everything is odd, looking at each piece is in vain.
                yield from self._unseen(unseen * piece)
                unseen = min(2 * unseen, _MOST_UNSEEN)

    def _unseen(self, length: int) -> Generator[Part, None, None]:
        """Let the exact reader have so many bytes, whatever is in them."""
        while length > 0 and (block := self._blocks.take(min(length, self._size))):
            length -= len(block)
            yield from self._exactly(block)

    def _by_column(self, parsed: Parsed, block: bytes) -> ColumnBlock | None:
        """Return the rows of a block; None if too many of them have to be read on their own."""
        batch, miscounted, _ = parsed
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
            for field in CELLS
        ]
        odd = self._odd_places(parsed, columns[0], located)
        if len(odd) * _ODD_SHARE > batch.num_rows:
            return None
        rows: dict[int, Row] = {}
        if odd:
            records = [self._alone(located(), place) for place in odd]
            found = self._rows_of(odd, records)
            for at, field in enumerate(CELLS):
                own = ["" if row is None else str(getattr(row, field)) for row in found]
                columns[at] = with_gaps(columns[at], len(located()), miscounted, odd, own)
            gone = [place for place, row in zip(odd, found, strict=True) if row is None]
            if gone:
                located().drop(gone)
                columns = [without(one, gone) for one in columns]
            rows = {row.seq - self._seq: row for row in found if row is not None and row.problem}
        columns[1:3] = [emptied(one, self._make.nulls) for one in columns[1:3]]
        if not block.endswith(b"\n"):
            last = block[block.rfind(b"\n") + 1 :]
            self._make.noticed.unended = last.decode("utf-8", self._blocks.errors)
        return ColumnBlock(
            self._seq,
            columns,
            self._make.noticed,
            text=block,
            line_of=lambda place: located().line(place),
            odd=rows,
        )

    def _odd_places(
        self, parsed: Parsed, ids: pa.StringArray, located: Callable[[], Places]
    ) -> list[int]:
        """Return the places of the rows of a block that only the exact reader understands."""
        suspects = names_or_nothing(ids, self._is_suspect, self._blocks.errors)
        if parsed.is_utf8 and not parsed.miscounted:
            return suspects
        odd = {*parsed.miscounted, *shifted(suspects, parsed.miscounted)}
        if not parsed.is_utf8:
            odd.update(located().undecodable())
        return sorted(odd)

    def _is_suspect(self, cell: str) -> bool:
        return self._shape.is_named(cell) or self._shape.may_hold_row(cell)

    def _rows_of(self, places: Sequence[int], records: Sequence[Record | None]) -> list[Row | None]:
        """Return the rows of these records; a row moves up for each place without a record."""
        rows: list[Row | None] = []
        seen = Noticed()  # their cells are put back into the columns, and counted there
        gone = 0
        for place, record in zip(places, records, strict=True):
            if record is None:
                gone += 1
                rows.append(None)
            else:
                rows.extend(self._make.rows([record], self._seq + place - gone, seen))
        return rows

    def _alone(self, places: Places, place: int) -> Record | None:
        """Return a record of a block with sound quotes as the exact reader reads it, if it does."""
        text = io.StringIO(places.text(place, self._blocks.errors), newline=self._dialect.newline)
        return next(iter(self._reader(text, places.line(place))), None)

    def _reader(self, lines: Lines, line: int) -> RecordReader:
        shape = None if self._awaits_header else self._shape
        return RecordReader(lines, self._dialect, shape, line, noticed=self._make.noticed)

    def _exactly(self, block: bytes) -> Generator[Part, None, None]:
        """Yield the rows of `block` and of what belongs to its last record."""
        lines = _Lines(self._blocks, block)
        reader = self._reader(lines, self._line)
        lines.reader = reader
        records = iter(reader)
        if self._awaits_header:
            self._awaits_header = next(records, None) is None
            reader.shape = self._shape
        rows = self._make.rows(records, self._seq)
        try:
            yield from self._some_at_a_time(rows)
        finally:
            # Each would keep the other, and with it the block, until the collector comes by.
            lines.reader = None
        self._line = reader.line

    def _some_at_a_time(self, rows: Iterator[Row]) -> Generator[Part, None, None]:
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


class _Lines:
    """The lines of a block, and those of the blocks after it while a record goes on."""

    def __init__(self, blocks: Blocks, block: bytes) -> None:
        self._blocks = blocks
        #: What reads the lines.
        self.reader: RecordReader | None = None
        if blocks.is_whole(block):
            text = blocks.decoded(block)
        else:
            blocks.give_back(block)
            text = blocks.text()
        self._readline = text.readline

    def readline(self, limit: int, /) -> str:
        if line := self._readline(limit):
            return line
        is_within = self.reader is not None and self.reader.is_within_record
        if not is_within or self._blocks.is_at_end:
            return ""
        self._readline = self._blocks.text().readline
        return self._readline(limit)


def is_parsed_alike(delimiter: str) -> bool:
    """Return whether both tiers are known to split at `delimiter` alike."""
    return delimiter in TRIED_DELIMITERS
