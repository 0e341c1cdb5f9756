"""Copies a file from a web server, by ranges where a connection breaks.

Nothing but the address is sent, so a redirect carries no secret to another host.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from functools import partial
from http.client import HTTPMessage, HTTPResponse
from typing import IO
from urllib.parse import unquote, urlsplit

from importer.errors import InputError
from importer.settings import ImportSettings
from importer.settings.places import SourceAddress
from importer.sources.copies.partial_copy import CopyOrigin, PartialCopy
from importer.sources.copies.persistence import CutError, persist

_PIECE = 1 << 16
_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
_PARTIAL, _NOT_SATISFIABLE = 206, 416
_CONTENT_RANGE = re.compile(r"bytes (?P<first>\d+)-\d+/(?P<whole>\d+|\*)", re.ASCII)
#: Seconds.
_SURELY_OLD = 60.0
_HEADERS = {"User-Agent": "clarityq-importer", "Accept-Encoding": "identity"}


def copy(address: SourceAddress, part: PartialCopy, settings: ImportSettings) -> str:
    """Copy what is at an address; see `carriers`."""
    if address.lacks_query:
        raise InputError(
            f"{address.label}: the query of the address is not recorded, since it may hold a "
            "secret, and the copy is not whole: give the whole address once more"
        )
    opener = _opener(settings)
    persist(part, partial(_go_on, address, part, opener, settings.timeouts.read))
    return unquote(address.name)


def _go_on(
    address: SourceAddress, part: PartialCopy, opener: urllib.request.OpenerDirector, silence: float
) -> None:
    """Copy the rest. Raises `CutError`."""
    request = urllib.request.Request(address.full, headers=_HEADERS)  # noqa: S310 -- by its scheme
    original, size = part.original, part.size
    if original is not None and original.version and size:
        request.add_header("Range", f"bytes={size}-")
        request.add_header("If-Range", original.version)
    try:
        with opener.open(request, timeout=silence) as response:
            if response.status != _PARTIAL:
                part.begin(_original(part.name, response))
            elif not _goes_on(response, part):
                part.begin(CopyOrigin(part.name))
                raise CutError("the server answers with a part that is not the rest of the copy")
            part.append(_pieces(address, response))
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == _NOT_SATISFIABLE and original is not None and original.size == size:
            return
        if error.code in _TRANSIENT:
            raise CutError(f"the server answers {error.code}") from None
        raise InputError(f"{address.label}: {_refused(error.code)}") from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise InputError(
                f"{address.label}: the server's certificate is not trusted "
                f"({error.reason.verify_message}): --ca-file adds an authority"
            ) from None
        if isinstance(error.reason, socket.gaierror) and error.reason.errno == socket.EAI_NONAME:
            raise InputError(f"{address.label}: there is no such host") from None
        raise CutError(_words(address, error.reason)) from None
    except (http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
        raise CutError(_words(address, error)) from None
    whole = None if part.original is None else part.original.size
    if whole is not None and part.size != whole:
        raise CutError(f"the connection was cut after {part.size:,} of {whole:,} bytes")


def _original(name: str, response: HTTPResponse) -> CopyOrigin:
    length = response.headers.get("Content-Length", "")
    version = _version(response.headers)
    if response.headers.get("Accept-Ranges", "").lower() == "none":
        version = ""
    return CopyOrigin(name, version, int(length) if length.isdecimal() else None)


def _version(headers: HTTPMessage) -> str:
    """Return what proves, as `If-Range`, that the bytes are the same (RFC 9110, 8.8), or nothing.

    A weak `ETag` does not, nor does the time of a change after which there may have been another
    one at the same time, to the second and as the clocks of servers go.
    """
    tag = headers.get("ETag", "")
    if tag and not tag.startswith("W/"):
        return tag
    modified = headers.get("Last-Modified", "")
    try:
        age = parsedate_to_datetime(headers["Date"]) - parsedate_to_datetime(modified)
    except (TypeError, ValueError):  # one is missing, is no date, or has no zone
        return ""
    return modified if age.total_seconds() >= _SURELY_OLD else ""


def _goes_on(response: HTTPResponse, part: PartialCopy) -> bool:
    """Return whether a part of a file is the rest of the copy."""
    found = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    if found is None or int(found["first"]) != part.size:
        return False
    size = part.original and part.original.size
    return size is None or found["whole"] in ("*", str(size))


def _pieces(address: SourceAddress, response: HTTPResponse) -> Iterator[bytes]:
    while piece := _read(address, response):
        yield piece


def _read(address: SourceAddress, response: HTTPResponse) -> bytes:
    try:
        return response.read1(_PIECE)  # what is there, so that a slow one can be given up
    except (OSError, http.client.HTTPException) as error:
        raise CutError(_words(address, error)) from None


def _refused(code: int) -> str:
    match code:
        case 401 | 403:
            return (
                f"the server refuses it ({code}). A signed address holds for some time only: make "
                "a new one"
            )
        case 404 | 410:
            return f"there is nothing at this address ({code})"
        case 301 | 302 | 303 | 307 | 308:
            return f"the server redirects ({code}) to where it is not followed"
    return f"the server answers {code}"


def _words(address: SourceAddress, error: object) -> str:
    # The system's own words, without the number that Python puts before them.
    said = error.strerror if isinstance(error, OSError) else None
    return address.hides(said or str(error)) or type(error).__name__


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a few redirects, and none that leaves encryption."""

    max_redirections = 5
    max_repeats = 2

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """See `HTTPRedirectHandler`."""
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if new.scheme != "https" and (old.scheme == "https" or new.scheme != "http"):
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(settings: ImportSettings) -> urllib.request.OpenerDirector:
    context = ssl.create_default_context()
    if settings.target.ca_file is not None:
        context.load_verify_locations(settings.target.ca_file)
    return urllib.request.build_opener(
        urllib.request.ProxyHandler(None if settings.target.trust_env else {}),
        urllib.request.HTTPSHandler(context=context),
        _Redirects,
    )
