"""What the beginning of a CSV file tells: its delimiter, its line ends, where its header stands."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice

from importer.common.text import folded_name, is_blank
from importer.sources.csv.records import RecordReader
from importer.sources.csv.shape import DELIMITERS, Dialect
from importer.sources.header_line import Line, better_skip, check_is_header, header_hint
from importer.sources.kept_bytes import kept_byte

#: The line with which Excel is told the delimiter.
_SEP_LINE = re.compile(r"\ufeff*\"?sep=(?P<delimiter>[^\r\n])\"?[,;\t ]*(\r\n?|\n)", re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"')
_LINE_END = re.compile(r"\r\n?|\n")
_LINE_FEED = re.compile(r"\n")
#: Lines among which a header is looked for.
_MOST_LINES = 100


class Sample:
    """The beginning of a file as text, of which `skip` lines are no part of the table."""

    def __init__(self, text: str, skip: int) -> None:
        self._text = text
        self._skip = skip
        first = _LINE_END.search(_QUOTED.sub("", text))
        self._has_line_feeds = first is None or first[0] != "\r"
        self._ends = _LINE_FEED if self._has_line_feeds else _LINE_END
        self._table = "" if skip else text
        ends = self._ends.finditer(text)
        if skip and (last := next(islice(ends, skip - 1, None), None)):
            self._table = text[last.end() :]

    def dialect(
        self, columns: Mapping[str, str], delimiter: str | None, *, trust_quotes: bool
    ) -> Dialect:
        """Return how the file is cut into records, with the `delimiter` if it is given."""
        skip = self._skip
        if told := _SEP_LINE.match(self._table):
            skip += 1
            delimiter = delimiter or told["delimiter"]
        return Dialect(
            delimiter or _detect_delimiter(self._table, columns),
            self._has_line_feeds,
            skip,
            trust_quotes,
        )

    def check_is_header(self, input_name: str, columns: Mapping[str, str]) -> None:
        """Raise `InputError` if there is a row in place of the header; see `header_line`."""
        check_is_header(input_name, self._tables(), columns, self._skip)

    def hint(
        self, columns: Mapping[str, str], encoding: str, other: Callable[[], str | None]
    ) -> str:
        """Return what may be done about a header that cannot be used; or nothing.

        It may be in another encoding than the one it is read in, which `other` returns as
        `other_encoding` does, and stand in another line.
        """
        hint = header_hint(self._tables(), columns, self._skip)
        if kept_byte(self._table.partition("\n")[0]) is None:
            return hint
        not_valid = f". The header is not valid {encoding.removesuffix('-sig')}"
        if (meant := other()) is None:
            return f"{not_valid}, and no other encoding is right for the whole file: fix it{hint}"
        such = f", such as --encoding {meant}" if meant else " with --encoding"
        return f"{not_valid}: give its encoding{such}{hint}"

    def better_skip(self, columns: Mapping[str, str]) -> int | None:
        """Return how many lines seem to be above the header; see `header_line`."""
        return better_skip(self._tables(), columns, self._skip)

    def _tables(self) -> Sequence[Sequence[Line]]:
        """Return the records of the first lines that hold something, cut at each delimiter."""
        return [[*self._records(Dialect(cut, self._has_line_feeds))] for cut in DELIMITERS]

    def _records(self, dialect: Dialect) -> Iterator[Line]:
        lines = [*islice(io.StringIO(self._text, newline=dialect.newline), _MOST_LINES)]
        # The table begins anew below what is skipped, if that is in the middle of a text in quotes.
        for above, part in ((0, lines[: self._skip]), (self._skip, lines[self._skip :])):
            stream = io.StringIO("".join(part).lstrip("\ufeff"), newline=dialect.newline)
            for record in RecordReader(stream, dialect, line=above + 1):
                number = record.line or 1
                line = lines[number - 1]
                if not is_blank(line) and not _SEP_LINE.match(line):
                    yield number, record.fields


def _detect_delimiter(sample: str, columns: Mapping[str, str]) -> str:
    """Return the delimiter with which the header shows the id's column, or else most columns."""
    wanted = folded_name(columns.get("conversation_id", "conversation_id"))
    best = (False, 0, 0)
    chosen = DELIMITERS[0]
    lines = io.StringIO(sample.lstrip("\ufeff\r\n"), newline="")
    for rank, delimiter in enumerate(DELIMITERS):
        lines.seek(0)
        try:
            header = next(csv.reader(lines, delimiter=delimiter), [])
        except csv.Error:
            continue
        hit = any(folded_name(name) == wanted for name in header)
        if (score := (hit, len(header), -rank)) > best:
            best, chosen = score, delimiter
    return chosen
