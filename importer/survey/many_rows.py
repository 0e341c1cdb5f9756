"""Which row of each conversation wins, of very many rows: by column, part by part."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from importer.common.row_set import RowSet
from importer.jobs.keys import split_keys
from importer.survey.spill import KEY, PARTS, Column, Columns, Spill
from importer.survey.superseded import EXAMPLES, NEW, Repetitions, Winner

if TYPE_CHECKING:
    from importer.sources.base import PartSurvey
    from importer.survey.superseded import Asked, Candidate

_UINT, _INT = np.dtype(np.uint64), np.dtype(np.int64)


@dataclass(frozen=True, slots=True)
class ManyWinners:
    """The winners of a part as columns, by key."""

    keys: Column
    seqs: Column
    ranks: Column
    bodies: Column

    def __iter__(self) -> Iterator[Winner]:
        return map(
            Winner,
            split_keys(self.keys.tobytes()),
            self.seqs.tolist(),
            self.ranks.tolist(),
            self.bodies.tolist(),
        )

    def among(self, places: Column) -> ManyWinners:
        """Return those at these places."""
        return ManyWinners(
            self.keys[places], self.seqs[places], self.ranks[places], self.bodies[places]
        )


class ManyRows:
    """The rows of a `Contest` that are too many to be dealt with one by one."""

    def __init__(self, scratch: Path, asked: Asked) -> None:
        self._kinds: dict[str, np.dtype[Any]] = {"key": KEY, "seq": _INT}
        if asked.ranks:
            self._kinds["rank"] = _UINT
        if asked.newest:
            self._kinds |= {"whole": _INT, "fraction": _INT}
        if asked.bodies:
            self._kinds["body"] = _UINT
        self._spill = Spill(scratch, self._kinds)
        self._bits: Column = np.zeros(0, np.uint8)

    def close(self) -> None:
        """Give back the disk space."""
        self._spill.close()

    def add(self, rows: Sequence[Candidate], share: float) -> None:
        """Take rows; see `Contest`."""
        keys, ranks, newest, seqs, bodies = zip(*rows, strict=True)
        whole, fraction = zip(*newest, strict=True)
        given = {"seq": seqs, "rank": ranks, "whole": whole, "fraction": fraction, "body": bodies}
        columns = {
            name: np.array(given[name], kind) for name, kind in self._kinds.items() if name != "key"
        }
        self._spill.add({**columns, "key": np.frombuffer(b"".join(keys), KEY)}, share)

    def add_part(self, part: PartSurvey, share: float) -> None:
        """Take the sure rows of a part; see `Contest`."""
        ids = np.frombuffer(part.ids, np.uint8).reshape(-1, KEY.itemsize)
        columns = {"key": np.ascontiguousarray(ids[:, ::-1]).view(KEY).reshape(-1)}
        packed: dict[str, bytes | None] = {
            "seq": part.seqs,
            "rank": part.ranks,
            "body": part.bodies,
        }
        if part.newest is not None:
            packed["whole"], packed["fraction"] = part.newest
        for name, kind in self._kinds.items():
            if (raw := packed.get(name)) is not None:
                columns[name] = np.frombuffer(raw, kind)
        self._spill.add(columns, share)

    def decide(
        self, rows: int, tell: Callable[[float], None], rejected: Mapping[bytes, Candidate]
    ) -> tuple[RowSet, Repetitions]:
        """Return the rows that do not win, and how often conversations occur.

        `rejected` are rows that cannot, by key.
        """
        found = Repetitions()
        parts = _split(rejected.values())
        count = 0
        self._bits = np.zeros((rows >> 3) + 1, np.uint8)
        for number in range(PARTS):
            columns = self._spill.part(number)
            found.conversations += len(columns["key"])
            again = _that_may_repeat(columns, parts[number])
            if len(again["key"]):
                losers = self._note_repeated(again, found, parts[number])
                found.conversations -= len(losers)
                count += len(losers)
                np.bitwise_or.at(self._bits, losers >> 3, (1 << (losers & 7)).astype(np.uint8))
            tell((number + 1) / PARTS)
        return RowSet.from_bits(bytearray(self._bits.tobytes()), count), found

    def winners(self) -> Iterator[tuple[int, ManyWinners]]:
        """Yield the number of each part and its winners by key."""
        for number in range(PARTS):
            columns = self._spill.part(number)
            seqs = columns["seq"]
            wins = np.flatnonzero((self._bits[seqs >> 3] >> (seqs & 7).astype(np.uint8)) & 1 == 0)
            order = wins[_by_key(columns["key"][wins])]
            yield (
                number,
                ManyWinners(
                    columns["key"][order],
                    seqs[order],
                    columns["rank"][order]
                    if "rank" in columns
                    else np.full(len(order), NEW, _UINT),
                    columns["body"][order] if "body" in columns else np.zeros(len(order), _UINT),
                ),
            )

    def _note_repeated(
        self, columns: Columns, found: Repetitions, rejected: Mapping[bytes, Candidate]
    ) -> Column:
        """Return the numbers of the rows that do not win."""
        high, low = halves(columns["key"])
        names = ("rank", "whole", "fraction")
        deciding = [columns["seq"], *(columns[name] for name in reversed(names) if name in columns)]
        order = np.lexsort((*deciding, low, high))
        high, low = high[order], low[order]
        is_last = np.append((high[1:] != high[:-1]) | (low[1:] != low[:-1]), True)
        ends = np.flatnonzero(is_last)
        counts = np.diff(ends, prepend=-1)
        found.repeated += int(np.count_nonzero(counts > 1))
        most = np.argsort(counts, kind="stable")[-EXAMPLES:]
        keys = columns["key"][order]
        found.note((keys[ends[at]].tobytes(), int(counts[at])) for at in most if counts[at] > 1)
        if rejected:
            found.older += _older({n: one[order][is_last] for n, one in columns.items()}, rejected)
        losers: Column = columns["seq"][order][~is_last]
        return losers


def halves(keys: Column) -> tuple[Column, Column]:
    """Return the first and the last 8 bytes of keys, as numbers in the order of the bytes."""
    halves = keys.view(">u8").reshape(-1, 2).astype(np.uint64)
    return halves[:, 0], halves[:, 1]


def _split(rows: Iterable[Candidate]) -> list[dict[bytes, Candidate]]:
    """Return rows by part, and there by key."""
    parts: list[dict[bytes, Candidate]] = [{} for _ in range(PARTS)]
    for row in rows:
        parts[row.key[0]][row.key] = row
    return parts


def _older(winners: Columns, rejected: Mapping[bytes, Candidate]) -> int:
    """Return how many of the winners come before the rejected row of their conversation."""
    among = np.flatnonzero(_are_in(halves(winners["key"])[0], np.sort(_high_of(rejected))))
    names = [name for name in ("rank", "whole", "fraction", "seq") if name in winners]
    older = 0
    for at, key in zip(among, split_keys(winners["key"][among].tobytes()), strict=True):
        if (row := rejected.get(key)) is not None:
            whole, fraction = row.newest
            other = {"rank": row.rank, "whole": whole, "fraction": fraction, "seq": row.seq}
            older += [int(winners[name][at]) for name in names] < [other[name] for name in names]
    return older


def _high_of(keys: Collection[bytes]) -> Column:
    """Return the first halves of keys."""
    return halves(np.frombuffer(b"".join(keys), KEY))[0]


def _are_in(values: Column, ordered: Column) -> Column:
    """Return of each value whether it is one of the `ordered` ones, of which there are some."""
    places = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    are_in: Column = ordered[places] == values
    return are_in


def _that_may_repeat(columns: Columns, others: Collection[bytes]) -> Columns:
    """Return all rows whose key occurs more than once or is one of others, and hardly any others.

    The first half of the keys alone is sorted four times as fast as the keys are.
    """
    high = columns["key"].view(">u8")[::2].astype(np.uint64)
    ordered = np.sort(high)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if others and len(ordered):
        keys = _high_of(others)
        twice = np.append(twice, keys[_are_in(keys, ordered)])
    if not len(twice):
        return {name: column[:0] for name, column in columns.items()}
    again = np.isin(high, twice)
    return {name: column[again] for name, column in columns.items()}


def _by_key(keys: Column) -> Column:
    """Return the places of distinct keys in their order."""
    high, low = halves(keys)
    order: Column = np.argsort(high)
    first = high[order]
    if (first[1:] == first[:-1]).any():
        order = np.lexsort((low, high))
    return order
