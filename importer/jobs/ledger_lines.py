"""Lines of the ledger: read as columns, and made one by one only where one is looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Self

from importer.jobs.keys import rank_of, unsigned
from importer.jobs.records import Line


class Lines(NamedTuple):
    """Some conversations of the ledger by key, as it holds them: see `Line`."""

    keys: Sequence[bytes] = ()
    #: As `rank_number`.
    ranks: Sequence[int] = ()
    #: As `signed`.
    bodies: Sequence[int | None] = ()
    times: Sequence[float] = ()
    runs: Sequence[int] = ()

    @classmethod
    def of_rows(cls, rows: Iterable[tuple[bytes, int, int | None, float, int]]) -> Self:
        """Return the lines that stand in these rows of the ledger."""
        return cls(*zip(*rows, strict=True))

    def line(self, place: int) -> Line:
        """Return one of them."""
        return Line(
            self.keys[place], rank_of(self.ranks[place]), unsigned(self.bodies[place]),
            self.times[place], self.runs[place],
        )  # fmt: skip

    def each(self) -> Iterator[Line]:
        """Yield all of them."""
        return map(self.line, range(len(self.keys)))
