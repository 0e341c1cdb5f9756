"""Foreign text made harmless for a terminal or a page."""

from __future__ import annotations


def escaped(text: str, *, keep: str = "") -> str:
    """Return `text` with control characters and marks escaped, but for those in `keep`.

    They could steer a terminal, or reorder what stands beside them.
    """
    return "".join(
        c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text
    )
