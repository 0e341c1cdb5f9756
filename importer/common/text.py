"""Texts for people: foreign ones made harmless, counts with their nouns, names that were meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def escaped(text: str, *, keep: str = "") -> str:
    """Return `text` with control characters and marks escaped, but for those in `keep`.

    They could steer a terminal, or reorder what stands beside them.
    """
    return "".join(
        c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text
    )


def shown(value: str, limit: int = 40) -> str:
    """Return `value` quoted for a message: control characters escaped, cut at `limit`."""
    text = repr(value if len(value) <= limit else value[: limit - 1] + "…")
    return text.encode("utf-8", "backslashreplace").decode()


def counted(number: int, noun: str) -> str:
    """Return `1 row`, `12,000 rows`: a count with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the name in `known` that is most like `name`, or None if none is.

    `cutoff` is how much alike they must be, from 0 (anything) to 1 (the same).
    """
    return next(iter(get_close_matches(name, list(known), n=1, cutoff=cutoff)), None)


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return the end of a message on the unknown `name`: the name that was meant, or nothing."""
    meant = nearest(name, known, cutoff)
    return "" if meant is None else f"; did you mean {meant!r}?"
