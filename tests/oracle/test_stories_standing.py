"""Stories about rows that must give way, stay in doubt, or wait for other jobs (A6 to A17)."""

from __future__ import annotations

import shutil

import pytest

from tests.oracle.answers import NOW, reset, silence, status
from tests.oracle.drive import Desk, conversation, rows
from tests.oracle.marks import promise
from tests.oracle.service import Service
from tests.oracle.test_stories_endings import fix
from tests.oracle.test_stories_jobs import begin, leave
from tests.oracle.test_stories_ledger import CARRY, SKIP, forget, night, sent

ONE, TWO = conversation(1), conversation(2)
LATE = {"late_effect": "5s", "read_timeout": "20s"}


def lose(desk: Desk, name: str) -> None:
    """Lose the folder of a job, and the ledger that knew of it."""
    shutil.rmtree(desk.job(name).folder)
    forget(desk)


@promise("A6", "A5", "A13")
@pytest.mark.parametrize("how", ["retry", "same_command"])
def test_a_row_that_another_job_has_set_for_it_is_not_sent_again(
    desk: Desk, service: Service, how: str
) -> None:
    service.statuses[ONE] = ["IN_PROGRESS"]
    assert night(desk, "monday.csv", "monday", options=CARRY).code == 5
    service.statuses.clear()
    desk.write("tuesday.csv", rows(range(6, 11), "tuesday"))
    assert desk.run("tuesday.csv", options=CARRY).code == 0
    before = len(service.puts)
    if how == "retry":
        ended = desk.retry(desk.job("monday.csv"))
    else:
        ended = desk.run("monday.csv", options=CARRY)
    assert ended.code == 0, ended.text
    assert sent(service, before) == []
    assert desk.job("monday.csv").reasons == {("superseded", "set_by_job"): 1}


@promise("A6", "A5")
def test_a_left_over_that_its_own_job_has_set_is_not_carried_over(
    desk: Desk, service: Service
) -> None:
    service.statuses[ONE] = ["IN_PROGRESS"]
    assert night(desk, "monday.csv", "monday", options=CARRY).code == 5
    service.statuses.clear()
    assert desk.retry(desk.job("monday.csv")).code == 0
    before = len(service.puts)
    desk.write("tuesday.csv", rows(range(6, 11), "tuesday"))
    assert desk.run("tuesday.csv", options=CARRY).code == 0
    assert "monday 1" not in sent(service, before)


@promise("A6", "A15")
def test_a_left_over_below_a_job_that_is_missing_is_not_sent(desk: Desk, service: Service) -> None:
    service.script(ONE, status(422))
    assert night(desk, "monday.csv", "monday").code == 1
    assert night(desk, "tuesday.csv", "tuesday").code == 0
    desk.write("wednesday.csv", rows(range(6, 11), "wednesday"))
    assert desk.run("wednesday.csv").code == 0
    lose(desk, "tuesday.csv")
    before = len(service.puts)
    ended = desk.retry(desk.job("monday.csv"))
    assert ended.code in {1, 2, 5}, ended.text
    assert sent(service, before) == []
    assert service.quiescent()[ONE] == ("POSITIVE", "tuesday 1")


@promise("A6", "A15", "A18")
def test_a_fixed_row_below_a_job_that_is_missing_is_not_sent(desk: Desk, service: Service) -> None:
    service.script(ONE, status(422))
    assert night(desk, "monday.csv", "monday").code == 1
    assert night(desk, "tuesday.csv", "tuesday").code == 0
    desk.write("wednesday.csv", rows(range(6, 11), "wednesday"))
    assert desk.run("wednesday.csv").code == 0
    lose(desk, "tuesday.csv")
    left = desk.job("monday.csv").folder / "failed.csv"
    fix(left, "monday 1", "fixed 1")
    ended = desk.run(str(left))
    assert ended.code == 5, ended.text
    assert desk.job("failed.csv").reasons == {("not_completed", "later_job_missing"): 1}
    assert service.quiescent()[ONE] == ("POSITIVE", "tuesday 1")


@promise("A15", "A14")
def test_nothing_is_unchanged_at_or_below_a_job_that_is_missing(
    desk: Desk, service: Service
) -> None:
    assert night(desk, "monday.csv", "a").code == 0
    assert night(desk, "tuesday.csv", "b").code == 0
    desk.write("wednesday.csv", rows(range(6, 11), "c"))
    assert desk.run("wednesday.csv").code == 0
    lose(desk, "tuesday.csv")
    ended = night(desk, "thursday.csv", "a")
    assert ended.code == 0, ended.text
    assert {service.state[conversation(n)][1] for n in range(1, 6)} == {
        f"a {n}" for n in range(1, 6)
    }
    assert desk.job("thursday.csv").outcomes == {"succeeded": 5}


