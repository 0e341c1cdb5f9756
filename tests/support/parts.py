"""The rows of what a source yields, one by one."""

from collections.abc import Iterable

from importer.model import Row
from importer.sources.base import Part, RowPart


def all_rows(parts: Iterable[Part]) -> list[Row]:
    """Return all rows, each with its line."""
    rows: list[Row] = []
    for part in parts:
        if isinstance(part, RowPart):
            rows += part.rows
        else:
            places = range(len(part))
            rows += (part.row(place)._replace(line=part.line(place)) for place in places)
    return rows
