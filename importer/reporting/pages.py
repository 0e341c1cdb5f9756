"""Pages of HTML that are made from templates. They need no network and run no script."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, partial

from jinja2 import Environment, PackageLoader, StrictUndefined

from importer.common.durations import format_duration
from importer.common.text import counted, escaped
from importer.reporting.wording import too_old_in_words, words


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
        "shares": shares_in_words,
        "too_old": too_old_in_words,
        "words": words,
        "visible": escaped,
    }
    return environment


def shares_in_words(counts: Mapping[str, int]) -> dict[str, str]:
    """Return the share of each in all, in percent; 0 and 100 only where it is none and all.

    They are rounded so that they add up to 100: down first, then up those of which most is left.
    """
    total = sum(counts.values()) or 1
    tenths = {key: 1000 * count // total for key, count in counts.items()}
    left = sum(counts.values()) * 1000 // total - sum(tenths.values())
    for key in sorted(counts, key=lambda key: -(1000 * counts[key] % total))[:left]:
        tenths[key] += 1
    return {key: _share(tenths[key], count, total) for key, count in counts.items()}


def _share(tenths: int, count: int, total: int) -> str:
    if count in (0, total):
        return f"{100 * count // total} %"
    if not tenths:
        return "< 0.1 %"
    return "> 99.9 %" if tenths == 1000 else f"{tenths / 10:.1f} %"


def _moment(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
