"""Copies an object from S3, Google Cloud Storage or Azure, by ranges. Needs the extra `cloud`.

Credentials are found where the tools of each cloud look for them; none is shown or recorded.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import (
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import from_url

from importer.errors import InputError
from importer.settings import ImportSettings
from importer.settings.places import SourceAddress
from importer.sources.copies import Original, Part
from importer.sources.persistence import CutError, persist

if TYPE_CHECKING:
    from obstore import GetOptions

#: Bytes of a request.
_RANGE = 4 << 20
#: How long one may take, in seconds; then it is cut.
_REQUEST = "120 seconds"
_LONGEST_MESSAGE = 300
#: What a profile of `~/.aws` holds, and what it is called here.
_PROFILE = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "region": "region",
}


def copy(address: SourceAddress, part: Part, settings: ImportSettings) -> str:
    """Copy an object; see `copies`."""
    del settings  # nothing of them concerns an object
    parts = urlsplit(address.full)
    path = unquote(parts.path.lstrip("/"))
    if not parts.netloc or not path or path.endswith("/"):
        raise InputError(
            f"{address.label} names no object: an address is like {address.scheme}://bucket/key.csv"
        )
    try:
        config: Any = _profile() if address.scheme in ("s3", "s3a") else None
        store = from_url(
            f"{address.scheme}://{parts.netloc}",
            config=config,
            client_options={"timeout": _REQUEST, "allow_http": _is_loopback()},
            # One try: how it is gone on with is decided here.
            retry_config={"max_retries": 1},
        )
    except (BaseError, ValueError) as error:
        raise InputError(f"{address.label}: {_words(address, error)}") from None
    persist(part, partial(_go_on, address, part, store, path))
    return path.rpartition("/")[2]


def _go_on(address: SourceAddress, part: Part, store: Any, path: str) -> None:  # noqa: ANN401
    """Copy the rest. Raises `CutError`."""
    try:
        meta = obstore.head(store, path)
        original = Original(
            part.name, str(meta.get("e_tag") or meta["last_modified"]), meta["size"]
        )
        if part.original != original or part.size > meta["size"]:
            part.begin(original)
        part.append(_pieces(store, path, part.size, meta["size"], meta.get("e_tag")))
    except (NotFoundError, FileNotFoundError):
        raise InputError(f"{address.label}: there is no such object") from None
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise InputError(
            f"{address.label}: access is refused. Credentials are taken from the environment, a "
            f"profile or the machine's role ({_words(address, error)})"
        ) from None
    except PreconditionError:
        raise CutError("the object is replaced again and again while it is copied") from None
    except BaseError as error:
        raise CutError(_words(address, error)) from None


def _pieces(store: Any, path: str, start: int, size: int, tag: str | None) -> Iterator[bytes]:  # noqa: ANN401
    while start < size:
        end = min(start + _RANGE, size)
        options: GetOptions = {"range": (start, end)}
        if tag is not None:
            options["if_match"] = tag
        piece = bytes(obstore.get(store, path, options=options).bytes())
        if len(piece) != end - start:
            raise CutError(f"the answer was cut after {start + len(piece):,} of {size:,} bytes")
        yield piece
        start = end


def _profile() -> dict[str, Any] | None:
    """Return what the profile of `~/.aws` says, if the environment holds no key."""
    if "AWS_ACCESS_KEY_ID" in os.environ:
        return None
    name = os.environ.get("AWS_PROFILE", "default")
    found: dict[str, Any] = {}
    for variable, file, section in (
        ("AWS_CONFIG_FILE", "~/.aws/config", name if name == "default" else f"profile {name}"),
        ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", name),
    ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(Path(os.environ.get(variable) or file).expanduser())
        except (configparser.Error, OSError, UnicodeError):
            continue
        if parser.has_section(section):
            items = dict(parser.items(section))
            found |= {_PROFILE[key]: value for key, value in items.items() if key in _PROFILE}
    return found or None


def _is_loopback() -> bool:
    """Return whether the environment names an endpoint on this machine: for tests and proxies."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT") or ""
    host = urlsplit(endpoint).hostname
    return host in ("localhost", "127.0.0.1", "::1") or os.environ.get("AWS_ALLOW_HTTP") == "true"


def _words(address: SourceAddress, error: Exception) -> str:
    """Return what a library says, in a line."""
    line = " ".join(address.hides(str(error)).split()).partition("Debug source")[0].strip()
    return line[:_LONGEST_MESSAGE] or type(error).__name__
