"""Each ending has one verdict and one instruction for each kind of row, with a command to paste."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

import pytest

from importer.jobs.commands import Again
from importer.model import OutcomeKind, Reason, RunEnd
from importer.reporting.endings import look_first, or_give_up, verdict
from importer.reporting.next_steps import Circumstances, next_steps
from importer.reporting.rows_to_do import Rest

FOLDER = Path("jobs/ratings-1f0c2a9b-1")
AGAIN = Again(["run", "ratings.csv", "--limit", "9", "--rate", "5"], ["--rate", "5"])
Reasons = Mapping[tuple[OutcomeKind, Reason], int]
FAILED = OutcomeKind.FAILED
WAITED = (OutcomeKind.NOT_COMPLETED, Reason.DEFERRAL_DEADLINE)


def outcomes(**rows: int) -> dict[OutcomeKind, int]:
    return {**dict.fromkeys(OutcomeKind, 0), **{OutcomeKind(kind): n for kind, n in rows.items()}}


def told(
    reasons: Reasons,
    overtaken: Reasons = MappingProxyType({}),
    *,
    end: RunEnd = RunEnd.FINISHED,
    carries_over: bool = False,
) -> str:
    """Return the steps after a run with these rows, in which the folder and the run are short."""
    rows = outcomes()
    for (kind, _), number in reasons.items():
        rows[kind] += number
    files = [FOLDER / f"{kind}.csv" for kind in OutcomeKind if rows[kind]]
    rest = Rest(Counter(rows), Counter(reasons), Counter(overtaken))
    given = Circumstances(refused_with="404: who?")
    steps = next_steps(end, rest, FOLDER, files, AGAIN, given, carries_over=carries_over)
    assert all(str(step).endswith(step.command) for step in steps)
    return "\n".join(map(str, steps)).replace(str(FOLDER), "JOB").replace("clarityq-import ", "")


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ({"succeeded": 3, "superseded": 1}, "every row is accounted for and nothing is left to do"),
        ({}, "there are no rows"),
        ({"skipped": 3}, "every row is skipped, as the rating table says; none was sent"),
        ({"rejected": 3}, "no row was imported"),
        ({"succeeded": 8, "rejected": 1, "failed": 1}, "2 of 10 rows were not imported"),
        ({"succeeded": 8, "rejected": 1}, "1 of 9 rows was not imported"),
        ({"succeeded": 8, "not_completed": 1}, "but for conversations that are not completed"),
    ],
)
def test_a_verdict_says_what_became_of_all_rows(rows: dict[str, int], sentence: str) -> None:
    assert sentence in verdict(RunEnd.FINISHED, outcomes(**rows), {}, "")


def test_a_verdict_says_where_all_that_is_missing_can_never_come() -> None:
    rows = outcomes(succeeded=8, failed=2)
    final = {(FAILED, Reason.CONVERSATION_ERROR): 2}
    assert "but for conversations in ERROR" in verdict(RunEnd.FINISHED, rows, final, "")
    rows = outcomes(succeeded=8, failed=2, rejected=1)
    assert "3 of 11 rows" in verdict(RunEnd.FINISHED, rows, final, "")


@pytest.mark.parametrize("end", [RunEnd.SERVICE_DOWN, RunEnd.TIME_BOX, RunEnd.SIGTERM])
@pytest.mark.parametrize("has_sent", [True, False])
def test_what_the_next_import_takes_over_is_to_be_resumed_before_it(
    end: RunEnd, has_sent: bool
) -> None:
    rest = Rest(Counter(outcomes(succeeded=1, pending=2)), Counter(), Counter())
    after = partial(next_steps, end, rest, FOLDER, [], AGAIN, Circumstances(), has_sent=has_sent)
    (step,) = after(carries_over=True)
    assert "before the next import" in step.purpose
    assert ("takes over what is pending" in step.purpose) is has_sent
    (step,) = after()
    assert "next import" not in step.purpose


@pytest.mark.parametrize("rows", [0, 3])
def test_a_verdict_does_not_say_that_nothing_is_left_to_do_where_a_step_follows(rows: int) -> None:
    done = outcomes(succeeded=rows)
    assert "nothing is left to do" in verdict(RunEnd.FINISHED, done, {}, "")
    assert "left to do" not in verdict(RunEnd.FINISHED, done, {}, "", has_steps=True)


@pytest.mark.parametrize("end", [RunEnd.KEY_REFUSED, RunEnd.SERVICE_DOWN, RunEnd.CANARY])
def test_a_verdict_on_a_run_that_was_aborted_says_how_far_it_has_come_and_what_of_the_rest(
    end: RunEnd,
) -> None:
    rows = outcomes(succeeded=238, pending=262)
    told = verdict(end, rows, {}, "it was refused")
    assert told.startswith("Aborted: it was refused. 238 of 500 rows are done, and nothing is lost")
    since = verdict(end, rows, {}, "it was refused", has_since=True)
    assert since == "Aborted: it was refused. 238 of 500 rows are done."
    assert "nothing is lost" not in verdict(RunEnd.INPUT_FAILED, rows, {}, "it has changed")


def test_a_verdict_on_a_run_that_was_stopped_says_how_far_it_has_come() -> None:
    stopped = verdict(RunEnd.SIGTERM, outcomes(succeeded=3, rejected=1, pending=6), {}, "")
    assert stopped == "Stopped: 4 of 10 rows are done, and every response so far is recorded."
    killed = verdict(RunEnd.KILLED, outcomes(succeeded=3, pending=7), {}, "")
    assert killed == "Cut off: 3 of 10 rows are done."
    assert "1 of 1 row is done" in verdict(RunEnd.SIGTERM, outcomes(succeeded=1), {}, "")
    retried = outcomes(succeeded=3, failed=1, not_completed=1)
    assert "5 of 5 rows are done, but 2 were not imported" in verdict(RunEnd.LIMIT, retried, {}, "")


@pytest.mark.parametrize(
    ("reasons", "steps"),
    [
        ({(FAILED, Reason.RETRIES_EXHAUSTED): 2},
         "To try again the 2 rows whose attempts ran out: retry JOB"),
        ({(FAILED, Reason.REFUSED): 1},
         ("To try again the 1 row that the service refused (404: who?), when its cause is gone: "
          "retry JOB\n"
          "To import the 1 row failed with other content: fix JOB/failed.csv, then "
          "run JOB/failed.csv --rate 5")),
        ({(FAILED, Reason.CONVERSATION_ERROR): 3},
         ("Nothing can be done for the 3 rows of conversations in ERROR: such a conversation never "
          "takes feedback. The next import that holds them tries them again, and ends with 1 "
          "again: leave them out of the export (JOB/failed.csv names them).")),
        ({(FAILED, Reason.CONVERSATION_ERROR): 1},
         ("Nothing can be done for the 1 row of a conversation in ERROR: such a conversation never "
          "takes feedback. The next import that holds it tries it again, and ends with 1 again: "
          "leave it out of the export (JOB/failed.csv names it).")),
        ({(FAILED, Reason.STORED_DIFFERS): 2, (FAILED, Reason.RETRIES_EXHAUSTED): 3},
         ("To try again the 3 rows whose attempts ran out: retry JOB\n"
          "To import the 2 rows failed: fix JOB/failed.csv, then run JOB/failed.csv --rate 5")),
        ({(OutcomeKind.REJECTED, Reason.MALFORMED): 4},
         "To import the 4 rows rejected: fix JOB/rejected.csv, then run JOB/rejected.csv --rate 5"),
        ({(OutcomeKind.REJECTED, Reason.UNKNOWN_RATING): 3},
         ("To give the ratings of 3 rows a meaning, this says how: plan JOB/rejected.csv "
          "--rate 5\n"
          "To import the 3 rows rejected: fix JOB/rejected.csv, then run JOB/rejected.csv "
          "--rate 5")),
        ({WAITED: 5},
         "To try the 5 rows not completed again later: retry JOB"),
        ({(FAILED, Reason.RETRIES_EXHAUSTED): 2, WAITED: 5},
         "To try again the 2 rows whose attempts ran out and the 5 rows not completed: retry JOB"),
    ],
)  # fmt: skip
def test_each_kind_of_row_that_is_left_has_its_instruction(reasons: Reasons, steps: str) -> None:
    assert told(reasons) == steps


def test_only_rows_count_as_importable_with_other_content_for_which_that_helps() -> None:
    left = {
        (FAILED, Reason.REFUSED): 4, (FAILED, Reason.CONVERSATION_ERROR): 3,
        (FAILED, Reason.RETRIES_EXHAUSTED): 2, (FAILED, Reason.STORED_DIFFERS): 1,
    }  # fmt: skip
    assert "To import the 5 rows failed with other content: fix JOB/failed.csv" in told(left)
    del left[FAILED, Reason.REFUSED], left[FAILED, Reason.STORED_DIFFERS]
    assert "To import" not in told(left)


def test_what_the_next_import_carries_over_needs_nothing_by_hand() -> None:
    left = {WAITED: 5, (FAILED, Reason.RETRIES_EXHAUSTED): 2, (FAILED, Reason.REFUSED): 1}
    steps = told(left, carries_over=True).splitlines()
    assert steps[:3] == [
        "The next import with --carry-over tries the 2 rows again that failed.",
        "The next import with --carry-over tries the 5 rows not completed again.",
        (
            "To try again the 1 row that the service refused (404: who?), when its cause is gone: "
            "retry JOB --reason refused"
        ),
    ]


def test_data_that_was_not_sent_names_the_rows_that_are_wrong() -> None:
    steps = told({(OutcomeKind.REJECTED, Reason.MALFORMED): 4}, end=RunEnd.DATA_LIMIT).splitlines()
    assert steps[0] == "The rows that would be rejected are in JOB/rejected.csv."
    assert steps[-1].endswith("--accept-change")
    told_by_night = told({}, end=RunEnd.DATA_LIMIT, carries_over=True)
    assert told_by_night.count(", before the next import begins: run") == 2


@pytest.mark.parametrize("end", [end for end in RunEnd if end is not RunEnd.FINISHED])
def test_every_other_end_has_a_command_that_goes_on(end: RunEnd) -> None:
    steps = told({}, end=end).splitlines()
    limit = "" if end is RunEnd.LIMIT else "--limit 9 "
    other = " --base-url ADDRESS" if end is RunEnd.REDIRECTED else ""
    assert steps[0].endswith(f": run ratings.csv {limit}--rate 5{other}")
    assert (len(steps) > 1) == (end is RunEnd.DATA_LIMIT)


def test_after_a_refused_key_and_refused_rows_it_may_be_either() -> None:
    (step,) = told({(FAILED, Reason.REFUSED): 20}, end=RunEnd.KEY_REFUSED).splitlines()
    assert "the right one" in step
    assert "or with the rows after those refused" in step
    (step,) = told({}, end=RunEnd.KEY_REFUSED).splitlines()
    assert "those refused" not in step


@pytest.mark.parametrize(
    ("end", "rows", "first"),
    [
        (RunEnd.FINISHED, {"failed": 3}, "--product-id is the product of these conversations"),
        (RunEnd.SERVICE_DOWN, {"pending": 3}, "see first that --base-url is right"),
        (RunEnd.CANARY, {"pending": 3}, "and that --base-url is right"),
        (RunEnd.FINISHED, {"failed": 3, "unchanged": 1}, ""),
        (RunEnd.SERVICE_DOWN, {"pending": 3, "not_completed": 1}, ""),
        (RunEnd.SIGINT, {"pending": 3}, ""),
    ],
)
def test_where_the_service_knows_no_conversation_the_target_is_to_be_looked_at_first(
    end: RunEnd, rows: dict[str, int], first: str
) -> None:
    steps = look_first(end, outcomes(**rows), {(FAILED, Reason.REFUSED): rows.get("failed", 0)})
    assert first in "".join(map(str, steps))
    assert bool(steps) == bool(first)


@pytest.mark.parametrize(
    ("end", "rows", "not_begun", "why"),
    [
        (RunEnd.KEY_REFUSED, {"pending": 3}, 2, "If the product is not the one that"),
        (RunEnd.KEY_REFUSED, {"pending": 3, "succeeded": 1}, 2, ""),
        (RunEnd.KEY_REFUSED, {"pending": 3, "succeeded": 1}, 0, "just these 3 rows"),
        (RunEnd.CANARY, {"pending": 3}, 0, "If the product is not the one that"),
        (RunEnd.CANARY, {"pending": 3, "unchanged": 1}, 0, "If the cause does not go away"),
        (RunEnd.MAX_FAILURES, {"pending": 3, "failed": 2}, 0, "If the product is not the one that"),
        (RunEnd.LIMIT, {"pending": 3, "failed": 2}, 0, "If the product is not the one that"),
        (RunEnd.LIMIT, {"pending": 3, "failed": 2, "succeeded": 1}, 0, ""),
        (RunEnd.FINISHED, {"failed": 2}, 0, ""),
        (RunEnd.SERVICE_DOWN, {"pending": 3, "succeeded": 1}, 0, "All others are done, and 3 rows"),
        (RunEnd.SERVICE_DOWN, {"pending": 3, "succeeded": 1}, 1, ""),
        (RunEnd.SERVICE_DOWN, {"pending": 3}, 0, ""),
        (RunEnd.SERVICE_DOWN, {"succeeded": 3}, 0, ""),
        (RunEnd.SIGINT, {"pending": 3, "succeeded": 1}, 0, ""),
    ],
)
def test_a_job_that_may_never_be_done_says_how_it_is_given_up(
    end: RunEnd, rows: dict[str, int], not_begun: int, why: str
) -> None:
    refused = {(FAILED, Reason.REFUSED): rows.get("failed", 0)}
    steps = or_give_up(end, outcomes(**rows), refused, not_begun, FOLDER)
    assert [step.command for step in steps] == [f"clarityq-import jobs abandon {FOLDER}"][
        : len(why)
    ]
    assert why in "".join(map(str, steps))


def test_a_rating_needs_no_meaning_where_its_row_gives_way_anyway() -> None:
    rejected = OutcomeKind.REJECTED
    rows = {(rejected, Reason.UNKNOWN_RATING): 3, (rejected, Reason.MALFORMED): 1}
    steps = told(rows, {(rejected, Reason.UNKNOWN_RATING): 2})
    assert "give the ratings of 1 row a meaning" in steps
    assert "2 rows of JOB/rejected.csv need not be fixed" in steps
    assert "import the 2 rows rejected" in steps
    steps = told(rows, {(rejected, Reason.UNKNOWN_RATING): 3})
    assert "a meaning" not in steps
    assert "import the 1 row rejected" in steps
