"""From a cell of a Parquet column to its text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from importer.common.uuids import uuid_text
from importer.sources.cell_text import as_text, bool_text, number_text
from importer.sources.kept_bytes import KEEP_BYTES

Cell = Callable[[Any], str]

#: Bytes of a UUID.
_UUID = 16


def cell_text(kind: pa.DataType, *, is_id: bool) -> Cell | None:
    """Return the function from a cell of this type that is not null to its text.

    `is_id` is true for the column of ids, which takes only text, bytes and UUIDs: None for others.
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
        return bool_text
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return number_text
    return str if pa.types.is_integer(kind) else as_text


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


def without_nanoseconds(values: pa.Array) -> pa.Array:
    """Return moments that Python's datetime can hold: what is below a microsecond is cut."""
    if pa.types.is_timestamp(values.type) and values.type.unit == "ns":
        return pc.cast(values, pa.timestamp("us", values.type.tz), safe=False)
    return values


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


def _id_from_bytes(cell: bytes) -> str:
    return uuid_text(cell) if len(cell) == _UUID else cell.decode()
