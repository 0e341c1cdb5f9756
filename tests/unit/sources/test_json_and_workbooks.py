"""What is special to JSON and to workbooks, and how cells that are no text become text."""

import datetime
import decimal
import json
import sys
import uuid
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from importer.errors import InputError
from importer.model import Reason, Row
from importer.settings import ImportSettings
from importer.sources.base import RowSource
from importer.sources.cell_text import as_text
from importer.sources.registry import open_source
from importer.workflows.draft import draft_for
from tests.support.data import PRODUCT, conversation
from tests.support.kinds import write_kind

ID = conversation(1)


def opened(path: Path, **options: Any) -> RowSource:
    return open_source(path, ImportSettings.of(inputs=[path], product_id=PRODUCT, **options))


def rows_of(source: RowSource) -> list[Row]:
    return [row for batch in source.batches(1, 100) for row in batch]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""),
        ("007", "007"),
        (True, "true"),
        (4, "4"),
        (4.0, "4"),
        (4.5, "4.5"),
        (float("nan"), ""),
        (1e300, "1e+300"),
        (decimal.Decimal("4.00"), "4"),
        (decimal.Decimal("4.50"), "4.50"),
        (datetime.date(2026, 11, 23), "2026-11-23"),
        (datetime.datetime(2026, 11, 23, 9, 5, tzinfo=datetime.UTC), "2026-11-23 09:05:00+00:00"),
        (uuid.UUID(ID), ID),
        (uuid.UUID(ID).bytes, ID),
        (b"text", "text"),
        (b"\xff\x00", "ff00"),
        (["a", 1, None, {"b": True}], '["a",1,null,{"b":true}]'),
    ],
)
def test_cells_become_text_by_one_rule(cell: object, text: str) -> None:
    assert as_text(cell) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (["too", "slow"], '["too","slow"]'),
        (datetime.date(2026, 11, 23), "2026-11-23"),
        (datetime.datetime(2026, 11, 23, 9, 5), "2026-11-23 09:05:00"),
        (4.0, "4"),
        (True, "true"),
    ],
    ids=["list", "date", "moment", "number", "boolean"],
)
@pytest.mark.parametrize("ending", [".parquet", ".jsonl"])
def test_a_comment_need_not_be_text(tmp_path: Path, ending: str, value: Any, text: str) -> None:
    path = tmp_path / f"in{ending}"
    if ending == ".parquet":
        unit = pa.timestamp("ns") if isinstance(value, datetime.datetime) else None
        table = pa.table({"conversation_id": [ID], "comment": pa.array([value], unit)})
        pq.write_table(table, path)
    elif isinstance(value, datetime.date):
        pytest.skip("JSON has no dates")
    else:
        path.write_text(json.dumps({"conversation_id": ID, "comment": value}))
    source = opened(path)
    assert [row.comment for row in rows_of(source)] == [text]
    assert [one.cells for one in source.originals([1])] == [[ID, text]]


