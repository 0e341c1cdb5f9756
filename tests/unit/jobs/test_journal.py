"""The journal of a job: what is recorded, and what lasts."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from importer.common.row_set import RowSet
from importer.errors import JournalError
from importer.jobs import sqlite_file
from importer.jobs.bodies import Body
from importer.jobs.entry import Entry
from importer.jobs.journal import Journal
from importer.jobs.journal_create import create_journal
from importer.jobs.journal_file import FILE_NAME, FORMAT
from importer.jobs.journal_reader import JournalReader
from importer.jobs.keys import key_of
from importer.jobs.records import CarriedRow, InputFile, LastRun, NewJob, RankedRow
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
    REFUSED,
    SUCCEEDED,
    Desk,
    answer,
    finish,
    mark,
)


def test_what_a_job_begins_with_comes_back(desk: Desk, tmp_path: Path) -> None:
    desk.settings()
    carried = [
        CarriedRow(1, conversation(9), Rank(1, 2), Meaning.CLEAR, "old", ask_status=True),
        CarriedRow(2, conversation(8), Rank(2, 2), None, "plain", ask_status=False),
    ]
    file = InputFile("/in.csv", 5, 123_456_789_012_345_678, "ab", 2, 3, b"0123456789abcdef")
    new = NewJob(
        [file], 4, {"product_id": "p", "base_url": "b"}, survey='{"rows": 2}',
        not_sent={Reason.LATER_ROW: RowSet([3]), Reason.LATER_JOB: RowSet()},
        ranked=[RankedRow(4, Rank(1, 4))], carried=carried[::-1],
        kept=[Feedback(4, conversation(3), Meaning.POSITIVE, None)],
    )  # fmt: skip
    with closing(create_journal(tmp_path, new, number=4, job_id="id")) as journal:
        assert journal.inputs() == [file]
        assert list(journal.carried()) == carried
        assert journal.carried_count() == 2
        assert journal.ranked() == {1: Rank(1, 2), 2: Rank(2, 2), 4: Rank(1, 4)}
        assert {reason: list(rows) for reason, rows in journal.not_sent().items()} == {
            Reason.LATER_ROW: [3]
        }
        assert journal.survey() == '{"rows": 2}'
        assert journal.totals().outcomes[OutcomeKind.PENDING] == 4
        bodies = [
            Body(conversation(3), Meaning.POSITIVE, None),
            *(Body(row.conversation_id, row.rating, row.comment) for row in carried),
        ]
        assert sorted(journal.bodies()) == sorted(bodies)
        pending = list(journal.pending())
        assert [key for key, *_ in pending] == sorted(map(key_of, map(conversation, (3, 8, 9))))
        assert {row[1:] for row in pending} == {
            (1, conversation(9), Meaning.CLEAR, "old", True),
            (2, conversation(8), None, "plain", False),
            (4, conversation(3), Meaning.POSITIVE, None, False),
        }
        ratings = [
            *(one.rating for one in journal.bodies()),
            *(one.rating for one in journal.carried()),
            *(rating for *_, rating, _, _ in pending),
        ]
        assert all(rating is None or isinstance(rating, Meaning) for rating in ratings)
        assert journal.places() == [("carried over", 1), ("/in.csv", 3)]
        assert (journal.last_run(), journal.run_count()) == (None, 0)
        assert (journal.newest_by(), journal.label()) == (None, None)


def test_a_job_says_how_it_was_run_and_what_was_written(desk: Desk) -> None:
    with desk.run(label="first", newest_by="day") as job:
        answer(job, {1: SUCCEEDED})
        assert job.journal.label() == "first"
        job.journal.note_written("failed.csv", "ab12")
    with desk.run(label="second", newest_by="day"):
        pass
    with desk.run(newest_by="day") as job:
        journal = job.journal
        assert (journal.label(), journal.newest_by()) == ("second", "day")
        assert (journal.run_count(), journal.run_numbers()) == (3, {1, 2, 3})
        assert journal.written("failed.csv") == "ab12"
        assert journal.written("rejected.csv") is None


def test_a_floor_that_is_raised_makes_unchanged_rows_unsure(desk: Desk) -> None:
    rows = {Reason.SAME_AS_STORED: RowSet([1]), Reason.LATER_ROW: RowSet([2])}
    with desk.run(begun={"not_sent": rows}) as job:
        job.journal.know_floor(7)
        assert list(job.journal.not_sent()) == [Reason.LATER_ROW]
        assert job.journal.facts()["floor"] == "7"


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
        assert totals.reasons == {
            (OutcomeKind.REJECTED, Reason.MALFORMED): 1,
            (OutcomeKind.SUPERSEDED, Reason.LATER_ROW): 1,
        }
        assert totals.warnings == {Warn.ECHO_DIFFERS: 1}
        assert sorted(job.journal.settled()) == [1, 2, 3, 4]
        assert list(job.journal.canonical()) == [
            "1,rejected,,malformed,,0,,\n",
            f'2,succeeded,{conversation(2)},,200,3,"then",\n',
            f"3,succeeded,{conversation(3)},,,1,,{Warn.ECHO_DIFFERS}\n",
            f"4,superseded,{conversation(2)},later_row,,0,,\n",
        ]


def test_the_last_row_that_was_stored_is_told_unless_it_is_forgotten(desk: Desk) -> None:
    with desk.run(rows=4) as job:
        assert job.journal.last_stored() is None
        answer(job, {1: SUCCEEDED, 3: SUCCEEDED, 4: REFUSED})
        assert job.journal.last_stored() == conversation(3)
        with closing(sqlite3.connect(job.folder / FILE_NAME)) as db, db:
            db.execute("INSERT INTO forgotten (seq) VALUES (3)")
        assert job.journal.last_stored() == conversation(1)


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


def test_an_outcome_of_a_row_that_the_job_does_not_have_is_damage(desk: Desk) -> None:
    with desk.run(rows=3) as job:
        answer(job, {4: SUCCEEDED})
        with pytest.raises(JournalError, match=r"holds what cannot be \(an outcome of row 4\)"):
            job.journal.settled()


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
    told = f"^the journal {tmp_path / FILE_NAME} cannot be used: .*{message}"
    with pytest.raises(JournalError, match=told) as caught:
        Journal(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "found"),
    [("UPDATE job SET value = '3' WHERE name = 'format'", "3"), ("DELETE FROM job", "None")],
)
def test_another_format_is_refused_in_one_line(desk: Desk, change: str, found: str) -> None:
    with desk.run() as job:
        folder = job.folder
    with closing(sqlite3.connect(folder / FILE_NAME)) as db, db:
        db.execute(change)
    with pytest.raises(
        JournalError, match=f"format {found}, and this version reads format {FORMAT}"
    ):
        Journal(folder)


def test_moments_and_deferrals_come_back_unless_no_clock_has_shown_their_time(desk: Desk) -> None:
    moment = Moment(5.0, 1.0, 3, 2, 8, 1, 0.1, None, "pacing", {200: 3, 0: 1})
    deferral = Deferral(1, 2, 3.0, 4.0, 5, 6.0)
    with desk.run(at=1.0) as job:
        job.journal.write(Entry(moments=[moment], deferrals=[deferral]))
        assert job.journal.deferrals() == {1: deferral}
        with JournalReader(job.folder) as reader:
            again = moment._replace(settled=9)
            job.journal.write(Entry(moments=[again]))
            assert reader.moments() == [again], "a clock may stand still"
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


def test_an_entry_counts_its_rows_and_keeps_only_those_that_it_is_told_to() -> None:
    ends = [Outcome(seq, OutcomeKind.SUCCEEDED, conversation(seq)) for seq in (1, 2, 3, 4)]
    entry = Entry(ends[2:])
    for end in ends[:2]:
        entry.stored.add(end, conversation(end.seq), 10 * end.seq)
    assert (entry.rows, entry.seqs()) == (4, [1, 2, 3, 4])
    entry.keep({2, 3, 9})
    assert (entry.rows, entry.seqs()) == (2, [2, 3])
    assert (entry.stored.conversations, entry.stored.bodies) == ([conversation(2)], [20])
