"""The API key of a run, which its workers ask for once more when it is refused after a success."""

from __future__ import annotations

from dataclasses import dataclass

import anyio
import anyio.to_thread

from importer.clarityq.api_key import ApiKey
from importer.distributed.seat import Seat
from importer.distributed.wire import Reply


@dataclass(slots=True)
class _Held:
    """What a worker has: a key, and how often it has asked for another one."""

    key: ApiKey
    asked: int = 0
    #: What it is told until it has it.
    to_tell: tuple[int, bytes] | None = None


class Keys:
    """Hands the key over, if the way to the workers is private, and reads it again for them."""

    def __init__(self, key: ApiKey, *, are_handed_over: bool) -> None:
        self._key = key
        self._are_handed_over = are_handed_over
        self._held: dict[Seat, _Held] = {}
        self._one_at_a_time = anyio.Lock()

    def first(self, seat: Seat) -> bytes | None:
        """Return what a worker begins with; None if it has to have a key of its own."""
        self._held[seat] = _Held(self._key)
        return self._key.reveal().encode() if self._are_handed_over else None

    def next(self, seat: Seat) -> tuple[int, bytes] | None:
        """Return the key that the worker has asked for, by the number of its question."""
        held = self._held.get(seat)
        return None if held is None else held.to_tell

    def heard(self, seat: Seat, reply: Reply) -> bool:
        """Take in what a worker has replied; return whether the key has to be read for it."""
        held = self._held.get(seat)
        if held is None:
            return False
        if held.to_tell is not None and reply.key_known >= held.to_tell[0]:
            held.to_tell = None
        is_new = reply.keys_asked > held.asked
        held.asked = max(held.asked, reply.keys_asked)
        return is_new

    async def read(self, seat: Seat, *, was_accepted: bool) -> None:
        """Read the key again, unless another worker has had it read since this one was told.

        It takes as long as its source does. A key that was never accepted is wrong, and not a
        rotated one. If there is no other key, the worker is told the same.
        """
        if (held := self._held.get(seat)) is None:
            return
        async with self._one_at_a_time:
            if held.key is self._key and was_accepted:
                new = await anyio.to_thread.run_sync(self._key.renewed, abandon_on_cancel=True)
                self._key = new or self._key
            held.key = self._key
        told = self._key.reveal().encode() if self._are_handed_over else b""
        held.to_tell = held.asked, told

    def gone(self, seat: Seat) -> None:
        """The worker needs no key any more."""
        self._held.pop(seat, None)
