"""What becomes of a row after an answer: it is done, it waits, or the run ends. Sans-I/O.

This is where docs/reference.md, "Retries and deferral", is decided for the row.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

from importer.clarityq.responses import Verdict, VerdictKind
from importer.engine.backoff import DeferralPolicy, RetryPolicy
from importer.engine.row_queue import QueuedRow, RowState, Wait
from importer.model import Outcome, OutcomeKind, Reason, RunEnd, Warn


class Abort(NamedTuple):
    """The run ends, and the row was not at fault: it stays pending."""

    end: RunEnd
    message: str


#: An outcome: the row is done.
Step = Outcome | Wait | Abort


class NextStep:
    """Decides by the job's policies; changes nothing."""

    def __init__(self, retries: RetryPolicy, deferrals: DeferralPolicy) -> None:
        self._retries = retries
        self._deferrals = deferrals

    def decide(
        self,
        row: QueuedRow,
        verdict: Verdict,
        now: float,
        *,
        outage: bool = False,
        concerns_all: bool = False,
        has_stored: bool = False,
    ) -> Step:
        """Return what becomes of the row that got this verdict.

        With `outage` the service as a whole fails, and a failure does not count against the row.
        With `concerns_all` a row that is turned away shows that all others would be, too.
        With `has_stored` the service has stored something in this run.
        """
        match verdict.kind:
            case VerdictKind.APPLIED:
                warning = verdict.warning
                if warning is None and row.feedback.truncated:
                    warning = Warn.COMMENT_TRUNCATED
                feedback = row.feedback
                return Outcome(
                    feedback.seq, OutcomeKind.SUCCEEDED, feedback.conversation_id, None, "",
                    verdict.http_status, row.attempts, verdict.updated_at, warning,
                )  # fmt: skip
            case VerdictKind.TRANSIENT:
                return self._retry(row, verdict, outage=outage)
            case VerdictKind.NOT_COMPLETED:
                return self._defer(row, verdict, now)
            case VerdictKind.COMPLETED:
                return Wait(RowState.RETRYING, 0.0, deferred_since=row.deferred_since)
            case VerdictKind.CONVERSATION_ERROR:
                return _end(row, verdict, OutcomeKind.FAILED, Reason.CONVERSATION_ERROR)
            case VerdictKind.STORED_DIFFERS:
                return _end(row, verdict, OutcomeKind.FAILED, Reason.STORED_DIFFERS)
            case VerdictKind.UNTRUSTED:
                why = f"{verdict.detail} (--ca-file adds a certificate authority)"
                return Abort(RunEnd.UNTRUSTED, why)
            case VerdictKind.KEY_REFUSED:
                return _key_refused(verdict, has_stored=has_stored)
            case VerdictKind.TURNED_AWAY if concerns_all:
                if verdict.http_status == HTTPStatus.FORBIDDEN:
                    return _key_refused(verdict, has_stored=has_stored)
                return _past_the_service(verdict)
            case _:
                return _end(row, verdict, OutcomeKind.FAILED, Reason.REFUSED)

    def _retry(self, row: QueuedRow, verdict: Verdict, *, outage: bool) -> Step:
        failures = row.failures if outage else row.failures + 1
        wait = self._retries.next_wait(failures, verdict.retry_after)
        if wait is None:
            return _end(row, verdict, OutcomeKind.FAILED, Reason.RETRIES_EXHAUSTED)
        return Wait(RowState.RETRYING, wait, failures, row.ask_status, row.deferred_since)

    def _defer(self, row: QueuedRow, verdict: Verdict, now: float) -> Step:
        since = now if row.deferred_since is None else row.deferred_since
        wait = self._deferrals.next_wait(now - since)
        if wait is None:
            return _end(row, verdict, OutcomeKind.NOT_COMPLETED, Reason.DEFERRAL_DEADLINE)
        return Wait(RowState.DEFERRED, wait, ask_status=True, deferred_since=since)


def _end(row: QueuedRow, verdict: Verdict, kind: OutcomeKind, reason: Reason) -> Outcome:
    return Outcome(
        row.feedback.seq,
        kind,
        row.feedback.conversation_id,
        reason,
        verdict.detail,
        verdict.http_status,
        row.attempts,
        verdict.updated_at,
    )


def _key_refused(verdict: Verdict, *, has_stored: bool) -> Abort:
    why = f"the service refused the API key ({verdict.detail})"
    advice = ": check the key, and that it belongs to this product"
    if has_stored:  # so it is the right product
        advice = ", although it took rows before in this run: see whether the key still holds"
    return Abort(RunEnd.KEY_REFUSED, why + advice)


def forbids_many(verdict: Verdict, untold: str) -> Abort:
    """Return how the run ends in which many rows in a row were turned away; the `verdict` is last.

    The key holds, so the rows have failed for themselves. Or that is not known, and `untold` says
    why.
    """
    if verdict.http_status != HTTPStatus.FORBIDDEN:
        return _past_the_service(verdict)
    if untold:
        return Abort(
            RunEnd.KEY_REFUSED,
            f"the service forbids row after row ({verdict.detail}), and it is not known whether it "
            f"still accepts the API key: that was asked in vain ({untold}). See whether the key "
            "holds",
        )
    return Abort(
        RunEnd.KEY_REFUSED,
        f"the service forbids row after row ({verdict.detail}), although it accepts the API key "
        "otherwise: see what it has against these rows, or whether the key may set their feedback",
    )


def _past_the_service(verdict: Verdict) -> Abort:
    if verdict.http_status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        why = f"the proxy asks for credentials ({verdict.detail})"
        return Abort(RunEnd.PROXY_REFUSED, f"{why}: put them into the proxy's address")
    why = f"the service redirects every request ({verdict.detail})"
    return Abort(RunEnd.REDIRECTED, f"{why}: set --base-url to its new address")
