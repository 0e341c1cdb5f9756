"""How CSV files are read."""

import gzip
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from importer.errors import InputError
from importer.model import Reason, Row
from importer.sources.csv.file import CsvSource
from importer.sources.csv.records import RECORD_LIMIT
from tests.support.data import conversation

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

HEADER = "conversation_id,rating,comment\n"


def rows_of(source: CsvSource, size: int = 3) -> list[Row]:
    return [row for batch in source.batches(1, size) for row in batch]


def read(path: Path, content: str | bytes, **options: Any) -> list[Row]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return rows_of(CsvSource(path, {}, **options))


def cells(rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    return [(row.conversation_id, row.rating, row.comment) for row in rows]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "in.csv"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_detected_from_the_header(path: Path, delimiter: str) -> None:
    text = HEADER.replace(",", delimiter) + delimiter.join(["a", "UP", '"x,;\t|y"']) + "\n"
    assert cells(read(path, text)) == [("a", "UP", "x,;\t|y")]


def test_any_other_delimiter_can_be_given(path: Path) -> None:
    assert cells(read(path, "conversation_id~comment\na~b,c\n", delimiter="~")) == [
        ("a", "", "b,c")
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_byte_order_marks_do_not_matter(path: Path, end: str, mark: bytes) -> None:
    text = HEADER + 'a,UP,"two ""quoted""\nlines"\nb,,x\n'
    rows = read(path, mark + text.replace("\n", end).encode())
    assert cells(rows) == [("a", "UP", f'two "quoted"{end}lines'), ("b", "", "x")]
    assert [row.line for row in rows] == [2, 4]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-le", "utf-8-sig", "shift_jis"])
def test_other_encodings_can_be_given(path: Path, encoding: str) -> None:
    word = "猫" if encoding == "shift_jis" else "café"
    rows = read(path, (HEADER + f"a,,{word}\n").encode(encoding), encoding=encoding)
    assert cells(rows) == [("a", "", word)]


@pytest.mark.parametrize(
    ("ending", "compress"), [(".gz", gzip.compress), (".zst", zstd.compress)], ids=["gzip", "zstd"]
)
def test_compressed_files_are_known_by_name(tmp_path: Path, ending: str, compress: object) -> None:
    assert callable(compress)
    content = compress((HEADER + "a,UP,x\n").encode())
    assert cells(read(tmp_path / f"in.csv{ending}", content)) == [("a", "UP", "x")]


def test_header_names_are_matched_without_case_and_space(path: Path) -> None:
    path.write_text('\u200b Conv ID ,STARS\u00a0,"Free\nText\ufeff"\na,5,b\n')
    names = {"conversation_id": "conv id", "rating": "Stars", "comment": "free\ntext"}
    assert cells(rows_of(CsvSource(path, names))) == [("a", "5", "b")]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("id,rating", r"no column 'conversation_id'; the columns are 'id', 'rating'"),
        ("conversationid,rating", r"--column conversation_id=conversationid"),
        ("'conversation_id',rating", r"""--column 'conversation_id='"'"'conversation_id'"'"''"""),
        ("conversation_id,rating,Rating ", r"column 'rating' is there 2 times"),
        ("conversation_id,score", r"no column 'rating' and no column 'comment'"),
        ('conversation_id,"rating', r"line 1: the header: a double quote is opened"),
    ],
)
def test_a_header_that_cannot_be_used_is_explained(path: Path, header: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(path, f"{header}\na,b,c\n")


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        (b"a", Reason.MALFORMED, "the row has 1 field, the header has 3"),
        (b"a,UP,b,c", Reason.MALFORMED, "the row has 4 fields, the header has 3"),
        (b'a,UP,"b"c', Reason.MALFORMED, "text follows a closing one"),
        (b'a,UP,"b', Reason.MALFORMED, "double quote is not closed"),
        (b"a,UP,caf\xe9", Reason.BAD_BYTES, "byte 0xE9 in column 'comment' is not valid utf-8"),
        (b"a,UP," + b"x" * RECORD_LIMIT, Reason.MALFORMED, "longer than 1,048,576 characters"),
    ],
)
def test_a_bad_line_rejects_itself_and_no_other(
    path: Path, line: bytes, reason: Reason, detail: str
) -> None:
    content = HEADER.encode() + b'1,UP,"one\n"\n' + line + b'\n3,UP,"three"\n4,UP,four\n'
    rows = read(path, content)
    assert [row.conversation_id for row in rows] == ["1", "", "3", "4"]
    assert [row.line for row in rows] == [2, 4, 5, 6]
    assert [row.seq for row in rows] == [1, 2, 3, 4]
    assert rows[1].problem is reason
    assert detail in rows[1].detail


def test_a_quote_that_nobody_closes_costs_one_line(path: Path) -> None:
    rows = read(path, HEADER + 'a,UP,"open\nb,UP,x\nc,UP,y\n')
    assert [row.conversation_id for row in rows] == ["", "b", "c"]
    assert rows[0].detail == "a double quote is opened and never closed"


def test_blank_lines_are_passed_over_but_counted_as_lines(path: Path) -> None:
    rows = read(path, HEADER + "\n\na,UP,\n\r\nb,UP,\n\n")
    assert [(row.seq, row.line) for row in rows] == [(1, 4), (2, 6)]


def test_numbers_and_words_for_nothing_stay_as_they_are(path: Path) -> None:
    rows = read(path, HEADER + 'a,1,00123\nb,1,NA\nc,1,null\nd,1,"  x "\n')
    assert [row.comment for row in rows] == ["00123", "NA", "null", "  x "]


def test_rows_are_given_back_as_they_stood(path: Path) -> None:
    path.write_bytes(b'x;conversation_id;comment\n1;a;"p\r\nq"\n2;b;caf\xe9\n3;c;d;e\n')
    source = CsvSource(path, {})
    found = list(source.originals([1, 2, 3]))
    assert [original.number for original in found] == [1, 2, 3]
    assert found[0].cells == ["1", "a", "p\r\nq"]
    assert found[2].cells == ["3;c;d;e"]
    assert [o.cells[1] for o in source.originals(iter([2]))] == ["b"]


def test_progress_goes_from_nothing_to_all(path: Path) -> None:
    path.write_text(HEADER + "".join(f"{conversation(n)},UP,\n" for n in range(10_000)))
    source = CsvSource(path, {})
    shares = [source.progress() for _ in source.batches(1, 100)]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < 0.2
    assert source.progress() == 1.0
