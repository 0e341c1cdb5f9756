"""Finds lines in quoted text that read like rows, as a stray quote would swallow them."""

from __future__ import annotations

from typing import Any

import numpy as np

from importer.sources.csv.shape import Shape
from importer.sources.kept_bytes import KEEP_BYTES

Numbers = np.ndarray[Any, np.dtype[np.int64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]

_NEWLINE = ord("\n")
#: Bytes of the shortest spelling of a UUID.
_SHORTEST = 32
_DIGITS_LOOKED_AT = 4
_IS_HEX = np.zeros(256, bool)
_IS_HEX[list(b"0123456789abcdefABCDEF")] = True
#: With what a cell with a UUID may begin before its digits: space, braces, quotes, `urn:`.
_MAY_PRECEDE = np.zeros(256, bool)
_MAY_PRECEDE[list(b' \t\r\x0b\x0c\x1c\x1d\x1e\x1f{uU"')] = True
_MAY_PRECEDE[128:] = True


class HiddenRows:
    """Looks for lines that `shape` says read like rows."""

    def __init__(self, shape: Shape, delimiter: str) -> None:
        self._shape = shape
        self._delimiter = ord(delimiter)

    def among(self, text: Bytes, quotes: Numbers) -> bool:
        """Return whether there are any within the quotes of `text`, which begins and ends a line.

        `quotes` are the places of all quotes; they are sound.
        """
        newlines = np.flatnonzero(text == _NEWLINE)
        within = np.flatnonzero(np.searchsorted(quotes, newlines) & 1)
        if not len(within):
            return False
        starts, ends = newlines[within] + 1, newlines[within + 1]
        long_enough = ends - starts >= _SHORTEST
        starts, ends = starts[long_enough], ends[long_enough]
        likely = self._begins_like_id(text, starts, ends)
        # Where there are quotes, cells are counted otherwise.
        likely |= np.searchsorted(quotes, starts) != np.searchsorted(quotes, ends)
        return any(
            self._shape.reads_like_row(text[start:end].tobytes().decode("utf-8", KEEP_BYTES))
            for start, end in zip(starts[likely].tolist(), ends[likely].tolist(), strict=True)
        )

    def _begins_like_id(self, text: Bytes, starts: Numbers, ends: Numbers) -> Flags:
        """Return whether the id's cell of each line begins like one."""
        cells, are_there = starts, ends > starts
        if self._shape.id_at:
            delimiters = np.append(np.flatnonzero(text == self._delimiter), len(text) - 1)
            nth = np.searchsorted(delimiters, starts) + self._shape.id_at - 1
            before = delimiters[np.minimum(nth, len(delimiters) - 1)]
            cells, are_there = before + 1, before < ends
        likely = _MAY_PRECEDE[text[np.minimum(cells, len(text) - 1)]]
        digits = np.ones(len(cells), bool)
        for step in range(_DIGITS_LOOKED_AT):
            digits &= _IS_HEX[text[np.minimum(cells + step, len(text) - 1)]]
        return are_there & (likely | digits)
