"""The invariants of `ConversationLanes`, under any order of offers, sends and answers."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from importer.engine.lanes import ConversationLanes, Lane, LaneState, Superseded
from importer.model import Deferral, Feedback, Meaning
from tests.support.data import conversation

LATE_EFFECT = 5.0


class LanesUnderAnyFate(RuleBasedStateMachine):
    """Plays reader, workers and service, and keeps the accounts that the lanes must agree with."""

    in_flight = Bundle("in_flight")

    def __init__(self) -> None:
        super().__init__()
        self.lanes = ConversationLanes()
        self.now = 0.0
        self.seq = 0
        self.open: dict[int, str] = {}
        self.sent_last: dict[str, int] = {}
        self.flying: dict[str, int] = {}
        self.may_land: dict[str, tuple[float, int]] = {}
        self.unrecorded: list[tuple[Lane, str]] = []

    def ends(self, lane: Lane, conversation_id: str) -> None:
        """A row has an outcome, which is not in the journal yet."""
        self.unrecorded.append((lane, conversation_id))

    def close(self, superseded: Superseded | None) -> None:
        """A superseded row leaves for good, and only because a later one of its own is there."""
        if superseded is not None:
            seq = superseded.feedback.seq
            conversation_id = self.open.pop(seq)
            self.ends(superseded.lane, conversation_id)
            assert any(
                later > seq for later, other in self.open.items() if other == conversation_id
            )

    def new_row(self, number: int) -> Feedback:
        self.seq += 1
        feedback = Feedback(self.seq, conversation(number), Meaning.POSITIVE, None)
        self.open[self.seq] = feedback.conversation_id
        return feedback

    @rule(number=st.integers(0, 3))
    def a_row_is_read(self, number: int) -> None:
        self.close(self.lanes.offer(self.new_row(number), self.now))

    @rule(number=st.integers(0, 3), wait=st.floats(-1, 10))
    def a_deferred_row_is_read_again(self, number: int, wait: float) -> None:
        feedback = self.new_row(number)
        deferral = Deferral(feedback.seq, 1, self.now - 1, self.now + wait, 1, self.now - 1)
        self.close(self.lanes.restore(feedback, self.now, deferral))

    @rule(target=in_flight)
    def a_worker_takes_a_row(self) -> Lane | None:
        lane = self.lanes.next_ready(self.now)
        if lane is None:
            return None
        seq, conversation_id = lane.feedback.seq, lane.feedback.conversation_id
        assert conversation_id not in self.flying, "two rows of a conversation in flight"
        assert seq >= self.sent_last.get(conversation_id, 0), "an earlier row after a later one"
        assert conversation_id not in {c for _, c in self.unrecorded}, "a crash would reorder rows"
        until, unanswered = self.may_land.get(conversation_id, (0.0, seq))
        assert unanswered == seq or until <= self.now, "a late request could overwrite this one"
        self.flying[conversation_id] = self.sent_last[conversation_id] = seq
        return lane

    @rule(lane=consumes(in_flight))
    def it_is_answered(self, lane: Lane | None) -> None:
        if lane is not None:
            del self.flying[lane.feedback.conversation_id]
            del self.open[lane.feedback.seq]
            self.ends(lane, lane.feedback.conversation_id)
            self.lanes.settle(lane, self.now)

    @rule(share=st.floats(0, 1))
    def the_journal_is_written(self, share: float) -> None:
        """Outcomes become lasting in the order in which they happened."""
        number = round(len(self.unrecorded) * share)
        written, self.unrecorded = self.unrecorded[:number], self.unrecorded[number:]
        for lane, _ in written:
            self.lanes.recorded(lane)

    @rule(
        lane=consumes(in_flight),
        state=st.sampled_from([LaneState.RETRYING, LaneState.DEFERRED]),
        wait=st.floats(0, 10),
        timed_out=st.booleans(),
    )
    def it_has_to_wait(
        self, lane: Lane | None, state: LaneState, wait: float, timed_out: bool
    ) -> None:
        if lane is None:
            return
        conversation_id = lane.feedback.conversation_id
        del self.flying[conversation_id]
        if state is LaneState.DEFERRED and lane.deferred_since is None:
            lane.deferred_since = self.now
        if timed_out:
            until = self.now + LATE_EFFECT
            self.lanes.may_take_effect_late(lane, until)
            self.may_land[conversation_id] = (until, lane.feedback.seq)
        self.close(self.lanes.park(lane, state, self.now + wait, self.now))

    @rule(seconds=st.floats(0, 10))
    def time_goes_by(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def every_open_row_is_in_the_lanes(self) -> None:
        statistics = self.lanes.statistics()
        assert statistics.outstanding == len(self.open)
        assert statistics.in_flight == len(self.flying)
        assert len(self.lanes) == len(set(self.open.values()))

    @invariant()
    def what_waits_is_known_to_be_due(self) -> None:
        statistics = self.lanes.statistics()
        if statistics.retrying + statistics.deferred:
            assert self.lanes.next_due() is not None

    def teardown(self) -> None:
        """Check that whatever happened, all that is left can be sent, and the last rows are."""
        last = {c: max(s for s, o in self.open.items() if o == c) for c in self.open.values()}
        self.now += 1000
        for conversation_id in list(self.flying):
            lane = self.lanes._lanes[conversation_id]
            del self.open[lane.feedback.seq]
            self.ends(lane, conversation_id)
            self.lanes.settle(lane, self.now)
        self.flying.clear()
        self.now += 1000
        self.the_journal_is_written(1.0)
        while (ready := self.lanes.next_ready(self.now)) is not None:
            assert ready.feedback.seq == last[ready.feedback.conversation_id]
            del self.open[ready.feedback.seq]
            self.ends(ready, ready.feedback.conversation_id)
            self.lanes.settle(ready, self.now)
        self.the_journal_is_written(1.0)
        assert not self.open
        assert not self.lanes._lanes, "nothing is kept of a settled conversation"


LanesUnderAnyFate.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None
)
test_lanes = LanesUnderAnyFate.TestCase
