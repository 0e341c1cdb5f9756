"""From a cell that need not be text to its text: the same rules for every source.

docs/sources.md tells them to people.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from importer.common.uuids import uuid_text

#: Bytes of a UUID.
_UUID = 16
#: Above this a float has no digits after the point anyway, and all its digits would be shown.
_MOST_EXACT = 2**53


def as_text(cell: object) -> str:
    """Return any cell as text; what stands for no value is empty."""
    match cell:
        case str():
            return cell
        case None:
            return ""
        case bool():
            return bool_text(cell)
        case float() | Decimal():
            return number_text(cell)
        case datetime():
            return cell.isoformat(" ")
        case bytes() | bytearray() | memoryview():
            return bytes_text(bytes(cell))
        case list() | tuple() | Mapping():
            return msgspec.json.encode(cell, enc_hook=_in_json, order=None).decode()
    return str(cell)


def bool_text(cell: object) -> str:
    """Return `true` or `false`."""
    return "true" if cell else "false"


def number_text(cell: float | Decimal) -> str:
    """Return `4` for 4.0, so that a column of stars matches whatever its type; NaN is empty."""
    if math.isnan(cell):
        return ""
    is_whole = math.isfinite(cell) and -_MOST_EXACT <= cell <= _MOST_EXACT and cell == int(cell)
    return str(int(cell)) if is_whole else str(cell)


def bytes_text(cell: bytes) -> str:
    """Return the UUID that 16 bytes are, else the text that bytes are, else their digits."""
    try:
        return uuid_text(cell) if len(cell) == _UUID else cell.decode()
    except UnicodeDecodeError:
        return cell.hex()


def _in_json(cell: Any) -> str:  # noqa: ANN401 -- as msgspec has it
    return as_text(cell)
