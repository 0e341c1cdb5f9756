from importer.distributed.tally import Tally, Told


def told(number: int, rate: float | None) -> Told:
    return Told(number, rate, False, 0.005, 0.0, False)


def test_only_what_started_in_a_round_counts_for_it() -> None:
    tally = Tally(0.0)
    tally.go_by(0.0, told(1, None))
    tally.start()
    tally.go_by(1.0, told(2, 100.0))
    tally.start()
    tally.granted(1.1, started=0.5)
    tally.granted(1.2, started=1.1)

    seen = tally.seen(2.0, pause=0.0)

    assert (seen.round, seen.seconds, seen.started, seen.granted) == (2, 1.0, 1, 1)
    assert seen.granted_in_all == 2
    assert tally.cap is not None
    assert tally.cap.per_second == 100.0


def test_a_worker_brakes_before_it_is_told_when_much_is_refused() -> None:
    tally = Tally(0.0)
    tally.go_by(0.0, told(1, None))
    for number in range(20):
        at = number / 20
        tally.start()
        if number % 2:
            tally.refused(at, started=at)
        else:
            tally.granted(at, started=at)
    assert tally.cap is not None
    assert tally.cap.per_second < 20
    braked = tally.cap.per_second

    tally.go_by(1.0, told(1, None))  # the coordinator does not know yet
    assert tally.cap.per_second == braked
    tally.go_by(1.1, told(2, None))  # it was noise
    assert tally.cap is None
