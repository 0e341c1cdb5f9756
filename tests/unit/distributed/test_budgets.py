import random

from hypothesis import given
from hypothesis import strategies as st

from importer.distributed.budgets import Shares, rows_on_hand


@given(st.integers(0, 2**32), st.integers(1, 6), st.sampled_from([1.0, 8.0, 500.0]))
def test_what_workers_go_by_is_never_more_than_the_total(
    seed: int, workers: int, total: float
) -> None:
    """Grants and replies are late or lost, and workers come and go, in any order."""
    dice, shares = random.Random(seed), Shares(total)
    number = 0
    sent: dict[int, list[tuple[int, float]]] = {}
    goes_by: dict[int, tuple[int, float]] = {}
    for _ in range(60):
        worker = dice.randrange(workers)
        match dice.randrange(4):
            case 0 | 1:
                number += 1
                sent.setdefault(worker, []).append(
                    (number, shares.give(worker, number, len({*sent, worker})))
                )
            case 2 if sent.get(worker):
                grant = dice.choice(sent[worker])
                if grant > goes_by.get(worker, (0, 0.0)):
                    goes_by[worker] = grant
                shares.acknowledged(worker, goes_by[worker][0])
            case 3 if dice.random() < 0.2:
                shares.release(worker)
                sent.pop(worker, None)
                goes_by.pop(worker, None)
        assert sum(share for _, share in goes_by.values()) <= total + 1e-9


def test_all_workers_have_even_shares_in_the_end() -> None:
    shares, number = Shares(90.0), 0
    for _ in range(3):
        for worker in "abc":
            number += 1
            share = shares.give(worker, number, 3)
            shares.acknowledged(worker, number)
    assert share == 30.0


def test_the_last_rows_are_divided_among_the_workers() -> None:
    assert rows_on_hand(speed=1000.0, slots=64, ready=100_000, workers=4) == 2000
    assert rows_on_hand(speed=1000.0, slots=64, ready=40, workers=4) == 10
    assert rows_on_hand(speed=0.0, slots=64, ready=100_000, workers=4) == 256
