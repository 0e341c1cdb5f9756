"""The kinds of histories that are played."""

from __future__ import annotations

from tests.oracle.nights import Kind
from tests.oracle.player import REFRESH

SKIP, CARRY = "--skip-unchanged", "--carry-over"
WORKERS = ("--workers", "2")
WAYS = ("resume", "replace", "abandon", "leave")
OTHERS = {"again": 4, "fix": 1}
KEEP = "--keep-bodies"
NIGHTS = ((), (KEEP,), (SKIP, KEEP), (CARRY, KEEP), (CARRY, SKIP))
ALL = {"again": 6, "fix": 3, "prune": 1, "move": 1}

TROUBLES = ("stop", "outage", "kill", "early", "overlap")
SLICED = ("limit", "box", "quit", "kill", "outage")


def _taking(name: str, others: dict[str, int], interruptions: tuple[str, ...] = TROUBLES) -> Kind:
    """Return a kind in which things are taken back: few nights, and few rows in each."""
    return Kind(
        name,
        options=NIGHTS,
        others=others,
        ways=WAYS,
        interruptions=interruptions,
        nights=(2, 3),
        beside=(1, 3),
        pool=(8, 20),
        after=8,
        takes=True,
    )


KINDS = {
    kind.name: kind
    for kind in (
        Kind("orderly", others={"again": 1}, waits=True),
        Kind("skipping", options=((SKIP,),), others=OTHERS, ways=WAYS),
        Kind("carrying", options=((CARRY,), (CARRY, SKIP)), others=OTHERS, ways=WAYS),
        Kind("mixed", options=((), (SKIP,), (CARRY,), (CARRY, SKIP)), others=ALL, ways=WAYS),
        Kind(
            "lossy",
            options=((), (SKIP,), (CARRY,), (CARRY, SKIP)),
            others={**ALL, "lose ledger": 2, "lose job": 1},
            ways=WAYS,
        ),
        Kind(
            "sliced",
            options=((), (SKIP,), (SKIP, REFRESH), (CARRY,), (CARRY, SKIP)),
            others={"again": 4, "fix": 1, "restart": 3},
            ways=WAYS,
            interruptions=SLICED,
            nights=(5, 8),
        ),
        Kind(
            "formats",
            options=((), (SKIP,), (CARRY,), (CARRY, SKIP)),
            others={"again": 4, "fix": 3},
            ways=WAYS,
            nights=(5, 8),
            formats=("jsonl", "parquet", "csv.gz", "jsonl.gz"),
            newest=True,
        ),
        Kind(
            "workers",
            options=((), (*WORKERS,), (CARRY, *WORKERS), (CARRY, SKIP, *WORKERS)),
            others=OTHERS,
            ways=WAYS,
            nights=(4, 6),
            is_quick=False,
        ),
        _taking(
            "undo",
            {
                "undo": 7,
                "undo the undo": 2,
                "undo again": 2,
                "again": 3,
                "fix": 1,
                "move": 1,
                "lose ledger": 1,
            },
        ),
        _taking(
            "undo-old",
            {
                "undo": 6,
                "undo the undo": 2,
                "undo again": 1,
                "again": 2,
                "restart": 1,
                "prune": 3,
                "drop comments": 2,
            },
            (*SLICED, "stop", "early"),
        ),
        _taking(
            "forget",
            {
                "forget": 6,
                "undo": 3,
                "undo again": 1,
                "again": 4,
                "fix": 2,
                "drop comments": 1,
                "lose ledger": 1,
            },
        ),
    )
}
