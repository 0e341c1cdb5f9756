"""Stories about the printed next step of the endings that the data or other runs cause (J17)."""

from __future__ import annotations

import pytest

from tests.oracle.answers import OK, slow, status
from tests.oracle.drive import Desk, conversation, rows
from tests.oracle.marks import promise
from tests.oracle.service import Service
from tests.oracle.test_stories_endings import fix, goes_on
from tests.oracle.test_stories_jobs import begin, leave
from tests.oracle.test_stories_ledger import SKIP

ONE, TWO = conversation(1), conversation(2)
NAME = "this night's ratings.csv"
"""A name that a shell would take apart."""


@promise("V8", "V9", "E1", "J17")
def test_too_many_rejected_rows_stop_the_job_and_the_printed_command_lets_it_through(
    desk: Desk, service: Service
) -> None:
    desk.write(NAME, [*rows(range(2, 11)), (ONE, "dunno", "x")])
    ended = desk.run(NAME, options=["--max-rejected", "0"])
    assert ended.code == 7, ended.text
    assert service.log == []
    job = desk.job(NAME)
    assert job.summary["end"] == "data_limit"
    assert job.outcomes == {"rejected": 1, "pending": 9}
    assert [line["conversation_id"] for line in job.left("rejected")] == [ONE]
    accept = [step for step in ended.steps if "--accept-change" in step]
    assert accept, ended.text
    let = desk.follow(accept[0])
    assert let.code == 1, let.text
    assert len(service.state) == 9
    # Only once: the same command stops again.
    desk.write("other.csv", [*rows(range(2, 11)), (ONE, "dunno", "x")])
    assert desk.run("other.csv", options=["--max-rejected", "0"]).code == 7


@promise("V8", "V9", "J17")
def test_too_many_changes_stop_the_job_and_the_printed_command_lets_it_through(
    desk: Desk, service: Service
) -> None:
    desk.write("monday.csv", rows(range(1, 11), "same"))
    assert desk.run("monday.csv", options=SKIP).code == 0
    desk.write(NAME, rows(range(1, 7), "same") + rows(range(7, 11), "same", "NEGATIVE"))
    before = len(service.puts)
    ended = desk.run(NAME, options=[*SKIP, "--max-changes", "30%"])
    assert ended.code == 7, ended.text
    assert len(service.puts) == before
    accept = [step for step in ended.steps if "--accept-change" in step]
    assert accept, ended.text
    assert desk.follow(accept[0]).code == 0
    assert service.state[conversation(9)] == ("NEGATIVE", "same 9")
    desk.write("wednesday.csv", rows(range(1, 11), "same", "NEGATIVE"))
    assert desk.run("wednesday.csv", options=[*SKIP, "--max-changes", "60%"]).code == 0


@promise("A2", "V9")
def test_a_job_that_a_limit_stopped_is_in_nobodys_way(desk: Desk, service: Service) -> None:
    desk.write(NAME, [*rows(range(2, 11)), (ONE, "dunno", "x")])
    assert desk.run(NAME, options=["--max-rejected", "0"]).code == 7
    desk.write("tuesday.csv", rows(range(1, 11), "tuesday"))
    assert desk.run("tuesday.csv").code == 0
    assert len(service.state) == 10


@promise("J10", "J17", "E1")
def test_a_run_that_another_one_holds_up_says_who_it_is(desk: Desk, service: Service) -> None:
    service.script(TWO, slow(OK, 60))
    desk.write("monday.csv", rows(range(1, 41)))
    desk.write("tuesday.csv", rows(range(1, 41), "tuesday"))
    running = begin(desk, service, "monday.csv", 2, read_timeout="100s")
    for command in (
        desk.run_line("tuesday.csv"),
        desk.run_line("monday.csv"),
        ["jobs", "abandon", str(desk.job("monday.csv").folder)],
    ):
        ended = desk.do(*command)
        assert ended.code == 4, ended.text
        assert str(running.process.pid) in ended.text
    running.kill()
    assert {str(f[1]).split()[0] for f in service.state.values()} == {"first"}


@promise("J10")
def test_a_run_that_waits_for_another_one_begins_when_it_has_ended(
    desk: Desk, service: Service
) -> None:
    service.rules.append(lambda _: slow(OK, 0.05))
    desk.write("monday.csv", rows(range(1, 41)))
    desk.write("tuesday.csv", rows(range(1, 41), "tuesday"))
    running = begin(desk, service, "monday.csv", 1)
    ended = desk.run("tuesday.csv", options=["--wait-for-lock", "1min"], concurrency="8")
    assert ended.code == 0, ended.text
    assert running.wait().code == 0
    assert {str(f[1]).split()[0] for f in service.quiescent().values()} == {"tuesday"}


