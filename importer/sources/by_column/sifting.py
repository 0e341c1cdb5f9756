"""Tells by column which rows can surely be sent as they are; the others need the normaliser.

What is sure here must be what `feedback.normalise` would say of the row, and nothing is rejected
here: in doubt a row is not sure.
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer.common.text import is_blank
from importer.feedback.normalise import COMMENT_LIMIT
from importer.feedback.ratings import RatingTable
from importer.model import Meaning

Flags = np.ndarray[Any, np.dtype[np.bool_]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Offsets = np.ndarray[Any, np.dtype[np.int32]]

#: Codes of rating words. From `_UNSURE` on a row goes to the normaliser.
BLANK = 0
_CODES = {Meaning.POSITIVE: 1, Meaning.NEGATIVE: 2, Meaning.CLEAR: 3}
_UNSURE = 4
#: What the codes mean.
MEANINGS = np.array([None, *_CODES, None], object)

_UUID = 36
_HYPHEN = ord("-")
_HYPHENS = [8, 13, 18, 23]
_RUNS = [f"V{digits}" for digits in (8, 4, 4, 4, 12)]
_SPELT = np.dtype(
    {"names": [*"abcde"], "formats": _RUNS, "offsets": [0, 9, 14, 19, 24], "itemsize": _UUID}
)
_DIGITS = np.dtype({"names": [*"abcde"], "formats": _RUNS})
_IS_HEX = np.zeros(256, bool)
_IS_HEX[list(b"0123456789abcdefABCDEF")] = True
#: Sets the case of a letter to lower, and leaves hyphens and digits alone.
_LOWER = np.uint8(0x20)


class Ids(NamedTuple):
    """Conversation ids: which are UUIDs of 36 characters, these spelt, and their 16 bytes."""

    are_uuids: Flags
    spelt: Bytes
    raw: bytes


class Sifted(NamedTuple):
    """What is known of the rows of a block. The flags and codes are one for each row."""

    #: Rows that can be sent as they are.
    sure: Flags
    ids: Ids
    #: Of the rating words; see `MEANINGS`.
    codes: Bytes
    #: Rows without a comment, or with one of nothing but white space.
    blank: Flags
    #: How many comments are over the limit.
    long_comments: int
    #: The distinct rating words, and which of them (from 0) each row has.
    words: Sequence[str]
    word_at: Offsets


def sift(columns: Sequence[pa.StringArray], table: RatingTable) -> Sifted:
    """Sift rows by their ids, ratings and comments, all of valid UTF-8."""
    ids, ratings, comments = columns
    found = _find_uuids(ids)
    encoded = ratings.dictionary_encode()
    words = encoded.dictionary.to_pylist()
    code_of = np.array([_code(word, table) for word in words], np.uint8)
    # `to_numpy` would import pandas.
    places = np.frombuffer(encoded.indices.buffers()[1], np.int32)[: len(ids)]
    codes = code_of[places]

    offsets, text = cells(comments)
    lengths = np.diff(offsets)
    blank = _find_blank(offsets, lengths, text)
    sure = found.are_uuids & (codes < _UNSURE) & ~((codes == BLANK) & blank)
    long_comments = 0
    if lengths.max(initial=0) > COMMENT_LIMIT:
        points = pc.utf8_length(comments)
        over = np.frombuffer(points.buffers()[1], np.int32)[: len(ids)] > COMMENT_LIMIT
        long_comments = int(np.count_nonzero(over))
        sure &= ~over
    return Sifted(sure, found, codes, blank, long_comments, words, places)


def cells(column: pa.StringArray) -> tuple[Offsets, Bytes]:
    """Return where the cells of a column begin and end, and the bytes that this refers to."""
    _, ends, data = column.buffers()
    offsets = np.frombuffer(ends, np.int32)[column.offset : column.offset + len(column) + 1]
    return offsets, np.frombuffer(data or b"", np.uint8)


def texts(column: pa.StringArray) -> list[str]:
    """Return the cells of a column of valid UTF-8; several times as fast as `to_pylist`."""
    offsets, data = cells(column)
    start = int(offsets[0])
    used = data[start : int(offsets[-1])]
    whole = used.tobytes().decode()
    if len(whole) == len(used):
        ends = (offsets - start).tolist()
    else:
        # Places in the text are counted in code points: in bytes that do not go on with one.
        points = np.zeros(len(used) + 1, np.int32)
        np.cumsum((used & 0xC0) != 0x80, out=points[1:])
        ends = points[offsets - start].tolist()
    return [whole[begin:end] for begin, end in pairwise(ends)]


def spelt_ids(ids: Ids) -> list[str]:
    """Return the ids in their canonical form; what is no UUID becomes any text."""
    points = (ids.spelt | _LOWER).astype(np.uint32)
    found: list[str] = points.view(f"U{_UUID}").ravel().tolist()
    return found


def _code(word: str, table: RatingTable) -> int:
    if is_blank(word):
        return BLANK
    meaning = table.meaning(word)
    return _UNSURE if meaning is None else _CODES.get(meaning, _UNSURE)


def _find_blank(offsets: Offsets, lengths: Offsets, text: Bytes) -> Flags:
    blank: Flags = lengths == 0
    starts = offsets[:-1][~blank]
    first = text[starts]
    # White space in ASCII lies below this; what is beyond ASCII may be blank.
    for place in np.flatnonzero(~blank)[(first <= ord(" ")) | (first > 127)].tolist():
        cell = text[offsets[place] : offsets[place + 1]].tobytes()
        blank[place] = is_blank(cell.decode())
    return blank


def _find_uuids(ids: pa.StringArray) -> Ids:
    offsets, data = cells(ids)
    lengths = np.diff(offsets)
    data = data[offsets[0] : offsets[-1]]
    good = lengths == _UUID
    if not good.all():
        # Those of another length are taken for hyphens only.
        some = np.full((len(ids), _UUID), _HYPHEN, np.uint8)
        some[good] = data[np.repeat(good, lengths)].reshape(-1, _UUID)
        data = some.reshape(-1)
    spelt = data.reshape(-1, _UUID)
    digits = np.empty(len(ids), _DIGITS)
    for run in "abcde":
        digits[run] = data.view(_SPELT)[run]
    good &= (spelt[:, _HYPHENS] == _HYPHEN).all(axis=1)
    try:
        raw = unhexlify(digits.tobytes())
    except ValueError:
        pairs = digits.view(np.uint8).reshape(-1, 32)
        good &= _IS_HEX[pairs].all(axis=1)
        pairs[~good] = ord("0")
        raw = unhexlify(pairs.tobytes())
    return Ids(good, spelt, raw)
