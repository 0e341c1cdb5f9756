"""The judge of undos itself: one that allows too much would find nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.oracle.answers import Feedback
from tests.oracle.drive import conversation
from tests.oracle.known import Known, Taken
from tests.oracle.model import NOTHING, Brought
from tests.oracle.record import Begun, Fate
from tests.oracle.requests import Request
from tests.oracle.service import Service
from tests.oracle.taken import Takings

ONE = conversation(1)
BARE, TOLD, NEW = ("POSITIVE", None), ("POSITIVE", "told"), ("NEGATIVE", "new")


@pytest.fixture
def silent() -> Iterator[Service]:
    """Return a service that nobody asks."""
    service = Service()
    yield service
    service._loop.close()


def job(number: int, feedback: Feedback, outcome: str, answered: str = "200") -> Begun:
    """Return a job with one row, which was sent and got this answer."""
    row = Brought((number, number), 1, ONE, feedback, outcome)
    row.sent = [Request(number, 0.0, 1, "PUT", "", "", ONE, {}, 1, answered)] if answered else []
    begun = Begun(number, 0, f"job {number}", (), [row], fate=Fate.ENDED)
    if outcome != "pending":
        line = {"file": "", "row": "1", "outcome": outcome, "reason": "", "conversation_id": ONE}
        begun.exported = [line]
    return begun


def complaints(
    service: Service, jobs: list[Begun], sent: Feedback | None, *, clears: bool = False
) -> list[str]:
    """Return what is said of an undo of the last but one job, or the last, that sent this."""
    target = next(job for job in jobs if job.number == 3)
    taken = Taken(target, [Known.of(job) for job in jobs], 9, clears)
    if sent is not None:
        taken.undo = Begun(9, -1, "undo", (), [Brought((3, 9), 1, ONE, sent)], undoes=target)
    return Takings(jobs, [taken], service).complaints()


def agreed(service: Service, jobs: list[Begun], *, clears: bool) -> set[Feedback | None]:
    """Return what an undo may send of all that it might."""
    every = (BARE, TOLD, NEW, NOTHING, None)
    return {sent for sent in every if not complaints(service, jobs, sent, clears=clears)}


def hold(service: Service, feedback: Feedback) -> None:
    """Let the service have held this before the third job."""
    service._hold(
        Request(
            0, 0.0, 1, "PUT", "", "", ONE, dict(zip(("rating", "comment"), feedback, strict=True))
        )
    )


def test_a_rating_is_restored_and_a_comment_only_where_it_was_kept(silent: Service) -> None:
    hold(silent, BARE)
    assert agreed(silent, [job(1, BARE, "succeeded"), job(3, NEW, "succeeded")], clears=True) == {
        BARE
    }
    first = job(1, TOLD, "succeeded")
    assert agreed(silent, [first, job(3, NEW, "succeeded")], clears=False) == {None}
    assert agreed(silent, [first, job(3, NEW, "succeeded")], clears=True) == {NOTHING}
    first.keeps = True
    hold(silent, TOLD)
    assert agreed(silent, [first, job(3, NEW, "succeeded")], clears=True) == {TOLD}
    first.dropped_at = 5
    assert agreed(silent, [first, job(3, NEW, "succeeded")], clears=True) == {NOTHING}


@pytest.mark.parametrize("between", ["in doubt", "pruned"])
def test_nothing_is_restored_across_a_row_in_doubt_or_a_job_that_is_gone(
    silent: Service, between: str
) -> None:
    second = job(2, NEW, "failed", "503")
    second.here = between == "in doubt"
    jobs = [job(1, BARE, "succeeded"), second, job(3, NEW, "succeeded")]
    assert agreed(silent, jobs, clears=False) == {None}
    assert agreed(silent, jobs, clears=True) == {NOTHING}


@pytest.mark.parametrize("outcome", ["succeeded", "failed", "not_completed", "unchanged"])
def test_a_conversation_that_a_later_job_has_settled_is_left(silent: Service, outcome: str) -> None:
    jobs = [job(1, BARE, "succeeded"), job(3, NEW, "succeeded"), job(4, TOLD, outcome, "")]
    assert agreed(silent, jobs, clears=True) == {None}


def test_of_an_earlier_undo_only_what_it_has_set_counts(silent: Service) -> None:
    hold(silent, BARE)
    jobs = [job(1, BARE, "succeeded"), job(3, NEW, "succeeded"), job(4, BARE, "pending", "503")]
    jobs[2].undoes, jobs[2].fate = jobs[1], Fate.GIVEN_UP
    assert agreed(silent, jobs, clears=False) == {BARE}
    jobs[2] = job(4, BARE, "succeeded")
    jobs[2].undoes = jobs[1]
    assert agreed(silent, jobs, clears=False) == {None}


@pytest.mark.parametrize(
    ("outcome", "answered", "allowed"),
    [
        ("failed", "503", {BARE}),
        ("pending", "200", {BARE}),
        ("failed", "422", {None}),
        ("unchanged", "", {None}),
        ("not_completed", "409", {None}),
    ],
)
def test_what_the_job_did_not_store_is_left_and_what_is_in_doubt_is_not(
    silent: Service, outcome: str, answered: str, allowed: set[Feedback | None]
) -> None:
    hold(silent, BARE)
    jobs = [job(1, BARE, "succeeded"), job(3, NEW, outcome, answered)]
    assert agreed(silent, jobs, clears=False) == allowed


def test_what_was_forgotten_is_neither_sent_nor_restored(silent: Service) -> None:
    jobs = [job(1, BARE, "succeeded"), job(3, NEW, "succeeded")]
    jobs[0].forgotten[ONE] = (2, 1)
    assert agreed(silent, jobs, clears=True) == {NOTHING}
    jobs[1].forgotten[ONE] = (5, 3)
    assert agreed(silent, jobs, clears=True) == {None}


@pytest.mark.parametrize(
    ("between", "answered", "allowed"),
    [
        ("", "", {NOTHING}),
        ("failed", "422", {None}),
        ("failed", "503", {None}),
        ("unchanged", "", {None}),
    ],
)
def test_what_a_job_taken_back_has_left_goes_with_the_only_job_that_was_in_its_way(
    silent: Service, between: str, answered: str, allowed: set[Feedback | None]
) -> None:
    wrong = job(1, BARE, "succeeded")
    wrong.withdrawn_by = 3
    others = [job(2, BARE, between, answered)] if between else []
    jobs = [wrong, *others, job(3, NEW, "failed", "422")]
    assert agreed(silent, jobs, clears=True) == allowed


@pytest.mark.parametrize(
    ("outcome", "answered", "allowed"),
    [("succeeded", "200", NOTHING), ("failed", "503", NOTHING), ("not_completed", "409", None)],
)
def test_the_undo_of_an_undo_leaves_what_that_has_only_left_over_of_an_earlier_job(
    silent: Service, outcome: str, answered: str, allowed: Feedback | None
) -> None:
    wrong, undo = job(2, NEW, "succeeded"), job(3, BARE, outcome, answered)
    wrong.withdrawn_by, undo.undoes, undo.rows[0].sent_for = 2, wrong, 1
    jobs = [job(1, BARE, "pending", ""), wrong, undo]
    assert agreed(silent, jobs, clears=True) == {allowed}
