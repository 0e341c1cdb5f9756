"""What it means that no answer came, in words that name what a person can act on."""

from __future__ import annotations

import errno
import os
import ssl

import aiohttp
from aiohttp.http import HttpProcessingError

from importer.clarityq.responses import Redact, Verdict, VerdictKind, kind_of, printable

_NO_FILE_HANDLE = (errno.EMFILE, errno.ENFILE)


def judge_failure(error: Exception, *, sent: bool, redact: Redact = str) -> Verdict:
    """Return the verdict on a request that got no answer.

    `sent` says whether the request was handed to a connection. What is quoted goes through
    `redact`.
    """
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
        said = printable(getattr(cause, "verify_message", "") or str(cause))
        kind, detail = VerdictKind.UNTRUSTED, f"the certificate is not trusted: {said}"
    elif isinstance(error, aiohttp.ClientHttpProxyError):
        # The proxy would not connect: it answers in the place of the service.
        said = printable(redact(error.message))
        detail = f"{error.status} from the proxy: {said}"
        return Verdict(kind_of(error.status), detail, error.status, requests=0, sent=False)
    else:
        kind, detail = VerdictKind.TRANSIENT, _in_words(error, redact, sent=sent)
    return Verdict(kind, detail, definite=not sent, requests=int(sent), sent=sent)


def _in_words(error: Exception, redact: Redact, *, sent: bool) -> str:
    """Return what happened, without what only this library would say."""
    match error:
        case TimeoutError():
            return "timed out waiting for the response" if sent else "timed out while connecting"
        case HttpProcessingError() | aiohttp.ClientResponseError():
            # What follows quotes the answer, cut anywhere, with the parser's own signs.
            first = (error.message.splitlines() or [""])[0].partition(": b'")[0]
            said = printable(redact(first.rstrip(":")))
            return f"the answer is not valid HTTP: {said}"
        case OSError() if error.errno in _NO_FILE_HANDLE:
            return (
                "no response: this machine allows no more open files; "
                "raise `ulimit -n` or lower --concurrency"
            )
        case aiohttp.ClientConnectorDNSError():
            return f"no response: the address of {error.host} is not found ({_reason(error)})"
        case aiohttp.ClientProxyConnectionError():
            return f"no response: cannot connect to the proxy ({_reason(error)})"
        case aiohttp.ClientConnectorError():
            return f"no response: cannot connect to {error.host}:{error.port} ({_reason(error)})"
        case aiohttp.ServerDisconnectedError():
            what = "an answer came" if sent else "the request was sent"
            return f"no response: the connection was closed before {what}"
        case ssl.SSLError() | OSError():
            return f"no response: {_reason(error)}"
        case _:
            return f"no response: {printable(redact(str(error))) or type(error).__name__}"


def _reason(error: OSError) -> str:
    """Return the system's own words for `error`."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    # asyncio has words of its own for a refused connection, with the address once more.
    # (TLS and the look-up of names have errno of their own, and those texts are to be kept.)
    is_refused = cause.errno == errno.ECONNREFUSED
    said = os.strerror(errno.ECONNREFUSED) if is_refused else cause.strerror or str(cause)
    return printable(said) or type(cause).__name__
