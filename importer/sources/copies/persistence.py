"""Tries again to copy what a broken connection or a busy server has interrupted."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from importer.errors import InputError
from importer.sources.copies.partial_copy import PartialCopy

#: Tries in a row that bring nothing new.
_MOST_TRIES = 8
#: Seconds.
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 20.0


class CutError(Exception):
    """The connection broke, or the server is busy: to be tried again. Its text holds no secret."""


def persist(part: PartialCopy, go_on: Callable[[], None]) -> None:
    """Call `go_on`, which copies the rest, until it raises no `CutError` any more.

    Raises `InputError` after several tries in a row that brought nothing new.
    """
    tries, reached = 0, -1
    while True:
        try:
            go_on()
        except CutError as error:
            tries = tries + 1 if part.size <= reached else 1
            reached = max(reached, part.size)
            if tries >= _MOST_TRIES:
                rest = ""
                if part.size:
                    rest = ". A run keeps what was copied, and the same command goes on from there"
                raise InputError(f"{part.name} cannot be copied: {error}{rest}") from None
            _wait(part, tries)
        else:
            return


def _wait(part: PartialCopy, tries: int) -> None:
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2**tries)
    until = time.monotonic() + random.uniform(0, longest)  # noqa: S311 -- no secret
    while (left := until - time.monotonic()) > 0:
        part.watch.check()
        time.sleep(min(left, 0.1))
