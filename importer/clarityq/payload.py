"""What is sent for a row: the request's body, and its digest."""

from __future__ import annotations

import hashlib

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


def body_digest(feedback: Feedback) -> bytes:
    """Return 16 bytes that differ, for all purposes, for bodies that differ."""
    return hashlib.blake2b(encode_body(feedback), digest_size=16).digest()
