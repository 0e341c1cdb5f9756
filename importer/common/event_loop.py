"""Which event loop a process runs on."""

from __future__ import annotations


def has_uvloop() -> bool:
    """Return whether there is the faster event loop, which not every platform has."""
    try:
        import uvloop  # noqa: F401, PLC0415 -- only looked for
    except ImportError:
        return False
    return True
