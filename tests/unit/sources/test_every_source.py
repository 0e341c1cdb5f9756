"""What every source of rows has to keep, whatever it is kept in."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from importer.errors import InputError
from importer.model import Row
from importer.sources.base import BATCH_ROWS, RowSource
from importer.sources.copies.carriers import open_copy
from importer.sources.copies.partial_copy import CopyWatch
from importer.sources.registry import FORMATS
from tests.support.data import conversation
from tests.support.kinds import COPIED, KINDS, Table, open_kind, take_kind
from tests.support.parts import all_rows

HEADER = ("conversation_id", "rating", "comment", "channel")
ROWS = [
    (conversation(1), "up", "plain", "web"),
    (conversation(2), "", 'quotes " and, commas', ""),
    (conversation(3), "down", "two\nlines", "app"),
    (conversation(4), "007", "🙂 é NULL", "0012"),
    *((conversation(n), "up", f"comment {n}", "web") for n in range(5, 1300)),
]

#: What has no end of its own that would be missed.
_ENDLESS = (".csv", ".jsonl", "https")

every_kind = pytest.mark.parametrize("kind", [*KINDS, *COPIED])


@pytest.fixture(params=["row by row", "by column"], autouse=True)
def _reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small files be read as large ones are, too."""
    for module in ("csv.file", "parquet.file", "record_source"):
        least = 1 << 60 if request.param == "row by row" else 0
        monkeypatch.setattr(f"importer.sources.{module}.BY_COLUMN_FROM", least)


def opened(kind: str, folder: Path, rows: Table = ROWS) -> RowSource:
    return open_kind(kind, folder, HEADER, rows)


def digests(source: RowSource) -> list[bytes]:
    return [part.digest() for part in source.parts(1, BATCH_ROWS)]


@every_kind
def test_it_gives_the_same_rows_each_time_with_numbers_in_order(kind: str, tmp_path: Path) -> None:
    source = opened(kind, tmp_path)
    first = all_rows(source.parts(11, BATCH_ROWS))
    again = [row for batch in source.batches(11, 7) for row in batch]
    assert first == again
    assert [row.seq for row in first] == list(range(11, 11 + len(ROWS)))
    assert [(row.conversation_id, row.rating, row.comment) for row in first] == [
        row[:3] for row in ROWS
    ]
    assert not any(row.problem for row in first)


@every_kind
def test_the_originals_are_whole_rows(kind: str, tmp_path: Path) -> None:
    source = opened(kind, tmp_path)
    assert tuple(source.header) == HEADER
    found = list(source.originals([1, 3, 4, 1000, len(ROWS)]))
    assert [(one.number, tuple(one.cells)) for one in found] == [
        (number, ROWS[number - 1]) for number in (1, 3, 4, 1000, len(ROWS))
    ]


@every_kind
def test_the_digests_change_when_and_only_when_a_row_does(kind: str, tmp_path: Path) -> None:
    before = digests(opened(kind, tmp_path))
    assert digests(opened(kind, tmp_path)) == before
    changed = [*ROWS[:700], (*ROWS[700][:2], "another", "web"), *ROWS[701:]]
    assert digests(opened(kind, tmp_path, changed)) != before
    assert digests(opened(kind, tmp_path, ROWS[:-1])) != before


@every_kind
def test_it_says_how_far_it_has_come(kind: str, tmp_path: Path) -> None:
    source = opened(kind, tmp_path)
    shares = [source.progress() for _ in source.batches(1, 100)]
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= 1
    assert source.progress() == 1


@every_kind
def test_a_reading_that_is_given_up_leaves_the_next_one_whole(kind: str, tmp_path: Path) -> None:
    source = opened(kind, tmp_path)
    parts = iter(source.parts(1, BATCH_ROWS))
    next(parts)
    del parts
    assert len(all_rows(source.parts(1, BATCH_ROWS))) == len(ROWS)


@every_kind
def test_what_is_cut_off_is_an_error_or_lacks_its_last_rows(kind: str, tmp_path: Path) -> None:
    path, name, settings = take_kind(kind, tmp_path, HEADER, ROWS)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    rows: list[Row] = []
    has_end = kind not in _ENDLESS
    with pytest.raises(InputError, match="damaged") if has_end else nullcontext():
        for batch in open_copy(path, name, settings).batches(1, 100):
            rows += batch
    whole = [row for row in rows if row.problem is None]
    assert [row.conversation_id for row in whole] == [row[0] for row in ROWS[: len(whole)]]


@every_kind
def test_damage_in_the_middle_is_an_error_or_changes_the_digests(kind: str, tmp_path: Path) -> None:
    path, name, settings = take_kind(kind, tmp_path, HEADER, ROWS)
    before = digests(open_copy(path, name, settings))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 20] = b"\xff" * 20
    path.write_bytes(content)
    after: list[bytes] | str
    try:
        after = digests(open_copy(path, name, settings))
    except InputError as error:
        after = str(error)
    assert "damaged" in after if isinstance(after, str) else after != before


@every_kind
def test_what_left_overs_need_is_known(kind: str, tmp_path: Path) -> None:
    path, name, settings = take_kind(kind, tmp_path, HEADER, ROWS)
    source = open_copy(path, name, settings)
    assert (source.delimiter, source.encoding) == (",", "utf-8")
    assert (source.path, source.name) == (path, name)
    assert (name == str(path)) is (kind in KINDS)
    assert source.format in {entry.format for entry in FORMATS}


class _StoppedError(Exception):
    pass


@pytest.mark.parametrize("kind", COPIED)
def test_a_copy_that_is_stopped_leaves_none_that_is_read(kind: str, tmp_path: Path) -> None:
    def check() -> None:
        raise _StoppedError

    with pytest.raises(_StoppedError):
        take_kind(kind, tmp_path, HEADER, ROWS, CopyWatch(check=check))
    assert not list(tmp_path.rglob("1-*"))
