"""The proxy that the environment names for the service, looked at before the first request."""

from __future__ import annotations

from urllib.request import getproxies, proxy_bypass

from yarl import URL

from importer.errors import SettingsError

_USED = ("http", "https")


def names_proxy(origin: URL) -> bool:
    """Return whether the environment names a proxy for requests to `origin`, of whatever kind."""
    try:
        return proxy_for(origin) is not None
    except SettingsError:
        return True


def proxy_for(origin: URL) -> URL | None:
    """Return the proxy for requests to `origin`, or None if there is none.

    Raises `SettingsError` if it cannot be used. Its address is not shown: it may hold a password.
    """
    value = getproxies().get(origin.scheme)
    if not value or proxy_bypass(origin.host or ""):
        return None
    try:
        proxy = URL(value)
        is_usable = proxy.scheme in _USED and bool(proxy.host) and bool(proxy.port)
    except ValueError:
        proxy, is_usable = URL(), False
    if not is_usable:
        kind = f" {proxy.scheme} proxies are not supported." if "socks" in proxy.scheme else ""
        raise SettingsError(
            f"--trust-env: the environment variable {origin.scheme}_proxy is not the address of an "
            f"HTTP proxy.{kind} Write it as http://host:port, unset it, or leave out --trust-env"
        )
    return proxy
