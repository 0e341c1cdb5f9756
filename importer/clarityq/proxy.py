"""The proxies of the environment, looked at before the first request."""

from __future__ import annotations

from urllib.request import getproxies, proxy_bypass

from yarl import URL

from importer.errors import SettingsError


def check_proxy(origin: URL) -> None:
    """Raise `SettingsError` if the proxy that the environment names for `origin` cannot be used.

    The value is not shown: it may hold a password.
    """
    value = getproxies().get(origin.scheme)
    if value is None or proxy_bypass(origin.host or ""):
        return
    try:
        url = URL(value)
        is_usable = url.scheme in ("http", "https") and bool(url.host) and bool(url.port)
    except ValueError:
        is_usable = False
    if not is_usable:
        raise SettingsError(
            f"the proxy in {origin.scheme}_proxy cannot be used: it has to be written as "
            "http://host:port (SOCKS proxies are not supported)"
        )
