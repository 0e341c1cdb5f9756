"""Names of machines."""

from __future__ import annotations

import ipaddress
import re

_LABEL = r"[a-z0-9_-]{1,63}"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?", re.IGNORECASE | re.ASCII)
#: Characters of the longest name.
_LONGEST = 253


def is_host(text: str) -> bool:
    """Return whether `text`, in ASCII, is an IP address or may be the name of a machine."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return len(text) <= _LONGEST and _NAME.fullmatch(text) is not None
    return True
