"""Generated nights: jobs that are left, killed, resumed and retried, judged by the model.

`python -m tests.oracle.play --warm --together 4 --seeds 0:100` plays many of them, and a single one
by its seed.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.oracle.kinds import KINDS
from tests.oracle.marks import promise
from tests.oracle.play import play
from tests.oracle.warm import Nursery

QUICK = [name for name, kind in KINDS.items() if kind.is_quick and not kind.takes]
SEEDS = range(int(os.environ.get("ORACLE_SEEDS", "1")))


@pytest.mark.slow
@pytest.mark.timeout(600)
@promise("S1", "S4", "J2", "J3", "J4", "A1", "A2", "A5", "A6", "A7", "A11", "A13", "A19", "A20")
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", QUICK)
def test_nights_that_are_left_resumed_and_retried(
    tmp_path: Path, nursery: Nursery, kind: str, seed: int
) -> None:
    """A failure tells the whole history, and of few conversations all that happened."""
    small = replace(KINDS[kind], nights=(3, 4), pool=(15, 30))
    wrong = play(tmp_path, small, seed, nursery)
    assert not wrong, wrong


@pytest.mark.slow
@pytest.mark.timeout(600)
@promise("U1", "U2", "U3", "U4", "U5", "U6", "U7", "U8", "U9", "U10", "U11", "U12")
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.takes])
def test_jobs_that_are_taken_back_and_conversations_forgotten(
    tmp_path: Path, nursery: Nursery, kind: str, seed: int
) -> None:
    """Two nights each, from the third seed on: in the first two little is taken back."""
    small = replace(KINDS[kind], nights=(2, 2), beside=(1, 1), pool=(15, 30))
    wrong = play(tmp_path, small, seed + 2, nursery)
    assert not wrong, wrong
