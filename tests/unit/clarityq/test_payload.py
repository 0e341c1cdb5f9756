"""What is sent for a row."""

import json

import pytest

from importer.clarityq.payload import encode_body
from importer.model import Feedback, Meaning
from tests.support.data import conversation


@pytest.mark.parametrize(
    ("rating", "comment", "body"),
    [
        (Meaning.POSITIVE, None, {"rating": "POSITIVE"}),
        (Meaning.NEGATIVE, "no", {"rating": "NEGATIVE", "comment": "no"}),
        (Meaning.CLEAR, None, {"rating": None}),
        (None, '"NA"\n\x00\u202e👍', {"comment": '"NA"\n\x00\u202e👍'}),
    ],
)
def test_the_body_has_just_the_keys_that_are_set(
    rating: Meaning | None, comment: str | None, body: dict[str, object]
) -> None:
    assert json.loads(encode_body(Feedback(1, conversation(1), rating, comment))) == body
