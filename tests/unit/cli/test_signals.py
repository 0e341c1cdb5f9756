"""Signals that end a run, also before and after its event loop is at work."""

from __future__ import annotations

import signal
import subprocess
import sys

import anyio
import pytest

from importer.cli.signals import EndingSignals
from importer.engine.control import Control
from importer.model import RunEnd


@pytest.mark.parametrize(
    ("number", "end"),
    [
        (signal.SIGINT, RunEnd.SIGINT),
        (signal.SIGTERM, RunEnd.SIGTERM),
        (signal.SIGHUP, RunEnd.SIGHUP),
    ],
)
def test_the_first_signal_stops_the_run_and_the_second_at_once_whenever_they_come(
    number: signal.Signals, end: RunEnd
) -> None:
    async def run(signals: EndingSignals) -> None:
        signal.raise_signal(number)
        assert not control.stopped(), "it is noted, and nothing is raised where the loop is at work"
        signals.stop(control, told.append)
        assert control.end is end
        assert not control.scope.cancel_called
        signal.raise_signal(signal.SIGINT)
        with anyio.fail_after(5), control.scope:
            await anyio.sleep_forever()

    control, told = Control(), list[str]()
    control.allow_grace(2.0)
    before = signal.getsignal(number)
    with EndingSignals() as signals:
        anyio.run(run, signals)
        signal.raise_signal(number)
    assert control.end is end
    assert told == [
        "stopping: requests in flight may take up to 2.0 s; press Ctrl-C again to quit now"
    ]
    assert signal.getsignal(number) == before


def test_a_hangup_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with EndingSignals():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_that_comes_where_python_can_only_ignore_it_ends_the_command_all_the_same(
    number: signal.Signals, code: int
) -> None:
    ends_in_a_finalizer = (
        "import signal, weakref\n"
        "from importer.cli import app\n"
        "class Thing: pass\n"
        "def command():\n"
        "    thing = Thing()\n"
        f"    watched = weakref.ref(thing, lambda _: signal.raise_signal({number:d}))\n"
        "    print('begun')\n"
        "    del thing\n"
        "    print('gone on')\n"
        "    return 0\n"
        "app._run_command = command\n"
        "app.main()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", ends_in_a_finalizer], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (code, "begun\n")
    assert "Traceback" not in ended.stderr
    assert "topped" in ended.stderr


@pytest.mark.parametrize("first", ["StoppedError(ExitCode.SIGTERM)", "KeyboardInterrupt()"])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("place", ["app.click.echo", "app.Streams.finish"])
def test_a_second_signal_while_a_command_says_that_it_was_stopped_leaves_no_traceback(
    first: str, second: signal.Signals, place: str
) -> None:
    if signal.getsignal(second) is signal.SIG_IGN:
        pytest.skip("it is ignored, as under nohup, and stays so")
    is_stopped_twice = (
        "import signal\n"
        "from unittest.mock import Mock\n"
        "from importer.cli import app\n"
        "from importer.errors import ExitCode, StoppedError\n"
        f"app.cli.main = Mock(side_effect={first})\n"
        f"{place} = lambda *_, **__: signal.raise_signal({second:d})\n"
        "app.main()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", is_stopped_twice], capture_output=True, text=True, check=False
    )
    assert ended.returncode == -second
    assert "Traceback" not in ended.stderr
