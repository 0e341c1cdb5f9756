"""Stories about what one job knows of another: --skip-unchanged, --carry-over, and the ledger."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from tests.oracle.answers import status
from tests.oracle.drive import Desk, Ended, conversation, rows
from tests.oracle.marks import promise
from tests.oracle.service import Service
from tests.oracle.test_stories_jobs import leave

ONE, TWO = conversation(1), conversation(2)
SKIP = ("--skip-unchanged",)
CARRY = ("--carry-over",)


def sent(service: Service, since: int = 0) -> list[str]:
    """Return the comments that were sent since then."""
    return [str(r.body.get("comment")) for r in service.puts[since:]]


def night(desk: Desk, name: str, word: str, options: tuple[str, ...] = SKIP) -> Ended:
    """Import five conversations in one night."""
    desk.write(name, rows(range(1, 6), word))
    return desk.run(name, options=options)


def ledger(desk: Desk) -> Path:
    """Return the one ledger of the jobs folder."""
    (found,) = desk.jobs_folder.glob("ledger-*.sqlite")
    return found


def forget(desk: Desk) -> None:
    """Remove the ledger with what its database keeps beside it."""
    for part in desk.jobs_folder.glob("ledger-*.sqlite*"):
        part.unlink()


@promise("A11")
def test_a_second_night_with_the_same_feedback_sends_nothing(desk: Desk, service: Service) -> None:
    assert night(desk, "monday.csv", "same").code == 0
    ended = night(desk, "tuesday.csv", "same")
    assert ended.code == 0, ended.text
    assert desk.job("tuesday.csv").outcomes == {"unchanged": 5}
    assert len(service.puts) == 5


@promise("A11", "S1")
def test_a_second_night_with_two_rows_of_one_conversation_sends_nothing(
    desk: Desk, service: Service
) -> None:
    lines = rows([1], "a") + rows(range(2, 6)) + rows([1], "b")
    desk.write("monday.csv", lines)
    desk.write("tuesday.csv", lines)
    assert desk.run("monday.csv", options=SKIP).code == 0
    before = len(service.puts)
    ended = desk.run("tuesday.csv", options=SKIP)
    assert ended.code == 0, ended.text
    assert sent(service, before) == []
    assert service.state[ONE] == ("POSITIVE", "b 1")
    assert desk.job("tuesday.csv").outcomes == {"unchanged": 5, "superseded": 1}


@promise("A11")
def test_feedback_that_goes_back_and_forth_is_sent_each_time(desk: Desk, service: Service) -> None:
    for number, word in enumerate(["a", "b", "a"]):
        assert night(desk, f"night{number}.csv", word).code == 0
    assert service.state[ONE] == ("POSITIVE", "a 1")
    assert len(service.puts) == 15


@promise("A11", "A14")
def test_what_a_job_without_a_ledger_has_set_is_known_to_one_with_it(
    desk: Desk, service: Service
) -> None:
    assert night(desk, "monday.csv", "a").code == 0
    assert night(desk, "tuesday.csv", "b", options=()).code == 0
    assert night(desk, "wednesday.csv", "a").code == 0
    assert service.quiescent()[ONE] == ("POSITIVE", "a 1")


@promise("A6", "A14")
def test_a_job_from_before_the_ledger_does_not_undo_what_came_after(
    desk: Desk, service: Service
) -> None:
    service.script(ONE, status(422))
    assert night(desk, "monday.csv", "monday", options=()).code == 1
    assert night(desk, "tuesday.csv", "tuesday").code == 0
    before = len(service.puts)
    desk.retry(desk.job("monday.csv"))
    assert sent(service, before) == []


@promise("A6", "J7")
@pytest.mark.parametrize("how", ["retry", "same_command"])
@pytest.mark.parametrize(
    "newer",
    [
        "succeeded",
        "unchanged",
        "left_over",
    ],
)
def test_an_old_left_over_is_not_sent_once_a_newer_job_has_its_conversation(
    desk: Desk, service: Service, newer: str, how: str
) -> None:
    if newer == "unchanged":
        assert night(desk, "sunday.csv", "tuesday").code == 0
    service.statuses[ONE] = ["IN_PROGRESS"]
    assert night(desk, "monday.csv", "monday").code == 5
    if newer != "left_over":
        service.statuses.clear()
    # What was unchanged may also be sent again: the row before it may have been stored.
    assert night(desk, "tuesday.csv", "tuesday").code == (5 if newer == "left_over" else 0)
    service.statuses.clear()
    before = len(service.puts)
    if how == "retry":
        desk.retry(desk.job("monday.csv"))
    else:
        desk.run("monday.csv", options=SKIP)
    assert "monday 1" not in sent(service, before)


@promise("A5", "A13")
def test_a_left_over_is_carried_over_into_the_next_night(desk: Desk, service: Service) -> None:
    service.statuses[ONE] = ["IN_PROGRESS"]
    assert night(desk, "monday.csv", "monday", options=CARRY).code == 5
    service.statuses.clear()
    desk.write("tuesday.csv", rows(range(6, 11), "tuesday"))
    ended = desk.run("tuesday.csv", options=CARRY)
    assert ended.code == 0, ended.text
    assert service.state[ONE] == ("POSITIVE", "monday 1")


@promise("A5", "S1")
def test_a_row_that_is_carried_over_loses_to_the_new_row_of_its_conversation(
    desk: Desk, service: Service
) -> None:
    service.statuses[ONE] = ["IN_PROGRESS"]
    assert night(desk, "monday.csv", "monday", options=CARRY).code == 5
    service.statuses.clear()
    assert night(desk, "tuesday.csv", "tuesday", options=CARRY).code == 0
    assert service.quiescent()[ONE] == ("POSITIVE", "tuesday 1")


@promise("A5")
def test_a_refusal_and_a_conversation_in_error_are_not_carried_over(
    desk: Desk, service: Service
) -> None:
    service.statuses[ONE] = ["ERROR"]
    service.script(TWO, status(422))
    assert night(desk, "monday.csv", "monday", options=CARRY).code == 1
    before = len(service.puts)
    desk.write("tuesday.csv", rows(range(6, 11), "tuesday"))
    ended = desk.run("tuesday.csv", options=CARRY)
    assert ended.code == 0, ended.text
    assert {"monday 1", "monday 2"}.isdisjoint(sent(service, before))


@promise("A4", "A5")
def test_a_row_that_is_carried_over_does_not_beat_a_newer_pending_one(
    desk: Desk, service: Service
) -> None:
    service.statuses[ONE] = ["IN_PROGRESS"]
    assert night(desk, "monday.csv", "monday", options=CARRY).code == 5
    service.statuses.clear()
    # The newer row is the last of its file, so it is still pending when the job is left.
    desk.write("tuesday.csv", rows(range(10, 60), "tuesday") + rows([1], "tuesday"))
    leave(desk, service, "tuesday.csv", 5, options=CARRY)
    desk.write("wednesday.csv", rows(range(60, 65), "wednesday"))
    ended = desk.run("wednesday.csv", options=CARRY)
    assert ended.code == 0, ended.text
    assert service.quiescent().get(ONE) == ("POSITIVE", "tuesday 1")


@promise("A14")
@pytest.mark.parametrize("how", ["lost", "damaged"])
def test_unchanged_feedback_is_known_without_the_ledger(
    desk: Desk, service: Service, how: str
) -> None:
    assert night(desk, "monday.csv", "same").code == 0
    spoil(desk, how)
    ended = night(desk, "tuesday.csv", "same")
    assert ended.code == 0, ended.text
    assert len(service.puts) == 5


@promise("A14", "A6")
@pytest.mark.parametrize("how", ["lost", "damaged"])
def test_an_old_job_does_not_undo_a_newer_one_without_the_ledger(
    desk: Desk, service: Service, how: str
) -> None:
    service.script(ONE, status(422))
    assert night(desk, "monday.csv", "monday").code == 1
    assert night(desk, "tuesday.csv", "tuesday").code == 0
    spoil(desk, how)
    before = len(service.puts)
    ended = desk.retry(desk.job("monday.csv"))
    assert ended.code in {0, 1}, ended.text
    assert sent(service, before) == []


@promise("A14", "A11")
def test_a_ledger_that_was_copied_back_does_not_hide_what_came_after(
    desk: Desk, service: Service
) -> None:
    assert night(desk, "monday.csv", "a").code == 0
    kept = desk.folder / "kept"
    kept.mkdir()
    name = ledger(desk)
    for part in desk.jobs_folder.glob("ledger-*.sqlite*"):
        shutil.copy(part, kept)
    assert night(desk, "tuesday.csv", "b").code == 0
    forget(desk)
    for part in kept.iterdir():
        shutil.copy(part, name.parent)
    assert night(desk, "wednesday.csv", "a").code == 0
    assert service.quiescent()[ONE] == ("POSITIVE", "a 1")


@promise("A12")
@pytest.mark.skipif(shutil.which("faketime") is None, reason="needs faketime")
def test_a_time_in_the_future_counts_as_long_ago(desk: Desk, service: Service) -> None:
    desk.write("monday.csv", rows(range(1, 6), "same"))
    desk.prefix = ["faketime", "-f", "+400d"]
    assert desk.run("monday.csv", options=SKIP).code == 0
    desk.prefix = []
    desk.write("tuesday.csv", rows(range(1, 6), "same"))
    assert desk.run("tuesday.csv", options=[*SKIP, "--refresh-after", "30d"]).code == 0
    assert len(service.puts) == 10


@promise("A12")
def test_restart_sends_what_is_unchanged(desk: Desk, service: Service) -> None:
    assert night(desk, "monday.csv", "same").code == 0
    ended = desk.run("monday.csv", options=[*SKIP, "--restart"])
    assert ended.code == 0, ended.text
    assert len(service.puts) == 10


@promise("A18", "F3")
@pytest.mark.parametrize(
    "between",
    [False, True],
)
def test_a_fix_of_monday_that_is_passed_on_friday(
    desk: Desk, service: Service, between: bool
) -> None:
    service.script(ONE, status(422))
    assert night(desk, "monday.csv", "monday").code == 1
    if between:
        assert night(desk, "tuesday.csv", "tuesday").code == 0
    left = desk.job("monday.csv").folder / "failed.csv"
    with left.open(encoding="utf-8", newline="") as file:
        header, *lines = list(csv.reader(file))
    at = header.index("comment")
    with left.open("w", encoding="utf-8", newline="") as file:
        fixed = [[*line[:at], "fixed 1", *line[at + 1 :]] for line in lines]
        csv.writer(file).writerows([header, *fixed])
    ended = desk.run(str(left), options=SKIP)
    assert ended.code == 0, ended.text
    expected = "tuesday 1" if between else "fixed 1"
    assert service.quiescent().get(ONE) == ("POSITIVE", expected)


def spoil(desk: Desk, how: str) -> None:
    """Lose the ledger, or write nonsense over it."""
    name = ledger(desk)
    forget(desk)
    if how == "damaged":
        name.write_bytes(b"no database " * 1000)
