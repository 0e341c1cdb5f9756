"""Sets the winners apart that are new or unchanged beyond doubt: by column, part by part.

What is not sure is left to the rules for single rows (`standing.why_not_sent`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from importer.jobs.keys import rank_number
from importer.jobs.ledger_lines import Lines
from importer.survey.many_rows import ManyWinners, halves
from importer.survey.spill import KEY, Column
from importer.survey.standing import Rules
from importer.survey.superseded import NEW


class Apart(NamedTuple):
    """The winners of a part."""

    #: How many are of conversations of which nothing is known.
    new: int
    #: The numbers of those whose feedback is stored already.
    unchanged: list[int]
    #: All others, and for each the place of its conversation's line; -1 without one.
    others: ManyWinners
    places: list[int]


def set_apart(
    winners: ManyWinners, lines: Lines, unsure: Collection[bytes], rules: Rules, *, bodies: bool
) -> Apart:
    """Set the winners of a part apart, given the ledger's lines of that part.

    `unsure` are the keys of conversations with rows that are open or in doubt. Without `bodies` no
    row is unchanged.
    """
    places = _places(winners.keys, lines)
    is_known = places >= 0
    is_sure = winners.ranks == NEW
    if unsure:
        high, _ = halves(_keys(unsure))
        is_sure &= ~np.isin(halves(winners.keys)[0], high)
    is_unchanged = np.zeros(len(places), bool)
    if rules.skip_unchanged and bodies and len(lines.keys):
        line = np.maximum(places, 0)
        stored = np.array([0 if body is None else body for body in lines.bodies], np.int64)
        may_be = np.array([body is not None for body in lines.bodies])
        may_be &= np.array(lines.ranks, np.int64) > rank_number(rules.floor)
        if rules.stored_after is not None:
            times = np.array(lines.times)
            may_be &= (rules.stored_after < times) & (times <= rules.now)
        is_unchanged = is_sure & is_known & may_be[line]
        is_unchanged &= stored.view(np.uint64)[line] == winners.bodies
    others = np.flatnonzero(~(is_unchanged | (is_sure & ~is_known)))
    return Apart(
        int(np.count_nonzero(is_sure & ~is_known)),
        winners.seqs[is_unchanged].tolist(),
        winners.among(others),
        places[others].tolist(),
    )


def _places(keys: Column, lines: Lines) -> Column:
    """Return for each of the distinct keys the place of its line, -1 if it has none."""
    both = np.concatenate([_keys(lines.keys), keys])
    high, low = halves(both)
    # A line stands before the winner of the same key, since the order is stable.
    order = np.lexsort((low, high))
    high, low = high[order], low[order]
    is_pair = (high[1:] == high[:-1]) & (low[1:] == low[:-1])
    places = np.full(len(keys), -1)
    places[order[1:][is_pair] - len(lines.keys)] = order[:-1][is_pair]
    return places


def _keys(keys: Collection[bytes]) -> Column:
    return np.frombuffer(b"".join(keys), KEY)
