"""Wakes the event loop at an exact time: its own timers go by the millisecond."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from collections.abc import Callable

_CLOCK_MONOTONIC = 1
_FLAGS = os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)


class _Spec(ctypes.Structure):
    """`struct itimerspec`: the interval, which is not used, and the time until it fires."""

    _fields_ = (
        ("interval_seconds", ctypes.c_long), ("interval_nanoseconds", ctypes.c_long),
        ("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long),
    )  # fmt: skip


class Alarm:
    """Calls `wake` on the running event loop once, some seconds after `set`.

    It is a timer of the Linux kernel (timerfd), exact to some 50 µs. Elsewhere it is one of the
    event loop's.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._library: ctypes.CDLL | None = None
        self._file = -1
        if sys.platform == "linux":
            self._library = ctypes.CDLL(None)
            self._file = self._library.timerfd_create(_CLOCK_MONOTONIC, _FLAGS)
        if self._file >= 0:
            self._loop.add_reader(self._file, self._fire)

    def set(self, seconds: float) -> None:
        """Wake after `seconds`, more than 0; an earlier setting counts no more."""
        if self._library is None or self._file < 0:
            self._cancel()
            self._timer = self._loop.call_later(seconds, self._wake)
            return
        nanoseconds = max(1, int(seconds * 1e9))
        spec = _Spec(0, 0, nanoseconds // 10**9, nanoseconds % 10**9)
        self._library.timerfd_settime(self._file, 0, ctypes.byref(spec), None)

    def close(self) -> None:
        """Wake no more; it is not set again."""
        self._cancel()
        if self._file >= 0:
            self._loop.remove_reader(self._file)
            os.close(self._file)
            self._file = -1

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        try:
            os.read(self._file, 8)
        except BlockingIOError:
            return  # it was set anew in between
        self._wake()
