"""Stories about single answers: what becomes of a row, and of the rows that come after it."""

from __future__ import annotations

import pytest

from tests.oracle.answers import (
    OK,
    Answer,
    Lie,
    broken_body,
    echo,
    end_of_stream,
    lie,
    page,
    redirect,
    reset,
    silence,
    status,
)
from tests.oracle.drive import Desk, conversation, rows
from tests.oracle.marks import promise
from tests.oracle.requests import Request, bodies
from tests.oracle.service import Service

ONE, TWO = conversation(1), conversation(2)

WINDOW, LATE_EFFECT = 4.0, "5s"
"""A late request takes effect within less than the run was told to expect."""

LOST: dict[str, Answer] = {
    "reset": reset(applies=WINDOW),
    "end_of_stream": end_of_stream(applies=WINDOW),
    "broken_body": broken_body(applies=WINDOW),
    "timeout": silence(applies=WINDOW),
    "408": status(408, applies=WINDOW),
    "500": status(500, applies=WINDOW),
    "502": status(502, applies=WINDOW),
    "503": status(503, applies=WINDOW),
    "504": status(504, applies=WINDOW),
}


@pytest.mark.slow
@promise("S1", "S4", "T1")
@pytest.mark.parametrize("kind", LOST)
def test_a_later_row_of_the_job_wins_over_a_lost_request_that_takes_effect_late(
    desk: Desk, service: Service, kind: str
) -> None:
    service.script(ONE, LOST[kind])
    # The later row is so far away that the first one may be sent before it has been read.
    lines = rows([1], "early") + rows(range(2, 2502)) + rows([1], "last")
    desk.write("night.csv", lines)
    ended = desk.run("night.csv", late_effect=LATE_EFFECT, canary="0")
    assert ended.code == 0, ended.text
    assert service.quiescent().get(ONE) == ("POSITIVE", "last 1")


@pytest.mark.slow
@promise("A9", "A10", "A19")
@pytest.mark.parametrize(
    ("kind", "options"),
    [pytest.param(kind, (), id=f"{kind}-plain") for kind in LOST]
    + [pytest.param(kind, ("--skip-unchanged",), id=f"{kind}-ledger") for kind in LOST],
)
def test_a_newer_job_wins_over_a_lost_request_of_an_earlier_job_that_takes_effect_late(
    desk: Desk, service: Service, kind: str, options: tuple[str, ...]
) -> None:
    service.script(ONE, LOST[kind])
    desk.write("monday.csv", rows([1], "monday"))
    desk.write("tuesday.csv", rows([1], "tuesday"))
    first = desk.run("monday.csv", options=options, late_effect=LATE_EFFECT)
    assert first.code == 0, first.text
    second = desk.run("tuesday.csv", options=options, late_effect=LATE_EFFECT)
    assert second.code == 0, second.text
    assert service.quiescent().get(ONE) == ("POSITIVE", "tuesday 1")
    assert desk.job("tuesday.csv").summary["limited_by"] == "late_effect"


@promise("F6", "F4", "J13")
@pytest.mark.parametrize("kind", LOST)
def test_every_put_that_the_service_saw_is_counted(desk: Desk, service: Service, kind: str) -> None:
    service.script(TWO, LOST[kind])
    desk.write("night.csv", rows(range(1, 6)))
    assert desk.run("night.csv", concurrency="1").code == 0
    job = desk.job("night.csv")
    exported = desk.outcomes(job)
    assert [r["attempts"] for r in exported] == ["1", "2", "1", "1", "1"]
    assert job.summary["puts"] == len(service.puts) == 6


@promise("T1", "T5", "S6")
@pytest.mark.parametrize("kind", LOST)
def test_a_lost_request_is_repeated_with_the_same_body_and_succeeds(
    desk: Desk, service: Service, kind: str
) -> None:
    service.script(ONE, LOST[kind])
    desk.write("night.csv", rows(range(1, 11)))
    ended = desk.run("night.csv", late_effect=LATE_EFFECT)
    assert ended.code == 0, ended.text
    assert bodies(service.puts_for(ONE)) == [("POSITIVE", "first 1")] * 2
    assert desk.job("night.csv").outcomes == {"succeeded": 10}


@promise("T1")
@pytest.mark.parametrize(
    "answer",
    [
        status(425),
        status(429),
        status(429, retry_after=0.1),
        status(503, retry_after=0.1),
        page(),
        lie("no_id", applies=None),
        Answer(applies=None, body=echo(ONE, ("POSITIVE", "x" * 1_000_000), None)),
        lie("other_id", applies=None),
    ],
    ids=["425", "429", "429_wait", "503_wait", "html", "no_id", "1_MB", "other_id"],
)
def test_a_transient_answer_is_retried_until_the_feedback_is_stored(
    desk: Desk, service: Service, answer: Answer
) -> None:
    service.script(ONE, answer, answer)
    desk.write("night.csv", rows(range(1, 11)))
    ended = desk.run("night.csv")
    assert ended.code == 0, ended.text
    assert service.quiescent().get(ONE) == ("POSITIVE", "first 1")
    assert desk.job("night.csv").outcomes == {"succeeded": 10}
    assert len(service.puts_for(ONE)) == 3


