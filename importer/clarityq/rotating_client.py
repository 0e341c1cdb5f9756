"""A client whose API key may be rotated while the run lasts."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from http import HTTPStatus
from types import TracebackType
from typing import Self

import anyio
from anyio import to_thread

from importer.clarityq.api_key import ApiKey
from importer.clarityq.client import FeedbackClient
from importer.clarityq.responses import Verdict, VerdictKind
from importer.model import Feedback
from importer.settings import ImportSettings

#: Verdicts on what the service answers only to those whose key it accepts.
_ACCEPTED = (
    VerdictKind.APPLIED, VerdictKind.STORED_DIFFERS, VerdictKind.NOT_COMPLETED,
    VerdictKind.CONVERSATION_ERROR,
)  # fmt: skip


class RotatingClient:
    """Does what `FeedbackClient` does, and reads a key once more that is refused after a success.

    A refused request had no effect, so it is made again with the new key. A key that was never
    accepted is wrong, and not a rotated one; with `is_known`, whoever reads the key judges that.
    """

    def __init__(
        self,
        settings: ImportSettings,
        key: ApiKey,
        *,
        wall: Callable[[], float] = time.time,
        is_known: bool = False,
    ) -> None:
        self._settings = settings
        self._key = key
        self._wall = wall
        self._client = FeedbackClient(settings, key, wall=wall)
        #: The latest client whose key was accepted since it was read.
        self._accepted = self._client if is_known else None
        self._open = AsyncExitStack()
        self._lock = anyio.Lock()

    async def __aenter__(self) -> Self:
        await self._open.enter_async_context(self._client)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._open.aclose()

    async def put(self, feedback: Feedback) -> Verdict:
        """Set the feedback of one conversation."""
        client = self._client
        verdict = await client.put(feedback)
        if self._is_refused(client, verdict) and await self._has_another_key(client):
            refused, verdict = verdict, await self._client.put(feedback)
            requests = refused.requests + verdict.requests
            verdict = verdict._replace(requests=requests, new_key=True)
        return verdict

    async def status(self, conversation_id: str, *, shows_key: bool = False) -> Verdict:
        """Ask whether a conversation is completed.

        With `shows_key` a 403 is known to be about the key: the service has told of it before.
        """
        client = self._client
        verdict = await client.status(conversation_id)
        refused = self._is_refused(client, verdict, is_about_key=shows_key)
        if refused and await self._has_another_key(client):
            verdict = (await self._client.status(conversation_id))._replace(new_key=True)
        return verdict

    def _is_refused(
        self, client: FeedbackClient, verdict: Verdict, *, is_about_key: bool = False
    ) -> bool:
        if verdict.kind in _ACCEPTED:
            self._accepted = client
        if verdict.http_status == HTTPStatus.FORBIDDEN:
            return is_about_key or client is not self._client  # whose key is out of date
        return verdict.kind is VerdictKind.KEY_REFUSED

    async def _has_another_key(self, client: FeedbackClient) -> bool:
        """Return whether the key is another one by now than that of the client; look if need be."""
        async with self._lock:
            # Of the requests that are refused together, only the first one reads the key.
            if client is self._client and client is self._accepted:
                self._accepted = None
                await self._renew()
            return client is not self._client

    async def _renew(self) -> None:
        key = await to_thread.run_sync(self._key.renewed, abandon_on_cancel=True)
        if key is not None:
            # The old client stays open for its requests in flight.
            client = FeedbackClient(self._settings, key, wall=self._wall)
            self._client = await self._open.enter_async_context(client)
            self._key = key
