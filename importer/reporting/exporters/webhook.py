"""Notifies a webhook of how a run begins and ends, as JSON or as a message for a chat."""

from __future__ import annotations

import json

from importer.reporting.exporters.http_post import Network, post
from importer.reporting.notices import Ending, Start
from importer.settings.values import NotifyFormat


def notify(url: str, form: NotifyFormat, told: Start | Ending, network: Network) -> str:
    """POST what is told to `url`; return what went wrong, or nothing."""
    content = _slack(told) if form is NotifyFormat.SLACK else told.as_json()
    return post("--notify-url", url, "application/json", json.dumps(content).encode(), network)


def _slack(told: Start | Ending) -> dict[str, object]:
    """Return the message as Slack, and chats with its dialect, take it."""
    text = told.sentence
    for character, escape in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, escape)
    if isinstance(told, Ending):
        text = f"{':white_check_mark:' if told.is_success else ':x:'} {text}"
    return {"text": text}
