"""Which jobs count for nothing when another one is taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from importer.jobs.records import JobRecord, JobState
from importer.jobs.undo_void import TakenBack, Void, void_for

KEPT = TakenBack(None, None)


def withdrawn(at: int, undoes: int | None = None) -> TakenBack:
    """Return what a job says that was taken back when the latest job had that number."""
    return TakenBack(undoes, at)


def undo_of(number: int) -> TakenBack:
    return TakenBack(number, None)


def jobs(gone: int | None) -> list[JobRecord]:
    """Return six jobs, of which one may be gone."""
    return [
        JobRecord(n, str(n), "", None if n == gone else Path("there"), JobState.ENDED)
        for n in range(1, 7)
    ]


@pytest.mark.parametrize(
    ("told", "void", "own_undos"),
    [
        ({}, set(), set()),
        ({3: withdrawn(3)}, {3}, set()),
        ({3: withdrawn(3), 4: undo_of(3)}, {3, 4}, set()),
        # The undo was taken back: the job counts, and neither of the two undos does.
        ({3: withdrawn(3), 4: withdrawn(4, undoes=3), 5: undo_of(4)}, {4, 5}, set()),
        # Of an earlier job the undo counts: it stands for what was there before.
        ({1: withdrawn(2)}, {1}, set()),
        # What its own undos have set is taken back, unless they were taken back.
        ({2: withdrawn(2), 3: undo_of(2)}, {3}, {3}),
        ({2: withdrawn(2), 3: withdrawn(3, undoes=2), 4: undo_of(3)}, {3, 4}, set()),
        # The job that this one takes back itself counts.
        ({1: withdrawn(2), 2: undo_of(1)}, set(), set()),
    ],
)
def test_what_was_taken_back_counts_for_nothing_and_neither_does_its_undo(
    told: dict[int, TakenBack], void: set[int], own_undos: set[int]
) -> None:
    told = {number: told.get(number, KEPT) for number in range(1, 7)}
    assert void_for(2, jobs(None), told) == Void(void, own_undos)


def test_where_a_later_job_is_gone_nobody_knows_what_it_took_back() -> None:
    told = {1: withdrawn(2), 2: withdrawn(2), 3: undo_of(2), 4: withdrawn(4)}
    assert void_for(2, jobs(5), told) == Void(set(), {3})
