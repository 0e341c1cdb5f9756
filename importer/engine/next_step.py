"""What becomes of a row after a verdict: it ends with an outcome, or it waits. Sans-I/O.

This is where docs/reference.md, "Retries and deferral", is decided.
"""

from __future__ import annotations

from typing import NamedTuple

from importer.clarityq.responses import Verdict, VerdictKind
from importer.engine.backoff import DeferralPolicy, RetryPolicy
from importer.engine.lanes import Lane, LaneState
from importer.model import Outcome, OutcomeKind, Reason, Warn


class Wait(NamedTuple):
    """The row waits in `state` for `seconds`."""

    state: LaneState
    seconds: float


class Disposer:
    """Decides by the job's policies. It keeps the lane's counts and changes nothing else."""

    def __init__(self, retries: RetryPolicy, deferrals: DeferralPolicy) -> None:
        self._retries = retries
        self._deferrals = deferrals

    def decide(self, lane: Lane, verdict: Verdict, now: float, *, outage: bool) -> Outcome | Wait:
        """Return the row's outcome, or its wait.

        With `outage` the service as a whole fails, and a failure does not count against the row.
        The verdicts that end the run are not for here.
        """
        match verdict.kind:
            case VerdictKind.APPLIED:
                warning = verdict.warning
                if warning is None and lane.feedback.truncated:
                    warning = Warn.COMMENT_TRUNCATED
                return Outcome(
                    lane.feedback.seq,
                    OutcomeKind.SUCCEEDED,
                    lane.feedback.conversation_id,
                    None,
                    "",
                    verdict.http_status,
                    lane.attempts,
                    verdict.updated_at,
                    warning,
                )
            case VerdictKind.TRANSIENT:
                return self._retry(lane, verdict, outage=outage)
            case VerdictKind.NOT_COMPLETED:
                return self._defer(lane, verdict, now)
            case VerdictKind.COMPLETED:
                lane.failures, lane.ask_status = 0, False
                return Wait(LaneState.RETRYING, 0.0)
            case VerdictKind.CONVERSATION_ERROR:
                return _end(lane, verdict, OutcomeKind.FAILED, Reason.CONVERSATION_ERROR)
            case VerdictKind.STORED_DIFFERS:
                return _end(lane, verdict, OutcomeKind.FAILED, Reason.STORED_DIFFERS)
            case _:
                return _end(lane, verdict, OutcomeKind.FAILED, Reason.REFUSED)

    def _retry(self, lane: Lane, verdict: Verdict, *, outage: bool) -> Outcome | Wait:
        if not outage:
            lane.failures += 1
        wait = self._retries.next_wait(max(1, lane.failures), verdict.retry_after)
        if wait is None:
            return _end(lane, verdict, OutcomeKind.FAILED, Reason.RETRIES_EXHAUSTED)
        return Wait(LaneState.RETRYING, wait)

    def _defer(self, lane: Lane, verdict: Verdict, now: float) -> Outcome | Wait:
        lane.failures = 0
        lane.ask_status = True
        if lane.deferred_since is None:
            lane.deferred_since = now
        wait = self._deferrals.next_wait(now - lane.deferred_since)
        if wait is None:
            return _end(lane, verdict, OutcomeKind.NOT_COMPLETED, Reason.DEFERRAL_DEADLINE)
        return Wait(LaneState.DEFERRED, wait)


def _end(lane: Lane, verdict: Verdict, kind: OutcomeKind, reason: Reason) -> Outcome:
    return Outcome(
        lane.feedback.seq,
        kind,
        lane.feedback.conversation_id,
        reason,
        verdict.detail,
        verdict.http_status,
        lane.attempts,
        verdict.updated_at,
    )
