"""What a line looks like whose id is none: a total, a second header, a whole row in one cell."""

from __future__ import annotations

import re

from importer.common.text import is_blank, trimmed
from importer.model import Meaning

_TOTALS = re.compile(
    r"(grand |sub)?totals?|sum|count|average|mean|summe|gesamt|gesamtergebnis|anzahl|mittelwert"
    r"|итого|всего|somme|suma|totale|totaal",
    re.IGNORECASE,
)
#: What the id's column is called, without what is not a letter.
_NAMES = re.compile(
    r"((conv|conversation|response|record|session|chat|thread|message)?(id|uuid|guid)s?"
    r"|(conv|conversation)s?|importid\w+)",
    re.IGNORECASE,
)
#: What stands below a column that was counted or summed up.
_FIGURE = re.compile(r"[\d.,%\s]+")
_DELIMITER = r"[,;|\t]"
#: An id among other cells.
_WHOLE_ROW = re.compile(
    rf"(?:^|{_DELIMITER})\s*\"?[0-9a-f]{{8}}(?:-?[0-9a-f]{{4}}){{3}}-?[0-9a-f]{{12}}\"?\s*"
    rf"(?:$|{_DELIMITER})",
    re.IGNORECASE | re.MULTILINE,
)
_NO_LETTERS = re.compile(r"[\W_]+")


def what_line_it_is(cell: str, meaning: Meaning | None, comment: str) -> str:
    """Return the end of a message on a `cell` that is no id: what its line looks like, if known.

    A line that holds feedback is never called so: `meaning` is that of its rating, None if it has
    none that is known, and `comment` its comment.
    """
    if re.search(_DELIMITER, cell) and _WHOLE_ROW.search(trimmed(cell)):
        return "; it holds a whole row: give each value a cell of its own"
    text = trimmed(cell).strip(":*# ")
    is_figure = is_blank(comment) or _FIGURE.fullmatch(trimmed(comment)) is not None
    if is_figure and _TOTALS.fullmatch(text.split(":")[0].strip()):
        return "; the line looks like a total: remove it"
    if meaning is None and _NAMES.fullmatch(_NO_LETTERS.sub("", text)):
        return "; the line looks like a second header: if it is one, remove it"
    return ""
