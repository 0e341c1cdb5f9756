"""When a job is compared with others of its product; tests/property/test_plans.py has the rest."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest

from importer.feedback.body import BodyCoder
from importer.jobs.keys import key_of
from importer.jobs.ledger_lines import Lines
from importer.jobs.records import CarriedRow, Line, Unsure
from importer.model import Meaning, Rank, Reason
from importer.settings import ImportSettings
from importer.survey.changes import Change
from importer.survey.ledger_diff import needs_bodies, plan_job
from importer.survey.plan import Plan
from importer.survey.progress import SurveyStoppedError
from importer.survey.survey_pass import survey_inputs
from importer.workflows.open_inputs import open_inputs
from tests.support.data import PRODUCT, conversation, write_csv
from tests.support.product import FakeProduct

Make = Callable[..., ImportSettings]
CODER = BodyCoder(PRODUCT, "somewhere")
KEYS = [key_of(conversation(number)) for number in range(4)]


class Unasked(FakeProduct):
    """A product that nobody is to ask: that would cost a look at all its journals."""

    def look_up(self, keys: Iterable[bytes]) -> NoReturn:
        raise AssertionError(f"asked for {list(keys)}")

    def unsure(self) -> NoReturn:
        raise AssertionError("asked for rows in doubt")


@pytest.fixture
def planned(tmp_path: Path, settings_for: Make) -> Callable[..., Plan]:
    """Return what plans a job of five conversations, of which one has two rows."""
    rows = [(conversation(number), "POSITIVE", "") for number in (0, 1, 2, 3, 3, 4)]
    path = write_csv(tmp_path / "in.csv", rows)

    def plan(
        product: FakeProduct, carried: Iterable[CarriedRow] = (), *, changes: Any = (), **more: Any
    ) -> Plan:
        settings = settings_for(path, **dict(changes))
        coder = CODER if needs_bodies(settings) else None
        with survey_inputs(
            open_inputs(settings), settings, tmp_path, coder=coder, carried=list(carried)
        ) as survey:
            return plan_job(survey, product, settings, 1000.0, **more)

    return plan


def test_a_job_of_new_rows_costs_no_look_at_others(planned: Callable[..., Plan]) -> None:
    plan = planned(Unasked())
    assert plan.to_send == 5
    assert {reason: list(rows) for reason, rows in plan.not_sent.items() if rows.count} == {
        Reason.LATER_ROW: [4]
    }


@pytest.mark.parametrize("few", [0, 20_000], ids=["by column", "one by one"])
@pytest.mark.parametrize(
    ("why", "unchanged", "changed"),
    [
        ({"changes": {"skip_unchanged": True}}, 1, [conversation(3)]),
        ({"changes": {"max_changes": "1"}}, 0, [conversation(3)]),
        ({"in_full": True}, 0, []),
        ({"carried": [CarriedRow(1, conversation(9), Rank(1, 1), None, "late", False)]}, 0, []),
    ],
    ids=["unchanged", "changes", "in full", "carried over"],
)
def test_it_is_compared_where_that_is_asked_for_or_its_rows_may_come_too_late(
    planned: Callable[..., Plan],
    monkeypatch: pytest.MonkeyPatch,
    why: dict[str, Any],
    unchanged: int,
    changed: list[str],
    few: int,
) -> None:
    for module in ("superseded", "ledger_diff"):
        monkeypatch.setattr(f"importer.survey.{module}.FEW", few)
    stored = {0: CODER(Meaning.POSITIVE, None), 1: None, 3: CODER(Meaning.NEGATIVE, "said")}
    lines = [Line(KEYS[n], Rank(1, 1), body, 1.0, 1) for n, body in stored.items()]
    doubts = [
        Unsure(key, Rank(2, 2), 2, 1, True, open=True, unfinished=True)
        for key in (KEYS[2], key_of(conversation(9)))
    ]
    plan = planned(FakeProduct(lines, doubts), **why)
    carried = len(why.get("carried", ()))
    assert (plan.unchanged, plan.to_send) == (unchanged, 5 - unchanged + carried)
    assert (plan.known, plan.stored_unknown, plan.new) == (2, 2 + carried, 1)
    assert plan.left_overs == carried
    for change in (Change.RATING_FLIPPED, Change.COMMENT_CHANGED):
        assert plan.examples.get(change, []) == changed


@dataclass
class Forgotten(FakeProduct):
    """A product whose conversations were forgotten: only a look-up finds what stands for them."""

    asked: list[bytes] = field(default_factory=list)

    def lines(self, part: int) -> Lines:  # noqa: ARG002
        return Lines()

    def look_up(self, keys: Iterable[bytes]) -> dict[bytes, Line]:
        self.asked += (wanted := [*keys])
        return super().look_up(wanted)


def test_of_many_rows_those_of_earlier_jobs_give_way_to_what_was_forgotten(
    planned: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("superseded", "ledger_diff"):
        monkeypatch.setattr(f"importer.survey.{module}.FEW", 0)
    late = CarriedRow(1, conversation(9), Rank(1, 1), None, "late", False)
    product = Forgotten([Line(key_of(conversation(9)), Rank(2, 2), None, 1.0, 1)])
    plan = planned(product, [late])
    assert list(plan.not_sent[Reason.LATER_JOB]) == [1]
    assert (plan.to_send, product.asked) == (5, [key_of(conversation(9))])


def test_the_comparison_is_stopped_as_the_survey_is(planned: Callable[..., Plan]) -> None:
    with pytest.raises(SurveyStoppedError, match="6 rows"):
        planned(FakeProduct(), in_full=True, stopped=lambda: True)
