"""Cuts a file into blocks of UTF-8 that end with a line and, most likely, with a record.

What the decompressor or the decoder complains of is kept until all lines before it were taken, so
that a damaged file gives its rows up to the damage.
"""

from __future__ import annotations

import codecs
import io
from typing import Protocol, TextIO

import numpy as np

from importer.sources.kept_bytes import KEEP_BYTES
from importer.sources.location import FAILURES

#: Bytes read at a time from a decompressor or for a decoder, as `io.TextIOWrapper` does: what is
#: lost with an error is then the same.
_PIECE = 8192
_UTF8 = "utf-8-sig"
_FAILURES = (*FAILURES, UnicodeError)


class ByteStream(Protocol):
    """Where bytes come from."""

    def read1(self, size: int, /) -> bytes:
        """Return some bytes, at most `size`; none at the end."""
        ...


class Blocks:
    """The rest of a file, of which `take` gives a block at a time.

    `errors` is the error handler with which a block is decoded, and `newline` says, as for `open`,
    where its lines end.
    """

    def __init__(
        self,
        stream: ByteStream,
        encoding: str,
        size: int,
        *,
        compressed: bool,
        newline: str = "",
    ) -> None:
        self._size = size
        self._newline = newline
        self._piece = size
        self._has_mark = encoding == _UTF8
        self._stream = stream
        self.errors = KEEP_BYTES
        if compressed:
            self._piece = _PIECE
        if encoding != _UTF8:
            self._piece = _PIECE
            self._stream = _Recoded(stream, encoding)
            self.errors = "surrogatepass"
        self._data = b""
        self._at = 0
        self._ended = False
        self._failure: Exception | None = None

    @property
    def is_at_end(self) -> bool:
        """Whether everything was taken."""
        return self._ended and self._at == len(self._data)

    def take(self, size: int) -> bytes:
        """Return about `size` bytes, up to the end of a line if there is one; none at the end.

        Raises what the stream raises, once there is nothing before it.
        """
        self._fill(size)
        start = self._at
        end = min(start + size, len(self._data))
        if end == start and self._failure is not None:
            raise self._failure
        if end < len(self._data) or not self._ended:
            end = self._cut(start, end)
        self._at = end
        return self._data[start:end]

    def give_back(self, block: bytes) -> None:
        """Undo the latest `take`, which gave `block`."""
        self._at -= len(block)

    def is_whole(self, block: bytes) -> bool:
        """Return whether `block`, just taken, ends with a line; a line may be longer."""
        return block.endswith(b"\n") or self.is_at_end

    def text(self) -> TextIO:
        """Return the next block as text; all the rest, if the block does not end with a line."""
        block = self.take(self._size)
        if self.is_whole(block):
            return self.decoded(block)
        rest = _Rest(block + self._data[self._at :], self._stream, self._failure)
        self._data, self._at, self._ended = b"", 0, True
        buffered = io.BufferedReader(rest)
        return io.TextIOWrapper(buffered, "utf-8", errors=self.errors, newline=self._newline)

    def decoded(self, block: bytes) -> TextIO:
        """Return a block that is whole as text."""
        # A `StringIO` would take four bytes for each character, all at once.
        return io.TextIOWrapper(
            io.BytesIO(block), "utf-8", errors=self.errors, newline=self._newline
        )

    def _fill(self, size: int) -> None:
        have = len(self._data) - self._at
        parts = [self._data[self._at :]]
        while have < size and not self._ended and self._failure is None:
            try:
                part = self._stream.read1(self._piece)
            except _FAILURES as failure:
                self._failure = failure
                break
            parts.append(part)
            have += len(part)
            self._ended = not part
        if len(parts) > 1:
            self._data, self._at = b"".join(parts), 0
            if self._has_mark:
                self._data = self._data.removeprefix(codecs.BOM_UTF8)
                self._has_mark = False

    def _cut(self, start: int, end: int) -> int:
        """Return the end of the last line that is outside quotes, if quotes are as they should be.

        Without any line that ends, return `end`.
        """
        data = self._data
        last = cut = data.rfind(b"\n", start, end) + 1
        if not cut:
            return end
        odd = _quotes(data, start, cut) & 1
        while odd:
            before = data.rfind(b"\n", start, cut - 1) + 1
            if not before:
                return last
            odd ^= _quotes(data, before, cut) & 1
            cut = before
        return cut


def _quotes(data: bytes, start: int, end: int) -> int:
    if data.find(b'"', start, end) < 0:
        return 0
    # `bytes.count` takes several times as long where there are many.
    part = np.frombuffer(data, np.uint8, end - start, start)
    return int(np.count_nonzero(part == ord('"')))


class _Rest(io.RawIOBase):
    """Bytes that were read already, then those of a stream, then its failure if it has failed."""

    def __init__(self, start: bytes, stream: ByteStream, failure: Exception | None) -> None:
        self._start = start
        self._stream = stream
        self._failure = failure

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._start:
            if self._failure is not None:
                raise self._failure
            self._start = self._stream.read1(_PIECE)
        part = self._start[: len(buffer)]
        self._start = self._start[len(part) :]
        buffer[: len(part)] = part
        return len(part)


class _Recoded:
    """A stream in another encoding, as UTF-8; an undecodable byte becomes a lone surrogate."""

    def __init__(self, stream: ByteStream, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)(KEEP_BYTES)

    def read1(self, size: int, /) -> bytes:
        while part := self._stream.read1(size):
            if text := self._decoder.decode(part):
                return text.encode("utf-8", "surrogatepass")
        return self._decoder.decode(b"", True).encode("utf-8", "surrogatepass")
