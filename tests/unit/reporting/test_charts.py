"""Charts: what is drawn where."""

import pytest

from importer.model import Moment
from importer.reporting.charts import Chart, histogram, over_time, responses_over_time
from importer.reporting.report import _milliseconds

NOON = 1_767_268_800.0


def moment(at: float, settled: int = 0, interval: float = 1.0, **changes: object) -> Moment:
    nothing = Moment(at, interval, settled, 0, 0, 0, None, None, "", {})
    return nothing._replace(**changes)  # type: ignore[arg-type]


def lines(moments: list[Moment]) -> Chart:
    return over_time("", "", "s", moments, {"median": lambda m: m.p50, "p95": lambda m: m.p95})


@pytest.mark.parametrize(
    ("most", "labels"),
    [
        (0, ["0", "0.5", "1", "1.5", "2"]),
        (0.03, ["0", "0.01", "0.02", "0.03", "0.04"]),
        (7, ["0", "2", "4", "6", "8"]),
        (8, ["0", "2", "4", "6", "8"]),
        (14_600, ["0", "5,000", "10,000", "15,000", "20,000"]),
    ],
)
def test_the_y_axis_counts_in_round_steps_to_above_the_highest_value(
    most: float, labels: list[str]
) -> None:
    chart = Chart("", "", "", "", ["a", "b"], {"one": [0, most], "two": [None, None]})
    assert [label.text for label in chart.y_labels] == labels
    assert [label.at for label in chart.y_labels] == pytest.approx([100, 75, 50, 25, 0])


def test_a_line_has_gaps_where_nothing_is_known_and_a_lone_point_is_as_wide_as_its_column() -> None:
    latencies = [1.0, 2.0, None, 4.0]
    chart = lines([moment(NOON + n, p50=value) for n, value in enumerate(latencies)])
    first, second = chart.paths
    assert first == "M12.50,75.00L37.50,50.00M75.00,0.00h25.00"
    assert second == ""
    assert [column.text for column in chart.columns][1:3] == ["12:00:01: median 2", "12:00:02"]


def test_of_two_known_figures_there_is_no_course_to_be_seen() -> None:
    known = [moment(NOON + n, p50=1.0) for n in range(3)]
    assert lines(known).has_course
    assert not lines([*known[:2], moment(NOON + 2)]).has_course


def test_a_connection_that_was_refused_at_once_is_no_quick_response() -> None:
    down = moment(NOON, p50=0.0005, statuses={0: 7})
    assert _milliseconds(down, down.p50) is None
    assert _milliseconds(down._replace(statuses={0: 7, 200: 1}), 0.002) == 2.0


def test_many_moments_are_averaged_by_how_long_they_lasted() -> None:
    moments = [moment(NOON + n, p50=float(n % 2), interval=1 + 2 * (n % 2)) for n in range(240)]
    chart = lines(moments)
    assert chart.series["median"] == [0.75] * 120
    assert len(chart.x_labels) == 4


def test_between_two_runs_there_is_a_gap_and_the_labels_of_days_show_the_date() -> None:
    chart = lines([moment(NOON, p50=1.0), moment(NOON + 86_400, p50=1.0)])
    assert chart.labels == ["01 Jan 12:00", "no run", "02 Jan 12:00"]
    assert [label.text for label in chart.x_labels] == ["01 Jan 12:00", "", "02 Jan 12:00"]
    assert chart.paths[0].count("M") == 2
    assert chart.columns[1].text == "no run"
    assert chart.breaks == [50.0]
    together = [moment(NOON), moment(NOON + 60, interval=60.0)]
    assert lines(together).labels == ["12:00:00", "12:01:00"], "a moment may last long"


def test_the_responses_of_a_moment_are_stacked() -> None:
    chart = responses_over_time(
        "", "", [moment(NOON, statuses={429: 3, 503: 1, 200: 9})], {429: "429", 503: "503"}
    )
    lower, upper = chart.bars
    assert (lower.series, lower.top, lower.height) == (1, 25, 75)
    assert (upper.series, upper.top, upper.height) == (2, 0, 25)
    assert chart.columns[0].text == "12:00:00: 429 3, 503 1"


def test_a_histogram_of_many_bars_writes_the_labels_that_there_is_room_for() -> None:
    chart = histogram("", "", "PUTs", {str(n): n for n in range(1, 31)})
    assert [label.text for label in chart.x_labels] == [str(n) for n in range(1, 31, 3)]
    assert len(chart.bars) == 30
