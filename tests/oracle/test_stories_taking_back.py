"""Stories about jobs that are taken back, and what is forgotten of conversations and comments."""

from __future__ import annotations

import shutil
import signal

from tests.oracle.answers import OK, silence, slow, status
from tests.oracle.drive import Desk, Ended, Job, conversation, rows
from tests.oracle.forgotten import held_in
from tests.oracle.marks import promise
from tests.oracle.service import Service
from tests.oracle.taker import table
from tests.oracle.test_stories_jobs import begin, leave

ONE, TWO, THREE = (conversation(n) for n in (1, 2, 3))
KEEP = ("--keep-bodies",)


def undo(desk: Desk, job: Job, *options: str) -> Ended:
    """Take a job back, or ask what that would do."""
    return desk.do("undo", job.folder.name, *desk.pace(), *options)


def undone(desk: Desk) -> Job:
    """Return the job that the latest undo is."""
    return [job for job in desk.jobs() if job.folder.name.startswith("undo-")][-1]


def two_nights(desk: Desk, options: tuple[str, ...] = ()) -> Job:
    """Import ratings one night, other ones the next, and a conversation that is new then."""
    desk.write("monday.csv", [(ONE, "POSITIVE", ""), (TWO, "NEGATIVE", "monday 2.")])
    desk.write("tuesday.csv", rows([1, 2, 3], "tuesday", "NEGATIVE"))
    assert desk.run("monday.csv", options=options).code == 0
    assert desk.run("tuesday.csv", options=options).code == 0
    return desk.job("tuesday.csv")


@promise("U1", "U2", "U3", "E3")
def test_an_undo_does_what_it_has_shown_and_clears_only_if_told(
    desk: Desk, service: Service
) -> None:
    tuesday = two_nights(desk)
    before = len(service.log)
    asked = undo(desk, tuesday)
    assert asked.code == 0, asked.text
    assert len(service.log) == before
    shown = {
        "restored": 1, "sent": 0, "cleared": 0, "left": 2, "left later": 0, "left back": 0,
    }  # fmt: skip
    assert table(asked.text) == shown
    ended = undo(desk, tuesday, "--yes")
    assert ended.code == 0, ended.text
    assert table(ended.text) == table(asked.text)
    left = {TWO: ("NEGATIVE", "tuesday 2"), THREE: ("NEGATIVE", "tuesday 3")}
    assert service.quiescent() == {ONE: ("POSITIVE", None), **left}
    ended = undo(desk, tuesday, "--clear-unknown", "--yes")
    assert ended.code == 0, ended.text
    shown = {
        "restored": 0, "sent": 0, "cleared": 2, "left": 0, "left later": 0, "left back": 1,
    }  # fmt: skip
    assert table(ended.text) == shown
    cleared = {TWO: (None, None), THREE: (None, None)}
    assert service.quiescent() == {ONE: ("POSITIVE", None), **cleared}
    assert len(service.log) == before + 3


@promise("U2", "U5", "U6")
def test_comments_come_back_with_kept_bodies_and_an_undo_can_be_undone(
    desk: Desk, service: Service
) -> None:
    tuesday = two_nights(desk, KEEP)
    assert undo(desk, tuesday, *KEEP, "--clear-unknown", "--yes").code == 0
    state = service.quiescent()
    assert state[ONE] == ("POSITIVE", None)
    assert state[TWO] == ("NEGATIVE", "monday 2.")
    assert state[THREE] == (None, None)
    ended = undo(desk, undone(desk), "--yes")
    assert ended.code == 0, ended.text
    assert {feedback[1] for feedback in service.quiescent().values()} == {
        "tuesday 1", "tuesday 2", "tuesday 3",
    }  # fmt: skip


@promise("U1", "U4")
def test_what_a_later_job_has_brought_or_tried_to_bring_is_left(
    desk: Desk, service: Service
) -> None:
    tuesday = two_nights(desk)
    desk.write("wednesday.csv", rows([1, 2], "wednesday"))
    service.script(TWO, status(422))
    assert desk.run("wednesday.csv").code == 1
    before = len(service.puts)
    ended = undo(desk, tuesday, "--clear-unknown", "--yes")
    assert ended.code == 0, ended.text
    assert [put.conversation for put in service.puts[before:]] == [THREE]
    assert service.quiescent()[ONE] == ("POSITIVE", "wednesday 1")
    assert service.quiescent()[TWO] == ("NEGATIVE", "tuesday 2")


