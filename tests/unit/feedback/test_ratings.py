"""The rating table: presets, words, and files."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from importer.errors import SettingsError
from importer.feedback.ratings import RatingTable, preset_for
from importer.model import Meaning
from importer.settings import ImportSettings

TEN = [f"{number}={'POSITIVE' if number > 3 else 'NEGATIVE'}" for number in range(1, 11)]


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


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ([], []),
        (["stars"], ["stars"]),
        (["3=CLEAR", "stars"], ["stars", "3=CLEAR"]),
        (["a=b=POSITIVE", "positive=SKIP"], ["positive=SKIP", "a=b=POSITIVE"]),
        (["stars", "5=NEGATIVE"], ["stars", "5=NEGATIVE"]),
        (["6=SKIP", "stars"], ["stars", "6=SKIP"]),
        (["thumbs", "2=SKIP"], ["thumbs", "2=SKIP"]),
        (TEN, TEN),
    ],
)
def test_a_table_tells_the_parts_that_it_is_made_of_again(
    parts: list[str], told: list[str], settings_for: Callable[..., ImportSettings]
) -> None:
    table = RatingTable.parse(parts)
    assert table.parts() == told
    assert RatingTable.parse(told) == table
    recorded = settings_for(Path("a.csv"), ratings=parts).as_record()
    again = ImportSettings.of(**json.loads(json.dumps(recorded)))
    assert again.mapping.ratings == table


def test_a_table_that_cannot_be_read_is_explained() -> None:
    for part, message in [("3=MAYBE", "it can be POSITIVE"), ("none.toml", "No such file")]:
        with pytest.raises(SettingsError, match=message):
            RatingTable.parse([part])


@pytest.mark.parametrize(
    ("preset", "positive", "negative", "unknown"),
    [
        (
            "stars",
            ["5.0", "5,0", "5.00", "5,00", "4.000", "5.0e+00", "5/5", "4 / 5", "4.0/5", "4 stars",
             "5 STARS", "4★", "★★★★☆", "★★★★★", "⭐⭐⭐⭐", "⭐️⭐️⭐️⭐️⭐️", "5 out of 5",
             "4.0 out of 5 stars", "4/5 stars",
             "\u200b5\u00a0"],
            ["1.0", "2,0", "1/5", "1 star", "★☆☆☆☆", "★★"],
            ["4.5", "4,5", "5,000", "4.5/5", "4/10", "10", "50", "5.0.0", "★★★★★★", "★★★★☆☆",
             "☆☆☆☆☆", "3", "3.0", "3/5", "-5", "+5", "+1.0", "5 thumbs", "٥", "5/", "4 - 5"],
        ),
        (
            "thumbs",
            ["1.0", "1,0", "+1.0", "1.000"], ["0.0", "-0.0", "0,00", "-1.0"],
            ["0.5", "1 star", "1/5", "★", "2.0", "+0.0"],
        ),
    ],
)  # fmt: skip
def test_a_number_is_known_in_its_other_spellings_and_nothing_is_guessed(
    preset: str, positive: list[str], negative: list[str], unknown: list[str]
) -> None:
    table = RatingTable.parse([preset])
    assert {word: table.meaning(word) for word in positive} == dict.fromkeys(
        positive, Meaning.POSITIVE
    )
    assert {word: table.meaning(word) for word in negative} == dict.fromkeys(
        negative, Meaning.NEGATIVE
    )
    assert {word: table.meaning(word) for word in unknown} == dict.fromkeys(unknown)


@pytest.mark.parametrize(
    ("parts", "other", "spellings"),
    [
        (["stars", "6=SKIP"], "6.0", ["5/5", "4 stars", "★★★★★", "4.0"]),
        (["6=NEGATIVE", "10=POSITIVE", "stars"], "10", ["5/5", "4 stars", "★★★★★", "4.0"]),
        (["stars", "★★★=SKIP", "0=SKIP", "★★★★★=POSITIVE"], "0.0", ["5/5", "4★", "4.0"]),
        (["stars", "odd.toml"], "6/5", ["5/5", "4 stars", "★★★★★", "4.0"]),
        (["stars", "thumbs"], "up", ["5/5", "4 stars", "1/5"]),
        (["thumbs", "2=SKIP", "odd.toml"], "6,0", ["1.0", "+1,0", "👍🏽"]),
    ],
)
def test_a_word_that_is_added_takes_no_spelling_away(
    parts: list[str], other: str, spellings: list[str]
) -> None:
    Path("odd.toml").write_text('"6" = "SKIP"\n', "utf-8")
    table = RatingTable.parse(parts)
    assert table.meaning(other) is not None
    assert {word: table.meaning(word) for word in spellings} == dict.fromkeys(
        spellings, Meaning.POSITIVE
    )


def test_a_word_of_the_table_wins_over_its_spelling_and_a_scale_of_ten_has_no_stars() -> None:
    own = RatingTable.parse(["stars", "5.0=SKIP", "3=CLEAR"])
    assert own.meaning("5.0") is Meaning.SKIP
    assert own.meaning("3/5") is own.meaning("★★★") is Meaning.CLEAR
    ten = RatingTable({str(n): Meaning.POSITIVE for n in range(1, 11)})
    assert ten.meaning("4.0") is Meaning.POSITIVE
    assert ten.meaning("4/5") is None


@pytest.mark.parametrize(
    ("words", "preset"),
    [
        (["1", "2", "3", "4", "5"], "stars"),
        (["0", "0.5", "1", "1.5", "2", "2.5", "3", "3.5", "4", "4.5", "5"], "stars"),
        (["0", "1", "2", "3", "4", "5"], "stars"),
        (["4.5/5", "3/5", "5/5", "3 stars", "★★★☆☆", "2,5"], "stars"),
        (["0", "1"], "thumbs"),
        (["up", "down", "?"], "thumbs"),
        (["up", "down", "?", "NULL", "-", "n/a"], "thumbs"),
        (["NULL", "-"], None),
        ([str(number) for number in range(11)], None),
        ([str(number) for number in range(1, 8)], None),
        (["-2", "-1", "1", "2"], None),
        (["good", "bad"], None),
        ([], None),
    ],
)
def test_a_preset_is_proposed_where_the_words_lie_on_its_scale(
    words: list[str], preset: str | None
) -> None:
    assert preset_for(words) == preset
