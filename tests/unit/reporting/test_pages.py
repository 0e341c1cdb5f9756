"""What all pages of HTML have in common."""

import pytest

from importer.reporting.pages import shares_in_words


@pytest.mark.parametrize(
    ("counts", "shares"),
    [
        ([0, 0], ["0 %", "0 %"]),
        ([5, 0], ["100 %", "0 %"]),
        ([1, 1, 1], ["33.4 %", "33.3 %", "33.3 %"]),
        ([2, 1, 3, 1], ["28.6 %", "14.3 %", "42.8 %", "14.3 %"]),
        ([4_999_999, 1], ["> 99.9 %", "< 0.1 %"]),
        ([3, 4_997], ["0.1 %", "99.9 %"]),
    ],
)
def test_shares_add_up_to_a_hundred_and_nothing_that_is_there_is_none(
    counts: list[int], shares: list[str]
) -> None:
    named = dict(zip("abcd", counts, strict=False))
    assert list(shares_in_words(named).values()) == shares
