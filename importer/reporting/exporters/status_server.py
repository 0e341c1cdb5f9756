"""Serves how a run stands over HTTP, while it lasts: `/`, `/metrics` and `/healthz`, to be read."""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from importer.errors import SettingsError
from importer.reporting.exporters.run_metrics import run_metrics
from importer.reporting.standing import Standing
from importer.reporting.status_page import status_page

#: Seconds after which a browser asks for the page again.
_REFRESH = 5
#: Seconds for which a page that was made is shown again: however many ask, the run goes on.
_FRESH = 1.0
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Server": "clarityq-import",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class StatusServer:
    """Listens at an address while the block lasts; an async context manager.

    `standing` is asked for each response. Raises `SettingsError` where nothing can listen.
    """

    def __init__(self, host: str, port: int, standing: Callable[[], Standing]) -> None:
        self._host = host
        self._port = port
        self._standing = standing
        self._made = (-math.inf, b"")
        #: Where it is found.
        self.url = ""
        app = web.Application(client_max_size=0)
        app.router.add_get("/", self._page)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._health)
        app.on_response_prepare.append(_add_headers)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except BaseException as error:
            await self._runner.cleanup()
            if not isinstance(error, OSError):
                raise
            raise SettingsError(
                f"--status-listen: nothing can listen at {self._host}, port {self._port}: "
                f"{_reason(error)}. Choose an address of this machine and a port that is free"
            ) from None
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    async def _page(self, _: web.Request) -> web.Response:
        made_at, body = self._made
        now = time.monotonic()
        if now - made_at >= _FRESH:
            page = status_page(self._standing(), seconds=_REFRESH)
            body = page.encode("utf-8", "backslashreplace")
            self._made = now, body
        return web.Response(body=body, headers={"Content-Type": "text/html; charset=utf-8"})

    async def _metrics(self, _: web.Request) -> web.Response:
        body = run_metrics(self._standing())
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _health(self, _: web.Request) -> web.Response:
        health = self._standing().health
        return web.Response(text=f"{health.words}\n", status=200 if health.is_well else 503)


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def _reason(error: OSError) -> str:
    if isinstance(error, socket.gaierror) or not error.errno:
        return str(error.strerror or error)
    return os.strerror(error.errno)
