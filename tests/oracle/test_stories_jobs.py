"""Stories about jobs that are left, killed, resumed and retried, without a ledger."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterable

import pytest

from tests.oracle.answers import OK, silence, slow, status
from tests.oracle.drive import Desk, Running, conversation, rows
from tests.oracle.marks import promise
from tests.oracle.service import Service

ONE, TWO = conversation(1), conversation(2)


def begin(
    desk: Desk,
    service: Service,
    name: str,
    puts: int,
    options: Iterable[str] = (),
    **pace: str,
) -> Running:
    """Begin an import, and return when the service has got so many PUTs of it."""
    before = len(service.puts)
    running = desk.start_run(name, options=options, concurrency="2", **pace)
    service.wait_until(lambda service: len(service.puts) >= before + puts)
    return running


def leave(desk: Desk, service: Service, name: str, puts: int, options: Iterable[str] = ()) -> None:
    """Begin an import, and stop it in good order while rows are left."""
    service.rules.insert(0, lambda _: slow(OK, 0.05))
    running = begin(desk, service, name, puts, options)
    running.send(signal.SIGTERM)
    ended = running.wait()
    service.rules.pop(0)
    assert ended.code == 143, ended.text


@promise("J2", "J9", "O2")
def test_the_same_command_resumes_a_stopped_job_and_sends_only_what_is_left(
    desk: Desk, service: Service
) -> None:
    lines = rows(range(1, 101))
    desk.write("night.csv", lines)
    leave(desk, service, "night.csv", 5)
    counts = desk.job("night.csv").summary["outcomes"]
    assert sum(counts.values()) == desk.job("night.csv").summary["rows"]
    assert counts["succeeded"] >= 5
    ended = desk.run("night.csv")
    assert ended.code == 0, ended.text
    assert desk.job("night.csv").outcomes == {"succeeded": 100}
    assert len(service.puts) == 100
    assert len(desk.jobs()) == 1


@promise("J3", "O2", "S1")
@pytest.mark.parametrize("puts", [1, 3, 40])
def test_a_killed_job_is_resumed_and_every_row_is_accounted_for(
    desk: Desk, service: Service, puts: int
) -> None:
    service.rules.append(lambda _: slow(OK, 0.02))
    lines = rows(range(1, 81))
    desk.write("night.csv", lines)
    begin(desk, service, "night.csv", puts).kill()
    ended = desk.run("night.csv")
    assert ended.code == 0, ended.text
    assert desk.job("night.csv").outcomes == {"succeeded": 80}
    assert service.quiescent() == {c: (rating, comment) for c, rating, comment in lines}


@pytest.mark.slow
@promise("S1", "S3", "J3", "A10")
@pytest.mark.parametrize(
    "stops",
    [
        0,
        1,
    ],
)
def test_a_killed_request_loses_even_if_the_next_run_is_stopped_while_it_waits(
    desk: Desk, service: Service, stops: int
) -> None:
    service.script(ONE, silence(applies=4.0))
    desk.write("night.csv", rows([1], "early") + rows(range(2, 2502)) + rows([1], "last"))
    pace = {"late_effect": "5s", "read_timeout": "20s", "canary": "0"}
    begin(desk, service, "night.csv", 20, **pace).kill()
    for _ in range(stops):
        waits = desk.start_run("night.csv", **pace)
        # Its first line: from here on it waits.
        assert waits.process.stderr is not None
        waits.process.stderr.readline()
        waits.send(signal.SIGTERM)
        assert waits.wait().code in {0, 143, -15}
    ended = desk.run("night.csv", **pace)
    assert ended.code == 0, ended.text
    assert service.quiescent().get(ONE) == ("POSITIVE", "last 1")
    assert service.overlaps == []


@promise("A2", "A9", "A10")
def test_a_killed_job_and_the_next_night_end_with_the_next_night(
    desk: Desk, service: Service
) -> None:
    service.script(ONE, silence(applies=4.0))
    desk.write("monday.csv", rows(range(1, 11), "monday"))
    desk.write("tuesday.csv", rows(range(1, 11), "tuesday"))
    pace = {"late_effect": "5s", "read_timeout": "20s"}
    begin(desk, service, "monday.csv", 1, **pace).kill()
    ended = desk.insist(*desk.run_line("tuesday.csv", **pace))
    assert ended.code == 0, ended.text
    assert service.quiescent().get(ONE) == ("POSITIVE", "tuesday 1")


@promise("A2", "A6", "A19")
def test_a_job_that_was_left_is_brought_to_its_end_before_a_newer_one(
    desk: Desk, service: Service
) -> None:
    desk.write("monday.csv", rows(range(1, 61), "monday"))
    desk.write("tuesday.csv", rows(range(1, 61), "tuesday"))
    leave(desk, service, "monday.csv", 5)
    desk.insist(*desk.run_line("tuesday.csv"))
    kept = {feedback[1] for feedback in service.quiescent().values()}
    assert {str(comment).split()[0] for comment in kept} == {"tuesday"}


@promise("A6", "J7")
@pytest.mark.parametrize("how", ["retry", "same_command"])
@pytest.mark.parametrize("newer", ["succeeded", "left_over"])
def test_an_old_left_over_is_not_sent_once_a_newer_job_has_its_conversation(
    desk: Desk, service: Service, newer: str, how: str
) -> None:
    service.statuses[ONE] = ["IN_PROGRESS"]
    desk.write("monday.csv", rows(range(1, 6), "monday"))
    desk.write("tuesday.csv", rows(range(1, 6), "tuesday"))
    assert desk.run("monday.csv").code == 5
    if newer == "succeeded":
        del service.statuses[ONE]
    assert desk.run("tuesday.csv").code == (0 if newer == "succeeded" else 5)
    service.statuses.clear()
    before = len(service.puts)
    if how == "retry":
        desk.retry(desk.job("monday.csv"))
    else:
        desk.run("monday.csv")
    assert "monday 1" not in [r.body.get("comment") for r in service.puts[before:]]


@promise("J4")
def test_the_same_command_tries_only_the_rows_that_were_not_completed(
    desk: Desk, service: Service
) -> None:
    service.statuses[ONE] = ["IN_PROGRESS"]
    desk.write("night.csv", rows(range(1, 11)))
    assert desk.run("night.csv").code == 5
    service.statuses.clear()
    before = len(service.puts)
    ended = desk.run("night.csv")
    assert ended.code == 0, ended.text
    assert [r.conversation for r in service.puts[before:]] == [ONE]
    assert desk.job("night.csv").outcomes == {"succeeded": 10}


@promise("J4")
def test_the_same_command_after_a_finished_job_sends_everything_in_a_new_folder(
    desk: Desk, service: Service
) -> None:
    desk.write("night.csv", rows(range(1, 11)))
    assert desk.run("night.csv").code == 0
    assert desk.run("night.csv").code == 0
    assert len(service.puts) == 20
    assert desk.job("night.csv", 2).outcomes == {"succeeded": 10}


@promise("J7")
def test_retry_means_the_folder_that_it_is_given(desk: Desk, service: Service) -> None:
    desk.write("night.csv", rows(range(1, 11)))
    service.script(ONE, status(422))
    assert desk.run("night.csv").code == 1
    service.script(TWO, status(422))
    assert desk.run("night.csv").code == 1
    before = len(service.puts)
    desk.retry(desk.job("night.csv", 1))
    assert TWO not in [r.conversation for r in service.puts[before:]]
    assert desk.job("night.csv", 2).summary["runs"] == 1


@promise("J7")
def test_retry_sends_just_what_failed_or_was_not_completed(desk: Desk, service: Service) -> None:
    desk.write("night.csv", rows(range(1, 11)))
    service.script(ONE, status(422))
    service.script(TWO, status(503), status(503))
    assert desk.run("night.csv", max_attempts="2").code == 1
    before = len(service.puts)
    only = desk.retry(desk.job("night.csv"), options=["--reason", "retries_exhausted"])
    assert only.code == 1, only.text
    assert [r.conversation for r in service.puts[before:]] == [TWO]
    ended = desk.retry(desk.job("night.csv"))
    assert ended.code == 0, ended.text
    assert [r.conversation for r in service.puts[before:]] == [TWO, ONE]
    assert desk.job("night.csv").outcomes == {"succeeded": 10}


@promise("S1", "S2", "S3", "J7")
def test_the_last_valid_row_of_a_conversation_wins_also_after_a_retry(
    desk: Desk, service: Service
) -> None:
    lines = rows([1, 2], "a") + rows([1, 2], "b") + [(TWO, "dunno", "rejected")]
    desk.write("night.csv", lines)
    service.script(ONE, *[status(422)] * 4)
    assert desk.run("night.csv").code == 1
    assert service.state[TWO] == ("POSITIVE", "b 2")
    service.script(ONE, OK)
    desk.retry(desk.job("night.csv"))
    assert service.quiescent().get(ONE) in {("POSITIVE", "b 1"), None}
    assert service.quiescent()[TWO] == ("POSITIVE", "b 2")
    assert service.overlaps == []


@promise("J5")
def test_a_changed_input_of_an_unfinished_job_sends_nothing(desk: Desk, service: Service) -> None:
    desk.write("night.csv", rows(range(1, 61)))
    leave(desk, service, "night.csv", 5)
    desk.write("night.csv", rows(range(1, 61), "changed"))
    before = len(service.puts)
    ended = desk.run("night.csv")
    assert ended.code == 2, ended.text
    assert len(service.puts) == before
    assert ended.steps or "--restart" in ended.text


@promise("J10", "E1")
def test_a_second_run_of_a_job_ends_with_4_and_a_killed_one_holds_nothing(
    desk: Desk, service: Service
) -> None:
    service.rules.append(lambda _: slow(OK, 0.2))
    desk.write("night.csv", rows(range(1, 61)))
    running = begin(desk, service, "night.csv", 1)
    second = desk.run("night.csv")
    assert second.code == 4, second.text
    running.kill()
    service.rules.clear()
    assert desk.run("night.csv").code == 0


@promise("J14", "F1")
@pytest.mark.parametrize("how", ["move", "copy"])
def test_a_jobs_folder_can_be_moved_or_copied_between_two_runs(
    desk: Desk, service: Service, how: str
) -> None:
    desk.write("night.csv", rows(range(1, 61)))
    leave(desk, service, "night.csv", 5)
    done = desk.job("night.csv").outcomes["succeeded"]
    elsewhere = desk.folder / "else where"
    if how == "move":
        shutil.move(desk.jobs_folder, elsewhere)
    else:
        shutil.copytree(desk.jobs_folder, elsewhere)
    before = len(service.puts)
    ended = desk.run("night.csv", options=["--jobs-dir", str(elsewhere)])
    assert ended.code == 0, ended.text
    assert len(service.puts) - before == 60 - done


@promise("E1")
def test_a_jobs_folder_that_cannot_be_written_sends_nothing(desk: Desk, service: Service) -> None:
    desk.write("night.csv", rows(range(1, 11)))
    if os.geteuid() == 0:
        # Permissions do not stop this user; a file where the folder should be does.
        (desk.folder / "file").write_text("")
        where = desk.folder / "file" / "jobs"
    else:
        where = desk.folder / "jobs"
        where.mkdir(mode=0o500)
    ended = desk.run("night.csv", options=["--jobs-dir", str(where)])
    assert ended.code == 2, ended.text
    assert service.log == []
    assert "Traceback" not in ended.text
