"""How an input was read: format, columns, and what is odd about it."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from importer.settings import ImportSettings
from importer.sources.copies.carriers import open_copy
from importer.sources.registry import open_source
from importer.survey.findings import Understanding
from importer.survey.understanding import understood
from tests.support.data import conversation

Make = Callable[..., ImportSettings]
ERASES = "every row erases the {0} of its conversation"


def read(path: Path, settings: ImportSettings) -> Understanding:
    source = open_source(path, settings)
    try:
        return understood(source, settings)
    finally:
        source.close()


def test_columns_that_hold_no_field_are_ignored(tmp_path: Path, settings_for: Make) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(
        "Conversation ID; when ;comment;job;rating\n".encode("utf-8-sig")
        + f"{conversation(1)};now;fine;x;POSITIVE\n".encode()
    )
    settings = settings_for(path, column={"conversation_id": "Conversation ID"})
    assert read(path, settings) == Understanding(
        str(path), "csv", ";", "utf-8",
        {"conversation_id": "Conversation ID", "comment": "comment", "rating": "rating"},
        ["when", "job"],
    )  # fmt: skip
    newest = read(path, settings.replace(newest_by="when"))
    assert (newest.columns["newest"], newest.ignored) == ("when", ["job"])


def test_what_is_missing_will_be_erased(tmp_path: Path, settings_for: Make) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(f'{{"conversation_id": "{conversation(1)}", "comment": "fine"}}\n', "utf-8")
    found = read(path, settings_for(path))
    assert (found.format, found.delimiter, found.encoding) == ("json", None, None)
    assert found.remarks == [f"no column 'rating': {ERASES.format('rating')}"]
    path = tmp_path / "in.csv"
    path.write_text(f"conversation_id,rating\n{conversation(1)},POSITIVE\n", "utf-8")
    found = read(path, settings_for(path))
    assert found.remarks == [f"no column 'comment': {ERASES.format('comment')}"]


@pytest.mark.parametrize(
    ("name", "label", "sql", "kind"),
    [
        ("1-copy.rows.parquet", "dataframe://data-frame", None, "data frame"),
        ("1-copy.rows.parquet", "postgresql://there/db", "SELECT 1", "query"),
        ("1-copy.parquet", "s3://there/in.parquet", None, "parquet"),
        ("mine.rows.parquet", None, None, "parquet"),
    ],
)
def test_rows_of_a_query_or_a_data_frame_are_told_as_such(
    tmp_path: Path, settings_for: Make, name: str, label: str | None, sql: str | None, kind: str
) -> None:
    path = tmp_path / name
    pq.write_table(pa.table({"conversation_id": [conversation(1)], "rating": ["POSITIVE"]}), path)
    settings = settings_for("postgresql://there/db", sql=sql) if sql else settings_for(path)
    source = open_copy(path, label or str(path), settings)
    assert understood(source, settings).format == kind
    source.close()
