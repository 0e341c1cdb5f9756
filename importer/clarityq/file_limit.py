"""How many files this process may open: each connection is one."""

from __future__ import annotations

import sys

from importer.errors import SettingsError

#: What a run opens beside its connections: libraries, journal, ledger, inputs.
OTHER_FILES = 40


def allow_connections(number: int) -> None:
    """Let this process have so many connections at a time, if the system grants it.

    Raises `SettingsError` if it does not.
    """
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 -- not on Windows

    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = number + OTHER_FILES
    if allowed == resource.RLIM_INFINITY or allowed >= needed:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, most))
    except (ValueError, OSError) as error:
        most = max(allowed, most)
        fitting = most - OTHER_FILES
        lower = f", or give --concurrency {fitting}" if fitting > 0 else ""
        raise SettingsError(
            f"this process may open {most} files, too few for {number} requests in flight: "
            f"raise the limit to {needed} (`ulimit -Hn`){lower}"
        ) from error
