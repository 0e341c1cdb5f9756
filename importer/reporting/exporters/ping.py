"""Pings a monitor of cron jobs: `URL/start` when a run begins, `URL/<exit code>` at its end.

A rehearsal is no run for it: it would be silent then about the run that fails to come.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from importer.reporting.exporters.http_post import Network, post
from importer.reporting.notices import Ending, Start


def ping(url: str, told: Start | Ending, network: Network) -> str:
    """Tell the monitor, with a sentence as the body; return what went wrong, or nothing.

    Monitors take any other code than 0 for a failure, so an end that counts as success is a 0. What
    is sent to `URL/log` they keep and show, and nothing more.
    """
    start = told.start if isinstance(told, Ending) else told
    signal = "log" if start.is_rehearsal else "start"
    if isinstance(told, Ending) and not start.is_rehearsal:
        signal = "0" if told.is_success else str(int(told.exit_code))
    parts = urlsplit(url)
    address = parts._replace(path=f"{parts.path.rstrip('/')}/{signal}").geturl()
    body = told.sentence.encode()
    return post("--ping-url", address, "text/plain; charset=utf-8", body, network)
