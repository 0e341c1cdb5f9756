"""Tells in which line the header seems to be, where lines above it are no part of the table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, pairwise

from importer.common.text import folded_name, is_blank
from importer.common.uuids import canonical_uuid

#: Where a row of a file begins (its line, from 1) that holds something, and its cells.
Line = tuple[int, Sequence[str]]


def header_hint(tables: Sequence[Sequence[Line]], columns: Mapping[str, str], skip: int) -> str:
    """Return the end of a message on a header that cannot be used: where it seems to be, if known.

    The arguments are those of `better_skip`.
    """
    if (above := better_skip(tables, columns, skip)) is None:
        return ""
    return f". The header seems to be in line {above + 1:,}: --skip-lines {above}"


def better_skip(
    tables: Sequence[Sequence[Line]], columns: Mapping[str, str], skip: int
) -> int | None:
    """Return how many lines seem to be above the header; None if no other number than `skip`.

    Each of the `tables` is one way to cut the same lines into rows. A header names the columns of
    the id and of one of the other fields (`columns`, by field). If no row does, it is the one above
    the first id, where that holds more than the one that is taken for the header, such as a title.
    """
    who, *others = (
        folded_name(columns.get(field, field)) for field in ("conversation_id", "rating", "comment")
    )
    taken = next((number for number, _ in chain.from_iterable(tables) if number > skip), None)
    headers = set()
    for number, cells in chain.from_iterable(tables):
        names = {*map(folded_name, cells)}
        if who in names and not names.isdisjoint(others):
            headers.add(number)
    if taken in headers:
        return None  # what is wrong with it is wrong with a line that repeats it, too
    if any(_is_above_row(table, taken) for table in tables):
        return None  # rows would be lost above another one
    if headers:
        return min(headers) - 1
    # Cut at another delimiter, a text in quotes is lines, and one of them may be an id.
    found = (_above_ids(table, taken) for table in tables)
    return min((above for above in found if above is not None), default=None)


def _is_above_row(table: Sequence[Line], taken: int | None) -> bool:
    """Return whether the line that is taken for the header stands, as one does, above an id."""
    return any(
        number == taken and _filled(cells) > 1 and not _holds_id(cells) and _holds_id(row)
        for (number, cells), (_, row) in pairwise(table)
    )


def _above_ids(table: Sequence[Line], taken: int | None) -> int | None:
    place = next((place for place, (_, cells) in enumerate(table) if _holds_id(cells)), 0)
    if place == 0:
        return None
    number, header = table[place - 1]
    now = dict(table).get(taken or 0, ())
    if not (_holds_id(now) or _filled(now) < _filled(header)):
        return None
    return number - 1 if _filled(header) > 1 else None


def _holds_id(cells: Iterable[str]) -> bool:
    return any(canonical_uuid(cell) is not None for cell in cells)


def _filled(cells: Iterable[str]) -> int:
    return sum(not is_blank(cell) for cell in cells)
