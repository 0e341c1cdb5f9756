"""Whether the direct path works with the aiohttp that is installed.

It uses more than aiohttp documents (see `direct_path`), so three things decide: the version is one
that the tests were run with, the path can be set up, and responses that are fed to the parser in
memory come out as needed.
"""

from __future__ import annotations

import asyncio

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_parser import HttpResponseParser, HttpResponseParserPy

from importer.clarityq.direct_path import DirectPath, start_parser
from importer.clarityq.exchange import Endpoint

#: The releases that the tests were run with: major and minor number.
TESTED = ((3, 14),)

_KEPT = b"HTTP/1.1 409 Conflict\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n{}"
_EARLY = b"HTTP/1.1 102 Processing\r\n\r\n"
_CLOSED = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


async def direct_path_is_usable(endpoint: Endpoint) -> bool:
    """Return whether the direct path to `endpoint` can be used."""
    numbers = aiohttp.__version__.split(".")[:2]
    if tuple(int(number) for number in numbers if number.isdecimal()) not in TESTED:
        return False
    # Without its C extension, aiohttp parses in Python: slow either way, and not tested.
    if HttpResponseParser is HttpResponseParserPy:
        return False
    try:
        async with DirectPath(endpoint):
            return await _is_as_needed()
    except Exception:  # noqa: BLE001 -- whatever is wrong with it, there is the other path
        return False


async def _is_as_needed() -> bool:
    """Return whether messages, bodies and doubts about a connection are told as expected."""
    kept = await _read(_EARLY + _KEPT, 2)
    surplus = await _read(_KEPT + _KEPT, 1)
    unread = await _read(_KEPT[:-1], 1)
    closed = await _read(_CLOSED, 1)
    return (
        kept == (409, "7", True, b"{}", False)
        and surplus[-1] is True
        and unread == (409, "7", False, b"{", True)
        and closed == (200, None, True, b"", True)
    )


async def _read(data: bytes, number: int) -> tuple[int, str | None, bool, bytes, bool]:
    """Feed `data` to a protocol; return what is told of message `number`.

    These are status, `Retry-After`, whether it is whole, its body, and whether to close after it.
    """
    protocol = ResponseHandler(asyncio.get_running_loop())
    start_parser(protocol)
    protocol.data_received(data)
    for _ in range(number):
        message, payload = await asyncio.wait_for(protocol.read(), 1.0)
    is_whole = payload.is_eof()
    body = payload.read_nowait()
    retry_after = message.headers.get("Retry-After")
    return message.code, retry_after, is_whole, body, protocol.should_close
