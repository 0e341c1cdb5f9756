"""The charts of the report, as SVG that takes its colours from the page."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from xml.etree.ElementTree import Element

import pygal
from pygal.style import Style

from importer.model import Moment

#: The colours that the page has.
MOST_SERIES = 8

# Importing pygal leaves a hook for its plug-ins in the import system. The charts need none, and
# with a hook of its age each import from now on would warn.
sys.meta_path[:] = [hook for hook in sys.meta_path if type(hook).__module__ != pygal.__name__]

_STYLE = Style(
    background="transparent", plot_background="transparent", font_family="inherit",
    foreground="var(--muted)", foreground_strong="var(--text)", foreground_subtle="var(--line)",
    colors=tuple(f"var(--series-{number})" for number in range(1, MOST_SERIES + 1)),
    value_colors=("var(--text)",) * MOST_SERIES,
    label_font_size=12, major_label_font_size=12, legend_font_size=13, stroke_width=2,
)  # fmt: skip
_MOST_POINTS = 120
_LABELS = 6


def over_time(
    moments: Sequence[Moment], series: Mapping[str, Callable[[Moment], float | None]]
) -> str:
    """Return a line chart of figures of the moments, averaged where there are too many to draw."""
    groups = _groups(moments)
    chart = _chart(pygal.Line, show_dots=len(groups) < 2, x_labels_major_count=_LABELS)
    chart.x_labels = [_time(group[-1].at) for group in groups]
    for name, figure in series.items():
        chart.add(name, [_average(figure, group) for group in groups])
    return _svg(chart)


def answers_over_time(moments: Sequence[Moment], names: Mapping[int, str]) -> str:
    """Return stacked bars of the answers of each status, in order of `names` (0 is no answer)."""
    groups = _groups(moments, _MOST_POINTS // 3)
    chart = _chart(pygal.StackedBar, x_labels_major_count=_LABELS)
    chart.x_labels = [_time(group[-1].at) for group in groups]
    for status, name in names.items():
        chart.add(name, [sum(m.statuses.get(status, 0) for m in group) for group in groups])
    return _svg(chart)


def histogram(name: str, bars: Iterable[tuple[str, int]]) -> str:
    """Return bars with a label each."""
    chart = _chart(pygal.Bar, show_legend=False, show_minor_x_labels=True)
    labels, heights = zip(*bars, strict=True)
    chart.x_labels = labels
    chart.add(name, heights)
    return _svg(chart)


def _chart(kind: Callable[..., pygal.Graph], **options: object) -> pygal.Graph:
    return kind(
        style=_STYLE, js=[], disable_xml_declaration=True, width=760, height=240, margin=4,
        margin_right=32,
        truncate_label=-1, legend_at_bottom=True, include_x_axis=True, value_formatter=_number,
        **{"show_minor_x_labels": False, **options},
    )  # fmt: skip


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.3g}"


def _svg(chart: pygal.Graph) -> str:
    chart.add_xml_filter(_without_scripts)
    return str(chart.render(is_unicode=True))


def _without_scripts(root: Element) -> Element:
    """Leave out pygal's settings for a script that the report does not have."""
    for parent in root.iter():
        for child in [child for child in parent if child.tag == "script"]:
            parent.remove(child)
    return root


def _groups(moments: Sequence[Moment], most: int = _MOST_POINTS) -> list[Sequence[Moment]]:
    size = max(1, -(-len(moments) // most))
    return [moments[start : start + size] for start in range(0, len(moments), size)]


def _average(figure: Callable[[Moment], float | None], group: Sequence[Moment]) -> float | None:
    known = [(value, m.interval) for m in group if (value := figure(m)) is not None]
    total = sum(interval for _, interval in known)
    return sum(value * interval for value, interval in known) / total if total else None


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")