@promise("A15")
def test_a_left_over_below_a_job_that_is_missing_is_not_carried_over(
    desk: Desk, service: Service
) -> None:
    service.statuses[ONE] = ["IN_PROGRESS"]
    assert night(desk, "monday.csv", "monday", options=CARRY).code == 5
    service.statuses.clear()
    assert night(desk, "tuesday.csv", "tuesday", options=CARRY).code == 0
    desk.write("wednesday.csv", rows(range(6, 11), "wednesday"))
    assert desk.run("wednesday.csv").code == 0
    lose(desk, "tuesday.csv")
    before = len(service.puts)
    desk.write("thursday.csv", rows(range(6, 11), "thursday"))
    assert desk.run("thursday.csv", options=CARRY).code in {0, 5}
    assert "monday 1" not in sent(service, before)


@pytest.mark.slow
@promise("A15", "A10")
def test_after_a_job_went_missing_a_request_of_it_that_is_late_loses(
    desk: Desk, service: Service
) -> None:
    desk.write("sunday.csv", rows(range(6, 11), "sunday"))
    assert desk.run("sunday.csv").code == 0
    service.script(ONE, silence(applies=4.5))
    desk.write("monday.csv", rows(range(1, 6), "monday"))
    begin(desk, service, "monday.csv", 1, **LATE).kill()
    desk.write("tuesday.csv", rows(range(6, 11), "tuesday"))
    running = desk.start_run("tuesday.csv", options=["--replace"], **LATE)
    assert running.wait().code == 0
    lose(desk, "monday.csv")
    desk.write("wednesday.csv", rows(range(1, 6), "wednesday"))
    ended = desk.run("wednesday.csv", **LATE)
    assert ended.code == 0, ended.text
    assert service.quiescent().get(ONE) == ("POSITIVE", "wednesday 1")


@promise("A7", "A17", "A11")
@pytest.mark.parametrize("how", ["replace", "abandon"])
def test_a_row_in_doubt_of_a_job_that_was_given_up_forbids_unchanged(
    desk: Desk, service: Service, how: str
) -> None:
    assert night(desk, "monday.csv", "a").code == 0
    service.script(ONE, silence(applies=NOW))
    desk.write("tuesday.csv", rows(range(1, 6), "b"))
    begin(desk, service, "tuesday.csv", 1, SKIP, read_timeout="20s").kill()
    options = [*SKIP, "--replace"] if how == "replace" else SKIP
    if how == "abandon":
        assert desk.do("jobs", "abandon", str(desk.job("tuesday.csv").folder)).code == 0
    desk.write("wednesday.csv", rows(range(1, 6), "a"))
    ended = desk.run("wednesday.csv", options=options)
    assert ended.code == 0, ended.text
    assert service.quiescent()[ONE] == ("POSITIVE", "a 1")


@promise("A8", "A11")
def test_a_refusal_after_a_lost_request_does_not_end_its_doubt(
    desk: Desk, service: Service
) -> None:
    assert night(desk, "monday.csv", "a").code == 0
    service.script(ONE, reset(applies=NOW), status(422))
    assert night(desk, "tuesday.csv", "b").code == 1
    ended = night(desk, "wednesday.csv", "a")
    assert ended.code == 0, ended.text
    assert service.quiescent()[ONE] == ("POSITIVE", "a 1")


@promise("A8", "A7")
def test_a_lost_last_attempt_leaves_its_row_in_doubt(desk: Desk, service: Service) -> None:
    assert night(desk, "monday.csv", "a").code == 0
    service.script(ONE, status(504, applies=NOW), status(504, applies=NOW))
    desk.write("tuesday.csv", rows(range(1, 6), "b"))
    assert desk.run("tuesday.csv", options=SKIP, max_attempts="2").code == 1
    assert night(desk, "wednesday.csv", "a").code == 0
    assert service.quiescent()[ONE] == ("POSITIVE", "a 1")


