"""What taking a job back means for each of its conversations (docs/reference.md, U1 to U3, U9)."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import pytest

from importer.common.row_set import RowSet
from importer.errors import JournalError
from importer.jobs.bodies import Body, keep_bodies
from importer.jobs.entry import Entry
from importer.jobs.identity import product_key
from importer.jobs.inputs import UNDO_NAME
from importer.jobs.job import Job
from importer.jobs.keys import key_of
from importer.jobs.product_jobs import hold_jobs
from importer.jobs.records import CarriedRow, InputFile, NewJob, RankedRow
from importer.jobs.undo import Undo, undoing
from importer.model import Feedback, Meaning, Outcome, OutcomeKind, Rank, Reason
from importer.settings import Retry
from importer.workflows.forget import forget
from tests.support.data import conversation
from tests.support.jobs import (
    DIFFERS,
    EXHAUSTED,
    REFUSED,
    SUCCEEDED,
    UNCHANGED,
    WAITING,
    Desk,
    finish,
    mark,
)  # fmt: skip

LATER_ROW = (OutcomeKind.SUPERSEDED, Reason.LATER_ROW)
#: What is sent: a rating and a comment.
POSITIVE, NEGATIVE, CLEAR = (
    (one, None) for one in (Meaning.POSITIVE, Meaning.NEGATIVE, Meaning.CLEAR)
)
KEPT, LOST = (Meaning.POSITIVE, "a text that is kept"), (Meaning.NEGATIVE, "one that is not")
WRONG = (Meaning.NEGATIVE, "wrong")

Ends = dict[int, Any]


def let(job: Job, ends: Ends, opened: Sequence[int] = ()) -> None:
    """Let rows end as said: stored, if it is a body, of which some outcomes have one as well."""
    entry = Entry(at=1.0)
    for seq, end in ends.items():
        kind, reason, *sent = end if isinstance(end[0], OutcomeKind) else (*SUCCEEDED, *end)
        entry.outcomes.append(Outcome(seq, kind, conversation(seq), reason, attempts=1))
        entry.bodies[seq] = job.body_of(*sent) if sent else None
        if (kind, reason) in (EXHAUSTED, WAITING):
            entry.left_over.append(Feedback(seq, conversation(seq), *KEPT))
    entry.opened += [(seq, conversation(seq)) for seq in opened]
    job.journal.write(entry)


def night(desk: Desk, ends: Ends, opened: Sequence[int] = (), **ranks: Any) -> str:
    """Let a job end so, and return the name of its folder."""
    with desk.run(rows=20, restart=True, begun=ranks) as job:
        let(job, ends, opened)
        finish(job)
        return job.folder.name


def jobs_of(desk: Desk) -> Any:
    return hold_jobs(desk.jobs_dir, product_key(desk.settings()))


def prune(desk: Desk, name: str) -> None:
    with jobs_of(desk) as product:
        product.prune(product.jobs[product.number_of(name) - 1])


@contextmanager
def undo_of(desk: Desk, number: int) -> Iterator[Undo]:
    with jobs_of(desk) as product:
        with undoing(product, product.jobs[number - 1]) as undo:
            yield undo
        assert not list(desk.jobs_dir.glob("*.undo*"))


def sent(undo: Undo, *, clear_unknown: bool = False) -> dict[int, tuple[Any, str]]:
    rows = list(undo.rows(clear_unknown=clear_unknown))
    keys = [key_of(row.body.conversation_id) for row in rows]
    assert keys == sorted(keys)
    numbers = {conversation(number): number for number in range(1, 21)}
    return {
        numbers[row.body.conversation_id]: ((row.body.rating, row.body.comment), row.job)
        for row in rows
    }


def test_what_was_held_before_is_sent_where_it_is_known(desk: Desk) -> None:
    first = night(desk, {
        1: POSITIVE, 2: NEGATIVE, 3: CLEAR, 4: KEPT, 5: LOST, 6: POSITIVE, 7: POSITIVE,
        10: POSITIVE, 12: POSITIVE, 13: KEPT, 14: POSITIVE, 15: POSITIVE,
    })  # fmt: skip
    keep_bodies(desk.jobs_dir / first, [
        Body(conversation(4), *POSITIVE), Body(conversation(4), Meaning.POSITIVE, "another"),
        Body(conversation(4), *KEPT), Body(conversation(5), *KEPT), Body(conversation(14), *LOST),
    ])  # fmt: skip
    night(desk, {
        1: UNCHANGED, 6: EXHAUSTED, 7: REFUSED, 8: (*DIFFERS, *NEGATIVE), 13: NEGATIVE, 15: WAITING,
    }, opened=[6])  # fmt: skip
    wrong = night(desk, {
        **dict.fromkeys([*range(1, 10), 13, 14], WRONG), 10: EXHAUSTED, 11: EXHAUSTED,
        12: EXHAUSTED, 15: (*DIFFERS, *WRONG), 16: WAITING, 17: UNCHANGED, 18: REFUSED,
    }, opened=[11, 12])  # fmt: skip
    known = {
        1: POSITIVE, 2: NEGATIVE, 3: CLEAR, 4: KEPT, 7: POSITIVE, 8: NEGATIVE, 12: POSITIVE,
        13: NEGATIVE, 14: POSITIVE,
    }  # fmt: skip
    waiting = {6: KEPT, 15: KEPT}
    with undo_of(desk, 3) as undo:
        all_known = known | waiting
        assert sent(undo) == {number: (body, wrong) for number, body in all_known.items()}
        with_unknown = {**dict.fromkeys((5, 9, 11), CLEAR), **all_known}
        assert sent(undo, clear_unknown=True) == {
            number: (body, wrong) for number, body in with_unknown.items()
        }
        ids = sorted(map(conversation, known), key=key_of)
        assert undo.restored() == (len(known), ids[:3])
        assert (undo.waiting().number, undo.unknown().number) == (2, 2)
        assert (undo.set_before().number, undo.set_before_by()) == (1, {first: 1})
        assert undo.later() == (0, [])
        assert undo.in_doubt() == 2
        assert undo.left_over == 2  # 10 and 16: of 11 and 12 nobody knows
        assert undo.earlier() == []


def test_what_an_earlier_job_has_set_is_told_also_where_a_job_between_is_gone(desk: Desk) -> None:
    first = night(desk, {1: LOST, 2: POSITIVE, 3: POSITIVE, 4: LOST})
    between = night(desk, {2: NEGATIVE})
    second = night(desk, {3: UNCHANGED})
    night(desk, dict.fromkeys(range(1, 6), WRONG))
    prune(desk, between)
    with undo_of(desk, 4) as undo:
        assert sent(undo) == {}, "the job that is gone may have set something else"
        assert undo.set_before_by() == {first: 3, second: 1}
        assert undo.unknown() == (1, [conversation(5)])


@pytest.mark.parametrize("pruned", [False, True])
def test_what_a_later_job_has_tried_stays_and_so_does_what_an_undo_has_set(
    desk: Desk, pruned: bool
) -> None:
    name = night(desk, {**dict.fromkeys(range(1, 11), POSITIVE), 11: WAITING})
    with desk.run(rows=20, restart=True) as job:
        mark(job, 4)
        let(job, {1: POSITIVE, 2: REFUSED, 3: EXHAUSTED, 5: LATER_ROW}, opened=[3])
        later = job.folder.name
    path = desk.jobs_dir / name / UNDO_NAME
    new = NewJob(
        [InputFile(str(path), 1, 1, "", 3, 1)], 20,
        ranked=[RankedRow(seq, Rank(1, 3)) for seq in (6, 7, 8, 9)],
    )  # fmt: skip
    with desk.hold("b", replace=True) as product:
        new.replaces = product.check_sequence()
        with closing(product.begin(new)) as job:
            job.begin_run(0.0, {})
            mark(job, 9)
            let(job, {6: CLEAR, 7: REFUSED, 8: EXHAUSTED}, opened=[8])
            undo_name = job.folder.name
    with jobs_of(desk) as product:
        product.abandon(product.jobs[-1], 1.0)
    night(desk, {10: REFUSED})
    with desk.run(retry=Retry(folder=name)) as job:
        let(job, {11: POSITIVE})
        finish(job)
    if pruned:
        prune(desk, later)
    with undo_of(desk, 1) as undo:
        assert (undo.later().number, undo.back().number) == (5, 1)
        assert set(sent(undo, clear_unknown=True)) == {5, 7, 8, 9, 11}
        assert undo.earlier() == [undo_name]
    with undo_of(desk, 3) as undo:
        assert sent(undo) == ({} if pruned else dict.fromkeys((6, 8, 9), (POSITIVE, name)))


def test_a_job_that_is_gone_leaves_unknown_what_was_held_before_it(desk: Desk) -> None:
    oldest = night(desk, {7: POSITIVE})
    first = night(desk, {1: POSITIVE, 2: POSITIVE})
    with desk.run(rows=20, restart=True) as job:
        let(job, {2: NEGATIVE})
        mark(job, 4, 5, 6)
        gone = job.folder.name
    ranked = [(4, Rank(2, 4)), (6, Rank(2, 4))]
    night(desk, {3: POSITIVE, 4: POSITIVE, 5: POSITIVE, 6: POSITIVE}, ranked=ranked)
    wrong = night(desk, dict.fromkeys(range(1, 8), WRONG), ranked=[(6, Rank(2, 5))])
    later = night(desk, {8: POSITIVE})
    night(desk, {8: POSITIVE})
    for name in (oldest, gone, later):
        prune(desk, name)
    with undo_of(desk, 5) as undo:
        of_job = {number: job for number, (_, job) in sent(undo).items()}
        assert of_job == {3: wrong, 5: wrong, 6: first}


def test_a_comment_without_a_rating_is_known_from_what_its_job_has_kept(desk: Desk) -> None:
    name = night(desk, {1: (None, "no rating")})
    keep_bodies(desk.jobs_dir / name, [Body(conversation(1), None, "no rating")])
    wrong = night(desk, {1: WRONG})
    with undo_of(desk, 2) as undo:
        assert sent(undo) == {1: ((None, "no rating"), wrong)}


def test_a_temporary_file_that_cannot_be_made_is_named(desk: Desk) -> None:
    night(desk, {1: POSITIVE})
    path = desk.jobs_dir / f".{product_key(desk.settings()).name}.undo"
    path.mkdir()
    with (
        jobs_of(desk) as product,
        pytest.raises(JournalError, match=f"^the temporary file {path} cannot be used"),
        undoing(product, product.jobs[0]),
    ):
        pass


def test_each_row_has_the_rank_of_what_it_takes_back(desk: Desk) -> None:
    first = night(desk, {2: POSITIVE})
    ranked = [(2, Rank(1, 2)), (3, Rank(0, 2))]
    second = night(desk, {1: WRONG, 2: WRONG, 3: WRONG}, ranked=ranked)
    with undo_of(desk, 2) as undo:
        assert {number: job for number, (_, job) in sent(undo, clear_unknown=True).items()} == {
            1: second, 2: first, 3: "unknown-00000000-0",
        }  # fmt: skip


def test_what_was_forgotten_is_not_taken_back(desk: Desk) -> None:
    ends = {1: POSITIVE, 2: POSITIVE, 3: WAITING, 4: EXHAUSTED, 5: WAITING}
    night(desk, ends, opened=[4])
    forget(desk.jobs_dir, [conversation(number) for number in (2, 3, 4)])
    with undo_of(desk, 1) as undo:
        assert set(sent(undo, clear_unknown=True)) == {1}
        assert undo.left_over == 1


@pytest.mark.parametrize("pruned", [False, True])
def test_what_a_later_job_has_settled_stays_also_where_its_row_does_not_rank_higher(
    desk: Desk, pruned: bool
) -> None:
    with desk.run(rows=20) as job:
        mark(job, 1, 2, 3, 4)
    ranked = [(1, Rank(0, 2)), (2, Rank(0, 2)), (3, Rank(1, 1))]
    later = night(desk, {1: POSITIVE, 2: REFUSED, 3: POSITIVE}, ranked=ranked)
    night(desk, {5: POSITIVE})
    if pruned:
        prune(desk, later)
    with undo_of(desk, 1) as undo:
        assert undo.later().number == 2
        assert set(sent(undo, clear_unknown=True)) == {3, 4}


def test_what_an_earlier_job_has_tried_again_since_is_what_was_held_before(desk: Desk) -> None:
    first = night(desk, {1: WAITING, 2: POSITIVE, 4: WAITING})
    with desk.run(rows=20, restart=True) as job:
        mark(job, 1, 2)
        killed = job.folder.name
    night(desk, {3: POSITIVE})
    for ends in ({1: NEGATIVE}, {4: POSITIVE}):
        with desk.run(retry=Retry(folder=first)) as job:
            let(job, ends)
            finish(job)
    with undo_of(desk, 2) as undo:
        assert undo.later().number == 0
        assert sent(undo) == {1: (NEGATIVE, killed), 2: (POSITIVE, killed)}


def test_a_row_in_doubt_is_known_once_another_job_has_set_it(desk: Desk) -> None:
    night(desk, {1: POSITIVE})
    night(desk, {1: EXHAUSTED}, opened=[1])
    night(desk, {1: NEGATIVE}, ranked=[(1, Rank(2, 2))])
    wrong = night(desk, {1: WRONG})
    with undo_of(desk, 4) as undo:
        assert sent(undo) == {1: (NEGATIVE, wrong)}


def test_a_row_goes_with_the_job_that_has_brought_it_whichever_has_stored_it(desk: Desk) -> None:
    night(desk, {1: POSITIVE, 2: POSITIVE, 3: POSITIVE})
    second = night(desk, {1: EXHAUSTED, 2: WAITING}, opened=[1])
    third = night(desk, {1: WRONG, 2: WRONG, 3: WRONG}, ranked=[(1, Rank(2, 2)), (2, Rank(2, 2))])
    with undo_of(desk, 3) as undo:
        assert (undo.carried, sent(undo)) == (2, {3: (POSITIVE, third)})
    with undo_of(desk, 2) as undo:
        assert (undo.later().number, undo.in_doubt(), undo.left_over) == (0, 0, 0)
        assert sent(undo) == {1: (POSITIVE, second), 2: (POSITIVE, second)}


@pytest.mark.parametrize("pruned", [False, True])
def test_what_a_job_had_to_leave_because_of_this_one_is_taken_back_with_it(
    desk: Desk, pruned: bool
) -> None:
    first = night(desk, dict.fromkeys(range(1, 6), POSITIVE))
    night(desk, dict.fromkeys(range(1, 9), NEGATIVE))
    third = night(desk, {1: UNCHANGED, 2: REFUSED, 3: WAITING, 4: POSITIVE, 7: UNCHANGED})
    night(desk, {6: UNCHANGED})
    with undo_of(desk, 3) as undo:
        assert (set(sent(undo)), undo.not_sent) == ({4}, 3)
    with jobs_of(desk) as product:
        product.note_withdrawn(product.jobs[1], ())
    if pruned:
        prune(desk, first)
    with undo_of(desk, 3) as undo:
        known = {} if pruned else dict.fromkeys((1, 2, 3, 4), (POSITIVE, third))
        assert sent(undo) == known
        assert (undo.unknown().number, undo.not_sent, undo.left_over) == (5 - len(known), 0, 1)


@pytest.mark.parametrize("pruned", [False, True])
def test_what_the_job_had_taken_over_is_sent_where_it_has_come_to_its_own_row(
    desk: Desk, pruned: bool
) -> None:
    first = night(desk, {11: WAITING, 12: WAITING, 13: WAITING})
    carried = [
        CarriedRow(seq, conversation(10 + seq), Rank(1, 1), *KEPT, ask_status=False)
        for seq in (1, 2, 3)
    ]
    begun = {"carried": carried, "kept": [], "not_sent": {Reason.LATER_ROW: RowSet([1, 2, 3])}}
    with desk.run(rows=20, restart=True, begun=begun, carry_over=True) as job:
        let(job, {11: WRONG, 12: REFUSED, 14: WRONG})
        wrong = job.folder.name
    with jobs_of(desk) as product:
        product.abandon(product.jobs[1], 1.0)
    if pruned:
        prune(desk, first)
    with undo_of(desk, 2) as undo:
        assert sent(undo) == {11: (KEPT, wrong), 12: (KEPT, wrong)}
        assert set(undo.after_all()) == {(key_of(conversation(row)), 1) for row in (11, 12)}
        assert (undo.waiting().number, undo.unknown().number) == (2, 1)
    if pruned:
        return
    with jobs_of(desk) as product:
        product.abandon(product.jobs[0], 1.0)
    with undo_of(desk, 2) as undo:
        assert (undo.waiting().number, undo.unknown().number) == (0, 2)


def test_what_the_job_had_taken_over_is_sent_also_below_a_row_in_doubt_of_one_given_up(
    desk: Desk,
) -> None:
    night(desk, {11: WAITING})
    with desk.run(rows=20, restart=True) as job:
        mark(job, 11)
    with desk.hold("b", carry_over=True, replace=True) as product:
        carried = list(product.left_overs(0.0))
        new = desk.new("b", 20, carried=carried, kept=[], replaces=product.check_sequence(),
                       not_sent={Reason.LATER_ROW: RowSet([1])})  # fmt: skip
        with closing(product.begin(new)) as job:
            job.begin_run(0.0, {})
            let(job, {11: WRONG})
            wrong = job.folder.name
    with undo_of(desk, 3) as undo:
        assert sent(undo) == {11: (KEPT, wrong)}


def test_what_waits_below_a_row_in_doubt_or_was_given_up_is_not_sent(desk: Desk) -> None:
    night(desk, {1: WAITING, 2: WAITING})
    with desk.run(rows=20, restart=True) as job:
        mark(job, 2)
    night(desk, {3: WAITING})
    wrong = night(desk, dict.fromkeys((1, 2, 3), WRONG))
    with undo_of(desk, 4) as undo:
        assert sent(undo) == {1: (KEPT, wrong), 3: (KEPT, wrong)}
        assert (undo.set_before().number, undo.unknown().number) == (1, 0), "it was tried"
    with jobs_of(desk) as product:
        product.abandon(product.jobs[0], 1.0)
    with undo_of(desk, 4) as undo:
        assert sent(undo) == {3: (KEPT, wrong)}


def test_what_waits_below_the_floor_is_not_sent(desk: Desk) -> None:
    night(desk, {1: POSITIVE})
    missing = night(desk, {2: POSITIVE})
    night(desk, {3: WAITING, 4: WAITING}, ranked=[(3, Rank(1, 3)), (4, Rank(2, 3))])
    wrong = night(desk, {3: WRONG, 4: WRONG})
    shutil.rmtree(desk.jobs_dir / missing)
    product_key(desk.settings()).ledger(desk.jobs_dir).unlink()
    with undo_of(desk, 4) as undo:
        assert sent(undo) == {4: (KEPT, wrong)}


def test_what_an_undo_was_to_send_for_a_job_goes_with_that_and_not_with_the_undo(
    desk: Desk,
) -> None:
    night(desk, dict.fromkeys((1, 2, 3), POSITIVE))
    night(desk, dict.fromkeys((1, 2, 3), WAITING))
    wrong = night(desk, {1: NEGATIVE, 2: REFUSED, 3: NEGATIVE})
    desk.take_back(3, {1: SUCCEEDED, 2: SUCCEEDED, 3: WAITING}, after_all={1: 2, 2: 2, 3: 2})
    with undo_of(desk, 2) as undo:
        assert sent(undo) == dict.fromkeys((1, 2, 3), (POSITIVE, wrong))
    with undo_of(desk, 4) as undo:
        assert sent(undo) == {1: (NEGATIVE, wrong)}, "what the wrong one had set is there again"


def test_what_a_later_job_may_have_set_stays_until_that_is_taken_back(desk: Desk) -> None:
    night(desk, dict.fromkeys((1, 2, 3), POSITIVE))
    second = night(desk, {1: NEGATIVE, 2: NEGATIVE, 3: WAITING})
    with desk.run(rows=20, restart=True, begun={"ranked": [(3, Rank(2, 2))]}) as job:
        mark(job, 2, 3, 4)
        let(job, {1: NEGATIVE})
        third = job.folder.name
    with undo_of(desk, 2) as undo:
        assert (undo.later().number, sent(undo)) == (2, {3: (POSITIVE, second)})
    with jobs_of(desk) as product:
        product.abandon(product.jobs[2], 1.0)
        product.note_withdrawn(product.jobs[2], ())
    with undo_of(desk, 2) as undo:
        assert (undo.later().number, undo.is_withdrawn) == (0, False)
        assert sent(undo) == {
            1: (POSITIVE, third), 2: (POSITIVE, second), 3: (POSITIVE, second),
        }, "and ranks above what the later one has set"  # fmt: skip
    with undo_of(desk, 3) as undo:
        assert undo.is_withdrawn


def test_what_a_job_had_to_leave_because_of_another_one_as_well_stays(desk: Desk) -> None:
    night(desk, dict.fromkeys(range(1, 5), POSITIVE))
    night(desk, dict.fromkeys(range(1, 5), NEGATIVE))
    with desk.run(rows=20, restart=True) as job:
        mark(job, 3)
        let(job, {1: REFUSED, 2: UNCHANGED})
    with jobs_of(desk) as product:
        product.abandon(product.jobs[2], 1.0)
    last = night(desk, {1: UNCHANGED, 2: REFUSED, 3: REFUSED, 4: UNCHANGED})
    with jobs_of(desk) as product:
        product.note_withdrawn(product.jobs[1], ())
    with undo_of(desk, 4) as undo:
        assert sent(undo, clear_unknown=True) == {4: (POSITIVE, last)}
