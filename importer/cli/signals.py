"""The signals that end a run, from before its event loop begins until after it has ended.

A handler that raises, as that of Ctrl-C does, may leave the loop in pieces: it would raise wherever
the loop is at work. So these only note the signal, and the loop acts on it when it comes to it.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType

from importer.common.durations import format_duration
from importer.engine.control import Control
from importer.model import RunEnd

_ENDS = {
    signal.SIGINT: RunEnd.SIGINT,
    signal.SIGTERM: RunEnd.SIGTERM,
    signal.SIGHUP: RunEnd.SIGHUP,
}


class EndingSignals:
    """Takes the signals in a block, in which an event loop runs: the first ends the run cleanly.

    The second ends it at once. Those from before the run takes them are kept for it.
    """

    def __init__(self) -> None:
        self._kept: list[RunEnd] = []
        self._deliver: Callable[[RunEnd], None] = self._kept.append
        self._before: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> EndingSignals:
        for number in _ENDS:
            # Under nohup it is ignored, and is to stay so.
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, _: FrameType | None) -> None:
        self._deliver(_ENDS[signal.Signals(number)])

    def stop(self, control: Control, notice: Callable[[str], None]) -> None:
        """Let the signals stop a run, on whose event loop this is called; `notice` tells of it."""

        def act(end: RunEnd) -> None:
            if control.stopped():
                control.cancel(end)
                return
            in_flight = ""
            if control.grace:
                longest = format_duration(control.grace)
                in_flight = f": requests in flight may take up to {longest}"
            notice(f"stopping{in_flight}; press Ctrl-C again to quit now")
            control.stop(end)

        loop = asyncio.get_running_loop()

        def deliver(end: RunEnd) -> None:
            with suppress(RuntimeError):  # the loop has ended, and with it the run
                loop.call_soon_threadsafe(act, end)

        self._deliver = deliver
        for end in self._kept:
            act(end)
