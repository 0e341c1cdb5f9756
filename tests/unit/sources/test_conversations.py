"""How often conversations occur, in memory, by numpy and on disk."""

import random
from collections import Counter

import pytest

from importer.common.uuids import uuid_bytes
from importer.sources.conversations import ConversationCounter
from tests.support.data import conversation


@pytest.mark.parametrize(("spill_at", "few"), [(1 << 30, 1 << 30), (1 << 30, 0), (1000, 0)])
def test_the_figures_are_exact(monkeypatch: pytest.MonkeyPatch, spill_at: int, few: int) -> None:
    monkeypatch.setattr(ConversationCounter, "SPILL_AT", spill_at)
    monkeypatch.setattr(ConversationCounter, "FEW", few)
    dice = random.Random(1)
    ids = [conversation(int(dice.triangular(0, 3000, 0))) for _ in range(4000)]
    with ConversationCounter(5) as counter:
        for who in ids[:100]:
            counter.add(who)
        counter.add_all(b"".join(map(uuid_bytes, ids[100:])))
        found = counter.conclude()
    counts = Counter(ids)
    assert found.conversations == len(counts)
    assert found.repeated == sum(number > 1 for number in counts.values())
    assert found.superseded == len(ids) - len(counts)
    ordered = sorted(counts.items(), key=lambda one: (one[1], one[0]), reverse=True)
    assert found.examples == ordered[:5]


def test_nothing_at_all_is_no_conversation() -> None:
    with ConversationCounter(5) as counter:
        assert counter.conclude().conversations == 0
