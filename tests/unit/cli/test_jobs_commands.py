"""`jobs` and its commands, and `explain` (docs/reference.md, J11 to J13)."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from importer.cli.commands.explain import explain
from importer.cli.commands.jobs import jobs
from importer.errors import SettingsError
from importer.jobs.entry import Entry
from importer.jobs.inputs import UNDO_NAME
from importer.jobs.journal_reader import JournalReader
from importer.jobs.records import CarriedRow, InputFile, NewJob, RankedRow, Totals
from importer.model import (
    Attempt,
    Call,
    Deferral,
    Meaning,
    Outcome,
    OutcomeKind,
    Rank,
    Reason,
    RunEnd,
)
from tests.support.data import conversation, write_csv
from tests.support.jobs import (
    DIFFERS,
    EXHAUSTED,
    KEEPING,
    SUCCEEDED,
    WAITING,
    Desk,
    answer,
    finish,
    mark,
)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    rows = [(conversation(number), "POSITIVE", "") for number in (1, 2, 3)]
    write_csv(tmp_path / "a.csv", rows)
    return Desk(tmp_path)


def call(desk: Desk, command: Any, *words: str) -> Result:
    result = CliRunner().invoke(
        command, [*words, "--jobs-dir", str(desk.jobs_dir)], catch_exceptions=False,
        standalone_mode=False,
    )  # fmt: skip
    assert result.exception is None
    return result


def stop(desk: Desk) -> str:
    with desk.run() as job:
        mark(job, 1, 2)
        answer(job, {1: SUCCEEDED})
        finish(job, RunEnd.SIGINT, sent=[2])
        return job.folder.name


def test_jobs_are_listed_for_people_and_for_programs(desk: Desk) -> None:
    ended, stopped = desk.night([SUCCEEDED, EXHAUSTED, SUCCEEDED]), stop(desk)
    lines = call(desk, jobs).stdout.splitlines()
    assert any(ended in line and "finished" in line and "1 failed" in line for line in lines)
    assert any(stopped in line and "stopped" in line.split() for line in lines)
    found = json.loads(call(desk, jobs, "--json").stdout)
    assert {one["job"]: (one["state"], one["exit_code"]) for one in found} == {
        ended: ("ended", 1), stopped: ("unfinished", 130)
    }  # fmt: skip
    assert found[0]["outcomes"]["pending"] == 0


def test_a_job_is_described_with_the_command_that_resumes_it(desk: Desk) -> None:
    name = stop(desk)
    told = call(desk, jobs, "show", name).stdout
    assert "1 row may have been sent and stored" in told
    assert f"clarityq-import run {desk.folder / 'a.csv'}" in told
    assert "3 rows" in told


def test_a_row_is_in_doubt_no_more_once_a_successor_has_met_other_feedback_there(
    desk: Desk,
) -> None:
    with desk.run(**KEEPING) as job:
        mark(job, 1, 2)
        finish(job, RunEnd.SIGINT, sent=[1, 2])
    for seq, in_doubt in ((1, "1 row"), (2, "")):
        with desk.run("b", **KEEPING) as successor:
            answer(successor, {seq: DIFFERS})
        told = call(desk, jobs, "show", job.folder.name).stdout
        assert (in_doubt in told, "in doubt" in told) == (True, bool(in_doubt))


def test_what_an_undo_leaves_is_counted_with_rows_of_which_other_feedback_was_stored(
    desk: Desk,
) -> None:
    name = desk.night([SUCCEEDED, DIFFERS])
    undo = InputFile(str(desk.jobs_dir / name / UNDO_NAME), 1, 1, "", 1, 1)
    new = NewJob([undo], 1, ranked=[RankedRow(1, Rank(1, 2))])
    with desk.hold("b") as product, closing(product.begin(new)) as job:
        job.journal.begin_run(2, 1.0, {})
        answer(job, {1: SUCCEEDED})
        finish(job, RunEnd.FINISHED)
    told = call(desk, jobs, "show", name).stdout
    assert "1 of 2 conversations; the others stay as they are" in told


def test_what_a_killed_run_has_left_is_tried_again_without_beginning_anew(desk: Desk) -> None:
    name = desk.night([WAITING, WAITING, SUCCEEDED])
    stale = {"text": "To try the 2 rows not completed again later: clarityq-import run a.csv"}
    (desk.jobs_dir / name / "summary.json").write_text(json.dumps({"next_steps": [stale]}))
    assert stale["text"] in call(desk, jobs, "show", name).stdout
    for seq, told in (
        (1, "try the 1 row not completed again later: clarityq-import retry"),
        (2, ""),
    ):
        with desk.run() as job:
            mark(job, seq)
            answer(job, {seq: SUCCEEDED})
        shown = call(desk, jobs, "show", name).stdout
        assert told in shown
        assert "clarityq-import run" not in shown
    assert "next" not in shown


def test_steps_of_which_an_older_version_did_not_say_the_kind_end_with_what_they_are_about(
    desk: Desk,
) -> None:
    name = desk.night([WAITING, SUCCEEDED])
    command = f"clarityq-import retry {desk.jobs_dir / name}"
    older = {"text": f"To try the 1 row not completed again later: {command}", "command": command}
    (desk.jobs_dir / name / "summary.json").write_text(json.dumps({"next_steps": [older]}))
    assert older["text"] in call(desk, jobs, "show", name).stdout
    call(desk, jobs, "abandon", name)
    assert "next" not in call(desk, jobs, "show", name).stdout


def test_giving_up_says_what_is_given_up(desk: Desk) -> None:
    name = stop(desk)
    told = call(desk, jobs, "abandon", name).stdout
    assert f"{name} was given up: 2 rows without an outcome are not sent." in told
    assert "1 row of it may have been sent and stored: no answer to that is recorded" in told
    assert "given up" in call(desk, jobs).stdout
    assert "resume" not in call(desk, jobs, "show", name).stdout
    with pytest.raises(SettingsError, match="has ended already"):
        call(desk, jobs, "abandon", name)


def test_of_a_job_that_was_replaced_rows_that_were_given_up_are_not_told_as_taken_over(
    desk: Desk,
) -> None:
    brought = desk.night([WAITING, WAITING])
    carried = [
        CarriedRow(seq, conversation(seq), Rank(1, 1), Meaning.CLEAR, "x", ask_status=False)
        for seq in (1, 2)
    ]
    with desk.run("b", begun={"carried": carried, "kept": []}, carry_over=True) as job:
        mark(job, 3)
    with desk.hold("c", carry_over=True) as product:
        taken = [carried[0]]
        desk.begin(product, "c", carried=taken, kept=[]).close()
    call(desk, jobs, "abandon", brought)
    told = [call(desk, explain, job.folder.name, conversation(row)).stdout for row in (1, 2)]
    assert "the one in its place has taken its rows over" in told[0]
    assert "never sent: the job that brought it was taken back or given up" in told[1]


def test_rows_that_a_killed_run_may_have_begun_are_not_told_as_begun(desk: Desk) -> None:
    with desk.run() as job:
        mark(job, 1, 2, 3)
    told = "p to 3 rows{} may have been sent and stored: no answer to that is recorded"
    assert f"u{told.format('')}" in call(desk, jobs, "show", "a").stdout
    assert f"U{told.format(' of it')}" in call(desk, jobs, "abandon", "a").stdout


def test_rows_that_a_killed_run_may_have_begun_are_told_as_answered_once_they_are(
    desk: Desk,
) -> None:
    with desk.run() as job:
        mark(job, 1, 2, 3)
    with desk.run() as job:
        answer(job, {1: SUCCEEDED, 2: WAITING, 3: WAITING})
    told = call(desk, jobs, "show", "a").stdout
    assert "up to 2 rows may have been sent and stored before the outcome that is recorded" in told
    assert "stored: no" not in told


def test_what_does_not_exist_is_an_error(desk: Desk) -> None:
    for words in (["show", "nothing"], ["abandon", "nothing"]):
        with pytest.raises(SettingsError, match="there is no job 'nothing'"):
            call(desk, jobs, *words)
    with pytest.raises(SettingsError, match="there is no job"):
        call(desk, explain, "nothing", conversation(1))


def test_old_jobs_are_pruned_and_the_last_one_stays(desk: Desk) -> None:
    first, second = desk.night([SUCCEEDED] * 3), desk.night([SUCCEEDED] * 3)
    assert call(desk, jobs, "prune", "--keep-last", "0", "--dry-run").stdout.splitlines() == [
        f"would remove {desk.jobs_dir / first}"
    ]
    assert (desk.jobs_dir / first).exists()
    told = call(desk, jobs, "prune", "--keep-last", "0").stdout
    assert told.splitlines() == [f"removed {desk.jobs_dir / first}"]
    assert not (desk.jobs_dir / first).exists()
    assert (desk.jobs_dir / second).exists()
    with desk.hold() as product:
        assert product.floor == 0


def test_to_show_a_job_the_rows_of_other_products_are_not_counted(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = desk.night([SUCCEEDED])
    desk.night([SUCCEEDED], product_id="00000000-0000-4000-8000-00000000000b")
    counted, totals = set[str](), JournalReader.totals

    def noted(journal: JournalReader) -> Totals:
        counted.add(journal.folder.name)
        return totals(journal)

    monkeypatch.setattr(JournalReader, "totals", noted)
    assert mine in call(desk, jobs, "show", mine).stdout
    assert counted == {mine}


def test_how_many_jobs_are_kept_is_counted_for_each_product(desk: Desk) -> None:
    other = "00000000-0000-4000-8000-00000000000b"
    mine = [desk.night([SUCCEEDED]) for _ in range(3)]
    others = [desk.night([SUCCEEDED], product_id=other) for _ in range(3)]
    told = call(desk, jobs, "prune", "--keep-last", "2").stdout
    gone = {f"removed {desk.jobs_dir / names[0]}" for names in (mine, others)}
    assert set(told.splitlines()) == gone


def test_a_job_whose_product_is_held_is_kept(desk: Desk) -> None:
    first = desk.night([SUCCEEDED] * 3)
    desk.night([SUCCEEDED] * 3)
    with desk.hold():
        told = call(desk, jobs, "prune", "--keep-last", "0").stdout
    assert told.startswith(f"kept {desk.jobs_dir / first}: ")
    assert (desk.jobs_dir / first).exists()


def test_a_conversation_is_explained_through_all_jobs_or_one(desk: Desk) -> None:
    first, second = desk.night([SUCCEEDED, EXHAUSTED, SUCCEEDED]), stop(desk)
    told = call(desk, explain, conversation(2)).stdout
    assert first in told
    assert second in told
    told = call(desk, explain, first, conversation(2)).stdout
    assert first in told
    assert second not in told
    with pytest.raises(SettingsError, match="there is no row of conversation"):
        call(desk, explain, conversation(7))
    with pytest.raises(SettingsError, match=f"in job {first}"):
        call(desk, explain, first, conversation(7))


def test_what_happened_to_a_row_is_told_in_the_order_of_time(desk: Desk) -> None:
    with desk.run() as job:
        mark(job, 1)
        job.journal.write(
            Entry(
                outcomes=[Outcome(1, OutcomeKind.FAILED, conversation(1), Reason.REFUSED)],
                attempts=[
                    Attempt(1, 0.0, Call.STATUS, 409, "the first look", 5.0),
                    Attempt(1, 5.0, Call.STATUS, 409, "the second look", 5.0),
                    Attempt(1, 40.0, Call.PUT, 500, "of a later try", None),
                ],
                deferrals=[Deferral(1, 0, 0.0, 20.0, 4, 15.0)],
                at=30.0,
            )
        )
    told = call(desk, explain, conversation(1)).stdout
    in_order = ("first look", "second look", "told so 4 times by now", "failed", "of a later try")
    places = [told.index(text) for text in in_order]
    assert places == sorted(places)
    assert told.count("PUT") == 1


@pytest.mark.parametrize(
    ("call_made", "told"),
    [
        (Call.PUT, "not sent again, and the service may hold it"),
        (Call.STATUS, "not sent again: no PUT of it is recorded, but the run that was cut off may"),
    ],
)
def test_a_row_in_doubt_of_which_only_the_status_was_asked_for_is_told_so(
    desk: Desk, call_made: Call, told: str
) -> None:
    with desk.run() as job:  # which is killed
        mark(job, 1)
        attempt = Attempt(1, 2.0, call_made, 409, "not yet", 5.0)
        job.journal.write(Entry(attempts=[attempt]))
    name = job.folder.name
    call(desk, jobs, "abandon", name)
    assert told in call(desk, explain, name, conversation(1)).stdout
