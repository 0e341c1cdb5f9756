"""How the lines of a CSV file are told apart: its dialect, and what its header says of its rows."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from importer.common.text import folded_name
from importer.common.uuids import UUID_LENGTH, canonical_uuid
from importer.sources.own_columns import find_own_columns, place_in, places_among

#: Those that are known without being named.
DELIMITERS = ",;\t|"
#: What a line must hold to have a UUID in it, whatever its spelling.
MAY_HOLD_ID = re.compile("[0-9a-fA-F]{8}")


class Dialect(NamedTuple):
    """How a file is cut into records."""

    delimiter: str = ","
    #: Lines end with a line feed, so that a carriage return within a cell is text.
    has_line_feeds: bool = False
    #: Physical lines above the header that are no part of the table.
    skip: int = 0
    #: Text in quotes may hold lines that read like rows.
    trust_quotes: bool = False

    @property
    def newline(self) -> str:
        """What `open` calls so: which line ends a text stream cuts at."""
        return "\n" if self.has_line_feeds else ""


class Shape:
    """What the header says of the rows. `places` are the columns of the fields."""

    def __init__(
        self, header: Sequence[str], places: Mapping[str, int], delimiter: str = ","
    ) -> None:
        self.width = len(header)
        self.id_at = places["conversation_id"]
        self._names = [folded_name(name) for name in header]
        others = [place for field, place in places.items() if field in ("rating", "comment")]
        #: A row may end early, but not before its id and one of the others.
        self._least = max(self.id_at, min(others, default=self.id_at)) + 1
        self._read = max(places.values()) + 1
        self._delimiter = delimiter
        cut = re.escape(delimiter)
        cell = rf'(?:"(?:[^"]|"")*"|[^"{cut}\r\n]*)'
        self._first_cell = re.compile(rf"({cell}){cut}")
        #: By what a line that is whole in a cell may be split, that of the file first.
        self._may_cut = dict.fromkeys([delimiter, *DELIMITERS])
        #: The columns that the importer has added to a left-over file; None in other files.
        self._own = find_own_columns(header)

    def fit(self, fields: list[str]) -> list[str] | None:
        """Return `fields` as one cell for each column, or None if that cannot be.

        Empty cells beyond the last column are left out, and those missing at the end are empty.
        """
        number = len(fields)
        if number == self.width:
            return fields
        if number > self.width:
            return None if any(map(str.strip, fields[self.width :])) else fields[: self.width]
        if number < self._least:
            return None
        return fields + [""] * (self.width - number)

    def ends_early(self, fields: Sequence[str]) -> bool:
        """Return whether a row ends before the last column that is read."""
        return len(fields) < self._read

    def is_named(self, cell: str) -> bool:
        """Return whether a cell of the id's column holds the column's name."""
        return (
            folded_name(cell) == self._names[self.id_at]
            and len(cell.encode("utf-8", "surrogatepass")) != UUID_LENGTH
        )

    def is_header(self, fields: Sequence[str]) -> bool:
        """Return whether a row is the header once more."""
        return self.is_named(fields[self.id_at]) and self._names == [*map(folded_name, fields)]

    def unfolded(self, fields: list[str]) -> list[str]:
        """Return the cells of a line that was whole in the first one and was corrected there.

        So stand lines in left-over files that could not be split, below the names of their columns
        if these are not those of the file. All others are as they are. A program may have saved the
        file with another delimiter since, which leaves that of the line. A line that comes from a
        left-over file itself may still end with the importer's own cells.
        """
        if self._own is None or not self.may_hold_row(fields[0]):
            return fields
        known, own = self._names[: self._own.start], fields[self._own.start :]
        if any(fields[1 : len(known)]):
            return fields
        for delimiter in self._may_cut:
            rows = _split(fields[0], delimiter)
            if len(rows) == 1:
                names = known
                if len(rows[0]) == self.width and place_in(fields[0], delimiter):
                    rows = [rows[0][: len(known)]]
            elif len(rows) == 2:
                names = [*map(folded_name, rows[0])]
            else:
                continue
            cells = dict(zip(places_among(names, known), rows[-1], strict=False))
            if len(rows[-1]) != len(names) or len(cells) < len(names) or None in cells:
                continue
            if canonical_uuid(cells.get(self.id_at, "")) is not None:
                return [*(cells.get(place, "") for place in range(len(known))), *own]
        return fields

    def may_hold_row(self, cell: str) -> bool:
        """Return whether the first cell of a left-over file might be a whole line."""
        return self._own is not None and any(map(cell.__contains__, self._may_cut))

    def job_in(self, line: str) -> str:
        """Return what the cell `job` of a line says that could not be split, if it is sure."""
        return "" if self._own is None else place_in(line, self._delimiter)

    def id_in(self, line: str) -> str:
        """Return the id of a line that could not be split, if it is sure.

        It stands in the first column, where neither a delimiter too many nor a quote that is odd
        can have put another cell in its place.
        """
        found = None if self.id_at else self._first_cell.match(line)
        return "" if found is None else found[1].strip('"')

    def goes_on(self, line: str) -> bool:
        """Return whether a row that begins on `line` surely does not end there.

        Each row of a left-over file ends with the columns that the importer has added.
        """
        return self._own is not None and line.count(self._delimiter) < self.width - 1

    def reads_like_row(self, line: str) -> bool:
        """Return whether a line of quoted text might be a row: its cells fit, and its id is a UUID.

        One with cells missing at its end might be text that begins with an id: then words follow.
        """
        if MAY_HOLD_ID.search(line) is None:
            return False
        try:
            fields = next(csv.reader([line], delimiter=self._delimiter), [])
        except csv.Error:
            return False
        if self.fit(fields) is None:
            return False
        if len(fields) < self.width and any(cell[:1].isspace() for cell in fields):
            return False
        return canonical_uuid(fields[self.id_at]) is not None


def _split(text: str, delimiter: str) -> list[list[str]]:
    """Return the rows of CSV in a cell; none if it cannot be read."""
    try:
        return [*csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)]
    except csv.Error:
        return []
