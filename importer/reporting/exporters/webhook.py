"""Notifies another system of how a run ended. A failure to do so never fails the run."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp

#: Seconds for all of it.
_LONGEST = 10.0


async def notify(url: str, summary: Mapping[str, object]) -> str:
    """POST `summary` as JSON to `url`; return what went wrong, or nothing.

    Redirects are not followed, and nothing of the response is read but its status.
    """
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_LONGEST)) as session,
            session.post(url, json=summary, allow_redirects=False) as response,
        ):
            if 200 <= response.status < 300:
                return ""
            return f"--notify-url answered {response.status}"
    except (aiohttp.ClientError, OSError) as error:
        return f"--notify-url could not be notified: {type(error).__name__}"
