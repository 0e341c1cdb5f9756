"""Files that are large enough to be read by column: what must be as it is row by row."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from importer.common.row_set import RowSet
from importer.engine.reader import Batch, Input, read_rows
from importer.errors import InputError
from importer.feedback.normalise import Normaliser
from importer.feedback.ratings import RatingTable
from importer.model import Row
from importer.sources.base import BY_COLUMN_FROM, RowPart
from importer.sources.csv.file import CsvSource
from tests.support.data import conversation, write_csv
from tests.support.parts import all_rows

ROWS = 40_000


def large(folder: Path, comments: Callable[[int], str] = "comment {}".format) -> Path:
    """Return a file that is read by column."""
    rows = [(conversation(number), "POSITIVE", comments(number)) for number in range(ROWS)]
    path = write_csv(folder / "in.csv", rows)
    assert path.stat().st_size > BY_COLUMN_FROM
    return path


def exactly(path: Path) -> list[Row]:
    return [row for rows in CsvSource(path, {}).batches(1, 1) for row in rows]


def read_until_it_fails(items: Callable[[], object]) -> str:
    with pytest.raises(InputError) as raised:
        items()
    return str(raised.value)


def test_nearly_all_of_a_plain_file_is_read_by_column(tmp_path: Path) -> None:
    path = large(tmp_path, lambda n: 'say "so"\nand more' if n % 7 == 0 else "fine")
    parts = list(CsvSource(path, {}).parts(1, 500))
    by_column = sum(len(part) for part in parts if not isinstance(part, RowPart))
    assert by_column > 0.98 * ROWS
    assert all_rows(parts) == exactly(path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_lines_that_were_corrected_within_a_cell_of_a_left_over_file_are_read_alike(
    tmp_path: Path, delimiter: str
) -> None:
    names = "conversation_id,rating,comment,job,row,reason,http_status,attempts,detail"
    lines = [names.replace(",", delimiter)]
    for n in range(ROWS):
        cells = [conversation(n), "POSITIVE", "fine"]
        if n % 50 == 0:  # as it stood in the input, whatever the file was saved with
            cells = [f'"{conversation(n)},POSITIVE,""or, this"""', "", ""]
        cells += ["in-1f0c2a9b-1", str(n), "malformed", "", "0", ""]
        lines.append(delimiter.join(cells))
    path = tmp_path / "rejected.csv"
    path.write_text("\n".join(lines), "utf-8")
    parts = list(CsvSource(path, {}).parts(1, 500))
    assert not all(isinstance(part, RowPart) for part in parts)
    assert all_rows(parts) == exactly(path)
    assert [row.comment for row in exactly(path)[49:52]] == ["fine", "or, this", "fine"]


@pytest.mark.parametrize("length", [300_000, 700_000, 3_000_000])
@pytest.mark.parametrize("end", ['"', ""])
def test_a_record_may_reach_over_blocks(tmp_path: Path, length: int, end: str) -> None:
    path = large(tmp_path, lambda _: "fine")
    lines = path.read_bytes().splitlines(keepends=True)
    comment = b"many\nlines " * (length // 11)
    lines[20_000:20_000] = [b'x,POSITIVE,"' + comment + end.encode() + b"\r\n"]
    path.write_bytes(b"".join(lines))
    assert all_rows(list(CsvSource(path, {}).parts(1, 500))) == exactly(path)


def test_one_line_may_be_longer_than_a_block(tmp_path: Path) -> None:
    path = large(tmp_path, lambda n: "x" * 800_000 if n == 9000 else "fine")
    assert all_rows(list(CsvSource(path, {}).parts(1, 500))) == exactly(path)


@pytest.mark.parametrize("spoil", ["cut", "damaged"])
def test_a_damaged_file_gives_its_rows_up_to_the_damage(tmp_path: Path, spoil: str) -> None:
    # Little of a UUID at random can be compressed.
    path = large(tmp_path, lambda n: f"{n * 0x9E3779B97F4A7C15 & (1 << 64) - 1:x}")
    content = gzip.compress(path.read_bytes(), 1)
    half = len(content) // 2
    content = content[:half] + (b"" if spoil == "cut" else bytes(64) + content[half + 64 :])
    zipped = tmp_path / "in.csv.gz"
    zipped.write_bytes(content)
    source = CsvSource(zipped, {})
    quick: list[Row] = []
    exact: list[Row] = []

    def read_quickly() -> None:
        for part in source.parts(1, 500):
            quick.extend(all_rows([part]))

    def read_exactly() -> None:
        for rows in source.batches(1, 1):
            exact.extend(rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("importer.sources.csv.file.BY_COLUMN_FROM", 0)
        assert read_until_it_fails(read_quickly) == read_until_it_fails(read_exactly)
    assert quick == exact
    assert len(quick) > 1000


def test_a_run_goes_on_in_the_middle_of_a_block(tmp_path: Path) -> None:
    path = large(tmp_path, lambda n: "" if n % 3 else "fine")
    done = RowSet()
    for seq in [*range(1, 20_001), 20_003, ROWS]:
        done.add(seq)

    def items(settled: RowSet) -> list[Batch]:
        return list(read_rows([Input(CsvSource(path, {}), Normaliser(RatingTable()))], settled))

    everything = [item for batch in items(RowSet()) for item in batch]
    assert [item.seq for item in everything] == list(range(1, ROWS + 1))
    rest = [item for batch in items(done) for item in batch]
    assert rest == [item for item in everything if item.seq not in done]
    assert rest[0].seq == 20_001
    assert all(len(batch) <= 2000 for batch in items(RowSet())), "memory"


def test_progress_grows_to_one(tmp_path: Path) -> None:
    source = CsvSource(large(tmp_path), {})
    shares = [source.progress() for _ in source.parts(1, 500)]
    assert shares == sorted(shares)
    assert 0 < shares[0] < 1
    assert source.progress() == 1.0


def test_a_block_that_has_not_changed_keeps_its_digest(tmp_path: Path) -> None:
    path = large(tmp_path)
    before = [part.digest() for part in CsvSource(path, {}).parts(1, 500)]
    assert before == [part.digest() for part in CsvSource(path, {}).parts(1, 500)]
    content = path.read_bytes()
    path.write_bytes(content[:-4] + b"X" + content[-3:])
    after = [part.digest() for part in CsvSource(path, {}).parts(1, 500)]
    assert after[:-1] == before[:-1]
    assert after[-1] != before[-1]


def test_a_file_with_an_unusual_delimiter_is_read_row_by_row(tmp_path: Path) -> None:
    path = large(tmp_path)
    path.write_bytes(path.read_bytes().replace(b",", "§".encode("latin-1")))
    source = CsvSource(path, {}, delimiter="§", encoding="latin-1")
    assert all(isinstance(part, RowPart) for part in source.parts(1, 500))
