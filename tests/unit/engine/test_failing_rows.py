"""A row that fails while others succeed is suspect; one that fails with all others is not."""

from importer.engine.failing_rows import FailingRows
from importer.engine.lanes import Lane
from importer.model import Feedback, Meaning
from importer.pacing import Suspicion
from tests.support.data import conversation


def a_row(number: int = 1) -> Lane:
    return Lane(Feedback(number, conversation(number), Meaning.POSITIVE, None))


def fail(rows: FailingRows, lane: Lane, now: float, last_success: float) -> Suspicion:
    """Let the row fail as the engine does; return how suspect it was."""
    suspicion = rows.suspicion(lane, last_success)
    rows.failed(lane, now, last_success)
    lane.failures += 1
    return suspicion


def test_a_row_that_fails_again_and_again_while_others_succeed_is_suspect() -> None:
    rows, lane = FailingRows(), a_row()
    found = [fail(rows, lane, now, last_success=now - 0.5) for now in (1, 2, 3, 4)]
    assert found == [Suspicion.NONE, Suspicion.SOME, Suspicion.STRONG, Suspicion.STRONG]


def test_a_row_is_not_suspect_as_long_as_nothing_succeeds() -> None:
    rows, lane = FailingRows(), a_row()
    assert {fail(rows, lane, now, last_success=0.5) for now in range(1, 9)} == {Suspicion.NONE}


def test_what_failed_with_all_others_is_taken_back() -> None:
    rows, lanes = FailingRows(), [a_row(number) for number in range(3)]
    fail(rows, lanes[0], 1, last_success=0)
    rows.succeeded()
    for lane in lanes:
        fail(rows, lane, 3, last_success=2)
    rows.forgive()
    assert [lane.failures for lane in lanes] == [1, 0, 0]
    assert rows.suspicion(lanes[1], last_success=4) is Suspicion.NONE


def test_a_row_that_has_succeeded_since_starts_anew() -> None:
    rows, lane = FailingRows(), a_row()
    for now in (1, 2, 3):
        fail(rows, lane, now, last_success=now - 0.5)
    lane.failures = 0
    assert rows.suspicion(lane, last_success=9) is Suspicion.NONE
