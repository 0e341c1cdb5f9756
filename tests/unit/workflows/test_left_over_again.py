"""What a job had taken over, and does not send any more (docs/reference.md, A5, A17)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from importer.jobs.keys import key_of
from importer.jobs.records import CarriedRow
from importer.model import Rank
from importer.reporting.wording import waits_again_in_words
from importer.workflows import left_over_again
from importer.workflows.left_over_again import tell_waiting_again, waiting_again
from tests.support.data import conversation
from tests.support.jobs import SUCCEEDED, WAITING, Desk, answer, mark


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def take_over(desk: Desk, ends: dict[int, Any], *, name: str = "b") -> None:
    """Let a job take over the first three rows of the first one, and be killed."""
    carried = [
        CarriedRow(seq, conversation(seq), Rank(1, 1), None, "x", ask_status=False)
        for seq in (1, 2, 3)
    ]
    with desk.run(name, rows=5, begun={"carried": carried, "kept": []}, carry_over=True) as job:
        mark(job, *ends)
        answer(job, ends)


def waiting(desk: Desk, number: int, *but: int) -> list[int]:
    with desk.jobs() as product:
        keys = {key_of(conversation(each)) for each in but}
        found = waiting_again(product, product.jobs[number - 1], keys)
    return [each for each in range(1, 9) if key_of(conversation(each)) in found]


def test_what_the_job_has_not_sent_waits_again_unless_another_sends_it_or_it_was_given_up(
    desk: Desk,
) -> None:
    desk.night([WAITING] * 4)
    assert waiting(desk, 1) == []
    take_over(desk, {1: SUCCEEDED, 2: WAITING, 5: WAITING})
    assert waiting(desk, 2) == [2, 3]
    assert waiting(desk, 2, 3) == [2]
    take_over(desk, {2: SUCCEEDED}, name="c")
    assert waiting(desk, 2) == [], "the third job sends them"
    with desk.jobs() as product:
        product.abandon(product.jobs[2], 1.0)
    desk.night([SUCCEEDED])
    assert waiting(desk, 2) == [3]
    with desk.jobs() as product:
        product.abandon(product.jobs[0], 1.0)
    assert waiting(desk, 2) == []
    desk.prune(3)
    assert waiting(desk, 3) == [], "of a job that is gone nobody knows it"


def test_it_is_told_by_the_latest_that_has_left_each_row_over(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.night([SUCCEEDED, SUCCEEDED])
    desk.night([WAITING, WAITING, WAITING])
    desk.night([SUCCEEDED, WAITING])
    take_over(desk, {1: WAITING})
    desk.prune(1)
    told: list[int] = []
    monkeypatch.setattr(
        left_over_again, "rewrite_summary", lambda job, **_: told.append(job.number)
    )
    with desk.jobs() as product:
        job = product.jobs[3]
        for rows, by in (((1, 2, 3, 4), [2, 3]), ((2,), [3])):
            told.clear()
            keys = [key_of(conversation(row)) for row in rows]
            assert tell_waiting_again(product, job, keys) == waits_again_in_words(
                job.name, len(rows)
            )
            assert told == by


def test_it_is_told_in_words() -> None:
    assert waits_again_in_words("b-1", 1) == (
        "1 row of earlier jobs that b-1 had taken over is left over again: the next import with "
        "--carry-over tries it"
    )
    assert waits_again_in_words("b-1", 2).endswith(
        "are left over again: the next import with --carry-over tries them"
    )
