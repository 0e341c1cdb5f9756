"""The two calls of the API that the importer makes, over aiohttp.

Every call returns a `Verdict`: no response, a broken one and a refusal are values, not exceptions.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from http import HTTPStatus
from types import TracebackType
from typing import NamedTuple, Self

import aiohttp
from yarl import URL

from importer.clarityq.api_key import ApiKey
from importer.clarityq.call_timeout import Deadline
from importer.clarityq.fast_request import Template, lean_request_class
from importer.clarityq.payload import encode_body
from importer.clarityq.proxy import check_proxy
from importer.clarityq.responses import (
    Verdict,
    VerdictKind,
    judge_feedback,
    judge_status,
    parse_retry_after,
    printable,
)
from importer.model import Feedback
from importer.settings import ImportSettings

#: The longest response that is read, in bytes. The longest documented one is below 20 KiB.
ANSWER_LIMIT = 64 * 1024

_USER_AGENT = "clarityq-importer"


class FeedbackClient:
    """Sends feedback and asks for statuses; an async context manager that owns the connections.

    Entering raises `SettingsError` for a proxy that cannot be used.
    """

    def __init__(
        self, settings: ImportSettings, key: ApiKey, *, wall: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._key = key
        self._wall = wall
        base = URL(settings.target.base_url, encoded=True)
        self._origin = base.origin()
        product = settings.target.product_id
        self._prefix = f"{base.raw_path.rstrip('/')}/api/v1/products/{product}/conversations/"
        self._session: aiohttp.ClientSession | None = None
        self._template: Template | None = None
        self._deadline: Deadline | None = None

    async def __aenter__(self) -> Self:
        settings = self._settings
        headers = {
            "X-API-Key": self._key.reveal(),
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": _USER_AGENT,
        }
        if settings.target.trust_env:
            check_proxy(self._origin)
        else:  # a request through a proxy has to be aiohttp's own
            self._template = Template(self._origin, headers)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=settings.pacing.concurrency, ssl=_tls_context(settings) or True
            ),
            timeout=aiohttp.ClientTimeout(
                sock_connect=settings.timeouts.connect, sock_read=settings.timeouts.read
            ),
            request_class=(
                lean_request_class(self._origin) if self._template else aiohttp.ClientRequest
            ),
            headers=None if self._template else headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=settings.target.trust_env,
        )
        self._deadline = Deadline(settings.timeouts.total)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._session is not None  # noqa: S101 -- entered before it is left
        assert self._deadline is not None  # noqa: S101
        self._deadline.close()
        await self._session.close()

    async def put(self, feedback: Feedback) -> Verdict:
        """Set the feedback of one conversation (one attempt)."""
        path = f"{self._prefix}{feedback.conversation_id}/feedback"
        answer = await self._call("PUT", path, encode_body(feedback))
        if isinstance(answer, Verdict):
            return answer
        return self._completed(judge_feedback(feedback, answer.status, answer.body), answer)

    async def status(self, conversation_id: str) -> Verdict:
        """Ask whether a conversation is completed (one attempt)."""
        answer = await self._call("GET", f"{self._prefix}{conversation_id}/status", None)
        if isinstance(answer, Verdict):
            return answer
        return self._completed(judge_status(answer.status, answer.body), answer)

    async def _call(self, method: str, path: str, body: bytes | None) -> _Answer | Verdict:
        """Return the response to one request, or the verdict on there being none."""
        session, deadline = self._session, self._deadline
        assert session is not None, "enter the client first"  # noqa: S101
        assert deadline is not None  # noqa: S101
        url, data = self._origin, body
        if self._template is not None:
            data = self._template.fill_in(method, path, body)
        else:
            url = url.with_path(path, encoded=True)
        response = None
        try:
            with deadline:
                response = await session.request(method, url, data=data, allow_redirects=False)
                answer = await _read(response)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return self._no_answer(error)
        finally:
            if response is not None and not response.closed:
                response.close()
        if response.status == HTTPStatus.OK:
            return _Answer(response.status, answer)
        # Before it is quoted: a quotation may be cut in the middle of the key.
        answer = answer and self._key.redact(answer)
        return _Answer(response.status, answer, response.headers.get("Retry-After"))

    def _completed(self, verdict: Verdict, answer: _Answer) -> Verdict:
        """Add to a verdict what it does not take from status and body."""
        if verdict.kind is VerdictKind.TRANSIENT and answer.retry_after is not None:
            seconds = parse_retry_after(answer.retry_after, self._wall())
            if seconds is not None:
                seconds = min(seconds, self._settings.retries.after_max)
            verdict = verdict._replace(retry_after=seconds)
        if verdict.detail:
            verdict = verdict._replace(detail=self._key.redact(verdict.detail))
        return verdict

    def _no_answer(self, error: Exception) -> Verdict:
        said = self._key.redact(printable(str(error)))
        if isinstance(error, ssl.CertificateError):
            return Verdict(VerdictKind.UNTRUSTED, f"the certificate is not trusted: {said}")
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return Verdict(VerdictKind.TRANSIENT, "timed out while connecting")
        if isinstance(error, TimeoutError):
            return Verdict(VerdictKind.TRANSIENT, "timed out waiting for the response", late=True)
        return Verdict(VerdictKind.TRANSIENT, f"no response: {said or type(error).__name__}")


class _Answer(NamedTuple):
    """What came back: the status, the whole body (None if there is none), and `Retry-After`."""

    status: int
    body: bytes | None
    retry_after: str | None = None


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    """Return the whole body, or None if it breaks off or is longer than `ANSWER_LIMIT`.

    The connection can be used again only when all of the body was read; else it is to be closed.
    """
    try:
        body = await response.content.readany()
        while not response.content.at_eof():
            body += await response.content.readany()
            if len(body) > ANSWER_LIMIT:
                return None
    except aiohttp.ClientPayloadError:
        return None
    return body


def _tls_context(settings: ImportSettings) -> ssl.SSLContext | None:
    if settings.target.ca_file is None:
        return None
    context = ssl.create_default_context()
    context.load_verify_locations(settings.target.ca_file)
    return context
