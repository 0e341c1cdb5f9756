"""Stories about how runs end: the exit code, and the printed next step, done to the letter."""

from __future__ import annotations

import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.oracle.answers import OK, slow, status
from tests.oracle.drive import Desk, Ended, conversation, rows
from tests.oracle.marks import promise
from tests.oracle.service import Service

ONE, TWO = conversation(1), conversation(2)
NAME = "this night's ratings.csv"
"""A name that a shell would take apart."""
TAKEN_BACK = ["--unset", "limit", "--unset", "quiet"]


def fix(path: Path, old: str, new: str) -> None:
    """Correct a file as a person with an editor does."""
    text = path.read_bytes()
    assert old.encode() in text
    path.write_bytes(text.replace(old.encode(), new.encode()))


def goes_on(desk: Desk, ended: Ended, most: int = 1) -> Ended:
    """Do the printed next step, and the one printed then, until nothing is left to do."""
    for _ in range(most):
        steps = [step for step in ended.steps if "abandon" not in step]  # which stands behind it
        assert steps, ended.text
        ended = desk.follow(steps[-1])
        if ended.code == 0:
            break
    return ended


@promise("J17", "E1")
def test_after_a_clean_end_there_is_no_next_step(desk: Desk, service: Service) -> None:
    desk.write(NAME, rows(range(1, 11)))
    ended = desk.run(NAME)
    assert (ended.code, ended.steps) == (0, []), ended.text
    assert len(service.state) == 10


@promise("J17", "F3", "E1")
def test_rejected_rows_are_fixed_in_their_file_and_imported_by_the_printed_command(
    desk: Desk, service: Service
) -> None:
    desk.write(NAME, [*rows(range(2, 11)), (ONE, "dunno", 'kept as it is, "quoted"\nand long')])
    ended = desk.run(NAME)
    assert ended.code == 1, ended.text
    assert desk.job(NAME).outcomes == {"succeeded": 9, "rejected": 1}
    fix(desk.job(NAME).folder / "rejected.csv", "dunno", "NEGATIVE")
    assert goes_on(desk, ended).code == 0
    assert service.state[ONE] == ("NEGATIVE", 'kept as it is, "quoted"\nand long')
    assert len(service.puts) == 10


@promise("J17", "F3", "E1")
def test_refused_rows_are_fixed_in_their_file_and_imported_by_the_printed_command(
    desk: Desk, service: Service
) -> None:
    service.rules.append(lambda r: status(422) if r.body["comment"] == "bad" else None)
    desk.write(NAME, [*rows(range(2, 11)), (ONE, "POSITIVE", "bad")])
    ended = desk.run(NAME)
    assert ended.code == 1, ended.text
    fix(desk.job(NAME).folder / "failed.csv", "POSITIVE,bad", "POSITIVE,good")
    assert goes_on(desk, ended).code == 0
    assert service.state[ONE] == ("POSITIVE", "good")


@promise("J17", "T2")
def test_rows_whose_attempts_ran_out_are_stored_by_the_printed_command(
    desk: Desk, service: Service
) -> None:
    service.script(ONE, *[status(503)] * 3)
    desk.write(NAME, rows(range(1, 11)))
    ended = desk.run(NAME, max_attempts="3")
    assert ended.code == 1, ended.text
    assert desk.job(NAME).reasons == {("failed", "retries_exhausted"): 1}
    assert goes_on(desk, ended).code == 0
    assert service.quiescent()[ONE] == ("POSITIVE", "first 1")


@promise("J17")
def test_the_next_step_after_attempts_that_ran_out_is_retry(desk: Desk, service: Service) -> None:
    service.script(ONE, *[status(503)] * 3)
    desk.write(NAME, rows(range(1, 11)))
    ended = desk.run(NAME, max_attempts="3")
    assert [step[1] for step in ended.steps][:1] == ["retry"], ended.text
    assert desk.follow(ended.steps[0]).code == 0
    assert desk.job(NAME).outcomes == {"succeeded": 10}


@promise("J17", "J7")
def test_rows_that_wait_and_rows_that_failed_are_tried_again_by_one_command(
    desk: Desk, service: Service
) -> None:
    service.statuses[ONE] = ["IN_PROGRESS"]
    service.script(TWO, *[status(503)] * 3)
    desk.write(NAME, rows(range(1, 11)))
    ended = desk.run(NAME, max_attempts="3")
    assert [step[1] for step in ended.steps] == ["retry"], ended.text
    service.statuses.clear()
    assert goes_on(desk, ended).code == 0
    assert desk.job(NAME).outcomes == {"succeeded": 10}


