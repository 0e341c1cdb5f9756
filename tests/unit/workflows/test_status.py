"""What is told, while a run lasts, of how it stands and whether it is well."""

from dataclasses import replace

import pytest

from importer.engine.progress import Progress
from importer.engine.statistics import Problem
from importer.model import OutcomeKind
from importer.pacing import Limit
from importer.survey.progress import SurveyProgress
from importer.workflows.liveness import Liveness
from importer.workflows.status import History
from tests.support.progress import HALF_WAY

AT_WORK = replace(HALF_WAY, deferred=0, retrying=0, next_send=None, next_check=None, gives_up=None)
IDLE = replace(AT_WORK, in_flight=0)


def told(*steps: tuple[float, Progress | SurveyProgress]) -> Liveness:
    liveness = Liveness(0.0, longest=60.0, lock=10.0)
    for now, progress in steps:
        if isinstance(progress, Progress):
            liveness.progressed(progress, now)
        else:
            liveness.surveying(progress, now)
    return liveness


def test_a_run_that_makes_progress_is_well() -> None:
    liveness = told((0, AT_WORK), (70, AT_WORK), (71, replace(AT_WORK, settled_now=5_013)))
    assert liveness.health(100, stopping=False) == (
        True, "Working: 5,012 of 10,012 rows are done"
    )  # fmt: skip


def test_a_run_is_not_well_when_nothing_comes_of_requests_for_longer_than_they_may_take() -> None:
    liveness = told(*((float(second), AT_WORK) for second in range(90)))
    assert liveness.health(74, stopping=False).is_well
    assert liveness.health(89, stopping=False) == (
        False, "Stalled: nothing has come of any request for 89 s"
    )  # fmt: skip
    failed = replace(AT_WORK, problems={"transient 503": Problem(1, "")})
    liveness.progressed(failed, 90)
    assert liveness.health(100, stopping=False).is_well, "a failure is an answer"


@pytest.mark.parametrize(
    ("progress", "reason"),
    [
        (replace(AT_WORK, held_by="paused for 27 s", paused_for=27.0), "paused for 27 s"),
        (replace(AT_WORK, held_by="the service is unavailable"), "the service is unavailable"),
        (replace(IDLE, limit=Limit.RATE), "--rate"),
        (replace(IDLE, retrying=3, next_send=60.0), "3 waiting to be sent again"),
        (replace(IDLE, held=3, next_send=20.0), "3 held back"),
        (replace(IDLE, deferred=3, next_check=9.0, gives_up=99.0,
                 only_deferred=True), "only deferred rows are left: 3, next check at"),
    ],
)  # fmt: skip
def test_a_run_that_waits_is_well_for_as_long_as_it_says_what_for(
    progress: Progress, reason: str
) -> None:
    liveness = told(*((float(second), progress) for second in range(0, 1000, 30)))
    well, words = liveness.health(1000, stopping=False)
    assert well
    assert words.startswith("Waiting: ")
    assert reason in words


def test_a_run_is_not_well_when_it_says_nothing_any_more() -> None:
    paused = replace(AT_WORK, held_by="paused for 1 h", paused_for=3600.0)
    liveness = told((0, paused))
    assert liveness.health(59, stopping=False).is_well
    assert not liveness.health(60, stopping=False).is_well
    assert liveness.health(60, stopping=True).is_well, "it is stopping"


def test_what_comes_before_the_first_row_and_after_the_last_may_take_long() -> None:
    liveness = told()
    assert liveness.health(900, stopping=False).is_well
    liveness = told((0, SurveyProgress(0.4, 1_000, 3.0)))
    assert liveness.health(800, stopping=False).words.startswith("Surveying the inputs: 40%")
    assert not liveness.health(911, stopping=False).is_well
    liveness = told()
    liveness.noticed("copied 3 GB of feedback.csv", 800)
    assert liveness.health(1600, stopping=False) == (True, "Preparing: copied 3 GB of feedback.csv")
    done = replace(AT_WORK, outcomes={**AT_WORK.outcomes, OutcomeKind.PENDING: 0})
    assert told((0, done)).health(800, stopping=False).words.startswith("Finishing")


def test_a_run_of_any_length_is_kept_in_few_moments() -> None:
    history = History()
    for second in range(20_000):
        progress = replace(AT_WORK, elapsed=float(second), settled_now=10 * second)
        history.add(progress, 1_000.0 + second)
    moments = history.moments
    assert 100 < len(moments) <= 240
    until = moments[-1].at - 1_000
    assert until > 19_800
    assert sum(moment.interval for moment in moments) == until
    assert sum(moment.settled for moment in moments) == 10 * until
    assert {round(moment.settled / moment.interval) for moment in moments} == {10}
