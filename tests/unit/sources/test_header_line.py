"""Which line is said to be the header, where the one that is taken for it is none."""

from __future__ import annotations

import pytest

from importer.errors import InputError
from importer.sources.header_line import Line, better_skip, check_is_header

A, B = (f"e000000{number}-0000-4000-8000-00000000000a" for number in (1, 2))
H = "conversation_id,rating"


def cut(text: str, delimiters: str = ",;") -> list[list[Line]]:
    """Return the lines of a file that hold something, cut at each of the delimiters."""
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line]
    return [[(number, line.split(one)) for number, line in lines] for one in delimiters]


@pytest.mark.parametrize(
    ("text", "skip", "above"),
    [
        (f"conversation_id,the id\nrating,thumbs\n\n{H}\n{A},UP", 0, 3),
        (f"Export\n{H}\n{A},UP\n{H}\n{B},UP", 0, 1),
        (f"{A},UP\nExport\n{H}\n{B},UP", 1, 2),
    ],
    ids=["below what explains it", "more than once", "below a row that is passed over already"],
)
def test_the_header_is_the_first_line_with_the_names_of_the_id_and_of_what_is_sent(
    text: str, skip: int, above: int
) -> None:
    assert better_skip(cut(text), {}, skip) == above


@pytest.mark.parametrize(
    ("text", "skip", "above"),
    [
        (f"Export\nWho,How\n{A},UP", 0, 1),
        (f"Who,How\n{A},UP", 1, 0),
        (f"Who,How\n{A},UP", 5, 0),
        (f"Who,How\n(which),(how good)\n{A},UP", 0, None),
    ],
    ids=["below a title", "passed over", "passed over with all", "above a second line of it"],
)
def test_of_other_names_it_is_above_the_first_id_where_that_holds_more_than_what_is_taken_for_it(
    text: str, skip: int, above: int | None
) -> None:
    assert better_skip(cut(text), {}, skip) == above


@pytest.mark.parametrize(
    ("above", "header"),
    [("How,Who", H), ("How,Who", "rating,conversation_id"), ("Export", "rating,conversation_id")],
)
def test_it_is_in_no_line_below_a_row_which_would_be_lost(above: str, header: str) -> None:
    assert better_skip(cut(f"{above}\nUP,{A}\n{header}\nUP,{B}"), {}, 0) is None


def test_a_row_is_told_by_its_id_and_its_columns_however_else_it_might_be_cut() -> None:
    with pytest.raises(InputError, match=f"line 1 is a row, with the id '{A}'.* its 3 columns"):
        check_is_header("in.csv", cut(f"UP,{A},as in|{B}", "|,;"), {}, 0)


def test_only_names_of_columns_that_a_row_holds_are_to_be_left_out() -> None:
    columns = {"conversation_id": A, "comment": "Text"}
    with pytest.raises(InputError, match=f"Leave out --column conversation_id={A}: a row"):
        check_is_header("in.csv", cut(f"{A},UP"), columns, 0)
