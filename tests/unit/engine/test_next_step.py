"""What becomes of a row, by the answer that it got; docs/reference.md, T1 to T10."""

import pytest

from importer.clarityq.responses import Verdict, VerdictKind
from importer.engine.backoff import DeferralPolicy, RetryPolicy
from importer.engine.next_step import Abort, NextStep, Step
from importer.engine.row_queue import QueuedRow, RowState, Wait
from importer.model import Feedback, Meaning, Outcome, OutcomeKind, Reason, RunEnd, Warn
from tests.support.data import conversation

DEFERRALS = DeferralPolicy(first=5.0, longest=60.0, total=100.0)
STEPS = NextStep(RetryPolicy(max_attempts=3, first=1.0, longest=8.0), DEFERRALS)


def a_row(*, truncated: bool = False) -> QueuedRow:
    return QueuedRow(Feedback(4, conversation(4), Meaning.POSITIVE, None, truncated))


def decide(row: QueuedRow, kind: VerdictKind, status: int | None = None, **more: bool) -> Step:
    return STEPS.decide(row, Verdict(kind, "why", status), 50.0, **more)


@pytest.mark.parametrize(
    ("kind", "outcome", "reason"),
    [
        (VerdictKind.APPLIED, OutcomeKind.SUCCEEDED, None),
        (VerdictKind.REFUSED, OutcomeKind.FAILED, Reason.REFUSED),
        (VerdictKind.TURNED_AWAY, OutcomeKind.FAILED, Reason.REFUSED),
        (VerdictKind.STORED_DIFFERS, OutcomeKind.FAILED, Reason.STORED_DIFFERS),
        (VerdictKind.CONVERSATION_ERROR, OutcomeKind.FAILED, Reason.CONVERSATION_ERROR),
    ],
)
def test_a_final_answer_settles_the_row(
    kind: VerdictKind, outcome: OutcomeKind, reason: Reason | None
) -> None:
    step = decide(a_row(), kind)
    assert isinstance(step, Outcome)
    assert (step.seq, step.kind, step.reason) == (4, outcome, reason)


@pytest.mark.parametrize(
    ("kind", "status", "end", "advice"),
    [
        (VerdictKind.KEY_REFUSED, 401, RunEnd.KEY_REFUSED, "check the key"),
        (VerdictKind.UNTRUSTED, None, RunEnd.UNTRUSTED, "--ca-file"),
        (VerdictKind.TURNED_AWAY, 403, RunEnd.KEY_REFUSED, "check the key"),
        (VerdictKind.TURNED_AWAY, 308, RunEnd.REDIRECTED, "--base-url"),
        (VerdictKind.TURNED_AWAY, 407, RunEnd.PROXY_REFUSED, "proxy"),
    ],
)
def test_an_answer_that_concerns_all_rows_ends_the_run_and_says_what_to_do(
    kind: VerdictKind, status: int | None, end: RunEnd, advice: str
) -> None:
    step = decide(a_row(), kind, status, concerns_all=True)
    assert isinstance(step, Abort)
    assert step.end is end
    assert advice in step.message


def test_a_transient_failure_is_retried_until_the_attempts_are_used_up() -> None:
    row = a_row()
    for failures in (1, 2):
        step = decide(row, VerdictKind.TRANSIENT, 503)
        assert isinstance(step, Wait)
        assert (step.state, step.failures) == (RowState.RETRYING, failures)
        row.failures = step.failures
    step = decide(row, VerdictKind.TRANSIENT, 503)
    assert isinstance(step, Outcome)
    assert step.reason is Reason.RETRIES_EXHAUSTED


def test_in_an_outage_a_failure_does_not_count_against_the_row() -> None:
    row = a_row()
    row.failures = 2
    step = decide(row, VerdictKind.TRANSIENT, 503, outage=True)
    assert isinstance(step, Wait)
    assert step.failures == 2


def test_not_even_where_a_row_has_a_single_attempt() -> None:
    """T8: no row fails because of an outage."""
    once = NextStep(RetryPolicy(max_attempts=1, first=1.0, longest=8.0), DEFERRALS)
    failed = Verdict(VerdictKind.TRANSIENT, "why", 503)
    assert isinstance(once.decide(a_row(), failed, 50.0), Outcome)
    step = once.decide(a_row(), failed, 50.0, outage=True)
    assert isinstance(step, Wait)
    assert step.failures == 0


def test_a_conversation_that_is_not_completed_is_asked_for_until_the_deadline() -> None:
    row = a_row()
    row.failures = 2
    step = decide(row, VerdictKind.NOT_COMPLETED, 409)
    assert step == Wait(RowState.DEFERRED, 5.0, 0, ask_status=True, deferred_since=50.0)
    row.deferred_since = -50.0
    step = decide(row, VerdictKind.NOT_COMPLETED, 409)
    assert isinstance(step, Outcome)
    assert (step.kind, step.reason) == (OutcomeKind.NOT_COMPLETED, Reason.DEFERRAL_DEADLINE)


def test_a_conversation_that_has_completed_is_sent_at_once_and_its_deadline_stays() -> None:
    row = a_row()
    row.deferred_since, row.ask_status = 20.0, True
    step = decide(row, VerdictKind.COMPLETED)
    assert step == Wait(RowState.RETRYING, 0.0, deferred_since=20.0)


@pytest.mark.parametrize(
    ("truncated", "told", "expected"),
    [
        (True, None, Warn.COMMENT_TRUNCATED),
        (True, Warn.ECHO_DIFFERS, Warn.ECHO_DIFFERS),
        (False, None, None),
    ],
)
def test_a_cut_comment_is_a_warning_unless_the_service_has_a_graver_one(
    truncated: bool, told: Warn | None, expected: Warn | None
) -> None:
    verdict = Verdict(VerdictKind.APPLIED, http_status=200, warning=told)
    step = STEPS.decide(a_row(truncated=truncated), verdict, 50.0)
    assert isinstance(step, Outcome)
    assert step.warning is expected
