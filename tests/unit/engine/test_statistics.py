"""What a run measures of itself."""

from importer.engine.statistics import Problem, Statistics, interval_after


def test_a_request_without_a_response_is_counted_and_has_no_response_time() -> None:
    statistics = Statistics(0.0)
    statistics.answered(0.25, 200)
    for _ in range(9):
        statistics.answered(0.0001, None)
    median, slowest = statistics.latencies()
    assert median is not None
    assert median == slowest
    assert 0.2 < median < 0.3
    turned = statistics.turn(2.0, 1)
    assert turned is not None
    assert turned[0].statuses == {200: 1, 0: 9}


def test_a_moment_has_what_came_since_the_one_before() -> None:
    statistics = Statistics(1000.0)
    statistics.answered(0.25, 200)
    assert statistics.turn(1000.9, 1) is None, "it is too short"
    first = statistics.turn(1001.0, 3)
    assert first is not None
    assert first[1:] == (1.0, 3)
    assert statistics.turn(1001.0, 3, last=True) is None, "nothing is left to be told"
    statistics.answered(0.25, 503)
    assert statistics.turn(1001.5, 5) is None
    last = statistics.turn(1001.5, 5, last=True)
    assert last is not None
    assert last[0].statuses == {503: 1}
    assert last[1:] == (0.5, 2)
    assert statistics.all_statuses == {200: 1, 503: 1}
    assert sum(statistics.all_answers) == 2


def test_response_times_are_still_known_when_a_moment_has_just_ended() -> None:
    statistics = Statistics(0.0)
    statistics.answered(0.25, 200)
    statistics.turn(1.0, 1)
    assert statistics.latencies()[0] is not None
    statistics.turn(2.0, 1)
    assert statistics.latencies()[0] is None


def test_moments_become_longer_in_a_long_run() -> None:
    assert [interval_after(elapsed) for elapsed in (0, 10, 5000)] == [1, 1, 10]


def test_problems_are_counted_and_the_one_that_was_not_met_for_longest_is_forgotten() -> None:
    statistics = Statistics(0.0)
    for number in range(100):
        statistics.met(f"503 {number}", "")
    statistics.met("503 0", "again")
    assert len(statistics.problems) == 100
    statistics.met("another", "")
    assert len(statistics.problems) == 100
    assert "503 1" not in statistics.problems
    assert statistics.problems["503 0"] == Problem(2, "again")
    assert [*statistics.problems][-2:] == ["503 0", "another"]
