"""The usual path: aiohttp's connector and parser, without its session.

`ClientSession` makes a request object, a response object and timers for each request, for every
case that HTTP knows; that costs more than everything else that is done for a row. Here a request is
bytes, written to a connection that the connector has made; aiohttp's protocol parses the answer.

What is used of aiohttp, beyond what its documentation says of `BaseConnector.connect` and
`Connection`, and why there is no other way:

- `Connection.protocol.set_response_params`, `.read`: they start a parser, and give the answer;
- `Connection.protocol.should_close`: whether anything forbids to use the connection again;
- `RawResponseMessage.code` and `.headers`.

`self_check` tries all of it, so a version that differs is noticed at start.
"""

from __future__ import annotations

import asyncio
import math
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError

from importer.clarityq.call_timeout import Call, CallTimeouts
from importer.clarityq.exchange import (
    ANSWER_LIMIT,
    Answer,
    Endpoint,
    NoAnswerError,
    answer_of,
    read_body,
)
from importer.clarityq.request_template import Template

#: Seconds after which an idle connection is not used again: the other side, or a firewall that
#: tells nobody, may be about to drop it.
_LONGEST_IDLE = 15.0


class DirectPath:
    """See `exchange.ServicePath`. No more connections than requests in flight at any one time."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._template = Template(endpoint.origin, endpoint.headers)
        # The latest last, and taken first: those that are not needed stay idle and are given up.
        self._idle: list[tuple[Connection, float]] = []

    async def __aenter__(self) -> Self:
        timeouts = self._endpoint.timeouts
        self._timeouts = CallTimeouts(timeouts.total, timeouts.read)
        self._outbox = _Outbox(self._timeouts.loop)
        self._connector = aiohttp.TCPConnector(limit=0, ssl=self._endpoint.tls or True)
        # Tells the connector where to; it is never sent.
        self._destination = aiohttp.ClientRequest(
            "PUT", self._endpoint.origin, loop=self._timeouts.loop
        )
        self._connecting = aiohttp.ClientTimeout(connect=timeouts.connect, ceil_threshold=math.inf)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timeouts.close()
        for connection, _ in self._idle:
            connection.release()
        await self._connector.close()

    async def exchange(self, method: str, target: str, body: bytes | None) -> Answer:
        """See `exchange.ServicePath`."""
        request = self._template.fill_in(method, target, body)
        call = self._timeouts.call()
        try:
            with call:
                return await self._exchange(request, call)
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
            raise NoAnswerError(error, sent=call.sent) from error

    async def _exchange(self, request: bytes, call: Call) -> Answer:
        while True:
            kept = self._take_idle(call.started)
            connection = kept or await self._connect()
            protocol = connection.protocol
            assert protocol is not None  # noqa: S101 -- neither closed nor released
            is_reusable = False
            try:
                start_parser(protocol)
                self._outbox.put(request, protocol, call)
                call.heard()
                answer = await _read_answer(protocol, call)
                is_reusable = not protocol.should_close
            except aiohttp.ClientConnectionError:
                # A kept connection may be closed until the moment before the request is written.
                if call.sent or kept is None:
                    raise
            else:
                return answer
            finally:
                if is_reusable:
                    self._idle.append((connection, self._timeouts.loop.time()))
                else:
                    connection.close()

    def _take_idle(self, now: float) -> Connection | None:
        """Return a connection that nothing is known against, if there is one."""
        while self._idle:
            connection, since = self._idle.pop()
            protocol = connection.protocol
            assert protocol is not None  # noqa: S101 -- neither closed nor released
            # It should if it was closed, and if anything came unasked: that answers no request.
            if now - since < _LONGEST_IDLE and not protocol.should_close:
                return connection
            connection.close()
        return None

    async def _connect(self) -> Connection:
        """Return a new connection. Raises `ConnectionTimeoutError`, or what else went wrong."""
        try:
            return await self._connector.connect(self._destination, [], self._connecting)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error


class _Outbox:
    """Writes what the tasks of one turn of the event loop have to send, all together.

    Written one by one, each request would wake the other side for itself.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[tuple[bytes, ResponseHandler, Call]] = []

    def put(self, request: bytes, protocol: ResponseHandler, call: Call) -> None:
        """Send `request` soon."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append((request, protocol, call))

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for request, protocol, call in waiting:
            transport = protocol.transport
            # What came since the connection was taken up answers no request: nothing is sent then.
            if transport is None or transport.is_closing() or protocol.should_close:
                continue
            call.sent = True
            transport.write(request)


def start_parser(protocol: ResponseHandler) -> None:
    """Let a connection parse the answer to its next request, with nothing left of what came before.

    No answer is unpacked, since none was asked to be packed.
    """
    protocol.set_response_params(
        read_until_eof=True, auto_decompress=False, read_bufsize=ANSWER_LIMIT
    )


async def _read_answer(protocol: ResponseHandler, call: Call) -> Answer:
    """Return the answer to a request that was put in the outbox."""
    while True:
        message, payload = await protocol.read()
        if not call.sent:
            raise aiohttp.ServerDisconnectedError("it answered before it was asked")
        if message.code >= 200 or message.code == 101:
            break
        call.heard()
    body = await read_body(payload, call.heard)
    return answer_of(message.code, body, message.headers)
