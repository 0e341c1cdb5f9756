"""Requests as bytes: what all of them have in common is prepared once."""

from __future__ import annotations

from collections.abc import Mapping

from yarl import URL


class Template:
    """Makes HTTP/1.1 requests to `origin`. Values of `headers` are ASCII on one line."""

    def __init__(self, origin: URL, headers: Mapping[str, str]) -> None:
        lines = {"Host": origin.host_port_subcomponent, **headers}
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode()

    def fill_in(self, method: str, target: str, body: bytes | None) -> bytes:
        """Return the request for `target` (as it is sent: encoded, ASCII) with `body`, if any."""
        line = f"{method} {target} HTTP/1.1\r\n".encode("ascii")
        if body is None:
            return b"%b%b\r\n" % (line, self._headers)
        return b"%b%bContent-Length: %d\r\n\r\n%b" % (line, self._headers, len(body), body)
