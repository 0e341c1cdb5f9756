"""Taking conversations or comments out of a journal (docs/reference.md, U8, U9, U12)."""

import json
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import Mock, call

import pytest

from importer.jobs.entry import Entry
from importer.jobs.forget import FORGOTTEN, Forgotten, JournalEraser, Tombs, tomb_of
from importer.jobs.identity import ProductKey, product_key
from importer.jobs.journal import Journal
from importer.jobs.journal_file import JournalFile
from importer.jobs.journal_reader import JournalReader
from importer.jobs.keys import key_of
from importer.jobs.product_jobs import ProductJobs, hold_jobs
from importer.jobs.records import CarriedRow
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
)
from tests.support.data import conversation
from tests.support.jobs import EXHAUSTED, REFUSED, SUCCEEDED, Desk, answer, finish
from tests.support.traces import traces

GONE, OTHER = conversation(1), conversation(2)
SAID = "a word in private"
FINDINGS = {
    "rows": 9,
    "inputs": [{"path": "in.csv", "remarks": [f"it quotes: {SAID}"]}],
    "problems": {"rating": {"rows": 1, "examples": [SAID]}},
}


def survey_of(conversation_id: str) -> str:
    return json.dumps({**FINDINGS, "id": conversation_id})


@pytest.fixture
def folder(desk: Desk) -> Path:
    """Return the folder of a job that has lines of both conversations in all of its tables.

    The rows of odd numbers are of the one that is forgotten.
    """
    ids = {seq: (OTHER, GONE)[seq % 2] for seq in range(1, 12)}
    begun: dict[str, Any] = {
        "carried": [
            CarriedRow(seq, ids[seq], Rank(1, 1), Meaning.CLEAR, SAID, ask_status=False)
            for seq in (1, 2)
        ],
        "kept": [Feedback(seq, ids[seq], Meaning.CLEAR, SAID) for seq in (3, 4)],
        "survey": survey_of(GONE),
    }
    with desk.run(rows=11, begun=begun, carry_over=True) as job:
        journal = job.journal
        for seqs in ((7, 8), (1, 2, 3), (4, 5, 6)):  # those of the first window are left in doubt
            journal.mark([(seq, ids[seq]) for seq in seqs])
        entry = Entry(at=1.0)
        for seq in (3, 4):
            said = f"the conversation {ids[seq].upper()} has {SAID}"
            entry.outcomes.append(
                Outcome(seq, OutcomeKind.FAILED, ids[seq], Reason.RETRIES_EXHAUSTED, said, 500, 2)
            )
            entry.attempts.append(Attempt(seq, 1.0, Call.PUT, 500, said, None))
            entry.deferrals.append(Deferral(seq, 1, 1.0, 2.0, 1, 1.0))
            entry.left_over.append(Feedback(seq, ids[seq], Meaning.CLEAR, SAID))
        stored = Outcome(5, OutcomeKind.SUCCEEDED, GONE, None, "", 200, 1, "2026-11-29T00:00:00Z")
        entry.stored.add(stored, GONE, job.body_of(Meaning.CLEAR, SAID))
        journal.write(entry)
    with desk.run(rows=11, carry_over=True) as job:
        job.journal.mark([(seq, ids[seq]) for seq in (1, 2, 11)])
        job.journal.write(
            Entry([Outcome(9, OutcomeKind.REJECTED, None, Reason.UNKNOWN_RATING, "")])
        )
    assert traces(job.folder, GONE)
    return job.folder


def erased(folder: Path, *ids: str, in_files: bool = False) -> Counter[str]:
    forgotten = Forgotten(ids)
    with closing(JournalEraser(folder)) as journal:
        facts = journal.facts()
        product = ProductKey(facts["product_id"], facts["base_url"])
        return journal.erase(forgotten, forgotten.tombs(product), in_files=in_files)


def test_all_lines_of_a_conversation_go_and_those_of_others_stay(folder: Path) -> None:
    def seen() -> list[object]:
        with JournalReader(folder) as reader, closing(JournalFile(folder, read_only=True)) as file:
            return [
                reader.totals(), reader.outcomes_of(OTHER),
                [one for one in file.bodies() if one.conversation_id == OTHER],
                [(one.seq, one.run, one.in_doubt) for one in file.doubts()],
                [one for one in file.doubts() if one.key == key_of(OTHER)],
            ]  # fmt: skip

    before = seen()
    found = erased(folder, GONE)
    assert found == {
        "outcome": 2, "attempt": 1, "deferral": 1, "kept": 1, "carried": 1, "doubt": 2,
        "doubt_window": 2, "job": 1,
    }  # fmt: skip
    assert traces(folder, GONE) == []
    assert traces(folder, OTHER)
    assert seen() == before
    with closing(JournalFile(folder, read_only=True)) as journal:
        assert sorted(journal.forgotten_rows()) == [1, 3, 5, 7, 11]
        tombs = Tombs(journal)
    assert tombs
    assert tombs.are_in(f"of {OTHER} and {GONE.replace('-', '').upper()}, say")
    assert not tombs.are_in(f"of {OTHER}, or nobody")
    assert erased(folder, GONE) == {}, "and there is nothing to do again"
    assert erased(folder, conversation(3)) == {}
    with closing(JournalFile(folder, read_only=True)) as journal:
        assert not Tombs(journal).are_in(conversation(3))
    erased(folder, conversation(3), in_files=True)
    with closing(JournalFile(folder, read_only=True)) as journal:
        assert all(Tombs(journal).are_in(one) for one in (GONE, conversation(3)))


