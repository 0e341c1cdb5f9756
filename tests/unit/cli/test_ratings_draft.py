"""The rating table that `check --write-ratings` drafts."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.cli.ratings_draft import write_draft
from importer.errors import SettingsError
from importer.feedback.ratings import RatingTable
from importer.model import Meaning


def test_known_words_keep_their_meaning_and_the_others_are_left_to_the_user(tmp_path: Path) -> None:
    path = tmp_path / "ratings.toml"
    table = RatingTable.parse(["thumbs"])
    words = {"up": 5, " UP": 1, "meh": 3}
    undecided = write_draft(path, words, {word: table.meaning(word) for word in words}, "")
    drafted = RatingTable.parse([str(path)])
    assert undecided == 1
    assert (drafted.meaning("up"), drafted.meaning("meh")) == (Meaning.POSITIVE, None)
    assert '# "meh" = "?"  # 3 rows, to be decided' in path.read_text("utf-8")
    with pytest.raises(SettingsError, match="already exists"):
        write_draft(path, words, {}, "")


@given(st.sets(st.text(st.characters(codec="utf-8"), min_size=1), max_size=8))
def test_any_word_gives_a_valid_table(words: set[str]) -> None:
    path = Path("drafted.toml")
    path.unlink(missing_ok=True)
    write_draft(path, dict.fromkeys(words, 1), dict.fromkeys(words, Meaning.CLEAR), "")
    drafted = RatingTable.parse([str(path)])
    assert all(drafted.meaning(word) is Meaning.CLEAR for word in words)