@promise("U1", "A2", "A17")
def test_an_undo_voids_what_an_unfinished_job_has_taken_over_and_follows_it(
    desk: Desk, service: Service
) -> None:
    carry = ("--carry-over",)
    two_nights(desk)
    desk.write("wrong.csv", rows([1, 2, 3], "wrong", "NEGATIVE"))
    desk.write("right.csv", rows([4, 5], "right"))
    assert desk.run("wrong.csv", options=(*carry, "--limit=1")).code == 6
    wrong = desk.job("wrong.csv")
    service.rules.append(lambda _: status(401))
    assert desk.run("right.csv", options=carry).code == 3
    service.rules.pop()
    before = len(service.puts)
    words = ("--clear-unknown", "--yes")
    refused = undo(desk, wrong, *words)
    assert refused.code == 2, refused.text
    assert len(service.puts) == before
    resume, again = refused.steps[:2]
    assert desk.do(*resume[1:]).code == 0
    assert {put.conversation for put in service.puts[before:]} == {conversation(4), conversation(5)}
    assert desk.do(*again[1:]).code == 0
    assert all("wrong" not in str(body[1]) for body in service.quiescent().values())
    assert service.quiescent()[TWO] == ("NEGATIVE", "tuesday 2")


@promise("U1", "U4", "A6")
def test_what_is_in_doubt_is_taken_back_after_nothing_can_take_effect(
    desk: Desk, service: Service
) -> None:
    service.script(ONE, *[silence(applies=0.9)] * 2)
    desk.write("night.csv", rows([1, 2]))
    assert desk.run("night.csv", max_attempts="2").code == 1
    ended = undo(desk, desk.job("night.csv"), "--clear-unknown", "--yes")
    assert ended.code == 0, ended.text
    assert service.quiescent() == {ONE: (None, None), TWO: (None, None)}
    desk.retry(desk.job("night.csv"))
    assert service.quiescent() == {ONE: (None, None), TWO: (None, None)}


@promise("U4", "U5", "J3")
def test_a_killed_undo_is_resumed_by_the_same_command(desk: Desk, service: Service) -> None:
    desk.write("night.csv", rows(range(1, 41)))
    assert desk.run("night.csv").code == 0
    service.rules.append(lambda _: slow(OK, 0.05))
    line = ["undo", desk.job("night.csv").folder.name, "--clear-unknown", "--yes"]
    running = desk.start(*line, *desk.pace(concurrency="2"))
    service.wait_until(lambda service: len(service.puts) >= 46)
    running.kill()
    ended = desk.do(*line, *desk.pace())
    assert ended.code == 0, ended.text
    assert undone(desk).outcomes == {"succeeded": 40}
    assert undone(desk).summary["runs"] == 2
    assert set(service.quiescent().values()) == {(None, None)}


@promise("U5", "J14")
def test_an_undo_goes_on_when_a_jobs_folder_that_was_moved_is_back(
    desk: Desk, service: Service
) -> None:
    desk.write("night.csv", rows(range(1, 41)))
    assert desk.run("night.csv").code == 0
    line = ["undo", desk.job("night.csv").folder.name, "--clear-unknown", "--yes"]
    assert desk.do(*line, *desk.pace(), "--limit", "5").code == 6
    moved = desk.folder / "else where"
    shutil.move(desk.jobs_folder, moved)
    refused = desk.do(*line, *desk.pace(), "--jobs-dir", str(moved))
    assert refused.code == 2, refused.text
    shutil.move(moved, desk.jobs_folder)
    ended = desk.do(*line, *desk.pace())
    assert ended.code == 0, ended.text
    assert len(service.puts) == 80


@promise("A2", "A17", "U1")
def test_an_unfinished_job_is_given_up_by_its_undo(desk: Desk, service: Service) -> None:
    desk.write("night.csv", rows(range(1, 61)))
    leave(desk, service, "night.csv", 5)
    sent = len(service.puts)
    night = desk.job("night.csv")
    assert undo(desk, night, "--clear-unknown").code == 0
    assert len(service.puts) == sent, "nothing was sent yet, and nothing is given up"
    assert desk.do("jobs", "--json").text.count('"given_up"') == 0
    ended = undo(desk, night, "--clear-unknown", "--yes")
    assert ended.code == 0, ended.text
    assert len(service.puts) == 2 * sent
    assert set(service.quiescent().values()) == {(None, None)}
    refused = desk.run("night.csv")  # J4
    assert (refused.code, "was taken back by" in refused.text) == (2, True)
    anew = desk.run("night.csv", "--restart")
    assert desk.job("night.csv", 2).summary["rows"] == 60, anew.text


@promise("U7", "A15")
def test_a_job_below_the_floor_is_not_taken_back(desk: Desk, service: Service) -> None:
    tuesday = two_nights(desk)
    monday = desk.job("monday.csv")
    desk.write("wednesday.csv", rows([4], "wednesday"))
    assert desk.run("wednesday.csv").code == 0
    shutil.rmtree(tuesday.folder)
    for part in desk.jobs_folder.glob("ledger-*"):
        part.unlink()
    before = len(service.log)
    ended = undo(desk, monday, "--clear-unknown", "--yes")
    assert ended.code == 2, ended.text
    assert len(service.log) == before


