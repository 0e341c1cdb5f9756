"""The reader: numbers the rows of all inputs, leaves out what is done, and trusts nothing else."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from importer.common.row_set import RowSet
from importer.engine.reader import Batch, Input, read_rows
from importer.errors import InputError
from importer.feedback.normalise import Normaliser
from importer.feedback.ratings import RatingTable
from importer.model import Feedback, Outcome, OutcomeKind, Reason
from importer.settings import ImportSettings
from importer.sources.base import BATCH_ROWS
from importer.sources.registry import open_source
from tests.support.data import conversation, write_csv

Open = Callable[..., Input]


@pytest.fixture
def opened(tmp_path: Path, settings_for: Callable[..., ImportSettings]) -> Open:
    """Return a maker of surveyed inputs with so many rows; every third has an unknown rating."""

    def make(name: str, rows: int, *, first_seq: int = 1) -> Input:
        words = ["POSITIVE", "NEGATIVE", "meh"]
        path = write_csv(
            tmp_path / name, [(conversation(n), words[n % 3], "") for n in range(rows)]
        )
        source = open_source(path, settings_for(path))
        digests = b"".join(part.digest() for part in source.parts(first_seq, BATCH_ROWS))
        return Input(source, Normaliser(RatingTable()), first_seq, digests)

    return make


def read(*inputs: Input, settled: RowSet | None = None, **not_sent: RowSet) -> Iterator[Batch]:
    reasons = {Reason[name.upper()]: rows for name, rows in not_sent.items()}
    return read_rows(inputs, settled or RowSet(), reasons)


def seqs(batches: Iterator[Batch]) -> list[int]:
    return [item.seq for batch in batches for item in batch]


def test_rows_are_numbered_through_all_inputs(opened: Open) -> None:
    batches = read(opened("a.csv", 700), opened("b.csv", 3, first_seq=701))
    assert seqs(batches) == list(range(1, 704))


def test_a_row_becomes_feedback_or_its_outcome(opened: Open) -> None:
    (batch,) = read(opened("a.csv", 3))
    assert [type(item) for item in batch] == [Feedback, Feedback, Outcome]


def test_rows_that_are_done_are_left_out_and_the_others_keep_their_numbers(opened: Open) -> None:
    assert seqs(read(opened("a.csv", 5), settled=RowSet([1, 3, 4]))) == [2, 5]


@pytest.mark.parametrize("reason", [None, "later_row"])
def test_whichever_row_is_not_to_be_sent_it_is_the_only_one(
    opened: Open, reason: str | None
) -> None:
    ten = opened("a.csv", 10, first_seq=7)
    sent = {item.seq for batch in read(ten) for item in batch if isinstance(item, Feedback)}
    for seq in sent:
        rows = RowSet([seq])
        batches = read(ten, settled=rows) if reason is None else read(ten, **{reason: rows})
        found = {item.seq for batch in batches for item in batch if isinstance(item, Feedback)}
        assert found == sent - {seq}


def test_a_batch_of_which_all_is_done_is_no_trouble(opened: Open) -> None:
    batches = read(
        opened("a.csv", BATCH_ROWS + 1),
        settled=RowSet(range(1, BATCH_ROWS + 1)),
        later_row=RowSet([BATCH_ROWS + 1]),
    )
    assert seqs(batches) == [BATCH_ROWS + 1]


def test_a_row_that_is_known_not_to_be_sent_gets_its_outcome_and_a_rejected_one_keeps_its(
    opened: Open,
) -> None:
    (batch,) = read(
        opened("a.csv", 3), later_row=RowSet([1]), same_as_stored=RowSet([2]), later_job=RowSet([3])
    )
    first, second, third = batch
    assert isinstance(first, Outcome)
    assert (first.kind, first.reason) == (OutcomeKind.SUPERSEDED, Reason.LATER_ROW)
    assert isinstance(second, Outcome)
    assert (second.kind, second.seq) == (OutcomeKind.UNCHANGED, 2)
    assert isinstance(third, Outcome)
    assert third.kind is OutcomeKind.REJECTED


@pytest.mark.parametrize("change", ["grown", "cut", "edited", "filled"])
def test_an_input_that_was_changed_since_the_survey_is_not_read_on(
    opened: Open, change: str
) -> None:
    one = opened("a.csv", 0 if change == "filled" else 1200)
    path = one.source.path
    content = path.read_bytes()
    match change:
        case "grown" | "filled":
            path.write_bytes(content + f"{conversation(9)},POSITIVE,\n".encode())
        case "cut":
            path.write_bytes(content[: -len(content) // 3])
        case _:
            path.write_bytes(content.replace(b"NEGATIVE", b"POSITIVE", 1))
    batches = read(one)
    found: list[int] = []
    with pytest.raises(InputError, match="was changed since the job began"):
        found += seqs(batches)
    assert change not in ("edited", "filled") or not found, "of a block that differs nothing"
