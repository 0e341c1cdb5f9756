"""The rules of docs/reference.md, A6 and A11, line by line."""

from typing import NamedTuple

import pytest

from importer.jobs.records import Line, Unsure
from importer.model import Rank, Reason
from importer.settings import ImportSettings
from importer.survey.standing import Rules, why_not_sent
from tests.support.data import PRODUCT

KEY = bytes(16)
NOW = 1000.0
BODY, OTHER = 7, 8
SEND = None


def line(rank: tuple[int, int], body: int | None = BODY, at: float = 500.0) -> Line:
    return Line(KEY, Rank(*rank), body, at, run=1)


def doubt(rank: tuple[int, int], *, in_doubt: bool = True, unfinished: bool = False) -> Unsure:
    return Unsure(KEY, Rank(*rank), rank[1], 1, in_doubt, open=True, unfinished=unfinished)


class Case(NamedTuple):
    why: str
    expected: Reason | None
    rank: tuple[int, int] = (9, 9)
    body: int | None = BODY
    known: Line | None = None
    unsure: tuple[Unsure, ...] = ()
    floor: int = 0
    skip: bool = True
    stored_after: float | None = None
    is_own: bool = False


CASES = [
    Case("nothing is known", SEND),
    Case("the same is stored", Reason.SAME_AS_STORED, known=line((3, 3))),
    Case("something else is stored", SEND, known=line((3, 3), OTHER)),
    Case("the same is stored, and all is sent", SEND, known=line((3, 3)), skip=False),
    Case("what is stored is not known", SEND, known=line((3, 3), None)),
    Case("the body is not known", SEND, body=None, known=line((3, 3))),
    # 1. A settled row of a higher rank, whatever became of it.
    Case("a later job has set it", Reason.LATER_JOB, (3, 3), known=line((4, 4))),
    Case("a later job has failed", Reason.LATER_JOB, (3, 3), known=line((4, 4), None)),
    Case("a fix wins over what it fixes", SEND, (3, 9), known=line((3, 3), None)),
    Case("a fix loses to the next day", Reason.LATER_JOB, (3, 9), known=line((4, 4))),
    # 2. Below the floor.
    Case("a later job is missing", Reason.LATER_JOB_MISSING, (3, 3), floor=4),
    Case("a fix of an earlier job", Reason.LATER_JOB_MISSING, (3, 9), floor=4),
    Case("a fix of the missing job", SEND, (4, 9), floor=4),
    Case("what the missing job has left over", SEND, (4, 4), floor=4),
    Case("superseded, rather than missing", Reason.LATER_JOB, (3, 3), known=line((5, 5)), floor=4),
    # 3. Only a row in doubt stands in the way, and only one of a higher rank.
    Case("a later row is open, but no more in doubt", SEND, (3, 3),
         unsure=(doubt((4, 4), in_doubt=False, unfinished=True),)),
    Case("this row is in doubt, in its own job", SEND, unsure=(doubt((9, 9), unfinished=True),)),
    # 4. Set at the same rank by another job.
    Case("carried over and set there", Reason.SET_BY_JOB, (3, 3), known=line((3, 3), OTHER)),
    Case("it failed at the same rank", SEND, (3, 3), known=line((3, 3), None)),
    Case("its own, which differed", SEND, (3, 3), known=line((3, 3), OTHER), is_own=True),
    # 5. Unchanged only if nothing else can be stored.
    Case("at the floor", SEND, known=line((4, 4)), floor=4),
    Case("above the floor", Reason.SAME_AS_STORED, known=line((5, 5)), floor=4),
    Case("a row in between is in doubt", SEND, known=line((3, 3)), unsure=(doubt((4, 4)),)),
    Case("this row is in doubt", SEND, known=line((3, 3)), unsure=(doubt((9, 9)),)),
    Case("a doubt that is set at its own rank has ended", Reason.SAME_AS_STORED,
         known=line((3, 3)), unsure=(doubt((3, 3)),)),
    Case("an older doubt has ended", Reason.SAME_AS_STORED, known=line((3, 3)),
         unsure=(doubt((2, 2)),)),
    Case("open, but no more in doubt", Reason.SAME_AS_STORED, known=line((3, 3)),
         unsure=(doubt((4, 4), in_doubt=False),)),
    Case("a doubt of a lower job that is unfinished", SEND, known=line((3, 3), OTHER),
         unsure=(doubt((4, 4), unfinished=True),)),
    Case("a doubt of a higher job that was given up", SEND, (3, 9), unsure=(doubt((5, 5)),)),
    # --refresh-after
    Case("stored recently", Reason.SAME_AS_STORED, known=line((3, 3)), stored_after=400.0),
    Case("stored long ago", SEND, known=line((3, 3)), stored_after=600.0),
    Case("stored now", Reason.SAME_AS_STORED, known=line((3, 3), at=NOW), stored_after=400.0),
    Case("just as old", SEND, known=line((3, 3)), stored_after=500.0),
    Case("stored in the future", SEND, known=line((3, 3), at=2000.0), stored_after=400.0),
    Case("in the future, whatever its age", Reason.SAME_AS_STORED, known=line((3, 3), at=2000.0)),
    Case("stored at a time that is not known", SEND, known=line((3, 3), at=0.0), stored_after=1.0),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.why)
def test_the_first_rule_that_applies_decides(case: Case) -> None:
    rules = Rules(Rank(case.floor, case.floor), case.skip, case.stored_after, NOW)
    found = why_not_sent(
        Rank(*case.rank), case.body, case.known, case.unsure, rules, is_own=case.is_own
    )
    assert found is case.expected


def test_a_doubt_of_a_higher_job_that_is_unfinished_cannot_be() -> None:
    """Rule 3."""
    rules = Rules(Rank(0, 0), True, None, NOW)
    with pytest.raises(AssertionError, match="two jobs of a product are unfinished"):
        why_not_sent(Rank(3, 3), BODY, None, [doubt((4, 4), unfinished=True)], rules)


def test_the_settings_say_what_is_sent_again() -> None:
    settings = ImportSettings.of(
        inputs=["in.csv"], product_id=PRODUCT, skip_unchanged=True, refresh_after="5min"
    )
    assert Rules.of(settings, 4, NOW) == (Rank(4, 4), True, 700.0, NOW)
    assert not Rules.of(settings.replace(restart=True), 4, NOW).skip_unchanged
