"""A set of row numbers that takes one bit for each row."""

from __future__ import annotations


class RowSet:
    """Row numbers (from 1). `count` is how many are in the set."""

    __slots__ = ("_bits", "count")

    def __init__(self) -> None:
        self._bits = bytearray()
        self.count = 0

    def add(self, seq: int) -> None:
        """Put `seq` into the set; it is not in it yet."""
        byte = seq >> 3
        if byte >= len(self._bits):
            self._bits.extend(bytes(max(byte + 1 - len(self._bits), len(self._bits), 1024)))
        self._bits[byte] |= 1 << (seq & 7)
        self.count += 1

    def __contains__(self, seq: int) -> bool:
        byte = seq >> 3
        return byte < len(self._bits) and bool(self._bits[byte] >> (seq & 7) & 1)
