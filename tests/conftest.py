"""What all tests share: an empty folder, quick settings, a sandbox, and figures of long runs."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from importer.sandbox.faults import Faults
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings
from tests.support.data import PRODUCT

# How long something takes says nothing on a busy machine.
hypothesis.settings.register_profile(
    "any_machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any_machine")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run each test in an empty folder, without options from the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CLARITYQ_API_KEY", raising=False)


@pytest.fixture
def settings_for(tmp_path: Path) -> Callable[..., ImportSettings]:
    """Return a maker of settings whose waits are too short to be noticed."""

    def make(*inputs: Path, **changes: Any) -> ImportSettings:
        quick: dict[str, Any] = {
            "product_id": PRODUCT,
            "jobs_dir": tmp_path / "jobs",
            "concurrency": 8,
            "defer_first": 0.05,
            "defer_max": 0.2,
            "defer_for": 5.0,
            "retry_first": 0.01,
            "retry_max": 0.05,
            "late_effect": 0.5,
            "grace": 2.0,
        }
        return ImportSettings.of(inputs=inputs, **{**quick, **changes})

    return make


@pytest.fixture
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """Run a sandbox; an indirect parameter gives it faults."""
    faults = getattr(request, "param", None) or Faults()
    async with Sandbox(faults) as running:
        yield running


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--minutes", type=float, default=30, help="how long each test of the long run goes on"
    )


@pytest.fixture
def budget(request: pytest.FixtureRequest) -> float:
    """Return for how many seconds a test of the long run is to go on."""
    return 60 * float(request.config.getoption("--minutes"))


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Iterator[Counter[str]]:
    """Count what happens; the totals of all tests are printed at the end of the session."""
    counts: Counter[str] = Counter()
    yield counts
    record_property("figures", dict(counts))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    total: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            total.update(dict(getattr(report, "user_properties", [])).get("figures", {}))
    if total:
        counts = ", ".join(f"{number:,} {name}" for name, number in total.items())
        terminalreporter.write_line(f"Reliability figures: {counts}")
