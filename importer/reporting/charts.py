"""The charts of the report: figures over time, and histograms. The template draws them as SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from math import floor, log10
from typing import NamedTuple

from importer.model import Moment

#: The colours that the page has.
MOST_SERIES = 8

#: With fewer there is no course to be seen.
FEWEST_MOMENTS = 3

_MOST_POINTS = 120
_MOST_BARS = 40
_DAY = 86400
#: After so many seconds of which nothing is known there was no run in between.
_PAUSE = 5.0
_NO_RUN = "no run"
#: How many grid lines an axis has, about.
_GRID_LINES = 4
#: How wide a bar is: a share of its column, and percent of the drawing at most.
_BAR_SHARE, _MOST_BAR_WIDTH = 0.8, 12.0


class Label(NamedTuple):
    """A text on an axis, at a percentage of its length."""

    at: float
    text: str


class Column(NamedTuple):
    """One place on the x axis, in percent of the width; `text` tells its figures."""

    left: float
    width: float
    text: str


class Bar(NamedTuple):
    """A rectangle of the series of that number, in percent of the drawing."""

    series: int
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Chart:
    """A chart and its geometry. All coordinates are percentages, from the upper left corner."""

    title: str
    #: What is shown, in one sentence.
    note: str
    #: What is counted along the x axis.
    x_name: str
    #: In what the y axis counts.
    unit: str
    #: One for each column, in order.
    labels: Sequence[str]
    #: For each series one figure a column; None where nothing is known.
    series: Mapping[str, Sequence[float | None]]
    #: Bars, one series on top of the other. Else there is a line for each series.
    stacked: bool = False
    #: How many of the labels are written at most.
    most_labels: int = 4

    @property
    def has_course(self) -> bool:
        """Whether enough is known of one of the series to see a course."""
        return any(
            len(values) - values.count(None) >= FEWEST_MOMENTS for values in self.series.values()
        )

    @property
    def x_labels(self) -> list[Label]:
        """Return the labels that there is room for, evenly spread."""
        step = -(-len(self.labels) // self.most_labels)
        places = range(0, len(self.labels), step)
        return [Label(self._center(at), self.labels[at].replace(_NO_RUN, "")) for at in places]

    @property
    def y_labels(self) -> list[Label]:
        """Return the values of the grid lines, from the bottom up."""
        step = self._step
        lines = round(self._highest / step)
        return [Label(self._y(step * n), _number(step * n)) for n in range(lines + 1)]

    @property
    def breaks(self) -> list[float]:
        """Return where no run was at work, in percent of the width."""
        return [self._center(at) for at, label in enumerate(self.labels) if label == _NO_RUN]

    @property
    def columns(self) -> list[Column]:
        """Return all columns, with the figures in words."""
        width = 100 / len(self.labels)
        return [
            Column(
                at * width,
                width,
                ": ".join([label, *filter(None, [self._figures(at)])]),
            )
            for at, label in enumerate(self.labels)
        ]

    def _figures(self, at: int) -> str:
        known = {name: values[at] for name, values in self.series.items()}
        return ", ".join(f"{name} {_number(v)}" for name, v in known.items() if v is not None)

    @property
    def paths(self) -> list[str]:
        """Return the line of each series as SVG path data, with gaps where nothing is known.

        A figure that has no neighbours is a line as wide as its column.
        """
        return [self._path(values) for values in self.series.values()]

    @property
    def bars(self) -> list[Bar]:
        """Return the bars of all columns."""
        width = min(100 / len(self.labels) * _BAR_SHARE, _MOST_BAR_WIDTH)
        return [
            Bar(number, self._center(at) - width / 2, self._y(top), width,
                self._y(top - value) - self._y(top))
            for at, values in enumerate(zip(*self.series.values(), strict=True))
            for number, (value, top) in enumerate(
                zip(values, accumulate(value or 0 for value in values), strict=True), start=1
            )
            if value
        ]  # fmt: skip

    def _path(self, values: Sequence[float | None]) -> str:
        data, half = [], 50 / len(self.labels)
        around = [None, *values, None]
        for at, value in enumerate(values):
            if value is None:
                continue
            x, y = self._center(at), self._y(value)
            is_first, is_last = around[at] is None, around[at + 2] is None
            if is_first and is_last:  # a dot could hardly be seen
                data.append(f"M{x - half:.2f},{y:.2f}h{2 * half:.2f}")
            else:
                data.append(f"{'M' if is_first else 'L'}{x:.2f},{y:.2f}")
        return "".join(data)

    def _center(self, column: int) -> float:
        return 100 * (column + 0.5) / len(self.labels)

    def _y(self, value: float) -> float:
        return 100 - 100 * value / self._highest

    @property
    def _step(self) -> float:
        """Return the distance of the grid lines: 1, 2 or 5 times a power of ten."""
        columns = zip(*self.series.values(), strict=True)
        heights = [[value or 0 for value in values] for values in columns]
        most = max(map(sum if self.stacked else max, heights)) or 1
        power: float = 10.0 ** floor(log10(most / _GRID_LINES))
        return next(power * n for n in (1, 2, 5, 10) if power * n * _GRID_LINES >= most)

    @property
    def _highest(self) -> float:
        return self._step * _GRID_LINES


def over_time(
    title: str,
    note: str,
    unit: str,
    moments: Sequence[Moment],
    series: Mapping[str, Callable[[Moment], float | None]],
) -> Chart:
    """Return a line chart of figures of the moments, averaged where there are too many to draw."""
    groups = _groups(moments, _MOST_POINTS)
    figures = {
        name: [_average(figure, group) for group in groups] for name, figure in series.items()
    }
    return Chart(title, note, "time (UTC)", unit, _times(groups), figures)


def requests_over_time(moments: Sequence[Moment]) -> Chart:
    """Return how many requests were under way at the same time, and might have been."""
    return over_time(
        "Requests at the same time", "How many were allowed, and how many were under way.",
        "requests", moments,
        {"allowed": lambda m: m.concurrency, "under way": lambda m: m.in_flight},
    )  # fmt: skip


def responses_over_time(
    title: str, note: str, moments: Sequence[Moment], names: Mapping[int, str]
) -> Chart:
    """Return stacked bars of the responses of each status, in order of `names`."""
    groups = _groups(moments, _MOST_BARS)
    figures = {
        name: [sum(moment.statuses.get(status, 0) for moment in group) for group in groups]
        for status, name in names.items()
    }
    return Chart(title, note, "time (UTC)", "responses", _times(groups), figures, stacked=True)


def histogram(title: str, note: str, x_name: str, bars: Mapping[str, int]) -> Chart:
    """Return how many rows there are of each kind, a bar for each."""
    rows = {"rows": list(bars.values())}
    return Chart(title, note, x_name, "rows", list(bars), rows, stacked=True, most_labels=12)


def _groups(moments: Sequence[Moment], most: int) -> list[Sequence[Moment]]:
    """Return moments that share a column; an empty column stands for a time without a run."""
    size = max(1, -(-len(moments) // most))
    groups: list[Sequence[Moment]] = []
    for run in _runs(moments):
        groups += [[]] * bool(groups)
        groups += [run[start : start + size] for start in range(0, len(run), size)]
    return groups


def _runs(moments: Sequence[Moment]) -> Iterator[Sequence[Moment]]:
    begin = 0
    for place, (before, after) in enumerate(pairwise(moments), 1):
        if after.at - after.interval > before.at + _PAUSE:
            yield moments[begin:place]
            begin = place
    yield moments[begin:]


def _average(figure: Callable[[Moment], float | None], group: Sequence[Moment]) -> float | None:
    known = [(value, m.interval) for m in group if (value := figure(m)) is not None]
    total = sum(interval for _, interval in known)
    return sum(value * interval for value, interval in known) / total if total else None


def _times(groups: Sequence[Sequence[Moment]]) -> list[str]:
    ends = [group[-1].at if group else None for group in groups]
    style = "%H:%M:%S" if (ends[-1] or 0) - (ends[0] or 0) < _DAY else "%d %b %H:%M"
    return [
        _NO_RUN if end is None else datetime.fromtimestamp(end, UTC).strftime(style) for end in ends
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.3g}"
