"""One POST to a system that is told of a run. Its address is a secret and is never shown."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, NamedTuple

#: Seconds of silence that are borne. How long it may take in all is up to the caller.
_SILENCE = 10.0


class Network(NamedTuple):
    """How the run reaches other machines."""

    #: Whether to use the proxies that the environment names.
    trust_env: bool = False
    #: Certificates of an additional CA, in PEM.
    ca_file: Path | None = None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the address's token elsewhere."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        """See `HTTPRedirectHandler`."""


def post(label: str, url: str, content_type: str, body: bytes, network: Network) -> str:
    """POST `body` to `url`; return what went wrong, or nothing. `label` is what messages call it.

    Nothing of the response is read but its status. It blocks, with no event loop and no pool of
    threads, so that a name server or a host that never answers can be given up.
    """
    request = urllib.request.Request(  # noqa: S310 -- checked when the option was read
        url, body, {"Content-Type": content_type, "User-Agent": "clarityq-importer"}, method="POST"
    )
    context = ssl.create_default_context()
    if network.ca_file is not None:
        context.load_verify_locations(network.ca_file)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler(None if network.trust_env else {}),
        urllib.request.HTTPSHandler(context=context),
        _NoRedirects,
    )
    try:
        with opener.open(request, timeout=_SILENCE):
            return ""
    except urllib.error.HTTPError as error:
        error.close()
        return f"{label} answered {error.code}"
    except urllib.error.URLError as error:
        return f"{label} could not be notified: {_words(error.reason)}"
    except (OSError, HTTPException, ValueError) as error:
        return f"{label} could not be notified: {_words(error)}"


def _words(error: object) -> str:
    """Return what went wrong; not the text of every error, which may hold the address."""
    match error:
        case ssl.SSLCertVerificationError():
            return "its certificate is not trusted (--ca-file)"
        case TimeoutError():
            return "no response"
        case OSError(errno=int(), strerror=str(said)) if not isinstance(error, ssl.SSLError):
            return said
    return type(error).__name__
