"""Rows that are held by column, and what the normaliser would make of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat

import numpy as np
import pyarrow as pa

from importer.feedback.normalise import Normaliser
from importer.feedback.ratings import RatingTable
from importer.model import Feedback, Outcome, Row
from importer.sources.base import DIGEST_BYTES, Survey
from importer.sources.sifting import BLANK, MEANINGS, cells, sift, spelt_ids, texts


class ColumnBlock:
    """Rows by column; a `ColumnPart`.

    `text` is the block as it stands in the file, if it is text. `odd` are the rows, by place (from
    0), that were read on their own; their cells are empty. `line_of` returns the physical line of
    a place; it is None for formats without lines.
    """

    __slots__ = ("_columns", "_line_of", "_odd", "_text", "first_seq")

    def __init__(
        self,
        first_seq: int,
        columns: Sequence[pa.StringArray],
        *,
        text: bytes | None = None,
        line_of: Callable[[int], int] | None = None,
        odd: Mapping[int, Row] | None = None,
    ) -> None:
        self.first_seq = first_seq
        self._columns = columns
        self._text = text
        self._line_of = line_of
        self._odd = odd or {}

    def __len__(self) -> int:
        return len(self._columns[0])

    def row(self, place: int) -> Row:
        """Return the row at `place` (from 0), without its line."""
        if place in self._odd:
            return self._odd[place]
        ids, ratings, comments = (column[place].as_py() for column in self._columns)
        return Row(self.first_seq + place, ids, ratings, comments)

    def line(self, place: int) -> int | None:
        """Return the physical line on which the row at `place` starts; see `Row.line`."""
        return None if self._line_of is None else self._line_of(place)

    def rows(self) -> Iterator[Row]:
        """Yield all rows."""
        for place in range(len(self)):
            yield self.row(place)._replace(line=self.line(place))

    def digest(self) -> bytes:
        """Return a digest of the block; see `ColumnPart`."""
        digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
        if self._text is not None:
            digest.update(self._text)
        else:
            for column in self._columns:
                offsets, data = cells(column)
                digest.update((offsets - offsets[0]).tobytes())
                digest.update(data[offsets[0] : offsets[-1]].tobytes())
        return digest.digest()

    def survey(self, table: RatingTable) -> Survey:
        """Return what can be told without the normaliser; see `ColumnPart`."""
        sifted = sift(self._columns, table)
        sure = sifted.sure
        sendable = int(np.count_nonzero(sure))
        comment_only = int(np.count_nonzero(sure & (sifted.codes == BLANK)))
        raw = sifted.ids.raw
        others: list[int] = []
        if sendable < len(sure):
            raw = np.frombuffer(raw, "V16")[sure].tobytes()
            others = np.flatnonzero(~sure).tolist()
        return Survey(sendable, comment_only, sifted.long_comments, sifted.words, raw, others)

    def feedback(self, normalise: Normaliser) -> list[Feedback | Outcome]:
        """Return what `normalise` would make of each row."""
        sifted = sift(self._columns, normalise.ratings)
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
