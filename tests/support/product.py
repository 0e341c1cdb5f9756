"""A product of which the comparison is told what other jobs have done."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from importer.jobs.keys import rank_number, signed
from importer.jobs.ledger_lines import Lines
from importer.jobs.records import Line, Unsure


def lines_of(lines: Iterable[Line]) -> Lines:
    """Return these lines, which come by key."""
    return Lines.of_rows(
        (key, rank_number(rank), signed(body), at, run) for key, rank, body, at, run in lines
    )


@dataclass
class FakeProduct:
    """Satisfies `survey.ledger_diff.Others`."""

    known: Sequence[Line] = ()
    doubts: Sequence[Unsure] = ()
    floor: int = 0
    next_number: int = 9

    def lines(self, part: int) -> Lines:
        return lines_of(sorted(line for line in self.known if line.key[0] == part))

    def look_up(self, keys: Iterable[bytes]) -> dict[bytes, Line]:
        wanted = set(keys)
        return {line.key: line for line in self.known if line.key in wanted}

    def unsure(self) -> Iterator[Unsure]:
        yield from self.doubts
