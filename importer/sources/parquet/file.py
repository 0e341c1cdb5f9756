"""Rows from Parquet files: only the needed columns, a few thousand rows at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from importer.common.text import folded_name
from importer.common.uuids import canonical_uuid
from importer.errors import InputError
from importer.model import Reason, Row
from importer.settings import FIELDS, ImportSettings, InputFormat
from importer.sources.base import (
    BY_COLUMN_FROM,
    InOneEncoding,
    Original,
    Part,
    RowPart,
    left_over_encoding,
)
from importer.sources.cell_text import as_text
from importer.sources.columns import CELLS, column_options, find_columns
from importer.sources.location import other_kind
from importer.sources.noticed import Noticed
from importer.sources.parquet.cells import (
    Cell,
    cell_text,
    holds_moments,
    moment_text,
    moments,
    original_text,
    same,
    without_nanoseconds,
)
from importer.sources.parquet.schema import column_of, column_paths, type_of

_MAY_BE_NULL = ("rating", "comment")
#: Bytes of a column that are read at a time; without a bound a whole row group's column would be.
_BUFFER = 1 << 20


def open_file(path: Path, name: str, settings: ImportSettings) -> ParquetSource:
    """Open a Parquet file; see `registry`."""
    reading, mapping = settings.reading, settings.mapping
    return ParquetSource(
        path, mapping.columns, mapping.nulls, name=name, newest_by=mapping.newest_by,
        delimiter=reading.delimiter, encoding=reading.encoding,
    )  # fmt: skip


class ParquetSource(InOneEncoding):
    """One Parquet file; a `RowSource`."""

    format = InputFormat.PARQUET

    def __init__(
        self,
        path: Path,
        columns: Mapping[str, str],
        nulls: Collection[str] = (),
        *,
        name: str | None = None,
        newest_by: str | None = None,
        delimiter: str | None = None,
        encoding: str = "utf-8",
    ) -> None:
        """Open the file; `delimiter` and `encoding` are those of CSV files beside it."""
        self.path = path
        self.name = name or str(path)
        self.delimiter = delimiter or ","
        self.encoding = left_over_encoding(encoding)
        self._nulls = frozenset(nulls)
        self._noticed = Noticed()
        self._total = 0
        self._read = 0
        with self._open() as file, self._explained():
            schema = file.schema_arrow
            self._total = file.metadata.num_rows
        self._paths = [*column_paths(schema)]
        self.header: Sequence[str] = [".".join(path) for path in self._paths]
        self._check_structs(columns)
        self._columns = find_columns(self.name, self.header, columns, newest_by)
        self._cells = {
            field: self._cell(field, self.header[index], type_of(schema, self._paths[index]))
            for field, index in self._columns.items()
        }

    def batches(self, first_seq: int, size: int) -> Iterator[Sequence[Row]]:
        """Yield all rows; see `RowSource`."""
        self._read, self._noticed = 0, Noticed()
        for batch in self._arrow_batches(size, self._names):
            rows = self._rows(batch, first_seq + self._read)
            self._read += batch.num_rows
            yield rows

    def parts(self, first_seq: int, size: int) -> Iterator[Part]:
        """Yield all rows; see `RowSource`."""
        if self.path.stat().st_size < BY_COLUMN_FROM:
            yield from map(RowPart, self.batches(first_seq, size))
            return
        from importer.sources.by_column.part import ColumnBlock  # noqa: PLC0415 -- loads numpy
        from importer.sources.parquet.columns import rows_at_a_time  # noqa: PLC0415 -- as above

        with self._open() as file, self._explained():
            size = rows_at_a_time(file.metadata, self._names, size)
        self._read, self._noticed = 0, Noticed()
        for batch in self._arrow_batches(size, self._names):
            columns = self._text_columns(batch)
            seq = first_seq + self._read
            self._read += batch.num_rows
            if columns is None:
                yield RowPart(self._rows(batch, seq))
            else:
                yield ColumnBlock(seq, columns, self._noticed)

    def originals(self, numbers: Iterable[int]) -> Iterator[Original]:
        """Yield the rows with these numbers, all columns; see `RowSource`."""
        wanted = iter(numbers)
        number = next(wanted, None)
        done = 0
        for batch in self._arrow_batches(1000, None):
            while number is not None and number <= done + batch.num_rows:
                row = batch.slice(number - done - 1, 1)
                yield Original(number, self._texts_of(row))
                number = next(wanted, None)
            if number is None:
                return
            done += batch.num_rows

    def _texts_of(self, row: pa.RecordBatch) -> list[str]:
        """Return all cells of a batch of one row as text; those of the fields as they were read."""
        converters = {index: self._cells[field] for field, index in self._columns.items()}
        cells = []
        for index, path in enumerate(self._paths):
            values = column_of(row, path)
            if isinstance(values.type, pa.BaseExtensionType) and index in converters:
                values = values.storage
            cells.append(original_text(values[0], converters.get(index, as_text)))
        return cells

    def progress(self) -> float:
        """Return the share of the file's rows that was read; see `RowSource`."""
        return self._read / self._total if self._total else 1.0

    def remarks(self) -> Sequence[str]:
        """Return what the latest reading noticed; see `RowSource`."""
        return self._noticed.remarks(self._total, self._nulls)

    def close(self) -> None:
        """Nothing stays open between two readings."""

    def _open(self) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(self.path, pre_buffer=False, buffer_size=_BUFFER)
        except (pa.ArrowException, OSError, ValueError) as error:
            other = other_kind(self.path, self.name)
            why = f"it is {other}" if other else f"or it is damaged or cut off: {_brief(error)}"
            raise InputError(f"{self.name} is not a Parquet file, {why}") from None

    def _arrow_batches(self, size: int, names: list[str] | None) -> Iterator[pa.RecordBatch]:
        with self._open() as file, self._explained():
            yield from file.iter_batches(size, columns=names, use_threads=False)

    @property
    def _names(self) -> list[str]:
        return [*dict.fromkeys(self.header[index] for index in self._columns.values())]

    def _rows(self, batch: pa.RecordBatch, first_seq: int) -> list[Row]:
        empty = [""] * batch.num_rows
        cells: dict[str, list[str]] = {}
        problems: dict[int, str] = {}
        for field, index in self._columns.items():
            values = column_of(batch, self._paths[index])
            cells[field] = self._texts(field, values, problems)
            if self._nulls and field in _MAY_BE_NULL:
                cells[field] = ["" if one.strip() in self._nulls else one for one in cells[field]]
        rows = [
            Row(seq, conversation, rating, comment, newest=newest, job=job)
            for seq, (conversation, rating, comment, newest, job) in enumerate(
                zip(*(cells.get(field, empty) for field in CELLS), strict=True), first_seq
            )
        ]
        for place, problem in problems.items():
            seq, job = rows[place].seq, rows[place].job
            named = canonical_uuid(rows[place].conversation_id) or ""
            rows[place] = Row(seq, named, "", "", None, Reason.BAD_BYTES, problem, job=job)
        for row in rows:
            self._noticed.see(row.conversation_id, row.comment)
        return rows

    def _text_columns(self, batch: pa.RecordBatch) -> list[pa.StringArray] | None:
        """Return the columns of all fields as text, or None if the rows have to be looked at."""
        from importer.sources.by_column.noticing import emptied  # noqa: PLC0415 -- loads numpy
        from importer.sources.by_column.text_columns import empty_cells  # noqa: PLC0415 -- as above
        from importer.sources.parquet.columns import text_column  # noqa: PLC0415 -- as above

        columns: list[pa.StringArray] = []
        for field in CELLS:
            if field not in self._columns:
                columns.append(empty_cells(batch.num_rows))
                continue
            values = column_of(batch, self._paths[self._columns[field]])
            if field in _MAY_BE_NULL and holds_moments(values.type):
                return None
            column = text_column(values, partial(self._texts, field, problems={}))
            if column is None:
                return None
            columns.append(emptied(column, self._nulls) if field in _MAY_BE_NULL else column)
        return columns

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what pyarrow raises into `InputError`."""
        try:
            yield
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(f"{self.name} is damaged: {_brief(error)}") from None

    def _check_structs(self, columns: Mapping[str, str]) -> None:
        """Raise `InputError` if the column of a field is a struct: one within it is meant."""
        for field in FIELDS:
            wanted = folded_name(columns.get(field, field))
            within = [name for name in self.header if folded_name(name).startswith(f"{wanted}.")]
            if within and wanted not in map(folded_name, self.header):
                raise InputError(
                    f"{self.name}: column {wanted!r} is a struct of {', '.join(within)}. Name the "
                    f"one that holds the {field}: {column_options({field: within[0]}, columns)}"
                )

    def _cell(self, field: str, name: str, kind: pa.DataType) -> Cell:
        """Return the function from a cell that is not null to its text."""
        if field == "newest" and holds_moments(kind):
            return moment_text
        if (cell := cell_text(kind, is_id=field == "conversation_id")) is not None:
            return cell
        raise InputError(
            f"{self.name}: column {name!r} is of type {kind}; {field} needs text, binary or UUID"
        )

    def _texts(self, field: str, values: pa.Array, problems: dict[int, str]) -> list[str]:
        if isinstance(values.type, pa.BaseExtensionType):
            values = values.storage
        convert = self._cells[field]
        with self._explained():
            try:
                if convert is moment_text:
                    values = moments(values)
                elif holds_moments(values.type):
                    values = without_nanoseconds(values)
                cells = values.to_pylist()
                if convert in (same, moment_text):
                    return [cell or "" for cell in cells]
                return ["" if cell is None else convert(cell) for cell in cells]
            except UnicodeDecodeError:
                return [
                    self._text_or_problem(field, v, at, problems) for at, v in enumerate(values)
                ]

    def _text_or_problem(
        self, field: str, value: pa.Scalar, at: int, problems: dict[int, str]
    ) -> str:
        try:
            cell = value.as_py()
            return "" if cell is None else self._cells[field](cell)
        except UnicodeDecodeError as error:
            name = self.header[self._columns[field]]
            problems[at] = (
                f"byte 0x{error.object[error.start]:02X} in column {name!r} is not valid UTF-8"
            )
            return ""


def _brief(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
