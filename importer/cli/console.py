"""The consoles that the commands print to."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from importer.common.text import escaped
from importer.model import OutcomeKind

#: Wide enough for a table in a log; on a terminal its real width is used.
_WIDTH_ELSEWHERE = 120


def plain(text: str) -> str:
    """Return `text` with what could steer a terminal (control characters, marks) escaped."""
    return escaped(text, keep="\n")


def outcome_counts(outcomes: Mapping[OutcomeKind, int]) -> str:
    """Return the outcomes that there are, with their rows, on one line."""
    return ", ".join(f"{outcomes[kind]:,} {kind}" for kind in OutcomeKind if outcomes[kind])


class _PlainConsole(Console):
    """Prints foreign texts so that they cannot steer the terminal."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(plain(o) if isinstance(o, str) else o for o in objects), **options)


def output() -> Console:
    """Return the console for results, on standard output."""
    return _console(stderr=False)


def messages() -> Console:
    """Return the console for progress and remarks, on standard error."""
    return _console(stderr=True)


def tell(message: str) -> None:
    """Print a remark on standard error."""
    messages().print(message, soft_wrap=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    is_terminal = stream.isatty()
    return _PlainConsole(
        stderr=stderr, width=None if is_terminal else _WIDTH_ELSEWHERE,
        highlight=False, markup=False, emoji=False,
        _environ=_without_size(os.environ) if is_terminal else os.environ,
    )  # fmt: skip


def _without_size(environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return `environment` without the size that rich would take to be that of the terminal.

    A shell that exports COLUMNS does not change it for a program that runs.
    """
    return {name: it for name, it in environment.items() if name not in ("COLUMNS", "LINES")}
