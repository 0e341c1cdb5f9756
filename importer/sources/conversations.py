"""Counts how often each conversation occurs, exactly, and on disk once there are many.

The ids are spread over parts by their last byte, so that each part can be sorted in memory. Few ids
are counted without numpy, which takes longer to load.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import nlargest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from importer.common.uuids import uuid_bytes, uuid_text

if TYPE_CHECKING:
    import numpy as np

    Halves = np.ndarray[Any, np.dtype[np.uint64]]

_ID = 16
_PARTS = 256
#: Makes one number of the two halves of an id.
_MIX = 0x9E3779B97F4A7C15


@dataclass(slots=True)
class Repetitions:
    """How often conversations occur."""

    #: Distinct ones.
    conversations: int = 0
    #: Those that occur more than once.
    repeated: int = 0
    #: Rows with a later row of the same conversation.
    superseded: int = 0
    #: Those that occur most often, with the number of their rows.
    examples: list[tuple[str, int]] = field(default_factory=list)


class ConversationCounter:
    """Takes ids one by one or many at a time; it keeps `examples` of the repeated ones."""

    #: Bytes of ids that are kept in memory.
    SPILL_AT = 4 * 1024 * 1024
    #: Bytes of ids up to which numpy is not worth its loading.
    FEW = 512 * 1024

    def __init__(self, examples: int) -> None:
        self._most = examples
        self._waiting = bytearray()
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> ConversationCounter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, conversation_id: str) -> None:
        """Count a canonical id."""
        self.add_all(uuid_bytes(conversation_id))

    def add_all(self, ids: bytes) -> None:
        """Count ids of 16 bytes each."""
        self._waiting += ids
        if len(self._waiting) >= self.SPILL_AT:
            self._spill()

    def conclude(self) -> Repetitions:
        """Return the figures."""
        if self._folder is None and len(self._waiting) <= self.FEW:
            return self._conclude_few()
        import numpy as np  # noqa: PLC0415 -- only for many ids

        found = Repetitions()
        most: list[tuple[int, bytes]] = []
        for raw in self._parts():
            ids = np.frombuffer(raw, ">u8").reshape(-1, 2)
            found.conversations += len(ids)
            again = _that_may_repeat(ids)
            if not len(again):
                continue
            again = again[np.lexsort((again[:, 1], again[:, 0]))]
            differ = np.any(again[1:] != again[:-1], axis=1)
            starts = np.flatnonzero(np.concatenate(([True], differ)))
            counts = np.diff(np.append(starts, len(again)))
            found.conversations -= len(again) - len(counts)
            found.superseded += len(again) - len(counts)
            found.repeated += int(np.count_nonzero(counts > 1))
            most += [
                (int(counts[at]), again[starts[at]].tobytes())
                for at in np.argsort(counts, kind="stable")[-self._most :]
                if counts[at] > 1
            ]
        found.examples = self._examples(most)
        return found

    def _conclude_few(self) -> Repetitions:
        raw = bytes(self._waiting)
        counts = Counter(raw[at : at + _ID] for at in range(0, len(raw), _ID))
        repeated = [(number, one) for one, number in counts.items() if number > 1]
        return Repetitions(
            len(counts), len(repeated), counts.total() - len(counts), self._examples(repeated)
        )

    def _examples(self, repeated: list[tuple[int, bytes]]) -> list[tuple[str, int]]:
        return [(uuid_text(one), number) for number, one in nlargest(self._most, repeated)]

    def _parts(self) -> Iterator[bytes]:
        if self._folder is None:
            yield from (part for _, part in self._split())
            return
        self._spill()
        for number in range(_PARTS):
            if self._part(number).exists():
                yield self._part(number).read_bytes()

    def _spill(self) -> None:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="clarityq-check-")
        for number, part in self._split():
            with self._part(number).open("ab") as file:
                file.write(part)

    def _split(self) -> Iterator[tuple[int, bytes]]:
        """Empty the memory by parts that have ids."""
        import numpy as np  # noqa: PLC0415 -- only for many ids

        raw = np.frombuffer(bytes(self._waiting), np.uint8)
        self._waiting.clear()
        # The last byte is random in every version of UUID that is in use, unlike the first ones.
        last = raw[_ID - 1 :: _ID]
        # Nothing else of 16 bytes is moved as quickly.
        ordered = raw.view(np.complex128)[np.argsort(last, kind="stable")]
        ends = np.cumsum(np.bincount(last, minlength=_PARTS)).tolist()
        for number, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
            if start < end:
                yield number, ordered[start:end].tobytes()

    def _part(self, number: int) -> Path:
        assert self._folder is not None  # noqa: S101 -- for the type checker
        return Path(self._folder.name) / str(number)


def _that_may_repeat(ids: Halves) -> Halves:
    """Return all ids that occur more than once, and hardly any others.

    One number of each id is sorted four times as fast as the ids are.
    """
    import numpy as np  # noqa: PLC0415 -- as above

    keys = ids[:, 0].astype(np.uint64) ^ ids[:, 1].astype(np.uint64) * np.uint64(_MIX)
    ordered = np.sort(keys)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    return ids[np.isin(keys, twice)] if len(twice) else ids[:0]
