"""Data that is unlike that of the product's last jobs is told, and chance is not."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from importer.model import Reason
from importer.settings.groups import AbortRules
from importer.survey.changes import Change
from importer.survey.data_limits import exceeded_limit
from importer.survey.findings import Findings, Understanding
from importer.survey.history import FEWEST_JOBS, Figures, how_unlike
from importer.survey.plan import Plan


def figures(rows: int = 10_000, rejected: float = 0.01, positive: float = 0.7) -> Figures:
    rated = rows // 2
    return Figures(rows, int(rejected * rows), int(positive * rated), rated)


USUAL = [figures(10_000 + 300 * n, positive=0.68 + 0.01 * n) for n in range(FEWEST_JOBS)]


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (figures(200_000), "there are 200,000 rows, and in the last 5 jobs there were 10,600 "),
        (figures(900), "there are 900 rows.*between 2,6.. and 42,... are usual"),
        (figures(positive=1.0), r"100.0% are positive ratings \(5,000 of 5,000\), .* it was 70.0%"),
        (figures(rejected=0.2), "20.0% are rejected rows .*up to 3.0% are usual"),
        (figures()._replace(known=4000, flipped=1000), None),
    ],
)
def test_what_is_unlike_the_last_jobs_is_told(now: Figures, told: str | None) -> None:
    found = how_unlike(now, USUAL)
    if told is None:
        assert found is None, "nothing is known of flips in the last jobs"
    else:
        assert re.search(told, found or "")


def test_ratings_that_flip_are_told_where_they_never_did() -> None:
    usual = [one._replace(known=4000, flipped=20) for one in USUAL]
    assert how_unlike(figures()._replace(known=4000, flipped=60), usual) is None
    found = how_unlike(figures()._replace(known=4000, flipped=1000), usual)
    assert found is not None
    assert "25.0% are ratings that flip" in found
    lively = [one._replace(known=4000, flipped=400) for one in USUAL]
    assert how_unlike(figures()._replace(known=4000, flipped=0), lively) is None, "a quiet day"


def test_with_fewer_than_five_jobs_nothing_is_told() -> None:
    assert how_unlike(figures(200_000), USUAL[1:]) is None


def test_one_odd_job_among_the_last_makes_nothing_usual() -> None:
    assert how_unlike(figures(positive=1.0), [*USUAL, figures(positive=1.0)]) is not None


def test_a_left_over_file_is_unlike_every_export_and_may_be_sent() -> None:
    columns = {"conversation_id": "conversation_id", "rating": "rating"}
    for more, is_stopped in (({}, True), ({"job": "job"}, False)):
        input_ = Understanding("in.csv", "csv", ",", "utf-8", {**columns, **more}, [])
        findings = Findings(inputs=[input_], rows=3, valid=3, positive=3)
        plan = Plan({})
        found = exceeded_limit(AbortRules(), findings, plan, lambda: USUAL)
        assert (found is not None) == is_stopped


def test_an_empty_export_is_not_unlike_others() -> None:
    assert how_unlike(figures(0), USUAL) is None


@settings(deadline=None)
@given(st.integers(1, 2000), st.floats(0.02, 0.98), st.integers())
def test_chance_alone_is_not_told(rated: int, share: float, seed: int) -> None:
    """The same service night after night, seen through as many rows as there happen to be."""
    chance = random.Random(seed)

    def night() -> Figures:
        positive = sum(chance.random() < share for _ in range(rated))
        return Figures(rated, 0, positive, rated)

    assert how_unlike(night(), [night() for _ in range(FEWEST_JOBS)]) is None


def test_figures_are_those_of_the_survey_and_come_back_from_a_journal() -> None:
    findings = Findings(rows=10, positive=3, negative=2)
    findings.note_problem(Reason.MALFORMED)
    plan = Plan({}, known=7, changes={Change.RATING_FLIPPED: 4, Change.RATING_ERASED: 3})
    found = Figures.of(findings, plan)
    assert found == Figures(rows=10, rejected=1, positive=3, rated=5, known=7, flipped=4)
    assert Figures.unpack(found.pack()) == found
