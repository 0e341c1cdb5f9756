"""Pages of HTML that are made from templates. They need no network and run no script."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, partial

from jinja2 import Environment, PackageLoader, StrictUndefined

from importer.common.durations import format_duration
from importer.common.text import counted, escaped
from importer.reporting.wording import words


def page_of(template: str, facts: Mapping[str, object]) -> str:
    """Return a page; `template` names a file of the folder `templates`, and `facts` fill it."""
    return _environment().get_template(template).render(facts)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("importer.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": format_duration,
        "moment": _moment,
        "number": lambda number: f"{number:,}",
        "rows": partial(counted, noun="row"),
        "share": share_in_words,
        "words": words,
        "visible": escaped,
    }
    return environment


def share_in_words(share: float) -> str:
    """Return a share (0 to 1) in percent; 0 and 100 only where it is none and all."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %" if 0 < share < 1 else f"{100 * share:.0f} %"


def _moment(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