@promise("A8", "A11", "A4")
def test_a_row_that_is_set_where_it_was_carried_over_is_no_longer_in_doubt(
    desk: Desk, service: Service
) -> None:
    service.script(ONE, silence(applies=NOW))
    desk.write("monday.csv", rows(range(1, 6), "same"))
    begin(desk, service, "monday.csv", 1, CARRY, read_timeout="20s").kill()
    desk.write("tuesday.csv", rows(range(6, 11), "same"))
    assert desk.run("tuesday.csv", options=CARRY).code == 0
    before = len(service.puts)
    ended = night(desk, "wednesday.csv", "same")
    assert ended.code == 0, ended.text
    assert sent(service, before) == []


@pytest.mark.slow
@promise("A9", "A10", "A6")
@pytest.mark.parametrize("option", [(), SKIP, CARRY], ids=["plain", "skip", "carry"])
def test_a_granted_retry_does_not_end_the_wait_for_the_request_before_it(
    desk: Desk, service: Service, option: tuple[str, ...]
) -> None:
    service.script(ONE, status(504, applies=4.0))
    desk.write("monday.csv", rows(range(1, 6), "monday"))
    assert desk.run("monday.csv", **LATE).code == 0
    desk.write("tuesday.csv", rows(range(1, 6), "tuesday"))
    assert desk.run("tuesday.csv", options=option, **LATE).code == 0
    assert service.quiescent().get(ONE) == ("POSITIVE", "tuesday 1")


@pytest.mark.slow
@promise("A10", "A6")
def test_a_retry_of_an_old_job_waits_for_the_lost_request_of_a_newer_one(
    desk: Desk, service: Service
) -> None:
    # Tuesday was given up, so it claims nothing; but its request may still take effect.
    service.statuses[ONE] = ["IN_PROGRESS"]
    desk.write("monday.csv", rows(range(1, 6), "monday"))
    assert desk.run("monday.csv").code == 5
    service.statuses.clear()
    service.script(ONE, silence(applies=4.0))
    desk.write("tuesday.csv", rows([1], "tuesday"))
    begin(desk, service, "tuesday.csv", 1, **LATE).kill()
    assert desk.do("jobs", "abandon", str(desk.job("tuesday.csv").folder)).code == 0
    ended = desk.retry(desk.job("monday.csv"), **LATE)
    assert ended.code == 0, ended.text
    assert service.quiescent().get(ONE) == ("POSITIVE", "monday 1")


@promise("A16", "A11")
def test_what_a_job_that_was_pruned_has_set_is_still_known(desk: Desk, service: Service) -> None:
    service.script(ONE, status(422))
    assert night(desk, "monday.csv", "a").code == 1
    desk.write("tuesday.csv", rows(range(6, 11), "b"))
    assert desk.run("tuesday.csv").code == 0
    assert desk.do("jobs", "prune", "--keep-last", "1").code == 0
    assert len(desk.jobs()) == 1
    before = len(service.puts)
    ended = night(desk, "wednesday.csv", "a")
    assert ended.code == 0, ended.text
    assert sent(service, before) == ["a 1"]


@promise("A16", "A5")
def test_a_left_over_of_a_job_that_was_pruned_is_carried_over(desk: Desk, service: Service) -> None:
    service.statuses[ONE] = ["IN_PROGRESS"]
    assert night(desk, "monday.csv", "monday", options=CARRY).code == 5
    desk.write("tuesday.csv", rows(range(6, 11), "tuesday"))
    assert desk.run("tuesday.csv").code == 0
    assert desk.do("jobs", "prune", "--keep-last", "1").code == 0
    service.statuses.clear()
    desk.write("wednesday.csv", rows(range(6, 11), "wednesday"))
    assert desk.run("wednesday.csv", options=CARRY).code == 0
    assert service.state[ONE] == ("POSITIVE", "monday 1")


@promise("A16")
def test_prune_keeps_the_last_job_and_what_is_unfinished(desk: Desk, service: Service) -> None:
    assert night(desk, "monday.csv", "monday").code == 0
    desk.write("tuesday.csv", rows(range(1, 61), "tuesday"))
    leave(desk, service, "tuesday.csv", 5)
    assert desk.do("jobs", "prune", "--keep-last", "0").code in {0, 2}
    assert desk.job("tuesday.csv").summary["exit_code"] == 143
    assert desk.run("tuesday.csv").code == 0
    assert desk.do("jobs", "prune", "--keep-days", "0").code in {0, 2}
    assert desk.job("tuesday.csv").outcomes == {"succeeded": 60}


