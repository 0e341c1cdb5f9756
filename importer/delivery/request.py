"""A lean request for aiohttp: what all requests have in common is prepared once.

aiohttp's own request object is made for every case that HTTP knows, and making one costs more than
everything else that is done for a row. `ClientSession` takes another class as `request_class`.
Connections, responses, time-outs and errors stay aiohttp's. A request through a proxy needs
aiohttp's own class.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

from aiohttp import (
    ClientConnectionResetError,
    ClientRequest,
    ClientResponse,
    ClientSession,
    RequestInfo,
)
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.helpers import BaseTimerContext
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

#: What aiohttp asks of the writer of a request that has been written already.
_WRITTEN = cast("AbstractStreamWriter", SimpleNamespace(output_size=0))


def lean_request_class(origin: URL, headers: Mapping[str, str]) -> type[ClientRequest]:
    """Return a `request_class` for requests to `origin` that carry `headers` and no others.

    Names and values of `headers` are ASCII and hold no line breaks.
    """
    lines = {"Host": origin.host_port_subcomponent, **headers}

    class Request(_LeanRequest):
        common_headers = "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode()
        outbox = _Outbox()
        connection_key = ConnectionKey(
            origin.raw_host or "", origin.port, origin.scheme == "https", True, None, None, None
        )
        # Errors name the request by this: the headers, which hold the key, are left out.
        request_info = RequestInfo(origin, "PUT or GET", CIMultiDictProxy(CIMultiDict()), origin)

    return Request


class _Outbox:
    """Writes what the tasks of one turn of the event loop have to send, all together.

    Written one by one, each request would wake the other side for itself.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[asyncio.WriteTransport, bytes]] = []

    def put(
        self, loop: asyncio.AbstractEventLoop, transport: asyncio.WriteTransport, request: bytes
    ) -> None:
        """Send `request` soon."""
        if not self._waiting:
            loop.call_soon(self._flush)
        self._waiting.append((transport, request))

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for transport, request in waiting:
            if not transport.is_closing():  # else its response knows already
                transport.write(request)


class _Body(bytes):
    """What the session asks of a body: it sends it again if a kept-alive connection was dead."""

    consumed = False

    async def close(self) -> None:
        """Give back nothing: bytes hold nothing."""


class _LeanRequest(ClientRequest):
    """Has what the session, the connector and the response read of a request, and nothing else."""

    common_headers: bytes
    outbox: _Outbox
    proxy = None
    proxy_auth = None
    proxy_headers = None
    server_hostname = None
    _ssl = True

    def __init__(
        self,
        method: str,
        url: URL,
        *,
        data: bytes | None = None,
        loop: asyncio.AbstractEventLoop,
        response_class: type[ClientResponse],
        timer: BaseTimerContext,
        session: ClientSession,
        **_: object,
    ) -> None:
        self.method = method
        self.url = self.original_url = url
        self.loop = loop
        self.response_class = response_class
        self._timer = timer
        self._session = session
        self._body: Any = None if data is None else _Body(data)

    async def send(self, conn: Connection) -> ClientResponse:
        """Hand the whole request over to be written; return the response that is to come.

        Raises `ClientConnectionResetError` if the connection is gone.
        """
        protocol = conn.protocol
        if protocol is None or protocol.transport is None or protocol.transport.is_closing():
            raise ClientConnectionResetError("Cannot write to closing transport")
        self.outbox.put(self.loop, protocol.transport, self._serialised())
        protocol.start_timeout()
        return self.response_class(
            self.method,
            self.url,
            writer=None,
            continue100=None,
            timer=self._timer,
            request_info=self.request_info,
            traces=[],
            loop=self.loop,
            session=self._session,
            stream_writer=_WRITTEN,
        )

    def _serialised(self) -> bytes:
        line = f"{self.method} {self.url.raw_path} HTTP/1.1\r\n".encode("ascii")
        if self._body is None:
            return b"%b%b\r\n" % (line, self.common_headers)
        length = len(self._body)
        return b"%b%bContent-Length: %d\r\n\r\n%b" % (
            line, self.common_headers, length, self._body,
        )  # fmt: skip
