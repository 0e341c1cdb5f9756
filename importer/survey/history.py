"""Whether the data of a job is like that of the product's last jobs (docs/history.md). Sans-I/O.

For each figure there is a band around the median of the last jobs. It is as wide as the figure has
varied, and never narrower than what tells nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

from importer.common.text import counted
from importer.survey.changes import Change
from importer.survey.findings import Findings
from importer.survey.plan import Plan

#: How many of the last jobs are compared with, and how many there have to be.
MOST_JOBS = 20
FEWEST_JOBS = 5
#: Of so many, a share tells something; and of so many rows, how many more or fewer there are.
_FEWEST_OF_SHARE = 200
_FEWEST_ROWS = 1000
#: A band is so many standard deviations wide to each side; a deviation is so many times the median
#: of the distances to the median, which a few odd jobs do not change.
_WIDTH = 6
_DEVIATION = 1.4826
#: Rows: less than so many times as many, or as few, tells nothing.
_FACTOR = 4


class Figures(NamedTuple):
    """What is compared of a job, in rows; `known` and `flipped` in conversations."""

    rows: int
    rejected: int
    positive: int
    rated: int
    #: Conversations of which it was known what is stored, and those whose rating flips.
    known: int = 0
    flipped: int = 0

    @classmethod
    def of(cls, findings: Findings, plan: Plan) -> Figures:
        """Return those of a job with these findings and this plan."""
        return cls(
            findings.rows, findings.rejected, findings.positive,
            findings.positive + findings.negative,
            plan.known, plan.changes[Change.RATING_FLIPPED],
        )  # fmt: skip

    def pack(self) -> str:
        """Return them as a text that a journal can hold."""
        return json.dumps(self._asdict())

    @classmethod
    def unpack(cls, text: str) -> Figures:
        """Return what was packed."""
        return cls(**json.loads(text))


class _Share(NamedTuple):
    """A share that is compared: `part` of `whole`; differences below `least` tell nothing.

    With `only_more`, a lower share than usual tells nothing either: a quiet day has no flips.
    """

    what: str
    part: Callable[[Figures], int]
    whole: Callable[[Figures], int]
    least: float
    only_more: bool = False


_SHARES = (
    _Share("rejected rows", lambda one: one.rejected, lambda one: one.rows, 0.02, only_more=True),
    _Share("positive ratings", lambda one: one.positive, lambda one: one.rated, 0.1),
    _Share("ratings that flip", lambda one: one.flipped, lambda one: one.known, 0.02,
           only_more=True),
)  # fmt: skip


def how_unlike(now: Figures, before: Sequence[Figures]) -> str | None:
    """Return in words what is unlike the last jobs; None if nothing is, or they are too few."""
    last = before[-MOST_JOBS:]
    if len(last) < FEWEST_JOBS:
        return None
    if (unlike := _rows_unlike(now.rows, [one.rows for one in last])) is not None:
        return unlike
    for share in _SHARES:
        others = [one for one in last if share.whole(one) >= _FEWEST_OF_SHARE]
        if len(others) >= FEWEST_JOBS and share.whole(now) >= _FEWEST_OF_SHARE:
            shares = [share.part(one) / share.whole(one) for one in others]
            unlike = _share_unlike(share, share.part(now), share.whole(now), shares)
            if unlike is not None:
                return unlike
    return None


def _rows_unlike(rows: int, before: Sequence[int]) -> str | None:
    usual = median(before)
    if not rows or usual < _FEWEST_ROWS:
        return None
    center, width = _band([math.log(max(1, one)) for one in before])
    width = max(width, math.log(_FACTOR))
    if abs(math.log(rows) - center) <= width:
        return None
    low, high = math.exp(center - width), math.exp(center + width)
    return (
        f"there are {counted(rows, 'row')}, and in the last {len(before)} jobs there were "
        f"{usual:,.0f} (between {low:,.0f} and {high:,.0f} are usual)"
    )


def _share_unlike(share: _Share, part: int, whole: int, before: Sequence[float]) -> str | None:
    center, width = _band(before)
    # What chance does to so few.
    chance = _WIDTH * math.sqrt(center * (1 - center) / whole)
    width = max(width, share.least, chance)
    now = part / whole
    if abs(now - center) <= width or (share.only_more and now < center):
        return None
    low, high = max(0.0, center - width), min(1.0, center + width)
    usual = f"up to {high:.1%}" if share.only_more else f"between {low:.1%} and {high:.1%}"
    return (
        f"{now:.1%} are {share.what} ({part:,} of {whole:,}), and in the last {len(before)} jobs "
        f"it was {center:.1%} ({usual} are usual)"
    )


def _band(values: Sequence[float]) -> tuple[float, float]:
    """Return the median, and how far from it is usual."""
    center = median(values)
    return center, _WIDTH * _DEVIATION * median(abs(value - center) for value in values)
