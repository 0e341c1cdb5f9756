"""Each answer is learnt from, and takes effect on its row, the journal and the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from importer.clarityq.responses import Verdict, VerdictKind
from importer.engine.answers import Answers
from importer.engine.canary import Canary, canary_for
from importer.engine.clock import Clock
from importer.engine.control import Control
from importer.engine.journal_writer import JournalWriter
from importer.engine.progress import Observer, ProgressReporter
from importer.engine.row_queue import QueuedRow, RowQueue, RowState
from importer.engine.statistics import Problem, Statistics
from importer.feedback.body import BodyCoder
from importer.jobs.entry import Entry
from importer.jobs.records import Totals
from importer.model import Attempt, Call, Deferral, Feedback, Meaning, OutcomeKind, Reason, RunEnd
from importer.pacing import Pacer
from importer.settings import FailureLimit, ImportSettings
from tests.support.data import conversation

pytestmark = pytest.mark.anyio
Make = Callable[..., ImportSettings]

#: What an earlier run of the job has stored.
EARLIER = conversation(999)
STORED = Verdict(VerdictKind.APPLIED, "", 200)
NOT_FOUND = Verdict(VerdictKind.REFUSED, "not found", 404)
INVALID = Verdict(VerdictKind.REFUSED, "invalid", 422)
FORBIDDEN = Verdict(VerdictKind.TURNED_AWAY, "forbidden", 403)
REDIRECTED = Verdict(VerdictKind.TURNED_AWAY, "redirected", 307)
COMPLETED = Verdict(VerdictKind.COMPLETED)
NOT_COMPLETED = Verdict(VerdictKind.NOT_COMPLETED, "not completed", 409)
FAILURE = Verdict(VerdictKind.TRANSIENT, "HTTP 500", 500, definite=False)


@pytest.fixture
def having(settings_for: Make) -> Make:
    """Return a maker of settings of which the input is of no concern."""
    return partial(settings_for, Path("in.csv"))


def totals(rows: int, succeeded: int = 0) -> Totals:
    outcomes = dict.fromkeys(OutcomeKind, 0)
    outcomes |= {OutcomeKind.SUCCEEDED: succeeded, OutcomeKind.PENDING: rows - succeeded}
    return Totals(rows, outcomes, {}, {}, 0)


class Table(Observer):
    """A run whose rows are taken, and answered, when the test says so; its clock stands still."""

    def __init__(
        self,
        settings: ImportSettings,
        rows: int = 1,
        *,
        canary: int = 0,
        succeeded: int = 0,
        stored: str | None = None,
        is_handed: bool = False,
    ) -> None:
        self.now = 100.0
        self.said: list[str] = []
        self.entries: list[Entry] = []
        self.queue = RowQueue()
        for seq in range(1, rows + 1):
            self.add(seq)
        self.control = Control()
        clock = Clock(lambda: self.now, lambda: 1000 + self.now, lambda: 0.0)
        pacer = Pacer(self.now, concurrency=64, rate=None)
        before = totals(rows + succeeded, succeeded)
        self.writer = JournalWriter(self, lambda: None, BodyCoder("p", "u"), clock.wall)
        self.statistics = Statistics(self.now)
        reporter = ProgressReporter(
            self.queue, pacer, self.writer, self.statistics, before, [self], clock, 5.0
        )
        self.pacer = pacer
        self.canary = Canary(canary)
        self.answers = Answers(
            settings, before, self.queue, pacer, self.canary, self.writer, reporter,
            self.control, clock, stored=stored, is_handed_rows=is_handed,
        )  # fmt: skip

    def noticed(self, message: str) -> None:
        self.said.append(message)

    def mark(self, rows: Sequence[tuple[int, str]]) -> None:
        raise AssertionError(rows)

    def write(self, entry: Entry) -> None:
        self.entries.append(entry)

    def end(self) -> RunEnd | None:
        return self.control.end

    def add(self, seq: int) -> None:
        self.queue.add([Feedback(seq, conversation(seq), Meaning.POSITIVE, None)])

    def has_ready(self) -> bool:
        return self.queue.has_ready(self.now, self.answers.asked_alone)

    def take(self) -> QueuedRow:
        assert not self.canary.is_full
        assert self.has_ready()
        self.canary.start()
        row = self.queue.next_ready(self.now)
        assert row is not None
        return row

    def answer(self, verdict: Verdict, row: QueuedRow | None = None) -> QueuedRow:
        """Let the next row, or that one, get this answer a tenth of a second later."""
        sent = row or self.take()
        self.now += 0.1
        self.answers.answered(sent, verdict)
        return sent

    def answer_all(self, *verdicts: Verdict) -> None:
        """Let one row after the other get these answers."""
        for verdict in verdicts:
            self.answer(verdict)

    def asks(self, question: QueuedRow, stored: str = conversation(1)) -> bool:
        return question.ask_status and question.feedback.conversation_id == stored

    def attempts(self) -> list[tuple[int, Call, int | None]]:
        return [
            (one.seq, one.call, one.http_status) for entry in self.entries for one in entry.attempts
        ]

    def ended(self) -> dict[int, Reason | None]:
        return {one.seq: one.reason for entry in self.entries for one in entry.outcomes}


async def test_a_row_that_was_stored_is_done(having: Make) -> None:
    table = Table(having())
    table.answer(STORED)
    assert not len(table.queue)
    assert table.writer.counts == {OutcomeKind.SUCCEEDED: 1}
    assert table.pacer.breaker.last_success == table.now
    await table.writer.write()
    (entry,) = table.entries
    assert entry.stored.seqs == [1]
    assert not table.attempts()
    median, _ = table.statistics.latencies()
    assert median == pytest.approx(0.1, rel=0.2)


async def test_a_failure_is_recorded_and_its_row_waits(having: Make) -> None:
    table = Table(having())
    row = table.answer(FAILURE)
    assert (row.state, row.attempts, row.failures, row.open) == (RowState.RETRYING, 1, 1, True)
    await table.writer.write()
    (attempt,) = table.entries[0].attempts
    assert attempt.wait is not None
    assert attempt == Attempt(1, attempt.at, Call.PUT, 500, "HTTP 500", attempt.wait)
    assert attempt.at == pytest.approx(1100.1)
    assert row.due == pytest.approx(table.now + attempt.wait)
    assert table.statistics.problems == {"transient 500": Problem(1, "HTTP 500")}


async def test_a_deferred_row_is_recorded_each_time_and_its_looks_only_at_first(
    having: Make,
) -> None:
    table = Table(having(defer_first=1.0, defer_max=1.0, defer_for=4.5))
    row = table.answer(NOT_COMPLETED)
    assert row.state is RowState.DEFERRED
    await table.writer.write()
    first = Deferral(1, 1, since=1100.1, due=1101.1, looks=1, looked_at=1100.1)
    assert table.entries[0].deferrals == [pytest.approx(first)]
    while len(table.queue) and row.looks < 20:
        table.now = row.due
        table.answer(NOT_COMPLETED)
    await table.writer.write()
    looks = [(1, Call.PUT, 409), (1, Call.STATUS, 409), (1, Call.STATUS, 409)]
    assert table.attempts() == looks, "the first ones, and the one that ends it"
    assert table.ended() == {1: Reason.DEFERRAL_DEADLINE}
    assert row.attempts == 1
    assert len(table.entries[1].deferrals) > 2
    assert not table.statistics.problems
    turned = table.statistics.turn(table.now, 1)
    assert turned is not None
    assert turned[0].statuses == {409: 1, 200: row.looks - 1}


async def test_a_conversation_that_has_completed_gets_its_feedback_at_once(having: Make) -> None:
    table = Table(having())
    answers = [NOT_COMPLETED, FAILURE, NOT_COMPLETED, NOT_COMPLETED, COMPLETED, NOT_COMPLETED]
    for answer in answers:
        row = table.answer(answer)
        table.now = row.due
    table.answer(COMPLETED)
    assert table.queue.has_ready(table.now)
    table.answer(STORED)
    assert not len(table.queue)
    await table.writer.write()
    assert table.attempts() == [
        (1, Call.PUT, 409),
        (1, Call.STATUS, 500),
        (1, Call.STATUS, 409),
        (1, Call.STATUS, None),
        (1, Call.PUT, 409),
        (1, Call.STATUS, None),
    ]
    assert table.entries[0].attempts[3].detail == "the conversation is completed"
    assert table.statistics.problems.keys() == {"transient 500"}
    turned = table.statistics.turn(table.now, 1, last=True)
    assert turned is not None
    assert turned[0].statuses == {409: 2, 500: 1, 200: 5}


async def test_an_answer_that_ends_the_run_leaves_its_row_as_it_was(having: Make) -> None:
    table = Table(having())
    row = table.answer(Verdict(VerdictKind.KEY_REFUSED, "no such key", 401))
    assert table.end() is RunEnd.KEY_REFUSED
    assert "no such key" in table.control.message
    assert row.state is RowState.READY
    assert not table.writer.counts


@pytest.mark.parametrize("between", [STORED, NOT_FOUND, None], ids=["200", "404", "nothing"])
async def test_many_rows_in_a_row_that_are_turned_away_end_a_run_that_was_accepted(
    having: Make, between: Verdict | None
) -> None:
    table = Table(having(), 22, succeeded=1)
    table.answer_all(*[FORBIDDEN] * 10)
    if between is not None:
        table.answer(between)
    table.answer_all(FAILURE, *[FORBIDDEN] * 9)
    assert table.end() is None
    table.answer(FORBIDDEN)
    assert table.end() is (RunEnd.KEY_REFUSED if between is None else None)
    failed = {None: 19, STORED: 10, NOT_FOUND: 11}[between]
    assert table.writer.counts[OutcomeKind.FAILED] == failed, "each run gets further"


@pytest.mark.parametrize("earlier", [False, True])
async def test_rows_that_are_turned_away_after_others_were_stored_stay_pending_when_the_run_stops(
    having: Make, *, earlier: bool
) -> None:
    table = Table(having(), 22, succeeded=1, stored=EARLIER) if earlier else Table(having(), 22)
    table.answer_all(*[] if earlier else [STORED], *[FORBIDDEN] * 19)
    table.control.stop(RunEnd.SIGTERM)
    table.answers.run_ended()
    assert not table.writer.counts[OutcomeKind.FAILED], "they are tried again"


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("earlier", [False, True])
async def test_after_many_rows_in_a_row_that_were_forbidden_the_key_is_asked_about_before_others(
    having: Make, status: int, *, earlier: bool
) -> None:
    table = Table(having(), 100, succeeded=1, stored=EARLIER) if earlier else Table(having(), 100)
    table.answer_all(*[] if earlier else [STORED], *[FORBIDDEN] * 19)
    other = table.take()
    table.answer(FORBIDDEN)
    assert table.end() is None
    question = table.take()
    assert not table.has_ready(), "nothing but the question"
    assert table.asks(question, EARLIER if earlier else conversation(1))
    table.answer(FORBIDDEN, row=other)
    kind = VerdictKind.KEY_REFUSED if status == 401 else VerdictKind.TURNED_AWAY
    refused = Verdict(kind, "no such key", status)
    table.answer(refused, row=question)
    if status == 403:
        table.answer(refused)  # the key may be allowed to set feedback only
    table.answers.run_ended()
    assert table.end() is RunEnd.KEY_REFUSED
    assert "no such key" in table.control.message
    assert ("belongs to this product" in table.control.message) == earlier, "it took rows here"
    assert not table.writer.counts[OutcomeKind.FAILED]
    assert len(table.queue) == 100 - (not earlier)


@pytest.mark.parametrize("earlier", [False, True])
async def test_many_rows_in_a_row_that_are_forbidden_although_the_key_holds_fail_and_end_the_run(
    having: Make, *, earlier: bool
) -> None:
    table = Table(having(), 100, succeeded=1, stored=EARLIER) if earlier else Table(having(), 100)
    table.answer_all(*[] if earlier else [STORED], *[FORBIDDEN] * 19)
    other = table.take()
    table.answer(FORBIDDEN)
    question = table.take()
    table.answer(FORBIDDEN, row=other)
    table.answer(COMPLETED, row=question)
    table.answers.run_ended()
    assert table.end() is RunEnd.KEY_REFUSED
    assert "although" in table.control.message
    assert table.writer.counts[OutcomeKind.FAILED] == 20, "of the last one it is not known"
    assert table.queue.count(RowState.WITHHELD) == 1


@pytest.mark.parametrize("earlier", [False, True])
async def test_a_key_that_may_only_set_feedback_holds_if_another_row_is_stored_after_the_question(
    having: Make, *, earlier: bool
) -> None:
    table = Table(having(), 50, succeeded=1, stored=EARLIER) if earlier else Table(having(), 50)
    table.answer_all(*[] if earlier else [STORED], *[FORBIDDEN] * 20, FORBIDDEN)
    assert not table.writer.counts[OutcomeKind.FAILED]
    another = table.answer(FAILURE)
    assert another.feedback.seq == 50, "the one that is the farthest from those"
    assert not table.has_ready(), "nothing before that is known"
    table.now = another.due
    assert table.take() is another
    table.answer(STORED, row=another)
    assert table.writer.counts[OutcomeKind.FAILED] == 20
    table.answer_all(*[FORBIDDEN] * 5, STORED)
    assert table.end() is None
    assert table.writer.counts[OutcomeKind.FAILED] == 25


async def test_rows_in_a_row_that_are_forbidden_stay_pending_where_another_shows_nothing_either(
    having: Make,
) -> None:
    table = Table(having(max_attempts=1), 50)
    table.answer_all(STORED, *[FORBIDDEN] * 20, FORBIDDEN, FAILURE)
    table.answers.run_ended()
    assert table.end() is RunEnd.KEY_REFUSED
    assert "not known" in table.control.message
    assert table.writer.counts[OutcomeKind.FAILED] == 1, "that one alone"


async def test_rows_that_are_left_once_the_row_after_the_question_is_forbidden_are_asked_about(
    having: Make,
) -> None:
    table = Table(having(), 23)
    table.answers.all_read()
    table.answer(STORED)
    slow = table.take()
    table.answer_all(*[FORBIDDEN] * 20, FORBIDDEN)
    another = table.take()
    table.answer(STORED, row=slow)
    table.answer(FORBIDDEN, row=another)
    question = table.take()
    assert table.asks(question, slow.feedback.conversation_id)
    table.answer(INVALID, row=question)
    assert table.writer.counts[OutcomeKind.FAILED] == 21
    assert not len(table.queue)


async def test_one_other_row_alone_is_sent_however_many_others_are_forbidden_meanwhile(
    having: Make,
) -> None:
    table = Table(having(), 50)
    table.answer(STORED)
    slow = table.take()
    table.answer_all(*[FORBIDDEN] * 20, FORBIDDEN)
    another = table.take()
    table.answer(FORBIDDEN, row=slow)
    assert not table.has_ready()
    table.answer(STORED, row=another)
    assert table.writer.counts[OutcomeKind.FAILED] == 20, "and not what was answered after it began"


async def test_the_row_after_the_question_is_one_that_is_sent_and_not_asked_about(
    having: Make,
) -> None:
    table = Table(having(), 50)
    asking = table.queue.add_to_ask(Feedback(51, conversation(51), Meaning.POSITIVE, None))
    table.answer_all(STORED, *[FORBIDDEN] * 20, FORBIDDEN)
    another = table.take()
    assert another.feedback.seq == 50
    assert asking.state is RowState.READY


async def test_a_key_that_may_only_set_feedback_holds_if_a_row_is_stored_while_it_is_asked_about(
    having: Make,
) -> None:
    table = Table(having(), 50)
    table.answer(STORED)
    slow = table.take()
    table.answer_all(*[FORBIDDEN] * 20)
    question = table.take()
    table.answer(STORED, row=slow)
    table.answer(FORBIDDEN, row=question)
    assert table.end() is None
    table.answer(STORED)
    assert table.writer.counts[OutcomeKind.FAILED] == 20


async def test_a_row_that_is_stored_while_the_key_is_asked_about_lets_the_run_go_on(
    having: Make,
) -> None:
    table = Table(having(), 100)
    table.answer_all(STORED, *[FORBIDDEN] * 19)
    other = table.take()
    table.answer(FORBIDDEN)
    question = table.take()
    table.answer(STORED, row=other)
    assert table.writer.counts[OutcomeKind.FAILED] == 19, "those answered before it was sent"
    assert table.has_ready()
    table.answer(COMPLETED, row=question)
    assert table.end() is None


@pytest.mark.parametrize("earlier", [False, True])
async def test_rows_in_a_row_that_are_forbidden_stay_pending_where_nobody_tells_if_the_key_holds(
    having: Make, *, earlier: bool
) -> None:
    settings = having(max_attempts=2)
    table = Table(settings, 50, succeeded=1, stored=EARLIER) if earlier else Table(settings, 50)
    table.answer_all(*[] if earlier else [STORED], *[FORBIDDEN] * 20)
    question = table.answer(FAILURE)
    assert not table.has_ready(), "not even others, before it is asked again"
    table.now = question.due
    table.answer(FAILURE, row=table.take())
    table.answers.run_ended()
    assert table.end() is RunEnd.KEY_REFUSED
    assert "not known" in table.control.message
    assert "HTTP 500" in table.control.message
    assert not table.writer.counts[OutcomeKind.FAILED]


async def test_rows_that_were_forbidden_wait_for_others_where_the_question_fails_and_some_are_left(
    having: Make,
) -> None:
    table = Table(having(max_attempts=1), 100)
    table.answer_all(STORED, *[FORBIDDEN] * 19)
    other = table.take()
    table.answer(FORBIDDEN)
    question = table.take()
    table.answer(NOT_FOUND, row=other)  # sent before the others were forbidden
    table.answer(FORBIDDEN)
    table.answer(FAILURE, row=question)
    assert table.writer.counts[OutcomeKind.FAILED] == 1 + 19, "not the latest two"
    assert table.end() is None
    table.answer(STORED)
    assert table.writer.counts[OutcomeKind.FAILED] == 1 + 21


async def test_the_question_about_the_key_goes_before_other_rows_also_when_it_is_repeated(
    having: Make,
) -> None:
    table = Table(having(), 100, succeeded=1, stored=EARLIER)
    table.answer_all(*[FORBIDDEN] * 20)
    question = table.answer(FAILURE)
    assert table.asks(question, EARLIER)
    table.now = question.due
    assert table.take() is question


async def test_rows_that_were_forbidden_are_sent_again_with_another_key(having: Make) -> None:
    table = Table(having(), 30, succeeded=1, stored=EARLIER)
    table.answer_all(*[FORBIDDEN] * 20)
    table.answer(COMPLETED._replace(new_key=True))
    assert table.end() is None
    assert not table.writer.counts
    table.answer_all(*[STORED] * 30)
    assert table.writer.counts == {OutcomeKind.SUCCEEDED: 30}


@pytest.mark.parametrize("earlier", [False, True])
async def test_of_many_rows_in_a_row_that_are_redirected_nothing_is_asked(
    having: Make, *, earlier: bool
) -> None:
    table = Table(having(), 22, succeeded=1, stored=EARLIER) if earlier else Table(having(), 22)
    table.answer_all(*[] if earlier else [STORED], *[REDIRECTED] * 20)
    table.answers.run_ended()
    assert table.end() is RunEnd.REDIRECTED
    failed = 19 if earlier else 0
    assert table.writer.counts[OutcomeKind.FAILED] == failed, "each run gets further"


async def test_rows_in_a_row_that_are_forbidden_or_redirected_are_asked_about_as_well(
    having: Make,
) -> None:
    table = Table(having(), 100, succeeded=1, stored=EARLIER)
    table.answer_all(*[FORBIDDEN] * 19, REDIRECTED)
    table.answer(COMPLETED)
    table.answers.run_ended()
    assert table.end() is RunEnd.REDIRECTED
    assert table.writer.counts == {OutcomeKind.FAILED: 20}


@pytest.mark.parametrize("in_outage", [False, True])
async def test_a_row_that_is_turned_away_ends_the_run_unless_another_was_stored_before(
    having: Make, *, in_outage: bool
) -> None:
    table = Table(having(), 30)
    if in_outage:
        table.answer_all(*[FAILURE] * 20)
        assert table.pacer.is_probing
    table.answer_all(STORED, FORBIDDEN)
    assert table.end() is None
    other = Table(having())
    other.answer(FORBIDDEN)
    assert other.end() is RunEnd.KEY_REFUSED


@pytest.mark.parametrize("other", [STORED, NOT_FOUND, NOT_COMPLETED], ids=["200", "404", "409"])
async def test_a_row_that_is_turned_away_has_failed_when_another_shows_that_it_was_alone(
    having: Make, other: Verdict
) -> None:
    table = Table(having(), 5)
    table.answer_all(STORED, FORBIDDEN, FAILURE)
    assert table.writer.counts == {OutcomeKind.SUCCEEDED: 1}
    table.answer(other)
    await table.writer.write()
    assert table.ended()[2] is Reason.REFUSED
    assert table.queue.count(RowState.WITHHELD) == 0


@pytest.mark.parametrize("other", [STORED, NOT_FOUND, NOT_COMPLETED], ids=["200", "404", "409"])
async def test_what_was_asked_before_a_row_was_turned_away_does_not_show_that_it_was_alone(
    having: Make, other: Verdict
) -> None:
    table = Table(having(), 50)
    table.answer(STORED)
    earlier = [table.take() for _ in range(9)]
    for row in earlier:  # the key is withdrawn, and these are still under way
        table.answer_all(FORBIDDEN, FORBIDDEN)
        table.answer(other, row)
    assert not table.writer.counts[OutcomeKind.FAILED] - 9 * (other is NOT_FOUND)
    table.answer_all(*[FORBIDDEN] * 20, FORBIDDEN, FORBIDDEN)  # the question and another row
    table.answers.run_ended()
    assert table.end() is RunEnd.KEY_REFUSED
    assert not table.writer.counts[OutcomeKind.FAILED] - 9 * (other is NOT_FOUND)


@pytest.mark.parametrize("is_handed", [False, True])
async def test_rows_that_are_turned_away_wait_for_rows_that_have_yet_to_be_read(
    having: Make, *, is_handed: bool
) -> None:
    table = Table(having(), 4, is_handed=is_handed)
    table.answer_all(STORED, FORBIDDEN, FORBIDDEN, FORBIDDEN)
    assert len(table.queue) == (4 if is_handed else 3), "one asks whether the key still holds"
    table.answers.all_read()
    table.answer(COMPLETED)
    assert table.writer.counts[OutcomeKind.FAILED] == 3
    assert not len(table.queue)


async def test_a_row_that_is_turned_away_is_not_kept_back_when_the_last_other_one_has_failed(
    having: Make,
) -> None:
    table = Table(having(max_attempts=1), 3)
    table.answers.all_read()
    table.answer_all(STORED, FORBIDDEN, FAILURE, COMPLETED)
    assert table.writer.counts == {OutcomeKind.SUCCEEDED: 1, OutcomeKind.FAILED: 2}
    assert not len(table.queue)


@pytest.mark.parametrize(
    "answer",
    [COMPLETED, NOT_COMPLETED, Verdict(VerdictKind.CONVERSATION_ERROR, "in ERROR", 409), FAILURE],
    ids=["completed", "not completed", "in error", "no more attempts"],
)
async def test_rows_that_were_turned_away_last_fail_unless_the_key_has_ceased_to_hold(
    having: Make, answer: Verdict
) -> None:
    table = Table(having(max_attempts=1), 3)
    table.answers.all_read()
    table.answer(STORED)
    latest = table.take()
    table.answer(FORBIDDEN)
    assert not table.queue.has_ready(table.now)
    table.answer(FORBIDDEN, row=latest)
    assert table.writer.counts == {OutcomeKind.SUCCEEDED: 1}
    question = table.take()
    assert table.asks(question), "of what was stored last"
    table.answer(answer, row=question)
    assert table.writer.counts == {OutcomeKind.SUCCEEDED: 1, OutcomeKind.FAILED: 2}
    assert (table.end(), len(table.queue)) == (None, 0)
    await table.writer.write()
    assert {seq for seq, _, _ in table.attempts()} == {2, 3}, "the question is none of a row"


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("is_handed", [False, True])
async def test_rows_turned_away_in_a_resumed_run_stay_pending_if_the_key_does_not_hold(
    having: Make, status: int, *, is_handed: bool
) -> None:
    table = Table(having(), 2, succeeded=1, stored=EARLIER, is_handed=is_handed)
    if not is_handed:
        table.answers.all_read()
    table.answer_all(FORBIDDEN, FORBIDDEN)
    question = table.take()
    assert table.asks(question, EARLIER)
    kind = VerdictKind.KEY_REFUSED if status == 401 else VerdictKind.TURNED_AWAY
    table.answer(Verdict(kind, "no such key", status), row=question)
    table.answers.run_ended()
    assert table.end() is RunEnd.KEY_REFUSED
    assert not table.writer.counts


@pytest.mark.parametrize("status", [401, 403])
async def test_rows_that_were_turned_away_last_stay_pending_if_the_key_has_ceased_to_hold(
    having: Make, status: int
) -> None:
    table = Table(having(), 3)
    table.answers.all_read()
    table.answer_all(STORED, FORBIDDEN, FORBIDDEN, FAILURE)
    assert table.end() is None
    table.now += 100
    kind = VerdictKind.KEY_REFUSED if status == 401 else VerdictKind.TURNED_AWAY
    table.answer(Verdict(kind, "no such key", status))
    table.answers.run_ended()
    assert table.end() is RunEnd.KEY_REFUSED
    assert table.writer.counts == {OutcomeKind.SUCCEEDED: 1}
    assert (len(table.queue), [*table.queue.in_doubt()]) == (2, [])


async def test_a_run_that_ends_before_it_knows_whether_the_key_holds_counts_its_rows_alone(
    having: Make,
) -> None:
    table = Table(having(), 2)
    table.answers.all_read()
    table.answer_all(STORED, FORBIDDEN)
    table.take()
    table.control.stop(RunEnd.SIGTERM)
    table.answers.run_ended()
    assert (len(table.queue), [*table.queue.in_doubt()]) == (1, [])


async def test_rows_that_are_turned_away_fail_where_nothing_can_be_asked_about(
    having: Make,
) -> None:
    table = Table(having(), 2, succeeded=1)
    table.answers.all_read()
    table.answer_all(FORBIDDEN, FORBIDDEN)
    assert table.writer.counts == {OutcomeKind.FAILED: 2}, "each run gets further"
    assert (table.end(), len(table.queue)) == (None, 0)


@pytest.mark.parametrize(("count", "end"), [(2, RunEnd.MAX_FAILURES), (3, None), (None, None)])
async def test_so_many_failed_rows_end_the_run(
    having: Make, count: int | None, end: RunEnd | None
) -> None:
    limit = None if count is None else FailureLimit(count=count)
    table = Table(having(max_failures=limit), 2)
    table.answer(NOT_FOUND)
    assert table.end() is None
    table.answer(INVALID)
    assert table.end() is end
    if end is not None:
        assert table.control.message == "2 rows failed, which is the limit; the latest: invalid"


async def test_a_canary_that_fails_alike_ends_the_run_and_no_row_of_it_has_failed(
    having: Make,
) -> None:
    table = Table(having(), 3, canary=3)
    table.answer_all(NOT_FOUND, NOT_FOUND)
    assert table.end() is None
    table.answer(NOT_FOUND)
    assert table.end() is RunEnd.CANARY
    assert "the first 3 rows all failed" in table.control.message
    assert "(not found)" in table.control.message
    table.answers.all_read()
    assert not table.writer.counts
    assert table.queue.count(RowState.WITHHELD) == 3


@pytest.mark.parametrize(
    "other",
    [
        STORED,
        NOT_COMPLETED,
        INVALID,
        Verdict(VerdictKind.CONVERSATION_ERROR, "in ERROR", 409),
    ],
    ids=["200", "409", "422", "error"],
)
async def test_rows_of_the_canary_have_failed_for_themselves_if_another_fares_otherwise(
    having: Make, other: Verdict
) -> None:
    table = Table(having(), 5, canary=3)
    table.answer_all(NOT_FOUND, other)
    assert table.queue.count(RowState.WITHHELD) == 0
    table.answer_all(NOT_FOUND, NOT_FOUND, NOT_FOUND)
    assert table.end() is None
    await table.writer.write()
    found = table.ended()
    assert [found[seq] for seq in (1, 3, 4, 5)] == [Reason.REFUSED] * 4
    assert table.writer.counts[OutcomeKind.FAILED] >= 4


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("read_first", [False, True])
async def test_rows_of_a_canary_that_has_no_others_have_failed(
    having: Make, rows: int, *, read_first: bool
) -> None:
    table = Table(having(), rows, canary=3)
    table.answer_all(*[NOT_FOUND] * (rows - 1))
    latest = table.take()
    if read_first:
        table.answers.all_read()
    assert not table.writer.counts, "the latest one may fare otherwise"
    table.answer(NOT_FOUND, row=latest)
    if not read_first:
        assert not table.writer.counts, "more may come"
        table.answers.all_read()
    assert table.writer.counts == {OutcomeKind.FAILED: rows}
    assert table.end() is None


async def test_a_canary_that_is_stored_lets_all_others_follow(having: Make) -> None:
    table = Table(having(), 5, canary=2)
    table.answer_all(*[STORED] * 5)
    assert table.writer.counts == {OutcomeKind.SUCCEEDED: 5}


async def test_a_failure_shows_nothing_of_a_canary(having: Make) -> None:
    table = Table(having(), 3, canary=1)
    table.answer(FAILURE)
    assert table.end() is None
    table.answer(NOT_FOUND)
    assert table.end() is RunEnd.CANARY


@pytest.mark.parametrize("definite", [STORED, NOT_FOUND], ids=["200", "404"])
async def test_failures_while_nothing_succeeds_are_not_their_rows(
    having: Make, definite: Verdict
) -> None:
    table = Table(having(outage_for=60.0, retry_first=1000.0, retry_max=1000.0), 31)
    own = table.answer(FAILURE)
    table.answer(definite)
    others = [table.answer(FAILURE) for _ in range(20)]
    assert table.pacer.is_probing
    assert own.failures == 1
    assert {row.failures for row in others} == {0}
    probe = table.take()
    table.now += 50
    table.answer(FAILURE, row=probe)
    assert table.said == ["the service is unavailable (HTTP 500): probing with single requests"]
    assert probe.failures == 0
    assert table.end() is None
    table.answer(STORED)
    assert table.said[1:] == ["the service is available again: resuming"]
    assert not table.pacer.is_probing


async def test_an_outage_that_lasts_ends_the_run_and_its_probe_is_not_waited_for(
    having: Make,
) -> None:
    table = Table(having(outage_for=60.0), 31)
    table.control.allow_grace(3600.0)
    table.answer(STORED)
    table.now += 30
    table.answer_all(*[FAILURE] * 20)
    assert table.end() is None
    table.now += 60
    table.answer(FAILURE)
    assert table.end() is RunEnd.SERVICE_DOWN
    assert table.control.message.endswith("unavailable for 1 min 2 s: HTTP 500")
    assert table.control.scope.deadline < anyio.current_time() + 60


async def test_a_row_that_fails_for_the_third_time_while_others_succeed_shows_no_outage(
    having: Make,
) -> None:
    table = Table(having(), 1)
    row = table.answer(FAILURE)
    for other in (2, 3):
        table.add(other)
        table.answer(STORED)
        table.now = row.due
        table.answer(FAILURE)
    table.now += 10
    table.answer(FAILURE)
    assert row.failures == 4
    assert not table.said


async def test_answers_let_more_be_in_flight_and_rows_that_fail_let_fewer(having: Make) -> None:
    table = Table(having(), 24)
    for size in (8, 16):
        assert table.pacer.window.size == size
        for row in [table.take() for _ in range(size)]:
            table.answer(STORED, row=row)
    assert table.pacer.window.size == 32


async def test_a_row_that_fails_again_does_not_let_fewer_be_in_flight(having: Make) -> None:
    table = Table(having(), 12)
    first, *others = [table.take() for _ in range(8)]
    for row in others:
        table.answer(STORED, row=row)
    table.answer(FAILURE, row=first)
    assert table.pacer.window.size == 4
    table.now = first.due
    *others, again = [table.take() for _ in range(5)]
    assert again is first
    table.answer(FAILURE, row=again)
    for row in others:
        table.answer(STORED, row=row)
    assert table.pacer.window.size == 5


async def test_failures_while_others_succeed_are_their_rows(having: Make) -> None:
    table = Table(having(max_attempts=2), 2)
    row = table.answer(FAILURE)
    table.answer(STORED)
    table.now = row.due
    table.answer(FAILURE)
    await table.writer.write()
    assert table.ended() == {1: Reason.RETRIES_EXHAUSTED}
    assert not len(table.queue)


def test_a_new_job_of_many_rows_has_a_canary(having: Make) -> None:
    def rows(before: Totals, **options: Any) -> int:
        return canary_for(having(**options), before).rows

    assert rows(totals(1000)) == 0
    assert rows(totals(1001)) == 20
    assert rows(totals(1001, succeeded=1)) == 0
    assert rows(totals(10), canary=5) == 5
    assert rows(totals(10, succeeded=1), canary=5) == 0
