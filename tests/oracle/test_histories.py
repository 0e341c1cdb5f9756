"""Generated nights: jobs that are left, killed, resumed and retried, judged by the model.

ORACLE_SEEDS=20 plays more of them; one that fails shows itself whole, and its seed plays it again.
"""

from __future__ import annotations

import os

import pytest

from tests.oracle.drive import Desk
from tests.oracle.marks import promise
from tests.oracle.nights import Kind, Player, invent

SEEDS = range(int(os.environ.get("ORACLE_SEEDS", "3")))

ORDERLY = Kind("orderly")
LEDGER = Kind("any order with a ledger", options=("--skip-unchanged",), any_order=True)
PLAIN = Kind("any order", any_order=True, late=False, interruptions=("stop", "outage"))
HASTY = Kind("hasty", waits=False, interruptions=(), window=6.0, troubled=0.5)


def judge(desk: Desk, kind: Kind, seed: int) -> None:
    """Play one history; a failure shows all of it."""
    history = invent(kind, seed)
    complaints = Player(desk, history).play()
    assert not complaints, "\n".join([str(history), *complaints])


@pytest.mark.slow
@promise("S1", "J2", "J3", "J9", "T8", "O2")
@pytest.mark.parametrize("seed", SEEDS)
def test_nights_that_are_brought_to_their_end_one_after_the_other(desk: Desk, seed: int) -> None:
    judge(desk, ORDERLY, seed)


@pytest.mark.slow
@promise("A6", "A19", "J2", "J7")
@pytest.mark.parametrize("seed", SEEDS)
def test_nights_with_a_ledger_that_are_left_and_resumed_in_any_order(desk: Desk, seed: int) -> None:
    judge(desk, LEDGER, seed)


@pytest.mark.slow
@promise("A2", "A6", "A19")
@pytest.mark.parametrize("seed", SEEDS)
def test_nights_that_are_left_and_resumed_in_any_order(desk: Desk, seed: int) -> None:
    judge(desk, PLAIN, seed)


@pytest.mark.slow
@promise("A9", "A10", "A19")
@pytest.mark.parametrize("seed", SEEDS)
def test_nights_that_follow_one_another_while_requests_take_effect_late(
    desk: Desk, seed: int
) -> None:
    judge(desk, HASTY, seed)
