"""Tells several systems side by side, each in order, and gives up on those that take too long."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

#: What tells one system; returns what went wrong, or nothing.
Tell = Callable[[], str]


class Deliveries:
    """The systems that are told of one run.

    Each has a thread of its own, which the end of the process does not wait for: neither a mount
    nor a name server nor a host that never answers holds up the run.
    """

    def __init__(self) -> None:
        self._queues: dict[str, SimpleQueue[Tell | None]] = {}
        self._threads: dict[str, Thread] = {}
        self._problems: SimpleQueue[str] = SimpleQueue()

    def deliver(self, to: str, tell: Tell) -> None:
        """Tell the system that messages call `to`, after what it is told already."""
        if to not in self._threads:
            self._queues[to] = SimpleQueue()
            thread = Thread(target=self._work, args=(to,), daemon=True)
            try:
                thread.start()
            except RuntimeError:
                self._problems.put(f"{to} could not be notified: there are too many threads")
                return
            self._threads[to] = thread
        self._queues[to].put(tell)

    def finish(self, seconds: float) -> list[str]:
        """Wait for so long until all is told; return what went wrong, in words."""
        until = time.monotonic() + seconds
        for queue in self._queues.values():
            queue.put(None)
        problems = []
        for to, thread in self._threads.items():
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                problems.append(f"{to} has taken longer than {seconds:g} s and was given up")
        while not self._problems.empty():
            problems.append(self._problems.get())
        return problems

    def _work(self, to: str) -> None:
        while (tell := self._queues[to].get()) is not None:
            try:
                problem = tell()
            except Exception as error:  # noqa: BLE001 -- whatever it is, it fails no run
                # Only its kind is named: its text might hold the address.
                problem = f"{to} could not be notified: {type(error).__name__}"
            if problem:
                self._problems.put(problem)
