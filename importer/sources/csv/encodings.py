"""In which encoding a file may be, by all its bytes, if not in the one that was said."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator

#: What a file of one byte for a letter most likely is, if it is not UTF-8.
LIKELY_CODEC = "cp1252"
#: Bytes that stand for nothing in it.
_NOT_IN_LIKELY = b"\x81\x8d\x8f\x90\x9d"
#: A longer line is looked at in pieces.
_LONGEST_LINE = 1 << 20


def other_encoding(pieces: Iterable[bytes], encoding: str) -> str | None:
    """Return the encoding that a file may be in as a whole, if it is not all in `encoding`.

    `pieces` are all its bytes. What is UTF-8 is in that. It is empty if none is likely, and None if
    none is right for all lines: some hold letters beyond ASCII in UTF-8, and others are no UTF-8.
    """
    holds_utf8, is_utf8, fits = False, True, codecs.lookup(encoding).name != LIKELY_CODEC
    for lines in _beyond_ascii(pieces):
        fits = fits and len(lines.translate(None, _NOT_IN_LIKELY)) == len(lines)
        for line in [lines] if _is_utf8(lines) else lines.splitlines():
            if _is_utf8(line):
                holds_utf8 = holds_utf8 or not line.isascii()
            else:
                is_utf8 = False
        if holds_utf8 and not is_utf8:
            return None
    if is_utf8:
        return "utf-8"
    return LIKELY_CODEC if fits else ""


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


def _beyond_ascii(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes of `pieces` anew in such as end with a line, without those all in ASCII."""
    rest = b""
    for piece in pieces:
        data = rest + piece
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if not end and len(data) > _LONGEST_LINE:
            end = len(data)
        whole, rest = data[:end], data[end:]
        if not whole.isascii():
            yield whole
    if not rest.isascii():
        yield rest


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