@promise("J5", "J6")
@pytest.mark.parametrize("option", ["--restart", "--carry-over"])
def test_a_changed_input_is_imported_as_the_message_says(
    desk: Desk, service: Service, option: str
) -> None:
    desk.write(NAME, rows(range(1, 61)))
    leave(desk, service, NAME, 5, ["--carry-over"])
    desk.write(NAME, rows(range(1, 61), "changed"))
    ended = desk.run(NAME)
    assert ended.code == 2, ended.text
    assert option in ended.text
    assert desk.run(NAME, options=[option]).code == 0
    assert {str(f[1]).split()[0] for f in service.quiescent().values()} == {"changed"}


@promise("J6", "A17")
def test_a_restart_gives_up_the_unfinished_job_of_the_command(desk: Desk, service: Service) -> None:
    desk.write(NAME, rows(range(1, 61)))
    leave(desk, service, NAME, 5)
    before = len(service.puts)
    assert desk.run(NAME, options=["--restart"]).code == 0
    assert len(service.puts) - before == 60
    given_up = desk.do("jobs", "abandon", str(desk.job(NAME, 1).folder))
    assert given_up.code in {0, 2}, given_up.text
    # The command means the newer job from now on, which has ended: everything anew.
    assert desk.run(NAME).code == 0
    assert len(service.puts) - before == 120


@promise("J12", "A17", "J7")
def test_a_job_that_was_given_up_is_never_resumed(desk: Desk, service: Service) -> None:
    desk.write("monday.csv", rows(range(1, 61), "monday"))
    leave(desk, service, "monday.csv", 5)
    assert desk.do("jobs", "abandon", str(desk.job("monday.csv").folder)).code == 0
    before = len(service.puts)
    desk.retry(desk.job("monday.csv"))
    assert len(service.puts) == before
    desk.write("tuesday.csv", rows(range(1, 61), "tuesday"))
    assert desk.run("tuesday.csv").code == 0


@promise("A18", "F3", "J17")
def test_a_left_over_file_of_a_left_over_file_keeps_its_rank(desk: Desk, service: Service) -> None:
    service.rules.append(lambda r: status(422) if "bad" in r.body["comment"] else None)
    desk.write(NAME, [*rows(range(2, 6)), (ONE, "POSITIVE", "bad")])
    ended = desk.run(NAME)
    assert ended.code == 1, ended.text
    left = desk.job(NAME).folder / "failed.csv"
    fix(left, "POSITIVE,bad", "NEGATIVE,still bad")
    ended = desk.follow(ended.steps[-1])
    assert ended.code == 1, ended.text
    desk.write("tuesday.csv", rows([2], "tuesday"))
    assert desk.run("tuesday.csv").code == 0
    again = desk.job("failed.csv").folder / "failed.csv"
    fix(again, "NEGATIVE,still bad", "NEGATIVE,good")
    assert goes_on(desk, ended).code == 0
    assert service.quiescent()[ONE] == ("NEGATIVE", "good")
    # And it loses to what was set since.
    desk.write("wednesday.csv", rows([1], "wednesday"))
    assert desk.run("wednesday.csv").code == 0
    assert desk.run(str(again), options=SKIP).code == 0
    assert service.quiescent()[ONE] == ("POSITIVE", "wednesday 1")


@promise("V2", "J17")
def test_check_says_how_to_fix_what_it_finds(desk: Desk, service: Service) -> None:
    desk.write(NAME, [(ONE, "dunno", "x"), ("no id", "POSITIVE", "x"), *rows([2])])
    ended = desk.do("check", NAME)
    assert ended.code == 1, ended.text
    assert "dunno" in ended.text
    assert "--write-ratings" in ended.text
    assert service.log == []


@promise("V4", "A11")
@pytest.mark.parametrize("command", ["plan", "dry-run"])
def test_a_plan_agrees_with_the_run_to_the_row_and_sends_nothing(
    desk: Desk, service: Service, command: str
) -> None:
    desk.write("monday.csv", rows(range(1, 11), "same"))
    assert desk.run("monday.csv", options=SKIP).code == 0
    desk.write(NAME, rows(range(1, 6), "same") + rows(range(6, 13), "new"))
    before = len(service.log)
    line = desk.run_line(NAME, options=SKIP)
    if command == "plan":
        at = line.index("--base-url") + 2
        line = ["plan", *line[1:at], *SKIP]
    else:
        line.append("--dry-run")
    ended = desk.do(*line)
    assert ended.code == 0, ended.text
    assert len(service.log) == before
    assert len(desk.jobs()) == 1
    assert desk.run(NAME, options=SKIP).code == 0
    assert desk.job(NAME).outcomes == {"unchanged": 5, "succeeded": 7}
    assert len(service.log) - before == 7
