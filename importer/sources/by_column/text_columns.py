"""Columns of text: made of cells, and with some cells put in or taken out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa


def empty_cells(number: int) -> pa.StringArray:
    """Return a column of empty cells."""
    # `pa.array` would import pandas: 0.3 s and 40 MB.
    ends = pa.py_buffer(np.zeros(number + 1, np.int32))
    return pa.StringArray.from_buffers(number, ends, pa.py_buffer(b""))


def strings(values: Sequence[str]) -> pa.StringArray:
    """Return `values` as a column."""
    # `pa.array` would import pandas: 0.3 s and 40 MB.
    encoded = [value.encode() for value in values]
    ends = np.zeros(len(values) + 1, np.int32)
    np.cumsum([len(one) for one in encoded], out=ends[1:])
    return pa.StringArray.from_buffers(
        len(values), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))
    )


def with_gaps(
    column: pa.StringArray,
    length: int,
    missing: Sequence[int],
    odd: Sequence[int],
    own: Sequence[str],
) -> pa.StringArray:
    """Return `column` with the cells `own` at `odd`; at `missing`, a part of them, it has none."""
    there = np.ones(length, bool)
    there[list(missing)] = False
    take = np.empty(length, np.int64)
    take[there] = np.arange(len(column))
    take[list(odd)] = len(column) + np.arange(len(odd))
    where = pa.Array.from_buffers(pa.int64(), length, [None, pa.py_buffer(take)])
    return pa.concat_arrays([column, strings(own)]).take(where)


def without(column: pa.StringArray, places: Sequence[int]) -> pa.StringArray:
    """Return `column` without the cells at `places`."""
    kept = np.delete(np.arange(len(column)), places)
    return column.take(pa.Array.from_buffers(pa.int64(), len(kept), [None, pa.py_buffer(kept)]))


def shifted(places: Iterable[int], missing: Sequence[int]) -> Iterator[int]:
    """Yield `places` of a column as places among all rows, of which it has none at `missing`."""
    before = np.array(sorted(missing), np.int64) - np.arange(len(missing))
    for place in places:
        yield place + int(np.searchsorted(before, place, "right"))
