"""From a cell of a Parquet column to its text."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from importer.common.uuids import uuid_text
from importer.sources.csv_records import KEEP_BYTES

Cell = Callable[[Any], str]

#: Bytes of a UUID.
_UUID = 16


def cell_text(kind: pa.DataType, *, is_id: bool) -> Cell | None:
    """Return the function from a cell of this type that is not null to its text, if there is one.

    `is_id` is true for the column of ids.
    """
    kind = _plain(kind)
    if _is_string(kind) or pa.types.is_null(kind):
        return same
    if (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
    ):
        return _id_from_bytes if is_id else _decode
    if is_id:
        return None
    if pa.types.is_boolean(kind):
        return _bool_text
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _number_text
    return str if pa.types.is_integer(kind) else None


def same(cell: str) -> str:
    """Return `cell`."""
    return cell


def holds_moments(kind: pa.DataType) -> bool:
    """Return whether values of this type are moments or days."""
    kind = _plain(kind)
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def moments(values: pa.Array) -> pa.Array:
    """Return moments as text; Python's datetime would lose what is below a microsecond."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return pc.cast(values, pa.string())


def moment_text(cell: object) -> str:
    """Return a moment as text."""
    return str(cell)


def original_text(cell: pa.Scalar, convert: Cell) -> str:
    """Return a cell as the text that `convert` makes of it, whatever it holds."""
    try:
        value = cell.as_py()
        return "" if value is None else convert(value)
    except UnicodeDecodeError as error:
        return bytes(error.object).decode(errors=KEEP_BYTES)
    except (ValueError, OverflowError, LookupError, pa.ArrowException):
        # A moment that Python's datetime cannot hold, for one, or an unknown time zone.
        return str(pa.array([cell], cell.type))


def as_text(cell: object) -> str:
    """Return a cell of a column that is no field's as text."""
    if isinstance(cell, bytes):
        try:
            return _id_from_bytes(cell)
        except UnicodeDecodeError:
            return cell.hex()
    return _bool_text(cell) if isinstance(cell, bool) else str(cell)


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values themselves, without extension or dictionary."""
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_string(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _decode(cell: bytes) -> str:
    return cell.decode()


def _bool_text(cell: object) -> str:
    return "true" if cell else "false"


def _number_text(cell: float | Decimal) -> str:
    """Return `4` for 4.0, so that a column of stars matches whatever its type; NaN is empty."""
    if math.isnan(cell):
        return ""
    return str(int(cell)) if math.isfinite(cell) and cell == int(cell) else str(cell)


def _id_from_bytes(cell: bytes) -> str:
    return uuid_text(cell) if len(cell) == _UUID else cell.decode()
