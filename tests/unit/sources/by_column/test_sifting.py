"""What is told by column, against what the normaliser says of each row."""

from collections.abc import Sequence

from importer.feedback.normalise import Normaliser
from importer.feedback.ratings import RatingTable
from importer.model import Feedback
from importer.sources.base import Questions
from importer.sources.by_column.part import ColumnBlock
from importer.sources.by_column.sifting import texts
from importer.sources.by_column.text_columns import strings
from importer.sources.noticed import Noticed
from tests.support.data import conversation
from tests.support.parts import all_rows

TABLE = RatingTable.parse(["thumbs", "odd=SKIP"])


def block(ids: Sequence[str], ratings: Sequence[str], comments: Sequence[str]) -> ColumnBlock:
    columns = [strings(ids), strings(ratings), strings(comments)]
    return ColumnBlock(1, columns, Noticed())


def agrees(part: ColumnBlock) -> bool:
    normalise = Normaliser(TABLE)
    row_by_row = [normalise(row) for row in all_rows([part])]
    sendable = sum(isinstance(item, Feedback) for item in row_by_row)
    survey = part.survey(Questions(TABLE))
    others = [row_by_row[place] for place in survey.others]
    return (
        part.feedback(normalise) == row_by_row
        and survey.sure == sendable - sum(isinstance(item, Feedback) for item in others)
        and len(survey.ids) == 16 * survey.sure
    )


def test_every_character_counts_as_white_space_or_not_as_for_str() -> None:
    signs = [chr(n) for n in range(0x11000) if not 0xD800 <= n < 0xE000]
    assert agrees(block([conversation(1)] * len(signs), [""] * len(signs), signs))


def test_comments_are_measured_in_code_points() -> None:
    comments = [sign * n for sign in "xé回🙏" for n in (500, 501, 1000, 1001, 1999, 2000, 2001)]
    part = block([conversation(1)] * len(comments), ["up"] * len(comments), comments)
    assert agrees(part)
    assert part.survey(Questions(TABLE)).long_comments == 4


def test_only_an_id_that_is_a_uuid_is_sure() -> None:
    who = conversation(1)
    ids = [who[:at] + sign + who[at + 1 :] for at in range(36) for sign in "-gG@`/:0aAfF\x00é "]
    ids += ["", who, who.upper(), who.replace("-", ""), "{" + who + "}", who + " ", who * 2]
    assert agrees(block(ids, ["up"] * len(ids), [""] * len(ids)))


def test_a_part_of_a_column_is_read_as_that_part() -> None:
    words = ["", "a", "é", "回答", "", "🙏🙏", "plain"]
    column = strings(words)
    for start in range(len(words)):
        assert texts(column[start:]) == words[start:]
        assert texts(column[: start + 1]) == words[: start + 1]


def test_words_are_counted_in_the_rows_that_are_sure() -> None:
    ratings = ["up", "odd", " ", "what", "up", "", "odd"]
    part = block([conversation(1)] * 7, ratings, ["fine"] * 7)
    assert list(part.survey(Questions(TABLE)).words.items()) == [("up", 2)]
