"""A service that does as it is told: it keeps what it is sent, a log of it all, and it may lie."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tests.oracle.answers import NOW, OK, Answer, Feedback, echo, status
from tests.oracle.requests import Effect, Request

KEY = "oracle-key-5f0c1d7e"
HANG = 60.0
"""Longer than anything takes that works; it only ends hangs."""

_PATH = re.compile(r"^/api/v1/products/([^/]+)/conversations/([^/]+)/(feedback|status)$")

Rule = Callable[[Request], Answer | None]
"""Decides about a PUT, or leaves it to the next rule."""


@dataclass
class _Late:
    request: Request
    timer: asyncio.TimerHandle

    @property
    def overdue(self) -> bool:
        """Tell whether its window is over, and only this busy machine has not noticed yet."""
        return self.timer.when() < asyncio.get_running_loop().time()


class Service:
    """Serves the two calls of the API from a thread of its own, as scripted."""

    def __init__(self) -> None:
        self.state: dict[str, Feedback] = {}
        self.log: list[Request] = []
        self.effects: list[Effect] = []
        self.count = 0
        """How many PUTs came."""

        self.overlaps: list[tuple[Request, Request]] = []
        self.statuses: dict[str, list[str]] = {}
        self.looks: dict[str, int] = defaultdict(int)
        self.rules: list[Rule] = []
        #: Those for status checks as well as for feedback.
        self.rules_of_all: list[Rule] = []
        self._scripts: dict[str, deque[Answer]] = defaultdict(deque)
        self._late: list[_Late] = []
        self._attempts: dict[str, int] = defaultdict(int)
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._listener: socket.socket | None = None
        self._sockets: set[socket.socket] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections = 0
        self.port = 0

    @property
    def url(self) -> str:
        """The address to give to the command."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def puts(self) -> list[Request]:
        """All PUTs so far, in the order of their arrival."""
        return [r for r in list(self.log) if r.method == "PUT"]

    def puts_for(self, conversation: str) -> list[Request]:
        """Return the PUTs for one conversation."""
        return [r for r in self.puts if r.conversation == conversation]

    def script(self, conversation: str, *answers: Answer) -> None:
        """Give these answers to the next PUTs for a conversation; after them it is well again."""
        self._scripts[conversation].extend(answers)

    def start(self) -> None:
        """Begin to listen, for the first time or again on the same port."""
        if not self._thread.is_alive():
            self._thread.start()
        self._call(self._listen())

    def die(self) -> None:
        """Close the port and every connection; what is stored stays."""
        self._call(self._close())

    def close(self) -> None:
        """End for good."""
        self.die()
        self._call(self._forget_late())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(HANG)
        self._loop.close()

    def wait_until(self, true: Callable[[Service], bool], within: float = HANG) -> None:
        """Wait for something to be true of the service; what never comes is an error."""
        with self._changed:
            if not self._changed.wait_for(lambda: true(self), within):
                raise TimeoutError(f"waited in vain; {len(self.log)} requests came")

    def reached(self, puts: int, within: float = 0.1) -> bool:
        """Wait a moment for the log to hold so many PUTs, and tell whether it does."""
        with self._changed:
            return self._changed.wait_for(lambda: self.count >= puts, within)

    def quiescent(self) -> dict[str, Feedback]:
        """Wait until nothing can take effect any more, and return what is stored."""
        self.wait_until(lambda service: not service._late)
        return dict(self.state)

    def read_all(self) -> None:
        """Read what has arrived: of a command that was killed, before the next one begins."""
        self._call(_go_around())

    # What follows runs on the service's own thread.

    def _call(self, work: Any) -> None:
        future: Future[None] = asyncio.run_coroutine_threadsafe(work, self._loop)
        future.result(HANG)

    async def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=200)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._loop.add_reader(self._listener, self._accept, self._listener)

    async def _close(self) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # Let the loop see the ends of the connections before it is used or stopped again.
        await asyncio.sleep(0.01)
        for connection in self._sockets:
            connection.close()
        self._sockets.clear()

    async def _forget_late(self) -> None:
        for late in self._late:
            late.timer.cancel()
        self._late.clear()

    def _accept(self, listener: socket.socket) -> None:
        # Not with a server of asyncio: one that closes while somebody connects leaks a transport.
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        self._connections += 1
        self._sockets.add(connection)
        task = self._loop.create_task(self._converse(connection, self._connections))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, connection: socket.socket, number: int) -> None:
        reader, writer = await asyncio.open_connection(sock=connection)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._exchange(reader, writer, number):
                    pass
            writer.close()
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
            self._sockets.discard(connection)

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int
    ) -> bool:
        """Answer one request; return whether the connection goes on."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        headers = {
            n.strip().lower(): v.strip() for n, v in (h.split(":", 1) for h in head[1:] if h)
        }
        raw = await reader.readexactly(int(headers.get("content-length", "0")))
        request = Request(
            len(self.log), time.monotonic(), connection, method, path, headers.get("x-api-key", "")
        )
        found = _PATH.match(path)
        if found:
            request.conversation = found[2]
        if raw:
            with suppress(ValueError):
                request.body = json.loads(raw)
        answer = self._decide(request, found[3] if found else "")
        goes_on = False
        try:
            if answer.applies is not None and method == "PUT":
                self._apply_when(answer.applies, request)
            if answer.delay:
                await asyncio.sleep(answer.delay)
            goes_on = await self._send(reader, writer, request, answer)
        finally:
            with self._changed:
                request.answered = request.answered or "lost"
                self._changed.notify_all()
        return goes_on

    def _decide(self, request: Request, call: str) -> Answer:
        """Enter the request in the log, and choose the answer."""
        with self._changed:
            if call == "feedback" and request.method == "PUT":
                self.count += 1
                self._attempts[request.conversation] += 1
                request.attempt = self._attempts[request.conversation]
                self._note_overlap(request)
            self.log.append(request)
            self._changed.notify_all()
        if request.key != KEY:
            return status(401)
        for rule in self.rules_of_all:
            if (decided := rule(request)) is not None:
                return decided
        if call == "status":
            return self._look(request)
        if call != "feedback":
            return status(404)
        if self._scripts[request.conversation]:
            return self._scripts[request.conversation].popleft()
        for rule in self.rules:
            decided = rule(request)
            if decided is not None:
                return decided
        if self.statuses.get(request.conversation, ["COMPLETED"])[0] != "COMPLETED":
            return status(409)
        return OK if request.fits else status(422)

    def _note_overlap(self, request: Request) -> None:
        # The end of a connection may be seen late, so the same feedback twice is no evidence.
        for other in self.log:
            in_flight = other.method == "PUT" and not other.answered
            if in_flight and request.differs_from(other):
                self.overlaps.append((other, request))

    def _look(self, request: Request) -> Answer:
        """Answer a status check: the statuses come one after the other, and the last one stays."""
        self.looks[request.conversation] += 1
        left = self.statuses.get(request.conversation, ["COMPLETED"])
        if len(left) > 1:
            left.pop(0)
        return Answer(applies=None, body=json.dumps({"status": left[0]}).encode())

    def _apply_when(self, applies: float, request: Request) -> None:
        if applies == NOW:
            self._store(request)
            return
        late = _Late(request, self._loop.call_later(applies, self._take_effect, request))
        self._late.append(late)

    def _take_effect(self, request: Request) -> None:
        self._late = [late for late in self._late if late.request is not request]
        self._store(request)

    def _store(self, request: Request) -> None:
        with self._changed:
            self._hold(request)
            for late in list(self._late):
                if request.differs_from(late.request):
                    late.timer.cancel()
                    self._late.remove(late)
                    if not late.overdue:
                        self._hold(late.request)
            self._changed.notify_all()

    def _hold(self, request: Request) -> None:
        self.state[request.conversation] = request.feedback
        self.effects.append(Effect(len(self.log), request.conversation, request.feedback))

    async def _send(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        request: Request,
        answer: Answer,
    ) -> bool:
        if answer.ending != "answer":
            request.answered = answer.ending
        if answer.ending == "silence":
            # Not answered until the client gives up: this is what "in flight" means.
            request.answered = ""
            await reader.read()
            request.answered = "silence"
            return False
        if answer.ending == "end_of_stream":
            return False
        if answer.ending == "reset":
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        body = answer.body
        if body is None:
            body = echo(request.conversation, request.feedback, answer.lie)
        lines = [f"HTTP/1.1 {answer.status} Scripted", f"Content-Length: {len(body)}"]
        lines += [
            f"{n}: {v}" for n, v in {"Content-Type": "application/json", **answer.headers}.items()
        ]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode()
        if answer.ending == "broken_body":
            writer.write(head + body[: len(body) // 2])
            await writer.drain()
            return False
        # Before the client can have read it: else its next request would seem to overlap.
        request.answered = str(answer.status)
        writer.write(head + body)
        await writer.drain()
        return True


async def _go_around() -> None:
    """Let the loop look at all connections, often enough to take in a new one and read from it."""
    for _ in range(30):
        await asyncio.sleep(0.001)
