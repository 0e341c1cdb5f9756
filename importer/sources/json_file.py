"""Rows from JSON: an object on each line, or an array of objects."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from importer.common.text import counted, shell_word, shown
from importer.errors import InputError
from importer.settings import FIELDS, ImportSettings, InputFormat
from importer.settings.groups import Reading
from importer.sources.cell_text import as_text
from importer.sources.location import FAILURES, marked_encodings, open_binary, unreadable
from importer.sources.record_source import RecordSource
from importer.sources.row_maker import Record

#: The columns of a file are the members of so many first rows.
_HEADER_ROWS = 10_000
#: Bytes of the longest row, as for CSV.
_LONGEST = 1 << 20
_PIECE = 1 << 16
#: No text has a NUL among its first bytes, but in the encodings that need several for a letter.
_LOOKED_AT = 64
_MOST_NAMED = 10
_BETWEEN = re.compile(r"[ \t\r\n,]*")
_DOT = re.compile(r"\.")
_SCANNER = json.JSONDecoder(strict=False)
_NO_OBJECT = 'this is no JSON object, such as {"conversation_id": "…", "rating": "…"}'


def open_file(path: Path, name: str, settings: ImportSettings) -> JsonSource:
    """Open a file of JSON; see `registry`."""
    header = _header(path, name, settings.mapping.columns, settings.mapping.newest_by)
    return JsonSource(path, name, header, settings)


def first_rows(
    path: Path, name: str, reading: Reading, most: int
) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Return the columns and the first rows, at most so many; see `preview`."""
    del reading  # nothing of it concerns JSON
    header, rows = _header(path, name, {}, None), []
    with closing(_elements(path, name, lambda _: None)) as elements:
        for _, found in islice(elements, most):
            members = flattened(found) if isinstance(found, dict) else {}
            rows.append([as_text(members.get(column)) for column in header])
    return header, rows


def _header(path: Path, name: str, columns: Mapping[str, str], newest_by: str | None) -> list[str]:
    """Return the members that the first rows have; those that are asked for if there are no rows.

    Raises `InputError` if there is no object.
    """
    holds: dict[str, bool] = {}
    rows: list[Any] = []
    with closing(_elements(path, name, lambda _: None)) as elements:
        for _, found in islice(elements, _HEADER_ROWS):
            rows = [*rows, found][:2]
            if isinstance(found, dict):
                for member, value in flattened(found).items():
                    holds[member] = value is not None or holds.get(member, False)
    if not rows:
        asked = [columns.get(field, field) for field in FIELDS]
        return asked if newest_by is None else [*asked, newest_by]
    _check_rows(rows, name, columns.get("conversation_id", "conversation_id"))
    if not holds:
        raise InputError(f"{name} holds no JSON object in its first {_HEADER_ROWS:,} rows")
    # An object that is null in some rows is no column beside its members.
    parents = _parents(holds)
    return [member for member, something in holds.items() if something or member not in parents]


def _check_rows(rows: Sequence[Any], name: str, wanted: str) -> None:
    """Raise `InputError` if the first rows tell that the rows that are meant are elsewhere."""
    first = rows[0]
    if isinstance(first, _Problem) and first.raw.strip() == "{":
        raise InputError(
            f"{name} holds objects of several lines each: put each on a line (jq -c . "
            f"{shell_word(name)}), or all of them into an array"
        )
    if len(rows) == 1 and isinstance(first, dict) and wanted not in first:
        for member, value in first.items():
            if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
                program = shell_word(f".[{json.dumps(member, ensure_ascii=False)}]")
                raise InputError(
                    f"{name} is one object, and its rows seem to be in its member {shown(member)}: "
                    f"take them out (jq {program} {shell_word(name)})"
                )


