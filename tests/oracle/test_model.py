"""The judge itself: a model that allows too much would find nothing."""

from __future__ import annotations

import pytest

from tests.oracle.answers import Feedback
from tests.oracle.drive import conversation
from tests.oracle.model import NOTHING, Brought, Model, exit_code
from tests.oracle.requests import Request

ONE = conversation(1)
OLD, NEW = ("POSITIVE", "old"), ("NEGATIVE", "new")


def put(feedback: tuple[str, str], answered: str) -> Request:
    """Return a PUT for the one conversation."""
    body = dict(zip(("rating", "comment"), feedback, strict=True))
    return Request(0, 0.0, 1, "PUT", "", "", ONE, body, 1, answered)


def model(old: str, new: str, *log: Request, given_up: bool = False) -> Model:
    """Return a model of two jobs, with the outcomes that they gave to their rows."""
    rows = [Brought((1, 1), 1, ONE, OLD, old), Brought((2, 2), 1, ONE, NEW, new, given_up=given_up)]
    for row in rows:
        row.sent = [put for put in log if put.feedback == row.feedback]
    return Model(rows)


def complaints(judge: Model, holds: Feedback, *, all_ended: bool = True) -> list[str]:
    """Return what the model says of a service that holds this for the conversation."""
    return list(judge.complaints({ONE: holds}, all_ended=all_ended))


def test_only_the_highest_row_that_is_set_is_allowed() -> None:
    judge = model("succeeded", "succeeded", put(OLD, "200"), put(NEW, "200"))
    assert judge.allowed(ONE) == {NEW}
    assert complaints(judge, OLD)
    assert complaints(judge, NEW) == []


def test_a_refused_row_leaves_the_one_before_and_nothing_else() -> None:
    judge = model("succeeded", "failed", put(OLD, "200"), put(NEW, "422"))
    assert judge.allowed(ONE) == {OLD}


@pytest.mark.parametrize("answered", ["503", "reset", "silence", "200"])
def test_a_row_in_doubt_above_the_one_that_is_set_is_allowed_as_well(answered: str) -> None:
    judge = model("succeeded", "failed", put(OLD, "200"), put(NEW, answered))
    assert judge.allowed(ONE) == {OLD, NEW}


def test_a_row_in_doubt_below_the_one_that_is_set_is_not_allowed() -> None:
    judge = model("failed", "succeeded", put(OLD, "reset"), put(NEW, "200"))
    assert judge.allowed(ONE) == {NEW}


def test_what_nobody_set_holds_nothing_and_claims_need_an_answer() -> None:
    assert model("failed", "failed", put(OLD, "422")).allowed(ONE) == {NOTHING}
    claims = model("superseded", "succeeded", put(NEW, "422"))
    assert any("succeeded, but" in complaint for complaint in complaints(claims, NEW))


def test_rows_that_are_not_settled_are_complained_about_once_all_jobs_have_ended() -> None:
    judge = model("succeeded", "superseded", put(OLD, "200"))
    assert complaints(judge, OLD)
    assert complaints(judge, OLD, all_ended=False) == []


def test_a_row_that_was_given_up_need_not_be_settled_but_may_have_got_further() -> None:
    assert complaints(model("succeeded", "pending", put(OLD, "200"), given_up=True), OLD) == []
    sent = model("succeeded", "pending", put(OLD, "200"), put(NEW, "reset"), given_up=True)
    assert sent.allowed(ONE) == {OLD, NEW}
    assert complaints(model("pending", "pending", given_up=True), NOTHING)


def test_a_row_that_was_carried_over_is_settled_by_the_job_that_took_it() -> None:
    left = Brought((1, 1), 1, ONE, OLD, "pending")
    taken = Brought((1, 1), 1, ONE, OLD, "succeeded", sent=[put(OLD, "200")])
    assert complaints(Model([left, taken]), OLD) == []
    assert complaints(Model([left]), NOTHING)


@pytest.mark.parametrize(
    ("end", "outcomes", "code"),
    [
        ("finished", {"succeeded": 1, "superseded": 1, "unchanged": 1, "skipped": 1}, 0),
        ("finished", {"failed": 1, "not_completed": 1}, 1),
        ("finished", {"not_completed": 1}, 5),
        ("canary", {"pending": 5}, 3),
        ("time_box", {"pending": 5}, 6),
        ("sigterm", {"pending": 5}, 143),
    ],
)
def test_the_exit_code_follows_from_the_end_and_the_outcomes(
    end: str, outcomes: dict[str, int], code: int
) -> None:
    assert exit_code(end, outcomes) == code
