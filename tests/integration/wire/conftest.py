"""Each test here runs on both paths to the service, and on both event loops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from importer.clarityq.api_key import ApiKey
from importer.clarityq.client import FeedbackClient
from importer.clarityq.direct_path import DirectPath
from importer.clarityq.exchange import ServicePath
from importer.clarityq.session_path import SessionPath
from importer.settings import ImportSettings
from tests.support.wire import KEY, Open


@pytest.fixture(
    params=[
        pytest.param(False, id="asyncio", marks=pytest.mark.slow),
        pytest.param(True, id="uvloop"),
    ]
)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Run each test on both event loops: connections end differently on them, and TLS differs."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(params=[DirectPath, SessionPath])
def open_client(
    request: pytest.FixtureRequest, settings_for: Callable[..., ImportSettings]
) -> Open:
    """Return a maker of clients that go one way or the other."""
    path: type[ServicePath] = request.param

    def make(url: str, **changes: object) -> FeedbackClient:
        settings = settings_for(Path("unused.csv"), base_url=url, **changes)
        return FeedbackClient(settings, ApiKey(KEY), wall=lambda: 0.0, path=path)

    return make
