"""Rows whose place in their job decides: each is looked up once, many at a time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from importer.feedback.newest import OLDEST
from importer.jobs.folders import OVERTAKEN_JOB
from importer.jobs.placing import PlacedRow
from importer.model import Rank
from importer.survey import unplaced
from importer.survey.superseded import NEW, Candidate
from importer.survey.survey import left_over_rank, rank_of
from importer.survey.unplaced import Unplaced
from tests.support.origins import KnownJobs

JOB = "in-0000000a-3"


class Asked(KnownJobs):
    """Notes what is looked up; the rows with these places give way."""

    def __init__(self, *beaten: int) -> None:
        super().__init__({JOB: 3}.get)
        self.beaten = beaten
        self.asked: list[list[int | None]] = []

    def give_way(self, name: str, rows: Sequence[PlacedRow]) -> set[PlacedRow]:
        assert name == JOB
        self.asked.append([row.place for row in rows])
        return {row for row in rows if row.place in self.beaten}


def row(seq: int) -> Candidate:
    return Candidate(bytes(16), NEW, OLDEST, seq, 0)


def test_rows_are_looked_up_once_and_many_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unplaced, "_MANY", 2)
    asked = Asked(8)
    rows = Unplaced(asked, by_newest=False)
    found = [one for seq in range(1, 6) for one in rows.add(f"{JOB}@{seq + 6}", row(seq))]
    found += rows.ranked()
    assert asked.asked == [[7, 8], [9, 10], [11]]
    ranks = [rank_of(one.rank, 5) for one in found]
    assert ranks == [Rank(3, 5), Rank(0, 5), Rank(3, 5), Rank(3, 5), Rank(3, 5)]
    assert found[0].rank < found[2].rank, "of rows of one job the later one wins"
    assert [*rows.ranked()] == []


@pytest.mark.parametrize(
    ("cell", "rank"),
    [
        ("", NEW),
        ("engineer", NEW),
        (JOB, left_over_rank(3)),
        (f"{JOB}#17", left_over_rank(3, 17)),
        (f"\u00a0{JOB}#17 ", left_over_rank(3, 17)),
        (f"{JOB}@17", None),
        ("in-0000000a-4#17", left_over_rank(None, 17)),
        ("in-0000000a-4", left_over_rank(None)),
        (f"{JOB}@", left_over_rank(None)),
        (f"{JOB}#-1", left_over_rank(None)),
        (f"{JOB}@" + "9" * 19, left_over_rank(None)),
    ],
)
def test_the_cell_tells_the_rank_unless_other_rows_decide(cell: str, rank: int | None) -> None:
    assert Unplaced(Asked(), by_newest=False).rank_of(cell) == rank


def test_where_rows_of_the_job_were_imported_before_each_is_looked_up() -> None:
    asked = Asked()
    asked.is_placed = lambda name: name == JOB  # type: ignore[method-assign]
    rows = Unplaced(asked, by_newest=False)
    assert (rows.rank_of(JOB), rows.rank_of(f"{JOB}#17")) == (left_over_rank(3), None)


def test_where_a_column_tells_what_is_newer_places_do_not_decide_among_rows_of_one_import() -> None:
    rows = Unplaced(Asked(), by_newest=True)
    assert rows.rank_of(f"{JOB}#17") is None
    assert [*rows.add(f"{JOB}#17", row(1)), *rows.ranked()] == [
        row(1)._replace(rank=left_over_rank(3))
    ]


def test_where_a_row_stood_is_noted_whatever_becomes_of_it() -> None:
    rows = Unplaced(Asked(), by_newest=False)
    for seq, cell in enumerate([f"{JOB}#17", f"{JOB}@18", JOB, "in-0000000a-4#19", f"{JOB}#0"], 1):
        rows.note(cell, seq, is_valid=seq != 2)
    rows.note(OVERTAKEN_JOB, 6, is_valid=True)
    rows.note(OVERTAKEN_JOB, 7, is_valid=False)
    assert [*rows.placed()] == [(1, 3, 17), (2, 3, 18), (7, 0, 0)]
