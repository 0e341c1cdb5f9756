"""From a row to feedback, by the table in docs/reference.md."""

import pytest

from importer.feedback.normalise import COMMENT_LIMIT, Normaliser
from importer.feedback.ratings import RatingTable
from importer.model import Feedback, Meaning, Outcome, OutcomeKind, Reason, Row
from tests.support.data import conversation

ID = conversation(1)


def normalised(
    rating: str = "", comment: str = "", *, ratings: tuple[str, ...] = (), truncate: bool = False
) -> Feedback | Outcome:
    table = RatingTable.parse(ratings)
    return Normaliser(table, truncate_comments=truncate)(Row(1, ID, rating, comment))


@pytest.mark.parametrize(
    "text",
    ["", " ", "12345", ID[:-1], ID + "0", "{" + ID, ID.replace("-", "", 1),
     f"urn:uuid:{{{ID}}}", ID.replace("0", "٠"), "g" * 32],
)  # fmt: skip
def test_anything_else_is_no_id(text: str) -> None:
    result = Normaliser(RatingTable())(Row(1, text, "POSITIVE", ""))
    assert isinstance(result, Outcome)
    assert (result.kind, result.reason) == (OutcomeKind.REJECTED, Reason.BAD_CONVERSATION_ID)


@pytest.mark.parametrize(
    ("rating", "meaning"),
    [
        ("POSITIVE", Meaning.POSITIVE),
        (" negative ", Meaning.NEGATIVE),
        ("Clear", Meaning.CLEAR),
    ],
)
def test_the_words_of_the_api_are_known_in_any_case(rating: str, meaning: Meaning) -> None:
    assert normalised(rating) == Feedback(1, ID, meaning, None)


@pytest.mark.parametrize("rating", ["up", "5", "👍", "null", "NA", "true"])
def test_no_other_word_is_guessed(rating: str) -> None:
    result = normalised(rating, "a comment")
    assert isinstance(result, Outcome)
    assert result.reason is Reason.UNKNOWN_RATING
    assert repr(rating) in result.detail


def test_a_later_part_of_the_table_wins() -> None:
    skipped = normalised("3", "so so", ratings=("stars", "3=POSITIVE", "3=skip"))
    assert isinstance(skipped, Outcome)
    assert skipped.kind is OutcomeKind.SKIPPED
    assert normalised("a=b", ratings=("a=b=NEGATIVE",)) == Feedback(1, ID, Meaning.NEGATIVE, None)


@pytest.mark.parametrize(
    "comment",
    ["NA", "null", "00123", '"', "two\r\nlines", "👍" * COMMENT_LIMIT, "=1+1", "\x00", " \u202e x"],
)
def test_a_comment_is_sent_exactly_as_it_is(comment: str) -> None:
    assert normalised("", comment) == Feedback(1, ID, None, comment)


@pytest.mark.parametrize(
    ("cell", "looks_like"),
    [
        ("Total", "a total"), ("Grand total:", "a total"), ("Summe", "a total"),
        ('{"ImportId":"_recordId"}', "a second header"), ("Response ID", "a second header"),
        ("conversation_id", "a second header"), ("12345", ""), ("totally wrong", ""),
    ],
)  # fmt: skip
def test_a_line_that_is_no_data_is_told(cell: str, looks_like: str) -> None:
    rejected = Normaliser(RatingTable())(Row(1, cell, "POSITIVE", ""))
    assert isinstance(rejected, Outcome)
    assert rejected.reason is Reason.BAD_CONVERSATION_ID
    assert rejected.detail.endswith(f"looks like {looks_like}: remove it" if looks_like else "UUID")


@pytest.mark.parametrize("comment", ["", " ", "\n\t ", "\u00a0", "\u200b", "\ufeff "])
def test_a_blank_comment_is_left_out(comment: str) -> None:
    assert normalised("POSITIVE", comment) == Feedback(1, ID, Meaning.POSITIVE, None)
    nothing = normalised(" ", comment)
    assert isinstance(nothing, Outcome)
    assert nothing.reason is Reason.NOTHING_TO_SEND


def test_a_long_comment_is_rejected_or_cut() -> None:
    long = "é" * (COMMENT_LIMIT + 1)
    rejected = normalised("POSITIVE", long)
    assert isinstance(rejected, Outcome)
    assert "2,001 characters" in rejected.detail
    assert normalised("POSITIVE", long, truncate=True) == Feedback(
        1, ID, Meaning.POSITIVE, long[:-1], truncated=True
    )