def wrong_night(desk: Desk, service: Service) -> Job:
    """Import a night in which one row fails and one is not completed."""
    service.script(ONE, status(422))
    service.statuses[TWO] = ["IN_PROGRESS"]
    desk.write("night.csv", rows(range(1, 6), "secret"))
    assert desk.run("night.csv", options=[*KEEP, "--carry-over"]).code == 1
    service.statuses.clear()
    return desk.job("night.csv")


def left_of(desk: Desk, *numbers: int) -> list[str]:
    """Return where ids and comments of these conversations still stand in the jobs folder."""
    words = {conversation(n): [conversation(n), f"secret {n}"] for n in numbers}
    return held_in(desk.jobs_folder, words)


@promise("U8", "U9", "U11", "F10")
def test_of_a_forgotten_conversation_only_the_counts_are_left(desk: Desk, service: Service) -> None:
    night = wrong_night(desk, service)
    assert len({line.split(" ")[0] for line in left_of(desk, 1, 2, 3)}) == 3
    (desk.folder / "requests.txt").write_text(f"{TWO}\n{THREE}\n")
    before, told = night.summary, desk.outcomes(night)
    ended = desk.do("forget", ONE, "--from", "requests.txt")
    assert ended.code == 0, ended.text
    assert left_of(desk, 1, 2, 3) == []
    assert night.outcomes == {"succeeded": 3, "failed": 1, "not_completed": 1}
    assert night.reasons == {(r["outcome"], r["reason"]): r["rows"] for r in before["reasons"]}
    assert desk.outcomes(night)[3:] == told[3:]
    (certificate,) = desk.jobs_folder.glob("forgotten-*.json")
    text = certificate.read_text()
    assert before["digests"]["outcomes"] in text
    assert night.summary["digests"]["outcomes"] in text
    sent = len(service.puts)
    desk.write("next.csv", rows([9], "next"))
    assert desk.run("next.csv", options=["--carry-over"]).code == 0
    assert undo(desk, night, "--clear-unknown", "--yes").code == 0
    assert {put.conversation for put in service.puts[sent:]} == {conversation(n) for n in (4, 5, 9)}
    assert left_of(desk, 1, 2, 3) == []


@promise("U9", "U1")
def test_a_forgotten_row_in_doubt_is_not_taken_back(desk: Desk, service: Service) -> None:
    desk.write("night.csv", rows(range(1, 21)))
    service.rules.append(lambda _: slow(OK, 0.05))
    begin(desk, service, "night.csv", 5).kill()
    service.rules.clear()
    assert desk.do("jobs", "abandon", "night-").code == 0
    assert desk.do("forget", conversation(20)).code == 0
    sent = len(service.puts)
    ended = undo(desk, desk.job("night.csv"), "--clear-unknown", "--yes")
    assert ended.code == 0, ended.text
    known = {conversation(n) for n in range(1, 20)}
    assert {put.conversation for put in service.puts[sent:]} <= known


@promise("U9", "A6", "A9")
def test_what_is_forgotten_may_still_take_effect_before_a_new_row(
    desk: Desk, service: Service
) -> None:
    service.script(ONE, silence(applies=12.0), OK)
    desk.write("night.csv", rows([1], "night"))
    assert desk.run("night.csv", late_effect="13s").code == 0
    assert desk.do("forget", ONE).code == 0
    desk.write("later.csv", rows([1], "later"))
    assert desk.run("later.csv", late_effect="13s").code == 0
    assert service.quiescent() == {ONE: ("POSITIVE", "later 1")}


@promise("U8", "J7")
def test_a_retry_does_not_bring_back_what_is_forgotten(desk: Desk, service: Service) -> None:
    for one in (ONE, TWO):
        service.script(one, status(422), status(422))
    desk.write("night.csv", rows([1, 2, 3], "secret"))
    assert desk.run("night.csv").code == 1
    assert desk.do("forget", ONE).code == 0
    assert desk.retry(desk.job("night.csv")).code == 1
    assert left_of(desk, 1) == []


