"""What is counted of the inputs, and of what a job would change."""

import json

from importer.common.row_set import RowSet
from importer.model import Meaning, Reason
from importer.survey.changes import Change
from importer.survey.findings import Example, Findings, Understanding, Word
from importer.survey.plan import Plan


def test_valid_rows_are_counted_by_what_they_set_the_rating_to() -> None:
    found = Findings()
    found.note_meanings({Meaning.POSITIVE: 3, Meaning.NEGATIVE: 2, Meaning.CLEAR: 4, None: 1})
    found.note_meaning(Meaning.POSITIVE)
    assert (found.positive, found.negative, found.cleared, found.comment_only) == (4, 2, 4, 1)
    assert found.valid == 11


def test_the_words_of_ratings_are_counted_and_the_most_frequent_come_first() -> None:
    found = Findings()
    for word, times in (("up", 2), ("meh", 9), ("down", 5), ("up", 3)):
        found.note_word(word, None, times)
    found.sort_words()
    assert [(word, one.rows) for word, one in found.words.items()] == [
        ("meh", 9),
        ("down", 5),
        ("up", 5),
    ]
    found.note_word("x" * 100, Meaning.POSITIVE)
    assert found.words["x" * 80] == Word(1, Meaning.POSITIVE)


def test_no_more_than_a_thousand_words_are_told_apart() -> None:
    found = Findings()
    for number in range(1001):
        found.note_word(f"word {number}", None)
    found.note_word("word 0", None)
    found.note_word("another", None, 4)
    assert (len(found.words), found.other_words) == (1000, 5)


def test_findings_come_back_from_their_json() -> None:
    found = Findings(rows=10, valid=1, skipped=2, words={"up": Word(3, Meaning.POSITIVE)})
    found.inputs = [Understanding("\udcff.csv", "csv", ",", "utf-8", {"rating": "Stars"}, [])]
    problem = found.note_problem(Reason.MALFORMED)
    problem.examples.append(Example("\udcff.csv", 1, 2, "too many"))
    found.note_problem(Reason.MALFORMED)
    assert found.as_json()["rejected"] == 2
    assert Findings.of_json(json.dumps(found.as_json())) == found
    before = found.has_left_overs
    found.inputs.append(Understanding("b.csv", "csv", ",", "utf-8", {"job": "job"}, []))
    assert (before, found.has_left_overs) == (False, True), "one of them is"
    said = "<Findings: 10 rows: 1 can be sent, 2 would be rejected, 2 skipped>"
    assert repr(found) == said


def test_what_a_job_takes_away_is_counted_by_conversation_and_a_few_are_named() -> None:
    plan = Plan({Reason.SAME_AS_STORED: RowSet([1, 2]), Reason.LATER_ROW: RowSet([5])}, to_send=9)
    for number in range(7):
        plan.note_changes([Change.RATING_FLIPPED], f"conversation {number}")
    plan.note_changes([Change.RATING_ERASED, Change.COMMENT_CHANGED], "another")
    assert (plan.unchanged, plan.changed, Plan({}).unchanged) == (2, 8, 0)
    found = plan.as_json()
    assert found["to_send"] == 9
    assert [found[str(change)] for change in Change] == [7, 1, 1]
    assert found["examples"][Change.RATING_FLIPPED] == [f"conversation {n}" for n in range(5)]
    assert found["examples"][Change.COMMENT_CHANGED] == ["another"]
    assert found["not_sent"] == {Reason.SAME_AS_STORED: 2, Reason.LATER_ROW: 1}
