"""What a run may do in all, shared among its workers. Sans-I/O."""

from __future__ import annotations

from collections.abc import Hashable

#: Rows that a worker has at least for each request that it may have in flight: it hears from the
#: coordinator a few times a second only.
SLOT_ROWS = 4


class Shares:
    """Shares out `total`, evenly, so that what workers go by is never more in all.

    A worker goes by its share from when it has it until it has another one, and it is not known
    when that is before it replies. So a share that is lowered is free for others only then.
    """

    def __init__(self, total: float) -> None:
        self._total = total
        #: What each may be going by: the share that it has acknowledged last, and those after it.
        self._given: dict[Hashable, list[tuple[int, float]]] = {}

    def give(self, worker: Hashable, number: int, workers: int) -> float:
        """Return the share that goes to `worker` with its grant `number`, one of so many `workers`.

        0 if nothing is free yet, or if there are 0 `workers`: then it is to leave all to others.
        """
        free = self._total - sum(self.held(other) for other in self._given if other != worker)
        share = max(0.0, min(self._total / workers, free)) if workers else 0.0
        given = self._given.setdefault(worker, [])
        if not given or given[-1][1] != share:
            given.append((number, share))
        return share

    def held(self, worker: Hashable) -> float:
        """Return the most that the worker may be going by."""
        return max((share for _, share in self._given.get(worker, ())), default=0.0)

    def acknowledged(self, worker: Hashable, number: int) -> None:
        """The worker has the grant of that `number`, so it goes by none before it."""
        given = self._given.get(worker, [])
        while len(given) > 1 and given[1][0] <= number:
            del given[0]

    def release(self, worker: Hashable) -> None:
        """The worker can start no request any more."""
        self._given.pop(worker, None)


def period(senders: int) -> float:
    """Return the seconds between two exchanges with a worker that sends, one of so many.

    Each costs up to a millisecond of CPU, whatever is in it: so of many workers each has fewer.
    """
    return max(0.1, 0.005 * senders)


def rows_on_hand(
    speed: float, slots: int, ready: int, workers: int, *, fewest: int = 100, most: int = 20_000
) -> int:
    """Return how many rows a worker should have that can be sent.

    `speed` is how many it has done in a second lately, and `slots` how many of its requests may be
    in flight. Of the last rows (`ready` are left at the coordinator) each worker has its part, so
    that none is waited for longer than need be.
    """
    wanted = min(max(int(2 * speed), SLOT_ROWS * slots, fewest), most)
    return min(wanted, max(1, -(-ready // max(1, workers)))) if ready < wanted * workers else wanted
