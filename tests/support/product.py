"""A product of which the comparison is told what other jobs have done."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from importer.jobs.below_void import Below
from importer.jobs.ledger_lines import Lines
from importer.jobs.records import Line, Unsure


@dataclass
class FakeProduct:
    """Satisfies `survey.ledger_diff.Others`."""

    known: Sequence[Line] = ()
    doubts: Sequence[Unsure] = ()
    floor: int = 0
    next_number: int = 9
    #: Keys of rows above which only rows stand that count for nothing.
    void: frozenset[bytes] = frozenset()

    def lines(self, part: int) -> Lines:
        return Lines.of(sorted(line for line in self.known if line.key[0] == part))

    def look_up(self, keys: Iterable[bytes]) -> dict[bytes, Line]:
        wanted = set(keys)
        return {line.key: line for line in self.known if line.key in wanted}

    def unsure(self) -> Iterator[Unsure]:
        yield from self.doubts

    def below_void(self, rows: Sequence[Below]) -> set[bytes]:
        return {row.key for row in rows} & self.void