def flattened(found: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the members of an object by their names; those within others have dotted ones."""
    if not prefix and dict not in map(type, found.values()):
        return found
    members: dict[str, Any] = {}
    for key, value in found.items():
        if isinstance(value, dict) and value:
            members |= flattened(value, f"{prefix}{key}.")
        else:
            members[prefix + key] = value
    return members


def _parents(members: Iterable[str]) -> set[str]:
    """Return the names of the objects that members with dotted names may be within."""
    return {member[: dot.start()] for member in members for dot in _DOT.finditer(member)}


def _object_at(found: dict[str, Any], name: str) -> Any:  # noqa: ANN401 -- whatever is there
    """Return what a member within others is, by its dotted name; None if it is not there."""
    for key, value in found.items():
        if key == name:
            return value
        if name.startswith(f"{key}.") and isinstance(value, dict):
            return _object_at(value, name[len(key) + 1 :])
    return None


class JsonSource(RecordSource):
    """One file of JSON; a `RowSource`. A member that is missing or null is empty."""

    format = InputFormat.JSON

    def __init__(
        self, path: Path, name: str, header: Sequence[str], settings: ImportSettings
    ) -> None:
        super().__init__(path, name, header, settings)
        self._size = max(1, path.stat().st_size)
        self._read = 0
        #: The first names of members that are no columns, by the alphabet, and how often some are.
        self._others: list[str] = []
        self._in_others = 0
        #: Columns that hold an object in some rows, whose members are columns, too.
        self._mixed = _parents(header) & set(header)

    def records(self) -> Generator[Record, None, None]:
        """Yield a record for each object; see `RecordSource`."""
        self._others, self._in_others = [], 0
        header, known, empty = self.header, set(self.header), [""] * len(self.header)
        with closing(_elements(self.path, self.name, self._reached)) as elements:
            for line, found in elements:
                if isinstance(found, _Problem):
                    yield Record(line, [found.raw, *empty[1:]], found.words)
                    continue
                if not isinstance(found, dict):
                    yield Record(line, [as_text(found), *empty[1:]], _NO_OBJECT)
                    continue
                members = flattened(found)
                if not members.keys() <= known:
                    others = members.keys() - known
                    self._mixed |= _parents(others) & known
                    late = [name for name in others if members[name] is not None]
                    self._in_others += len(late)
                    self._others = sorted({*self._others, *late})[:_MOST_NAMED]
                get = members.get
                cells = [get(column) for column in header]
                for column in self._mixed:
                    place = header.index(column)
                    if cells[place] is None:
                        cells[place] = _object_at(found, column)
                yield Record(line, [c if type(c) is str else as_text(c) for c in cells])
        self._read = self._size

    def progress(self) -> float:
        """Return the share of the file's bytes that was read; see `RowSource`."""
        return min(1.0, self._read / self._size)

    def remarks(self) -> Sequence[str]:
        """Return what the latest reading noticed; see `RowSource`."""
        remarks = [*super().remarks()]
        if self._others:
            names = ", ".join(self._others)
            remarks.append(
                f"members that no row among the first {_HEADER_ROWS:,} has are no columns, so "
                f"left-over files lack them: {names} (in {counted(self._in_others, 'place')})"
            )
        return remarks

    def _reached(self, position: int) -> None:
        self._read = position


class _Problem:
    """A line that cannot be read, in words, and as it stands there."""

    __slots__ = ("raw", "words")

    def __init__(self, words: str, raw: bytes) -> None:
        self.words = words
        self.raw = raw.decode("utf-8", "surrogateescape").rstrip("\r\n")


def _elements(
    path: Path, name: str, reached: Callable[[int], None]
) -> Generator[tuple[int | None, Any], None, None]:
    """Yield what each row holds, with the line on which it starts, None in an array.

    `reached` is told how many bytes of the file were read. Raises `InputError`.
    """
    stream, raw = open_binary(path, name)
    with raw, stream:
        try:
            start = stream.read(_PIECE)
            if b"\x00" in start[:_LOOKED_AT]:
                wide = [*marked_encodings(start), "utf-16le" if start[1:2] == b"\0" else "utf-16be"]
                raise InputError(
                    f"{name} is {wide[0].upper()}: JSON is UTF-8 (iconv -f {wide[0]} -t utf-8)"
                )
            start = start.removeprefix(codecs.BOM_UTF8)
            if start.lstrip().startswith(b"["):
                rows: Iterator[tuple[int | None, Any]] = (
                    (None, each) for each in _of_array(start, stream, name)
                )
            else:
                rows = _of_lines(start, stream)
            for number, row in enumerate(rows):
                if number % 256 == 0:
                    reached(raw.tell())
                yield row
        except FAILURES as error:
            raise unreadable(name, error) from None


def _of_lines(start: bytes, stream: BinaryIO) -> Iterator[tuple[int | None, Any]]:
    decode = msgspec.json.Decoder().decode
    for number, line in enumerate(_lines(start, stream), start=1):
        if len(line) > _LONGEST:
            yield number, _Problem(f"the line has more than {_LONGEST:,} bytes", line[:1000])
        elif line and not line.isspace():
            try:
                yield number, decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                # Other programs write NaN, and bytes or halves of characters that are no text: the
                # row maker tells which cell holds them.
                try:
                    yield number, _SCANNER.decode(line.decode("utf-8", "surrogateescape"))
                except (ValueError, RecursionError):
                    yield number, _Problem(f"this is no JSON: {error}", line)


def _lines(start: bytes, stream: BinaryIO) -> Iterator[bytes]:
    """Yield the lines, of an overlong one only its beginning."""
    rest, is_within_long = start, False
    while True:
        *lines, rest = rest.split(b"\n")
        for line in lines:
            if not is_within_long:
                yield line
            is_within_long = False
        if len(rest) > _LONGEST:
            if not is_within_long:
                yield rest
            rest, is_within_long = b"", True
        piece = stream.read(_PIECE)
        if not piece:
            break
        rest += piece
    if rest and not is_within_long:
        yield rest


def _of_array(start: bytes, stream: BinaryIO, name: str) -> Iterator[Any]:
    """Yield the elements of an array that is read piece by piece. Raises `InputError`."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    text = decoder.decode(start).lstrip()[1:]
    at, number, ended = 0, 0, False
    while True:
        at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing, too
        if text.startswith("]", at):
            return
        found, end = _scanned(text, at)
        if end < len(text):  # a number that ends with the piece may go on in the next one
            number += 1
            yield found
            at = end
            continue
        if ended or len(text) - at > _LONGEST:
            raise InputError(
                f"{name} is damaged or cut off: its array cannot be read after {number:,} "
                f"elements, at {text[at : at + 40]!r}"
            )
        # An element is tried again from its beginning, so twice as much is read each time.
        piece = stream.read(max(_PIECE, len(text) - at))
        text, at, ended = text[at:] + decoder.decode(piece, not piece), 0, not piece


def _scanned(text: str, at: int) -> tuple[Any, int]:
    """Return the value that begins there, and where it ends: nowhere, if it is not whole."""
    try:
        return _SCANNER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None, len(text)
