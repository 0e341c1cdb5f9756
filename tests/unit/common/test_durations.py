"""Durations and shares, read and shown."""

import pytest

from importer.common.durations import format_duration, parse_duration, parse_share, write_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5", 5), ("500ms", 0.5), ("5s", 5), ("10min", 600), ("6h", 21600), ("1.5 H", 5400), (7, 7)],
)
def test_durations_are_seconds_or_have_a_unit(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1", "5 parsecs", "1h30", "inf", "nan", "٥s"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="write 30, 500ms, 5s, 10min or 6h"):
        parse_duration(text)


def test_durations_are_shown_in_the_units_that_matter() -> None:
    shown = [format_duration(seconds) for seconds in (0.02, 3.14, 59.9, 65, 3700, 90000)]
    assert shown == ["20 ms", "3.1 s", "1 min", "1 min 5 s", "1 h 1 min", "1 d 1 h"]
    assert [format_duration(s) for s in (0, 0.0004, 0.9996)] == ["0 ms", "< 1 ms", "1.0 s"]


def test_durations_are_written_as_they_are_read() -> None:
    written = [write_duration(seconds) for seconds in (0, 0.02, 1.5, 5, 90, 600, 21600, 604_800)]
    assert written == ["0s", "20ms", "1500ms", "5s", "90s", "10min", "6h", "7d"]
    assert [parse_duration(text) for text in written] == [0, 0.02, 1.5, 5, 90, 600, 21600, 604_800]


def test_shares_are_percent_or_a_fraction() -> None:
    assert (parse_share("5%"), parse_share("0.05")) == (0.05, 0.05)
    with pytest.raises(ValueError, match="not a share"):
        parse_share("105%")