@promise("A3", "A17", "A19")
def test_what_a_replaced_job_has_set_keeps_its_rank_and_the_rest_is_never_sent(
    desk: Desk, service: Service
) -> None:
    service.script(ONE, status(422))
    assert night(desk, "monday.csv", "monday").code == 1
    desk.write("tuesday.csv", rows(range(1, 61), "tuesday"))
    leave(desk, service, "tuesday.csv", 20)
    assert service.state[ONE] == ("POSITIVE", "tuesday 1")
    desk.write("wednesday.csv", rows(range(100, 105), "wednesday"))
    before = len(service.puts)
    assert desk.run("wednesday.csv", options=["--replace"]).code == 0
    desk.retry(desk.job("monday.csv"))
    assert {word.split()[0] for word in sent(service, before)} == {"wednesday"}


@promise("A4")
def test_an_unfinished_job_is_replaced_and_its_input_is_not_needed(
    desk: Desk, service: Service
) -> None:
    desk.write("monday.csv", rows(range(1, 61), "monday"))
    leave(desk, service, "monday.csv", 5, options=CARRY)
    (desk.folder / "monday.csv").unlink()
    desk.write("tuesday.csv", rows(range(1, 6), "tuesday"))
    ended = desk.run("tuesday.csv", options=CARRY)
    assert ended.code == 0, ended.text
    words = {str(feedback[1]).split()[0] for feedback in service.quiescent().values()}
    assert len(service.state) == 60
    assert words == {"monday", "tuesday"}
    assert all(service.state[conversation(n)][1] == f"tuesday {n}" for n in range(1, 6))


@promise("A4")
@pytest.mark.parametrize("option", [(), SKIP], ids=["plain", "skip"])
def test_no_row_is_lost_when_a_job_that_did_not_carry_over_is_replaced(
    desk: Desk, service: Service, option: tuple[str, ...]
) -> None:
    desk.write("monday.csv", rows(range(1, 61), "monday"))
    leave(desk, service, "monday.csv", 5, options=option)
    desk.write("tuesday.csv", rows(range(1, 6), "tuesday"))
    ended = desk.run("tuesday.csv", options=CARRY)
    # Its rows are taken over, or the new job does not begin.
    assert (ended.code, len(service.state)) == (0, 60) or ended.code == 2, ended.text


@promise("A18")
def test_rows_that_are_passed_as_new_win_over_what_came_since(desk: Desk, service: Service) -> None:
    service.script(ONE, status(422))
    assert night(desk, "monday.csv", "monday").code == 1
    assert night(desk, "tuesday.csv", "tuesday").code == 0
    left = desk.job("monday.csv").folder / "failed.csv"
    assert desk.run(str(left)).code == 0
    assert service.state[ONE] == ("POSITIVE", "tuesday 1")
    assert desk.run(str(left), options=["--as-new"]).code == 0
    assert service.state[ONE] == ("POSITIVE", "monday 1")


@promise("A2", "J7")
def test_a_retry_of_a_job_that_ended_does_not_begin_while_another_is_unfinished(
    desk: Desk, service: Service
) -> None:
    service.script(ONE, status(422))
    assert night(desk, "monday.csv", "monday").code == 1
    desk.write("tuesday.csv", rows(range(1, 61), "tuesday"))
    leave(desk, service, "tuesday.csv", 5)
    before = len(service.puts)
    ended = desk.retry(desk.job("monday.csv"))
    assert ended.code == 2, ended.text
    assert len(service.puts) == before
    assert [step[1:3] for step in ended.steps] == [["run", ended.steps[0][2]], ["jobs", "abandon"]]
    assert desk.follow(ended.steps[1]).code == 0
    assert desk.retry(desk.job("monday.csv")).code == 0


@promise("A2", "J4")
@pytest.mark.parametrize("option", [(), CARRY], ids=["plain", "carry"])
def test_the_same_command_of_an_old_job_never_brings_all_its_rows_back_over_an_unfinished_one(
    desk: Desk, service: Service, option: tuple[str, ...]
) -> None:
    service.statuses[ONE] = ["IN_PROGRESS"]
    assert night(desk, "monday.csv", "monday", options=option).code == 5
    service.statuses.clear()
    desk.write("tuesday.csv", rows(range(1, 61), "tuesday"))
    leave(desk, service, "tuesday.csv", 20)
    before = len(service.puts)
    ended = desk.run("monday.csv", options=option)
    assert "monday 2" not in sent(service, before), ended.text
    assert ended.code == 2, ended.text
