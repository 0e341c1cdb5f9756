"""Processes that are killed at any moment, and what the next ones make of it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import Enum, auto
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from importer.jobs.journal import Journal
from importer.model import OutcomeKind, Reason, RunEnd
from importer.sandbox.faults import Faults
from tests.support.data import PRODUCT, conversation, write_csv
from tests.support.watched import Put, WatchedSandbox

pytestmark = pytest.mark.slow


class Moment(Enum):
    """When a process is killed."""

    STARTING = auto()
    SENDING = auto()
    LAST_CONVERSATION = auto()
    WRITING_FILES = auto()
    STOPPING = auto()


class Job:
    """A job with random rows, each with a comment of its own, on a service with random faults."""

    def __init__(self, dice: random.Random, folder: Path) -> None:
        self.folder = folder
        self.violations: list[str] = []
        number = dice.choice([50, 400, 2000])
        conversations = max(1, number * dice.choice([1, 10, 20]) // 20)
        # With few valid rows the later ones are read soon after the earlier ones were sent.
        rejected = dice.choice([0.05, 0.05, 0.99])
        if rejected > 0.5:
            number, conversations = 10_000, 10
        self.rows: list[Put | None] = []
        cells = []
        for n in range(number):
            who, rating = conversation(dice.randrange(conversations)), "POSITIVE"
            if dice.random() < rejected:
                rating = "meh"
            cells.append((who, rating, str(n)))
            self.rows.append(None if rating == "meh" else Put(who, (rating, str(n))))
        self.path = write_csv(folder / "in.csv", cells)
        late = dice.choice([0.0, 0.0, 0.05])
        # Longer than a process takes to start.
        self.late_effect = 1.6 if late else 0.0
        self.faults = Faults(
            not_completed=0.1, completes_after=0.3, in_error=dice.choice([0, 0.02]),
            too_many=0.02, server_error=0.02, reset_before=0.01, reset_after=0.02, late=late,
            late_by=1.4, latency=dice.choice([0.002, 0.01, 0.03]), seed=dice.randrange(1000),
        )  # fmt: skip

    def check_record(self, put: Put) -> None:
        """Note a violation unless the journal holds the row before this one."""
        seq = int(put.body[1] or "") + 1
        before = next(
            (
                earlier
                for earlier in range(seq - 1, 0, -1)
                if (row := self.rows[earlier - 1]) and row.conversation_id == put.conversation_id
            ),
            None,
        )
        if before is not None:
            (found,) = self.latest()
            with closing(Journal(found.parent)) as journal:
                recorded = list(journal.outcomes(first=before, last=before))
            if not recorded:
                self.violations.append(f"row {seq} is sent, the journal does not hold {before}")

    def start(self, url: str) -> subprocess.Popen[str]:
        command = [
            sys.executable, "-m", "importer", "run", str(self.path), "--product-id", PRODUCT,
            "--base-url", url, "--concurrency", "16", "--defer-first", "100ms",
            "--defer-max", "300ms", "--retry-first", "20ms", "--retry-max", "200ms",
            "--max-attempts", "100", "--read-timeout", "300ms", "--grace", "200ms",
            "--late-effect", str(self.late_effect), "--jobs-dir", str(self.folder / "jobs"),
        ]  # fmt: skip
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "CLARITYQ_API_KEY": "any"},
        )  # fmt: skip

    def latest(self) -> list[Path]:
        """Return the journal, if there is one yet.

        What is killed before its first request is begun anew, in a folder with the next number.
        """
        found = (self.folder / "jobs").glob("*/journal.sqlite")
        return sorted(found, key=lambda path: int(path.parent.name.rpartition("-")[2]))[-1:]

    def journal(self) -> tuple[list[int], bool]:
        """Return the rows that the journal holds, and whether the job is finished.

        It can be read whole at any moment; before there is one, nothing is settled.
        """
        journals = self.latest()
        if not journals:
            return [], False
        (found,) = journals
        with closing(Journal(found.parent)) as journal:
            run = journal.last_run()
            rows = [outcome.seq for outcome in journal.outcomes()]
        return rows, run is not None and run.end is RunEnd.FINISHED


@contextmanager
def serving(faults: Faults) -> Iterator[WatchedSandbox]:
    """Run a sandbox on a thread of its own."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(WatchedSandbox(faults)) as service,
    ):
        yield service
        portal.call(service.all_written)


