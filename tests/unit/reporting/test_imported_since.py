"""What is said of rows that others have imported since (docs/reference.md, J17)."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from importer.jobs.entry import Entry
from importer.jobs.journal_reader import JournalReader
from importer.jobs.read_again import Again, ReadAgain
from importer.jobs.records import InputFile, NewJob
from importer.model import Outcome, OutcomeKind, Reason
from importer.reporting.imported_since import imported_in_words, inputs_with, still_in_words
from importer.workflows.forget import forget
from tests.support.data import conversation
from tests.support.jobs import REFUSED, SUCCEEDED, WAITING, Desk, answer, finish, mark

REJECTED = (OutcomeKind.REJECTED, Reason.UNKNOWN_RATING)
NOTHING_HELPS = (OutcomeKind.FAILED, Reason.CONVERSATION_ERROR)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_inputs_are_named_that_hold_one_of_the_rows(desk: Desk) -> None:
    places = (("a", 3), ("b", 6))
    inputs = [InputFile(f"/in/{name}.csv", 1, 1, "", 3, first) for name, first in places]
    with desk.hold() as product, closing(product.begin(NewJob(inputs, 8))) as job:
        pass
    with JournalReader(job.folder) as journal:
        for rows, names in (
            ({2, 9}, []), ({3}, ["a.csv"]), ({5}, ["a.csv"]), ({6, 8}, ["b.csv"]),
            ({5, 6}, ["a.csv", "b.csv"]), ({1, 4}, ["a.csv"]),
        ):  # fmt: skip
            assert inputs_with(journal, rows) == names


def test_it_is_said_of_how_many_of_the_left_over_rows_an_import_has_disposed(desk: Desk) -> None:
    folder = desk.jobs_dir / desk.night([REJECTED, WAITING, REFUSED, SUCCEEDED])
    assert imported_in_words(folder, ["rejected.csv"], "b-1", Again({1, 2}, 1)) == (
        "rejected.csv was imported by b-1 since: 1 of 3 left-over rows."
    )
    both = imported_in_words(folder, ["x.csv", "y.csv"], "b-1", Again({1}, 0, is_withdrawn=True))
    assert both == (
        "x.csv and y.csv were imported by b-1 since: 0 of 3 left-over rows, and was taken back."
    )
    as_new = imported_in_words(folder, ["rejected.csv"], "b-1", None)
    assert as_new == "rejected.csv was imported by b-1 since, as new rows."


def test_it_is_said_how_many_are_still_to_be_dealt_with_and_how_many_of_these_elsewhere(
    desk: Desk,
) -> None:
    ends = [REJECTED, WAITING, REFUSED, SUCCEEDED, NOTHING_HELPS, REJECTED]
    folder = desk.jobs_dir / desk.night(ends)

    def said(*rows: int, done: tuple[int, ...] = ()) -> str:
        return still_in_words(folder, ReadAgain({*rows, *done}, {*done}))

    assert said() == "4 of them are still to be dealt with."
    assert said(done=(1, 2, 3)) == "1 of them is still to be dealt with."
    assert said(done=(1, 2, 3, 6)) == "None of them is left to be dealt with."
    assert said(1, 2, done=(3,)) == (
        "3 of them are still to be dealt with, 2 of these where they were left over again."
    )
    assert said(1, done=(2, 3)) == (
        "2 of them are still to be dealt with, 1 of these where it was left over again."
    )
    assert said(1, done=(2, 3, 6)) == (
        "1 of them is still to be dealt with where it was left over again."
    )
    forget(desk.jobs_dir, [conversation(2)])
    assert said() == "3 of them are still to be dealt with."


def test_a_row_that_gives_way_to_a_later_one_is_not_to_be_dealt_with_unless_a_column_tells_which(
    desk: Desk,
) -> None:
    gives_way = "1 gives way to another row of its conversation"
    for column, told in (
        (None, f"None of them is left to be dealt with: {gives_way}."),
        ("day", "1 of them is still to be dealt with."),
    ):
        ends = [Outcome(1, *REJECTED[:1], conversation(2), REJECTED[1])]
        with desk.run(restart=True, newest_by=column) as job:
            mark(job, 2)
            job.journal.write(Entry(ends))
            answer(job, {2: SUCCEEDED, 3: SUCCEEDED})
            finish(job)
        assert still_in_words(job.folder, ReadAgain()) == told
