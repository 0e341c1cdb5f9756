"""Copies standard input. It must end before anything is sent."""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Iterator

from importer.errors import InputError
from importer.settings import ImportSettings
from importer.settings.places import SourceAddress
from importer.sources.copies.partial_copy import CopyOrigin, PartialCopy
from importer.sources.location import FIRST_BYTES, FileKind, kind_of
from importer.sources.registry import format_of

_PIECE = 1 << 18
#: Seconds after which it is asked whether to stop.
_PATIENCE = 0.2
#: Seconds in which a program that has something to say has begun to.
_UNTIL_SURE = 1.0


def copy(address: SourceAddress, part: PartialCopy, settings: ImportSettings) -> str:
    """Copy all of standard input; see `carriers`."""
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError(
            f"{address.label} is a terminal: let a program write into it, as in "
            "`gzip -dc ratings.csv.gz | clarityq-import run - --format csv`"
        )
    # What an earlier run has taken of it is of another stream.
    part.begin(CopyOrigin(part.name))
    pieces = _pieces(part)
    given = settings.reading.format
    if given is None:
        part.append(_first(pieces))
        is_empty = part.path.stat().st_size == 0
        if not is_empty and kind_of(part.path, address.label) is FileKind.OTHER:
            format_of(part.path, address.label, given)  # it raises, before all of it is copied
    part.append(pieces)
    return "stdin" if given is None else f"stdin.{given}"


def _first(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the first pieces, as many as tell what kind of file it is."""
    size = 0
    while size < FIRST_BYTES and (piece := next(pieces, b"")):
        size += len(piece)
        yield piece


def _pieces(part: PartialCopy) -> Iterator[bytes]:
    number = sys.stdin.fileno()
    while True:
        while not select.select([number], [], [], _PATIENCE)[0]:
            part.watch.check()
        if not (piece := os.read(number, _PIECE)):
            return
        yield piece


def holds_data() -> bool | None:
    """Return whether somebody has written something to standard input; None if that may come yet.

    A byte of it is taken.
    """
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        return False
    number = sys.stdin.fileno()
    if stat.S_ISCHR(os.fstat(number).st_mode):
        return False
    if not select.select([number], [], [], _UNTIL_SURE)[0]:
        return None
    return bool(os.read(number, 1))
