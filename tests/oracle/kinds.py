"""The kinds of histories that are played."""

from __future__ import annotations

from tests.oracle.nights import Kind

SKIP, CARRY = "--skip-unchanged", "--carry-over"
WAYS = ("resume", "replace", "abandon", "leave")
OTHERS = {"again": 4, "fix": 1}
ALL = {"again": 6, "fix": 3, "prune": 1, "move": 1}

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
    )
}
