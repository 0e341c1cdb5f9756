"""Stories about what a run writes: accounts, left-over files, the summary, the modes of files."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import jsonschema
import pytest

from tests.oracle.answers import OK, Answer, reset, silence, slow, status
from tests.oracle.drive import ROOT, Desk, conversation, rows
from tests.oracle.marks import promise
from tests.oracle.requests import Request
from tests.oracle.service import KEY, Service

ONE, TWO = conversation(1), conversation(2)
OWN_FILES = ["failed.csv", "rejected.csv", "not_completed.csv"]


@promise("O1", "O2", "O3", "F4")
def test_each_row_has_one_outcome_and_the_accounts_add_up(desk: Desk, service: Service) -> None:
    service.script(ONE, status(422))
    service.statuses[TWO] = ["IN_PROGRESS"]
    lines = [
        *rows(range(1, 11)),
        (conversation(11), "dunno", "rejected"),
        ("no id", "POSITIVE", "rejected"),
        (conversation(12), "POSITIVE", "x" * 2001),
        (conversation(13), "", "  "),
        (conversation(14), "meh", "skipped"),
    ]
    desk.write("night.csv", lines)
    ended = desk.run("night.csv", options=["--ratings", "meh=SKIP"])
    assert ended.code == 1, ended.text
    job = desk.job("night.csv")
    assert job.outcomes == {
        "succeeded": 8,
        "failed": 1,
        "not_completed": 1,
        "rejected": 4,
        "skipped": 1,
    }
    assert job.reasons == {
        ("failed", "refused"): 1,
        ("not_completed", "deferral_deadline"): 1,
        ("rejected", "unknown_rating"): 1,
        ("rejected", "bad_conversation_id"): 1,
        ("rejected", "comment_too_long"): 1,
        ("rejected", "nothing_to_send"): 1,
        ("skipped", "rating_skipped"): 1,
    }
    exported = desk.outcomes(job)
    assert len(exported) == job.summary["rows"] == 15
    assert {r["outcome"] for r in exported} == set(job.outcomes)


@promise("F4", "L3")
def test_the_summary_fits_its_schema_and_is_the_one_that_is_printed(
    desk: Desk, service: Service
) -> None:
    service.script(ONE, status(422))
    desk.write("night.csv", rows(range(1, 11)))
    ended = desk.run("night.csv", options=["--log-format", "json"])
    schema = json.loads((ROOT / "docs" / "summary.schema.json").read_text("utf-8"))
    job = desk.job("night.csv")
    jsonschema.validate(job.summary, schema)
    (printed,) = [json.loads(line) for line in ended.out.splitlines()]
    assert printed.pop("event") == "summary"
    assert {key: printed[key] for key in job.summary} == job.summary
    assert job.summary["files"] == ["failed.csv"]


@promise("S1", "S3", "O2")
def test_many_rows_of_few_conversations_end_with_the_last_and_never_overlap(
    desk: Desk, service: Service
) -> None:
    # Faults that prove what became of the request, so that no order is in doubt.
    def faulty(request: Request) -> Answer:
        if request.number % 7 == 3:
            return status(429)
        return slow(OK, 0.01 if request.number % 3 else 0.03)

    service.rules.append(faulty)
    lines = [row for turn in range(40) for row in rows(range(1, 6), f"turn {turn},")]
    desk.write("night.csv", lines)
    ended = desk.run("night.csv", concurrency="16")
    assert ended.code == 0, ended.text
    assert service.quiescent() == {c: (rating, comment) for c, rating, comment in lines[-5:]}
    assert service.overlaps == []
    assert sum(desk.job("night.csv").outcomes.values()) == 200


@promise("S4")
def test_a_refused_last_row_brings_no_earlier_one_back(desk: Desk, service: Service) -> None:
    service.rules.append(lambda r: status(422) if r.body["comment"] == "last 1" else None)
    desk.write("night.csv", rows([1], "early") + rows(range(2, 6)) + rows([1], "last"))
    assert desk.run("night.csv").code == 1
    assert "early 1" not in [r.body["comment"] for r in service.puts]
    assert desk.job("night.csv").outcomes == {"succeeded": 4, "superseded": 1, "failed": 1}


@promise("F1", "F3", "J1")
@pytest.mark.parametrize("name", OWN_FILES)
def test_an_input_may_be_named_like_a_file_of_the_jobs_own(
    desk: Desk, service: Service, name: str
) -> None:
    service.script(ONE, status(422))
    lines = [*rows(range(1, 6)), (conversation(6), "dunno", "x")]
    before = desk.write(name, lines).read_bytes()
    ended = desk.run(name)
    assert ended.code == 1, ended.text
    job = desk.job(name)
    assert (desk.folder / name).read_bytes() == before
    assert [r["conversation_id"] for r in job.left("failed")] == [ONE]
    assert [r["conversation_id"] for r in job.left("rejected")] == [conversation(6)]
    # And the left-over file of a left-over file.
    service.script(ONE, status(422))
    again = desk.run(str(job.folder / "failed.csv"))
    assert again.code == 1, again.text
    assert len(job.left("failed")) == 1
    last = desk.run(str(job.folder / "failed.csv"))
    assert last.code == 0, last.text
    assert service.state[ONE] == ("POSITIVE", "first 1")


@promise("F2")
def test_columns_that_are_named_like_the_added_ones_are_kept(desk: Desk, service: Service) -> None:
    service.script(ONE, status(422))
    header = "conversation_id,rating,comment,job,row,reason,Detail"
    values = [ONE, "POSITIVE", "c", "mine", "mine too", "why", "d"]
    (desk.folder / "night.csv").write_text(f"{header}\n{','.join(values)}\n", "utf-8")
    assert desk.run("night.csv").code == 1
    left = desk.job("night.csv").folder / "failed.csv"
    names, found = [line.split(",") for line in left.read_text("utf-8").splitlines()[:2]]
    assert names[:7] == header.split(",")
    assert found[:7] == values
    assert len(set(names)) == len(names) > 7


@promise("X8")
def test_only_the_owner_can_read_what_is_written(desk: Desk, service: Service) -> None:
    service.script(ONE, status(422))
    desk.write("night.csv", rows(range(1, 6)))
    assert desk.run("night.csv", options=["--skip-unchanged"]).code == 1
    exported = desk.outcomes(desk.job("night.csv"))
    assert len(exported) == 5
    written: list[Path] = [desk.jobs_folder, *desk.jobs_folder.rglob("*")]
    written.append(desk.folder / "outcomes.csv")
    assert not [p for p in written if stat.S_IMODE(p.stat().st_mode) & 0o077]


@promise("T2", "F6", "O3")
@pytest.mark.parametrize(
    ("answer", "shown"),
    [(status(503), "503"), (silence(), ""), (reset(), "")],
    ids=["503", "timeout", "reset"],
)
def test_attempts_end_at_their_limit(
    desk: Desk, service: Service, answer: Answer, shown: str
) -> None:
    service.script(ONE, *[answer] * 9)
    desk.write("night.csv", rows([1]))
    ended = desk.run("night.csv", max_attempts="3", outage_for="50s", read_timeout="200ms")
    assert ended.code == 1, ended.text
    assert len(service.puts) == 3
    (left,) = desk.job("night.csv").left("failed")
    assert left["reason"] == "retries_exhausted"
    assert (left["attempts"], left["http_status"]) == ("3", shown)


@promise("V1")
def test_check_sends_nothing_and_agrees_with_the_run(desk: Desk, service: Service) -> None:
    desk.write("good.csv", rows(range(1, 6)))
    desk.write("bad.csv", [*rows(range(1, 6)), ("no id", "POSITIVE", "x")])
    assert desk.do("check", "good.csv").code == 0
    assert desk.do("check", "bad.csv").code == 1
    assert desk.do("check", "none.csv").code == 2
    assert service.log == []
    assert desk.run("bad.csv").code == 1
    assert desk.job("bad.csv").outcomes["rejected"] == 1


@promise("E1", "X4", "C3", "R3")
@pytest.mark.parametrize(
    "arguments",
    [
        ["--base-url", "http://example.invalid"],
        ["--base-url", "http://u:p@127.0.0.1:1"],
        ["--no-such-option"],
        ["--column", "rating=Nowhere"],
        ["--defer-for", "soon"],
        ["--product-id", "no-uuid"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2_and_sends_nothing(
    desk: Desk, service: Service, arguments: list[str]
) -> None:
    desk.write("night.csv", rows(range(1, 11)))
    ended = desk.run("night.csv", options=arguments)
    assert ended.code == 2, ended.text
    assert service.log == []
    assert "Traceback" not in ended.text


@promise("X2")
@pytest.mark.parametrize("code", [200, 401, 422, 503])
def test_a_key_that_a_response_quotes_is_not_shown(desk: Desk, service: Service, code: int) -> None:
    quoted = Answer(status=code, applies=None, body=f'{{"detail": "bad key {KEY}"}}'.encode())
    service.rules.append(lambda r: quoted if r.conversation == ONE else None)
    desk.write("night.csv", rows(range(1, 11)))
    ended = desk.run("night.csv", max_attempts="2")
    assert ended.code in {1, 3}, ended.text
    desk.do("explain", str(desk.job("night.csv").folder), ONE)
    # The audit after every story looks for the key in all that was printed and written.
