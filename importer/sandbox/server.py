"""The sandbox's server: the API's feedback and status calls over real HTTP, with a memory.

It is as strict as the service: what it accepts, the service accepts. `openapi.json` beside this
file describes it. Besides the API it answers `GET /sandbox/feedback` (what is stored, one JSON
object a line) and `GET /sandbox/statistics`.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.resources import files
from types import TracebackType
from typing import Any, NamedTuple, Self

from aiohttp import web

from importer.common.uuids import canonical_uuid
from importer.feedback.normalise import COMMENT_LIMIT
from importer.sandbox.faults import FaultPicker, Faults, RequestFault

_PATH = "/api/v1/products/{product_id}/conversations/{conversation_id}"
_RATINGS = ("POSITIVE", "NEGATIVE")


class Stored(NamedTuple):
    """The feedback of one conversation; `updated_at` is in Unix seconds."""

    rating: str | None
    comment: str | None
    updated_at: float


class _InvalidError(Exception):
    """A request that the API would not accept: `loc` and `msg` of the documented 422 body."""

    def __init__(self, loc: list[str | int], msg: str, kind: str) -> None:
        super().__init__(msg)
        self.entry = {"loc": loc, "msg": msg, "type": kind}


class Sandbox:
    """A running mock server; an async context manager. `url` is its address.

    `key` is the only API key that is accepted; None accepts any. `feedback` is what is stored, by
    conversation. `most_at_once` is the highest number of PUTs seen in flight for one conversation,
    those left out whose client has gone. `picker` decides when which of the `faults` happens.
    """

    def __init__(
        self,
        faults: Faults | None = None,
        *,
        key: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        picker: FaultPicker | None = None,
    ) -> None:
        self.faults = faults or Faults()
        self.picker = picker or FaultPicker(self.faults)
        self.feedback: dict[str, Stored] = {}
        self.statuses: Counter[int | str] = Counter()
        self.most_at_once = 0
        self.url = ""
        self._key = key
        self._host = host
        self._port = port
        self._in_flight: defaultdict[str, list[asyncio.Transport | None]] = defaultdict(list)
        self._next_place = 0.0
        self._late: set[asyncio.TimerHandle] = set()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[_errors_as_json])
        app.router.add_put(f"{_PATH}/feedback", self._put)
        app.router.add_get(f"{_PATH}/status", self._status, allow_head=False)
        app.router.add_get("/openapi.json", _openapi, allow_head=False)
        app.router.add_get("/sandbox/feedback", self._dump)
        app.router.add_get("/sandbox/statistics", self._statistics)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        try:
            await site.start()
        except BaseException:
            await self._runner.cleanup()
            raise
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for handle in self._late:
            handle.cancel()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _put(self, request: web.Request) -> web.StreamResponse:
        conversation = request.match_info["conversation_id"].lower()
        in_flight, connection = self._in_flight[conversation], request.transport
        in_flight.append(connection)
        self.most_at_once = max(self.most_at_once, sum(map(_has_client, in_flight)))
        try:
            return self._counted(await self._answer_put(request))
        finally:
            in_flight.remove(connection)
            if not in_flight:
                del self._in_flight[conversation]

    async def _answer_put(self, request: web.Request) -> web.StreamResponse:
        fault, refusal = await self._before(request)
        if refusal is not None:
            return refusal
        try:
            conversation = _path_uuid(request, "conversation_id")
            rating, comment = _parse_body(await request.read())
        except _InvalidError as invalid:
            return _json({"detail": [invalid.entry]}, 422)
        state = self._state(conversation)
        if state != "COMPLETED":
            return _json({"detail": f"The conversation is {state}; there is no answer yet."}, 409)
        stored = Stored(rating, comment, time.time())
        if fault is RequestFault.LATE:
            return await self._apply_late(request, conversation, stored)
        self.feedback[conversation] = stored
        return await self._spoil(request, fault, _echo(conversation, stored))

    async def _status(self, request: web.Request) -> web.StreamResponse:
        fault, refusal = await self._before(request)
        if refusal is not None:
            return self._counted(refusal)
        try:
            conversation = _path_uuid(request, "conversation_id")
        except _InvalidError as invalid:
            return self._counted(_json({"detail": [invalid.entry]}, 422))
        answer = {"status": self._state(conversation)}
        return self._counted(await self._spoil(request, fault, answer))

    async def _before(self, request: web.Request) -> tuple[RequestFault, web.StreamResponse | None]:
        """Do what comes before a request is understood; return its fault, or the refusal."""
        if self.faults.latency:
            await asyncio.sleep(self.faults.latency)
        key = request.headers.get("X-API-Key", "")
        if not key or (self._key is not None and key != self._key):
            return RequestFault.NONE, _json({"detail": "The API key is missing or not valid."}, 401)
        try:
            _path_uuid(request, "product_id")
        except _InvalidError as invalid:
            return RequestFault.NONE, _json({"detail": [invalid.entry]}, 422)
        if self._over_limit():
            return RequestFault.NONE, _json({"detail": "Too many requests."}, 429)
        fault = self.picker.for_request()
        match fault:
            case RequestFault.TOO_MANY:
                refusal = _json({"detail": "Too many requests."}, 429)
                if self.faults.retry_after is not None:
                    refusal.headers["Retry-After"] = f"{self.faults.retry_after:g}"
                return fault, refusal
            case RequestFault.SERVER_ERROR:
                return fault, _html(self.picker.server_status())
            case RequestFault.LOGIN_PAGE:
                return fault, _html(200)
            case RequestFault.RESET_BEFORE:
                return fault, _reset(request)
        return fault, None

    async def _spoil(
        self, request: web.Request, fault: RequestFault, answer: dict[str, Any]
    ) -> web.StreamResponse:
        """Return a good response, or what the fault makes of it after the work was done."""
        match fault:
            case RequestFault.RESET_AFTER:
                return _reset(request)
            case RequestFault.NOT_JSON:
                return _html(200)
            case RequestFault.TRUNCATED:
                body = json.dumps(answer).encode()
                response = web.StreamResponse(headers={"Content-Type": "application/json"})
                response.content_length = len(body)
                await response.prepare(request)
                await response.write(body[: len(body) // 2])
                if request.transport is not None:
                    request.transport.abort()
                return response
        return _json(answer, 200)

    async def _apply_late(
        self, request: web.Request, conversation: str, stored: Stored
    ) -> web.StreamResponse:
        """Break the connection off now and let the write take effect later."""
        loop = asyncio.get_running_loop()

        def apply() -> None:
            self.feedback[conversation] = stored
            self._late.discard(handle)

        handle = loop.call_later(self.faults.late_by, apply)
        self._late.add(handle)
        await asyncio.sleep(self.faults.late_by)
        return _reset(request)

    def _state(self, conversation: str) -> str:
        return self.picker.conversation_status(conversation, time.monotonic())

    def _over_limit(self) -> bool:
        if self.faults.rate_limit is None:
            return False
        now = time.monotonic()
        if self._next_place > now + 0.1:  # a tenth of a second's worth may come at once
            return True
        self._next_place = max(self._next_place, now) + 1 / self.faults.rate_limit
        return False

    def _counted(self, response: web.StreamResponse) -> web.StreamResponse:
        self.statuses["reset" if isinstance(response, _Reset) else response.status] += 1
        return response

    async def _dump(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        for conversation, stored in list(self.feedback.items()):
            await response.write(json.dumps(_echo(conversation, stored)).encode() + b"\n")
        return response

    async def _statistics(self, _: web.Request) -> web.Response:
        return _json(
            {
                "conversations": len(self.feedback),
                "statuses": {str(status): n for status, n in self.statuses.items()},
                "most_puts_at_once_for_a_conversation": self.most_at_once,
            },
            200,
        )


def _has_client(connection: asyncio.Transport | None) -> bool:
    return connection is not None and not connection.is_closing()


class _Reset(web.Response):
    """Stands for an answer on a connection that is gone."""


def _parse_body(raw: bytes) -> tuple[str | None, str | None]:
    """Return the rating and comment of a request body. Raises `_InvalidError`."""
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise _InvalidError(["body"], f"The body is not JSON: {error}", "json_invalid") from None
    if not isinstance(body, dict):
        raise _InvalidError(["body"], "The body should be an object", "object_type")
    rating, comment = body.get("rating"), body.get("comment")
    if rating is not None and rating not in _RATINGS:
        raise _InvalidError(
            ["body", "rating"], "Input should be POSITIVE, NEGATIVE or null", "enum"
        )
    if comment is not None and not isinstance(comment, str):
        raise _InvalidError(["body", "comment"], "Input should be a string or null", "string_type")
    if comment is not None and len(comment) > COMMENT_LIMIT:
        raise _InvalidError(
            ["body", "comment"],
            f"String should have at most {COMMENT_LIMIT} characters",
            "string_too_long",
        )
    if "rating" not in body and comment is None:
        raise _InvalidError(["body"], "Give at least one of rating and comment", "value_error")
    return rating and sys.intern(rating), comment


def _path_uuid(request: web.Request, name: str) -> str:
    found = canonical_uuid(request.match_info[name])
    if found is None:
        raise _InvalidError(["path", name], "Input should be a valid UUID", "uuid_parsing")
    return found


def _echo(conversation: str, stored: Stored) -> dict[str, Any]:
    moment = datetime.fromtimestamp(stored.updated_at, UTC).isoformat(timespec="microseconds")
    return {
        "conversation_id": conversation,
        "rating": stored.rating,
        "comment": stored.comment,
        "updated_at": moment.replace("+00:00", "Z"),
    }


def _json(content: object, status: int) -> web.Response:
    return web.Response(
        body=json.dumps(content).encode(), status=status, content_type="application/json"
    )


def _html(status: int) -> web.Response:
    title = f"{status} {HTTPStatus(status).phrase}"
    return web.Response(
        text=f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>",
        status=status,
        content_type="text/html",
    )


def _reset(request: web.Request) -> web.Response:
    """Break the connection so that the client sees a reset, not an orderly end."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    return _Reset()


async def _openapi(_: web.Request) -> web.Response:
    text = files("importer.sandbox").joinpath("openapi.json").read_text("utf-8")
    return web.Response(text=text, content_type="application/json")


@web.middleware
async def _errors_as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        answer = _json({"detail": error.reason}, error.status)
        if "Allow" in error.headers:
            answer.headers["Allow"] = error.headers["Allow"]
        return answer
