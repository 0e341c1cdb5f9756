"""A service that costs next to nothing: just enough HTTP on uvloop to answer PUTs and GETs.

Run as `python -m benchmarks.sink OPTIONS`; it prints its port. `GET /statistics` answers with the
counts as JSON, `GET /reset` sets them back.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import click
import msgspec
import uvloop

UPDATED_AT = "2026-01-02T03:04:05.678901Z"
REASONS = {200: b"OK", 409: b"Conflict", 429: b"Too Many Requests", 503: b"Service Unavailable"}


@dataclass
class Options:
    """What the service does: the command's options."""

    latency: float
    limit: float
    burst: int
    quota: int
    limit_later: tuple[float, float, float] | None
    noise: float
    errors: float
    resets: float
    mute: float
    retry_after: int
    down: tuple[float, float] | None
    failing: float
    deferring: float
    completes_after: float
    seed: int


class Behaviour:
    """What the service answers, and what it has answered so far."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._random = random.Random(options.seed)
        self._tokens = float(options.burst)
        self._forget()

    def _forget(self) -> None:
        self.statuses: Counter[str] = Counter()
        # When the first PUT came, and the first and the latest were granted.
        self._began = self._first = self._last = 0.0
        # For each second, the requests granted and refused.
        self._seconds: list[list[int]] = []
        self._window = self._used = 0
        self._filled_at = time.monotonic()
        self._first_seen: dict[bytes, float] = {}

    def answer(self, method: bytes, path: bytes, sent: bytes) -> tuple[int, bytes]:
        """Return the status and the body for a request; what was sent comes back."""
        if path == b"/statistics":
            seconds = self._last - self._first if self._first else 0.0
            told = {**self.statuses, "seconds": seconds, "timeline": self._seconds}
            return 200, json.dumps(told).encode()
        if path == b"/reset":
            self._forget()
            return 200, b"{}"
        *_, conversation, what = path.split(b"/")
        status = self._status(conversation, what)
        self.statuses[f"{method.decode()} {status}"] += 1
        self._note(refused=status == 429)
        if status != 200:
            return status, b'{"detail":"no"}'
        if what == b"status":
            ready = self._completed(conversation)
            return 200, b'{"status":"%s"}' % (b"COMPLETED" if ready else b"IN_PROGRESS")
        self._last = time.monotonic()
        self._first = self._first or self._last
        # wrk sends nothing.
        feedback = {"rating": None, "comment": None, **msgspec.json.decode(sent or b"{}")}
        return 200, msgspec.json.encode(
            {"conversation_id": conversation.decode(), **feedback, "updated_at": UPDATED_AT}
        )

    def says_nothing(self, share: float) -> bool:
        """Return whether it is the turn of a fault that befalls such a share of all requests."""
        return share > 0 and self._random.random() < share

    def _note(self, *, refused: bool) -> None:
        second = int(time.monotonic() - self._began)
        while len(self._seconds) <= second:
            self._seconds.append([0, 0])
        self._seconds[second][refused] += 1

    def _grants(self, elapsed: float) -> bool:
        """Return whether a request is within the limits, `elapsed` seconds after the first."""
        options = self.options
        if options.quota:
            window = int(elapsed / 60)
            self._used = self._used + 1 if window == self._window else 1
            self._window = window
            return self._used <= options.quota
        if not options.limit:
            return True
        limit = options.limit
        if options.limit_later is not None:
            lower, since, until = options.limit_later
            limit = lower if since <= elapsed < until else limit
        now = time.monotonic()
        gained = (now - self._filled_at) * limit
        self._tokens, self._filled_at = min(options.burst, self._tokens + gained), now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _status(self, conversation: bytes, what: bytes) -> int:
        options, draw = self.options, self._random.random
        self._began = self._began or time.monotonic()
        elapsed = time.monotonic() - self._began
        if options.down is not None and elapsed % options.down[0] >= options.down[1]:
            return 503
        if draw() < options.noise or not self._grants(elapsed):
            return 429
        if draw() < options.errors:
            return 503
        # Conversations are drawn by their id, so that every run of every client meets the same.
        place = (
            int(conversation[-6:], 16) / 0x1000000 if options.failing or options.deferring else 1
        )
        if place < options.failing:
            return 503
        if place < options.deferring and what == b"feedback" and not self._completed(conversation):
            return 409
        return 200

    def _completed(self, conversation: bytes) -> bool:
        now = time.monotonic()
        return now - self._first_seen.setdefault(conversation, now) >= self.options.completes_after


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
            status, body = self._behaviour.answer(method, path, rest[:length])
            options = self._behaviour.options
            if self._behaviour.says_nothing(options.resets):
                self._transport.abort()
                return
            if self._behaviour.says_nothing(options.mute):
                continue
            after = b""
            if status == 429 and options.retry_after:
                after = b"Retry-After: %d\r\n" % options.retry_after
            head = (
                b"HTTP/1.1 %d %s\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            )
            answer = head % (status, REASONS[status], after, len(body)) + body
            if options.latency:
                asyncio.get_running_loop().call_later(options.latency, self._write, answer)
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
@click.option("--burst", default=20, help="Requests that the limit grants after a quiet time.")
@click.option("--quota", default=0, help="Requests granted in each minute from the first.")
@click.option(
    "--limit-later", type=(float, float, float), help="Another limit, from and until which second."
)
@click.option("--noise", default=0.0, help="Share of requests that get 429 whatever the rate.")
@click.option("--errors", default=0.0, help="Share of requests that get 503.")
@click.option("--resets", default=0.0, help="Share of connections reset before the answer.")
@click.option("--mute", default=0.0, help="Share of requests that are never answered.")
@click.option("--retry-after", default=0, help="Seconds that a 429 asks to wait.")
@click.option("--down", type=(float, float), help="Every so many seconds, 503 after so many.")
@click.option("--seed", default=1, help="Of what is drawn by chance.")
@click.option("--failing", default=0.0, help="Share of conversations that always get 503.")
@click.option("--deferring", default=0.0, help="Share of conversations that are not completed.")
@click.option("--completes-after", default=0.0, help="Seconds from the first look until they are.")
def main(**options: Any) -> None:
    """Serve until killed."""
    uvloop.run(serve(Behaviour(Options(**options))))


if __name__ == "__main__":
    main()
