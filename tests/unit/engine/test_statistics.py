"""What a run measures of itself."""

from importer.engine.statistics import Statistics


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
