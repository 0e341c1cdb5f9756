"""Tells in which line the header seems to be, where lines above it are no part of the table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, pairwise

from importer.common.text import counted, folded_name, is_blank, shell_word, shown
from importer.common.uuids import canonical_uuid
from importer.errors import InputError

#: Where a row of a file begins (its line, from 1) that holds something, and its cells.
Line = tuple[int, Sequence[str]]


def check_is_header(
    input_name: str, tables: Sequence[Sequence[Line]], columns: Mapping[str, str], skip: int
) -> None:
    """Raise `InputError` if the line that is taken for the header is a row: it holds an id.

    A header may hold one as well, as the name of another column than that of the id. `input_name`
    is what messages call the input; the other arguments are those of `better_skip`.
    """
    taken = [line for line in (_taken(table, skip) for table in tables) if line is not None]
    who = columns.get("conversation_id", "conversation_id")
    if canonical_uuid(who) is None and any(_names(cells, who) for _, cells in taken):
        return
    with_ids = [line for line in taken if _holds_id(line[1])]
    if not with_ids:
        return
    number, row = max(with_ids, key=lambda line: len(line[1]))
    found = next(cell for cell in row if canonical_uuid(cell) is not None)
    if hint := header_hint(tables, columns, skip):
        raise InputError(
            f"{input_name}: line {number:,} is no header: it holds the id {shown(found)}{hint}"
        )
    raise InputError(
        f"{input_name} has no header line: line {number:,} is a row, with the id {shown(found)}"
        f"{_how_to_add(row, columns)}"
    )


def _how_to_add(row: Sequence[str], columns: Mapping[str, str]) -> str:
    """Return the end of the message on a file that begins with this row."""
    named = [
        f"--column {shell_word(f'{field}={name}')}"
        for field, name in columns.items()
        if _names(row, name)
    ]
    without = f". Leave out {' '.join(named)}: a row holds that" if named else ""
    return (
        f". Add a line above it that names its {counted(len(row), 'column')}: conversation_id for "
        "the id, rating, comment or both for what is to be sent, and any other names for the rest"
        f"{without}. A part of a file that was split, such as rejected.csv, needs the header of "
        "the first part. If it is the header all the same, name its column of the id: --column "
        "conversation_id=NAME"
    )


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
    headers: dict[int, bool] = {}
    for table in tables:
        for number, cells in table:
            names = [*map(folded_name, cells)]
            if who in names and not {*names}.isdisjoint(others):
                headers[number] = _is_below_row(table, number, names.index(who), skip)
    if taken in headers:
        return None  # what is wrong with it is wrong with a line that repeats it, too
    if any(_is_above_row(table, taken) for table in tables):
        return None  # rows would be lost above another one
    if headers:
        first = min(headers)
        return None if headers[first] else first - 1
    # Cut at another delimiter, a text in quotes is lines, and one of them may be an id.
    found = (_above_ids(table, taken) for table in tables)
    return min((above for above in found if above is not None), default=None)


def _taken(table: Sequence[Line], skip: int) -> Line | None:
    """Return the line that is taken for the header; None if there is none."""
    return next((line for line in table if line[0] > skip), None)


def _names(cells: Iterable[str], name: str) -> bool:
    return folded_name(name) in map(folded_name, cells)


def _is_below_row(table: Sequence[Line], header: int, id_at: int, skip: int) -> bool:
    """Return whether rows stand above a header: lines with an id in its column of the id."""
    return any(
        skip < number < header and canonical_uuid(cell) is not None
        for number, cells in table
        for cell in cells[id_at : id_at + 1]
    )


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
