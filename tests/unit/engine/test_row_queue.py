"""The queue of rows: who is sent next, who waits for what, and which rows are in doubt."""

import pytest

from importer.engine.row_queue import (
    PATIENCE,
    QueuedRow,
    QueueStatistics,
    RowQueue,
    RowState,
    Wait,
)
from importer.model import Deferral, Feedback, Meaning
from tests.support.data import conversation


def feedback(seq: int) -> Feedback:
    return Feedback(seq, conversation(seq), Meaning.POSITIVE, None)


def queue_of(rows: int) -> RowQueue:
    queue = RowQueue()
    for seq in range(1, rows + 1):
        queue.add([feedback(seq)])
    return queue


def taken(queue: RowQueue, now: float = 0.0) -> QueuedRow:
    row = queue.next_ready(now)
    assert row is not None
    return row


def seq_of(row: QueuedRow | None) -> int | None:
    return None if row is None else row.feedback.seq


def refused(queue: RowQueue, row: QueuedRow, now: float, seconds: float) -> None:
    queue.answered(row, 1, sent=True, definite=True)
    queue.wait(row, Wait(RowState.RETRYING, seconds, row.failures + 1), now)


def deferred(queue: RowQueue, row: QueuedRow, now: float, seconds: float) -> None:
    queue.answered(row, 1, sent=True, definite=True)
    queue.wait(row, Wait(RowState.DEFERRED, seconds, ask_status=True, deferred_since=now), now)


def test_rows_come_in_input_order_and_each_is_in_flight_once() -> None:
    queue = queue_of(2)
    first, second = taken(queue, 7.0), taken(queue)
    assert (seq_of(first), seq_of(second), queue.next_ready(0.0)) == (1, 2, None)
    assert (first.started, queue.count(RowState.IN_FLIGHT)) == (7.0, 2)


def test_rows_are_taken_together_as_they_would_be_one_by_one() -> None:
    queue = queue_of(5)
    retried, waiting = taken(queue), taken(queue)
    refused(queue, retried, 0.0, 1.0)
    deferred(queue, waiting, 0.0, 1.0)

    assert queue.take(2, 2.0) == ([feedback(3), feedback(4)], [])
    assert queue.take(9, 2.0) == ([feedback(5)], [retried, waiting])
    assert (queue.count(RowState.IN_FLIGHT), queue.count(RowState.READY)) == (5, 0)

    queue.done_together(3)
    queue.return_unsent(queue.recall(feedback(4)))
    queue.return_unsent(queue.recall(retried))
    assert len(queue) == 2
    assert [seq_of(queue.next_ready(2.0)) for _ in range(2)] == [4, 1]


def test_a_row_that_is_retried_comes_when_it_is_due_and_keeps_what_is_known_of_it() -> None:
    queue = queue_of(2)
    row = taken(queue)
    assert queue.next_due() is None
    refused(queue, row, 10.0, 2.0)
    assert (queue.next_due(), queue.next_check()) == (12.0, None)
    assert seq_of(queue.next_ready(11.9)) == 2
    assert queue.next_ready(11.9) is None
    assert queue.next_ready(12.0) is row
    assert (row.attempts, row.failures) == (1, 1)


def test_a_deferred_row_gives_way_to_rows_that_can_be_sent_but_not_for_ever() -> None:
    queue = queue_of(3)
    row = taken(queue)
    deferred(queue, row, 0.0, 5.0)
    assert seq_of(queue.next_ready(6.0)) == 2, "it is due, and others are ready"
    assert queue.next_ready(5.0 + PATIENCE) is not row, "made ready, behind those before it"
    queue.add([feedback(4)])
    assert queue.next_ready(5.0 + PATIENCE) is row, "before those after it"
    assert row.ask_status


def test_a_deferred_row_comes_at_once_when_nothing_else_is_ready() -> None:
    queue = queue_of(1)
    row = taken(queue)
    deferred(queue, row, 0.0, 5.0)
    assert queue.next_ready(4.9) is None
    assert queue.next_ready(5.0) is row


def test_deferred_rows_come_one_by_one_by_due_time_and_number() -> None:
    queue = queue_of(4)
    rows = [taken(queue) for _ in range(4)]
    for at, due in ((1, 5.0), (2, 4.0), (0, 5.0)):
        deferred(queue, rows[at], 0.0, due)
    refused(queue, rows[3], 0.0, 7.0)
    assert (queue.next_check(), queue.next_due()) == (4.0, 4.0)
    assert queue.next_ready(6.0) is rows[2]
    queue.add([feedback(5)])
    assert seq_of(queue.next_ready(6.0)) == 5, "what can be sent goes first"
    assert [queue.next_ready(6.0) for _ in range(3)] == [rows[0], rows[1], None]
    assert (queue.next_check(), queue.next_due()) == (None, 7.0)


