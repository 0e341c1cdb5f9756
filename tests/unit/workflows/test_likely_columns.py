"""What stands in a column tells which field it may hold."""

import pytest

from importer.workflows.likely_columns import may_hold_comment, may_hold_rating, reads_like_rating


@pytest.mark.parametrize(
    ("cells", "may_be_rating", "reads_like", "may_be_comment"),
    [
        (["5", "4.0", "5/5", "", "NULL"], True, True, False),
        (["up", "👎", "no"], True, True, False),
        (["positive", "NEGATIVE"], True, True, False),
        (["true", "no", "0", "1"], True, False, False),  # of any question
        (["1", "2", "3", "4", "5"], True, False, False),  # of rows, or of stars
        (["0", "7", "10", "9"], True, False, False),  # of a scale that no preset has
        (["4711", "815", "9" * 5000], False, False, False),
        (["2026-01-05", "5.4.2026", "05/04/26 10:00", "20260105T1000"], False, False, False),
        (["fine", "5 of us liked it", "up to 2026"], True, False, True),
        (["00000000-0000-4000-8000-000000000001"], False, False, False),
        ([], True, False, True),
    ],
)
def test_what_stands_in_a_column_tells_what_it_may_hold(
    cells: list[str], may_be_rating: bool, reads_like: bool, may_be_comment: bool
) -> None:
    assert may_hold_rating(cells) is may_be_rating
    assert reads_like_rating(cells) is reads_like
    assert may_hold_comment(cells) is may_be_comment
