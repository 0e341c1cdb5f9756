"""Writes rows as they come into a Parquet file: every cell as text, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from importer.errors import InputError
from importer.sources.by_column.text_columns import strings
from importer.sources.cell_text import as_text

#: Bytes of text and rows of a row group, at least.
_GROUP_BYTES = 16 << 20
_GROUP_ROWS = 50_000


class RowsFile:
    """A Parquet file that is being written; a context manager. `header` are its columns.

    Raises `InputError`, with `name` as what the rows are of, if two columns have one name.
    """

    def __init__(self, path: Path, name: str, header: Sequence[str]) -> None:
        twice = sorted({column for column in header if list(header).count(column) > 1})
        if twice:
            raise InputError(
                f"{name} has two columns {twice[0]!r}: give them different names (AS, in a query)"
            )
        self.rows = 0
        self._schema = pa.schema([(column, pa.string()) for column in header])
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._batches: list[pa.RecordBatch] = []
        self._waiting = self._bytes = 0

    def write(self, rows: Sequence[Sequence[object]]) -> None:
        """Append rows, with a cell for each column."""
        if rows:
            columns = [_texts(cells) for cells in zip(*rows, strict=True)]
            self.write_columns(columns, len(rows))

    def write_columns(self, columns: Sequence[pa.StringArray], rows: int) -> None:
        """Append so many rows by column, all of them text."""
        batch = pa.RecordBatch.from_arrays(list(columns), schema=self._schema)
        self._batches.append(batch)
        self.rows += rows
        self._waiting += rows
        self._bytes += batch.nbytes
        if self._bytes >= _GROUP_BYTES or self._waiting >= _GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._batches:
            table = pa.Table.from_batches(self._batches, self._schema)
            self._writer.write_table(table, row_group_size=max(1, self._waiting))
        self._batches, self._waiting, self._bytes = [], 0, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._flush()
        self._writer.close()


def _texts(cells: Iterable[object]) -> pa.StringArray:
    return strings([cell if type(cell) is str else as_text(cell) for cell in cells])
