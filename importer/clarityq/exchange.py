"""One request and its answer, as both paths to the service see them.

`direct_path` is the usual one, `session_path` the one for proxies and for versions of aiohttp that
the other was not tried with. They give the same answers; the same tests run on both.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Protocol, Self

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from importer.settings.groups import Timeouts

#: The longest response that is read, in bytes. The longest documented one is below 20 KiB.
ANSWER_LIMIT = 64 * 1024


class Endpoint(NamedTuple):
    """Where requests go, and what all of them have in common."""

    origin: URL
    #: Values are ASCII, on one line.
    headers: dict[str, str]
    timeouts: Timeouts
    #: None: the authorities that the system trusts.
    tls: ssl.SSLContext | None
    #: Where requests go through; None: straight to the service.
    proxy: URL | None


class Answer(NamedTuple):
    """What came back: the status, the whole body (None if there is none), and two headers."""

    status: int
    body: bytes | None
    retry_after: str | None = None
    location: str | None = None


class NoAnswerError(Exception):
    """No answer came. `sent`: the request was handed to a connection."""

    def __init__(self, cause: Exception, *, sent: bool) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.sent = sent


class ServicePath(Protocol):
    """A way to the service: an async context manager that owns the connections."""

    def __init__(self, endpoint: Endpoint) -> None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    async def exchange(self, method: str, target: str, body: bytes | None) -> Answer:
        """Send one request, at most once, and return its answer.

        `target` is the path as it is sent: encoded, ASCII. Raises `NoAnswerError`.
        """


def answer_of(status: int, body: bytes | None, headers: CIMultiDictProxy[str]) -> Answer:
    """Return the answer; the headers of a 200 tell nothing."""
    if status == 200:
        return Answer(status, body)
    return Answer(status, body, headers.get("Retry-After"), headers.get("Location"))


async def read_body(payload: aiohttp.StreamReader, heard: Callable[[], None]) -> bytes | None:
    """Return the whole body, or None if it breaks off or is longer than `ANSWER_LIMIT`.

    `heard` is called with each piece. Only if all of the body was read, the connection can be used
    again.
    """
    try:
        # Nearly always all of it came with the head, and there is nothing to wait for.
        body = payload.read_nowait() if payload.is_eof() else await payload.readany()
        while not payload.at_eof() and len(body) <= ANSWER_LIMIT:
            heard()
            body += await payload.readany()
    except aiohttp.ClientPayloadError:
        return None
    return body if len(body) <= ANSWER_LIMIT else None
