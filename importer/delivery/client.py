"""The two calls of the API that the importer makes, over aiohttp.

Every call returns a `Verdict`: no answer, a broken one and a refusal are values, not exceptions.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from http import HTTPStatus
from types import TracebackType
from typing import Self

import aiohttp
import msgspec
from yarl import URL

from importer.delivery.verdicts import (
    Verdict,
    VerdictKind,
    judge_feedback,
    judge_status,
    parse_retry_after,
    printable,
)
from importer.model import Feedback, Meaning
from importer.secret import ApiKey
from importer.settings import ImportSettings

#: The longest answer that is read, in bytes. The longest documented one is below 20 KiB.
ANSWER_LIMIT = 64 * 1024

_USER_AGENT = "clarityq-importer"
_RATING_JSON = {
    Meaning.POSITIVE: b'"rating":"POSITIVE"',
    Meaning.NEGATIVE: b'"rating":"NEGATIVE"',
    Meaning.CLEAR: b'"rating":null',
}


def encode_body(feedback: Feedback) -> bytes:
    """Return the request body for `feedback`: JSON with only the keys that are to be set."""
    keys = []
    if feedback.rating is not None:
        keys.append(_RATING_JSON[feedback.rating])
    if feedback.comment is not None:
        keys.append(b'"comment":' + msgspec.json.encode(feedback.comment))
    return b"{" + b",".join(keys) + b"}"


class FeedbackClient:
    """Sends feedback and asks for statuses; an async context manager that owns the connections."""

    def __init__(
        self, settings: ImportSettings, key: ApiKey, *, wall: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._key = key
        self._wall = wall
        base = settings.base_url.rstrip("/")
        self._prefix = f"{base}/api/v1/products/{settings.product_id}/conversations/"
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        settings = self._settings
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=settings.concurrency, ssl=_tls_context(settings) or True
            ),
            timeout=aiohttp.ClientTimeout(
                total=settings.total_timeout,
                sock_connect=settings.connect_timeout,
                sock_read=settings.read_timeout,
            ),
            headers={
                "X-API-Key": self._key.reveal(),
                "Content-Type": "application/json",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": _USER_AGENT,
            },
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=settings.trust_env,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._session is not None  # noqa: S101 -- entered before it is left
        await self._session.close()

    async def put(self, feedback: Feedback) -> Verdict:
        """Set the feedback of one conversation (one attempt)."""
        url = f"{self._prefix}{feedback.conversation_id}/feedback"
        return await self._call(
            "PUT", url, encode_body(feedback), lambda s, body: judge_feedback(feedback, s, body)
        )

    async def status(self, conversation_id: str) -> Verdict:
        """Ask whether a conversation is completed (one attempt)."""
        url = f"{self._prefix}{conversation_id}/status"
        return await self._call("GET", url, None, judge_status)

    async def _call(
        self,
        method: str,
        url: str,
        body: bytes | None,
        judge: Callable[[int, bytes | None], Verdict],
    ) -> Verdict:
        assert self._session is not None, "enter the client first"  # noqa: S101
        try:
            async with self._session.request(
                method, URL(url, encoded=True), data=body, allow_redirects=False
            ) as response:
                answer = await _read(response)
                if answer is not None and response.status != HTTPStatus.OK:
                    # Before it is quoted: a quotation may be cut in the middle of the key.
                    answer = self._key.redact(answer)
                verdict = judge(response.status, answer)
                retry_after = response.headers.get("Retry-After")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return self._no_answer(error)
        if verdict.kind is VerdictKind.TRANSIENT and retry_after is not None:
            seconds = parse_retry_after(retry_after, self._wall())
            if seconds is not None:
                seconds = min(seconds, self._settings.retry_after_max)
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
            return Verdict(VerdictKind.TRANSIENT, "timed out waiting for the answer", late=True)
        return Verdict(VerdictKind.TRANSIENT, f"no answer: {said or type(error).__name__}")


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    """Return the whole body, or None if it breaks off or is longer than `ANSWER_LIMIT`.

    The connection can be used again only when all of the body was read.
    """
    parts: list[bytes] = []
    size = 0
    try:
        async for part in response.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > ANSWER_LIMIT:
                response.close()
                return None
    except aiohttp.ClientPayloadError:
        return None
    return b"".join(parts)


def _tls_context(settings: ImportSettings) -> ssl.SSLContext | None:
    if settings.ca_file is None:
        return None
    context = ssl.create_default_context()
    context.load_verify_locations(settings.ca_file)
    return context
