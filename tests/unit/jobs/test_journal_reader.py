"""What a journal tells of its job afterwards."""

import shutil
from pathlib import Path

import pytest

from importer.errors import JournalError
from importer.feedback.body import BodyCoder
from importer.jobs.entry import Entry
from importer.jobs.journal_file import FILE_NAME
from importer.jobs.journal_head import read_head
from importer.jobs.journal_reader import Imported, JournalReader
from importer.jobs.overtaken import awaited_of
from importer.jobs.records import CarriedRow, JobRecord, JobState, LastRun
from importer.model import (
    Attempt,
    Call,
    Deferral,
    Feedback,
    Meaning,
    Outcome,
    OutcomeKind,
    Rank,
    Reason,
    Warn,
)
from importer.model import RunEnd as End
from tests.support.data import conversation
from tests.support.jobs import REFUSED, SUCCEEDED, UNCHANGED, Desk, answer, finish, mark

CODER = BodyCoder("p", "u")


def settled(at: float, *outcomes: Outcome) -> list[Outcome]:
    return [one._replace(settled_at=at) for one in outcomes]


def test_all_runs_come_back_with_their_settings(desk: Desk) -> None:
    with desk.run(at=1.0, label="nightly") as job:
        mark(job, 1)
        answer(job, {1: SUCCEEDED})
        finish(job, End.SIGINT)
    with desk.run(at=5.0) as job, JournalReader(job.folder) as reader:
        first, second = reader.runs()
    assert first.run == LastRun(1, 1.0, 2.0, End.SIGINT, "")
    assert second.run == LastRun(2, 5.0, None, None, "")
    assert (first.settings["label"], second.settings.get("label")) == ("nightly", None)


def test_the_story_of_a_conversation_comes_back_in_its_order(desk: Desk) -> None:
    person = conversation(9)
    first = Outcome(2, OutcomeKind.SUPERSEDED, person, Reason.LATER_ROW)
    last = Outcome(5, OutcomeKind.SUCCEEDED, person, http_status=200, attempts=2)
    others = [Outcome(seq, OutcomeKind.SUCCEEDED, conversation(seq)) for seq in (1, 3)]
    attempts = [
        Attempt(5, 3.0, Call.STATUS, None, "nothing", 1.0),
        Attempt(5, 2.0, Call.PUT, 409, "not yet", None),
    ]
    deferral = Deferral(5, 1, 2.0, 4.0, 1, 2.0)
    with desk.run(rows=5) as job, JournalReader(job.folder) as reader:
        job.journal.write(Entry([last, *others], attempts=attempts, deferrals=[deferral], at=7.0))
        job.journal.write(Entry([first], at=8.0))
        assert reader.outcomes_of(person) == [*settled(8.0, first), *settled(7.0, last)]
        found = reader.attempts(5)
        assert found == attempts[::-1]
        assert found[0].call is Call.PUT
        assert (reader.attempts(1), reader.deferral(1)) == ([], None)
        assert reader.deferral(5) == deferral
        assert list(reader.deferral_waits()) == [5.0]
        assert reader.puts_per_row() == {2: 1}
        for wrong in (-1.0, 1e12):
            job.journal.write(Entry(attempts=[attempts[0]._replace(seq=1, at=wrong)]))
            with pytest.raises(JournalError, match="the time"):
                reader.attempts(1)


def test_what_was_imported_is_told_by_what_it_says(desk: Desk) -> None:
    bodies = [
        (Meaning.POSITIVE, "a"), (Meaning.POSITIVE, None), (Meaning.POSITIVE, None),
        (Meaning.NEGATIVE, "a"), (Meaning.NEGATIVE, "b"), (Meaning.CLEAR, "c"), (None, "a"),
        (None, "b"), (None, "c"), (None, "d"),
    ]  # fmt: skip
    entry = Entry()
    for seq, (rating, comment) in enumerate(bodies, 1):
        one = Outcome(seq, OutcomeKind.SUCCEEDED, conversation(seq), attempts=1)
        entry.stored.add(one, conversation(seq), CODER(rating, comment))
    unchanged = Outcome(11, OutcomeKind.UNCHANGED, conversation(11), Reason.SAME_AS_STORED)
    # What the service holds of it, nobody knows.
    unknown = Outcome(12, OutcomeKind.SUCCEEDED, conversation(12), warning=Warn.ECHO_DIFFERS)
    entry.outcomes += [unchanged, unknown]
    entry.bodies[11] = CODER(Meaning.NEGATIVE, "x")
    with desk.run(rows=12) as job, JournalReader(job.folder) as reader:
        assert reader.imported() == Imported(0, 0, 0, 0, 0)
        job.journal.write(entry)
        assert reader.imported() == Imported(3, 2, 1, 4, 8)


