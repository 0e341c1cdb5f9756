"""Texts that programs write where they have no value, such as `NULL` or `N/A`. Sans-I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from importer.common.text import shell_word, trimmed

_MARKERS = frozenset(
    [
        "null", "(null)", "<null>", "[null]", "\\n", "na", "n/a", "#n/a", "<na>", "nan", "-nan",
        "nat", "none", "nil", "undefined", "(none)", "<none>", "<nil>", "n.a.", "-", "--", "#null!",
        "(blank)", "(empty)", "<empty>",
        "#value!", "#ref!", "#name?", "#div/0!", "#num!",
    ]
)  # fmt: skip
#: Characters of the longest one.
LONGEST_MARKER = max(map(len, _MARKERS))


def is_null_marker(cell: str) -> bool:
    """Return whether `cell` looks as if a program had written it for no value at all."""
    return trimmed(cell).casefold() in _MARKERS


def null_options(words: Iterable[str], given: Collection[str]) -> str:
    """Return the options with which these words count as empty, and those that are `given` still.

    An argument takes the place of those of a configuration as a whole (docs/reference.md, C2).
    """
    return " ".join(f"--null {shell_word(word)}" for word in dict.fromkeys([*given, *words]))
