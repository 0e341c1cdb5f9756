"""A server that does with each connection what a test says, byte by byte."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from socket import SO_LINGER, SOL_SOCKET


class RawConnection:
    """One accepted connection."""

    def __init__(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        #: Connections are counted from 1.
        self.number = number
        self._reader = reader
        self._writer = writer

    async def request(self) -> bytes:
        """Return the next request, head and body. Raises `EOFError` if there is none."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        _, _, rest = head.lower().partition(b"content-length:")
        return head + await self._reader.readexactly(int(rest.split(b"\r\n")[0] or 0))

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def close(self) -> None:
        """End the stream in order."""
        self._writer.close()

    def reset(self) -> None:
        """Break the connection off."""
        socket = self._writer.get_extra_info("socket")
        socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


class RawServer:
    """Counts what it sees. `url` is where it listens."""

    def __init__(self, behave: Callable[[RawConnection], Awaitable[None]]) -> None:
        self.url = ""
        self.requests: list[bytes] = []
        self.connections = 0
        #: Of each request, the number of its connection.
        self.used: list[int] = []
        self._behave = behave
        self._tasks: set[asyncio.Task[None]] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        connection = _Noted(self.connections, reader, writer, self)
        try:
            # Cancelled when the test is over.
            with suppress(EOFError, ConnectionError, asyncio.CancelledError):
                await self._behave(connection)
        finally:
            self._tasks.discard(task)
            with suppress(ConnectionError):
                writer.close()
                await writer.wait_closed()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class _Noted(RawConnection):
    def __init__(
        self,
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        server: RawServer,
    ) -> None:
        super().__init__(number, reader, writer)
        self._server = server

    async def request(self) -> bytes:
        request = await super().request()
        self._server.requests.append(request)
        self._server.used.append(self.number)
        return request


@asynccontextmanager
async def raw_server(
    behave: Callable[[RawConnection], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[RawServer]:
    """Run a server on loopback; it closes a connection when `behave` has returned."""
    server = RawServer(behave)
    listening = await asyncio.start_server(server.accept, "127.0.0.1", 0, ssl=tls)
    host, port = listening.sockets[0].getsockname()[:2]
    server.url = f"{'https' if tls else 'http'}://{host}:{port}"
    try:
        yield server
    finally:
        listening.close()
        await server.stop()
