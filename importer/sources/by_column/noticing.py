"""What `Noticed` counts, and what null markers empty, in rows that are held by column."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer.common.text import is_blank
from importer.common.uuids import LAST_HYPHEN, UUID_LENGTH
from importer.sources.by_column.sifting import cells
from importer.sources.by_column.text_columns import strings
from importer.sources.noticed import LONGEST_NULL_CELL, Noticed, may_be_garbled

#: Bytes of the longest character.
_CHARACTER = 4
#: The first bytes of null markers, and of what may stand before one.
_BEGINS_NULL = np.zeros(256, bool)
_BEGINS_NULL[list(b"nNuU([<#-\\ \t\r\n\x0b\x0c\x1c\x1d\x1e\x1f")] = True
_BEGINS_NULL[128:] = True


def names_or_nothing(
    ids: pa.StringArray, is_named: Callable[[str], bool], errors: str
) -> list[int]:
    """Return the places (from 0) of ids that are blank, or of which `is_named` is true.

    `errors` is how bytes that are not valid UTF-8 are decoded.
    """
    return [
        place
        for place, cell in _unusual_ids(ids)
        if is_blank(text := cell.decode("utf-8", errors)) or is_named(text)
    ]


def see_columns(noticed: Noticed, ids: pa.StringArray, comments: pa.StringArray) -> None:
    """Let `noticed` see rows of valid UTF-8, as if one by one."""
    for _, cell in _unusual_ids(ids):
        noticed.see_id(cell.decode())
    offsets, text = cells(comments)
    lengths = np.diff(offsets)
    short = np.flatnonzero((lengths > 0) & (lengths <= _CHARACTER * LONGEST_NULL_CELL))
    for place in short[_BEGINS_NULL[text[offsets[short]]]].tolist():
        noticed.see_comment(text[offsets[place] : offsets[place + 1]].tobytes().decode())
    whole = text[offsets[0] : offsets[-1]].tobytes()
    # All of them are beyond ASCII, and most blocks are within it: that is known much sooner.
    if not whole.isascii() and may_be_garbled(whole):
        for comment in comments.to_pylist():
            if not comment.isascii():
                noticed.see_letters(comment)


def emptied(column: pa.StringArray, nulls: Collection[str]) -> pa.StringArray:
    """Return `column`, of valid UTF-8, with empty cells where one of `nulls` stands."""
    if not nulls:
        return column
    is_null = pc.is_in(pc.utf8_trim_whitespace(column), value_set=strings([*nulls]))
    return pc.if_else(is_null, pa.scalar("", pa.string()), column)


def _unusual_ids(ids: pa.StringArray) -> Iterator[tuple[int, bytes]]:
    """Yield the ids that are not spelt with 36 characters, with their places."""
    offsets, data = cells(ids)
    usual = np.diff(offsets) == UUID_LENGTH
    usual[usual] = data[offsets[:-1][usual] + LAST_HYPHEN] == ord("-")
    for place in np.flatnonzero(~usual).tolist():
        yield place, data[offsets[place] : offsets[place + 1]].tobytes()
