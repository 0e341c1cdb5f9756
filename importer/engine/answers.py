"""What becomes of rows in a run: after an answer, or without having been sent.

Between the decisions (`next_step`, `ledger_check`, `pacing`) and the places where they take effect:
the lanes, the journal writer, and the control of the run.
"""

from __future__ import annotations

from http import HTTPStatus

from importer.clarityq.responses import Verdict, VerdictKind
from importer.engine.backoff import DeferralPolicy, RetryPolicy
from importer.engine.canary import Canary
from importer.engine.clock import Clock
from importer.engine.control import Control
from importer.engine.failing_rows import FailingRows
from importer.engine.journal_writer import JournalWriter
from importer.engine.lanes import ConversationLanes, Lane, LaneState, Superseded
from importer.engine.ledger_check import LedgerCheck, Standing
from importer.engine.next_step import Disposer, Wait
from importer.engine.progress import ProgressReporter, Reading
from importer.engine.resume import lasting
from importer.engine.service_health import END_THE_RUN, Exchange, learn, reason_to_stop
from importer.engine.turned_away import TurnedAway
from importer.jobs.records import Totals
from importer.model import Attempt, Call, Feedback, Outcome, OutcomeKind, Reason, RunEnd
from importer.pacing import Pacer
from importer.settings import ImportSettings

#: How many rows go ahead of a new job with more rows than that, unless the user says otherwise.
_CANARY = 20
_MANY_ROWS = 1000
#: Seconds that a request in flight may still take when the service is unavailable.
_GRACE_IN_OUTAGE = 0.5
_TROUBLE = (VerdictKind.TRANSIENT, *END_THE_RUN)
#: Verdicts that may be the same for all rows: they do not let the canary pass.
_TELL_OF_ALL = (VerdictKind.REFUSED, VerdictKind.STORED_DIFFERS, VerdictKind.TURNED_AWAY)
_TOLD_BY_STATUS = (
    VerdictKind.COMPLETED, VerdictKind.NOT_COMPLETED, VerdictKind.CONVERSATION_ERROR
)  # fmt: skip


def canary_for(settings: ImportSettings, before: Totals) -> Canary:
    """Return the canary of a job: none if rows of it have succeeded in earlier runs."""
    rows = _CANARY if settings.abort_rules.canary is None else settings.abort_rules.canary
    return Canary(0 if before.outcomes[OutcomeKind.SUCCEEDED] else rows)


