"""A row that fails while others succeed is suspect; one that fails with all others is not."""

from importer.engine.failing_rows import FailingRows
from importer.engine.row_queue import QueuedRow
from importer.model import Feedback, Meaning
from importer.pacing import Suspicion
from tests.support.data import conversation


def a_row(number: int = 1) -> QueuedRow:
    return QueuedRow(Feedback(number, conversation(number), Meaning.POSITIVE, None))


def fail(rows: FailingRows, row: QueuedRow, now: float, last_success: float) -> Suspicion:
    """Let the row fail as the engine does; return how suspect it was."""
    suspicion = rows.suspicion(row, last_success)
    rows.failed(row, now, last_success)
    row.failures += 1
    return suspicion


def test_a_row_that_fails_again_and_again_while_others_succeed_is_suspect() -> None:
    rows, row = FailingRows(), a_row()
    found = [fail(rows, row, now, last_success=now - 0.5) for now in (1, 2, 3, 4)]
    assert found == [Suspicion.NONE, Suspicion.SOME, Suspicion.STRONG, Suspicion.STRONG]


def test_a_row_is_not_suspect_as_long_as_nothing_succeeds() -> None:
    rows, row = FailingRows(), a_row()
    assert {fail(rows, row, now, last_success=0.5) for now in range(1, 9)} == {Suspicion.NONE}


def test_what_failed_with_all_others_is_taken_back() -> None:
    rows, failing = FailingRows(), [a_row(number) for number in range(3)]
    fail(rows, failing[0], 1, last_success=0)
    rows.succeeded()
    for row in failing:
        fail(rows, row, 3, last_success=2)
    assert rows.forgiven() == failing, "the first one's earlier failure stays its own"
    assert rows.forgiven() == [], "once"


def test_a_row_that_is_done_or_deferred_is_not_remembered() -> None:
    rows, row = FailingRows(), a_row()
    for now in (1, 2, 3):
        fail(rows, row, now, last_success=now - 0.5)
    rows.forget(row)
    assert rows.suspicion(row, last_success=9) is Suspicion.NONE
