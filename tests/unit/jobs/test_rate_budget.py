"""Runs that share a rate start no more requests together than one of them may alone."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from importer.errors import SettingsError
from importer.jobs.rate_budget import RateBudget, budget_for
from importer.pacing.shared_rate import LeasedCap
from importer.settings import ImportSettings

RATE = 50.0


class Runs:
    """Some runs with one clock for all, each of which sends when it may and wants to."""

    def __init__(self, path: Path, number: int) -> None:
        self.now = 1000.0
        self.starts: list[list[float]] = [[] for _ in range(number)]
        self.caps = [LeasedCap(RATE, RateBudget(path, RATE, self.wall)) for _ in range(number)]

    def wall(self) -> float:
        return 1_700_000_000 + self.now

    def last(self, seconds: float, wants: Callable[[int, float], bool] = lambda *_: True) -> None:
        until = self.now + seconds
        while self.now < until:
            for number, cap in enumerate(self.caps):
                while wants(number, self.now) and cap.wait(self.now) == 0:
                    cap.start(self.now)
                    self.starts[number].append(self.now)
            self.now += 0.001

    def together(self) -> list[float]:
        return sorted(start for starts in self.starts for start in starts)


def most_within(starts: list[float], seconds: float) -> int:
    """Return the most starts in any stretch so long."""
    return max(
        sum(start <= other < start + seconds for other in starts[place:])
        for place, start in enumerate(starts)
    )


@pytest.mark.parametrize("number", [1, 2, 5])
def test_runs_together_keep_the_rate_and_use_it_up(number: int, tmp_path: Path) -> None:
    runs = Runs(tmp_path / "rate", number)
    runs.last(10)
    together = runs.together()
    assert len(together) == pytest.approx(10 * RATE, rel=0.02)
    assert most_within(together, 1.0) <= 1.05 * RATE + number
    fewest, most = min(map(len, runs.starts)), max(map(len, runs.starts))
    assert most <= 1.2 * fewest


def test_what_one_run_does_not_need_the_others_have(tmp_path: Path) -> None:
    runs = Runs(tmp_path / "rate", 3)
    # The first one wants to send once a second, the second one stops after a while.
    runs.last(5, lambda number, now: number == 2 or (number == 0 and now % 1 < 0.001))
    assert len(runs.starts[2]) > 0.85 * 5 * RATE


def test_a_lull_earns_no_burst(tmp_path: Path) -> None:
    runs = Runs(tmp_path / "rate", 2)
    runs.last(2)
    before = len(runs.together())
    runs.now += 1000
    runs.last(0.5)
    assert len(runs.together()) - before <= 0.5 * RATE + 4


def test_a_clock_that_was_set_back_or_a_file_that_is_damaged_holds_nobody_up(
    tmp_path: Path,
) -> None:
    path = tmp_path / "rate"
    for content in (b"9999999999999", b"nan", b"\xff\x00", b"", b"-5"):
        path.write_bytes(content)
        runs = Runs(path, 1)
        runs.last(1)
        assert len(runs.together()) == pytest.approx(RATE, abs=2)


def test_a_lock_that_another_run_holds_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "rate"
    budget = RateBudget(path, RATE)
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(file, fcntl.LOCK_EX)
    assert budget.take(0.0, 1) is None
    os.close(file)
    assert budget.take(0.0, 1) is not None


def test_a_file_that_cannot_be_used_leaves_a_run_its_own_rate(tmp_path: Path) -> None:
    lease = RateBudget(tmp_path / "missing" / "rate", RATE).take(7.0, 3)
    assert lease == (7.0, 1 / RATE, 3)


def test_a_group_is_for_runs_with_a_rate_and_one_jobs_folder(
    settings_for: Callable[..., ImportSettings], tmp_path: Path
) -> None:
    assert budget_for(settings_for(tmp_path / "in.csv", rate=5)) is None
    budget = budget_for(settings_for(tmp_path / "in.csv", rate=5, rate_group="key-1"))
    assert budget is not None
    assert budget.path == tmp_path / "jobs" / ".key-1.rate"
    with pytest.raises(SettingsError, match="give --rate as well"):
        settings_for(tmp_path / "in.csv", rate_group="key-1")
    for name in ("", "../x", "a b", ".hidden"):
        with pytest.raises(SettingsError, match="rate_group"):
            settings_for(tmp_path / "in.csv", rate=5, rate_group=name)


@pytest.mark.parametrize(("rate", "most"), [(50.0, 60.0), (0.5, 2000.0)])
def test_a_time_too_far_ahead_is_of_a_clock_that_was_set_back(
    tmp_path: Path, rate: float, most: float
) -> None:
    path = tmp_path / "g"
    budget = RateBudget(path, rate, lambda: 10_000.0)
    for ahead, wait in ((most - 1, most - 1), (most + 1, 0.0)):
        path.write_text(f"{10_000.0 + ahead:<24.6f}")
        lease = budget.take(5.0, 1)
        assert lease is not None
        assert lease.first == pytest.approx(5.0 + wait)
