from importer.distributed.pauses import Pauses


def test_all_keep_a_pause_that_one_was_asked_for() -> None:
    pauses = Pauses()
    pauses.heard("a", 30.0, 100, now=0.0)
    for now in (0.0, 0.1, 0.2):
        pauses.heard("b", 0.0, 200, now)
        pauses.heard("a", 30.0 - now, 100, now)
    assert pauses.hold("b", 0.2) == 29.8
    assert not pauses.hold("a", 0.2)
    assert not pauses.lifts("a")

    pauses.heard("a", 0.0, 100, now=5.0)
    assert not pauses.hold("b", 5.0)


def test_a_pause_while_others_are_granted_is_for_one_request_alone() -> None:
    pauses = Pauses()
    for now, granted in ((0.0, 200), (0.1, 210), (0.2, 220), (0.3, 230)):
        pauses.heard("a", 30.0, 100, now)
        pauses.heard("b", 0.0, granted, now)
    assert not pauses.hold("b", 0.3)
    assert pauses.lifts("a")


def test_the_pause_of_a_worker_that_is_gone_holds_nobody() -> None:
    pauses = Pauses()
    pauses.heard("a", 30.0, 100, now=0.0)
    pauses.gone("a")
    assert not pauses.hold("b", 1.0)
