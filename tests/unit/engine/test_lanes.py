"""How `ConversationLanes` orders the rows of a conversation, by example."""

from importer.engine.lanes import ConversationLanes, LaneState
from importer.model import Deferral, Feedback, Meaning
from tests.support.data import conversation


def row(seq: int, number: int = 1) -> Feedback:
    return Feedback(seq, conversation(number), Meaning.POSITIVE, None)


def test_rows_of_different_conversations_go_out_side_by_side() -> None:
    lanes = ConversationLanes()
    lanes.offer(row(1, 1), 0)
    lanes.offer(row(2, 2), 0)
    taken = [lanes.next_ready(0), lanes.next_ready(0)]
    assert [lane and lane.feedback.seq for lane in taken] == [1, 2]
    assert lanes.next_ready(0) is None


def test_a_later_row_takes_the_place_of_one_that_waits() -> None:
    lanes = ConversationLanes()
    lanes.offer(row(1), 0)
    superseded = lanes.offer(row(2), 0)
    assert superseded is not None
    assert superseded.feedback.seq == 1
    assert lanes.next_ready(0) is None, "the journal does not hold the first one's outcome yet"
    lanes.recorded(superseded.lane)
    lane = lanes.next_ready(0)
    assert lane is not None
    assert lane.feedback.seq == 2
    assert lanes.next_ready(0) is None


def test_a_later_row_waits_until_the_one_before_is_settled_for_good() -> None:
    lanes = ConversationLanes()
    lanes.offer(row(1), 0)
    first = lanes.next_ready(0)
    assert first is not None
    lanes.settle(first, 1)
    assert len(lanes) == 0, "nothing is left to send"
    assert lanes.offer(row(2), 1) is None
    assert lanes.next_ready(1) is None, "a crash now would send the first one again"
    lanes.recorded(first)
    second = lanes.next_ready(1)
    assert second is not None
    assert second.feedback.seq == 2


def test_a_later_row_waits_for_the_one_in_flight() -> None:
    lanes = ConversationLanes()
    lanes.offer(row(1), 0)
    first = lanes.next_ready(0)
    assert first is not None
    assert lanes.offer(row(2), 0) is None
    assert lanes.next_ready(0) is None
    lanes.settle(first, 1)
    lanes.recorded(first)
    second = lanes.next_ready(1)
    assert second is not None
    assert second.feedback.seq == 2


def test_a_row_that_takes_over_a_deferred_one_waits_as_long() -> None:
    lanes = ConversationLanes()
    lanes.offer(row(1), 0)
    lane = lanes.next_ready(0)
    assert lane is not None
    lane.attempts, lane.deferred_since = 1, 0.0
    lanes.park(lane, LaneState.DEFERRED, 5, 0)
    superseded = lanes.offer(row(2), 1)
    assert superseded is not None
    assert superseded.feedback == row(1)
    assert superseded.attempts == 1, "its PUTs are still accounted for"
    lanes.recorded(lane)
    assert lanes.next_ready(4.9) is None
    assert lanes.next_due() == 5
    again = lanes.next_ready(5)
    assert again is not None
    assert again.feedback.seq == 2
    assert again.deferred_since == 1, "its own hour starts when it arrives"


def test_a_later_row_is_held_back_while_a_timed_out_one_may_take_effect() -> None:
    lanes = ConversationLanes()
    lanes.offer(row(1), 0)
    lane = lanes.next_ready(0)
    assert lane is not None
    lanes.may_take_effect_late(lane, 30)
    lanes.park(lane, LaneState.RETRYING, 1, 0)
    retried = lanes.next_ready(1)
    assert retried is not None, "the same row may be sent again at once"
    lanes.offer(row(2), 1)
    lanes.settle(retried, 2)
    lanes.recorded(retried)
    assert lanes.late_until() == 30
    assert lanes.next_ready(29.9) is None
    later = lanes.next_ready(30)
    assert later is not None
    assert later.feedback.seq == 2


def test_a_deferred_row_of_an_earlier_run_goes_on_where_it_stood() -> None:
    lanes = ConversationLanes()
    lanes.restore(row(7), 100, Deferral(7, attempts=2, since=40, due=110, looks=3, looked_at=90))
    assert lanes.next_ready(109) is None
    lane = lanes.next_ready(110)
    assert lane is not None
    assert (lane.attempts, lane.deferred_since) == (2, 40)
    assert lane.ask_status