def test_it_is_known_since_when_the_newest_deferred_row_waits() -> None:
    queue = queue_of(3)
    assert queue.newest_deferral() is None
    for now in (3.0, 9.0):
        deferred(queue, taken(queue), now, 5.0)
    queue.restore(feedback(4), Deferral(4, attempts=1, since=-20.0, due=4.0, looks=1, looked_at=0))
    assert queue.newest_deferral() == 9.0
    for _ in range(3):
        queue.done(taken(queue, 100.0))
    queue.done(taken(queue, 100.0))
    assert queue.newest_deferral() is None
    queue.restore(feedback(5), Deferral(5, attempts=1, since=-7.0, due=4.0, looks=1, looked_at=0))
    assert queue.newest_deferral() == -7.0, "those that are done do not matter"


@pytest.mark.parametrize("in_flight", [True, False])
def test_a_row_that_was_deferred_elsewhere_goes_on_where_it_was(in_flight: bool) -> None:
    """By an earlier run, or by another process that has had the row."""
    queue = queue_of(int(in_flight))
    stood = Deferral(1, attempts=3, since=-20.0, due=4.0, looks=2, looked_at=0)
    if in_flight:
        queue.put_back(taken(queue), stood)
    else:
        queue.restore(feedback(1), stood)
    assert (queue.next_due(), queue.newest_deferral()) == (4.0, -20.0)
    assert queue.statistics() == QueueStatistics(0, 0, 0, deferred=1, held=0)
    row = taken(queue, 4.0)
    assert (row.attempts, row.looks, row.deferred_since, row.ask_status) == (3, 2, -20.0, True)
    queue.looked(row)
    assert row.looks == 3


def test_a_failure_that_was_not_the_rows_own_is_taken_back() -> None:
    queue = queue_of(2)
    rows = [taken(queue) for _ in range(2)]
    rows[0].failures = 2
    queue.forgive(rows)
    assert [row.failures for row in rows] == [1, 0]


def test_a_held_row_waits_for_its_time_and_holds_nobody_else_up() -> None:
    queue = RowQueue()
    queue.hold(feedback(1), until=30.0)
    queue.add([feedback(2)])
    assert seq_of(queue.next_ready(0.0)) == 2
    assert (queue.next_ready(29.9), queue.next_due(), queue.count(RowState.HELD)) == (None, 30.0, 1)
    assert seq_of(queue.next_ready(30.0)) == 1


def test_a_row_is_accounted_for_until_it_is_done() -> None:
    queue = queue_of(4)
    one, two, three = (taken(queue) for _ in range(3))
    queue.answered(one, 1, sent=True, definite=True)
    queue.withhold(one)
    assert (queue.count(RowState.WITHHELD), queue.count(RowState.IN_FLIGHT)) == (1, 2)
    queue.return_unsent(two)
    queue.done(three)
    assert len(queue) == 3
    assert queue.statistics() == QueueStatistics(2, in_flight=1, retrying=0, deferred=0, held=0)
    queue.done(one)
    assert [seq_of(queue.next_ready(0.0)) for _ in range(2)] == [4, 2]
    queue.done(two)
    assert len(queue) == 1


def test_in_doubt_are_the_rows_of_which_a_request_may_have_taken_effect() -> None:
    queue = queue_of(5)
    queue.add_to_ask(feedback(6))
    queue.add([feedback(7)])
    rows = [taken(queue) for _ in range(6)]
    queue.answered(rows[0], 1, sent=False, definite=False)  # no connection
    queue.wait(rows[0], Wait(RowState.RETRYING, 1.0), 0.0)
    queue.answered(rows[1], 1, sent=True, definite=False)  # no answer
    refused(queue, rows[1], 0.0, 1.0)
    deferred(queue, rows[2], 0.0, 1.0)  # an answer, and nothing was stored
    queue.done(rows[3])
    # Row 5 is in flight when the run is cancelled, and so is the question for the status of row 6,
    # of which nothing was sent; row 7 was never taken.
    assert sorted(row.feedback.seq for row in queue.in_doubt()) == [2, 5]
    assert taken(queue, 0.5).feedback.seq == 7
    assert taken(queue, 1.0).feedback.seq == 1
    # The status of row 3 is asked for; whatever row 2 is told now, its first request is not over.
    assert [queue.next_ready(1.0), queue.next_ready(1.0)] == [rows[1], rows[2]]
    in_doubt = {row.feedback.seq for row in queue.in_doubt()}
    assert (2 in in_doubt, 3 in in_doubt) == (True, False)
    for row in (rows[4], rows[5]):
        queue.return_unsent(row)
    for row in (rows[1], rows[2]):
        queue.withhold(row)
    assert sorted(row.feedback.seq for row in queue.in_doubt()) == [1, 2, 7]


def test_a_row_is_open_once_a_request_of_it_has_no_definite_answer() -> None:
    queue = queue_of(1)
    row = taken(queue)
    was_open = []
    for requests, sent, definite in ((1, False, False), (2, True, False), (1, True, True)):
        queue.answered(row, requests, sent=sent, definite=definite)
        was_open.append(row.open)
    # One that was never sent cannot take effect, and a later answer takes no request back.
    assert was_open == [False, True, True]
    assert row.attempts == 4
