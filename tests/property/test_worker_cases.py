"""One job on many workers in random cases, judged by an independent model of the promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from importer.api import run_import
from importer.engine.control import Control
from importer.engine.progress import Observer, Progress
from importer.errors import JournalError
from importer.jobs.journal import Journal
from importer.model import RunEnd
from importer.reporting.outcomes_table import outcomes_frame
from importer.reporting.summary import Summary
from importer.settings import ImportSettings
from importer.workflows import import_job
from tests.oracle.model import Model
from tests.oracle.record import OVER, own_rows
from tests.oracle.service import KEY, Service
from tests.support.crews import ThreadCrew, Trouble
from tests.support.data import write_csv
from tests.support.worker_cases import LATE_EFFECT, Case, End, Leg, invent

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]
Make = Callable[..., ImportSettings]

#: Seconds: leases are short here, so that cases are.
LEASE = 0.4
#: Runs that it may take to end a job once nothing interrupts it; a bound, not a promise.
MOST = 6


class Stage:
    """Where cases are played, several at a time: what there is for each, by its jobs folder."""

    def __init__(self) -> None:
        self.crews: dict[Path, ThreadCrew] = {}
        #: Of these no journal can be written: nothing that happens is kept.
        self.killed: set[Path] = set()
        self.figures: Counter[str] = Counter()

    @asynccontextmanager
    async def crew_at_hand(self, settings: ImportSettings, _: object) -> AsyncIterator[ThreadCrew]:
        yield self.crews[settings.job.jobs_dir]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, figures: Counter[str]) -> Stage:
    stage = Stage()
    stage.figures = figures
    monkeypatch.setattr(import_job, "crew_at_hand", stage.crew_at_hand)
    for name in ("mark", "write", "end_run", "note_lasted"):
        method = getattr(Journal, name)

        def unless_killed(
            journal: Journal, *arguments: Any, method: Any = method, **options: Any
        ) -> Any:
            if journal.path.parent.parent in stage.killed:
                raise JournalError("killed")
            return method(journal, *arguments, **options)

        monkeypatch.setattr(Journal, name, unless_killed)
    distributed = "importer.distributed"
    monkeypatch.setattr(f"{distributed}.seat.LEASE", LEASE)
    monkeypatch.setattr(f"{distributed}.crew_keeper.LOST_AFTER", 2 * LEASE)
    monkeypatch.setattr(f"{distributed}.crew_keeper._LONGEST_EXCHANGE", LEASE)
    monkeypatch.setattr(f"{distributed}.crew_keeper.ALONE", 1.0)
    monkeypatch.setattr(f"{distributed}.dispatch._SILENCE", 2.0)
    monkeypatch.setattr("importer.workflows.scale.LEASE", LEASE)
    return stage


class Interrupter(Observer):
    """Does to a run what its leg says."""

    def __init__(
        self, leg: Leg, crew: ThreadCrew, service: Service, control: Control,
        kill: Callable[[], object],
    ) -> None:  # fmt: skip
        self._leg = leg
        self._crew = crew
        self._service = service
        self._control = control
        self._kill = kill
        self._changes = list(leg.changes)

    def progressed(self, progress: Progress) -> None:  # noqa: ARG002 -- as an observer has it
        puts = self._service.count
        while self._changes and puts >= self._changes[0][0]:
            _, change = self._changes.pop(0)
            if change > 0:
                self._crew.there.append(f"more-{len(self._changes)}")
            elif len(self._crew.there) > 1:
                self._crew.lose(self._crew.there[0])
                self._crew.there.pop()
        if puts < self._leg.after or self._control.end is not None:
            return
        match self._leg.end:
            case End.STOP:
                self._control.stop(RunEnd.SIGTERM)
            case End.CANCEL:
                self._control.cancel(RunEnd.SIGINT)
            case End.KILL:
                self._kill()


class Player:
    """Plays one case, and says what is wrong."""

    def __init__(self, folder: Path, make: Make, stage: Stage, seed: int) -> None:
        self._folder = folder / f"case {seed}"
        self._make = make
        self._stage = stage
        self._seed = seed

    async def play(self) -> list[str]:
        """Return the complaints, with the seed from which `invent` makes the case again."""
        case, service = invent(self._seed), Service()
        service.rules.append(case.answer)
        for conversation, looks in case.looks.items():
            service.statuses[conversation] = ["ACTIVE"] * looks + ["COMPLETED"]
        service.start()
        try:
            summary = await self._runs(case, service)
            told = service.count
            state = await anyio.to_thread.run_sync(service.quiescent)
            await anyio.sleep(2 * LEASE)
            wrong = [] if service.count == told else ["S11: requests after the end of the run"]
            wrong += _judge(case, service, summary, state)
        finally:
            await anyio.to_thread.run_sync(service.close)
        self._stage.figures["cases of many workers"] += 1
        return [f"seed {self._seed}: {each}" for each in wrong]

    async def _runs(self, case: Case, service: Service) -> Summary:
        self._folder.mkdir()
        settings = self._make(
            write_csv(self._folder / "in.csv", case.rows), base_url=service.url,
            jobs_dir=self._folder / "jobs", canary=0, max_attempts=3, late_effect=LATE_EFFECT,
            concurrency=6,
        )  # fmt: skip
        quiet = [Leg(2, Trouble()) for _ in range(MOST)]
        for number, leg in enumerate([*case.legs, *quiet]):
            summary = await self._run(settings, leg, service, number)
            if summary is not None and summary.exit_code in OVER:
                return summary
        raise AssertionError(f"seed {self._seed}: the job does not come to its end")

    async def _run(
        self, settings: ImportSettings, leg: Leg, service: Service, number: int
    ) -> Summary | None:
        stage, place = self._stage, settings.job.jobs_dir
        crew = stage.crews[place] = ThreadCrew(leg.workers, leg.trouble, seed=self._seed + number)
        control = Control()
        stage.killed.discard(place)
        interrupter = Interrupter(leg, crew, service, control, lambda: stage.killed.add(place))
        try:
            summary = await run_import(
                settings, api_key=KEY, control=control, observers=[interrupter]
            )
        except JournalError:
            stage.figures["runs that were killed"] += 1
            return None
        stage.figures[f"runs with the end {summary.end}"] += 1
        stage.figures["workers that were lost"] += 4 - crew.left_to_lose
        return summary


def _judge(case: Case, service: Service, summary: Summary, state: Any) -> list[str]:
    found = [f"S3: in flight at once: {a} {b}" for a, b in service.overlaps]
    brought = own_rows(case.rows, [(1, 1)] * len(case.rows))
    outcomes = outcomes_frame(summary.folder)
    if sorted(outcomes["row"]) != list(range(1, len(case.rows) + 1)):
        found.append(f"S1: not one outcome for each row: {len(outcomes)} of {len(case.rows)}")
    if sum(summary.outcomes.values()) != summary.rows or summary.rows != len(case.rows):
        found.append(f"S1: the accounts do not add up: {summary.outcomes} of {summary.rows}")
    for row, outcome in zip(outcomes["row"], outcomes["outcome"], strict=True):
        brought[row - 1].outcome = outcome
    last = {each.conversation: each for each in brought if each.feedback[0] != "meh"}
    for put in service.puts:
        row = last.get(put.conversation)
        if row is None or row.feedback != put.feedback:
            found.append(f"S4: sent what is not to be sent: {put}")
        else:
            row.sent.append(put)
    return found + list(Model(last.values()).complaints(state))


async def _play(
    folder: Path, make: Make, stage: Stage, seeds: Iterable[int], at_once: int
) -> list[str]:
    wrong: list[str] = []
    limiter = anyio.CapacityLimiter(at_once)

    async def play(seed: int) -> None:
        async with limiter:
            wrong.extend(await Player(folder, make, stage, seed).play())

    async with anyio.create_task_group() as tasks:
        for seed in seeds:
            tasks.start_soon(play, seed)
    return wrong


@pytest.mark.slow
async def test_whatever_happens_to_workers_each_row_has_one_outcome(
    tmp_path: Path, settings_for: Make, stage: Stage
) -> None:
    assert not await _play(tmp_path, settings_for, stage, range(10), 10)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(7200)
async def test_many_cases_of_many_workers_end_as_they_should(
    tmp_path: Path, settings_for: Make, stage: Stage
) -> None:
    assert not await _play(tmp_path, settings_for, stage, range(1000, 1200), 6)
