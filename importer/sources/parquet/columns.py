"""Columns of a Parquet file as text, if that can be had for a whole column at once."""

from __future__ import annotations

from collections.abc import Callable, Collection

import pyarrow as pa
import pyarrow.parquet as pq

from importer.sources.by_column.text_columns import empty_cells, strings

#: Bytes that a batch should take, and the most rows of it: long texts that occur again and again
#: are stored once, so that their size is not known in advance.
_BATCH_BYTES = 1024 * 1024
_MOST_ROWS = 4000

Convert = Callable[[pa.Array], list[str]]


def rows_at_a_time(metadata: pq.FileMetaData, names: Collection[str], least: int) -> int:
    """Return how many rows of these columns are to be read together, `least` or more."""
    stored = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        columns = map(group.column, range(group.num_columns))
        stored += sum(c.total_uncompressed_size for c in columns if c.path_in_schema in names)
    fitting: int = _BATCH_BYTES * metadata.num_rows // max(1, stored)
    return max(least, min(_MOST_ROWS, fitting))


def text_column(values: pa.Array, convert: Convert) -> pa.StringArray | None:
    """Return a column as valid UTF-8, with empty cells for nulls; None if it has to be read by row.

    `convert` makes the texts of values that are neither text nor binary. A column may have millions
    of rows, but only few of such values.
    """
    if isinstance(values.type, pa.BaseExtensionType):
        values = values.storage
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    try:
        if pa.types.is_null(kind):
            return empty_cells(len(values))
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return _as_string(values)
        if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
            return _by_distinct_values(values, convert)
        if pa.types.is_timestamp(values.type) or pa.types.is_date(values.type):
            return _as_string(values)
    except pa.ArrowException:
        pass  # bytes that are not valid UTF-8, for one: whoever reads row by row says where
    return None


def _as_string(values: pa.Array) -> pa.StringArray:
    if not pa.types.is_string(values.type):
        values = values.cast(pa.string())
    if values.null_count:
        values = values.fill_null("")
    values.validate(full=True)
    return values


def _by_distinct_values(values: pa.Array, convert: Convert) -> pa.StringArray:
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    words = [*convert(encoded.dictionary), ""]
    return strings(words).take(encoded.indices.fill_null(len(words) - 1))