@promise("U9", "A14", "A16", "A18")
def test_an_older_file_gives_way_to_what_is_forgotten_and_a_new_row_does_not(
    desk: Desk, service: Service
) -> None:
    service.script(ONE, status(422))
    desk.write("first.csv", rows([1, 2], "first"))
    assert desk.run("first.csv").code == 1
    shutil.copy(desk.job("first.csv").folder / "failed.csv", desk.folder / "fixed.csv")
    desk.write("second.csv", rows([1, 2], "second"))
    assert desk.run("second.csv").code == 0
    assert desk.do("forget", ONE).code == 0
    for part in desk.jobs_folder.glob("ledger-*"):
        part.unlink()
    desk.write("third.csv", rows([3], "third"))
    assert desk.run("third.csv").code == 0
    assert desk.do("jobs", "prune", "--keep-last", "1").code == 0
    sent = len(service.puts)
    assert desk.run("fixed.csv").code == 0
    assert len(service.puts) == sent
    # The very same feedback as before: of what was forgotten nobody may know that any more.
    ended = desk.run("second.csv", options=["--skip-unchanged"])
    assert ended.code == 0, ended.text
    assert [put.conversation for put in service.puts[sent:]] == [ONE]


@promise("U1", "U9")
def test_an_undo_counts_no_forgotten_row_as_left_over(desk: Desk, service: Service) -> None:
    night = wrong_night(desk, service)
    assert table(undo(desk, night).text)["left over"] == 1
    assert desk.do("forget", TWO).code == 0
    assert "left over" not in table(undo(desk, night).text)


@promise("U11")
def test_forgetting_that_was_killed_is_done_by_the_same_command(
    desk: Desk, service: Service
) -> None:
    night = wrong_night(desk, service)
    desk.write("tuesday.csv", rows([3], "secret"))
    assert desk.run("tuesday.csv", options=KEEP).code == 0
    told = [line for line in desk.outcomes(night) if line["conversation_id"] != THREE]
    journals = list(desk.jobs_folder.glob("*/journal.sqlite"))
    before = [path.stat().st_mtime_ns for path in journals]
    running = desk.start("forget", THREE)
    while running.process.poll() is None:
        if before != [path.stat().st_mtime_ns for path in journals]:
            break
    running.kill()
    assert desk.do("forget", THREE).code == 0
    assert left_of(desk, 3) == []
    assert [line for line in desk.outcomes(night) if line["row"] != "3"] == told


@promise("U10", "A1")
def test_nothing_is_forgotten_while_a_run_is_at_work_or_a_job_unfinished(
    desk: Desk, service: Service
) -> None:
    desk.write("night.csv", rows(range(1, 61)))
    service.rules.append(lambda _: slow(OK, 0.2))
    running = begin(desk, service, "night.csv", 2)
    assert desk.do("forget", ONE).code == 4
    running.send(signal.SIGTERM)
    assert running.wait().code == 143
    service.rules.clear()
    assert desk.do("forget", ONE).code == 2
    assert desk.run("night.csv").code == 0
    assert desk.job("night.csv").outcomes == {"succeeded": 60}


@promise("U8", "J15")
def test_a_copy_of_an_input_that_holds_a_forgotten_conversation_is_removed(
    desk: Desk,
) -> None:
    desk.write("night.csv", rows([1, 2], "secret"))
    desk.prefix = ["sh", "-c", 'exec "$@" < night.csv', "sh"]
    assert desk.run("-", options=["--format", "csv", "--keep-copies"]).code == 0
    desk.prefix = []
    assert any("copies" in str(path) for path in desk.jobs_folder.rglob("*"))
    assert desk.do("forget", ONE).code == 0
    assert left_of(desk, 1, 2)
    assert left_of(desk, 1) == []


@promise("U12", "A11")
def test_dropped_comments_are_gone_and_outcomes_and_ratings_stay(
    desk: Desk, service: Service
) -> None:
    service.script(TWO, status(422))
    service.statuses[ONE] = ["IN_PROGRESS"]
    service.statuses[THREE] = ["IN_PROGRESS"]
    desk.write("night.csv", [*rows(range(1, 6), "secret"), (THREE, "NEGATIVE", "")])
    assert desk.run("night.csv", options=[*KEEP, "--carry-over"]).code == 1
    service.statuses.clear()
    night = desk.job("night.csv")
    counts, told = night.outcomes, [r["outcome"] for r in desk.outcomes(night)]
    assert desk.do("jobs", "prune", "--comments-after", "1").code == 0
    assert held_in(desk.jobs_folder, {"comments": ["secret 1"]})
    assert desk.do("jobs", "prune", "--comments-after", "0").code == 0
    assert held_in(desk.jobs_folder, {"comments": [f"secret {n}" for n in range(1, 6)]}) == []
    assert (night.outcomes, [r["outcome"] for r in desk.outcomes(night)]) == (counts, told)
    assert night.summary["next_steps"] == []
    sent = len(service.puts)
    desk.write("next.csv", rows([4, 5], "secret"))
    ended = desk.run("next.csv", options=["--carry-over", "--skip-unchanged"])
    assert ended.code == 0, ended.text
    assert [put.feedback for put in service.puts[sent:]] == [("NEGATIVE", None)]
    assert desk.job("next.csv").outcomes["unchanged"] == 2
