"""The columns of a Parquet file by their names; those within a struct have dotted ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

#: The names of a column and of the structs that it is in, the outermost first.
ColumnPath = tuple[str, ...]


def column_paths(fields: Iterable[pa.Field]) -> Iterator[ColumnPath]:
    """Yield the paths of all columns that are no structs, in order."""
    for field in fields:
        if pa.types.is_struct(field.type) and field.type.num_fields:
            inner = [field.type.field(number) for number in range(field.type.num_fields)]
            for path in column_paths(inner):
                yield (field.name, *path)
        else:
            yield (field.name,)


def type_of(schema: pa.Schema, path: ColumnPath) -> pa.DataType:
    """Return the type of a column."""
    kind = schema.field(path[0]).type
    for name in path[1:]:
        kind = kind.field(kind.get_field_index(name)).type
    return kind


def column_of(batch: pa.RecordBatch, path: Sequence[str]) -> pa.Array:
    """Return a column of a batch; what is in a struct that is null is null."""
    values = batch.column(path[0])
    return pc.struct_field(values, list(path[1:])) if len(path) > 1 else values
