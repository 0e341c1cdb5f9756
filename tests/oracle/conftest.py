"""Fixtures of the oracle, and the markers that tie a story to a promise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.oracle.drive import ROOT, Desk
from tests.oracle.service import Service
from tests.oracle.warm import Nursery


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known: strict markers refuse others."""
    config.addinivalue_line(
        "markers", "promise(*ids): the promises of the reference that it judges"
    )


@pytest.fixture
def service() -> Iterator[Service]:
    """Run a service that is well until it is told otherwise."""
    running = Service()
    running.start()
    try:
        yield running
    finally:
        running.close()


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Keep a process that many commands are forked from."""
    started = Nursery(ROOT)
    yield started
    started.close()


@pytest.fixture
def desk(tmp_path: Path, service: Service) -> Iterator[Desk]:
    """Give a working directory of its own, and audit it in the end."""
    given = Desk(tmp_path, service)
    yield given
    given.audit()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the stories out of the quick tier: each runs the command, most of them several times."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
