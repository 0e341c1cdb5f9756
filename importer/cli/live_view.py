"""How a run shows itself on a terminal: a few lines that stay where they are."""

from __future__ import annotations

import os
import time
from pathlib import Path
from textwrap import wrap
from types import TracebackType
from typing import NamedTuple, Self

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.control import Control
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.segment import ControlType, Segment
from rich.text import Text

from importer.cli.console import messages, plain
from importer.common.durations import format_duration
from importer.engine.progress import Progress
from importer.model import OutcomeKind
from importer.settings import ImportSettings
from importer.survey.progress import SurveyProgress
from importer.workflows.figures import (
    Speed,
    average_speed,
    deferred_rows,
    given_up_at,
    left_in_words,
    outcomes_so_far,
    share_done,
    start_line,
    survey_line,
    waiting_rows,
    what_holds,
    workers_at_work,
)

#: Seconds between two views: to draw one costs about as much as to send fifty rows.
_INTERVAL = 0.5
_PROBLEMS_SHOWN = 3
_BAR_WIDTH = 24
_DOT = " · "
#: The bar is left out of a narrower terminal.
_ROOM_FOR_BAR = 72


class LiveObserver:
    """Draws the run; a context manager. What does not fit is wrapped; only problems are cut."""

    def __init__(self, console: Console | None = None) -> None:
        self._speed = Speed()
        self._console = console or messages()
        self._next = 0.0
        self._shown: RenderableType = Text("Starting …")
        self._width = self._console.width
        self._live = Live(self._shown, console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._follow_width()
        self._live.stop()

    def surveying(self, progress: SurveyProgress) -> None:
        """See `Observer`."""
        lines = _wrapped(survey_line(progress), self._console.width)
        self._show(Text("\n".join(lines), no_wrap=True))

    def started(self, folder: Path, settings: ImportSettings, already_settled: int) -> None:
        """See `Observer`."""
        self.noticed(f"{start_line(folder, settings, already_settled)}.")

    def progressed(self, progress: Progress) -> None:
        """See `Observer`."""
        speed = self._speed.update(progress)
        now = time.monotonic()
        if now >= self._next:
            self._show(Picture(progress, speed, self._speed.now))
            self._next = now + _INTERVAL

    def noticed(self, message: str) -> None:
        """See `Observer`."""
        self._follow_width()
        self._console.print(message)

    def _show(self, renderable: RenderableType) -> None:
        self._follow_width()
        self._shown = renderable
        self._live.update(renderable, refresh=True)

    def _follow_width(self) -> None:
        """Go to the last line of the view as it was drawn, if the terminal has wrapped it since.

        rich wipes as many lines as it has drawn. A terminal that became narrower may show more.
        """
        before, self._width = self._width, self._console.width
        if self._width >= before or not _wraps_again():
            return
        options = self._console.options.update(width=before)
        drawn = self._console.render_lines(self._shown, options, pad=False)
        widths = map(Segment.get_line_length, drawn)
        more = sum(max(0, -(-width // self._width) - 1) for width in widths)
        wipe = (ControlType.ERASE_IN_LINE, 2)
        up: list[tuple[ControlType, int]] = [wipe, (ControlType.CURSOR_UP, 1)]
        self._console.control(Control(*up * more))


def _wraps_again() -> bool:
    """Return whether the terminal wraps its lines anew when it becomes narrower.

    Nearly all do today; the others cut the lines.
    """
    if "TMUX" in os.environ:
        return True
    old = "XTERM_VERSION" in os.environ or "STY" in os.environ
    return not (old or os.environ.get("TERM") == "linux")


class _Figure(NamedTuple):
    """A line of the view."""

    label: str
    text: str
    #: It may take several lines, for it is to be read as a whole.
    wraps: bool = True


class Picture:
    """How a run stands, to be drawn; `speed`, lately and `now`, is in rows per second."""

    def __init__(self, progress: Progress, speed: float, now: float) -> None:
        self._progress = progress
        self._speed = speed
        self._now = now

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines, without spaces at their ends, which a terminal might wrap."""
        width = options.max_width
        head = f"{share_done(self._progress)}, {self._time()}"
        if width >= _ROOM_FOR_BAR:
            yield ProgressBar(total=1.0, completed=self._progress.share, width=_BAR_WIDTH)
            beside, *below = _wrapped(head, width - _BAR_WIDTH - 1, ", ")
            yield _line(f" {beside}", width - _BAR_WIDTH)
            for part in below:
                yield _line(f"{' ' * _BAR_WIDTH} {part}", width)
        else:
            for part in _wrapped(head, width, ", "):
                yield _line(part, width)
        figures = self._figures()
        # Labels are whole, whatever room that leaves for what stands beside them.
        indent = 2 + max(len(figure.label) for figure in figures)
        room = max(1, width - indent)
        for label, text, wraps in figures:
            for number, part in enumerate(_wrapped(text, room) if wraps else [text]):
                yield Text.assemble(
                    (("" if number else label).ljust(indent), "dim"), _line(part, room), end="\n"
                )

    def _time(self) -> str:
        progress = self._progress
        so_far = f"{format_duration(progress.elapsed)} so far"
        if progress.only_deferred:
            return f"only deferred rows are left, {so_far}"
        return ", ".join(filter(None, [left_in_words(progress, self._speed), so_far]))

    def _figures(self) -> list[_Figure]:
        progress = self._progress
        done = progress.rows - progress.outcomes[OutcomeKind.PENDING]
        speeds = f"{self._now:,.0f}/s now · {average_speed(progress):,.0f}/s on average"
        in_flight = f"{progress.in_flight:,} of {progress.concurrency:,} in flight"
        figures = [
            _Figure("rows", f"{done:,} of {progress.rows:,} · {speeds}"),
            _Figure("outcomes", outcomes_so_far(progress)),
            _Figure("requests", in_flight),
        ]
        if workers := workers_at_work(progress):
            figures.append(_Figure("workers", workers))
        if limit := what_holds(progress):
            figures.append(_Figure("limit", limit))
        p50, p95 = progress.latencies
        if p50 is not None and p95 is not None:
            text = f"{format_duration(p50)} median · {format_duration(p95)} p95"
            figures.append(_Figure("latency", text))
        if waiting := waiting_rows(progress):
            figures.append(_Figure("waiting", waiting))
        if deferred := deferred_rows(progress):
            figures.append(_Figure("deferred", deferred))
            how = "Ctrl-C is safe, the same command resumes"
            figures.append(_Figure("", f"{given_up_at(progress)}; {how}"))
        latest = list(progress.problems.values())[-_PROBLEMS_SHOWN:]
        for number, problem in enumerate(reversed(latest)):
            label = "" if number else "problems"
            text = f"{problem.times:,} × {problem.latest}"  # which may be of any length
            figures.append(_Figure(label, text, wraps=False))
        return figures


def _wrapped(text: str, width: int, between: str = _DOT) -> list[str]:
    """Return lines of at most that width; parts with `between` are kept whole if they can be."""
    lines: list[str] = []
    for part in text.split(between):
        if lines and len(lines[-1]) + len(between) + len(part) <= width:
            lines[-1] += f"{between}{part}"
        else:
            lines += wrap(part, width)
    return lines


def _line(text: str, width: int) -> Text:
    line = Text(plain(text), no_wrap=True)
    line.truncate(width, overflow="ellipsis")
    return line
