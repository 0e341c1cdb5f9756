"""Addresses as a person writes them: of services, of those that are told, and to listen at."""

from __future__ import annotations

import ipaddress
import re

from yarl import URL

from importer.settings.values import PRODUCTION_URL

_LABEL = r"[a-z0-9_-]{1,63}"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?", re.IGNORECASE | re.ASCII)
#: Characters of the longest name of a machine.
_LONGEST_HOST = 253
_HIGHEST_PORT = 65_535
_SCHEMES = ("https", "http")
_EMPTY = "is empty: name an address or leave it out"
_NO_HOOK = "is not an address such as https://host/path?token=…"


def read_address(value: object) -> str:
    """Return an address without a trailing slash. Raises `ValueError`.

    `http://` would send the key or the summary in clear text, so it is for this machine only.
    """
    if not value:
        raise ValueError(_EMPTY)
    if not isinstance(value, str):
        raise ValueError(f"must be a text; it is {value!r}")  # noqa: TRY004 -- as all readers do
    try:
        url = URL(value)
        host = url.host or ""
        is_usable = url.scheme in _SCHEMES and _is_host(url.raw_host or "")
    except ValueError:
        is_usable = False
    if not is_usable or not value.isprintable():
        raise ValueError(f"{value!r} is not an address such as {PRODUCTION_URL}")
    if url.user or url.password or url.query_string or url.fragment:
        raise ValueError("must not hold a user name, password, query or fragment")
    if url.scheme == "http" and not is_loopback(host):
        raise ValueError(
            f"{value!r} would be sent data unencrypted: use https:// "
            "(http:// is for loopback addresses only)"
        )
    return str(url).rstrip("/")


def read_hook(value: object) -> str:
    """Return an address that may hold a token in its path or query, as it was written.

    Raises `ValueError`, in which it is not shown.
    """
    if not value:
        raise ValueError(_EMPTY)
    try:
        text = str(value).strip()
        url = URL(text, encoded=True)
        host, port = url.host or "", url.port  # which raise for what is none
    except ValueError:
        raise ValueError(_NO_HOOK) from None
    if url.scheme not in _SCHEMES or not port or not text.isascii():
        raise ValueError(_NO_HOOK)
    if not text.isprintable() or " " in text:
        raise ValueError("holds a space or a line break: check that it was copied whole")
    if not _is_host(url.raw_host or ""):
        raise ValueError(_NO_HOOK)
    if url.user or url.password or url.fragment:
        raise ValueError(
            "must not hold a user name, password or fragment: a token may stand in its path or "
            "query"
        )
    if url.scheme == "http" and not is_loopback(host):
        raise ValueError("would be sent unencrypted: use https:// (http:// is for loopback only)")
    return text


def read_listen(value: object) -> str:
    """Return an address to listen at, `HOST:PORT`, as it was written. Raises `ValueError`."""
    host, _, port = str(value).rpartition(":")
    is_port = port.isascii() and port.isdigit() and int(port) <= _HIGHEST_PORT
    bare = host.removeprefix("[").removesuffix("]") if ":" in host else host
    if not is_port or not _is_host(bare) or (":" in host and host[0] + host[-1] != "[]"):
        raise ValueError(
            f"must be HOST:PORT, such as 127.0.0.1:9464 or [::1]:9464; it is {value!r}"
        )
    return str(value)


def host_and_port(address: str) -> tuple[str, int]:
    """Return the two parts of what `read_listen` returned."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _is_host(text: str) -> bool:
    """Return whether `text`, in ASCII, is an IP address or may be the name of a machine."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return len(text) <= _LONGEST_HOST and _HOST.fullmatch(text) is not None
    return True


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
