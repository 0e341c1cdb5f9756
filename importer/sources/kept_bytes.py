"""Bytes that are not in the encoding of their file, and stand in its text as they are."""

from __future__ import annotations

import codecs

#: The name of the error handler that keeps undecodable bytes as lone surrogates, and gives them
#: back when the text is written. Unlike `surrogateescape` it does so for every codec.
KEEP_BYTES = "importer_keep_bytes"


def _keep_bytes(error: UnicodeError) -> tuple[str | bytes, int]:
    if isinstance(error, UnicodeDecodeError):
        bad = error.object[error.start : error.end]
        return "".join(chr(0xDC00 + byte) for byte in bad), error.end
    if isinstance(error, UnicodeEncodeError):
        text = error.object[error.start : error.end]
        if all(0xDC00 <= ord(c) <= 0xDCFF for c in text):
            return bytes(ord(c) - 0xDC00 for c in text), error.end
        return "?" * len(text), error.end
    raise error


codecs.register_error(KEEP_BYTES, _keep_bytes)


def kept_byte(text: str) -> int | None:
    """Return the first byte of `text` that could not be decoded, or None if there is none."""
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return ord(text[error.start]) & 0xFF
    return None
