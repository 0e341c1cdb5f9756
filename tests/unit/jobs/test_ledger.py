"""The ledger as an index of the journals (docs/reference.md, A14)."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from importer.errors import JournalError, SettingsError
from importer.jobs import sqlite_file
from importer.jobs.entry import Entry
from importer.jobs.identity import product_key
from importer.jobs.journal import Journal
from importer.jobs.journal_file import FILE_NAME
from importer.jobs.keys import key_of
from importer.jobs.ledger import Ledger
from importer.jobs.product import Product
from importer.jobs.records import CarriedRow, JobRecord, Line
from importer.jobs.undo import undoing
from importer.model import Feedback, Meaning, Outcome, OutcomeKind, Rank
from importer.settings import Retry
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


def line(product: Product, number: int) -> Line | None:
    return product.look_up([key_of(conversation(number))]).get(key_of(conversation(number)))


def test_each_conversation_has_the_highest_ranked_settled_row(desk: Desk) -> None:
    desk.night([SUCCEEDED, SUCCEEDED, SUCCEEDED, REFUSED])
    desk.night([REFUSED, SUCCEEDED])
    with desk.hold() as product:
        lines = [line(product, number) for number in (1, 2, 3, 4, 5)]
    assert [one and (one.rank, one.body) for one in lines] == [
        (Rank(2, 2), None), (Rank(2, 2), 2), (Rank(1, 1), 3), (Rank(1, 1), None), None
    ]  # fmt: skip


def test_lines_come_by_key_part_by_part(desk: Desk) -> None:
    with desk.run(rows=256) as job:
        answer(job, dict.fromkeys([*range(1, 20), 254, 255], SUCCEEDED))
        entry, last = Entry(at=1.0), "ffffffff-ffff-ffff-ffff-ffffffffffff"
        entry.stored.add(Outcome(256, OutcomeKind.SUCCEEDED, last), last, 1)
        job.journal.write(entry)
        finish(job)
    with desk.hold() as product:
        parts = [list(product.lines(part).each()) for part in range(256)]
        assert product.conversations() == 22
    for part, lines in enumerate(parts):
        assert [one.key for one in lines] == sorted(one.key for one in lines)
        assert {one.key[0] for one in lines} <= {part}
    assert sum(map(len, parts)) == 22


def test_what_was_stored_is_known_also_where_it_differs(desk: Desk) -> None:
    desk.night([DIFFERS, EXHAUSTED])
    with desk.hold() as product:
        found = [line(product, number) for number in (1, 2)]
        assert [one and one.body for one in found] == [1, None]


def test_an_unchanged_row_was_stored_when_it_was_sent_last(desk: Desk) -> None:
    with desk.run(rows=1) as job:
        answer(job, {1: SUCCEEDED}, at=100.0)
        finish(job)
    with desk.hold() as product:
        product.catch_up()
    with desk.run(rows=2) as job:
        answer(job, {1: UNCHANGED, 2: UNCHANGED}, at=200.0)
        finish(job)
    with desk.hold() as product:
        lines = [line(product, number) for number in (1, 2)]
    assert [one and (one.rank.first, one.at) for one in lines] == [(2, 100.0), (2, 0.0)]


def test_at_equal_rank_the_later_run_decides(desk: Desk) -> None:
    name = desk.night([WAITING])
    with desk.hold() as product:
        assert [row.rank for row in product.left_overs(0.0)] == [Rank(1, 1)]
    with desk.run() as job:
        assert job.folder.name == name
        answer(job, {1: SUCCEEDED})
        finish(job)
    with desk.hold() as product:
        found = line(product, 1)
        assert found is not None
        assert (found.rank, found.run, found.body) == (Rank(1, 1), 2, 1)
        assert list(product.left_overs(0.0)) == []


def test_so_it_does_where_an_earlier_job_was_tried_again_and_the_ledger_is_lost(desk: Desk) -> None:
    first = desk.night([WAITING])
    desk.night([EXHAUSTED], begun={"ranked": [(1, Rank(1, 1))]})
    with desk.run(retry=Retry(folder=first)) as job:
        answer(job, {1: SUCCEEDED})
        finish(job)
    for _ in range(2):
        with desk.hold() as product:
            found = line(product, 1)
            assert found is not None
            assert (found.rank, found.run, found.body) == (Rank(1, 1), 3, 1)
            assert list(product.left_overs(0.0)) == []
        lost(product.key.ledger(desk.jobs_dir))


def test_what_is_done_of_an_unfinished_job_is_not_left_over_though_it_is_kept(desk: Desk) -> None:
    kept = [Feedback(seq, conversation(seq), Meaning.CLEAR, "kept") for seq in (1, 2)]
    with desk.run(begun={"kept": kept}, carry_over=True) as job:
        answer(job, {1: SUCCEEDED})
    with desk.hold("b", replace=True) as product:
        assert list(product.left_overs(0.0)) == []


def test_left_overs_come_with_rank_and_body_and_end_with_a_higher_row(desk: Desk) -> None:
    desk.night([WAITING, EXHAUSTED, REFUSED, SUCCEEDED])
    with desk.hold() as product:
        rows = {row.conversation_id: row for row in product.left_overs(0.0)}
    assert rows[conversation(1)]._replace(seq=0) == CarriedRow(
        0, conversation(1), Rank(1, 1), Meaning.POSITIVE, "1-1", ask_status=True
    )
    assert rows[conversation(2)].comment == "1-2"
    assert not rows[conversation(2)].ask_status
    assert sorted(row.seq for row in rows.values()) == [1, 2]
    with desk.run(rows=1, restart=True) as job:
        answer(job, {1: REFUSED})
        unrated = Feedback(5, conversation(5), None, "a comment alone")
        left = Outcome(5, *WAITING[:1], conversation(5), WAITING[1])
        job.journal.write(Entry([left], left_over=[unrated]))
        finish(job)
    with desk.hold() as product:
        assert {row.conversation_id: row.rating for row in product.left_overs(0.0)} == {
            conversation(2): Meaning.POSITIVE, conversation(5): None
        }  # fmt: skip


def test_what_is_no_longer_left_over_leaves_no_byte_of_its_comment(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite_file.connect

    def as_most_are_built(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
        db = connect(path, read_only=read_only)
        db.execute("PRAGMA secure_delete = OFF")
        return db

    monkeypatch.setattr(sqlite_file, "connect", as_most_are_built)
    path = product_key(desk.settings()).ledger(desk.jobs_dir)
    for end, is_there in ((WAITING, True), (REFUSED, False)):
        desk.night([end])
        with desk.hold() as product:
            product.catch_up()
        assert (b"POSITIVE1-1" in path.read_bytes()) is is_there


def test_a_row_of_a_left_over_file_has_the_rank_it_is_given(desk: Desk) -> None:
    desk.night([SUCCEEDED])
    desk.night([SUCCEEDED, SUCCEEDED])
    begun = {"ranked": [(1, Rank(1, 3))]}
    desk.night([WAITING, WAITING], begun=begun)
    with desk.hold() as product:
        lines = [line(product, number) for number in (1, 2)]
        assert [one and one.rank for one in lines] == [Rank(2, 2), Rank(3, 3)]
        assert [row.rank for row in product.left_overs(0.0)] == [Rank(3, 3)]


def test_what_is_taken_in_is_not_read_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.night([SUCCEEDED])
    taken: list[int] = []
    take_in = Ledger.take_in

    def noted(self: Ledger, job: JobRecord, *args: Any, **options: Any) -> None:
        taken.append(job.number)
        take_in(self, job, *args, **options)

    monkeypatch.setattr(Ledger, "take_in", noted)
    with desk.hold() as product:
        product.catch_up()
        product.catch_up()
    desk.night([SUCCEEDED])
    with desk.hold() as product:
        product.catch_up()
    assert taken == [1, 2]


def test_a_journal_that_is_half_taken_in_is_not_taken_in_at_all(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.night([WAITING, SUCCEEDED])

    with desk.hold() as product, monkeypatch.context() as patched:
        patched.setattr("importer.jobs.take_in._OUTRANKED", "no SQL")
        with pytest.raises(JournalError):
            product.catch_up()
        assert product._ledger.conversations() == 0
    with desk.hold() as product:
        assert product.conversations() == 2


def lost(path: Path) -> None:
    path.unlink()


def damaged(path: Path) -> None:
    path.write_bytes(b"no database at all" * 1000)


def older(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE sent (conversation BLOB)")
        db.execute("PRAGMA user_version = 1")


@pytest.mark.parametrize("spoil", [lost, damaged, older])
def test_a_ledger_that_cannot_be_used_is_made_again(
    desk: Desk, spoil: Callable[[Path], None]
) -> None:
    desk.night([SUCCEEDED, WAITING])
    desk.night([REFUSED])
    with desk.hold() as product:
        before = (
            [list(product.lines(part).each()) for part in range(256)],
            list(product.left_overs(0.0)),
        )
    spoil(product_key(desk.settings()).ledger(desk.jobs_dir))
    with desk.hold() as product:
        after = (
            [list(product.lines(part).each()) for part in range(256)],
            list(product.left_overs(0.0)),
        )
        assert product.floor == 0
    assert after == before


def test_damage_that_shows_later_sets_the_ledger_aside(desk: Desk) -> None:
    desk.night([SUCCEEDED] * 2000)
    with desk.hold() as product:
        product.catch_up()
    path = product_key(desk.settings()).ledger(desk.jobs_dir)
    content = bytearray(path.read_bytes())
    content[-5 * 4096 :] = b"\xff" * (5 * 4096)
    path.write_bytes(content)
    with desk.hold() as product, pytest.raises(JournalError, match="set aside: run the same"):
        _ = [list(product.lines(part).each()) for part in range(256)]
    with desk.hold() as product:
        assert product.conversations() == 2000


def damage_rows_of(folder: Path) -> Path:
    """Spoil a page of a journal that is read for its rows only."""
    journal = folder / FILE_NAME
    content = bytearray(journal.read_bytes())
    page = content.index(key_of(conversation(1000))) // 4096 * 4096
    content[page : page + 4096] = b"\xff" * 4096
    journal.write_bytes(content)
    return journal


def test_damage_in_a_journal_is_told_as_such_and_leaves_the_ledger_alone(desk: Desk) -> None:
    name = desk.night([SUCCEEDED] * 2000)
    journal = damage_rows_of(desk.jobs_dir / name)
    for _ in range(2):
        with (
            desk.hold() as product,
            pytest.raises(JournalError, match=rf"^the journal {journal} .* move the job's folder"),
        ):
            product.catch_up()
    assert not list(desk.jobs_dir.glob("*.damaged"))


def test_a_journal_that_an_undo_finds_damaged_is_told_as_such(desk: Desk) -> None:
    name = desk.night([SUCCEEDED] * 2000)
    with desk.hold() as product:
        product.catch_up()
        journal = damage_rows_of(desk.jobs_dir / name)
        with (
            pytest.raises(JournalError, match=rf"^the journal {journal} .* move the job's folder"),
            undoing(product, product.jobs[0]),
        ):
            pass


def test_what_is_left_beside_a_ledger_that_is_gone_does_not_come_into_the_new_one(
    desk: Desk,
) -> None:
    desk.night([SUCCEEDED])
    path = product_key(desk.settings()).ledger(desk.jobs_dir)
    path.unlink()
    with closing(sqlite3.connect(desk.folder / "other")) as db:
        db.executescript("CREATE TABLE other (text); PRAGMA cache_size = 1")
        db.executemany("INSERT INTO other VALUES (?)", [("x" * 500,)] * 200)
        shutil.copy(desk.folder / "other-journal", f"{path}-journal")
    with desk.hold() as product:
        assert product.conversations() == 1


def test_what_a_defect_of_ours_may_be_leaves_the_ledger_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.night([SUCCEEDED])
    with desk.hold() as product, monkeypatch.context() as patched:
        patched.setattr("importer.jobs.take_in.own_rank", lambda _: len(3))  # type: ignore[arg-type]
        with pytest.raises(JournalError, match=r"holds what cannot be .* rename it"):
            product.catch_up()
    assert not list(desk.jobs_dir.glob("*.damaged"))


def test_a_ledger_of_a_newer_version_is_left_alone(desk: Desk) -> None:
    desk.night([SUCCEEDED])
    path = product_key(desk.settings()).ledger(desk.jobs_dir)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 3")
    with pytest.raises(SettingsError, match="ledger format 3, and this version reads format 2"):
        desk.hold().__enter__()


@pytest.mark.usefixtures("impatient")
def test_a_ledger_that_another_program_holds_is_not_begun_anew(desk: Desk) -> None:
    desk.night([SUCCEEDED])
    with closing(sqlite3.connect(product_key(desk.settings()).ledger(desk.jobs_dir))) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SettingsError, match="Another program has it open"):
            desk.hold().__enter__()
    with desk.hold() as product:
        assert product.jobs[0].last_run == 1


def test_a_plain_first_night_costs_the_ledger_next_to_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(Ledger, "take_in")
    monkeypatch.delattr(Journal, "sync")
    with desk.run() as job:
        assert job.held() == {}
        mark(job, 1, 2)
        answer(job, {1: SUCCEEDED})
    with desk.run(replace=True, name="b") as job:
        assert job.held() == {conversation(2): {Rank(1, 1)}}
