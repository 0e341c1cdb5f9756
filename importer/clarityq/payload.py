"""What is sent for a row: the request's body."""

from __future__ import annotations

import msgspec

from importer.model import Feedback, Meaning

_RATING_JSON = {
    Meaning.POSITIVE: b'"rating":"POSITIVE"',
    Meaning.NEGATIVE: b'"rating":"NEGATIVE"',
    Meaning.CLEAR: b'"rating":null',
}


def encode_body(feedback: Feedback) -> bytes:
    """Return the request body for `feedback`: JSON with only the keys that are to be set."""
    keys = []
    if feedback.rating is not None:
        keys.append(_RATING_JSON[feedback.rating])
    if feedback.comment is not None:
        keys.append(b'"comment":' + msgspec.json.encode(feedback.comment))
    return b"{" + b",".join(keys) + b"}"
