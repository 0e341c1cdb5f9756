"""Texts that programs write where they have no value, such as `NULL` or `N/A`. Sans-I/O."""

from __future__ import annotations

from importer.common.text import trimmed

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
