"""What `check` finds out."""

from collections.abc import Callable
from pathlib import Path

import pytest

from importer.feedback.ratings import RatingTable
from importer.model import Meaning, Reason
from importer.settings import ImportSettings, LongComments
from importer.survey import superseded
from importer.survey.findings import Repeated, Word
from importer.survey.spill import Spill
from importer.workflows.check_inputs import check_inputs
from tests.support.data import conversation, write_csv

Make = Callable[..., ImportSettings]


def test_every_row_is_counted_once_with_examples(tmp_path: Path, settings_for: Make) -> None:
    rows = [
        (conversation(1), "up", "two\nlines"),
        (conversation(2), "", "words only"),
        (conversation(3), "meh", ""),
        (conversation(4), "skip me", ""),
        (conversation(5), "up", "x" * 2001),
        *[("bad", "up", "")] * 7,
    ]
    path = write_csv(tmp_path / "in.csv", rows)
    ratings = RatingTable.parse(["thumbs", "skip me=SKIP"])
    found = check_inputs(settings_for(path, ratings=ratings))

    assert found.rows == 12
    assert (found.valid, found.skipped, found.rejected) == (2, 1, 9)
    bad = found.problems[Reason.BAD_CONVERSATION_ID]
    assert (bad.rows, len(bad.examples)) == (7, 5)
    assert (bad.examples[0].row, bad.examples[0].line) == (6, 8)
    assert found.words == {
        "up": Word(2, Meaning.POSITIVE), "meh": Word(1, None), "skip me": Word(1, Meaning.SKIP),
    }  # fmt: skip
    assert (found.comment_only, found.rating_only, found.long_comments) == (1, 0, 1)

    cut = check_inputs(settings_for(path, ratings=ratings, long_comments=LongComments.TRUNCATE))
    assert cut.valid == 3


@pytest.mark.parametrize("few", [64, 1_000_000])
def test_repeated_conversations_are_found_in_memory_and_on_disk(
    tmp_path: Path, settings_for: Make, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(superseded, "FEW", few)
    monkeypatch.setattr(Spill, "MOST", few)
    numbers = [*range(1000), *range(10), *range(10), 3]
    rows = [(conversation(number), "POSITIVE", "") for number in numbers]
    found = check_inputs(settings_for(write_csv(tmp_path / "in.csv", rows)))
    assert found.conversations == 1000
    assert found.repeated_conversations == 10
    assert found.superseded == 21
    assert found.repeated_examples[0] == Repeated(conversation(3), 4)


def test_rows_of_several_inputs_are_told_apart(tmp_path: Path, settings_for: Make) -> None:
    first = write_csv(tmp_path / "a.csv", [(conversation(1), "POSITIVE", "")])
    second = write_csv(tmp_path / "b.csv", [(conversation(1), "POSITIVE", ""), ("x", "", "")])
    found = check_inputs(settings_for(first, second))
    (example,) = found.problems[Reason.BAD_CONVERSATION_ID].examples
    assert (example.file, example.row) == (str(second), 2)
    assert found.superseded == 1
