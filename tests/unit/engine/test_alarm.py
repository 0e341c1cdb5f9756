"""The event loop is woken at the time that was set, by the kernel's timer or by its own."""

import asyncio
import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import anyio.lowlevel
import pytest

from importer.engine.alarm import Alarm

pytestmark = pytest.mark.anyio


class Kernel:
    """Has timers that fire when they are told to."""

    def __init__(self, *, has_room: bool = True) -> None:
        self._has_room = has_room
        self.file = -1
        #: What it was told: the interval and the time, each in seconds and nanoseconds.
        self.told: list[tuple[int, ...]] = []

    def timerfd_create(self, clock: int, flags: int) -> int:
        assert clock == 1, "that of the time since it was started"
        if self._has_room:
            self.file, self._expired = os.pipe()
            os.set_blocking(self.file, not flags & os.O_NONBLOCK)
        return self.file

    def timerfd_settime(self, file: int, flags: int, spec: Any, old: None) -> None:
        assert (file, flags, old) == (self.file, 0, None)
        self.told.append(tuple(getattr(spec._obj, name) for name, _ in spec._obj._fields_))
        with suppress(BlockingIOError):  # that an earlier setting has fired counts no more
            os.read(self.file, 8)

    def fire(self) -> None:
        os.write(self._expired, (1).to_bytes(8, sys.byteorder))

    def close(self) -> None:
        os.close(self._expired)


def use(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: kernel)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    kernel = Kernel()
    use(kernel, monkeypatch)
    yield kernel
    kernel.close()


@pytest.fixture(params=["kernel", "loop", "kernel without room"])
def _timer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "loop":
        monkeypatch.setattr(sys, "platform", "other")
    elif request.param == "kernel without room":
        use(Kernel(has_room=False), monkeypatch)


async def turns() -> None:
    """Let the event loop do all that is to be done."""
    for _ in range(5):
        await anyio.lowlevel.checkpoint()


@pytest.mark.usefixtures("_timer")
async def test_an_alarm_wakes_once_for_the_latest_time_and_never_after_its_end() -> None:
    woken = asyncio.Event()
    count = 0

    def wake() -> None:
        nonlocal count
        count += 1
        woken.set()

    alarm = Alarm(wake)
    alarm.set(60)
    alarm.set(0.001)
    alarm.set(0.002)
    with anyio.fail_after(30):
        await woken.wait()
    alarm.set(0.001)
    alarm.close()
    await anyio.sleep(0.01)
    assert count == 1


async def test_the_kernel_is_told_the_time_to_the_nanosecond_and_never_none(
    kernel: Kernel,
) -> None:
    alarm = Alarm(lambda: None)
    alarm.set(2.5)
    alarm.set(1e-10)
    alarm.close()
    assert kernel.told == [(0, 0, 2, 500_000_000), (0, 0, 0, 1)], "at 0 it would never fire"


async def test_each_time_it_fires_wakes_once_unless_it_is_set_anew_just_then(
    kernel: Kernel,
) -> None:
    woken: list[int] = []
    alarm = Alarm(lambda: woken.append(1))
    for _ in range(2):
        kernel.fire()
        await turns()
    assert len(woken) == 2

    kernel.fire()
    asyncio.get_running_loop().call_soon(alarm.set, 60)  # before the loop looks at its files
    await turns()
    alarm.close()
    assert len(woken) == 2


async def test_an_alarm_leaves_no_file_open_and_none_that_the_event_loop_looks_at(
    kernel: Kernel,
) -> None:
    Alarm(lambda: None).close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(kernel.file)
    assert not asyncio.get_running_loop().remove_reader(kernel.file)
