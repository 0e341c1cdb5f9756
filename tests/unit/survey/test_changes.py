"""What a row takes away from feedback that is stored (docs/reference.md, V8)."""

import pytest

from importer.feedback.body import BodyCoder
from importer.model import Meaning
from importer.survey.changes import Change, changes
from tests.support.data import PRODUCT

CODER = BodyCoder(PRODUCT, "somewhere")
UP, DOWN, CLEAR = Meaning.POSITIVE, Meaning.NEGATIVE, Meaning.CLEAR
FLIPPED, ERASED, COMMENT = Change.RATING_FLIPPED, Change.RATING_ERASED, Change.COMMENT_CHANGED


@pytest.mark.parametrize(
    ("stored", "sent", "expected"),
    [
        ((UP, "a"), (UP, "a"), []),
        ((UP, None), (DOWN, None), [FLIPPED]),
        ((DOWN, None), (UP, None), [FLIPPED]),
        ((UP, "a"), (CLEAR, "a"), [ERASED]),
        ((DOWN, "a"), (None, "a"), [ERASED]),
        ((CLEAR, None), (UP, None), []),
        ((None, "a"), (UP, "a"), []),
        ((UP, "a"), (UP, "b"), [COMMENT]),
        ((UP, "a"), (UP, None), [COMMENT]),
        ((UP, None), (UP, "a"), []),
        ((UP, "a"), (DOWN, "b"), [FLIPPED, COMMENT]),
    ],
)
def test_what_was_there_and_is_not_any_more_is_a_change(
    stored: tuple[Meaning | None, str | None],
    sent: tuple[Meaning | None, str | None],
    expected: list[Change],
) -> None:
    assert changes(CODER(*stored), CODER(*sent)) == expected
