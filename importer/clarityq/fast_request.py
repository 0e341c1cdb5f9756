"""A lean request for aiohttp: what all requests have in common is prepared once.

aiohttp's own request object is made for every case that HTTP knows, and making one costs more than
everything else that is done for a row. `ClientSession` takes another class as `request_class`: this
one is given the whole request as bytes, and the origin as its URL, which is then never parsed
again. Connections, responses, time-outs and errors stay aiohttp's. A request through a proxy needs
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


class Wire(bytes):
    """A whole HTTP/1.1 request as it goes over the wire."""

    # The session asks these of a body before it sends it again, when a kept-alive connection was
    # dead: bytes hold nothing that could be used up or given back.
    consumed = False

    async def close(self) -> None:
        """Give back nothing."""


class Template:
    """What all requests to `origin` have in common. Values of `headers` are ASCII on one line."""

    def __init__(self, origin: URL, headers: Mapping[str, str]) -> None:
        lines = {"Host": origin.host_port_subcomponent, **headers}
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode()

    def fill_in(self, method: str, path: str, body: bytes | None) -> Wire:
        """Return the request for `path` (as it is sent: encoded, ASCII) with `body`, if any."""
        line = f"{method} {path} HTTP/1.1\r\n".encode("ascii")
        if body is None:
            return Wire(b"%b%b\r\n" % (line, self._headers))
        return Wire(b"%b%bContent-Length: %d\r\n\r\n%b" % (line, self._headers, len(body), body))


def lean_request_class(origin: URL) -> type[ClientRequest]:
    """Return a `request_class` for requests whose `data` is a `Wire` to `origin`."""

    class Request(_LeanRequest):
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


class _LeanRequest(ClientRequest):
    """Has what the session, the connector and the response read of a request, and nothing else."""

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
        data: Wire,
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
        self._body: Any = data

    async def send(self, conn: Connection) -> ClientResponse:
        """Hand the whole request over to be written; return the response that is to come.

        Raises `ClientConnectionResetError` if the connection is gone.
        """
        protocol = conn.protocol
        if protocol is None or protocol.transport is None or protocol.transport.is_closing():
            raise ClientConnectionResetError("Cannot write to closing transport")
        self.outbox.put(self.loop, protocol.transport, self._body)
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
