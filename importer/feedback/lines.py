"""Lines of a table that are no data: totals, and the second header that some programs write."""

from __future__ import annotations

import re

from importer.common.text import trimmed

_TOTALS = re.compile(
    r"(grand |sub)?totals?|sum|count|average|mean|summe|gesamt|gesamtergebnis|anzahl|mittelwert"
    r"|итого|всего|somme|suma|totale|totaal",
    re.IGNORECASE,
)
_NAMES = re.compile(r"\b(ids?|uuids?|guids?|conversation|response|importid)\b", re.IGNORECASE)


def what_line_it_is(cell: str) -> str:
    """Return the end of a message on a `cell` that is no id: what its line looks like, if known."""
    text = trimmed(cell).strip(":*# ")
    if _TOTALS.fullmatch(text.split(":")[0].strip()):
        return "; the line looks like a total: remove it"
    if _NAMES.search(text.replace("_", " ")):
        return "; the line looks like a second header: remove it"
    return ""
