"""The service: how it is reached, its certificate, its clock, and what it makes of the key."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
import uuid
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from yarl import URL

from importer.clarityq.api_key import ApiKey
from importer.clarityq.proxy import proxy_for
from importer.errors import SettingsError
from importer.settings.groups import Target
from importer.workflows.doctor.finding import Finding, Subject, fails, fine, look

#: Seconds of silence that are borne.
_PATIENCE = 10.0
#: Days that a certificate should still be valid for.
_DAYS = 14
#: Seconds that the clocks may differ by.
_CLOCKS = 60.0


class _Proxy(NamedTuple):
    host: str
    port: int
    #: What the proxy is told of who asks; it may hold a password.
    headers: dict[str, str]

    @property
    def shown(self) -> str:
        """Its address, without user name and password."""
        return f"{self.host}:{self.port}"


def service(target: Target, key: ApiKey | None, *, has_product: bool) -> Iterator[Finding]:
    """Yield what is found on the way to the service, as far as one gets.

    With a key, and if the product is known, the status of a random conversation is asked for: it
    changes nothing.
    """
    url = urlsplit(target.base_url)
    host = url.hostname or ""
    proxy, finding = _proxy_of(target)
    yield finding
    if finding.level:
        return
    if proxy is None:
        try:
            socket.getaddrinfo(host, url.port or url.scheme)
        except OSError as error:
            text = f"the name {host} cannot be resolved ({error.strerror}): see --base-url, and DNS"
            yield fails(Subject.SERVICE, text, url=target.base_url)
            return
    try:
        with closing(_connect(target, proxy)) as connection:
            connection.connect()
            if isinstance(connection.sock, ssl.SSLSocket):
                yield _certificate(connection.sock)
            yield from _asked(connection, target, key, has_product=has_product)
    except ssl.SSLCertVerificationError as error:
        text = f"the certificate of {host} is not trusted ({error.verify_message}): see --ca-file"
        yield fails(Subject.CERTIFICATE, text)
    except (OSError, http.client.HTTPException) as error:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        through = f" through the proxy {proxy.shown}" if proxy else ""
        text = f"{target.base_url} cannot be reached{through}: {said}"
        yield fails(Subject.SERVICE, text, url=target.base_url)


def _proxy_of(target: Target) -> tuple[_Proxy | None, Finding]:
    """Return the proxy that a run would use, and what is to be said of proxies."""
    try:
        proxy = proxy_for(URL(target.base_url).origin())
    except SettingsError as error:
        said = fails if target.trust_env else fine
        return None, said(Subject.PROXY, str(error), used=target.trust_env)
    if proxy is None or not target.trust_env:
        shown = None if proxy is None else f"{proxy.host}:{proxy.port}"
        text = f"the environment names {shown}, which is not used without --trust-env"
        return None, fine(Subject.PROXY, text if shown else "none", used=False, proxy=shown)
    if proxy.scheme == "https":
        text = "it is spoken to by https, which `doctor` cannot do: what follows is not tried"
        return None, look(Subject.PROXY, text, used=True)
    headers = {}
    if proxy.user:
        who = f"{proxy.user}:{proxy.password or ''}"
        headers["Proxy-Authorization"] = f"Basic {b64encode(who.encode()).decode()}"
    found = _Proxy(proxy.host or "", proxy.port or 80, headers)
    text = f"{found.shown}, as the environment says"
    return found, fine(Subject.PROXY, text, used=True, proxy=found.shown)


def _connect(target: Target, proxy: _Proxy | None) -> http.client.HTTPConnection:
    url = urlsplit(target.base_url)
    host, port = url.hostname or "", url.port
    first, first_port = (host, port) if proxy is None else (proxy.host, proxy.port)
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        context = ssl.create_default_context()
        if target.ca_file is not None:
            context.load_verify_locations(target.ca_file)
        connection = http.client.HTTPSConnection(
            first, first_port, timeout=_PATIENCE, context=context
        )
    else:
        connection = http.client.HTTPConnection(first, first_port, timeout=_PATIENCE)
    if proxy is not None:
        connection.set_tunnel(host, port or (443 if url.scheme == "https" else 80), proxy.headers)
    return connection


def _certificate(sock: ssl.SSLSocket) -> Finding:
    certificate = sock.getpeercert() or {}
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    days = (until - datetime.now(UTC)).days
    facts = {"days": days, "not_after": until.isoformat(), "tls": sock.version()}
    text = f"trusted, {sock.version()}, valid for {days} more days (until {until:%Y-%m-%d})"
    if days < _DAYS:
        return look(Subject.CERTIFICATE, f"{text}: the service should renew it soon", **facts)
    return fine(Subject.CERTIFICATE, text, **facts)


def _asked(
    connection: http.client.HTTPConnection, target: Target, key: ApiKey | None, *, has_product: bool
) -> Iterator[Finding]:
    path = urlsplit(target.base_url).path.rstrip("/")
    path += f"/api/v1/products/{target.product_id}/conversations/{uuid.uuid4()}/status"
    headers = {"Accept": "application/json", "User-Agent": "clarityq-importer"}
    if key is not None:
        headers["X-API-Key"] = key.reveal()
    before = time.time()
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    took = time.time() - before
    status = response.status
    facts = {"url": target.base_url, "http_status": status, "seconds": round(took, 3)}
    is_json = "json" in (response.headers.get("Content-Type") or "json")
    text = f"{target.base_url} answers in {took * 1000:,.0f} ms"
    if 300 <= status < 400:
        where = "another address"
        yield fails(Subject.SERVICE, f"{text} with a redirect: set --base-url to {where}", **facts)
        return
    if status >= 500 or status == http.client.TOO_MANY_REQUESTS:
        yield look(Subject.SERVICE, f"{text} with {status}: it may be busy or down", **facts)
    elif not is_json:
        kind = response.headers.get_content_type()
        text += f" with {kind} rather than JSON: is --base-url the address of the API?"
        yield look(Subject.SERVICE, text, **facts)
    else:
        yield fine(Subject.SERVICE, text, **facts)
    yield from _clock(response.headers.get("Date"), before + took / 2)
    if key is not None:
        yield _judged(status, key.source or "the caller", has_product=has_product)


def _clock(date: str | None, now: float) -> Iterator[Finding]:
    try:
        theirs = parsedate_to_datetime(date or "")
    except ValueError:
        return
    # It names the second that has begun.
    ahead = now - 0.5 - theirs.replace(tzinfo=theirs.tzinfo or UTC).timestamp()
    facts = {"seconds_ahead": round(ahead)}
    if abs(ahead) <= _CLOCKS:
        yield fine(Subject.CLOCK, f"agrees with the service's within {_CLOCKS:g} s", **facts)
        return
    way = "ahead of" if ahead > 0 else "behind"
    text = f"{abs(ahead):,.0f} s {way} the service's: set this machine's clock (NTP)"
    yield look(Subject.CLOCK, text, **facts)


def _judged(status: int, source: str, *, has_product: bool) -> Finding:
    """Return what the answer says of the key that is from `source`."""
    facts = {"http_status": status, "source": source}
    from_it = f"from {source}"
    if status == http.client.UNAUTHORIZED:
        return fails(Subject.KEY, f"{from_it}: the service refuses it (401)", **facts)
    if status == http.client.FORBIDDEN:
        if not has_product:
            text = f"{from_it}: refused without --product-id (403); give it"
            return look(Subject.KEY, text, **facts)
        text = f"{from_it}: the service refuses it (403): check that it belongs to this product"
        return fails(Subject.KEY, text, **facts)
    if status >= 500 or status in (407, 429) or 300 <= status < 400:
        text = f"{from_it}: the answer ({status}) tells nothing of the key: try again later"
        return look(Subject.KEY, text, **facts)
    text = f"{from_it}: accepted for reading a status ({status}); this proves no right to write"
    if not has_product:
        text += ", and nothing for your product: try it with --product-id"
    return fine(Subject.KEY, text, **facts)
