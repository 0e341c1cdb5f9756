"""A set of row numbers that takes one bit for each row."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator


class RowSet:
    """Row numbers (from 1). `count` is how many are in the set."""

    __slots__ = ("_bits", "count")

    def __init__(self, rows: Iterable[int] = ()) -> None:
        self._bits = bytearray()
        self.count = 0
        for seq in rows:
            self.add(seq)

    @classmethod
    def from_bits(cls, bits: bytearray, count: int) -> RowSet:
        """Return the set of the `count` rows whose bits are set: bit `seq & 7` of `seq >> 3`."""
        rows = cls()
        rows._bits, rows.count = bits, count
        return rows

    @classmethod
    def unpack(cls, packed: bytes) -> RowSet:
        """Return the set that `pack` has made `packed` of."""
        bits = bytearray(zlib.decompress(packed))
        return cls.from_bits(bits, int.from_bytes(bits, "little").bit_count())

    def pack(self) -> bytes:
        """Return the set in few bytes."""
        return zlib.compress(self._bits, 1)

    def add(self, seq: int) -> None:
        """Put `seq` into the set; it is not in it yet."""
        byte = seq >> 3
        if byte >= len(self._bits):
            self._bits.extend(bytes(max(byte + 1 - len(self._bits), len(self._bits), 1024)))
        self._bits[byte] |= 1 << (seq & 7)
        self.count += 1

    def add_block(self, first: int, rows: int) -> None:
        """Put `rows` rows from `first` on into the set, both multiples of 8; none is in it yet."""
        start, end = first >> 3, (first + rows) >> 3
        if end > len(self._bits):
            self._bits.extend(bytes(max(end - len(self._bits), len(self._bits))))
        self._bits[start:end] = b"\xff" * (rows >> 3)
        self.count += rows

    def remove(self, seq: int) -> None:
        """Take `seq` out of the set; it is in it."""
        self._bits[seq >> 3] &= ~(1 << (seq & 7))
        self.count -= 1

    def any_between(self, first: int, last: int) -> bool:
        """Return whether the set may hold a row from `first` to `last`; False is certain."""
        return any(self._bits[first >> 3 : (last >> 3) + 1])

    def __contains__(self, seq: int) -> bool:
        byte = seq >> 3
        return byte < len(self._bits) and bool(self._bits[byte] >> (seq & 7) & 1)

    def __iter__(self) -> Iterator[int]:
        for at, byte in enumerate(self._bits):
            if byte:
                yield from (at * 8 + bit for bit in range(8) if byte >> bit & 1)
