"""What all tests share: a product, conversations by number, files, settings and a sandbox."""

import csv
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from importer.sandbox.faults import Faults
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings

PRODUCT = "9f1c2b4a-3d5e-4f6a-8b7c-1d2e3f4a5b6c"


def conversation(number: int) -> str:
    """Return a conversation's id; the same number gives the same one."""
    return str(uuid.UUID(int=0x4000_8000_0000_0000_0000 + number, version=4))


def write_csv(
    path: Path,
    rows: Sequence[Sequence[object]],
    header: Sequence[str] = ("conversation_id", "rating", "comment"),
) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


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
        return ImportSettings(inputs=inputs, **{**quick, **changes})

    return make


@pytest.fixture
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """Run a sandbox; an indirect parameter gives it faults."""
    faults = getattr(request, "param", None) or Faults()
    async with Sandbox(faults) as running:
        yield running
