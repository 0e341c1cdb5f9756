"""Whether this process sends the rows of a job itself, or has others send them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

import anyio
from yarl import URL

from importer.clarityq.api_key import ApiKey
from importer.clarityq.rotating_client import RotatingClient
from importer.engine.clock import Clock
from importer.engine.control import Control
from importer.engine.job_run import JobRun
from importer.engine.progress import Observer
from importer.engine.reader import Batch
from importer.engine.resume import ResumeState
from importer.engine.run import Run
from importer.errors import SettingsError
from importer.jobs.job import Job
from importer.jobs.worker_mark import LEASE, WorkerMark
from importer.settings import ImportSettings
from importer.settings.addresses import is_loopback

if TYPE_CHECKING:
    from importer.distributed.crew import Crew


@asynccontextmanager
async def crew_at_hand(settings: ImportSettings, control: Control) -> AsyncIterator[Crew | None]:
    """Have the processes at hand that are to send; None if it is this one.

    Raises `SettingsError` if they cannot be started or reached, or not be used with these settings,
    and `StoppedError` if the run is stopped before they are there.
    """
    if not settings.scale.is_wanted:
        yield None
        return
    _check(settings)
    if find_spec("distributed") is None or find_spec("cryptography") is None:
        raise SettingsError(
            "--workers and --cluster need the extra: pip install 'clarityq-importer[distributed]'"
        )
    from importer.distributed.dask_crew import dask_crew  # noqa: PLC0415 -- an extra

    async with dask_crew(settings.scale, control) as crew:
        yield crew


@asynccontextmanager
async def run_opened(
    crew: Crew | None,
    settings: ImportSettings,
    key: ApiKey,
    job: Job,
    resumed: ResumeState,
    batches: Iterator[Batch],
    control: Control,
    observers: Sequence[Observer],
    clock: Clock,
) -> AsyncIterator[JobRun]:
    """Open a run of the job: of this process, or of a `crew`."""
    mark = WorkerMark(settings)
    if mark.is_set():
        await _outlast_workers(mark, control, observers)
    if crew is None:
        async with RotatingClient(settings, key, wall=clock.wall) as client:
            yield Run(settings, job, resumed, batches, client, control, observers, clock)
        return
    from importer.distributed.coordinator import Coordinator  # noqa: PLC0415 -- seldom needed

    if not settings.target.sandbox:  # an embedded sandbox ends with its run
        mark.set()
    yield Coordinator(settings, key, job, resumed, batches, crew, control, observers, clock)
    mark.clear()


async def _outlast_workers(
    mark: WorkerMark, control: Control, observers: Sequence[Observer]
) -> None:
    """Wait until the workers of a run that was killed start no request any more."""
    for observer in observers:
        observer.noticed(
            f"the run before was killed, and its workers may not know yet: waiting {LEASE:.0f} s"
        )
    until = anyio.current_time() + LEASE
    while (left := until - anyio.current_time()) > 0:
        if control.end is not None:
            return  # nothing is sent
        await control.changed.wait(left)
    mark.clear()


def _check(settings: ImportSettings) -> None:
    scale, pacing = settings.scale, settings.pacing
    if scale.workers is not None and scale.workers > pacing.concurrency:
        raise SettingsError(
            f"--workers {scale.workers} is more than --concurrency {pacing.concurrency}: each "
            "worker needs a request of its own"
        )
    if scale.cluster is None:
        return
    if pacing.rate_group is not None:
        raise SettingsError("--rate-group is within this machine: leave out --cluster")
    if settings.target.sandbox:
        raise SettingsError("--sandbox is within this process: leave out --cluster, or --sandbox")
    is_address = "://" in scale.cluster
    if is_address and _is_here(settings.target.base_url) and not _is_here(scale.cluster):
        raise SettingsError(
            f"--base-url {settings.target.base_url} is this machine alone, and the workers of "
            "--cluster are others"
        )


def _is_here(address: str) -> bool:
    return is_loopback(URL(address).host or "")
