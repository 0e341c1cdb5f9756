"""The command on a terminal of which a person changes the size."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyte

from tests.support.data import PRODUCT, conversation, write_csv

LABELS = {"rows", "outcomes", "requests", "deferred"}


class Window:
    """A terminal window in which a command runs. It cuts its lines when it becomes narrower."""

    def __init__(self, *command: str, columns: int) -> None:
        self._screen = pyte.Screen(columns, 40)
        self._stream = pyte.ByteStream(self._screen)
        self._ours, theirs = pty.openpty()
        self._set_size(columns)
        # A size that the shell has exported is not that of the window for long.
        environment = {**os.environ, "TERM": "linux", "COLUMNS": "200", "LINES": "9"}
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
        )
        os.close(theirs)

    def resize(self, columns: int) -> None:
        """Change the width, and tell the command of it."""
        self._screen.resize(columns=columns)
        self._set_size(columns)

    def shows(self, expected: Callable[[list[str]], bool]) -> list[str]:
        """Return the rows as soon as they are as expected; the test's time-out ends the wait."""
        while True:
            rows = [row.rstrip() for row in self._screen.display]
            if expected(rows):
                return rows
            assert self._read(), "\n".join(rows)

    def end(self) -> list[str]:
        """Return the rows that are left when the command has ended."""
        while self._read():
            pass
        os.close(self._ours)
        self.process.wait()
        return [row.rstrip() for row in self._screen.display]

    def _read(self) -> bool:
        try:
            block = os.read(self._ours, 4096)
        except OSError:  # the command has ended
            return False
        self._stream.feed(block)
        return bool(block)

    def _set_size(self, columns: int) -> None:
        size = struct.pack("HHHH", self._screen.lines, columns, 0, 0)
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, size)


def is_whole(width: int, rows: list[str]) -> bool:
    """Return whether all of the view is there, in so many columns: it may come in pieces."""
    text = "\n".join(rows)
    return (
        "only deferred rows are left" in text
        and "Ctrl-C is" in text
        and {row.split(" ")[0] for row in rows} >= LABELS
        and max(map(len, rows)) <= width
        and ("━" in text) == (width >= 72)
    )


def test_the_view_fits_the_window_and_leaves_nothing_of_itself_behind(tmp_path: Path) -> None:
    rows = [(conversation(n), "POSITIVE", "") for n in range(50)]
    window = Window(
        sys.executable, "-m", "importer", "run", str(write_csv(tmp_path / "in.csv", rows)),
        "--product-id", PRODUCT, "--sandbox", "--fault", "not-completed=50%:10min",
        "--defer-first", "1s", columns=80,
    )  # fmt: skip
    for width in (80, 40, 60):
        window.resize(width)
        shown = window.shows(partial(is_whole, width))
        labels = [row.split(" ")[0] for row in shown]
        for label in LABELS:
            assert labels.count(label) == 1, "\n".join(shown)
    window.process.send_signal(signal.SIGINT)
    text = "\n".join(window.end())
    assert window.process.returncode == 130
    assert "% done" not in text
    assert "To resume: clarityq-import run" in text
