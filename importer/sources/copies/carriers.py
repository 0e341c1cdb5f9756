"""Copies what is no local file, once, so that it can be read like one as often as needed.

A kind of address is a line in `CARRIERS` and a module with `copy(address, part, settings)`. The
copy grows under a name that begins with a point and gets its own name when it is whole and lasts,
so half a copy is never read. Only its owner may read it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from importer.common.text import counted, size_text
from importer.errors import InputError
from importer.settings import ImportSettings
from importer.settings.places import STANDARD_INPUT, SourceAddress
from importer.sources.base import RowSource
from importer.sources.copies.partial_copy import ROWS_ENDING, CopyWatch, PartialCopy
from importer.sources.registry import load, open_source


class Carrier(NamedTuple):
    """A kind of address: its schemes, and which module copies what is there."""

    module: str
    schemes: Sequence[str]
    extra: str = ""
    #: Somebody may write an address of this kind.
    is_public: bool = True


CARRIERS: Sequence[Carrier] = (
    Carrier("copies.stdin", (STANDARD_INPUT,), is_public=False),
    Carrier("copies.frame", ("dataframe",), is_public=False),
    Carrier("copies.http", ("https", "http")),
    Carrier("copies.object_store", ("s3", "s3a", "gs", "az", "abfs", "abfss"), "cloud"),
    Carrier("copies.sql", ("postgresql", "mysql", "mariadb", "sqlite", "duckdb"), "sql"),
)  # fmt: skip


class Copied(NamedTuple):
    """A whole copy."""

    path: Path
    #: It was taken by an earlier run.
    is_old: bool


def carrier_of(address: SourceAddress, kind: str | None = None) -> ModuleType:
    """Return the module that copies what is at an address, or any of that `kind`.

    Raises `InputError` if the kind is not known, or its extra is missing.
    """
    kind = kind or address.scheme.partition("+")[0]  # a driver may follow
    carrier = next((one for one in CARRIERS if kind in one.schemes), None)
    if carrier is None:
        schemes = (scheme for one in CARRIERS for scheme in one.schemes if one.is_public)
        known = ", ".join(f"{scheme}://" for scheme in schemes)
        raise InputError(
            f"{address.label}: addresses of this kind are not known; those that begin with {known} "
            "are"
        )
    return load(carrier.module, carrier.extra, address.label)


def take_copy(
    address: SourceAddress, number: int, folder: Path, settings: ImportSettings, watch: CopyWatch
) -> Copied:
    """Return the copy of the input of that number (from 1); take it if it is not there.

    Raises `InputError` if it cannot be taken, and `ScratchError` if there is no room for it.
    """
    for path in folder.glob(f"{number}-*"):
        return Copied(path, True)
    # A query may be put to any kind of database.
    module = carrier_of(address, "sqlite" if settings.reading.sql is not None else None)
    part = PartialCopy(folder, number, address.label, watch)
    try:
        file_name = module.copy(address, part, settings)
        path = part.finish(re.sub(r"[^\w.-]+", "-", file_name)[-80:].lstrip("-."))
    except (InputError, OSError) as error:
        if part.original is None or not part.original.version:  # it cannot be gone on with
            remove_copy(number, folder)
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"the copy of {address.label} cannot be written: {error.strerror}"
        ) from None
    rows = "" if part.rows is None else f"{counted(part.rows, 'row')}, "
    watch.told(f"copied {address.label}: {rows}{size_text(path.stat().st_size)}")
    return Copied(path, False)


def open_copy(path: Path, name: str, settings: ImportSettings) -> RowSource:
    """Open a whole copy of what messages call `name`; see `open_source`."""
    if path.name.endswith(ROWS_ENDING):
        settings = settings.replace(format="parquet")
    return open_source(path, settings, name)


def open_recorded(path: Path, name: str, settings: ImportSettings) -> RowSource:
    """Open the file of an input that a job calls `name`: a local one, or its copy."""
    is_local = Path(name).is_absolute()
    return open_source(path, settings) if is_local else open_copy(path, name, settings)


def remove_copy(number: int, folder: Path) -> None:
    """Remove the copy of the input of that number, and what there is of one that is not whole."""
    for path in (*folder.glob(f"{number}-*"), *folder.glob(f".{number}.*")):
        with suppress(OSError):
            path.unlink()
