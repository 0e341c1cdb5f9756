"""UUIDs, as files spell them and as the API takes them."""

from __future__ import annotations

import re

from importer.common.text import trimmed

#: Characters of a canonical UUID, and the place of its last hyphen.
UUID_LENGTH, LAST_HYPHEN = 36, 23

_CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_HEX = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}"
_ACCEPTED = re.compile(rf"(?:urn:uuid:)?(?:{_HEX})|\{{(?:{_HEX})\}}", re.ASCII | re.IGNORECASE)


def canonical_uuid(text: str) -> str | None:
    """Return `text` as a lower-case UUID with hyphens, or None if it is not a UUID.

    The hyphens may be missing, letters may be upper case, and braces or `urn:uuid:` may be there.
    White space and invisible characters around it are not part of it.
    """
    if _CANONICAL.fullmatch(text):
        return text
    text = trimmed(text)
    if not _ACCEPTED.fullmatch(text):
        return None
    return _hyphenated(text.lower().removeprefix("urn:uuid:").strip("{}").replace("-", ""))


def uuid_bytes(canonical: str) -> bytes:
    """Return the 16 bytes of a canonical UUID."""
    return bytes.fromhex(canonical.replace("-", ""))


def uuid_text(raw: bytes) -> str:
    """Return 16 bytes as a canonical UUID."""
    return _hyphenated(raw.hex())


def _hyphenated(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