def test_members_within_members_are_columns_with_dotted_names(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(
        json.dumps({"id": ID, "feedback": {"comment": "good", "by": {"name": "A"}}, "tags": ["x"]})
        + "\n\n"
        + json.dumps({"id": ID, "feedback": None})
    )
    source = opened(path, column=["conversation_id=id", "comment=feedback.comment"])
    assert source.header == ["id", "feedback.comment", "feedback.by.name", "tags"]
    assert [(row.line, row.comment) for row in rows_of(source)] == [(1, "good"), (3, "")]
    with pytest.raises(InputError, match=r"--column comment=feedback\.comment"):
        opened(path, column=["conversation_id=id"])


@pytest.mark.parametrize("first", [1, 10_000])
def test_an_object_in_the_place_of_a_text_is_a_text_of_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    monkeypatch.setattr("importer.sources.json_file._HEADER_ROWS", first)
    path = tmp_path / "in.jsonl"
    told = ["x", {"a": 1, "b": {}}, {}, None]
    rows = [{"conversation_id": ID, "feedback": {"text": one}} for one in told]
    path.write_text("\n".join(map(json.dumps, rows)))
    source = opened(path, column=["comment=feedback.text"])
    assert [row.comment for row in rows_of(source)] == ["x", '{"a":1,"b":{}}', "{}", ""]
    assert rows_of(source) == rows_of(source)


def test_a_bad_line_rejects_its_row_alone(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    good = json.dumps({"conversation_id": ID, "comment": "x"}).encode()
    long = json.dumps({"conversation_id": ID, "comment": "x" * 2_000_000}).encode()
    path.write_bytes(b"\n".join([good, good[:-3], b"\xff", b"[1]", b'"\xff"', long, good]))
    rows = rows_of(opened(path))
    assert [row.problem for row in rows] == [None, *[Reason.MALFORMED] * 5, None]
    assert [row.line for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert "no JSON object" in rows[3].detail


@pytest.mark.parametrize("ending", [".jsonl", ".json"])
def test_what_other_programs_write_for_no_number_or_no_text_concerns_its_cell(
    tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"in{ending}"
    cells = [b"NaN", b'"\\ud83d"', b'"\xff"', b"5"]
    lines = [b'{"conversation_id": "%s", "comment": %s}' % (ID.encode(), cell) for cell in cells]
    path.write_bytes(b"\n".join(lines) if ending == ".jsonl" else b"[%s]" % b",".join(lines))
    none, half, bad, five = rows_of(opened(path))
    assert (none.problem, none.comment, five.comment) == (None, "", "5")
    assert (half.problem, bad.problem) == (Reason.BAD_BYTES, Reason.BAD_BYTES)
    assert half.detail == "column 'comment' holds half a character (\\ud83d)"
    assert bad.detail == "byte 0xFF in column 'comment' is not valid utf-8"


def test_an_array_without_elements_is_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "in.json"
    path.write_text("[ ]\n")
    source = opened(path, column=["rating=stars"], newest_by="at")
    assert rows_of(source) == []
    assert any("no rows" in remark for remark in source.remarks())


def test_members_that_come_late_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importer.sources.json_file._HEADER_ROWS", 1)
    path = tmp_path / "in.jsonl"
    path.write_text(
        json.dumps({"conversation_id": ID, "comment": "x"})
        + "\n"
        + json.dumps({"conversation_id": ID, "comment": "x", "late": 1})
    )
    source = opened(path)
    assert len(rows_of(source)) == 2
    assert any("late" in remark for remark in source.remarks())


def test_a_long_array_is_read_piece_by_piece(tmp_path: Path) -> None:
    path = tmp_path / "in.json"
    lengths = [n % 70_000 for n in range(0, 700_000, 9_999)]
    objects = [{"conversation_id": ID, "comment": "é" * length} for length in lengths]
    path.write_text("\ufeff " + json.dumps(objects, ensure_ascii=False), "utf-8")
    assert [len(row.comment) for row in rows_of(opened(path))] == lengths


def workbook(path: Path, **sheets: list[list[object]]) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    pytest.importorskip("python_calamine")
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_a_sheet_is_named_where_several_hold_something(tmp_path: Path) -> None:
    table: list[list[object]] = [["conversation_id", "rating"], [ID, 5]]
    path = workbook(tmp_path / "in.xlsx", notes=[["see next sheet"]], feedback=table, empty=[])
    with pytest.raises(InputError, match=r"2 sheets that hold something: .*--sheet notes"):
        opened(path)
    with pytest.raises(InputError, match=r"no sheet 'x'; its sheets are 'notes', 'feedback'"):
        opened(path, sheet="x")
    assert [row.rating for row in rows_of(opened(path, sheet="feedback"))] == ["5"]


def test_a_workbook_keeps_what_a_cell_shows_and_its_row(tmp_path: Path) -> None:
    day = datetime.datetime(2026, 11, 23)
    path = workbook(
        tmp_path / "in.xlsx",
        feedback=[
            [None], ["conversation_id", "comment", "when"], [None], [ID, "007", day],
            [ID, 4.5, None], [ID, True, None, "beyond"],
        ],
    )  # fmt: skip
    source = opened(path)
    rows = rows_of(source)
    assert [(row.line, row.comment) for row in rows] == [(4, "007"), (5, "4.5"), (6, "")]
    assert rows[2].problem is Reason.MALFORMED
    assert [one.cells for one in source.originals([1])] == [[ID, "007", "2026-11-23"]]


def test_errors_in_the_cells_of_a_workbook_are_told(tmp_path: Path) -> None:
    rows: list[list[object]] = [["conversation_id", "comment"], [ID, "#NAME?"], [ID, "fine"]]
    source = opened(workbook(tmp_path / "in.xlsx", feedback=rows))
    assert [row.comment for row in rows_of(source)] == ["", "fine"]
    assert source.remarks()[0].startswith("1 cell of the workbook with an error such as #NAME?")


def test_a_row_of_a_workbook_is_not_taken_for_its_header(tmp_path: Path) -> None:
    path = workbook(tmp_path / "in.xlsx", feedback=[[None], [7, ID, "fine"], [8, ID, "good"]])
    with pytest.raises(InputError, match="has no header line: line 2 is a row, with the id"):
        opened(path, column={"conversation_id": ID, "comment": "fine"})
    with pytest.raises(InputError, match="has no header line: line 2 is a row, with the id"):
        draft_for(ImportSettings.of(inputs=[path], product_id=PRODUCT))
    header: list[object] = ["Who", ID, "comment"]
    path = workbook(tmp_path / "named.xlsx", feedback=[header, [ID, "x", "fine"]])
    (row,) = rows_of(opened(path, column={"conversation_id": "Who"}))
    assert (row.conversation_id, row.comment) == (ID, "fine")


def test_rows_above_the_header_of_a_workbook_are_found_and_skipped(tmp_path: Path) -> None:
    header: list[object] = ["conversation_id", "comment"]
    path = workbook(
        tmp_path / "in.xlsx", feedback=[["Export"], [None], ["of", "today"], header, [ID, "x"],
                                        header, [ID, "y"]],
    )  # fmt: skip
    with pytest.raises(InputError, match=r"seems to be in line 4: --skip-lines 3$"):
        opened(path)
    assert draft_for(ImportSettings.of(inputs=[path], product_id=PRODUCT)).skip_lines == 3
    source = opened(path, skip_lines=3)
    assert [(row.line, row.comment) for row in rows_of(source)] == [(5, "x"), (7, "y")]
    assert any("passed over 1 line" in remark for remark in source.remarks())
    assert [one.cells for one in source.originals([2])] == [[ID, "y"]]


def test_what_is_no_workbook_says_so(tmp_path: Path) -> None:
    pytest.importorskip("python_calamine")
    path = tmp_path / "in.xlsx"
    path.write_text("conversation_id,rating\n")
    with pytest.raises(InputError, match="is no workbook, or it is damaged"):
        opened(path)


def test_a_missing_extra_is_one_line_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = workbook(tmp_path / "in.xlsx", feedback=[["conversation_id", "rating"]])
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    monkeypatch.delitem(sys.modules, "importer.sources.workbook", raising=False)
    with pytest.raises(InputError, match=r"pip install 'clarityq-importer\[excel\]'$"):
        opened(path)


@pytest.mark.parametrize("ending", [".jsonl", ".xlsx"])
def test_options_are_drafted_from_what_they_hold(tmp_path: Path, ending: str) -> None:
    rows = [(conversation(n), str(n % 5 + 1), f"fine {n}") for n in range(20)]
    path = write_kind(ending, tmp_path / "in", ("Conv UUID", "stars", "Free text"), rows)
    draft = draft_for(ImportSettings.of(inputs=[path], product_id=PRODUCT))
    assert draft.columns == {
        "conversation_id": "Conv UUID", "rating": "stars", "comment": "Free text",
    }  # fmt: skip
    assert draft.preset == "stars"
