"""Which jobs are stopped by their data (docs/reference.md, V8, V9, V12)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn

import pytest

from importer.model import Reason
from importer.settings import ImportSettings
from importer.settings.groups import AbortRules
from importer.survey.changes import Change
from importer.survey.data_limits import exceeded_limit
from importer.survey.findings import Findings, Problem
from importer.survey.history import FEWEST_JOBS, Figures
from importer.survey.plan import Plan
from tests.support.data import PRODUCT

USUAL = [Figures(1000, 10, 350, 500)] * FEWEST_JOBS
FINDINGS = Findings(rows=100, valid=90, problems={Reason.MALFORMED: Problem(10, [])})
PLAN = Plan(
    {}, to_send=90, known=50, changed=5,
    changes=dict.fromkeys(Change, 0) | {Change.RATING_ERASED: 5},
)  # fmt: skip


def rules(**options: Any) -> AbortRules:
    return ImportSettings.of(inputs=["a.csv"], product_id=PRODUCT, **options).abort_rules


def not_asked() -> NoReturn:
    raise AssertionError("the figures of other jobs are read from their journals")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"max_rejected": "9"}, "10 of 100 rows are rejected, and at most 9 may"),
        ({"max_rejected": "9%"}, "10 of 100 rows are rejected, and at most 9% may"),
        ({"max_rejected": "10"}, None),
        ({"max_rejected": "10%"}, None),
        ({"max_changes": "0"},
         ("5 of 50 conversations whose feedback is known would lose some of it, and none may "
          "(a rating erased: 5)")),
        ({"max_changes": "5"}, None),
        ({"max_rejected": "9", "max_changes": "4", "accept_change": True}, None),
    ],
)  # fmt: skip
def test_a_limit_is_exceeded_by_more_than_it_allows(
    options: dict[str, Any], told: str | None
) -> None:
    found = exceeded_limit(rules(**options, no_history_check=True), FINDINGS, PLAN, not_asked)
    assert (found is None) == (told is None)
    assert told is None or told in str(found)


def test_what_would_change_is_not_looked_at_where_it_is_not_known() -> None:
    assert exceeded_limit(rules(max_changes="0"), FINDINGS, None, not_asked) is None


@pytest.mark.parametrize(
    ("options", "asks", "is_stopped"),
    [({}, True, True), ({"no_history_check": True}, False, False),
     ({"accept_change": True}, False, False)],
)  # fmt: skip
def test_data_unlike_that_of_the_last_jobs_is_told_unless_that_is_wanted(
    options: dict[str, Any], asks: bool, is_stopped: bool
) -> None:
    asked = []

    def before() -> Sequence[Figures]:
        asked.append(1)
        return USUAL

    found = exceeded_limit(rules(**options), replace(FINDINGS, rows=100_000), PLAN, before)
    assert (bool(asked), found is not None) == (asks, is_stopped)
    assert not is_stopped or "unlike" in str(found)
    usual = replace(FINDINGS, rows=1000)
    assert exceeded_limit(rules(), usual, PLAN, before) is None
