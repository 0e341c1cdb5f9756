"""In which encoding a file may be, by all its bytes, if not in the one that was said."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable, Iterable
from typing import BinaryIO, cast

#: What a file of one byte for a letter most likely is, if it is not UTF-8.
LIKELY_CODEC = "cp1252"
#: Bytes that stand for nothing in it.
_NOT_IN_LIKELY = b"\x81\x8d\x8f\x90\x9d"
#: What a file from DOS is; of the letters of French, German and Spanish cp437 says the same.
_DOS_CODEC = "cp850"
#: Its ü, é or ä within a word: in the likely encoding these are nothing, and low quotes.
_DOS_WORD = re.compile(rb"(?<=[A-Za-z])[\x81\x82\x84][a-z]")
#: In so many bytes of lines beyond ASCII such words and letters are looked for: it takes long.
_MOST_LOOKED_AT = 1 << 20
#: What a text holds beside letters and ASCII, and which is in both.
_DOS_SIGNS = "§°´«»¿¡ªº·"
_ASCII = bytes(range(0x80))
#: So many letters are named.
_MOST_NAMED = 12
#: A longer line is looked at in pieces.
_LONGEST_LINE = 1 << 20
#: Makes the first two bytes of a letter beyond ASCII, as it is in UTF-8, `_LETTER`.
_ROLES = b"." * 0x80 + b"c" * 0x40 + b"." * 2 + b"l" * 0x33 + b"." * 0x0B
_LETTER = b"lc"
#: The bytes of a letter of UTF-8 but for its first.
_CONTINUED = bytes(range(0x80, 0xC0))


class Letters:
    """What is beyond ASCII in a file that is not all in `encoding`, noted while it is read.

    Without an encoding, it may be any file.
    """

    def __init__(self, encoding: str | None) -> None:
        name = encoding and codecs.lookup(encoding.removesuffix("-sig")).name
        self._is_utf8 = name != "utf-8"
        self._holds_utf8 = False
        self._fits_likely = name != LIKELY_CODEC
        self._has_dos_word = False
        #: Bytes beyond ASCII that were seen where they are no UTF-8, in so many bytes.
        self._beyond = set[int]()
        self._looked_at = 0
        self._rest = b""

    def see(self, piece: bytes) -> None:
        """Take the next bytes of the file."""
        if (piece.isascii() and not self._rest) or self._is_mixed:
            return
        data = self._rest + piece
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if not end and len(data) > _LONGEST_LINE:
            end = len(data.rstrip(_CONTINUED)) - 1  # where a letter begins
        self._note(data[:end])
        # The beginning of a line in ASCII makes no difference to what the rest of it is.
        self._rest = b"" if data[end:].isascii() else data[end:]

    def are_utf8(self) -> bool:
        """Return whether the whole file, which was seen, is valid UTF-8, and not all ASCII."""
        self._end()
        return self._is_utf8 and self._holds_utf8

    def other_encoding(self) -> str | None:
        """Return the encoding that the file, which was seen, may be in as a whole.

        What is UTF-8 is in that. It is empty if none is likely, and None if none is right for all
        lines: some hold letters beyond ASCII in UTF-8, and others are no UTF-8.
        """
        self._end()
        if self._is_mixed:
            return None
        if self._is_utf8:
            return "utf-8"
        if self._has_dos_word and all(one.isalpha() or one in _DOS_SIGNS for one in self._dos()):
            return _DOS_CODEC
        return LIKELY_CODEC if self._fits_likely else ""

    def other_letters(self) -> str:
        """Return what the bytes beyond ASCII are in the other encoding, some of them if many.

        Empty where none is proposed, and for UTF-8, in which they are no others.
        """
        other = self.other_encoding()
        if not other or self._is_utf8:
            return ""
        found = bytes(sorted(self._beyond)).decode(other, "replace")
        return " ".join([one for one in found if one.isprintable()][:_MOST_NAMED])

    def _dos(self) -> str:
        return bytes(self._beyond).decode(_DOS_CODEC)

    @property
    def _is_mixed(self) -> bool:
        return self._holds_utf8 and not self._is_utf8

    def _end(self) -> None:
        self._note(self._rest)
        self._rest = b""

    def _note(self, lines: bytes) -> None:
        if lines.isascii():
            return
        self._fits_likely = self._fits_likely and not any(map(lines.__contains__, _NOT_IN_LIKELY))
        if _is_utf8(lines):
            self._holds_utf8 = True
            return
        self._is_utf8 = False
        if self._looked_at < _MOST_LOOKED_AT:
            self._looked_at += len(lines)
            self._beyond.update(lines.translate(None, _ASCII))
            self._has_dos_word = self._has_dos_word or _DOS_WORD.search(lines) is not None
        if not self._holds_utf8 and _LETTER in lines.translate(_ROLES):
            self._holds_utf8 = any(
                not line.isascii() and _is_utf8(line) for line in lines.splitlines()
            )


class Watched(io.BufferedIOBase):
    """A stream whose bytes go to `see` as they are read; closing it leaves the stream open."""

    def __init__(self, stream: BinaryIO, see: Callable[[bytes], None]) -> None:
        self._stream = cast("io.BufferedIOBase", stream)
        self._see = see

    def readable(self) -> bool:
        """See `io.IOBase`."""
        return True

    def read1(self, size: int = -1, /) -> bytes:
        """See `io.BufferedIOBase`."""
        part = self._stream.read1(size)
        self._see(part)
        return part


def other_encoding(pieces: Iterable[bytes], encoding: str | None) -> str | None:
    """Return the encoding that a file with all these bytes may be in as a whole; see `Letters`."""
    letters = Letters(encoding)
    for piece in pieces:
        letters.see(piece)
    return letters.other_encoding()


def is_beyond_ascii_utf8(pieces: Iterable[bytes]) -> bool:
    """Return whether `pieces` of a file are all valid UTF-8, and not all ASCII."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_ascii = True
    try:
        for piece in pieces:
            is_ascii = is_ascii and piece.isascii()
            decoder.decode(piece)
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    return not is_ascii


def has_one_byte_letters(encoding: str) -> bool:
    """Return whether letters of ASCII are one byte each in an encoding."""
    return len("a".encode(encoding.removesuffix("-sig"))) == 1


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
