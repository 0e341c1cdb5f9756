"""The queue of rows: who is sent next, who waits for what, and which rows are in doubt."""

from importer.engine.row_queue import PATIENCE, QueuedRow, RowQueue, RowState, Wait
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
    refused(queue, row, 10.0, 2.0)
    assert queue.next_due() == 12.0
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
    assert queue.next_ready(5.0 + PATIENCE) is row
    assert row.ask_status


def test_a_deferred_row_comes_at_once_when_nothing_else_is_ready() -> None:
    queue = queue_of(1)
    row = taken(queue)
    deferred(queue, row, 0.0, 5.0)
    assert queue.next_ready(4.9) is None
    assert queue.next_ready(5.0) is row


def test_a_row_that_was_deferred_by_an_earlier_run_goes_on_where_it_was() -> None:
    queue = RowQueue()
    queue.restore(feedback(1), Deferral(1, attempts=3, since=-20.0, due=4.0, looks=2, looked_at=0))
    assert queue.next_due() == 4.0
    row = taken(queue, 4.0)
    assert (row.attempts, row.looks, row.deferred_since, row.ask_status) == (3, 2, -20.0, True)


def test_a_held_row_waits_for_its_time_and_holds_nobody_else_up() -> None:
    queue = RowQueue()
    queue.hold(feedback(1), until=30.0)
    queue.add([feedback(2)])
    assert seq_of(queue.next_ready(0.0)) == 2
    assert (queue.next_ready(29.9), queue.next_due()) == (None, 30.0)
    assert seq_of(queue.next_ready(30.0)) == 1


def test_a_row_is_accounted_for_until_it_is_done() -> None:
    queue = queue_of(3)
    one, two, three = (taken(queue) for _ in range(3))
    queue.withhold(one)
    queue.return_unsent(two)
    queue.done(three)
    assert len(queue) == 2
    queue.done(one)
    assert seq_of(queue.next_ready(0.0)) == 2
    queue.done(two)
    assert len(queue) == 0


def test_in_doubt_are_the_rows_that_were_handed_to_a_connection_and_are_not_done() -> None:
    queue = queue_of(6)
    rows = [taken(queue) for _ in range(5)]
    queue.answered(rows[0], 1, sent=False, definite=False)  # no connection
    queue.wait(rows[0], Wait(RowState.RETRYING, 1.0), 0.0)
    refused(queue, rows[1], 0.0, 1.0)
    deferred(queue, rows[2], 0.0, 1.0)
    queue.done(rows[3])
    # rows[4] is in flight when the run is cancelled, and row 6 was never taken
    assert sorted(row.feedback.seq for row in queue.in_doubt()) == [2, 3, 5]


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
