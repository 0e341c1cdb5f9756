"""Which files a folder or a pattern stands for, and how they make one job."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from importer.errors import InputError
from importer.settings import ImportSettings, InputFormat
from importer.sources.folder import files_of
from importer.survey.survey_pass import current_inputs, survey_inputs
from importer.workflows.check_inputs import check_inputs
from importer.workflows.open_inputs import open_inputs
from tests.support.data import conversation, write_csv

Make = Callable[..., ImportSettings]


@pytest.fixture
def spark(tmp_path: Path) -> Path:
    """Return a folder as Spark writes one."""
    folder = tmp_path / "exports"
    for day, number in (("day=2", 2), ("day=10", 1)):
        (folder / day).mkdir(parents=True)
        table = pa.table({"conversation_id": [conversation(number)], "comment": [f"of {day}"]})
        pq.write_table(table, folder / day / "part-00000.snappy.parquet")
        (folder / day / ".part-00000.snappy.parquet.crc").write_text("x")
        (folder / day / "part-00001.snappy.parquet").touch()
    (folder / "_temporary").mkdir()
    (folder / "_temporary" / "half.parquet").write_text("x")
    (folder / "_SUCCESS").touch()
    (folder / "README.md").write_text("not a table")
    return folder


def test_the_parts_of_a_folder_are_read_in_the_order_of_their_names(
    spark: Path, settings_for: Make
) -> None:
    names = [str(path.relative_to(spark)) for path in files_of(spark, None)]
    assert names == ["day=2/part-00000.snappy.parquet", "day=10/part-00000.snappy.parquet"]
    found = check_inputs(settings_for(spark))
    assert [one.file for one in found.inputs] == [str(spark / name) for name in names]
    assert (found.rows, found.valid) == (2, 2)


def test_a_pattern_stands_for_the_files_that_it_matches(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "a.txt", "[x].csv", "10-1.csv", "9-11.csv", "9-2.csv", "09.csv"):
        write_csv(tmp_path / name, [(conversation(1), "POSITIVE", "")])
    assert [path.name for path in files_of(tmp_path / "?.csv", None)] == ["a.csv", "b.csv"]
    names = [path.name for path in files_of(tmp_path / "*[0-9].csv", None)]
    assert names == ["9-2.csv", "9-11.csv", "09.csv", "10-1.csv"]
    assert files_of(tmp_path / "[x].csv", None) == [tmp_path / "[x].csv"]
    assert files_of(tmp_path / "*.jsonl", None) == [tmp_path / "*.jsonl"]


def test_a_folder_of_other_files_is_explained(tmp_path: Path, settings_for: Make) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "data").write_text("conversation_id,rating\n")
    with pytest.raises(InputError, match="is a directory: and it holds no files that can be read"):
        open_inputs(settings_for(tmp_path / "there"))
    assert len(files_of(tmp_path / "there", InputFormat.CSV)) == 1


def test_a_file_that_comes_or_goes_changes_the_input(spark: Path, settings_for: Make) -> None:
    settings = settings_for(spark)
    with survey_inputs(open_inputs(settings), settings, spark.parent) as survey:
        files = survey.inputs

    def changed() -> list[str]:
        return current_inputs(open_inputs(settings)).changed_from(spark.parent, files)

    assert changed() == []
    late = write_csv(spark / "day=2" / "late.csv", [(conversation(3), "POSITIVE", "")])
    assert changed() == [str(late)]
    late.unlink()
    assert changed() == []
