"""How a run stands, served as a run serves it."""

from collections.abc import Iterator
from contextlib import contextmanager

from anyio.from_thread import start_blocking_portal

from importer.model import Moment, WorkerFigures
from importer.reporting.exporters.status_server import StatusServer
from importer.reporting.standing import Figures, Health, Standing
from tests.support.data import PRODUCT
from tests.support.progress import HALF_WAY

#: Two at work, and one that was lost.
WORKERS = [
    WorkerFigures("tls://10.0.0.1:1", 820.0, 100, 4_000, False),
    WorkerFigures("tls://10.0.0.2:1", 790.0, 120, 3_900, False),
    WorkerFigures("tls://10.0.0.3:1", 0.0, 0, 1_100, True),
]
STANDING = Standing(
    PRODUCT, "https://api.example", ["<b>in</b>.csv"], 1.0, 2.0, Health(True, "Working"),
    Figures(
        "in-1", HALF_WAY.share, HALF_WAY.outcomes, 60, 64, {"deferral": 200}, 10.0,
        HALF_WAY.statuses, HALF_WAY.buckets, [("rows", "all")], [(3, "503, tried again")],
        WORKERS,
        [Moment(1.0 + n, 1.0, 10 * n, n, 64, 0, 0.004, 0.01, "", {}) for n in range(9)],
    ),
)  # fmt: skip


@contextmanager
def served(standing: Standing) -> Iterator[str]:
    """Serve it over HTTP; yield host and port."""
    with start_blocking_portal() as portal:
        server = StatusServer("127.0.0.1", 0, lambda: standing)
        with portal.wrap_async_context_manager(server):
            yield server.url.removeprefix("http://").rstrip("/")
