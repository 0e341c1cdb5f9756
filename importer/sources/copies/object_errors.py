"""Says in words what an object store, or the way to it, refuses.

The library tells it in one text, with the address that was asked, the answer and its causes. Only
known parts of that text are shown, since it may hold signatures and passwords.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from importer.common.text import readable
from importer.errors import InputError
from importer.settings.places import SourceAddress
from importer.sources.copies.persistence import CutError

_ASKED = re.compile(r"performing [A-Z]+ (\S+)")
_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_CERTIFICATE = re.compile(r"InvalidCertificate\( ?(\w+)")
_CAUSE = re.compile(r'(?:message|error): "([^"]{1,200})"')
#: Where a machine or a container is asked for the role that it has.
_ROLES = ("169.254.169.254", "169.254.170.2", "metadata.google.internal")
_TRANSIENT = (408, 425, 429)
_NO_CONTAINER = ("NoSuchBucket", "ContainerNotFound", "InvalidBucketName")
_REASONS = {
    "InvalidAccessKeyId": "the key id is not known there",
    "SignatureDoesNotMatch": "the secret key does not belong to the key id",
    "AuthenticationFailed": "the key or the signature is wrong",
    "AccessDenied": "these credentials may not read it",
    "AuthorizationFailure": "the key is wrong, or may not read it",
    "AuthorizationPermissionMismatch": "these credentials may not read it",
    "ExpiredToken": "the credentials have run out",
    "InvalidToken": "the session token does not belong to the key",
    "RequestTimeTooSkewed": "the clock of this machine is wrong",
    "AuthorizationHeaderMalformed": "perhaps AWS_REGION is not the region of the bucket",
}
_LONGEST_CAUSE = 200


class Cloud(NamedTuple):
    """The words of a cloud: what holds objects, and how credentials are given.

    `endpoints` are the variables that name another store than its own; `may_be_open` is the one
    that says that it needs no encryption.
    """

    container: str
    credentials: str
    endpoints: Sequence[str]
    may_be_open: str


_S3 = Cloud(
    "bucket",
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile of ~/.aws in AWS_PROFILE",
    ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "AWS_ALLOW_HTTP",
)
_GOOGLE = Cloud(
    "bucket",
    "let GOOGLE_APPLICATION_CREDENTIALS name a file of a service account",
    ("GOOGLE_BASE_URL",),
    "GOOGLE_ALLOW_HTTP",
)
_AZURE = Cloud(
    "container",
    "set AZURE_STORAGE_ACCOUNT_NAME, and AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN",
    ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
    "AZURE_ALLOW_HTTP",
)
_CLOUDS = {"s3": _S3, "s3a": _S3, "gs": _GOOGLE}


def cloud_of(address: SourceAddress) -> Cloud:
    """Return the cloud that an address is of."""
    return _CLOUDS.get(address.scheme, _AZURE)


def explained(address: SourceAddress, error: Exception) -> InputError | CutError:
    """Return what is to be raised for what the library has raised: with what to do, or try again.

    What is not known better is tried again.
    """
    text = " ".join(str(error).split())
    cloud = cloud_of(address)
    asked = _ASKED.search(text)
    if asked is None:
        if "HTTP error" in text:  # within an answer
            return CutError(_cut(text))
        return _unusable(address, text.partition(" Debug source")[0], cloud)
    place = urlsplit(asked[1])
    host = place.netloc.rpartition("@")[2]  # of an address that is signed, nothing is told
    where = f"{place.scheme}://{host}" if host else "the store"
    if place.hostname in _ROLES:
        return InputError(
            f"{address.label}: no credentials were found, and this machine has no role: "
            f"{cloud.credentials}"
        )
    code = _CODE.search(text)
    if status := _STATUS.search(text):
        return _answered(address, where, int(status[1]), code[1] if code else "", cloud)
    if "redirect without LOCATION" in text:
        return InputError(
            f"{address.label}: the bucket is in another region than the one that was asked: set "
            "AWS_REGION to the bucket's region"
        )
    return _unreachable(address, where, text, cloud)


def _unusable(address: SourceAddress, said: str, cloud: Cloud) -> InputError:
    """Return what is wrong with what was set in the environment, or with a good answer."""
    for name, value in os.environ.items():
        if len(value) > 2 and name.startswith(("AWS_", "AZURE_", "GOOGLE_")):
            said = said.replace(value, f"${name}")
    why = readable(said.partition("error: ")[2] or said)[:_LONGEST_CAUSE]
    if "response" in why:
        return InputError(f"{address.label}: the store's answer cannot be used ({why})")
    return InputError(
        f"{address.label}: the credentials cannot be used ({why}): {cloud.credentials}"
    )


def _answered(
    address: SourceAddress, where: str, status: int, code: str, cloud: Cloud
) -> InputError | CutError:
    shown = f"{status} {code}".strip()
    if status in _TRANSIENT or status >= 500:
        return CutError(f"{where} answers {shown}")
    container = urlsplit(address.full).netloc.partition("@")[0]
    match status:
        case 404 if code in _NO_CONTAINER:
            what = f"there is no {cloud.container} {container!r} at {where}"
            return InputError(f"{address.label}: {what}: look at its spelling")
        case 404:
            return InputError(
                f"{address.label}: there is no such object at {where}: look at its spelling, "
                "capitals matter"
            )
        case 400 | 401 | 403:
            reason = _REASONS.get(code)
            why = f"{reason} ({shown})" if reason else shown
            return InputError(
                f"{address.label}: access is refused by {where}: {why}. Credentials come from the "
                f"environment, a profile or the machine's role: {cloud.credentials}"
            )
    return InputError(f"{address.label}: {where} answers {shown}")


def _unreachable(
    address: SourceAddress, where: str, text: str, cloud: Cloud
) -> InputError | CutError:
    if "BadScheme" in text:
        return InputError(
            f"{address.label}: {where} is not encrypted: use https://, or set "
            f"{cloud.may_be_open}=true if nobody can listen on the way to it"
        )
    if "Name or service not known" in text or "nodename nor servname" in text:
        return InputError(f"{address.label}: there is no such host: {where}")
    if wrong := _CERTIFICATE.search(text):
        return InputError(
            f"{address.label}: the certificate of {where} is not trusted ({wrong[1]}): "
            "SSL_CERT_FILE names a file of authorities that are"
        )
    cause = _CAUSE.search(text)
    said = f" ({readable(cause[1])})" if cause else ""
    return CutError(f"{where}: {_cut(text)}{said}")


def _cut(text: str) -> str:
    if "kind: Timeout" in text:
        return "no answer in time"
    return "no connection" if "kind: Connect" in text else "the connection was cut"
