"""How an input was understood: what `check` begins with."""

from __future__ import annotations

from importer.common.text import readable, trimmed
from importer.settings import ImportSettings, InputFormat
from importer.sources.base import RowSource
from importer.sources.columns import find_columns
from importer.sources.copies.partial_copy import ROWS_ENDING
from importer.sources.own_columns import find_own_columns
from importer.survey.findings import Understanding


def understood(source: RowSource, settings: ImportSettings) -> Understanding:
    """Return how `source` is read."""
    mapping = settings.mapping
    places = find_columns(source.name, source.header, mapping.columns, mapping.newest_by)
    if find_own_columns(source.header) is None:
        places.pop("job", None)  # it may be of anything
    is_text = source.format is InputFormat.CSV
    used = set(places.values())
    one = Understanding(
        source.name,
        _kind(source, settings),
        source.delimiter if is_text else None,
        source.encoding.removesuffix("-sig") if is_text else None,
        {field: readable(trimmed(source.header[place])) for field, place in places.items()},
        [readable(trimmed(name)) for place, name in enumerate(source.header) if place not in used],
    )
    if "rating" not in places:
        one.remarks.append("no column 'rating': every row erases the rating of its conversation")
    if "comment" not in places:
        one.remarks.append("no column 'comment': every row erases the comment of its conversation")
    return one


def _kind(source: RowSource, settings: ImportSettings) -> str:
    """Return what the rows are from, for people."""
    is_copy = source.name != str(source.path)
    if not (is_copy and source.path.name.endswith(ROWS_ENDING)):
        return str(source.format)
    return "query" if settings.reading.sql is not None else "data frame"
