"""One job on many workers, on threads of this process: what ends up where, whatever goes wrong."""

import json
import random
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import jsonschema
import pytest
from aiohttp import web

from importer.api import run_import
from importer.clarityq.api_key import ApiKey
from importer.distributed.pace import Pace
from importer.distributed.seat import Seat
from importer.distributed.tally import Told
from importer.distributed.terms import Terms
from importer.distributed.wire import Assignment, pack, read_reply
from importer.distributed.worker import Worker
from importer.engine.control import Control
from importer.engine.progress import Observer, Progress
from importer.errors import ExitCode, SettingsError
from importer.jobs.records import JobRecord, JobState
from importer.jobs.worker_mark import WorkerMark
from importer.model import Feedback, Meaning, OutcomeKind, RunEnd
from importer.reporting.summary import Summary
from importer.sandbox.faults import Faults
from importer.sandbox.server import Sandbox
from importer.settings import FailureLimit, ImportSettings
from importer.workflows import import_job
from importer.workflows.rewrite_summary import rewrite_summary
from tests.support.crews import ThreadCrew, ThreadWire, Trouble
from tests.support.data import conversation, write_csv
from tests.support.server import serve

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.anyio
Make = Callable[..., ImportSettings]
Expected = dict[str, tuple[str | None, str | None]]

ROUGH = Faults(
    not_completed=0.1, completes_after=0.3, too_many=0.02, server_error=0.03, reset_before=0.02,
    reset_after=0.02, seed=3,
)  # fmt: skip
TOLD = Told(1, None, False, 0.0, 0.0, False)
ALL_AT_ONCE = Trouble(lost=0.1, doubled=0.1, late=0.1, killed=0.02)


@pytest.fixture(autouse=True)
def _short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importer.distributed.seat.LEASE", 1.0)


@pytest.fixture
def with_crew(monkeypatch: pytest.MonkeyPatch) -> Callable[[ThreadCrew], ThreadCrew]:
    """Return what lets all runs of the test have that crew."""

    def use(crew: ThreadCrew) -> ThreadCrew:
        @asynccontextmanager
        async def at_hand(*_: object) -> Any:
            yield crew

        monkeypatch.setattr(import_job, "crew_at_hand", at_hand)
        return crew

    return use


def stored(sandbox: Sandbox) -> Expected:
    return {c: (f.rating, f.comment) for c, f in sandbox.feedback.items()}


def some_rows(path: Path, number: int) -> tuple[Path, Expected]:
    """Write rows of which a conversation may have several and some are wrong."""
    dice = random.Random(number)
    rows: list[tuple[str, str, str]] = []
    expected: Expected = {}
    for row in range(number):
        who = conversation(dice.randrange(number))
        rating = dice.choice(["POSITIVE", "NEGATIVE", "meh"])
        rows.append((who, rating, f"comment {row}"))
        if rating != "meh":
            expected[who] = (rating, f"comment {row}")
    return write_csv(path, rows), expected


def is_complete(summary: Summary, sandbox: Sandbox, expected: Expected) -> None:
    assert summary.end is RunEnd.FINISHED
    assert sum(summary.outcomes.values()) == summary.rows
    assert summary.outcomes[OutcomeKind.SUCCEEDED] == len(expected)
    assert stored(sandbox) == expected


