"""Workers on threads of this process, and wires to them on which much goes wrong."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import anyio
import anyio.to_thread

from importer.distributed.crew import WorkerLostError
from importer.distributed.worker import Worker


@dataclass(frozen=True)
class Trouble:
    """How often exchanges are lost, doubled and late, and workers lost, as shares of all.

    Of a worker that is stuck no more is heard, and it goes on for a while.
    """

    lost: float = 0.0
    doubled: float = 0.0
    late: float = 0.0
    killed: float = 0.0
    stuck: float = 0.0


class ThreadCrew:
    """A `Crew` of workers in this process. A lost one goes on unseen, and another one comes."""

    hands_key_over = True

    def __init__(
        self,
        workers: int,
        trouble: Trouble | None = None,
        *,
        seed: int = 1,
        most_lost: int = 4,
        keys: Mapping[str, bytes] | None = None,
    ) -> None:
        self.most: int | None = None
        self.there = [f"worker-{number}" for number in range(workers)]
        self.engaged: list[str] = []
        self.trouble = trouble or Trouble()
        self.dice = random.Random(seed)
        self.left_to_lose = most_lost
        self._keys = keys or {}

    async def addresses(self) -> Collection[str]:
        return list(self.there)

    async def engage(self, address: str) -> ThreadWire:
        self.engaged.append(address)
        return ThreadWire(self, address, self._keys.get(address))

    def lose(self, address: str) -> None:
        """The process is gone, and a new one comes in its place."""
        if address in self.there:
            self.there.remove(address)
            self.there.append(f"worker-{len(self.engaged) + 100}")


class ThreadWire:
    """A `Wire` to one of them."""

    def __init__(self, crew: ThreadCrew, address: str, key: bytes | None) -> None:
        self._crew = crew
        self._address = address
        self._key = key
        self._worker = Worker()
        self._old: list[bytes] = []
        self._is_stuck = False

    async def begin(self, assignment: bytes, key: bytes | None) -> None:
        self._worker.begin(assignment, self._key or key)

    async def exchange(self, grant: bytes) -> bytes:
        crew, dice = self._crew, self._crew.dice
        if self._address not in crew.there:
            raise WorkerLostError("it was killed")
        if crew.left_to_lose and dice.random() < crew.trouble.killed:
            crew.left_to_lose -= 1
            crew.lose(self._address)
            raise WorkerLostError("it was killed")
        if self._is_stuck or (crew.left_to_lose and dice.random() < crew.trouble.stuck):
            crew.left_to_lose -= not self._is_stuck
            self._is_stuck = True
            await anyio.sleep_forever()
        self._old.append(grant)
        if dice.random() < crew.trouble.late:
            await self._ask(dice.choice(self._old))
        if dice.random() < crew.trouble.doubled:
            await self._ask(grant)
        reply = await self._ask(grant)
        if dice.random() < crew.trouble.lost:
            raise TimeoutError
        return reply

    async def _ask(self, grant: bytes) -> bytes:
        exchange: Callable[[bytes], bytes] = self._worker.exchange
        return await anyio.to_thread.run_sync(exchange, grant)

    def close(self) -> None:
        return
