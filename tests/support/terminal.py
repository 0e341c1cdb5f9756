"""A terminal emulator whose screen can be read."""

from __future__ import annotations

import io

import pyte
from rich.console import Console


class Terminal(io.StringIO):
    """A screen of that size. `console` writes to it, and `rows` is what a person sees.

    When it becomes narrower, it cuts its lines; with `wraps_again` it wraps them, as most do.
    """

    def __init__(self, columns: int, lines: int = 24, *, wraps_again: bool = False) -> None:
        super().__init__()
        self._wraps_again = wraps_again
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.Stream(self._screen)
        self.console = Console(
            file=self, width=columns, height=lines, force_terminal=True, color_system="standard",
            highlight=False, markup=False, emoji=False, legacy_windows=False,
        )  # fmt: skip

    def write(self, text: str) -> int:
        """Show `text`; the system's terminal driver returns to column 1 after a new line."""
        self._stream.feed(text.replace("\n", "\r\n"))
        return len(text)

    @property
    def rows(self) -> list[str]:
        """Return the lines of the screen up to the last that is not empty."""
        rows = [row.rstrip() for row in self._screen.display]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def resize(self, columns: int) -> None:
        """Change the width, as a person does with a window."""
        screen = self._screen
        lines = [row.rstrip() for row in screen.display[: screen.cursor.y + 1]]
        screen.resize(columns=columns)
        if self._wraps_again:
            lines[-1] = lines[-1].ljust(screen.cursor.x)
            pieces = [
                line[at : at + columns]
                for line in lines
                for at in range(0, max(1, len(line)), columns)
            ]
            screen.reset()
            self._stream.feed("\r\n".join(pieces))
        self.console.size = (columns, screen.lines)
