"""What is decided by column is what the rules for single rows say; nothing sure is left over."""

import random

import numpy as np
import pytest

from importer.jobs.keys import rank_number
from importer.jobs.ledger_lines import Lines
from importer.jobs.records import Line, Unsure
from importer.model import Rank, Reason
from importer.survey.many_rows import ManyWinners
from importer.survey.spill import KEY
from importer.survey.standing import Rules, why_not_sent
from importer.survey.standing_by_column import set_apart
from importer.survey.superseded import NEW
from tests.support.product import lines_of

OWN, FLOOR, NOW = Rank(9, 9), Rank(4, 4), 100.0
BODIES = [0, 1, 2**63 + 5]


def winners_of(keys: list[bytes], ranks: list[int], bodies: list[int]) -> ManyWinners:
    seqs = np.arange(1, len(keys) + 1)
    columns = np.array(ranks, np.uint64), np.array(bodies, np.uint64)
    return ManyWinners(np.frombuffer(b"".join(keys), KEY), seqs, *columns)


@pytest.mark.parametrize("bodies", [True, False])
@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("stored_after", [None, 50.0])
def test_what_is_set_apart_agrees_with_the_rules_for_single_rows(
    skip: bool, bodies: bool, stored_after: float | None
) -> None:
    rules = Rules(FLOOR, skip, stored_after, NOW)
    for seed in range(20):
        dice = random.Random(seed)
        # Some keys have the same first half, or the same second one.
        halves = [dice.randbytes(8) for _ in range(9)]
        keys = sorted({dice.choice(halves) + dice.choice(halves) for _ in range(40)})
        ranks = [dice.choice([NEW, NEW, NEW, rank_number(Rank(3, 9))]) for _ in keys]
        wanted = [dice.choice(BODIES) for _ in keys]
        lines = {
            key: Line(key, Rank(n, n), dice.choice([*BODIES, None]), at, 1)
            for key in [*dice.sample(keys, len(keys) // 2), dice.randbytes(16)]
            for n, at in [(dice.randint(3, 6), dice.choice([49.0, 50.0, 51.0, NOW, NOW + 1]))]
        }
        unsure = {
            key: [Unsure(key, Rank(5, 5), 5, 1, True, open=True, unfinished=False)]
            for key in dice.sample(keys, dice.choice([0, 2]))
        }
        table = lines_of(lines[key] for key in sorted(lines))
        found = set_apart(winners_of(keys, ranks, wanted), table, unsure, rules, bodies=bodies)

        new, unchanged, others = 0, [], []
        doubtful = {key[:8] for key in unsure}
        for seq, (key, rank, body) in enumerate(zip(keys, ranks, wanted, strict=True), 1):
            line = lines.get(key)
            reason = why_not_sent(OWN, body if bodies else None, line, unsure.get(key, ()), rules)
            is_sure = rank == NEW and key[:8] not in doubtful
            if is_sure and line is None:
                new += 1
            elif is_sure and reason is Reason.SAME_AS_STORED:
                unchanged.append(seq)
            else:
                others.append((key, line))
        assert (found.new, found.unchanged) == (new, unchanged)
        places = [None if place < 0 else table.line(place) for place in found.places]
        assert [(row.key, line) for row, line in zip(found.others, places, strict=True)] == others


def test_without_lines_all_that_is_sure_is_new() -> None:
    rules = Rules(FLOOR, True, 50.0, NOW)
    found = set_apart(winners_of([bytes(16)], [NEW], [0]), Lines(), (), rules, bodies=True)
    assert (found.new, found.unchanged, list(found.others)) == (1, [], [])
