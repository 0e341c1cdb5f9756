"""The path for proxies, and for versions of aiohttp that the direct one was not tried with.

Only what aiohttp documents is used here, with one exception (`_Connector`). It costs about
five times as much as the direct path.
"""

from __future__ import annotations

import math
import ssl
from types import SimpleNamespace, TracebackType
from typing import Self
from weakref import WeakSet

import aiohttp
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from importer.clarityq.call_timeout import Call, CallTimeouts
from importer.clarityq.exchange import (
    ANSWER_LIMIT,
    Answer,
    Endpoint,
    NoAnswerError,
    answer_of,
    read_body,
)


class SessionPath:
    """See `exchange.ServicePath`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __aenter__(self) -> Self:
        endpoint, timeouts = self._endpoint, self._endpoint.timeouts
        self._timeouts = CallTimeouts(timeouts.total, timeouts.read)
        tracing = aiohttp.TraceConfig()
        tracing.on_request_headers_sent.append(_note_sent)
        # It has no headers of its own: it would tell them to the proxy as well.
        self._session = aiohttp.ClientSession(
            connector=_Connector(limit=0, ssl=endpoint.tls or True),
            timeout=aiohttp.ClientTimeout(connect=timeouts.connect, ceil_threshold=math.inf),
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=endpoint.proxy,
            trace_configs=[tracing],
            read_bufsize=ANSWER_LIMIT,
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timeouts.close()
        await self._session.close()

    async def exchange(self, method: str, target: str, body: bytes | None) -> Answer:
        """See `exchange.ServicePath`."""
        url = self._endpoint.origin.with_path(target, encoded=True)
        call = self._timeouts.call()
        response = None
        try:
            with call:
                response = await self._session.request(
                    method, url, headers=self._endpoint.headers, data=body,
                    allow_redirects=False, middlewares=[_Once()], trace_request_ctx=call,
                )  # fmt: skip
                answer = await read_body(response.content, call.heard)
        except (aiohttp.ClientError, OSError) as error:
            raise NoAnswerError(error, sent=call.sent) from error
        finally:
            # What was read to its end has gone back to the pool.
            if response is not None:
                response.close()
        return answer_of(response.status, answer, response.headers)


class _Connector(aiohttp.TCPConnector):
    """Gives up a kept connection on which something came unasked.

    The pool itself only looks whether it is open; what came would be taken for the answer to the
    next request. `should_close` is not documented: it is what the pool asks when it takes a
    connection back, and nothing else tells.
    """

    def __init__(self, *, limit: int, ssl: ssl.SSLContext | bool) -> None:
        super().__init__(limit=limit, ssl=ssl)
        self._used: WeakSet[object] = WeakSet()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 -- the name that aiohttp gives it
    ) -> Connection:
        """Return a connection: a new one, or one that nothing is known against."""
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            assert protocol is not None  # noqa: S101 -- neither closed nor released
            if protocol not in self._used or not protocol.should_close:
                self._used.add(protocol)
                return connection
            connection.close()


class _Once:
    """Lets a request go out only once.

    `ClientSession` repeats a PUT by itself when a kept connection turns out to be dead, and tells
    nobody; the first one may have taken effect.
    """

    def __init__(self) -> None:
        self._error: aiohttp.ClientError | None = None

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if self._error is not None:
            raise self._error
        try:
            return await handler(request)
        except aiohttp.ClientError as error:
            self._error = error
            raise


async def _note_sent(
    _: aiohttp.ClientSession, context: SimpleNamespace, __: aiohttp.TraceRequestHeadersSentParams
) -> None:
    call: Call = context.trace_request_ctx
    call.sent = True
    call.heard()