@promise("J17", "J4", "E1")
def test_rows_not_completed_are_stored_by_the_printed_command_later(
    desk: Desk, service: Service
) -> None:
    service.statuses[ONE] = ["IN_PROGRESS"]
    desk.write(NAME, rows(range(1, 11)))
    ended = desk.run(NAME)
    assert ended.code == 5, ended.text
    assert desk.job(NAME).reasons == {("not_completed", "deferral_deadline"): 1}
    service.statuses.clear()
    assert goes_on(desk, ended).code == 0
    assert desk.job(NAME).outcomes == {"succeeded": 10}


@promise("J17", "T7")
def test_a_conversation_in_error_is_not_to_be_tried_again(desk: Desk, service: Service) -> None:
    service.statuses[ONE] = ["ERROR"]
    desk.write(NAME, rows(range(1, 11)))
    ended = desk.run(NAME)
    assert (ended.code, ended.steps) == (1, []), ended.text
    asked = len(service.log)
    assert desk.retry(desk.job(NAME)).code == 2
    assert len(service.log) == asked


@promise("T8", "J17", "E1")
def test_an_outage_ends_with_3_and_the_printed_command_resumes(
    desk: Desk, service: Service
) -> None:
    desk.write(NAME, rows(range(1, 51)))
    service.die()
    ended = desk.run(NAME, outage_for="1s")
    assert ended.code == 3, ended.text
    assert desk.job(NAME).summary["end"] == "service_down"
    assert desk.job(NAME).outcomes == {"pending": desk.job(NAME).summary["rows"]}
    service.start()
    assert goes_on(desk, ended).code == 0
    assert desk.job(NAME).outcomes == {"succeeded": 50}


@promise("T8", "S1")
def test_a_service_that_dies_and_comes_back_costs_no_row(desk: Desk, service: Service) -> None:
    service.rules.append(lambda _: slow(OK, 0.02))
    desk.write(NAME, rows(range(1, 101)))
    running = desk.start_run(NAME, concurrency="4", outage_for="50s")
    service.wait_until(lambda service: len(service.puts) >= 10)
    service.die()
    service.start()
    ended = running.wait()
    assert ended.code == 0, ended.text
    assert desk.job(NAME).outcomes == {"succeeded": 100}
    assert len(service.quiescent()) == 100


@promise("T9", "J17", "E1")
@pytest.mark.parametrize("code", [401, 403])
def test_a_refused_key_ends_with_3_and_the_printed_command_resumes(
    desk: Desk, service: Service, code: int
) -> None:
    desk.write(NAME, rows(range(1, 51)))
    service.rules.append(lambda _: status(code))
    ended = desk.run(NAME)
    assert ended.code == 3, ended.text
    assert desk.job(NAME).summary["end"] == "key_refused"
    assert "key" in ended.text
    service.rules.clear()
    assert goes_on(desk, ended).code == 0
    assert desk.job(NAME).outcomes == {"succeeded": 50}


@promise("T9", "J17", "A4")
def test_until_when_to_resume_after_a_refused_key_is_told_alike_by_the_run_and_by_jobs_show(
    desk: Desk, service: Service
) -> None:
    desk.write(NAME, rows(range(1, 11)))
    service.rules.append(lambda _: status(401))
    ended = desk.run(NAME, "--carry-over")
    assert ended.code == 3, ended.text
    until = "before the next import with --carry-over begins, which takes over what is pending"
    assert until in ended.text
    assert until in desk.do("jobs", "show", desk.job(NAME).folder.name).text
    service.rules.clear()
    desk.write("next.csv", rows(range(11, 13)))
    assert desk.run("next.csv", "--carry-over").code == 0
    assert len(service.quiescent()) == 12


@promise("T9", "J17", "E1")
@pytest.mark.parametrize("code", [401, 403])
@pytest.mark.parametrize("concurrency", ["1", "8"])
def test_a_key_that_is_withdrawn_costs_no_row_and_the_printed_command_resumes(
    desk: Desk, service: Service, code: int, concurrency: str
) -> None:
    desk.write(NAME, rows(range(1, 101)))
    service.rules_of_all.append(lambda _: status(code) if len(service.puts) > 30 else None)
    ended = desk.run(NAME, concurrency=concurrency)
    assert ended.code == 3, ended.text
    assert desk.job(NAME).summary["end"] == "key_refused"
    assert set(desk.job(NAME).outcomes) == {"succeeded", "pending"}
    service.rules_of_all.clear()
    assert goes_on(desk, ended).code == 0
    assert desk.job(NAME).outcomes == {"succeeded": 100}


