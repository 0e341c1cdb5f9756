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
from obstore.exceptions import BaseError, PreconditionError
from obstore.store import from_url

from importer.errors import InputError
from importer.settings import ImportSettings
from importer.settings.places import SourceAddress
from importer.sources.copies.object_errors import cloud_of, explained
from importer.sources.copies.partial_copy import CopyOrigin, PartialCopy
from importer.sources.copies.persistence import CutError, persist

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta

#: Bytes of a request.
_RANGE = 4 << 20
#: Bytes after which it is asked whether to stop.
_PIECE = 1 << 18
#: How long one may take, in seconds; then it is cut.
_REQUEST = "120 seconds"
#: What a profile of `~/.aws` holds, and what it is called here.
_PROFILE = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "region": "region",
}


def copy(address: SourceAddress, part: PartialCopy, settings: ImportSettings) -> str:
    """Copy an object; see `carriers`."""
    del settings  # nothing of them concerns an object
    parts = urlsplit(address.full)
    path = unquote(parts.path.lstrip("/"))
    if not parts.netloc or not path or path.endswith("/"):
        raise InputError(
            f"{address.label} names no object: an address is like {address.scheme}://bucket/key.csv"
        )
    try:
        config: Any = _profile(address) if address.scheme in ("s3", "s3a") else None
        store = from_url(
            f"{address.scheme}://{parts.netloc}",
            config=config,
            client_options={"timeout": _REQUEST, "allow_http": _may_be_open(address)},
            # One try: how it is gone on with is decided here.
            retry_config={"max_retries": 1},
        )
    except (BaseError, ValueError) as error:
        raise explained(address, error) from None
    persist(part, partial(_go_on, address, part, store, path))
    return path.rpartition("/")[2]


def _go_on(address: SourceAddress, part: PartialCopy, store: Any, path: str) -> None:  # noqa: ANN401
    """Copy the rest. Raises `CutError`."""
    meta = _meta(address, store, path)
    original = CopyOrigin(part.name, str(meta.get("e_tag") or meta["last_modified"]), meta["size"])
    if part.original != original or part.size > meta["size"]:
        part.begin(original)
    part.append(_pieces(address, store, path, part.size, meta))


def _meta(address: SourceAddress, store: Any, path: str) -> ObjectMeta:  # noqa: ANN401
    try:
        try:
            return obstore.head(store, path)
        except (BaseError, FileNotFoundError):
            # The answer to that has no words; why it is refused is said to who reads.
            return obstore.get(store, path).meta
    except (BaseError, FileNotFoundError) as error:
        raise explained(address, error) from None


def _pieces(
    address: SourceAddress,
    store: Any,  # noqa: ANN401
    path: str,
    start: int,
    meta: ObjectMeta,
) -> Iterator[bytes]:
    size, tag = meta["size"], meta.get("e_tag")
    while start < size:
        end = min(start + _RANGE, size)
        options: GetOptions = {"range": (start, end)}
        if tag is not None:
            options["if_match"] = tag
        try:
            for piece in obstore.get(store, path, options=options).stream(min_chunk_size=_PIECE):
                yield bytes(piece)
                start += len(piece)
        except PreconditionError:
            raise CutError("the object is replaced again and again while it is copied") from None
        except (BaseError, FileNotFoundError) as error:
            raise explained(address, error) from None
        if start != end:
            raise CutError(f"the answer was cut after {start:,} of {size:,} bytes")


def _profile(address: SourceAddress) -> dict[str, Any] | None:
    """Return what the profile of `~/.aws` says, if the environment holds no key.

    Raises `InputError` if one is named that is not there.
    """
    if "AWS_ACCESS_KEY_ID" in os.environ:
        return None
    name = os.environ.get("AWS_PROFILE", "default")
    found: dict[str, Any] = {}
    is_there = False
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
            is_there = True
            items = dict(parser.items(section))
            found |= {_PROFILE[key]: value for key, value in items.items() if key in _PROFILE}
    if "AWS_PROFILE" in os.environ and not is_there:
        raise InputError(
            f"{address.label}: there is no profile {name!r} in ~/.aws: AWS_PROFILE names another, "
            "or aws configure makes one"
        )
    return found or None


def _may_be_open(address: SourceAddress) -> bool:
    """Return whether the store may be asked without encryption: on this machine, for tests.

    Raises `InputError` if its address, as the environment names it, is none.
    """
    cloud = cloud_of(address)
    for name in cloud.endpoints:
        if endpoint := os.environ.get(name, ""):
            parts = urlsplit(endpoint)
            if parts.scheme not in ("http", "https") or not parts.hostname or " " in endpoint:
                raise InputError(
                    f"{address.label}: {name} is no address of a store: it begins with https://"
                )
            if parts.hostname in ("localhost", "127.0.0.1", "::1"):
                return True
    return os.environ.get(cloud.may_be_open) == "true"