class Answers:
    """Settles rows, or puts them by. Awaits nothing; called on the run's event loop."""

    def __init__(
        self,
        settings: ImportSettings,
        before: Totals,
        lanes: ConversationLanes,
        pacer: Pacer,
        canary: Canary,
        writer: JournalWriter,
        reporter: ProgressReporter,
        control: Control,
        clock: Clock,
        reading: Reading,
    ) -> None:
        self._settings = settings
        self._lanes = lanes
        self._pacer = pacer
        self._canary = canary
        self._writer = writer
        self._reporter = reporter
        self._control = control
        self._clock = clock
        self._reading = reading
        self._latest_trouble: Verdict | None = None
        self._failing = FailingRows()
        self._turned_away = TurnedAway(accepted=before.outcomes[OutcomeKind.SUCCEEDED] > 0)
        self._disposer = Disposer(
            RetryPolicy(
                max_attempts=settings.retries.max_attempts,
                first=settings.retries.first,
                longest=settings.retries.max,
            ),
            DeferralPolicy(
                first=settings.deferral.first,
                longest=settings.deferral.max,
                total=settings.deferral.deadline,
            ),
        )

    def sends(self, lane: Lane, check: LedgerCheck) -> bool:
        """Return whether the row that was just taken is to be sent; settle or hold it if not."""
        match check.standing(lane.feedback):
            case Standing.TO_BE_SENT:
                return True
            case Standing.TO_BE_FORGOTTEN:
                # From the moment of the request on it is not known what the service has stored.
                self._lanes.hold(lane)
                self._writer.forget(lane)
            case Standing.UNCHANGED:
                self._settle_unsent(lane, OutcomeKind.UNCHANGED, Reason.SAME_AS_STORED)
            case Standing.SET_BY_LATER_JOB:
                self._settle_unsent(lane, OutcomeKind.SUPERSEDED, Reason.LATER_JOB)
        return False

    def answered(self, lane: Lane, verdict: Verdict) -> None:
        """Settle the row that was sent, or put it by, as the verdict says."""
        now = self._clock.monotonic()
        pacer = self._pacer
        self._reporter.statistics.answered(now - lane.started, _answered_status(lane, verdict))
        if verdict.kind is VerdictKind.APPLIED and not pacer.is_probing:
            pacer.answered(now, lane.started, self._lanes.count(LaneState.IN_FLIGHT))
            self._failing.succeeded()
            self._turned_away.succeeded()
            if self._canary.is_open:
                self._canary.passed()
                self._control.changed.notify()
        else:
            self._learn(lane, verdict, now)
        if pacer.window.is_due:
            pacer.window.turn(now, self._clock.cpu())
            self._control.changed.notify()
        call = Call.STATUS if lane.ask_status else Call.PUT
        if self._ends_the_run(lane, verdict):
            # The row was not at fault: it stays pending.
            self._remember(lane, verdict, now, call, None)
            self.superseded(self._lanes.park(lane, LaneState.RETRYING, now, now))
            return
        if verdict.late:
            self._lanes.may_take_effect_late(lane, now + self._settings.timeouts.late_effect)
        step = self._disposer.decide(lane, verdict, now, outage=pacer.is_probing)
        if verdict.kind is not VerdictKind.APPLIED:
            self._remember(lane, verdict, now, call, step)
        if isinstance(step, Wait):
            self.superseded(self._lanes.park(lane, step.state, now + step.seconds, now))
            if step.state is LaneState.DEFERRED:
                self._writer.defer(lasting(lane, self._clock))
            self.lanes_changed()
            return
        self._writer.settle(step, lane)
        self._lanes.settle(lane, now)
        if step.kind is OutcomeKind.FAILED:
            self._weigh_failure(step)
        # This worker takes the next row itself: the one at the turnstile need not look each time.
        if self._lanes.count(LaneState.RECORDING):
            self._writer.flush_soon()
        if not len(self._lanes):
            self._control.changed.notify()

    def _ends_the_run(self, lane: Lane, verdict: Verdict) -> bool:
        """Return whether no row is worth sending any more; the run is then told to stop."""
        match verdict.kind:
            case VerdictKind.APPLIED:
                self._turned_away.succeeded()
            case VerdictKind.TURNED_AWAY:
                if self._turned_away.concerns_all(lane.feedback.seq):
                    self._latest_trouble = verdict
                    self.stop_if_hopeless()
                    return True
            case VerdictKind.TRANSIENT:
                pass  # it tells nothing of the key
            case _:
                self._turned_away.answered()
        return verdict.kind in END_THE_RUN

    def _remember(
        self, lane: Lane, verdict: Verdict, now: float, call: Call, step: Outcome | Wait | None
    ) -> None:
        """Record an attempt that did not end with stored feedback, and the `step` after it."""
        if verdict.kind is VerdictKind.NOT_COMPLETED:
            lane.looks += 1
            if call is Call.STATUS and lane.looks > 2 and isinstance(step, Wait):
                return  # as before: the deferral's own line counts it
        elif verdict.kind is not VerdictKind.COMPLETED:
            self._reporter.statistics.met(f"{verdict.kind} {verdict.http_status}", verdict.detail)
        at = now + self._clock.wall() - self._clock.monotonic()
        wait = step.seconds if isinstance(step, Wait) else None
        detail = verdict.detail or "the conversation is completed"
        self._writer.attempted(
            Attempt(lane.feedback.seq, at, call, verdict.http_status, detail, wait)
        )

    def _weigh_failure(self, outcome: Outcome) -> None:
        """Stop the run if so many rows have failed, or the first ones all alike."""
        limit = self._settings.abort_rules.max_failures
        if limit is not None and limit.reached(self._writer.counts):
            failed = self._writer.counts[OutcomeKind.FAILED]
            self._control.stop(
                RunEnd.MAX_FAILURES,
                f"{failed:,} rows failed, which is the limit; the latest: {outcome.detail}",
            )
        if not self._canary.failed((outcome.reason, outcome.http_status)):
            return
        few = self._reading.all_read and self._reading.rows_read <= _MANY_ROWS
        if few and self._settings.abort_rules.canary is None:
            self._canary.passed()
        else:
            self._control.stop(
                RunEnd.CANARY,
                f"the first {self._writer.counts[OutcomeKind.FAILED]:,} rows all failed for the "
                f"same reason ({outcome.detail}), so the others were not sent. Fix the cause and "
                "start over with --restart; --canary 0 sends them all the same",
            )

    def _learn(self, lane: Lane, verdict: Verdict, now: float) -> None:
        """Let the pacing know of the answer, and stop the run if it says so."""
        last_success = self._pacer.breaker.last_success
        exchange = Exchange(
            lane.started,
            self._lanes.count(LaneState.IN_FLIGHT),
            not lane.failures,
            self._failing.suspicion(lane, last_success),
        )
        self._reporter.notice(learn(self._pacer, verdict, exchange, now))
        if verdict.kind is not VerdictKind.TRANSIENT:
            self._failing.succeeded()
        elif self._pacer.is_probing:
            self._failing.forgive()
        else:
            self._failing.failed(lane, now, last_success)
        if verdict.kind is VerdictKind.TRANSIENT:
            self._canary.returned()
        elif verdict.kind not in _TELL_OF_ALL:
            self._canary.passed()
        if verdict.kind in _TROUBLE:
            self._latest_trouble = verdict
            self.stop_if_hopeless()
        self._control.changed.notify()

    def stop_if_hopeless(self) -> None:
        """Stop the run if the latest trouble says so, or if an outage has lasted too long."""
        if self._latest_trouble is None:
            return
        now, outage_for = self._clock.monotonic(), self._settings.abort_rules.outage_for
        stop = reason_to_stop(self._pacer, self._latest_trouble, now, outage_for)
        if stop is not None:
            # A probe that hangs is not waited for.
            grace = _GRACE_IN_OUTAGE if stop[0] is RunEnd.SERVICE_DOWN else None
            self._control.stop(*stop, grace=grace)

    def lanes_changed(self) -> None:
        """Let workers look for the next row, and the journal be written if one waits for it."""
        if self._lanes.count(LaneState.RECORDING):
            self._writer.flush_soon()
        self._control.changed.notify()

    def superseded(self, superseded: Superseded | None) -> None:
        """Record that a later row has taken a row's place, if one has."""
        if superseded is not None:
            lane, feedback, attempts = superseded
            self._writer.settle(
                _unsent(feedback, OutcomeKind.SUPERSEDED, Reason.LATER_ROW, attempts), lane
            )

    def _settle_unsent(self, lane: Lane, kind: OutcomeKind, reason: Reason) -> None:
        self._writer.settle(_unsent(lane.feedback, kind, reason, lane.attempts), lane)
        self._lanes.settle(lane, self._clock.monotonic())
        if not len(self._lanes):
            self._control.changed.notify()


def _unsent(feedback: Feedback, kind: OutcomeKind, reason: Reason, attempts: int) -> Outcome:
    """Return the outcome of a row that is sent no more; `attempts` counts its PUTs so far."""
    return Outcome(feedback.seq, kind, feedback.conversation_id, reason, attempts=attempts)


def _answered_status(lane: Lane, verdict: Verdict) -> int | None:
    """Return the status of the answer; the verdict on a status call has the one for the row."""
    told = lane.ask_status and verdict.kind in _TOLD_BY_STATUS
    return HTTPStatus.OK if told else verdict.http_status