@promise("T9", "J17", "E1")
def test_requests_that_were_under_way_when_a_key_was_withdrawn_cost_no_row_either(
    desk: Desk, service: Service
) -> None:
    desk.write(NAME, rows(range(1, 201)))
    service.rules_of_all.append(
        lambda _: slow(OK, 0.3) if len(service.puts) <= 60 else slow(status(403), 0.02)
    )
    ended = desk.run(NAME, concurrency="16")
    assert ended.code == 3, ended.text
    assert set(desk.job(NAME).outcomes) == {"succeeded", "pending"}
    service.rules_of_all.clear()
    assert goes_on(desk, ended).code == 0
    assert desk.job(NAME).outcomes == {"succeeded": 200}


@promise("T9", "J17", "E1", "A4")
@pytest.mark.parametrize("sending", [{"concurrency": "1"}, {"concurrency": "8"}, {"workers": "2"}])
def test_a_key_that_is_withdrawn_before_the_last_few_rows_costs_none_of_them(
    desk: Desk, service: Service, sending: dict[str, str]
) -> None:
    desk.write(NAME, rows(range(1, 101)))
    service.rules_of_all.append(lambda _: status(403) if len(service.puts) > 93 else None)
    ended = desk.run(NAME, "--carry-over", **sending)
    assert ended.code == 3, ended.text
    assert desk.job(NAME).summary["end"] == "key_refused"
    assert desk.job(NAME).outcomes == {"succeeded": 93, "pending": 7}
    service.rules_of_all.clear()
    desk.write("next.csv", rows(range(101, 103)))
    ended = desk.run("next.csv", "--carry-over")
    assert ended.code == 0, ended.text
    assert len(service.quiescent()) == 102


@promise("T9", "E1")
@pytest.mark.parametrize("concurrency", ["1", "8"])
def test_a_row_that_alone_is_forbidden_fails_also_as_the_last_one(
    desk: Desk, service: Service, concurrency: str
) -> None:
    lines = rows(range(1, 31))
    desk.write(NAME, lines)
    service.rules.append(
        lambda request: status(403) if request.conversation == lines[-1][0] else None
    )
    ended = desk.run(NAME, concurrency=concurrency)
    assert ended.code == 1, ended.text
    assert desk.job(NAME).outcomes == {"succeeded": 29, "failed": 1}


@promise("T9", "J17", "E1")
@pytest.mark.parametrize("sending", [{"concurrency": "8"}, {"workers": "2"}])
@pytest.mark.parametrize("stored", [40, 93])
def test_a_key_that_stays_withdrawn_costs_no_row_however_often_the_job_is_resumed(
    desk: Desk, service: Service, sending: dict[str, str], stored: int
) -> None:
    desk.write(NAME, rows(range(1, 101)))
    service.rules_of_all.append(lambda _: status(403) if len(service.puts) > stored else None)
    ended = desk.run(NAME, **sending)
    for _ in range(2):
        assert ended.code == 3, ended.text
        assert desk.job(NAME).summary["end"] == "key_refused"
        assert desk.job(NAME).outcomes == {"succeeded": stored, "pending": 100 - stored}
        ended = desk.follow(ended.steps[0])
    assert ended.code == 3, ended.text
    service.rules_of_all.clear()
    assert desk.follow(ended.steps[0]).code == 0
    assert desk.job(NAME).outcomes == {"succeeded": 100}
    assert len(service.quiescent()) == 100


@promise("T9", "J17", "E1")
@pytest.mark.parametrize(("concurrency", "forbidden"), [("1", 25), ("8", 50)])
def test_many_rows_that_are_forbidden_keep_no_job_from_its_end(
    desk: Desk, service: Service, concurrency: str, forbidden: int
) -> None:
    lines = rows(range(1, 101))
    out = {line[0] for line in lines[40 : 40 + forbidden]}
    desk.write(NAME, lines)
    service.rules.append(lambda r: status(403) if r.conversation in out else None)
    ended = desk.run(NAME, concurrency=concurrency)
    assert ended.code == 3, ended.text
    assert "although it accepts the API key otherwise" in ended.text
    assert "aborted: key or rows" in desk.do("jobs").text
    for _ in range(3):
        if ended.code == 3:
            ended = desk.follow(ended.steps[0])
    assert ended.code == 1, ended.text
    assert desk.job(NAME).outcomes == {"succeeded": 100 - forbidden, "failed": forbidden}
    service.rules.clear()
    assert desk.follow(ended.steps[0]).code == 0
    assert desk.job(NAME).outcomes == {"succeeded": 100}


