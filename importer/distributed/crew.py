"""What a coordinator needs of the processes that work for it, whatever starts and connects them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol


class WorkerLostError(Exception):
    """The worker is gone, or cannot be reached. The text says why."""


class Wire(Protocol):
    """The way to one worker. Both calls raise `WorkerLostError`, and may take any time."""

    async def begin(self, assignment: bytes, key: bytes | None) -> None:
        """Let it begin to work (`worker.Worker.begin`)."""
        ...

    async def exchange(self, grant: bytes) -> bytes:
        """Ask it (`worker.Worker.exchange`)."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Crew(Protocol):
    """The processes that there are. They may come and go."""

    @property
    def most(self) -> int | None:
        """How many are to work at a time; None for all that there are."""
        ...

    @property
    def hands_key_over(self) -> bool:
        """Whether the way to them is private; else they use the keys of their own machines."""
        ...

    async def addresses(self) -> Collection[str]:
        """Return those that are there now. Raises `WorkerLostError` if nobody can tell."""
        ...

    async def engage(self, address: str) -> Wire:
        """Return a way to one of them. Raises `WorkerLostError`."""
        ...