def test_trouble_is_told_by_cause_with_its_first_row(desk: Desk) -> None:
    def failed(seq: int, status: int = 400, reason: Reason = Reason.REFUSED) -> Outcome:
        person = conversation(seq)
        return Outcome(seq, OutcomeKind.FAILED, person, reason, f"row {seq}", status, 1)

    bad = [Outcome(seq, OutcomeKind.REJECTED, None, Reason.MALFORMED) for seq in (6, 5, 7)]
    fine = [
        Outcome(1, OutcomeKind.SUCCEEDED, conversation(1), warning=Warn.ECHO_DIFFERS, attempts=3),
        Outcome(2, OutcomeKind.SUPERSEDED, conversation(3), Reason.LATER_ROW),
        Outcome(10, OutcomeKind.SUCCEEDED, conversation(10), warning=Warn.ECHO_DIFFERS, attempts=1),
    ]
    failures = [failed(4), failed(3), failed(8, 422), failed(9, reason=Reason.RETRIES_EXHAUSTED)]
    with desk.run(rows=12) as job, JournalReader(job.folder) as reader:
        job.journal.write(Entry([*fine, *bad, *failures], at=7.0))
        causes = reader.causes(3)
        assert [(one.kind, one.reason, one.http_status, one.rows) for one in causes[:2]] == [
            (OutcomeKind.REJECTED, Reason.MALFORMED, None, 3),
            (OutcomeKind.FAILED, Reason.REFUSED, 400, 2),
        ]
        assert [one.example for one in causes[:2]] == settled(7.0, bad[1], failures[1])
        assert len(causes) == 3
        assert sum(one.rows for one in reader.causes(9)) == 7
        assert [reader.without_trouble(1, last) for last in (1, 2, 9, 10, 12)] == [1, 2, 2, 3, 3]
        assert reader.without_trouble(2, 10) == 2
        assert reader.with_warning(9) == settled(7.0, fine[0], fine[2])
        assert len(reader.with_warning(1)) == 1
        assert [*reader.puts_per_row().items()] == [(1, 5), (3, 1)]


def test_rows_are_overtaken_by_later_ones_of_their_conversation(desk: Desk) -> None:
    def ended(seq: int, person: int, kind: OutcomeKind, reason: Reason | None) -> Outcome:
        return Outcome(seq, kind, conversation(person), reason)

    rows = [
        ended(1, 1, *SUCCEEDED),
        ended(2, 1, *REFUSED),
        ended(3, 2, *REFUSED),
        ended(4, 2, *SUCCEEDED),
        ended(5, 3, OutcomeKind.FAILED, Reason.BAD_CONVERSATION_ID),
        ended(6, 3, OutcomeKind.SUPERSEDED, Reason.LATER_JOB),
        ended(7, 4, *REFUSED),
        ended(8, 4, OutcomeKind.SUPERSEDED, Reason.LATER_ROW),
        ended(9, 5, OutcomeKind.REJECTED, Reason.UNKNOWN_RATING),
        ended(10, 5, *UNCHANGED),
    ]
    with desk.run(rows=10) as job:
        job.journal.write(Entry(rows))
        assert job.journal.overtaken(OutcomeKind.FAILED) == {3, 5}
        assert job.journal.overtaken(OutcomeKind.REJECTED) == {9}


@pytest.mark.parametrize(
    ("state", "sent", "rows"),
    [
        (JobState.UNFINISHED, True, {1}),
        (JobState.UNFINISHED, False, {1}),
        (JobState.REPLACED, True, {1}),
        (JobState.REPLACED, False, set()),
        (JobState.GIVEN_UP, True, set()),
    ],
)
def test_rows_are_overtaken_by_pending_ones_only_while_these_may_be_sent(
    desk: Desk, state: JobState, sent: bool, rows: set[int]
) -> None:
    # What was taken over is of earlier jobs: no row gives way to it.
    own = [Feedback(5, conversation(1), None, "x"), Feedback(6, conversation(3), None, "x")]
    taken = [CarriedRow(4, conversation(2), Rank(1, 1), None, "x", ask_status=False)]
    with desk.run(rows=6, begun={"kept": own, "carried": taken}, carry_over=True) as job:
        job.journal.write(Entry([
            Outcome(1, OutcomeKind.REJECTED, conversation(1), Reason.UNKNOWN_RATING),
            Outcome(2, OutcomeKind.REJECTED, conversation(2), Reason.UNKNOWN_RATING),
        ]))  # fmt: skip
        record = JobRecord(1, "", "", None, state, sent_anything=sent)
        assert job.journal.overtaken(OutcomeKind.REJECTED, awaited_of(record)) == rows


def test_to_read_a_journal_changes_nothing_of_it_and_leaves_nothing_open(
    desk: Desk, tmp_path: Path
) -> None:
    folder = tmp_path / "killed"

    def found() -> dict[str, bytes]:
        names = [FILE_NAME, f"{FILE_NAME}-wal"]
        return {name: (folder / name).read_bytes() for name in names}

    with desk.run() as job:
        answer(job, {1: SUCCEEDED})
        shutil.copytree(job.folder, folder)
    before, still_open = found(), len([*Path("/dev/fd").iterdir()])
    with JournalReader(folder) as reader:
        assert reader.puts_per_row() == {1: 1}
    assert read_head(folder).entries == 1
    assert found() == before
    (folder / FILE_NAME).write_bytes(b"no journal")
    with pytest.raises(JournalError, match="not a database") as caught:
        JournalReader(folder)
    assert len([*Path("/dev/fd").iterdir()]) == still_open, caught
