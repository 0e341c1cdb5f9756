"""CSV files as other programs write them: what looks like damage and is none, and the reverse."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from importer.errors import InputError, MissingColumnError
from importer.model import Reason, Row
from importer.sources.csv.file import CsvSource
from tests.support.data import conversation

H = "conversation_id,rating,comment"
A, B, C, D = (conversation(number) for number in range(4))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "in.csv"


def source_of(path: Path, content: str | bytes, **options: Any) -> CsvSource:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return CsvSource(path, options.pop("columns", {}), **options)


def rows_of(source: CsvSource) -> list[Row]:
    return [row for batch in source.batches(1, 2) for row in batch]


def read(path: Path, content: str | bytes, **options: Any) -> list[Row]:
    return rows_of(source_of(path, content, **options))


def cells(rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    return [(row.conversation_id, row.rating, row.comment) for row in rows]


def remarks(path: Path, content: str | bytes, **options: Any) -> str:
    source = source_of(path, content, **options)
    rows_of(source)
    return "\n".join(source.remarks())


@pytest.mark.parametrize(
    "lines",
    [
        [f'{A},UP,"good', f"{B},UP,bad", f'{C},UP,my 5"'],
        [f'{A},UP,"good', f'{B},UP,my 5"'],
        [f'{A},"UP,good', "and more", f'{B},UP,5"'],
        [f'"{A},UP,x', f'{{{B.upper()}}},UP,y"', f"{C},UP,"],
        [f'{A},UP,"good', f"{B},UP,bad,,", f'{C},UP,5"'],
        [f'{A},UP,"good', f"{B},UP", f'{C},UP,5"'],
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_that_a_stray_quote_would_swallow_are_read(
    path: Path, lines: list[str], end: str
) -> None:
    rows = read(path, end.join([H, *lines, f"{D},UP,fine", ""]))
    assert rows[0].problem is Reason.MALFORMED
    assert "--trust-quotes" in rows[0].detail
    read_as_rows = [row.conversation_id for row in rows if row.problem is None]
    assert read_as_rows == [line.split(",")[0] for line in lines[1:] if "-" in line] + [D]


def test_quoted_text_is_trusted_unless_a_line_of_it_reads_like_a_row(path: Path) -> None:
    text = f"see {B},\n{B}\nor {B}, UP, x\n{B}, I think"
    assert cells(read(path, f'{H}\n{A},UP,"{text}"\n')) == [(A, "UP", text)]
    quoting = f'{A},UP,"it said:\n{B},UP,x"\n'
    assert [row.comment for row in read(path, f"{H}\n{quoting}", trust_quotes=True)] == [
        f"it said:\n{B},UP,x"
    ]
    assert len(read(path, f"{H}\n{quoting}")) == 2


def test_a_left_over_file_may_quote_lines_that_read_like_rows(path: Path) -> None:
    ours = "job,row,reason,http_status,attempts,detail"
    end = "in-1,1,refused,404,1,404"
    text = f"it said\n{B},UP,x"
    assert cells(read(path, f'{H},{ours}\n{A},UP,"{text}",{end}\n')) == [(A, "UP", text)]
    rows = read(path, f'{H},{ours}\n{A},UP,"x,{end}\n{B},UP,5",{end}\n')
    assert [row.problem for row in rows] == [Reason.MALFORMED, None]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_carriage_return_within_a_line_is_text(path: Path, end: str) -> None:
    content = f'{H}\n{A},UP,one\rtwo\n{B},UP,"three\rfour"\n{C},UP,\r\rfive\n'
    rows = read(path, content.replace("\n", end))
    assert [row.comment for row in rows] == ["one\rtwo", "three\rfour", "\r\rfive"]
    assert [row.line for row in rows] == [2, 3, 4]
    assert [o.cells[2] for o in CsvSource(path, {}).originals([1, 3])] == ["one\rtwo", "\r\rfive"]


def test_empty_cells_at_the_end_may_be_too_many_or_missing(path: Path) -> None:
    content = f"{H},more\n{A},UP,ok,,,\n{B},UP\n{C},UP,ok\n"
    assert cells(read(path, content)) == [(A, "UP", "ok"), (B, "UP", ""), (C, "UP", "ok")]
    assert [o.cells for o in CsvSource(path, {}).originals([1, 2])] == [
        [A, "UP", "ok", ""], [B, "UP", "", ""],
    ]  # fmt: skip
    assert "1 row with too few cells" in remarks(path, content)
    assert not remarks(path, f"{H},ignored\n{A},UP,ok\n")
    rows = read(path, f"{H}\n{A},UP,ok,,more\n{B}\n")
    assert [row.problem for row in rows] == [Reason.MALFORMED] * 2


def test_lines_of_nothing_but_delimiters_are_no_rows(path: Path) -> None:
    content = f'{H},,,\n{A},UP,ok,,,\n,,,,,\n\n,,\n"",, ,,,\n{B},UP,,,,\n,,,,,,,\n,UP,,,,\n'
    rows = read(path, content)
    assert [(row.seq, row.line) for row in rows] == [(1, 2), (2, 7), (3, 9)]
    assert "4 lines of nothing but delimiters" in remarks(path, content)


@pytest.mark.parametrize("start", ["sep=;\r\n", '"sep=;"\r\n', "\ufeffsep=;\r\n", "SEP=;;;\r\n"])
def test_the_line_that_tells_excel_the_delimiter_is_understood(path: Path, start: str) -> None:
    content = start + H.replace(",", ";") + f"\r\n{A};UP;a,b\r\n"
    rows = read(path, content)
    assert cells(rows) == [(A, "UP", "a,b")]
    assert rows[0].line == 3


@pytest.mark.parametrize(
    "above",
    ["Feedback export\nGenerated: today\n\n", "# exported\n", 'One, "more\n', "a;b;c\r\n\r\nx\r\n"],
)
def test_lines_above_the_header_are_found_and_skipped(path: Path, above: str) -> None:
    content = f"{above}{H}\n{A},UP,ok\n"
    number = above.count("\n")
    with pytest.raises(InputError, match=f"line {number + 1}: --skip-lines {number}$"):
        read(path, content)
    rows = read(path, content, skip_lines=number)
    assert cells(rows) == [(A, "UP", "ok")]
    assert rows[0].line == number + 2
    with pytest.raises(InputError, match=f"line {number + 1}: --skip-lines {number}$"):
        read(path, content, skip_lines=number + 1)


@pytest.mark.parametrize("above", ["", "sep=,\n", "Export\n\n"])
def test_a_doubled_column_is_to_be_renamed_and_no_other_line_is_the_better_header(
    path: Path, above: str
) -> None:
    content = f"{above}{H},comment\n{A},UP,ok,\n{H},comment\n{B},UP,ok,\n"
    with pytest.raises(InputError, match=r"Give each a name of its own .* comment=NAME$"):
        read(path, content, skip_lines=above.count("\n") if "Export" in above else 0)
    with pytest.raises(InputError, match=r"Give each a name .* comment=NAME$"):
        read(path, content, skip_lines=content.count("\n") - 2)


@pytest.mark.parametrize("header", ["Who;How;Why", "Who,How,Why", '"Who","How",Why'])
def test_a_header_of_other_names_below_a_title_is_found_by_the_ids_below_it(
    path: Path, header: str
) -> None:
    row = f"{A},UP,ok\n".replace(",", ";" if ";" in header else ",")
    hint = r"line 3: --skip-lines 2$"
    for above in ("Export\n\n", "Export,,\nby us\n"):
        with pytest.raises(InputError, match=hint):
            read(path, f"{above}{header}\n{row}")
    for content in (f"{header}\n{row}", f'"Conv\nUUID",How\n{row}', f"{row}{row}", "a\nb\n"):
        with pytest.raises(InputError) as told:
            read(path, content)
        assert "--skip-lines" not in str(told.value)


@pytest.mark.parametrize("header", ["Who;How;Why", '"Who\nor what";How;Why', H.replace(",", ";")])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "above",
    ["Export;;\n", "Export\n\n", '"Export\nof all"\n', 'Our ""5"\n"All" of it\n"Export\n'],
)
def test_line_breaks_in_quotes_hide_no_header_below_a_title(
    path: Path, above: str, end: str, header: str
) -> None:
    rows = f'{A};UP;"good, that is,\n{B}\nand so on"\n{C};UP;"""so"""\n'
    number = above.count("\n")
    with pytest.raises(InputError, match=f"line {number + 1}: --skip-lines {number}$"):
        read(path, f"{above}{header}\n{rows}".replace("\n", end))


@pytest.mark.parametrize("header", ["Who,How,Why", "conversation_id,How,Why"])
def test_no_rows_are_skipped_for_a_header_that_stands_below_them(path: Path, header: str) -> None:
    with pytest.raises(InputError) as told:
        read(path, f"{header}\n{A},UP,ok\n{H}\n{B},UP,ok\n")
    assert "--skip-lines" not in str(told.value)
    with pytest.raises(InputError, match=r"--skip-lines 2$"):
        read(path, f"Export\nproduct,{A}\n{H}\n{B},UP,ok\n")


@pytest.mark.parametrize(
    "row",
    [
        f"{A},UP,fine",
        f"UP;{{{A.upper()}}};good, quick",
        f'"1\n2"\t{A.replace("-", "")}',
        f"{A}|UP|so; so; it; is",
        f'"{A}","UP","so"'.replace("UP", "Größe"),
    ],
)
@pytest.mark.parametrize("named", [{}, {"conversation_id": A, "rating": "UP"}, {"comment": "x"}])
def test_a_row_is_not_taken_for_the_header_of_a_file_without_one(
    path: Path, row: str, named: dict[str, str]
) -> None:
    for above, skip in (("", 0), ("sep=,\n", 0), ("Export\n\n", 2)):
        content = f"{above}{row}\n{row}\n".encode("cp1252")
        with pytest.raises(InputError, match=r"has no header line: line \d is a row") as told:
            read(path, content, columns=named, skip_lines=skip)
        assert not isinstance(told.value, MissingColumnError), "nothing is left open that is asked"
    with pytest.raises(InputError, match=r"Leave out --column conversation_id=\S+: a row"):
        read(path, f"{A},UP,fine\n", columns={"conversation_id": A})


def test_a_header_with_an_id_among_its_names_is_one_if_it_names_the_column_of_the_id(
    path: Path,
) -> None:
    rows = f"{B},UP,fine,x\n"
    assert cells(read(path, f"{H},{A}\n{rows}")) == [(B, "UP", "fine")]
    named = {"conversation_id": "Who", "comment": A}
    assert cells(read(path, f"Who,rating,Why,{A}\n{rows}", columns=named)) == [(B, "UP", "x")]
    with pytest.raises(InputError, match="--column conversation_id=NAME"):
        read(path, f"Who,rating,comment,{A}\n{rows}")
    with pytest.raises(InputError, match="there is no column 'rating' and no column 'comment'"):
        read(path, f"conversation_id,{A}\n{rows}")


def test_a_title_with_an_id_is_passed_over_and_a_row_above_the_header_is_not(path: Path) -> None:
    with pytest.raises(InputError, match=r"line 1 is no header: .* in line 2: --skip-lines 1$"):
        read(path, f"Product,{A}\n{H}\n{B},UP,ok\n")
    for above in (f"{A},UP,ok\n", f"Export\n{A},UP,ok\n"):
        with pytest.raises(InputError) as told:
            read(path, f"{above}{H}\n{B},UP,ok\n")
        assert "--skip-lines 1" not in str(told.value)
        assert "--skip-lines 2" not in str(told.value)
    with pytest.raises(InputError, match=r"seems to be in line 1: --skip-lines 0$"):
        read(path, f"{H}\n{B},UP,ok\n{A},UP,ok\n", skip_lines=1)


def test_a_header_that_is_repeated_is_no_row(path: Path) -> None:
    content = f"\ufeff{H}\n{A},UP,ok\n\ufeff{H.upper()}\n{B},UP,ok\n{H},,\n"
    rows = read(path, content)
    assert [(row.conversation_id, row.seq, row.line) for row in rows] == [(A, 1, 2), (B, 2, 4)]
    assert "passed over 2 lines that held the header" in remarks(path, content)


@pytest.mark.parametrize("mark", ["\ufeff", "\ufeff\ufeff"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_byte_order_marks_never_hide_the_header(path: Path, mark: str, encoding: str) -> None:
    content = f'{mark}"conversation_id",rating,comment\n{A},UP,ok\n'.encode(encoding)
    source = source_of(path, content, encoding=encoding)
    assert source.header[0] == "conversation_id"
    assert cells(rows_of(source)) == [(A, "UP", "ok")]


def test_null_markers_are_named_and_can_be_emptied(path: Path) -> None:
    content = f"{H}\n{A},UP,NULL\n{B},N/A, nan \n{C},UP,None of it\n{D},UP,\\N\n"
    told = remarks(path, content)
    assert "1 × 'NULL', 1 × ' nan ', 1 × " in told
    assert r"--null NULL --null nan --null '\N'" in told
    rows = read(path, content, nulls=["NULL", "N/A", "nan", "\\N"])
    assert cells(rows) == [(A, "UP", ""), (B, "", ""), (C, "UP", "None of it"), (D, "UP", "")]
    assert [o.cells[2] for o in source_of(path, content).originals([1])] == ["NULL"]


def test_letters_that_were_lost_before_are_told(path: Path) -> None:
    texts = ["Grüße", "SÃO, Â ça", "naïve €", "GrÃ¼ÃŸe", "itâ€™s", "Gr\ufffd\ufffde", "5Â°"]
    content = f"{H}\n" + "".join(f'{A},UP,"{text}"\n' for text in texts)
    assert "4 comments look as if" in remarks(path, content)
    assert ": 'GrÃ¼ÃŸe'." in remarks(path, content)
    assert "as if" not in remarks(path, content.partition(f'{A},UP,"GrÃ')[0])


def test_a_header_alone_is_no_rows_and_a_remark(path: Path) -> None:
    for content in (H, f"{H}\n", f"\ufeff{H}\r\n\r\n,,\r\n"):
        assert read(path, content) == []
        assert "no rows: there is nothing" in remarks(path, content)


@pytest.mark.parametrize(
    ("last", "is_told"),
    [
        (f"{B},UP,This is a gre", True),
        (f"{B},UP,This is a gre\n", False),
        (f'{B},UP,"whole"', False),
        (f"{B},UP,", False),
        (f"{B},UP", True),
        (f"{B},", True),
    ],
)
def test_a_comment_that_may_be_cut_off_is_told(path: Path, last: str, is_told: bool) -> None:
    assert ("no line end" in remarks(path, f"{H}\n{A},UP,ok\n{last}")) is is_told


def test_ids_with_something_invisible_around_them_are_counted(path: Path) -> None:
    content = f"{H}\n {A},UP,\n{B}\u200b,UP,\n\ufeff{C},UP,\n{{{D}}},UP,\n x,UP,\n"
    assert "3 × conversation_id with white space or invisible" in remarks(path, content)