@promise("T1", "E1", "O3")
@pytest.mark.parametrize("code", [201, 202, 204, 400, 404, 405, 410, 413, 418, 422])
def test_a_refusal_fails_its_row_at_once_and_no_other(
    desk: Desk, service: Service, code: int
) -> None:
    answer = Answer(status=204, applies=None, body=b"") if code == 204 else status(code)
    service.script(ONE, answer)
    desk.write("night.csv", rows(range(1, 11)))
    ended = desk.run("night.csv")
    job = desk.job("night.csv")
    assert ended.code == job.summary["exit_code"] == 1, ended.text
    assert job.outcomes == {"succeeded": 9, "failed": 1}
    assert job.reasons == {("failed", "refused"): 1}
    assert [r["http_status"] for r in job.left("failed")] == [str(code)]
    assert len(service.puts_for(ONE)) == 1


@promise("X3", "T1")
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(desk: Desk, service: Service, code: int) -> None:
    elsewhere = Service()
    elsewhere.start()
    try:
        service.script(TWO, redirect(code, f"{elsewhere.url}/elsewhere"))
        desk.write("night.csv", rows(range(1, 31)))
        # One at a time: the redirect comes when the service has accepted the key and a row.
        ended = desk.run("night.csv", concurrency="1")
        assert elsewhere.log == []
    finally:
        elsewhere.close()
    assert all(r.path.startswith("/api/v1/") for r in service.log)
    assert service.state.get(TWO) is None
    assert ended.code in {1, 3}, ended.text


@promise("T10")
def test_a_redirect_of_the_first_rows_aborts_the_run_and_names_the_address(
    desk: Desk, service: Service
) -> None:
    service.rules.append(lambda _: redirect(301, "https://example.invalid/"))
    desk.write("night.csv", rows(range(1, 31)))
    ended = desk.run("night.csv")
    assert ended.code == 3, ended.text
    assert "--base-url" in ended.text
    assert "failed" not in desk.job("night.csv").outcomes


@promise("T1", "O4")
@pytest.mark.parametrize("kind", ["other_rating", "no_rating", "no_comment"])
def test_an_echo_with_other_feedback_fails_its_row(desk: Desk, service: Service, kind: Lie) -> None:
    service.script(ONE, lie(kind))
    desk.write("night.csv", rows(range(1, 11)))
    ended = desk.run("night.csv")
    job = desk.job("night.csv")
    assert ended.code == 1, ended.text
    assert job.reasons == {("failed", "stored_differs"): 1}


@promise("O4")
def test_an_echo_with_a_trimmed_comment_succeeds_with_a_warning(
    desk: Desk, service: Service
) -> None:
    service.script(ONE, lie("trimmed"))
    desk.write("night.csv", [(ONE, "POSITIVE", "  as it is  ")])
    ended = desk.run("night.csv")
    job = desk.job("night.csv")
    assert ended.code == 0, ended.text
    assert job.outcomes == {"succeeded": 1}
    assert service.state.get(ONE) == ("POSITIVE", "  as it is  ")


@promise("T1", "A19")
def test_answers_shifted_by_one_are_not_taken_for_answers(desk: Desk, service: Service) -> None:
    seen: list[Request] = []

    def shifted(request: Request) -> Answer | None:
        """Answer with what belongs to the request before; nothing is stored meanwhile."""
        seen.append(request)
        if len(seen) == 1 or len(seen) > 6:
            return OK
        before = seen[-2]
        return Answer(applies=None, body=echo(before.conversation, before.feedback, None))

    service.rules.append(shifted)
    lines = rows(range(1, 11))
    desk.write("night.csv", lines)
    ended = desk.run("night.csv", concurrency="1")
    assert ended.code == 0, ended.text
    assert service.quiescent() == {c: (rating, comment) for c, rating, comment in lines}


@promise("T6", "T7")
def test_a_conversation_that_completes_in_time_gets_its_feedback(
    desk: Desk, service: Service
) -> None:
    service.statuses[ONE] = ["IN_PROGRESS", "IN_PROGRESS", "COMPLETED"]
    desk.write("night.csv", rows(range(1, 11)))
    ended = desk.run("night.csv", defer_for="20s")
    assert ended.code == 0, ended.text
    assert service.state.get(ONE) == ("POSITIVE", "first 1")
    assert service.looks[ONE] == 2


@promise("T7", "O3")
def test_a_conversation_in_error_fails_for_good(desk: Desk, service: Service) -> None:
    service.statuses[ONE] = ["ERROR"]
    desk.write("night.csv", rows(range(1, 11)))
    ended = desk.run("night.csv", defer_for="20s")
    assert ended.code == 1, ended.text
    assert desk.job("night.csv").reasons == {("failed", "conversation_error"): 1}


@promise("T9")
def test_a_403_after_an_accepted_key_fails_its_row_alone(desk: Desk, service: Service) -> None:
    service.script(TWO, status(403))
    desk.write("night.csv", rows(range(1, 11)))
    ended = desk.run("night.csv", concurrency="1")
    assert ended.code == 1, ended.text
    assert desk.job("night.csv").outcomes == {"succeeded": 9, "failed": 1}
