"""Whatever the input, the faults and the interruptions: the model's outcomes and its last rows."""

from __future__ import annotations

import csv
import time
from collections import Counter, defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import anyio
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from importer.api import run_import
from importer.engine.control import Control
from importer.errors import ExitCode
from importer.feedback.ratings import RatingTable
from importer.jobs.journal import Journal
from importer.model import Outcome, OutcomeKind, Reason, RunEnd
from importer.reporting.summary import Summary
from importer.sandbox.faults import Faults
from importer.settings import ImportSettings
from tests.support.cases import CASES, SKIPPED, Case, Fate, Script, model
from tests.support.data import PRODUCT
from tests.support.watched import Body, Put, WatchedSandbox

pytestmark = pytest.mark.slow

#: A late write comes after the client has given up on it, and before it trusts that it is over.
FAULTS = Faults(late_by=0.12, retry_after=0.0)
TIMES: dict[str, Any] = {
    "defer_first": 0.01, "defer_max": 0.03, "defer_for": 0.12, "retry_first": 0.005,
    "retry_max": 0.02, "read_timeout": 0.08, "late_effect": 0.2, "grace": 0.05,
}  # fmt: skip


async def play(case: Case, folder: Path, figures: Counter[str]) -> None:
    """Run the job, stop it as the case says, go on until it is finished, and check it all."""
    inputs = case.write(folder)
    stops = list(case.stops)
    async with WatchedSandbox(FAULTS, Script(case, FAULTS)) as service:
        job = ImportSettings.of(
            inputs=inputs, product_id=PRODUCT, base_url=service.url, jobs_dir=folder / "jobs",
            ratings=RatingTable.parse([f"{SKIPPED}=SKIP"]), concurrency=case.concurrency,
            max_attempts=case.max_attempts, **TIMES,
        )  # fmt: skip
        while True:
            control = Control()

            def stop_when_due(puts: int, control: Control = control) -> None:
                if stops and puts >= stops[0].after_puts:
                    (control.cancel if stops.pop(0).at_once else control.stop)(RunEnd.SIGTERM)

            service.on_put = stop_when_due
            summary = await run_import(job, api_key="any", control=control)
            figures["runs"] += 1
            check_accounts(summary)
            if summary.end is RunEnd.FINISHED:
                break
            assert summary.exit_code is ExitCode.SIGTERM
        await service.all_written()
    check_end(case, summary, service)
    figures["cases"] += 1
    figures["rows"] += len(case.rows)
    figures["requests"] += service.statuses.total()
    figures["faults"] += service.statuses.total() - service.statuses[200]


def check_accounts(summary: Summary) -> None:
    """Every row has one outcome: in the journal, the summary and the left-over files alike."""
    kinds = Counter(outcome.kind for outcome in outcomes_of(summary))
    settled = {kind: n for kind, n in summary.outcomes.items() if kind is not OutcomeKind.PENDING}
    assert settled == {kind: kinds[kind] for kind in settled}
    assert summary.rows == sum(summary.outcomes.values())
    for kind in (OutcomeKind.REJECTED, OutcomeKind.FAILED, OutcomeKind.NOT_COMPLETED):
        left_over = summary.folder / f"{kind}.csv"
        if kinds[kind]:
            with left_over.open(newline="", encoding="utf-8") as file:
                assert len(list(csv.DictReader(file))) == kinds[kind]
        else:
            assert not left_over.exists()


def outcomes_of(summary: Summary) -> list[Outcome]:
    journal = Journal(summary.folder)
    found = list(journal.outcomes())
    journal.close()
    return found


def check_end(case: Case, summary: Summary, service: WatchedSandbox) -> None:
    """Compare what the job has left behind with the model."""
    expected = model(case)
    outcomes = outcomes_of(summary)
    assert [outcome.seq for outcome in outcomes] == list(range(1, len(case.rows) + 1))
    service.check_order(row for row in expected if isinstance(row, Put))
    last = {row.conversation_id: n for n, row in enumerate(expected) if isinstance(row, Put)}
    sent: defaultdict[str, set[Body | None]] = defaultdict(lambda: {None})
    for who, body in service.puts:
        sent[who].add(body)
    for place, (row, outcome) in enumerate(zip(expected, outcomes, strict=True)):
        if isinstance(row, OutcomeKind):
            assert outcome.kind is row
            continue
        fate = case.fate_of(row.conversation_id)
        final = service.stored().get(row.conversation_id)
        match outcome.kind:
            case OutcomeKind.SUCCEEDED:
                assert row.body in sent[row.conversation_id]
                assert fate in (Fate.COMPLETED, Fate.COMPLETES)
                assert place != last[row.conversation_id] or final == row.body
            case OutcomeKind.SUPERSEDED:
                assert place != last[row.conversation_id], "the last row wins"
            case OutcomeKind.FAILED:
                if outcome.reason is Reason.CONVERSATION_ERROR:
                    assert fate in (Fate.IN_ERROR, Fate.FAILS_LATER)
                else:
                    assert outcome.reason is Reason.RETRIES_EXHAUSTED
                    assert case.max_attempts <= 3
                assert final in sent[row.conversation_id]
            case OutcomeKind.NOT_COMPLETED:
                assert fate is not Fate.COMPLETED
                assert final in sent[row.conversation_id]
            case other:
                pytest.fail(f"row {place + 1} of a finished job is {other}")

    kinds = {outcome.kind for outcome in outcomes}
    code = ExitCode.OK
    if kinds & {OutcomeKind.REJECTED, OutcomeKind.FAILED}:
        code = ExitCode.ROWS_NOT_IMPORTED
    elif OutcomeKind.NOT_COMPLETED in kinds:
        code = ExitCode.NOT_COMPLETED
    assert summary.exit_code is code


def check_cases(number: int, random_seed: int, figures: Counter[str]) -> None:
    """Play `number` generated cases."""

    @seed(random_seed)
    @settings(
        max_examples=number, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],  # shrinking a case with real waits takes longer than to read it
    )  # fmt: skip
    @given(case=CASES)
    def check(case: Case) -> None:
        with (
            TemporaryDirectory() as folder,
            patch("importer.engine.reader.BATCH_ROWS", case.batch_rows),
            patch("importer.survey.survey_pass.BATCH_ROWS", case.batch_rows),
            patch("importer.engine.run.FEWEST_MARKED", 2 * case.batch_rows),
        ):
            anyio.run(play, case, Path(folder), figures)

    check()


def test_a_job_agrees_with_the_model(figures: Counter[str]) -> None:
    check_cases(100, 1, figures)


@pytest.mark.long
@pytest.mark.parametrize("half", [0, 1])
def test_jobs_agree_with_the_model_for_long(
    half: int, budget: float, figures: Counter[str]
) -> None:
    until = time.monotonic() + budget
    for number in range(half, 10**9, 2):
        if time.monotonic() > until:
            break
        check_cases(100, 1000 + number, figures)
