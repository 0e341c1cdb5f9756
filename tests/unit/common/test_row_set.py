"""A set of row numbers."""

from importer.common.row_set import RowSet


def test_it_holds_what_was_added() -> None:
    rows, numbers = RowSet(), {1, 7, 8, 9, 1_000_003}
    for number in numbers:
        rows.add(number)
    near = {number + step for number in numbers for step in (-1, 0, 1)}
    assert {number for number in near if number in rows} == numbers
    assert rows.count == len(numbers)
    assert 10**9 not in rows
