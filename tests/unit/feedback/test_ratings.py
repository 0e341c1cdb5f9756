"""The rating table: presets, words, and files."""

import pytest

from importer.errors import SettingsError
from importer.feedback.ratings import RatingTable
from importer.model import Meaning


@pytest.mark.parametrize(
    ("preset", "positive", "negative"),
    [
        ("thumbs", ["👍", "👍🏽", "Up", "LIKE", "true", "yes", "1", "+1"],
         ["👎", "👎️", "down", "dislike", "False", "no", "0", "-1"]),
        ("stars", ["4", "5"], ["1", "2"]),
    ],
)  # fmt: skip
def test_presets_know_their_words(preset: str, positive: list[str], negative: list[str]) -> None:
    table = RatingTable.parse([preset])
    assert {table.meaning(word) for word in positive} == {Meaning.POSITIVE}
    assert {table.meaning(word) for word in negative} == {Meaning.NEGATIVE}
    assert table.meaning("3") is None


def test_a_table_that_cannot_be_read_is_explained() -> None:
    for part, message in [("3=MAYBE", "it can be POSITIVE"), ("none.toml", "No such file")]:
        with pytest.raises(SettingsError, match=message):
            RatingTable.parse([part])
