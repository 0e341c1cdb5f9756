"""The event loop is woken at the time that was set, by the kernel's timer or by its own."""

import sys

import anyio
import pytest

from importer.engine.alarm import Alarm

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["kernel", "loop"])
def _timer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "loop":
        monkeypatch.setattr(sys, "platform", "other")


@pytest.mark.usefixtures("_timer")
async def test_an_alarm_wakes_once_for_the_latest_time_and_never_after_its_end() -> None:
    woken: list[float] = []
    alarm = Alarm(lambda: woken.append(anyio.current_time()))
    alarm.set(60)
    set_at = anyio.current_time()
    alarm.set(0.02)
    with anyio.fail_after(30):
        while not woken:  # noqa: ASYNC110 -- it is a callback
            await anyio.sleep(0.01)
    assert woken[0] >= set_at + 0.019
    alarm.set(0.01)
    alarm.close()
    await anyio.sleep(0.05)
    assert len(woken) == 1
