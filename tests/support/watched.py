"""A sandbox that remembers every PUT in the order of arrival, and what a job must make of it."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from aiohttp import web

from importer.sandbox.faults import FaultPicker, Faults
from importer.sandbox.server import Sandbox

#: A rating and a comment as the service stores them.
Body = tuple[str | None, str | None]


class Put(NamedTuple):
    """One request, as it arrived."""

    conversation_id: str
    body: Body


class WatchedSandbox(Sandbox):
    """Calls `on_put` with the number of PUTs so far, each time one arrives."""

    def __init__(self, faults: Faults | None = None, picker: FaultPicker | None = None) -> None:
        super().__init__(faults, picker=picker)
        self.puts: list[Put] = []
        self.on_put: Callable[[int], None] = lambda _: None

    async def _put(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        conversation = request.match_info["conversation_id"]
        self.puts.append(Put(conversation, (body.get("rating"), body.get("comment"))))
        self.on_put(len(self.puts))
        return await super()._put(request)

    async def all_written(self) -> None:
        """Wait until every request that had no answer has taken effect."""
        while self._late:  # noqa: ASYNC110 -- the sandbox signals nothing
            await asyncio.sleep(self.faults.late_by / 10)

    def stored(self) -> dict[str, Body]:
        """Return what the service holds."""
        return {who: (f.rating, f.comment) for who, f in self.feedback.items()}

    def check_order(self, rows: Iterable[Put]) -> None:
        """Raise `AssertionError` unless the PUTs are rows, in input order for each conversation.

        A row may be sent more than once, but never after a later one.
        """
        places: defaultdict[str, list[tuple[int, Body]]] = defaultdict(list)
        for place, row in enumerate(rows):
            places[row.conversation_id].append((place, row.body))
        latest: dict[str, int] = {}
        for put in self.puts:
            start = latest.get(put.conversation_id, 0)
            later = (
                place
                for place, body in places[put.conversation_id]
                if place >= start and body == put.body
            )
            match = next(later, None)
            assert match is not None, f"{put} is no row, or was sent after a later one"
            latest[put.conversation_id] = match
        assert self.most_at_once <= 1, "two concurrent PUTs of one conversation"
