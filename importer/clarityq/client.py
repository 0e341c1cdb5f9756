"""The two calls of the API that the importer makes, over aiohttp.

Every call returns a `Verdict`: no response, a broken one and a refusal are values, not exceptions.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from yarl import URL

from importer.clarityq.api_key import ApiKey
from importer.clarityq.direct_path import DirectPath
from importer.clarityq.exchange import Answer, Endpoint, NoAnswerError, ServicePath
from importer.clarityq.failures import judge_failure
from importer.clarityq.file_limit import allow_connections
from importer.clarityq.payload import encode_body
from importer.clarityq.proxy import proxy_for
from importer.clarityq.responses import (
    Verdict,
    VerdictKind,
    judge_feedback,
    judge_status,
    parse_retry_after,
    printable,
)
from importer.clarityq.self_check import direct_path_is_usable
from importer.clarityq.session_path import SessionPath
from importer.model import Feedback
from importer.settings import ImportSettings

#: The longest `updated_at` that is kept, in code points.
_MOMENT_LIMIT = 64
_USER_AGENT = "clarityq-importer"


class FeedbackClient:
    """Sends feedback and asks for statuses; an async context manager that owns the connections.

    `path` is the way to the service; None lets the client choose the fastest one that works here.
    Entering raises `SettingsError` for a proxy that cannot be used, and for more requests in flight
    than this process may have connections.
    """

    def __init__(
        self,
        settings: ImportSettings,
        key: ApiKey,
        *,
        wall: Callable[[], float] = time.time,
        path: type[ServicePath] | None = None,
    ) -> None:
        self._settings = settings
        self._key = key
        self._wall = wall
        base = URL(settings.target.base_url, encoded=True)
        self._origin = base.origin()
        product = settings.target.product_id
        self._prefix = f"{base.raw_path.rstrip('/')}/api/v1/products/{product}/conversations/"
        self._chosen = path
        self._path: ServicePath | None = None

    async def __aenter__(self) -> Self:
        settings = self._settings
        headers = {
            "X-API-Key": self._key.reveal(),
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": _USER_AGENT,
        }
        proxy = proxy_for(self._origin) if settings.target.trust_env else None
        endpoint = Endpoint(self._origin, headers, settings.timeouts, _tls_context(settings), proxy)
        allow_connections(settings.pacing.concurrency)
        chosen = self._chosen or await _fastest(endpoint)
        self._path = await chosen(endpoint).__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._path is not None  # noqa: S101 -- entered before it is left
        await self._path.__aexit__(kind, error, trace)

    async def put(self, feedback: Feedback) -> Verdict:
        """Set the feedback of one conversation (one attempt)."""
        target = f"{self._prefix}{feedback.conversation_id}/feedback"
        answer = await self._call("PUT", target, encode_body(feedback))
        if isinstance(answer, Verdict):
            return answer
        verdict = judge_feedback(feedback, answer.status, answer.body, self._key.redact)
        return self._completed(verdict, answer)

    async def status(self, conversation_id: str) -> Verdict:
        """Ask whether a conversation is completed (one attempt)."""
        answer = await self._call("GET", f"{self._prefix}{conversation_id}/status", None)
        if isinstance(answer, Verdict):
            return answer
        return self._completed(judge_status(answer.status, answer.body, self._key.redact), answer)

    async def _call(self, method: str, target: str, body: bytes | None) -> Answer | Verdict:
        """Return the answer to one request, or the verdict on there being none."""
        path = self._path
        assert path is not None, "enter the client first"  # noqa: S101
        try:
            answer = await path.exchange(method, target, body)
        except NoAnswerError as error:
            return judge_failure(error.cause, sent=error.sent, redact=self._key.redact)
        if answer.status == 200 or not answer.body:
            return answer
        # Before it is quoted: a quotation may be cut in the middle of the key.
        return answer._replace(body=self._key.redact(answer.body))

    def _completed(self, verdict: Verdict, answer: Answer) -> Verdict:
        """Add to a verdict what it does not take from status and body."""
        if answer.retry_after is not None and verdict.kind is VerdictKind.TRANSIENT:
            seconds = parse_retry_after(answer.retry_after, self._wall())
            if seconds is not None:
                seconds = min(seconds, self._settings.retries.after_max)
            verdict = verdict._replace(retry_after=seconds)
        if verdict.kind is VerdictKind.TURNED_AWAY and (place := _place(answer.location)):
            verdict = verdict._replace(detail=f"{verdict.detail}, to {self._key.redact(place)}")
        if verdict.updated_at is not None:
            moment = printable(self._key.redact(verdict.updated_at))[:_MOMENT_LIMIT]
            if moment != verdict.updated_at:
                verdict = verdict._replace(updated_at=moment)
        return verdict


async def _fastest(endpoint: Endpoint) -> type[ServicePath]:
    if endpoint.proxy is None and await direct_path_is_usable(endpoint):
        return DirectPath
    return SessionPath


def _place(location: str | None) -> str:
    """Return the address without what may be secret or is long: user, query, fragment."""
    try:
        url = URL(location or "").with_user(None).with_query(None).with_fragment(None)
    except ValueError:
        return ""
    return printable(str(url))


def _tls_context(settings: ImportSettings) -> ssl.SSLContext | None:
    if settings.target.ca_file is None:
        return None
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    context.load_verify_locations(settings.target.ca_file)
    return context
