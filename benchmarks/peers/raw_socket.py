"""HTTP/1.1 by hand on uvloop, one protocol for each connection: the limit for Python."""

from __future__ import annotations

import asyncio
import csv
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import uvloop
from yarl import URL


class Sender(asyncio.Protocol):
    """Sends the next row when an answer is complete."""

    def __init__(self, rows: Iterator[list[str]], done: asyncio.Future[None]) -> None:
        self._rows = rows
        self._done = done
        self._buffer = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._buffer += data
        head, mark, body = self._buffer.partition(b"\r\n\r\n")
        if not mark:
            return
        at = head.index(b"Content-Length: ") + 16
        if len(body) >= int(head[at:].split(b"\r\n", 1)[0]):
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head)
            self._buffer = b""
            self._send()

    def _send(self) -> None:
        row = next(self._rows, None)
        if row is None:
            self._transport.close()
            if not self._done.done():
                self._done.set_result(None)
            return
        body = b'{"rating":"%s"}' % row[1].encode()
        self._transport.write(
            b"PUT /api/v1/products/p/conversations/%s/feedback HTTP/1.1\r\nHost: localhost\r\n"
            b"X-API-Key: key\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (row[0].encode(), len(body), body)
        )


async def main(path: str, base: str, concurrency: int) -> None:
    """Send all rows of the file."""
    loop = asyncio.get_running_loop()
    url = URL(base)
    host, port = url.host or "", url.port or 80
    with open(path, newline="") as file:  # noqa: ASYNC230, PTH123 -- as such a script would
        rows = csv.reader(file)
        next(rows)
        futures = [loop.create_future() for _ in range(concurrency)]
        for future in futures:
            await loop.create_connection(partial(Sender, rows, future), host, port)
        await asyncio.gather(*futures)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
