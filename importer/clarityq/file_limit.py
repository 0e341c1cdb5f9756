"""How many files this process may open: each connection is one."""

from __future__ import annotations

import sys

from importer.errors import SettingsError

#: What a run opens beside its connections: libraries, journal, ledger, inputs.
_OTHERS = 40


def check_open_files(concurrency: int) -> None:
    """Raise `SettingsError` if so many connections cannot be open at a time."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 -- not on Windows

    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = concurrency + _OTHERS
    if resource.RLIM_INFINITY != allowed < needed:
        fitting = allowed - _OTHERS
        lower = f", or give --concurrency {fitting}" if fitting > 0 else ""
        raise SettingsError(
            f"this process may open {allowed} files, too few for {concurrency} requests in flight: "
            f"run `ulimit -n {needed}` first{lower}"
        )