def test_comments_go_with_all_that_may_quote_them_and_what_is_recorded_later_is_seen(
    folder: Path,
) -> None:
    with JournalReader(folder) as journal:
        before = journal.totals()
    with closing(JournalEraser(folder)) as journal:
        assert journal.has_comments()
        journal.erase_comments()
        assert journal.has_comments(), "in what is written from it, maybe"
        journal.note_no_comments()
        assert not journal.has_comments()
        assert json.loads(journal.survey()) == {
            **FINDINGS, "id": GONE,
            "inputs": [{"path": "in.csv", "remarks": []}],
            "problems": {"rating": {"rows": 1, "examples": []}},
        }  # fmt: skip
    assert traces(folder, conversation(99), SAID) == []
    with JournalReader(folder) as journal:
        assert journal.totals() == before
        assert sorted(journal.forgotten_rows()) == [1, 2], "they would be sent without a comment"
    with closing(Journal(folder)) as journal:
        journal.begin_run(3, 2.0, {})
        journal.write(Entry([Outcome(8, OutcomeKind.FAILED, OTHER, Reason.REFUSED, SAID)]))
    with closing(JournalEraser(folder)) as eraser:
        assert eraser.has_comments()
        eraser.erase_comments()
        eraser.note_no_comments()
        assert not eraser.has_comments()


def test_a_conversation_is_found_in_a_text_in_any_spelling() -> None:
    forgotten = Forgotten([GONE])
    for spelling in (GONE, GONE.upper(), GONE.replace("-", "")):
        assert forgotten.is_in(f"<{spelling}, {OTHER}>")
        assert forgotten.scrubbed(f"<{spelling}, {OTHER}>") == f"<{FORGOTTEN}, {OTHER}>"
    assert not forgotten.is_in(f"<{OTHER}>")


def test_what_stands_for_a_conversation_is_told_by_its_product_only() -> None:
    key, product = key_of(GONE), ProductKey("a product", "https://service.example")
    tomb = tomb_of(key, product)
    assert tomb.hex() == "c03f14ea210019274c12c4b8f426ab02", "as it stands in older journals"
    assert tomb == Forgotten([GONE]).tombs(product)[key]
    others = (tomb_of(key_of(OTHER), product), tomb_of(key, product._replace(service="sandbox")))
    assert tomb not in (*others, key)


def jobs_of(desk: Desk) -> Any:
    return hold_jobs(desk.jobs_dir, product_key(desk.settings()))


def test_the_ledger_keeps_rank_and_doubt_of_what_is_forgotten_and_nothing_else(desk: Desk) -> None:
    keys = [key_of(conversation(number)) for number in range(1, 5)]
    desk.night([EXHAUSTED, EXHAUSTED, SUCCEEDED, SUCCEEDED], opened=[1, 2])
    gone = Forgotten([conversation(1), conversation(3)])
    with jobs_of(desk) as product:
        before = [(row.rank, row.run, row.in_doubt) for row in product.unsure()]
        assert product.forget(gone) == {"conversation": 2, "left_over": 1, "doubt": 1}
        assert product.has_forgotten
        assert [row.conversation_id for row in left_overs(product)] == [conversation(2)]
        assert sorted(row.key for row in product.unsure()) == sorted(
            [keys[1], tomb_of(keys[0], product.key)]
        )
        assert [(row.rank, row.run, row.in_doubt) for row in product.unsure()] == before
        lines = product.look_up(keys)
        assert [(lines[key].rank, lines[key].body) for key in keys] == [
            (Rank(1, 1), body) for body in (None, None, None, 4)
        ]
        assert product.forget(gone) == {}
    assert keys[0] not in product.key.ledger(desk.jobs_dir).read_bytes()
    desk.night([REFUSED])
    with jobs_of(desk) as product:
        assert product.has_forgotten, "whatever the journals say"
        assert product.forget(gone) == {"conversation": 1}
        assert product.look_up(keys)[keys[0]].rank == Rank(2, 2)


def test_only_what_is_left_over_with_a_comment_goes_with_the_comments_of_its_job(
    desk: Desk,
) -> None:
    with desk.run(rows=2, begun={"survey": json.dumps(FINDINGS)}) as job:
        answer(job, {1: EXHAUSTED, 2: EXHAUSTED})
        plain = Feedback(2, conversation(2), Meaning.POSITIVE, None)
        job.journal.write(Entry(left_over=[plain]))
        finish(job)
    with desk.run(rows=3, restart=True) as job:
        answer(job, {3: EXHAUSTED})
        finish(job)
    done = Mock()
    steps = (done.drop_files, done.rewrite)
    with jobs_of(desk) as product:
        assert product.drop_comments(product.jobs[0], *steps)
        assert [row.conversation_id for row in left_overs(product)] == [
            conversation(2), conversation(3)
        ]  # fmt: skip
        assert not product.drop_comments(product.jobs[0], *steps)
    assert done.mock_calls == [call.drop_files(), call.rewrite()]


def left_overs(product: ProductJobs) -> list[CarriedRow]:
    return [one.row for one in product._ledger.left_overs()]
