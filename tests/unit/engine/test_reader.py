"""The reader: numbers the rows of all inputs, leaves out what is done, and tells how far it is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from importer.common.row_set import RowSet
from importer.engine.reader import Batch, Input, read_rows
from importer.errors import InputError
from importer.feedback.normalise import Normaliser
from importer.feedback.ratings import RatingTable
from importer.model import Feedback, Outcome
from importer.settings import ImportSettings
from importer.sources.registry import open_source
from tests.support.data import conversation, write_csv

Open = Callable[..., Input]


@pytest.fixture
def opened(tmp_path: Path, settings_for: Callable[..., ImportSettings]) -> Open:
    """Return a maker of inputs with so many rows; every third has an unknown rating."""

    def make(name: str, rows: int, *, ask_status: bool = False) -> Input:
        words = ["POSITIVE", "NEGATIVE", "meh"]
        path = write_csv(
            tmp_path / name, [(conversation(n), words[n % 3], "") for n in range(rows)]
        )
        source = open_source(path, settings_for(path))
        return Input(source, Normaliser(RatingTable()), ask_status)

    return make


def seqs(batches: list[Batch]) -> list[int]:
    return [item.seq for batch in batches for item in batch.items]


def test_rows_are_numbered_through_all_inputs_and_it_is_told_where_each_begins(
    opened: Open,
) -> None:
    batches = list(read_rows([opened("a.csv", 700), opened("b.csv", 3)], RowSet()))
    assert seqs(batches) == list(range(1, 704))
    assert [batch.first_seqs for batch in batches] == [{0: 1}, {}, {1: 701}]
    assert [batch.rows_read for batch in batches] == [500, 700, 703]


def test_a_row_becomes_feedback_or_its_outcome(opened: Open) -> None:
    (batch,) = read_rows([opened("a.csv", 3)], RowSet())
    assert [type(item) for item in batch.items] == [Feedback, Feedback, Outcome]


def test_rows_that_are_done_are_left_out_and_the_others_keep_their_numbers(opened: Open) -> None:
    done = RowSet()
    for seq in (1, 3, 4):
        done.add(seq)
    (batch,) = read_rows([opened("a.csv", 5)], done)
    assert seqs([batch]) == [2, 5]
    assert batch.rows_read == 5


def test_the_share_that_is_read_grows_to_one_over_all_inputs(opened: Open) -> None:
    inputs = [opened("a.csv", 1200), opened("b.csv", 1200)]
    shares = [batch.share for batch in read_rows(inputs, RowSet())]
    assert shares == sorted(shares)
    assert shares[0] < 0.5
    assert shares[-1] == pytest.approx(1)


def test_only_the_rows_of_a_marked_input_ask_for_the_status_first(opened: Open) -> None:
    inputs = [opened("left.csv", 1, ask_status=True), opened("a.csv", 1)]
    assert [batch.ask_status for batch in read_rows(inputs, RowSet())] == [True, False]


def test_a_file_that_grows_while_it_is_read_ends_the_reading(opened: Open) -> None:
    growing = opened("a.csv", 1200)
    batches = read_rows([growing], RowSet())
    next(batches)
    with growing.source.path.open("a") as file:
        file.write(f"{conversation(9)},POSITIVE,\n")
    with pytest.raises(InputError, match="was changed while it was being read"):
        list(batches)
