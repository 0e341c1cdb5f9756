"""Which rows of left-over files give way to others that their job had brought (F3, A18).

They are of the job 1 here. Those that stand before and after them there have the same conversation.
"""

from __future__ import annotations

from typing import Any

import pytest

from importer.jobs.entry import Entry
from importer.jobs.journal_file import NO_COMMENTS
from importer.jobs.keys import key_of
from importer.jobs.overtaken import awaited_of
from importer.jobs.placing import PlacedRow, Placing
from importer.jobs.records import CarriedRow, Placed, RankedRow
from importer.model import Feedback, Outcome, OutcomeKind, Rank, Reason
from tests.support.data import conversation
from tests.support.jobs import SUCCEEDED, WAITING, Desk, answer, finish

A, B, C, D = (key_of(conversation(number)) for number in (1, 2, 3, 4))


def night(desk: Desk, *rows: tuple[int, int, Any], **begun: Any) -> None:
    """Let a job end with such rows: number, conversation and outcome."""
    with desk.run(rows=9, restart=True, begun=begun) as job:
        job.journal.mark([(seq, conversation(number)) for seq, number, _ in rows])
        job.journal.write(
            Entry([Outcome(seq, end[0], conversation(number), end[1]) for seq, number, end in rows])
        )
        finish(job)


def giving_way(desk: Desk, *rows: PlacedRow) -> list[PlacedRow]:
    with desk.jobs() as product:
        found = Placing(product.jobs, awaited_of, product.look_up).give_way(1, rows)
    return [row for row in rows if row in found]


@pytest.mark.parametrize("newest_by", [None, "rated_at"])
def test_a_row_gives_way_to_one_after_it_that_was_sent_or_by_a_column_to_one_anywhere(
    desk: Desk, newest_by: str | None
) -> None:
    with desk.run(rows=9, newest_by=newest_by) as job:
        job.journal.write(Entry([
            Outcome(2, OutcomeKind.SUCCEEDED, conversation(1)),
            Outcome(6, OutcomeKind.SUPERSEDED, conversation(3), Reason.LATER_ROW),
            Outcome(8, OutcomeKind.SUCCEEDED, conversation(2)),
        ]))  # fmt: skip
        finish(job, sent=[4])
    before, in_doubt = PlacedRow(A, 1), PlacedRow(D, 3)
    after, not_sent, known = PlacedRow(A, 3), PlacedRow(C, 5), PlacedRow(B, 7, is_known=True)
    found = giving_way(desk, before, after, in_doubt, not_sent, known)
    assert found == [before, *([after] if newest_by else []), in_doubt]


def test_it_gives_way_to_one_that_is_still_to_be_sent(desk: Desk) -> None:
    kept = [Feedback(5, conversation(1), None, "x")]
    with desk.run(rows=9, begun={"kept": kept}, carry_over=True) as job:
        answer(job, {2: SUCCEEDED})
    row = PlacedRow(A, 1)
    assert giving_way(desk, row) == [row]
    with desk.jobs() as product:
        product.abandon(product.jobs[0], 1.0)
    assert giving_way(desk, row) == []


def import_again(desk: Desk) -> None:
    """Import rows in the job 2: from the place 4, one whose place is not known, one of no job."""
    ranked = [RankedRow(1, Rank(1, 2)), RankedRow(2, Rank(1, 2)), RankedRow(3, Rank(0, 2))]
    rows = (1, 1, WAITING), (2, 2, SUCCEEDED), (3, 3, SUCCEEDED)
    night(desk, *rows, ranked=ranked, placed=[Placed(1, 1, 4), Placed(3, 9, 9)])


def test_it_gives_way_to_one_from_a_place_after_it_that_a_later_job_has_imported(
    desk: Desk,
) -> None:
    night(desk, (8, 4, SUCCEEDED))
    import_again(desk)
    # Another has taken over what was left of that: where it stood is still known.
    night(desk, (1, 1, SUCCEEDED), ranked=[RankedRow(1, Rank(1, 2))])
    night(desk, (1, 4, SUCCEEDED), ranked=[RankedRow(1, Rank(1, 4))], placed=[(1, 1, 9)])
    before, again, after = PlacedRow(A, 3, is_known=True), PlacedRow(A, 4), PlacedRow(A, 5)
    unknown, of_another, before_others = PlacedRow(B, 3), PlacedRow(C, 3), PlacedRow(D, 8)
    rows = before, again, after, unknown, of_another, before_others
    assert giving_way(desk, *rows) == [before, before_others]
    desk.take_back(2, {})
    desk.take_back(3, {})
    assert giving_way(desk, *rows) == [before_others], "a job that was taken back has brought none"
    desk.prune(2)
    assert giving_way(desk, *rows) == [before_others]


def test_where_the_folder_of_its_job_is_gone_it_gives_way_wherever_that_is_not_known(
    desk: Desk,
) -> None:
    night(desk, (1, 1, WAITING), (2, 2, WAITING), (8, 4, SUCCEEDED))
    import_again(desk)
    night(desk, (1, 1, SUCCEEDED), ranked=[RankedRow(1, Rank(1, 2))])
    desk.prune(1)
    before, after = PlacedRow(A, 3), PlacedRow(A, 5)
    unknown, of_the_job = PlacedRow(B, 3), PlacedRow(D, 3)
    known = [row._replace(is_known=True) for row in (unknown, of_the_job)]
    of_another = PlacedRow(C, 3)
    rows = before, after, unknown, of_the_job, *known, of_another
    assert giving_way(desk, *rows) == [before, unknown, of_the_job]


@pytest.mark.parametrize("dropped", [False, True])
def test_what_was_pending_where_comments_were_dropped_is_told_by_the_job_that_took_it_over(
    desk: Desk, dropped: bool
) -> None:
    facts = {NO_COMMENTS: "1"} if dropped else {}
    kept = [] if dropped else [Feedback(5, conversation(1), None, "x")]
    with desk.run(rows=9, begun={"facts": facts, "kept": kept}, carry_over=True) as job:
        answer(job, {8: SUCCEEDED})
    taken = [CarriedRow(1, conversation(1), Rank(1, 1), None, "x", ask_status=False)]
    with desk.run("b", rows=9, begun={"kept": [], "carried": taken}, carry_over=True) as job:
        answer(job, {8: SUCCEEDED})
    before, after = PlacedRow(A, 3), PlacedRow(A, 7)
    assert giving_way(desk, before, after) == ([before, after] if dropped else [before])
    with desk.jobs() as product:
        product.abandon(product.jobs[1], 1.0)
    assert giving_way(desk, before, after) == ([] if dropped else [before])


def test_rows_are_compared_by_their_places_once_another_job_has_imported_some(desk: Desk) -> None:
    def is_placed(number: int) -> bool:
        with desk.jobs() as product:
            return Placing(product.jobs, awaited_of, product.look_up).is_placed(number)

    night(desk, (1, 1, WAITING))
    night(desk, (1, 1, WAITING), ranked=[RankedRow(1, Rank(1, 2))])
    assert not is_placed(1)
    night(desk, (1, 1, SUCCEEDED), ranked=[RankedRow(1, Rank(2, 3))], placed=[(1, 2, 4)])
    assert not is_placed(1)
    assert is_placed(2)
    night(desk, (1, 1, SUCCEEDED), ranked=[RankedRow(1, Rank(1, 4))], placed=[(1, 1, 4)])
    desk.prune(2)
    assert is_placed(1)