def kill(
    process: subprocess.Popen[str], moment: Moment, dice: random.Random, job: Job,
    service: WatchedSandbox,
) -> bool:  # fmt: skip
    """Kill the process at that moment; return whether it was still running then."""
    to_come = {row.conversation_id for row in job.rows if row}
    due = len(service.puts) + dice.randint(1, len(to_come))
    spare = dice.randint(0, 3)

    def on_put(puts: int) -> None:
        job.check_record(service.puts[-1])
        to_come.discard(service.puts[-1].conversation_id)
        match moment:
            case Moment.SENDING if puts >= due:
                process.kill()
            case Moment.LAST_CONVERSATION if len(to_come) <= spare:
                process.kill()
            case Moment.STOPPING if puts == due:
                process.send_signal(dice.choice([signal.SIGINT, signal.SIGTERM]))

    service.on_put = on_put
    if moment is Moment.STARTING:
        time.sleep(dice.uniform(0.0, 0.8))
        process.kill()
    elif moment is Moment.WRITING_FILES:
        while process.poll() is None and not any((job.folder / "jobs").glob("*/*[dy].[cnj]*")):
            time.sleep(0.0005)
        process.kill()
    elif moment is Moment.STOPPING:
        try:
            process.wait(dice.uniform(0.5, 1.5))
        except subprocess.TimeoutExpired:
            process.kill()
    process.communicate()
    service.on_put = lambda _: job.check_record(service.puts[-1])
    return process.returncode == -signal.SIGKILL


def crash_one_job(dice: random.Random, folder: Path, figures: Counter[str]) -> None:
    """Run a job, kill it up to five times, let it finish, and check all that can be seen."""
    job = Job(dice, folder)
    known_after: list[tuple[int, list[int]]] = []
    with serving(job.faults) as service:
        for moment in dice.choices(list(Moment), k=dice.randint(1, 5)):
            figures["kills"] += kill(job.start(service.url), moment, dice, job, service)
            figures["runs"] += 1
            settled, finished = job.journal()
            if finished:
                break
            known_after.append((len(service.puts), settled))
        else:
            last = job.start(service.url)
            output, _ = last.communicate()
            figures["runs"] += 1
            assert last.returncode in (0, 1, 5), output

    assert not job.violations
    check_job(job, service)
    for sent_before, rows in known_after:
        again = {int(body[1] or "") + 1 for _, body in service.puts[sent_before:]}
        assert not again & set(rows), "a row that the journal held was sent again"
    figures["jobs"] += 1
    figures["rows"] += len(job.rows)
    figures["requests"] += service.statuses.total()
    figures["faults"] += service.statuses.total() - service.statuses[200]


def check_job(job: Job, service: WatchedSandbox) -> None:
    """Compare the journal, the summary, and what the service saw and holds."""
    folder = job.latest()[0].parent
    summary = json.loads((folder / "summary.json").read_text())
    with closing(Journal(folder)) as journal:
        outcomes = list(journal.outcomes())
    assert [outcome.seq for outcome in outcomes] == list(range(1, len(job.rows) + 1))
    assert summary["outcomes"] == {
        str(kind): sum(outcome.kind is kind for outcome in outcomes) for kind in OutcomeKind
    }
    assert summary["outcomes"]["rejected"] == job.rows.count(None)
    assert {o.reason for o in outcomes if o.kind is OutcomeKind.FAILED} <= {
        Reason.CONVERSATION_ERROR
    }
    service.check_order(row for row in job.rows if row)
    last = {row.conversation_id: place for place, row in enumerate(job.rows) if row}
    stored = service.stored()
    for who, place in last.items():
        match outcomes[place].kind:
            case OutcomeKind.SUCCEEDED:
                row = job.rows[place]
                assert row is not None
                assert stored[who] == row.body
            case OutcomeKind.NOT_COMPLETED | OutcomeKind.FAILED:
                assert who not in stored
            case other:
                pytest.fail(f"the last row of {who} is {other}")
    assert not list(folder.glob("*.new")), "nothing half-written is left"


@pytest.mark.parametrize("number", [5, 11, 17])
def test_a_job_that_is_killed_again_and_again_loses_nothing(
    number: int, tmp_path: Path, figures: Counter[str]
) -> None:
    crash_one_job(random.Random(number), tmp_path, figures)


@pytest.mark.long
def test_jobs_that_are_killed_for_long(
    tmp_path: Path, budget: float, figures: Counter[str]
) -> None:
    until = time.monotonic() + budget
    number = 1000
    while time.monotonic() < until or figures["kills"] < 100:
        folder = tmp_path / str(number)
        folder.mkdir()
        crash_one_job(random.Random(number), folder, figures)
        number += 1
