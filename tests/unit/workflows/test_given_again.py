"""When the command of a job whose rows joined a later one is refused (docs/reference.md, J4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from importer.common.row_set import RowSet
from importer.errors import SettingsError
from importer.jobs.commands import Again
from importer.jobs.key_source import KEY_AS_BEFORE
from importer.jobs.keys import key_of
from importer.jobs.product import GivenBefore
from importer.jobs.records import CarriedRow, JobRecord, JobState, Line, Unsure
from importer.model import Rank
from importer.survey.plan import Plan
from importer.workflows.given_again import check_not_given_again
from tests.support.data import conversation

JOBS = [
    JobRecord(number, "id", f"job-{number}" if number != 4 else "", None, JobState.ENDED)
    for number in range(1, 8)
]


def check(
    came_last: dict[int, int], rows: dict[int, Rank], *, lines: dict[int, Rank],
    tried: dict[int, Rank], superseded: Iterable[int], key_words: tuple[str, ...] = (),
) -> None:  # fmt: skip
    """Give the command of job 2 again, which takes over these rows (number: rank).

    Rows 1 and 9 are of one conversation, and so on.
    """
    again = Again(["run", "a.csv", "--restart", *key_words], [])
    before = GivenBefore(2, "job-2", "job-3", is_taken_back=False, again=again)
    carried = [
        CarriedRow(seq, conversation(seq % 8 or 8), rank, None, "x", ask_status=False)
        for seq, rank in rows.items()
    ]
    keys = {key_of(conversation(seq)): seq for seq in range(1, 9)}

    def look_up(asked: Iterable[bytes]) -> dict[bytes, Line]:
        found = {key: lines[keys[key]] for key in asked if keys[key] in lines}
        return {key: Line(key, rank, None, 0.0, 1) for key, rank in found.items()}

    def unsure() -> list[Unsure]:
        return [
            Unsure(key_of(conversation(seq)), rank, 1, 1, in_doubt=True, open=True, unfinished=True)
            for seq, rank in tried.items()
        ]

    product: Any = SimpleNamespace(jobs=JOBS, look_up=look_up, unsure=unsure)
    survey: Any = SimpleNamespace(superseded=RowSet(superseded))
    every = Counter(came_last) + Counter({6: 1})  # what any next job sends over that one
    plan = Plan({}, came_last=every, came_last_to_own=Counter(came_last))
    check_not_given_again(before, survey, lambda: plan, carried, product)


def test_it_is_refused_where_it_would_overwrite_rows_of_later_jobs_and_says_which() -> None:
    rows = {1: Rank(5, 5), 2: Rank(5, 5), 3: Rank(4, 4)}
    with pytest.raises(SettingsError) as told:
        check(
            {1: 3, 2: 7, 3: 1000, 5: 1}, rows, lines={}, tried={}, superseded=rows,
            key_words=("--api-key-file", "k"),
        )  # fmt: skip
    assert str(told.value) == (
        "the job job-2 was replaced by job-3, which has taken its rows over: nothing of it is left "
        "to do, and nothing was sent. A new job of the same rows would overwrite newer ones: 3 of "
        "job-5, 1 of job 4 and 1,000 of job-3. To see what that would change:\n"
        "  clarityq-import plan a.csv --restart --api-key-file k\n"
        "To import them all the same, as the newest of their conversations:\n"
        "  clarityq-import run a.csv --restart --api-key-file k"
    )
    with pytest.raises(
        SettingsError, match="1 of job-7, 1 of job-6, 1 of job-5 and 1 other"
    ) as told:
        check({7: 1, 6: 1, 5: 1, 3: 1}, {}, lines={}, tried={}, superseded=[])
    assert str(told.value).endswith(f"\n{KEY_AS_BEFORE}")


@pytest.mark.parametrize(
    ("rank", "line", "tried", "is_superseded", "is_refused"),
    [
        (Rank(3, 3), None, None, True, True),
        (Rank(3, 3), None, None, False, False),
        (Rank(2, 2), None, None, True, False),
        (Rank(1, 3), None, None, True, True),
        (Rank(3, 3), Rank(2, 2), None, True, True),
        (Rank(3, 3), Rank(3, 3), None, True, False),
        (Rank(3, 3), Rank(4, 4), None, True, False),
        (Rank(3, 3), None, Rank(3, 3), True, False),
        (Rank(3, 3), None, Rank(2, 2), True, True),
    ],
    ids=[
        "waits", "wins", "is no later one", "of a later job by its file", "was to follow another",
        "is settled", "has lost", "was tried", "another was tried",
    ],
)  # fmt: skip
def test_a_row_that_a_later_job_was_still_to_send_counts_unless_the_plan_knows_it(
    rank: Rank, line: Rank | None, tried: Rank | None, is_superseded: bool, is_refused: bool
) -> None:
    def ask() -> None:
        check(
            {2: 5}, {1: rank}, lines={} if line is None else {1: line},
            tried={} if tried is None else {1: tried}, superseded=[1] if is_superseded else [],
        )  # fmt: skip

    if is_refused:
        with pytest.raises(SettingsError, match="overwrite newer ones: 1 of job-3"):
            ask()
    else:
        ask()


@pytest.mark.parametrize("is_new", [True, False])
def test_a_row_gives_way_to_a_new_one_only_where_it_does_not_to_another_that_is_taken_over(
    is_new: bool,
) -> None:
    rows, superseded = {1: Rank(4, 4), 9: Rank(5, 5)}, [1, 9] if is_new else [1]
    if is_new:
        with pytest.raises(SettingsError, match="overwrite newer ones: 1 of job-5"):
            check({}, rows, lines={}, tried={}, superseded=superseded)
    else:
        check({}, rows, lines={}, tried={}, superseded=superseded)