@promise("T9", "J17", "E1")
@pytest.mark.parametrize("sending", [{"concurrency": "1"}, {"concurrency": "8"}, {"workers": "2"}])
def test_no_row_fails_nor_are_others_sent_while_nobody_knows_whether_the_key_holds(
    desk: Desk, service: Service, sending: dict[str, str]
) -> None:
    desk.write(NAME, rows(range(1, 301)))
    service.rules.append(lambda _: status(403) if len(service.puts) > 40 else None)
    service.rules_of_all.append(lambda r: status(503) if r.method == "GET" else None)
    ended = desk.run(NAME, max_attempts="3", **sending)
    assert ended.code == 3, ended.text
    assert "although it accepts" not in ended.text
    assert desk.job(NAME).outcomes == {"succeeded": 40, "pending": 260}
    assert len(service.puts) < 120, "20 rows in a row, and what was in flight"
    service.rules.clear()
    service.rules_of_all.clear()
    assert goes_on(desk, ended).code == 0
    assert desk.job(NAME).outcomes == {"succeeded": 300}


@promise("T9", "J17", "E1")
def test_a_job_whose_last_row_and_whose_status_checks_are_forbidden_can_be_given_up(
    desk: Desk, service: Service
) -> None:
    lines = rows(range(1, 31))
    desk.write(NAME, lines)
    last = lines[-1][0]
    service.rules_of_all.append(
        lambda request: (
            status(403) if request.method == "GET" or request.conversation == last else None
        )
    )
    assert desk.run(NAME).code == 3
    ended = desk.run(NAME)
    assert ended.code == 3, ended.text
    assert desk.job(NAME).outcomes == {"succeeded": 29, "pending": 1}
    assert desk.follow(ended.steps[-1]).code == 0


@promise("T11", "J17", "E1")
def test_max_failures_end_with_3_and_the_printed_commands_lead_to_the_end(
    desk: Desk, service: Service
) -> None:
    desk.write(NAME, rows(range(1, 51)))
    service.rules.append(lambda _: status(422))
    ended = desk.run(NAME, max_failures="5", concurrency="2")
    assert ended.code == 3, ended.text
    assert desk.job(NAME).summary["end"] == "max_failures"
    assert desk.job(NAME).outcomes["failed"] >= 5
    service.rules.clear()
    assert goes_on(desk, ended, most=2).code == 0
    assert len(service.quiescent()) == 50


@promise("T12", "J17", "E1")
@pytest.mark.parametrize(
    "left",
    [False, True],
)
def test_an_aborted_canary_ends_with_3_and_the_printed_command_resumes(
    desk: Desk, service: Service, left: bool
) -> None:
    desk.write(NAME, rows(range(1, 51)))
    service.rules.append(lambda _: status(404))
    ended = desk.run(NAME, canary="5")
    assert ended.code == 3, ended.text
    assert desk.job(NAME).summary["end"] == "canary"
    assert len(service.puts) == 5
    service.rules.clear()
    if left:
        assert desk.job(NAME).outcomes["pending"] == desk.job(NAME).summary["rows"]
        assert goes_on(desk, ended).code == 0
    else:
        assert goes_on(desk, ended, most=2).code == 0
    assert len(service.quiescent()) == 50


@promise("C2", "J17", "V10")
def test_a_limit_that_a_file_sets_is_taken_back_by_the_command_that_is_printed(
    desk: Desk, service: Service
) -> None:
    desk.write(NAME, rows(range(1, 10)))
    (desk.folder / "clarityq-import.toml").write_text("limit = 4\nquiet = true\n")
    ended = desk.run(NAME)
    assert ended.code == 6, ended.text
    assert goes_on(desk, ended).code == 0
    assert len(service.state) == 9
    desk.write("next.csv", rows(range(10, 13)))
    ended = desk.run("next.csv", "--unset", "quiet")
    assert ended.code == 0, ended.text
    assert "succeeded" in ended.text


