"""The journal of a job: what is recorded, what lasts, and what is in doubt."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from importer.common.row_set import RowSet
from importer.errors import JournalError
from importer.jobs import sqlite_file
from importer.jobs.entry import Entry
from importer.jobs.journal import Journal
from importer.jobs.journal_create import create_journal
from importer.jobs.journal_file import FILE_NAME
from importer.jobs.journal_reader import JournalReader
from importer.jobs.keys import key_of
from importer.jobs.records import CarriedRow, InputFile, LastRun, NewJob
from importer.model import (
    Deferral,
    Feedback,
    Meaning,
    Moment,
    Outcome,
    OutcomeKind,
    Rank,
    Reason,
    RunEnd,
    Warn,
)
from tests.support.data import conversation
from tests.support.jobs import (
    DIFFERS,
    EXHAUSTED,
    REFUSED,
    SUCCEEDED,
    UNCHANGED,
    WAITING,
    Desk,
    answer,
    finish,
    mark,
)


def in_doubt(journal: Journal) -> set[int]:
    return {doubt.seq for doubt in journal.doubts() if doubt.in_doubt}


def opened(journal: Journal) -> set[int]:
    return {doubt.seq for doubt in journal.doubts()}


def test_what_a_job_begins_with_comes_back(desk: Desk, tmp_path: Path) -> None:
    desk.settings()
    carried = CarriedRow(1, conversation(9), Rank(1, 2), Meaning.CLEAR, "old", ask_status=True)
    file = InputFile("/in.csv", 5, 123_456_789_012_345_678, "ab", 2, 2, b"0123456789abcdef")
    new = NewJob(
        [file], 3, {"product_id": "p", "base_url": "b"}, survey='{"rows": 2}',
        not_sent={Reason.LATER_ROW: RowSet([2]), Reason.LATER_JOB: RowSet()},
        ranked=[(3, Rank(1, 4))], carried=[carried],
        kept=[Feedback(3, conversation(3), None, "text")],
    )  # fmt: skip
    with closing(create_journal(tmp_path, new, number=4, job_id="id")) as journal:
        assert journal.inputs() == [file]
        assert list(journal.carried()) == [carried]
        assert journal.ranked() == {1: Rank(1, 2), 3: Rank(1, 4)}
        assert {reason: list(rows) for reason, rows in journal.not_sent().items()} == {
            Reason.LATER_ROW: [2]
        }
        assert journal.survey() == '{"rows": 2}'
        assert journal.totals().outcomes[OutcomeKind.PENDING] == 3
        assert [key for key, *_ in journal.pending()] == sorted(
            map(key_of, map(conversation, (3, 9)))
        )
        assert journal.places() == [("carried over", 1), ("/in.csv", 2)]
        assert journal.last_run() is None


def test_outcomes_come_back_plain_ones_and_odd_ones(desk: Desk) -> None:
    outcomes = [
        Outcome(1, OutcomeKind.REJECTED, None, Reason.MALFORMED, "why"),
        Outcome(2, OutcomeKind.SUCCEEDED, conversation(2), http_status=200, attempts=3,
                updated_at="then"),
        Outcome(3, OutcomeKind.SUCCEEDED, conversation(3), warning=Warn.ECHO_DIFFERS, attempts=1),
        Outcome(4, OutcomeKind.SUPERSEDED, conversation(2), Reason.LATER_ROW),
    ]  # fmt: skip
    with desk.run(rows=5) as job:
        job.journal.write(Entry(outcomes, at=7.0))
        assert list(job.journal.outcomes()) == [one._replace(settled_at=7.0) for one in outcomes]
        totals = job.journal.totals()
        assert totals.outcomes[OutcomeKind.PENDING] == 1
        assert totals.puts == 4
        assert sorted(job.journal.settled()) == [1, 2, 3, 4]


@pytest.mark.parametrize("rows", [1, 3, 256, 700])
def test_entries_of_any_size_are_recorded(desk: Desk, rows: int) -> None:
    with desk.run(rows=rows) as job:
        answer(job, dict.fromkeys(range(1, rows + 1), SUCCEEDED))
        assert job.journal.settled().count == rows


@pytest.mark.parametrize("pending", [set(), {1}, {20}, {8, 16, 40}, set(range(9, 25)), {39, 40}])
def test_rows_that_are_done_are_found_block_by_block(
    desk: Desk, pending: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importer.jobs.journal_file._BLOCK", 8)
    done = set(range(1, 41)) - pending
    with desk.run(rows=40) as job:
        answer(job, dict.fromkeys(sorted(done), SUCCEEDED))
        settled = job.journal.settled()
    assert set(settled) == done
    assert settled.count == len(done)
    assert all((seq in settled) == (seq in done) for seq in range(60))


def test_a_row_never_has_a_second_outcome_and_nothing_of_such_an_entry_lasts(desk: Desk) -> None:
    with desk.run() as job:
        answer(job, {1: SUCCEEDED})
        with pytest.raises(JournalError, match="second outcome"):
            answer(job, {2: SUCCEEDED, 1: SUCCEEDED})
        assert list(job.journal.settled()) == [1]


# Doubt: docs/reference.md, A7 to A9.


def test_a_marked_row_is_in_doubt_until_it_is_set(desk: Desk) -> None:
    with desk.run() as job:
        mark(job, 1, 2, 3)
        assert in_doubt(job.journal) == {1, 2, 3}
        answer(job, {1: SUCCEEDED, 2: REFUSED})
        assert in_doubt(job.journal) == opened(job.journal) == {3}


@pytest.mark.parametrize("windows", [1, 2, 5])
def test_what_is_marked_stays_in_doubt_however_many_windows_follow(
    desk: Desk, windows: int
) -> None:
    with desk.run(rows=100) as job:
        for first in range(1, 10 * windows, 10):
            mark(job, *range(first, first + 10))
            answer(job, dict.fromkeys(range(first + 1, first + 10), SUCCEEDED))
        left = set(range(1, 10 * windows, 10))
        assert in_doubt(job.journal) == left
    with desk.run() as job:  # after a kill
        assert in_doubt(job.journal) == left
        assert not any(doubt.run == 2 for doubt in job.journal.doubts())


def test_only_what_is_set_ends_the_doubt_of_an_earlier_run(desk: Desk) -> None:
    with desk.run(rows=9) as job:
        mark(job, *range(1, 7))
    with desk.run(rows=9) as job:
        mark(job, 1, 2, 4, 5, 6)
        answer(job, {1: REFUSED, 2: SUCCEEDED, 4: DIFFERS, 5: UNCHANGED})
        warned = Outcome(6, OutcomeKind.SUCCEEDED, conversation(6), warning=Warn.ECHO_DIFFERS)
        job.journal.write(Entry([warned]))
        assert in_doubt(job.journal) == {1, 3}
        assert opened(job.journal) == set(range(1, 7)), "a 200 to the retry does not end open"


def test_after_a_clean_end_exactly_the_rows_that_were_sent_are_in_doubt(desk: Desk) -> None:
    with desk.run(rows=9) as job:
        mark(job, 1, 2)
        mark(job, 3, 4)
        mark(job, 5, 6)
        finish(job, RunEnd.SIGINT, sent=[2, 5])
        assert in_doubt(job.journal) == {2, 5}
    with desk.run() as job:
        mark(job, 1)
        finish(job, RunEnd.SIGINT)
        assert in_doubt(job.journal) == {2, 5}, "they stay so, from the earlier run"


def test_a_row_whose_stored_feedback_is_known_is_open_and_not_in_doubt(desk: Desk) -> None:
    with desk.run() as job:
        mark(job, 1, 2, 3)
        answer(job, {1: DIFFERS, 2: EXHAUSTED, 3: SUCCEEDED}, opened=[1, 2, 3])
        assert in_doubt(job.journal) == {2}
        assert opened(job.journal) == {1, 2, 3}


# Rows that are tried again: docs/reference.md, J8.


def test_a_row_is_open_in_the_run_that_has_sent_it(desk: Desk) -> None:
    for number in (1, 2, 3):
        with desk.run() as job:
            answer(job, {number: EXHAUSTED}, opened=[number])
            assert [(doubt.seq, doubt.run) for doubt in job.journal.doubts()] == [
                (seq, seq) for seq in range(1, number + 1)
            ]


def test_a_row_that_is_tried_again_keeps_its_outcome_until_it_has_another(desk: Desk) -> None:
    with desk.run() as job:
        answer(job, {1: SUCCEEDED, 2: EXHAUSTED, 3: WAITING}, opened=[2])
        job.journal.write(Entry(deferrals=[Deferral(3, 1, 0.0, 1.0, 2, 0.5)]))
        finish(job)
    with desk.run() as job:  # the same command: what is not completed
        assert list(job.journal.again()) == [3]
        assert list(job.journal.settled()) == [1, 2]
        assert job.journal.deferrals() == {}
        totals = job.journal.totals()
        assert totals.outcomes[OutcomeKind.NOT_COMPLETED] == 1
        assert totals.outcomes[OutcomeKind.PENDING] == 0
        deferral = Deferral(3, 1, 5.0, 6.0, 1, 5.0)
        job.journal.write(Entry(deferrals=[deferral]))
        assert job.journal.deferrals() == {3: deferral}
        mark(job, 3)
        assert in_doubt(job.journal) == {2, 3}
        answer(job, {3: SUCCEEDED})
        assert sorted(job.journal.settled()) == [1, 2, 3]
        assert in_doubt(job.journal) == {2}
        assert job.journal.totals().outcomes[OutcomeKind.SUCCEEDED] == 2
        assert [outcome.attempts for outcome in job.journal.outcomes()] == [1, 1, 2]
    with desk.hold() as product:
        assert product.resumable() is None


def test_a_row_that_is_open_stays_so_when_it_is_tried_again(desk: Desk) -> None:
    with desk.run() as job:
        answer(job, {1: SUCCEEDED, 2: REFUSED, 3: WAITING}, opened=[3])
        finish(job)
    with desk.run() as job:
        assert in_doubt(job.journal) == {3}
        answer(job, {3: SUCCEEDED})
        assert in_doubt(job.journal) == set()
        assert {(doubt.seq, doubt.run) for doubt in job.journal.doubts()} == {(3, 1)}


def test_bodies_of_left_overs_stay_and_others_go_when_the_job_has_ended(desk: Desk) -> None:
    kept = [Feedback(seq, conversation(seq), None, f"text {seq}") for seq in (1, 2, 3)]
    with desk.run(begun={"kept": kept}, carry_over=True) as job:
        assert len(list(job.journal.pending())) == 3
        answer(job, {1: SUCCEEDED, 2: EXHAUSTED, 3: REFUSED})
        finish(job)
        with closing(sqlite3.connect(job.journal.path)) as db:
            assert db.execute("SELECT seq, comment FROM kept").fetchall() == [(2, "1-2")]


# What lasts: docs/design/across-jobs.md, order of commits.


def test_what_must_last_is_synced_and_outcomes_are_not(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels: list[int] = []
    execute = sqlite_file.transaction

    def watched(db: sqlite_file.Connection) -> Any:
        levels.append(db.execute("PRAGMA synchronous").fetchone()[0])
        return execute(db)

    monkeypatch.setattr(sqlite_file, "transaction", watched)
    full, normal = 2, 1
    with desk.hold() as product, closing(desk.begin(product)) as job:
        steps: list[tuple[int, Callable[[], object]]] = [
            (full, lambda: job.begin_run(0.0, {})),
            (full, lambda: mark(job, 1, 2, 3)),
            (normal, lambda: answer(job, {1: SUCCEEDED})),
            (full, lambda: finish(job, RunEnd.SIGINT)),
            (full, job.journal.sync),
            (full, lambda: job.journal.know_floor(1)),
            (full, lambda: job.journal.give_up(1.0)),
        ]
        for level, step in steps:
            levels.clear()
            step()
            assert set(levels) == {level}


def test_a_journal_that_was_not_made_whole_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = NewJob([], 0, {"product_id": "p", "base_url": "b"})

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("importer.jobs.sqlite_file.os.fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            create_journal(tmp_path, new, number=1, job_id="id")
    assert not (tmp_path / FILE_NAME).exists()
    create_journal(tmp_path, new, number=1, job_id="id").close()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no database, and long enough to be looked at" * 100, "not a database"),
        (None, "unable to open"),
    ],
)
def test_what_is_no_journal_is_refused_in_one_line(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(JournalError, match=message) as caught:
        Journal(tmp_path)
    assert "\n" not in str(caught.value)


def test_an_older_format_is_refused_in_one_line(desk: Desk) -> None:
    with desk.run() as job:
        folder = job.folder
    with closing(sqlite3.connect(folder / FILE_NAME)) as db, db:
        db.execute("UPDATE job SET value = '3' WHERE name = 'format'")
    with pytest.raises(JournalError, match=r"format 3, and this version reads format 5"):
        Journal(folder)


def test_moments_and_deferrals_come_back_unless_no_clock_has_shown_their_time(desk: Desk) -> None:
    moment = Moment(5.0, 1.0, 3, 2, 8, 1, 0.1, None, "pacing", {200: 3, 0: 1})
    deferral = Deferral(1, 2, 3.0, 4.0, 5, 6.0)
    with desk.run(at=1.0) as job:
        job.journal.write(Entry(moments=[moment], deferrals=[deferral]))
        assert job.journal.deferrals() == {1: deferral}
        with JournalReader(job.folder) as reader:
            assert reader.moments() == [moment]
            assert job.journal.last_run() == LastRun(1, 1.0, None, None, "")
        finish(job, RunEnd.SIGINT)
        assert job.journal.last_run() == LastRun(1, 1.0, 2.0, RunEnd.SIGINT, "")
        for at in (-1.0, 1e12):
            for wrong in (
                deferral._replace(since=at),
                deferral._replace(due=at),
                deferral._replace(looked_at=at),
            ):
                job.journal.write(Entry(deferrals=[wrong]))
                with pytest.raises(JournalError, match=f"the time {at}"):
                    job.journal.deferrals()
            job.journal.write(Entry(moments=[moment._replace(at=at)]))
            with JournalReader(job.folder) as reader, pytest.raises(JournalError, match="the time"):
                reader.moments()
