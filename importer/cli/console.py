"""The consoles that the commands print to."""

from __future__ import annotations

import os
import sys

from rich.console import Console

#: Wide enough for a table in a log; on a terminal its real width is used.
_WIDTH_ELSEWHERE = 120


class _PatientConsole(Console):
    """Prints as long as somebody reads; the command ends with its own exit code either way."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


def output() -> Console:
    """Return the console for results, on standard output."""
    return _console(stderr=False)


def messages() -> Console:
    """Return the console for progress and remarks, on standard error."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _WIDTH_ELSEWHERE
    return _PatientConsole(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)
