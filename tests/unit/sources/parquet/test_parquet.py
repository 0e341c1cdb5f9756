"""How Parquet files are read."""

import decimal
import re
import uuid
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from importer.errors import InputError
from importer.feedback.ratings import RatingTable
from importer.model import Reason, Row
from importer.sources.base import Questions, RowPart
from importer.sources.parquet.file import ParquetSource
from tests.support.data import conversation
from tests.support.parts import all_rows

IDS = [conversation(1), conversation(2), conversation(3)]
RAW = [uuid.UUID(text).bytes for text in IDS]


def rows_of(source: ParquetSource, size: int = 2) -> list[Row]:
    return [row for batch in source.batches(1, size) for row in batch]


def read(path: Path, columns: dict[str, pa.Array], size: int = 2) -> list[Row]:
    pq.write_table(pa.table(columns), path, row_group_size=2)
    return rows_of(ParquetSource(path, {}), size)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "in.parquet"


@pytest.mark.parametrize(
    "ids",
    [
        pa.array(IDS),
        pa.array(IDS, pa.large_string()),
        pa.array(IDS).dictionary_encode(),
        pa.array([text.encode() for text in IDS]),
        pa.array(RAW, pa.binary()),
        pa.array(RAW, pa.binary(16)),
        pa.array(RAW, pa.uuid()),
    ],
    ids=lambda array: str(array.type)[:20],
)
@pytest.mark.parametrize("size", [1, 2, 100])
def test_ids_of_every_kind_become_text(path: Path, ids: pa.Array, size: int) -> None:
    rows = read(path, {"conversation_id": ids, "rating": pa.array(["a", "b", "c"])}, size)
    assert [(row.seq, row.conversation_id, row.rating) for row in rows] == [
        (number, text, letter) for number, text, letter in zip((1, 2, 3), IDS, "abc", strict=True)
    ]


@pytest.mark.parametrize(
    ("ratings", "texts"),
    [
        (pa.array([True, False, None]), ["true", "false", ""]),
        (pa.array([1, 0, None], pa.int8()), ["1", "0", ""]),
        (pa.array([4.0, 4.5, float("nan")]), ["4", "4.5", ""]),
        (pa.array([decimal.Decimal("4.0"), None, None]), ["4", "", ""]),
        (pa.array(["👍", "", None]), ["👍", "", ""]),
        (pa.nulls(3), ["", "", ""]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_ratings_of_every_kind_become_words(
    path: Path, ratings: pa.Array, texts: list[str]
) -> None:
    rows = read(path, {"conversation_id": pa.array(IDS), "rating": ratings})
    assert [row.rating for row in rows] == texts


def test_ids_of_the_wrong_type_are_named(path: Path) -> None:
    columns = {"conversation_id": pa.array([1, 2, 3]), "comment": pa.array(["x"] * 3)}
    with pytest.raises(InputError, match=r"column 'conversation_id' is of type .* needs text"):
        read(path, columns)


def test_bytes_that_are_no_text_reject_their_row_only(path: Path) -> None:
    comments = pa.array([b"fine", b"caf\xe9", b"fine too"])
    rows = read(path, {"conversation_id": pa.array(IDS), "comment": comments}, 100)
    assert [row.comment for row in rows] == ["fine", "", "fine too"]
    assert [row.problem for row in rows] == [None, Reason.BAD_BYTES, None]
    assert "byte 0xE9 in column 'comment'" in rows[1].detail


def test_rows_are_given_back_with_all_their_columns(path: Path) -> None:
    columns = {
        "conversation_id": pa.array(RAW, pa.binary(16)),
        "liked": pa.array([True, None, False]),
        "comment": pa.array(["a", "b", "c"]),
        "tags": pa.array([["x"], [], None]),
    }
    pq.write_table(pa.table(columns), path)
    source = ParquetSource(path, {"rating": "Liked"})
    found = [(original.number, original.cells) for original in source.originals([1, 3])]
    assert found == [
        (1, [IDS[0], "true", "a", '["x"]']),
        (3, [IDS[2], "false", "c", ""]),
    ]


def test_columns_within_structs_have_dotted_names(path: Path) -> None:
    inner = pa.array([{"rating": "UP", "text": {"comment": "one"}}, None, {"rating": None}])
    columns = {"conversation_id": pa.array(IDS), "feedback": inner, "a.b": pa.array([1, 2, 3])}
    pq.write_table(pa.table(columns), path)
    names = {"rating": "feedback.rating", "comment": "Feedback.Text.Comment"}
    for by_column_from in (0, 1 << 60):
        with patch("importer.sources.parquet.file.BY_COLUMN_FROM", by_column_from):
            source = ParquetSource(path, names)
            rows = all_rows(source.parts(1, 100))
        assert [(row.rating, row.comment) for row in rows] == [("UP", "one"), ("", ""), ("", "")]
    assert source.header == [
        "conversation_id", "feedback.rating", "feedback.text.comment", "a.b",
    ]  # fmt: skip
    assert [o.cells[1:] for o in source.originals([1, 2])] == [["UP", "one", "1"], ["", "", "2"]]
    with pytest.raises(InputError, match=r"--column rating=feedback.rating --column comment=feedb"):
        ParquetSource(path, {})
    with pytest.raises(InputError, match=r"struct of feedback.rating, .*--column rating=feedback"):
        ParquetSource(path, {"rating": "feedback"})


def test_a_file_of_no_rows_is_no_rows_and_a_remark(path: Path) -> None:
    assert read(path, {"conversation_id": pa.array(IDS[:0]), "rating": pa.array(IDS[:0])}) == []
    (remark,) = ParquetSource(path, {}).remarks()
    assert "no rows: there is nothing" in remark


def test_null_markers_are_named_and_can_be_emptied(path: Path) -> None:
    comments = pa.array([" NULL ", "None of it", "nan"])
    pq.write_table(pa.table({"conversation_id": pa.array(IDS), "comment": comments}), path)
    for by_column_from in (0, 1 << 60):
        with patch("importer.sources.parquet.file.BY_COLUMN_FROM", by_column_from):
            source = ParquetSource(path, {})
            for part in source.parts(1, 10):
                if not isinstance(part, RowPart):
                    part.survey(Questions(RatingTable()))
            assert "1 × ' NULL ', 1 × 'nan'" in "".join(source.remarks())
            rows = all_rows(ParquetSource(path, {}, ["NULL", "nan"]).parts(1, 10))
            assert [row.comment for row in rows] == ["", "None of it", ""]


def test_names_that_were_damaged_are_damage(path: Path) -> None:
    columns = {"conversation_id": pa.array(IDS), "rating": pa.array(["UP"] * 3)}
    pq.write_table(pa.table(columns), path)
    whole = path.read_bytes()
    places = [match.start() for match in re.finditer(b"rating|conversation_id", whole)]
    for place in places:
        path.write_bytes(whole[:place] + b"\xa1" + whole[place + 1 :])
        with patch("importer.sources.parquet.file.BY_COLUMN_FROM", 0), suppress(InputError):
            list(ParquetSource(path, {}).parts(1, 10))
