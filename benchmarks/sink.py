"""A service that costs next to nothing: just enough HTTP on uvloop to answer PUTs and GETs.

Run as `python -m benchmarks.sink OPTIONS`; it prints its port. `GET /statistics` answers with the
counts as JSON, `GET /reset` sets them back.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from typing import Any

import click
import uvloop

FEEDBACK = (
    b'{"conversation_id":"%s","rating":"POSITIVE","comment":null,'
    b'"updated_at":"2026-01-02T03:04:05.678901Z"}'
)
REASONS = {200: b"OK", 409: b"Conflict", 429: b"Too Many Requests", 503: b"Service Unavailable"}


class Behaviour:
    """What the service does, from the command's options."""

    def __init__(
        self, latency: float, limit: float, failing: float, deferring: float, completes_after: float
    ) -> None:
        self.latency = latency
        self.limit = limit
        self.failing = failing
        self.deferring = deferring
        self.completes_after = completes_after
        self.statuses: Counter[str] = Counter()
        self._next = 0.0
        # When the first and the latest PUT were granted.
        self._first = self._last = 0.0
        self._first_seen: dict[bytes, float] = {}

    def answer(self, method: bytes, path: bytes) -> tuple[int, bytes]:
        """Return the status and the body for a request."""
        if path == b"/statistics":
            seconds = self._last - self._first if self._first else 0.0
            return 200, json.dumps({**self.statuses, "seconds": seconds}).encode()
        if path == b"/reset":
            self.statuses.clear()
            self._first = self._last = 0.0
            self._first_seen.clear()
            return 200, b"{}"
        *_, conversation, what = path.split(b"/")
        status = self._status(conversation, what)
        self.statuses[f"{method.decode()} {status}"] += 1
        if status != 200:
            return status, b'{"detail":"no"}'
        if what == b"status":
            ready = self._completed(conversation)
            return 200, b'{"status":"%s"}' % (b"COMPLETED" if ready else b"IN_PROGRESS")
        self._last = time.monotonic()
        self._first = self._first or self._last
        return 200, FEEDBACK % conversation

    def _status(self, conversation: bytes, what: bytes) -> int:
        if self.limit:
            now = time.monotonic()
            if self._next > now + 0.02:  # a burst of a fiftieth of a second
                return 429
            self._next = max(self._next, now) + 1 / self.limit
        # Conversations are drawn by their id, so that every run of every client meets the same.
        place = int(conversation[-6:], 16) / 0x1000000 if self.failing or self.deferring else 1
        if place < self.failing:
            return 503
        if place < self.deferring and what == b"feedback" and not self._completed(conversation):
            return 409
        return 200

    def _completed(self, conversation: bytes) -> bool:
        now = time.monotonic()
        return now - self._first_seen.setdefault(conversation, now) >= self.completes_after


class Connection(asyncio.Protocol):
    """One connection; requests may be pipelined, answers keep their order."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._buffer = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._buffer += data
        while True:
            head, mark, rest = self._buffer.partition(b"\r\n\r\n")
            if not mark:
                return
            length = 0
            lower = head.lower()
            at = lower.find(b"content-length:")
            if at >= 0:
                length = int(lower[at + 15 : (lower.find(b"\r\n", at) + 1 or len(lower) + 1) - 1])
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            method, path, _ = head.split(b" ", 2)
            status, body = self._behaviour.answer(method, path)
            answer = (
                b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                % (status, REASONS[status], len(body), body)
            )
            if self._behaviour.latency:
                asyncio.get_running_loop().call_later(self._behaviour.latency, self._write, answer)
            else:
                self._write(answer)

    def _write(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


async def serve(behaviour: Behaviour) -> None:
    """Serve on a free loopback port until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(behaviour), "127.0.0.1", 0, backlog=4096)
    click.echo(server.sockets[0].getsockname()[1])
    await server.serve_forever()


@click.command()
@click.option("--latency", default=0.0, help="Seconds until each answer.")
@click.option("--limit", default=0.0, help="Requests per second; more get 429.")
@click.option("--failing", default=0.0, help="Share of conversations that always get 503.")
@click.option("--deferring", default=0.0, help="Share of conversations that are not completed.")
@click.option("--completes-after", default=0.0, help="Seconds from the first look until they are.")
def main(**options: float) -> None:
    """Serve until killed."""
    uvloop.run(serve(Behaviour(**options)))


if __name__ == "__main__":
    main()
