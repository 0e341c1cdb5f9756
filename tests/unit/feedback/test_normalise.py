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
    ("cells", "looks_like"),
    [
        (("Total", "", ""), "a total: remove it"), (("Grand total:", "4.2", "1,234"), "a total"),
        (("Summe", "NEGATIVE", ""), "a total"), (("Total", "", "Too slow."), ""),
        (('{"ImportId":"_recordId"}', '{"ImportId":"QID1"}', ""), "a second header"),
        (("Response ID", "How was it?", "And why?"), "a second header: if it is one, remove it"),
        (("conversation_id", "Stars", ""), "a second header"),
        (("uuid", "NEGATIVE", ""), ""), (("ticket id 7", "odd", ""), ""),
        (("uuid-5", "odd", ""), ""), (("id of my own", "", "x"), ""), (("12345", "", "x"), ""),
        (("totally wrong", "", "x"), ""), (("Total, all rows", "", ""), ""),
    ],
)  # fmt: skip
def test_a_line_that_is_no_data_is_told_and_one_that_holds_feedback_is_not_called_so(
    cells: tuple[str, str, str], looks_like: str
) -> None:
    rejected = Normaliser(RatingTable())(Row(1, *cells))
    assert isinstance(rejected, Outcome)
    assert rejected.reason is Reason.BAD_CONVERSATION_ID
    told = f"is not a UUID; the line looks like {looks_like}" if looks_like else "is not a UUID"
    assert told in rejected.detail
    assert ("looks like" in rejected.detail) is bool(looks_like)


@pytest.mark.parametrize(
    ("cell", "is_whole"),
    [
        (f"{ID},POSITIVE,fine", True), (f'"{ID.upper()}";5', True), (f"up | {ID}", True),
        (f"{ID} and more, or less", False), (f"see {ID[:-1]},", False), (f"{ID}{ID}", False),
    ],
)  # fmt: skip
def test_a_whole_row_in_the_cell_of_the_id_is_told(cell: str, is_whole: bool) -> None:
    rejected = Normaliser(RatingTable())(Row(1, cell, "", ""))
    assert isinstance(rejected, Outcome)
    assert ("it holds a whole row" in rejected.detail) is is_whole


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
