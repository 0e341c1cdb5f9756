"""Opens the inputs of a job."""

from __future__ import annotations

from importer.errors import InputError
from importer.settings import ImportSettings
from importer.settings.places import SourceAddress
from importer.sources.base import RowSource
from importer.sources.registry import open_source


def open_inputs(settings: ImportSettings) -> list[RowSource]:
    """Open all inputs and check their headers. The caller closes them. Raises `InputError`."""
    sources = []
    for place in settings.reading.inputs:
        if isinstance(place, SourceAddress):
            raise InputError(f"{place} is no local file: save it to a file first")
        sources.append(open_source(place, settings))
    return sources