async def test_a_worker_sends_what_it_has_before_any_of_it_is_recorded(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    settings = settings_for(write_csv(tmp_path / "in.csv", []), base_url=sandbox.url)
    worker, seat = Worker(), Seat("a", 0.0)
    worker.begin(pack(Assignment(Terms(settings, Pace(0.0)).options(0), True, None, 60.0)), b"any")
    rows = [Feedback(n, conversation(n), Meaning.POSITIVE, None) for n in range(1, 301)]
    seat.hand(rows, [], [])
    finish = None
    with anyio.fail_after(60):
        while finish is None:
            is_sent = len(sandbox.feedback) == len(rows)
            if is_sent:
                seat.recording()
                seat.recorded()
            grant = pack(seat.grant(None, 16, TOLD, closed=is_sent))
            reply = read_reply(await anyio.to_thread.run_sync(worker.exchange, grant))
            seat.replied(reply, 0.0)
            finish = reply.finish
    assert not finish.error


@pytest.mark.parametrize("sandbox", [ROUGH], indirect=True)
@pytest.mark.parametrize("seed", range(3))
async def test_lost_doubled_and_late_exchanges_and_lost_workers_change_nothing(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, with_crew: Any, seed: int
) -> None:
    crew = with_crew(ThreadCrew(3, ALL_AT_ONCE, seed=seed))
    path, expected = some_rows(tmp_path / "in.csv", 400)

    summary = await run_import(settings_for(path, base_url=sandbox.url), api_key="any")

    is_complete(summary, sandbox, expected)
    assert len(crew.engaged) >= 3


async def test_rows_of_a_lost_worker_go_to_the_others(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, with_crew: Any
) -> None:
    crew = with_crew(ThreadCrew(2))
    path, expected = some_rows(tmp_path / "in.csv", 500)

    class Killer(Observer):
        def progressed(self, progress: Progress) -> None:
            if len(progress.workers) == 2 and progress.settled_now > 200:
                crew.there[:] = crew.there[-1:]

    summary = await run_import(
        settings_for(path, base_url=sandbox.url, rate=400.0), api_key="any", observers=[Killer()]
    )

    is_complete(summary, sandbox, expected)
    assert sum(each.is_lost for each in summary.workers) == 1
    assert sum(each.done for each in summary.workers) == len(expected)
    assert "2 workers sent" in (summary.folder / "report.html").read_text("utf-8")
    schema = json.loads((ROOT / "docs/summary.schema.json").read_text("utf-8"))
    written = json.loads((summary.folder / "summary.json").read_text("utf-8"))
    jsonschema.validate(written, schema)
    ended = JobRecord(1, "", summary.folder.name, summary.folder, JobState.ENDED)
    rewrite_summary(ended)
    again = json.loads((summary.folder / "summary.json").read_text("utf-8"))
    assert again == written, "nothing has changed since"


async def test_a_worker_that_ends_while_it_begins_is_lost_as_soon_as_it_is_gone(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, with_crew: Any
) -> None:
    class Dying(ThreadCrew):
        """The first worker ends when it is engaged, and nothing tells of that."""

        async def engage(self, address: str) -> ThreadWire:
            wire = await super().engage(address)
            if len(self.engaged) == 1:
                self.lose(address)
                await anyio.sleep_forever()
            return wire

    with_crew(Dying(1))
    path, expected = some_rows(tmp_path / "in.csv", 50)
    notices: list[str] = []

    class Listener(Observer):
        def noticed(self, message: str) -> None:
            notices.append(message)

    settings = settings_for(path, base_url=sandbox.url)
    is_complete(
        await run_import(settings, api_key="any", observers=[Listener()]), sandbox, expected
    )
    assert (
        "the worker worker-0 is lost (it ended while it began): its 0 rows go to others" in notices
    )


async def test_a_run_waits_for_the_workers_of_one_that_was_killed(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that sends itself. After it nobody has to wait any more."""
    monkeypatch.setattr("importer.workflows.scale.LEASE", 0.2)
    path, expected = some_rows(tmp_path / "in.csv", 20)
    settings = settings_for(path, base_url=sandbox.url)
    settings.job.jobs_dir.mkdir()
    WorkerMark(settings).set()
    notices: list[str] = []

    class Listener(Observer):
        def noticed(self, message: str) -> None:
            notices.append(message)

    is_complete(
        await run_import(settings, api_key="any", observers=[Listener()]), sandbox, expected
    )

    assert [notice for notice in notices if "its workers may not know yet" in notice]
    assert not WorkerMark(settings).is_set()


async def test_a_stopped_run_is_resumed_with_another_number_of_workers(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, with_crew: Any
) -> None:
    with_crew(ThreadCrew(3))
    path, expected = some_rows(tmp_path / "in.csv", 500)
    settings = settings_for(path, base_url=sandbox.url, rate=300.0)
    control = Control()

    class Stopper(Observer):
        def progressed(self, progress: Progress) -> None:
            if progress.outcomes[OutcomeKind.SUCCEEDED] > 50:
                control.stop(RunEnd.SIGTERM)

    stopped = await run_import(settings, api_key="any", control=control, observers=[Stopper()])
    assert stopped.end is RunEnd.SIGTERM
    assert stopped.outcomes[OutcomeKind.PENDING]

    with_crew(ThreadCrew(1))
    is_complete(await run_import(settings, api_key="any"), sandbox, expected)


async def test_workers_share_the_rate_of_a_group_with_other_runs(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, with_crew: Any
) -> None:
    with_crew(ThreadCrew(2))
    path, expected = some_rows(tmp_path / "in.csv", 60)
    settings = settings_for(path, base_url=sandbox.url, rate=200.0, rate_group="night")

    is_complete(await run_import(settings, api_key="any"), sandbox, expected)

    assert (settings.job.jobs_dir / ".night.rate").exists()


async def test_one_worker_with_a_wrong_key_of_its_own_stops_all(
    settings_for: Make, tmp_path: Path, with_crew: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLARITYQ_API_KEY", "right")
    crew = with_crew(ThreadCrew(3, keys={"worker-1": b"wrong"}))
    crew.hands_key_over = False
    path, _ = some_rows(tmp_path / "in.csv", 500)
    async with Sandbox(Faults(), key="right") as sandbox:
        summary = await run_import(
            settings_for(path, base_url=sandbox.url, rate=200.0), api_key="right"
        )

    assert summary.end is RunEnd.KEY_REFUSED
    assert summary.exit_code is ExitCode.ABORTED


async def test_workers_go_on_with_a_key_that_was_rotated(
    settings_for: Make, tmp_path: Path, with_crew: Any
) -> None:
    """It is read once for all of them, where the command reads it."""
    keys, accepted, read = ["first", "second"], set[str](), 0

    def read_again() -> str:
        nonlocal read
        read += 1
        return keys[0]

    async def answer(request: web.Request) -> web.Response:
        if request.headers["X-API-Key"] != keys[0]:
            return web.json_response({"detail": "no"}, status=401)
        accepted.add(request.path)
        if len(accepted) == 100 and len(keys) > 1:
            keys.pop(0)
        body = await request.json()
        stored = {"conversation_id": request.path.split("/")[-2], "updated_at": "2026-01-01"}
        return web.json_response({**stored, "rating": body["rating"], "comment": body["comment"]})

    with_crew(ThreadCrew(2, Trouble(lost=0.1, doubled=0.1)))
    path, expected = some_rows(tmp_path / "in.csv", 400)
    async with serve(answer) as url:
        settings = settings_for(path, base_url=url, rate=300.0)
        summary = await run_import(settings, api_key=ApiKey("first", "", read_again))

    assert summary.end is RunEnd.FINISHED
    assert summary.outcomes[OutcomeKind.SUCCEEDED] == len(expected) == len(accepted)
    assert read == 1


async def test_a_canary_that_fails_at_one_worker_keeps_all_others_back(
    settings_for: Make, tmp_path: Path, with_crew: Any
) -> None:
    asked = 0

    async def know_nobody(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.json_response({"detail": "Conversation not found"}, status=404)

    crew = with_crew(ThreadCrew(3))
    path, _ = some_rows(tmp_path / "in.csv", 100)
    async with serve(know_nobody) as url:
        summary = await run_import(settings_for(path, base_url=url, canary=5), api_key="any")

    assert summary.end is RunEnd.CANARY
    assert len(crew.engaged) == 1
    assert asked == 5


@pytest.mark.parametrize("sandbox", [Faults(in_error=1.0)], indirect=True)
async def test_failures_of_all_workers_count_together(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, with_crew: Any
) -> None:
    with_crew(ThreadCrew(2))
    path, _ = some_rows(tmp_path / "in.csv", 300)
    settings = settings_for(
        path, base_url=sandbox.url, canary=0, rate=200.0, max_failures=FailureLimit(count=20)
    )

    summary = await run_import(settings, api_key="any")

    assert summary.end is RunEnd.MAX_FAILURES


async def test_without_workers_the_run_ends_and_the_job_can_be_resumed(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, with_crew: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("importer.distributed.crew_keeper.ALONE", 0.5)
    with_crew(ThreadCrew(0))
    path, expected = some_rows(tmp_path / "in.csv", 50)
    settings = settings_for(path, base_url=sandbox.url)

    alone = await run_import(settings, api_key="any")
    assert alone.end is RunEnd.NO_WORKERS
    assert alone.exit_code is ExitCode.ABORTED

    with_crew(ThreadCrew(2))
    is_complete(await run_import(settings, api_key="any"), sandbox, expected)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"workers": 9}, "--concurrency"),
        (
            {"cluster": "tls://10.0.0.1:8786", "rate": 5.0, "rate_group": "x"},
            "--rate-group",
        ),
        ({"cluster": "tls://10.0.0.1:8786", "sandbox": True}, "--sandbox"),
        ({"cluster": "tls://10.0.0.1:8786", "base_url": "http://localhost:1"}, "--base-url"),
    ],
)
async def test_settings_that_cannot_go_together_are_refused(
    settings_for: Make, tmp_path: Path, options: dict[str, Any], why: str
) -> None:
    path, _ = some_rows(tmp_path / "in.csv", 5)
    with pytest.raises(SettingsError, match=why):
        await run_import(settings_for(path, **options), api_key="any")
