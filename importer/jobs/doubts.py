"""Which rows of a journal are open or in doubt (docs/reference.md, A7 to A9)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from importer.jobs import sqlite_file
from importer.jobs.journal_lines import IS_SET
from importer.jobs.keys import split_keys

_OPEN_OUTCOMES = f"""
    SELECT seq, (SELECT max(number) FROM run WHERE first_entry <= entry), conversation, NOT {IS_SET}
    FROM outcome WHERE open
"""


class Doubt(NamedTuple):
    """A row of which a request may have been made in a run and had no definite answer."""

    seq: int
    #: The number of the run through the product.
    run: int
    #: The conversation's id, reversed.
    key: bytes
    #: What the service holds is not known: the row is not set.
    in_doubt: bool


def pack_seqs(seqs: Sequence[int]) -> bytes:
    """Return row numbers as a window holds them."""
    return struct.pack(f"<{len(seqs)}q", *seqs)


def unpack_seqs(packed: bytes) -> tuple[int, ...]:
    """Return the row numbers that a window holds."""
    return struct.unpack(f"<{len(packed) // 8}q", packed)


def doubts_of(db: sqlite_file.Connection) -> Iterator[Doubt]:
    """Yield all rows of a journal that are open or in doubt, each once for each of its runs."""
    found: dict[tuple[int, int], Doubt] = {}
    recorded = map(_doubt, db.execute("SELECT seq, run, conversation, in_doubt FROM doubt"))
    for doubt in chain(recorded, open_outcomes(db), window_doubts(db)):
        other = found.get((doubt.seq, doubt.run))
        if other is None or doubt.in_doubt:
            found[doubt.seq, doubt.run] = doubt
    yield from found.values()


def open_outcomes(db: sqlite_file.Connection) -> Iterator[Doubt]:
    """Yield the rows that are open and have an outcome of the same run."""
    return map(_doubt, db.execute(_OPEN_OUTCOMES))


def _doubt(line: tuple[int, int, bytes, int]) -> Doubt:
    seq, run, key, in_doubt = line
    return Doubt(seq, run, key, bool(in_doubt))


def window_doubts(db: sqlite_file.Connection) -> Iterator[Doubt]:
    """Yield the rows of the windows that have got no outcome since they were marked."""
    for run, entry, packed, joined in db.execute(
        "SELECT run, entry, seqs, conversations FROM doubt_window ORDER BY slot"
    ):
        seqs = unpack_seqs(packed)
        if not seqs:
            continue
        done = {
            seq
            for (seq,) in db.execute(
                "SELECT seq FROM outcome WHERE seq BETWEEN ? AND ? AND entry > ?",
                (min(seqs), max(seqs), entry),
            )
        }
        for seq, key in zip(seqs, split_keys(joined), strict=True):
            if seq not in done:
                yield Doubt(seq, run, key, in_doubt=True)