@promise("J17", "L1")
def test_each_command_that_is_printed_shows_what_comes_of_it_whatever_a_file_sets(
    desk: Desk, service: Service
) -> None:
    (desk.folder / "clarityq-import.toml").write_text("limit = 4\nquiet = true\n")
    service.rules.append(lambda r: status(422) if r.body["comment"] == "first 2" else None)
    desk.write(NAME, [*rows(range(1, 10)), (conversation(10), "meh", "")])
    limited = desk.run(NAME)
    stands = desk.do("jobs", "show", desk.job(NAME).folder.name)
    done = desk.follow(limited.steps[0])
    assert "succeeded" in done.text
    then = desk.do("jobs", "show", desk.job(NAME).folder.name)
    kinds = ["retry", "run", "run"]
    for told, names in ((limited, ["run"]), (stands, ["run"]), (done, kinds), (then, kinds)):
        assert [step[1] for step in told.steps] == names
        assert all(step[-4:] == TAKEN_BACK for step in told.steps), told.steps


@promise("J7", "V10")
def test_retry_of_a_job_whose_limit_is_reached_sends_the_rest(desk: Desk, service: Service) -> None:
    desk.write(NAME, rows(range(1, 10)))
    assert desk.run(NAME, limit="4").code == 6
    ended = desk.retry(desk.job(NAME))
    assert ended.code == 0, ended.text
    assert len(service.state) == 9


@promise("T13", "J17", "E1")
def test_a_time_box_ends_with_6_and_the_printed_command_goes_on(
    desk: Desk, service: Service
) -> None:
    desk.write(NAME, rows(range(1, 9)))
    service.rules.append(lambda _: slow(OK, 0.4))
    ended = desk.run(NAME, max_duration="600ms", concurrency="1")
    assert ended.code == 6, ended.text
    assert desk.job(NAME).summary["end"] == "time_box"
    service.rules.clear()
    assert goes_on(desk, ended, most=5).code == 0
    assert len(service.quiescent()) == len(service.puts) == 8


@promise("J9", "J17", "E1")
@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        (signal.SIGTERM, 143),
        pytest.param(
            signal.SIGHUP,
            129,
            marks=pytest.mark.skipif(
                signal.getsignal(signal.SIGHUP) is signal.SIG_IGN, reason="as under nohup"
            ),
        ),
    ],
)
def test_a_signal_stops_the_run_and_the_printed_command_goes_on(
    desk: Desk, service: Service, number: signal.Signals, code: int
) -> None:
    desk.write(NAME, rows(range(1, 51)))
    service.rules.append(lambda _: slow(OK, 0.05))
    running = desk.start_run(NAME, concurrency="2", grace="20s")
    service.wait_until(lambda service: len(service.puts) >= 5)
    running.send(number)
    ended = running.wait()
    assert ended.code == code, ended.text
    assert desk.job(NAME).summary["exit_code"] == code
    # Requests in flight were let finish, so all that the service stored is recorded.
    assert desk.job(NAME).outcomes["succeeded"] == len(service.state)
    assert goes_on(desk, ended).code == 0
    assert len(service.puts) == 50


@promise("J9", "E1")
def test_a_second_signal_quits_at_once_and_nothing_recorded_is_lost(
    desk: Desk, service: Service
) -> None:
    desk.write(NAME, rows(range(1, 51)))
    service.rules.append(lambda r: slow(OK, 100) if r.conversation == TWO else None)
    running = desk.start_run(NAME, concurrency="2", grace="100s", read_timeout="100s")
    service.wait_until(lambda service: len(service.state) == 50)
    # As often as it takes to get through: two signals that come at once may be one.
    while running.process.poll() is None:
        running.send(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            running.process.wait(0.5)
    ended = running.wait()
    assert ended.code == 143, ended.text
    service.rules.clear()
    assert desk.run(NAME).code == 0
    assert desk.job(NAME).outcomes == {"succeeded": 50}
    assert len(service.puts) <= 2 * 50


@promise("A2", "J17", "E1")
def test_another_unfinished_job_is_in_the_way_and_the_printed_commands_clear_it(
    desk: Desk, service: Service
) -> None:
    desk.write("monday.csv", rows(range(1, 51), "monday"))
    desk.write("tuesday.csv", rows(range(1, 51), "tuesday"))
    service.rules.append(lambda _: status(401) if len(service.state) >= 5 else None)
    assert desk.run("monday.csv", concurrency="1").code == 3
    before = len(service.puts)
    ended = desk.run("tuesday.csv")
    assert ended.code == 2, ended.text
    assert len(service.puts) == before
    service.rules.clear()
    (resume,) = [step for step in ended.steps if "--replace" not in step]
    (replace,) = [step for step in ended.steps if "--replace" in step]
    assert desk.follow(resume).code == 0
    assert desk.follow(replace).code == 0
    assert {feedback[1] for feedback in service.state.values()} == {
        f"tuesday {n}" for n in range(1, 51)
    }
