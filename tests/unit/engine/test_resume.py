"""Where deferred rows stood becomes where they stand in the next run, whatever the clock did."""

from importer.engine.clock import Clock
from importer.engine.resume import lasting, restored
from importer.engine.row_queue import QueuedRow
from importer.model import Deferral, Feedback, Meaning
from tests.support.data import conversation


def standing(now: float, time_of_day: float) -> Clock:
    """Return clocks that stand still."""
    return Clock(lambda: now, lambda: time_of_day)


STOOD = Deferral(3, attempts=2, since=990.0, due=1005.0, looks=1, looked_at=1000.0)


def test_times_of_a_deferred_row_last_as_times_of_day() -> None:
    row = QueuedRow(Feedback(3, conversation(3), Meaning.POSITIVE, None))
    row.attempts, row.looks, row.due, row.deferred_since = 2, 1, 25.0, 10.0
    assert lasting(row, standing(20.0, 1000.0)) == STOOD
    row.deferred_since = None
    assert lasting(row, standing(20.0, 1000.0)).since == 1000.0


def test_they_are_those_of_the_next_run_even_if_the_clock_was_set() -> None:
    ten_seconds_later = restored(STOOD, standing(5.0, 1010.0), longest=60.0)
    assert ten_seconds_later == STOOD._replace(since=-15.0, due=0.0)
    set_back = restored(STOOD, standing(5.0, 500.0), longest=60.0)
    assert (set_back.since, set_back.due) == (5.0, 65.0)
