"""The ledger check: whether a row has to be sent, by what earlier jobs have done."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from importer.clarityq.payload import body_digest
from importer.engine.ledger_check import LedgerCheck, Standing
from importer.jobs.ledger import Ledger, LedgerSession
from importer.jobs.records import Entry
from importer.model import Feedback, Meaning
from importer.settings import ImportSettings
from tests.support.data import conversation

NOW = 1_000_000.0
STORED = Feedback(1, conversation(1), Meaning.POSITIVE, "fine")
OTHER = STORED._replace(rating=Meaning.NEGATIVE)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger(tmp_path / "ledger.sqlite")) as opened:
        yield opened


@pytest.fixture
def standing(settings_for: Callable[..., ImportSettings]) -> Callable[..., Standing]:
    """Return what the check says of a row of the session's job; by default unchanged rows rest."""

    def ask(session: LedgerSession, feedback: Feedback, **changes: Any) -> Standing:
        settings = settings_for(Path("in.csv"), **{"skip_unchanged": True, **changes})
        return LedgerCheck(session, settings, lambda: NOW).standing(feedback)

    return ask


def stored_by_a_job(ledger: Ledger, name: str, age: float = 0.0) -> LedgerSession:
    session = ledger.enrol(name, is_new=True)
    applied = [(STORED, body_digest(STORED))]
    ledger.write(session.job, Entry(applied=applied, at=NOW - age))
    return session


def test_a_conversation_that_no_job_has_set_is_sent(
    ledger: Ledger, standing: Callable[..., Standing]
) -> None:
    assert standing(ledger.enrol("a", is_new=True), STORED) is Standing.TO_BE_SENT


def test_the_same_body_is_unchanged_and_another_is_sent_once_the_entry_is_forgotten(
    ledger: Ledger, standing: Callable[..., Standing]
) -> None:
    stored_by_a_job(ledger, "a")
    session = ledger.enrol("b", is_new=True)
    assert standing(session, STORED) is Standing.UNCHANGED
    assert standing(session, OTHER) is Standing.TO_BE_FORGOTTEN
    ledger.write(session.job, Entry(forgotten=[STORED.conversation_id], at=NOW))
    assert standing(session, OTHER) is Standing.TO_BE_SENT
    assert standing(session, STORED) is Standing.TO_BE_SENT, "what is stored is not known now"


@pytest.mark.parametrize("changes", [{"skip_unchanged": False}, {"restart": True}])
def test_unchanged_rows_are_sent_when_the_user_says_so(
    ledger: Ledger, standing: Callable[..., Standing], changes: dict[str, bool]
) -> None:
    stored_by_a_job(ledger, "a")
    session = ledger.enrol("b", is_new=True)
    assert standing(session, STORED, **changes) is Standing.TO_BE_FORGOTTEN


@pytest.mark.parametrize(("age", "said"), [(59, "UNCHANGED"), (60, "TO_BE_FORGOTTEN")])
def test_an_entry_that_is_old_no_longer_counts(
    ledger: Ledger, standing: Callable[..., Standing], age: float, said: str
) -> None:
    stored_by_a_job(ledger, "a", age)
    session = ledger.enrol("b", is_new=True)
    assert standing(session, STORED, refresh_after=60.0) is Standing[said]


def test_a_row_of_an_earlier_job_never_replaces_what_a_later_one_has_set(
    ledger: Ledger, standing: Callable[..., Standing]
) -> None:
    earlier = ledger.enrol("a", is_new=True)
    stored_by_a_job(ledger, "b")
    for feedback in (STORED, OTHER):
        assert standing(earlier, feedback, restart=True) is Standing.SET_BY_LATER_JOB
