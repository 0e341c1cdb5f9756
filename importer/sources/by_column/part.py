"""Rows that are held by column, and what the normaliser would make of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import pyarrow as pa

from importer.common.text import is_blank
from importer.feedback.body import COMMENT_BITS, BodyCoder
from importer.feedback.newest import NewestBy
from importer.feedback.normalise import Normaliser
from importer.model import Feedback, Outcome, Row
from importer.sources.base import DIGEST_BYTES, PartSurvey, Questions, new_digest
from importer.sources.by_column.noticing import see_columns
from importer.sources.by_column.sifting import (
    MEANINGS,
    Bytes,
    Flags,
    Offsets,
    cells,
    sift,
    spelt_ids,
    texts,
)
from importer.sources.noticed import Noticed

Numbers = np.ndarray[Any, np.dtype[np.int64]]
Ranks = np.ndarray[Any, np.dtype[np.uint64]]


#: The columns that make feedback; then that of `Row.newest`, and that of `Row.job`.
_FIELDS = 3
_COMMENT, _NEWEST, _JOB = 2, 3, 4
#: 16 bytes that are moved as one.
_ID = np.dtype("V16")


class ColumnBlock:
    """Rows by column, one for each of `CELLS`; a `ColumnPart`.

    What is odd in them goes to `noticed` when they are surveyed: a run has no use for it.
    `text` is the block as it stands in the file, if it is text. `odd` are the rows, by place (from
    0), that were read on their own; their cells are empty. `line_of` returns the physical line of
    a place; it is None for formats without lines.
    """

    __slots__ = ("_columns", "_line_of", "_noticed", "_odd", "_text", "first_seq")

    def __init__(
        self,
        first_seq: int,
        columns: Sequence[pa.StringArray],
        noticed: Noticed,
        *,
        text: bytes | None = None,
        line_of: Callable[[int], int | None] | None = None,
        odd: Mapping[int, Row] | None = None,
    ) -> None:
        self.first_seq = first_seq
        self._columns = columns
        self._noticed = noticed
        self._text = text
        self._line_of = line_of
        self._odd = odd or {}

    def __len__(self) -> int:
        return len(self._columns[0])

    def row(self, place: int) -> Row:
        """Return the row at `place` (from 0), without its line."""
        if place in self._odd:
            return self._odd[place]
        ids, ratings, comments, *ranking = (column[place].as_py() for column in self._columns)
        return Row(self.first_seq + place, ids, ratings, comments, None, None, "", *ranking)

    def line(self, place: int) -> int | None:
        """Return the physical line on which the row at `place` starts; see `Row.line`."""
        return None if self._line_of is None else self._line_of(place)

    def digest(self) -> bytes:
        """Return a digest of the block; see `ColumnPart`."""
        digest = new_digest()
        if self._text is not None:
            digest.update(self._text)
        else:
            for column in self._columns:
                offsets, data = cells(column)
                digest.update((offsets - offsets[0]).tobytes())
                digest.update(data[offsets[0] : offsets[-1]].tobytes())
        return digest.digest()[:DIGEST_BYTES]

    def survey(self, asked: Questions) -> PartSurvey:
        """Return what can be told without the normaliser; see `ColumnPart`."""
        see_columns(self._noticed, self._columns[0], self._columns[_COMMENT])
        sifted = sift(self._columns[:_FIELDS], asked.ratings)
        sure = sifted.sure
        newest = None if asked.newest is None else self._read_newest(asked.newest, sure)
        ranks = None if asked.rank_of is None else self._read_ranks(asked.rank_of, sure)
        places = np.flatnonzero(sure)
        codes, blank, ids = sifted.codes, sifted.blank, np.frombuffer(sifted.ids.raw, _ID)
        others: list[int] = []
        if len(places) < len(sure):
            codes, blank, ids = codes[places], blank[places], ids[places]
            others = np.flatnonzero(~sure).tolist()
        counts = np.bincount(codes, minlength=len(MEANINGS)).tolist()
        return PartSurvey(
            len(places),
            {MEANINGS[code]: rows for code, rows in enumerate(counts) if rows},
            int(np.count_nonzero(blank)),
            sifted.long_comments,
            {
                word: times
                for word, times in _count(sifted.words, sifted.word_at[places]).items()
                if not is_blank(word)
            },
            ids.tobytes(),
            (places + self.first_seq).tobytes(),
            None
            if asked.coder is None
            else self._bodies(asked.coder, codes, places[~blank], blank),
            None if newest is None else (newest[0][places].tobytes(), newest[1][places].tobytes()),
            None if ranks is None else ranks[0][places].tobytes(),
            {} if ranks is None else _count(ranks[1], ranks[2][places]),
            others,
        )

    def feedback(self, normalise: Normaliser) -> list[Feedback | Outcome]:
        """Return what `normalise` would make of each row."""
        sifted = sift(self._columns[:_FIELDS], normalise.ratings)
        if normalise.newest is not None:
            self._read_newest(normalise.newest, sifted.sure)
        comments: list[str | None] = [*texts(self._columns[2])]
        for place in np.flatnonzero(sifted.blank).tolist():
            comments[place] = None
        fields = zip(
            range(self.first_seq, self.first_seq + len(self)),
            spelt_ids(sifted.ids),
            MEANINGS[sifted.codes].tolist(),
            comments,
            repeat(False),
            strict=False,
        )
        # As `Feedback(*fields)`, at a third of the cost.
        found: list[Feedback | Outcome] = list(map(tuple.__new__, repeat(Feedback), fields))
        for place in np.flatnonzero(~sifted.sure).tolist():
            found[place] = normalise(self.row(place))
        return found

    def _read_newest(self, newest: NewestBy, sure: Flags) -> tuple[Numbers, Numbers]:
        """Return whole units and fractions; a row whose value cannot be read is no more `sure`."""
        place = 0
        while newest.kind is None and place < len(self):
            newest.learn(self.row(place).newest)
            place += 1
        whole, fraction = np.zeros((2, len(self)), np.int64)
        values = texts(self._columns[_NEWEST])
        for place in np.flatnonzero(sure).tolist():
            try:
                whole[place], fraction[place] = newest.read(values[place])
            except ValueError:
                sure[place] = False
        return whole, fraction

    def _bodies(self, coder: BodyCoder, codes: Bytes, places: Numbers, blank: Flags) -> bytes:
        """Return the bodies of rows with these codes; those with comments are at `places`."""
        bodies = np.array([coder(meaning, None) for meaning in MEANINGS], np.uint64)[codes]
        offsets, data = cells(self._columns[_COMMENT])
        begins, ends = offsets[places].tolist(), offsets[places + 1].tolist()
        text = data.tobytes()
        digests = coder.comments(text[a:b] for a, b in zip(begins, ends, strict=True))
        numbers = np.frombuffer(b"".join(digests), ">u8") & np.uint64(COMMENT_BITS)
        bodies[~blank] |= np.maximum(numbers, 1)
        return bodies.tobytes()

    def _read_ranks(
        self, rank_of: Callable[[str], int | None], sure: Flags
    ) -> tuple[Ranks, list[str], Offsets]:
        """Return the ranks of all rows, the cells that tell them, and which of these each row has.

        A row whose rank its cell does not tell is no more `sure`.
        """
        encoded = self._columns[_JOB].dictionary_encode()
        told: list[str] = encoded.dictionary.to_pylist()
        known = [rank_of(job) for job in told]
        indices = np.frombuffer(encoded.indices.buffers()[1], np.int32)[: len(self)]
        if None in known:
            sure &= np.array([rank is not None for rank in known])[indices]
        return np.array([rank or 0 for rank in known], np.uint64)[indices], told, indices


def _count(words: Sequence[str], places: Offsets) -> dict[str, int]:
    times = np.bincount(places, minlength=len(words)).tolist()
    found = zip(words, times, strict=True)
    return {word: number for word, number in found if number}
