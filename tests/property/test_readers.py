"""The readers, on anything: what was written is read back, and garbage only makes messages."""

import csv
import io
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from importer.errors import InputError
from importer.model import Row
from importer.sources.base import RowSource
from importer.sources.csv.file import CsvSource
from importer.sources.parquet.file import ParquetSource
from tests.support.data import conversation

HEADER = ["conversation_id", "rating", "comment"]
# Lone surrogates cannot be written as UTF-8.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NASTY = st.text(st.sampled_from('",;\t|\r\n x\x00é'), max_size=8)
CELLS = st.lists(st.tuples(TEXT | NASTY, TEXT | NASTY, TEXT | NASTY), min_size=1, max_size=8)


def read(content: bytes, name: str, make: Callable[[Path], RowSource]) -> list[Row]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return [row for batch in make(path).batches(1, 3) for row in batch]


def read_csv(content: bytes) -> list[Row]:
    return read(content, "in.csv", lambda path: CsvSource(path, {}))


@settings(max_examples=300, deadline=None)
@given(
    rows=CELLS,
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    quote_all=st.booleans(),
    mark=st.sampled_from(["", "\ufeff"]),
)
def test_what_was_written_is_read_back_on_its_line(
    rows: list[tuple[str, str, str]], delimiter: str, end: str, quote_all: bool, mark: str
) -> None:
    file = io.StringIO(newline="")
    # The csv module quotes a lone carriage return only if it is part of the line end.
    rows = [r for r in rows if end == "\r\n" or "\r" not in "".join(r)]
    # What holds nothing is no row.
    rows = [r for r in rows if "".join(r).strip()] or [("a", "b", "c")]
    writer = csv.writer(
        file,
        delimiter=delimiter,
        lineterminator=end,
        quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL,
    )
    writer.writerow(HEADER)
    lines = []
    for row in rows:
        lines.append(file.getvalue().count("\n") + 1)
        writer.writerow(row)
    found = read_csv((mark + file.getvalue()).encode())
    assert [(row.conversation_id, row.rating, row.comment) for row in found] == rows
    assert [row.line for row in found] == lines
    assert [row.seq for row in found] == list(range(1, len(rows) + 1))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=12) | st.sampled_from([b'"', b"\n", b",", b'""', b"\r", b"a"])))
def test_garbage_makes_rows_or_a_message(parts: list[bytes]) -> None:
    rows = read_csv(b"conversation_id,rating,comment\nx,y,z\n" + b"".join(parts))
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    assert all(bool(row.problem) == bool(row.detail) for row in rows)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
def test_a_header_of_garbage_makes_a_message(content: bytes) -> None:
    with suppress(InputError):
        read_csv(content or b"\n")


def parquet() -> bytes:
    file = io.BytesIO()
    ids = [conversation(number) for number in range(50)]
    table = pa.table({"conversation_id": ids, "rating": ["POSITIVE"] * 50, "comment": ids})
    pq.write_table(table, file, row_group_size=20)
    return file.getvalue()


WHOLE = parquet()


@settings(max_examples=200, deadline=None)
@given(
    places=st.lists(st.integers(0, len(WHOLE) - 1), min_size=1, max_size=5),
    byte=st.integers(0, 255),
    cut=st.integers(0, 30),
)
def test_damaged_parquet_makes_rows_or_a_message(places: list[int], byte: int, cut: int) -> None:
    content = bytearray(WHOLE)
    for place in places:
        content[place] = byte
    with suppress(InputError):
        read(bytes(content[: len(content) - cut]), "in.parquet", lambda p: ParquetSource(p, {}))
