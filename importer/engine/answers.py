"""What becomes of rows in a run: each answer is learnt from, and then takes effect, in one order.

Between the decisions (`next_step`, `turned_away`, `pacing`) and the places where they take effect:
the queue, the journal writer, and the control of the run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from http import HTTPStatus

from importer.clarityq.responses import Verdict, VerdictKind
from importer.engine.backoff import DeferralPolicy, RetryPolicy
from importer.engine.canary import Canary
from importer.engine.clock import Clock
from importer.engine.control import Control
from importer.engine.failing_rows import FailingRows
from importer.engine.journal_writer import JournalWriter
from importer.engine.kept_back import KeptBack, KeptRow
from importer.engine.next_step import Abort, NextStep, Step, forbids_many
from importer.engine.progress import ProgressReporter
from importer.engine.resume import lasting
from importer.engine.row_queue import QueuedRow, RowQueue, RowState, Wait
from importer.engine.service_health import Exchange, hopeless, learn
from importer.engine.turned_away import TurnedAway, is_forbidden
from importer.jobs.records import Totals
from importer.model import Attempt, Call, Outcome, OutcomeKind, RunEnd
from importer.pacing import Pacer
from importer.settings import ImportSettings

#: Seconds that a request in flight may still take when the service is unavailable.
_GRACE_IN_OUTAGE = 0.5
_TOLD_BY_STATUS = (
    VerdictKind.COMPLETED, VerdictKind.NOT_COMPLETED, VerdictKind.CONVERSATION_ERROR
)  # fmt: skip


class Answers:
    """Settles rows, or lets them wait. Awaits nothing; called on the run's event loop.

    `before` are the figures of the job before this run, and `stored` is a conversation for which it
    has stored feedback, if it has.
    """

    def __init__(
        self,
        settings: ImportSettings,
        before: Totals,
        queue: RowQueue,
        pacer: Pacer,
        canary: Canary,
        writer: JournalWriter,
        reporter: ProgressReporter,
        control: Control,
        clock: Clock,
        *,
        stored: str | None = None,
        is_handed_rows: bool = False,
    ) -> None:
        self._settings = settings
        self._is_handed_rows = is_handed_rows
        self._queue = queue
        self._pacer = pacer
        self._canary = canary
        self._writer = writer
        self._reporter = reporter
        self._control = control
        self._clock = clock
        self._latest_failure = ""
        self._failing = FailingRows()
        accepted = before.outcomes[OutcomeKind.SUCCEEDED] > 0
        self._turned_away = TurnedAway(accepted=accepted, stored=stored)
        self._kept = KeptBack(queue, self._turned_away)
        self._all_read = False
        self._next_step = NextStep(
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

    def is_question(self, row: QueuedRow) -> bool:
        """Return whether the row stands for the question whether the key still holds."""
        return row is self._kept.question

    @property
    def asked_alone(self) -> QueuedRow | None:
        """What stands for that question, while no row is to be sent before it is answered."""
        return self._kept.asked_alone

    def answered(self, row: QueuedRow, verdict: Verdict) -> None:
        """Settle the row that was sent, or let it wait, as the verdict says."""
        now = self._clock.monotonic()
        pacer = self._pacer
        if verdict.new_key:
            self._kept.send_again()
            self._control.changed.notify()
        call = Call.STATUS if row.ask_status else Call.PUT
        if call is Call.PUT:
            self._queue.answered(
                row, verdict.requests, sent=verdict.sent, definite=verdict.definite
            )
        self._reporter.statistics.answered(now - row.started, _answered_status(call, verdict))
        if verdict.kind is VerdictKind.APPLIED and not pacer.is_probing:
            pacer.answered(now, row.started, self._queue.count(RowState.IN_FLIGHT))
            self._failing.succeeded()
            self._turned_away.succeeded(row.feedback.conversation_id)
            if self._canary.is_open or self._kept:
                self._let_others_follow(row.started)
        else:
            self._learn(row, verdict, now)
        if pacer.window.is_due:
            pacer.window.turn(now, self._clock.cpu())
            self._control.changed.notify()
        is_question = self.is_question(row)
        concerns_all = verdict.kind is VerdictKind.TURNED_AWAY and (
            is_question or self._turned_away.concerns_all(row.feedback.seq)
        )
        is_another = row is self._kept.another
        is_asked = is_question or is_another
        asks_first = concerns_all and not is_asked and self._kept.can_ask(verdict)
        step = self._next_step.decide(
            row, verdict, now, outage=pacer.is_probing,
            concerns_all=concerns_all and not asks_first,
            has_stored=self._turned_away.has_stored,
        )  # fmt: skip
        if is_question:
            self._is_told(row, verdict, step, now)
            return
        if verdict.kind is not VerdictKind.APPLIED:
            self._remember(row, verdict, step, call, now)
        self._apply(row, verdict, step, now)
        if is_another and (row.state is not RowState.RETRYING or not self._kept.asked_alone):
            self._end_if_many(self._kept.end_question(), verdict.detail)
            self._settle_if_there_are_no_others()
        elif asks_first and self._control.end is None:
            self._ask(verdict)

    def _apply(self, row: QueuedRow, verdict: Verdict, step: Step, now: float) -> None:
        """Let the step take effect; nothing else does."""
        match step:
            case Outcome():
                failed = step.kind is OutcomeKind.FAILED
                if failed and (self._canary.is_open or verdict.kind is VerdictKind.TURNED_AWAY):
                    self._withhold(row, step, verdict)
                else:
                    self._settle(row, step, verdict)
            case Wait():
                self._queue.wait(row, step, now)
                if step.state is RowState.DEFERRED:
                    self._failing.forget(row)
                    self._writer.defer(lasting(row, self._clock))
                self._control.changed.notify()
            case Abort():
                self._queue.return_unsent(row)
                self._settle_turned_away()
                self._control.stop(step.end, step.message)
        self._settle_if_there_are_no_others()

    def _settle(self, row: QueuedRow, outcome: Outcome, verdict: Verdict) -> None:
        self._queue.done(row)
        self._failing.forget(row)
        self._writer.settle(outcome, row, verdict.stored)
        if outcome.kind is OutcomeKind.FAILED:
            stop_at_max_failures(self._settings, self._writer, self._control, outcome.detail)
        # This worker takes the next row itself: the one at the turnstile need not look each time.
        if not len(self._queue):
            self._control.changed.notify()

    def _withhold(self, row: QueuedRow, outcome: Outcome, verdict: Verdict) -> None:
        """Keep the outcome of a row back until it is known whether only this one has failed.

        Stop the run if all rows of the canary have failed.
        """
        was_open = self._canary.is_open
        self._kept.add(row, outcome, verdict, self._clock.monotonic())
        if self._canary.failed((outcome.reason, outcome.http_status)):
            self._control.stop(
                RunEnd.CANARY,
                f"the first {len(self._kept):,} rows all failed for the same reason "
                f"({outcome.detail}), so the others were not sent. All of them are pending: fix "
                "the cause and run again; --canary 0 sends them all the same",
            )
        elif self._canary.is_open is not was_open:
            self._let_others_follow()

    def _let_others_follow(self, since: float = math.inf) -> None:
        """Others are worth sending: the rows whose outcomes are kept back failed for themselves.

        A request that was made at `since` (monotonic seconds) shows that.
        """
        self._canary.passed()
        self._settle_kept(self._kept.take_alone(since))
        self._control.changed.notify()

    def _settle_turned_away(self) -> None:
        """Settle the rows that others were waited for in vain, unless they can be asked about."""
        if not self._canary.is_open:
            self._settle_kept(self._kept.take_unasked())

    def _settle_kept(self, rows: Iterable[KeptRow]) -> None:
        for kept in rows:
            self._settle(kept.row, kept.outcome, kept.verdict)

    def run_ended(self) -> None:
        """The run is over: nothing will be known any more of rows that are kept back."""
        self._kept.end_question()
        if self._control.end not in _ABOUT_ALL:
            self._settle_turned_away()

    def all_read(self) -> None:
        """No more rows will come."""
        self._all_read = True
        self._settle_if_there_are_no_others()

    def _settle_if_there_are_no_others(self, *, asked_in_vain: bool = False) -> None:
        """Settle the rows that are kept back if no other could still show something.

        Where something can be asked about, and was not `asked_in_vain`, it is asked first whether
        the key still holds.
        A process that is handed its rows gets more when they are done, so after the canary it waits
        for no others. A run that was stopped reads no further, but there may be others.
        """
        is_last = self._all_read or (self._is_handed_rows and not self._canary.is_open)
        if self._kept.are_all and is_last and self._control.end is None:
            if self._kept.can_ask() and not asked_in_vain:
                self._ask()
            else:
                self._let_others_follow()

    def _ask(self, many: Verdict | None = None) -> None:
        self._kept.ask(many)
        self._control.changed.notify()

    def _is_told(self, question: QueuedRow, verdict: Verdict, step: Step, now: float) -> None:
        """Whether the key still holds was answered; `_learn` has let others follow if it does.

        If nobody tells, that is no reason to let rows fail as long as others may show it. Nor does
        403 end the run where another row has got another answer since: the next rows show it.
        """
        is_transient = verdict.kind is VerdictKind.TRANSIENT
        if is_transient and isinstance(step, Wait):
            self._queue.wait(question, step, now)
            return
        self._failing.forget(question)
        if is_forbidden(verdict) and self._kept.send_another():
            self._control.changed.notify()
            return
        shows_nothing = is_forbidden(verdict) and self._kept.is_outdated
        many = self._kept.end_question()
        if isinstance(step, Abort) and not shows_nothing:
            self._control.stop(step.end, step.message)
        else:
            self._end_if_many(many, verdict.detail if is_transient else "")
        self._settle_if_there_are_no_others(asked_in_vain=is_transient)

    def _end_if_many(self, many: Verdict | None, untold: str) -> None:
        """Stop the run if many rows in a row were turned away, unless it is stopped already."""
        if many is not None and self._control.end is None:
            abort = forbids_many(many, untold)
            self._control.stop(abort.end, abort.message)

    def _remember(
        self, row: QueuedRow, verdict: Verdict, step: Step, call: Call, now: float
    ) -> None:
        """Record an attempt that did not end with stored feedback, and the `step` after it."""
        wait = step.seconds if isinstance(step, Wait) else None
        if verdict.kind is VerdictKind.NOT_COMPLETED:
            self._queue.looked(row)
            if call is Call.STATUS and row.looks > 2 and wait is not None:
                return  # as before: the deferral's own line counts it
        elif verdict.kind is not VerdictKind.COMPLETED:
            self._reporter.statistics.met(f"{verdict.kind} {verdict.http_status}", verdict.detail)
        at = now + self._clock.wall() - self._clock.monotonic()
        detail = verdict.detail or "the conversation is completed"
        self._writer.attempted(
            Attempt(row.feedback.seq, at, call, verdict.http_status, detail, wait)
        )

    def _learn(self, row: QueuedRow, verdict: Verdict, now: float) -> None:
        """Let the pacing and the canary know of the answer, and stop a run without hope."""
        last_success = self._pacer.breaker.last_success
        exchange = Exchange(
            row.started,
            self._queue.count(RowState.IN_FLIGHT),
            not row.failures,
            self._failing.suspicion(row, last_success),
        )
        self._reporter.notice(learn(self._pacer, verdict, exchange, now))
        if verdict.kind is VerdictKind.TRANSIENT:
            if self._pacer.is_probing:
                self._queue.forgive(self._failing.forgiven())
            else:
                self._failing.failed(row, now, last_success)
            self._canary.returned()
            self._latest_failure = verdict.detail
            self.stop_if_hopeless()
        else:
            self._failing.succeeded()
            if verdict.kind is VerdictKind.APPLIED:
                self._turned_away.succeeded(row.feedback.conversation_id)
            elif verdict.kind is not VerdictKind.TURNED_AWAY and not self.is_question(row):
                self._turned_away.answered()
            if self._shows_others_worth_sending(verdict.kind):
                self._let_others_follow(row.started)
        self._control.changed.notify()

    def _shows_others_worth_sending(self, kind: VerdictKind) -> bool:
        if self._canary.is_open:
            return kind not in _MAY_CONCERN_ALL
        return bool(self._kept) and kind not in _CONCERN_ALL

    def stop_if_hopeless(self) -> None:
        """Stop the run if an outage has lasted too long."""
        outage_for = self._settings.abort_rules.outage_for
        now = self._clock.monotonic()
        if why := hopeless(self._pacer, self._latest_failure, now, outage_for):
            # A probe that hangs is not waited for.
            self._control.stop(RunEnd.SERVICE_DOWN, why, grace=_GRACE_IN_OUTAGE)


def stop_at_max_failures(
    settings: ImportSettings, writer: JournalWriter, control: Control, latest: str
) -> None:
    """Stop the run if so many rows have failed; `latest` says why the last one did."""
    limit = settings.abort_rules.max_failures
    if limit is not None and limit.reached(writer.counts):
        failed = writer.counts[OutcomeKind.FAILED]
        control.stop(
            RunEnd.MAX_FAILURES,
            f"{failed:,} rows failed, which is the limit; the latest: {latest}",
        )


#: Ends after which rows that were turned away stay as they are.
_ABOUT_ALL = (
    RunEnd.KEY_REFUSED, RunEnd.PROXY_REFUSED, RunEnd.REDIRECTED, RunEnd.UNTRUSTED, RunEnd.CANARY,
)  # fmt: skip
#: Verdicts that do not show that other rows are worth sending: once some were, and before.
_CONCERN_ALL = (VerdictKind.TURNED_AWAY, VerdictKind.KEY_REFUSED, VerdictKind.UNTRUSTED)
_MAY_CONCERN_ALL = (*_CONCERN_ALL, VerdictKind.REFUSED, VerdictKind.STORED_DIFFERS)


def _answered_status(call: Call, verdict: Verdict) -> int | None:
    """Return the status of the answer; the verdict on a status call has the one for the row."""
    told = call is Call.STATUS and verdict.kind in _TOLD_BY_STATUS
    return HTTPStatus.OK if told else verdict.http_status
