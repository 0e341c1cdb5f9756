"""How far a survey has come is told now and then, and it ends where it is to stop."""

from types import SimpleNamespace

import pytest

from importer.survey import progress
from importer.survey.progress import SurveyProgress, SurveyStoppedError, Teller, until_stopped


class Clock:
    """A clock that is set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: self.now))


def test_progress_is_told_ten_times_a_second_at_most_with_the_time_that_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, told = Clock(monkeypatch), list[SurveyProgress]()
    clock.now = 64.0
    teller = Teller(lambda: False, told.append)
    for seconds, share in ((0.0, 0.5), (0.0625, 0.5), (0.125, 0.0), (0.1875, 0.5), (8.0, 0.25)):
        clock.now = 64.0 + seconds
        teller.tell(share, int(8 * seconds))
    assert told == [SurveyProgress(0.0, 1, None), SurveyProgress(0.25, 64, 24.0)]
    clock.now = 0.0
    teller = Teller(lambda: False, told.append)
    clock.now = 0.1
    teller.tell(1.0, 2)
    assert told[2:] == [SurveyProgress(1.0, 2, 0.0)]


def test_a_survey_that_is_to_stop_says_how_far_it_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, told = Clock(monkeypatch), list[SurveyProgress]()
    teller = Teller(lambda: clock.now > 1, told.append)
    teller.tell(0.1, 1)
    clock.now = 2.0
    with pytest.raises(SurveyStoppedError, match="stopped after 7 rows of the survey") as caught:
        teller.tell(0.25, 7)
    assert caught.value.progress == SurveyProgress(0.25, 7, 6.0)
    assert told == []


def test_rows_that_are_read_again_are_so_batch_by_batch_until_it_is_stopped() -> None:
    read: list[str] = []
    with pytest.raises(SurveyStoppedError, match="stopped after 5 rows of the survey"):
        read.extend(until_stopped(["abc", "de", "f"], lambda: len(read) == 2))
    assert read == ["abc", "de"]
