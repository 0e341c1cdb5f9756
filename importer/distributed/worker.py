"""A worker: the engine over rows that come over the wire, and a journal that is the wire."""

from __future__ import annotations

import asyncio
import math
import os
import threading
import time

import anyio

from importer.clarityq.api_key import ApiKey
from importer.clarityq.key_sources import VARIABLE, key_of_the_surroundings, secret_files
from importer.clarityq.rotating_client import RotatingClient
from importer.common.event_loop import has_uvloop
from importer.common.row_set import RowSet
from importer.distributed.link import Link
from importer.distributed.tally import Tally
from importer.distributed.wire import Assignment, Finish, Grant, pack, read_assignment, read_grant
from importer.engine.clock import Clock
from importer.engine.control import Control
from importer.engine.resume import ResumeState
from importer.engine.run import Run
from importer.errors import ImporterError, SettingsError
from importer.feedback.body import BodyCoder
from importer.jobs.records import Totals
from importer.model import OutcomeKind, RunEnd
from importer.settings import ImportSettings

#: Seconds between two looks at whether the coordinator is still there.
_WATCH = 1.0


class Worker:
    """The work of one process for one run. `exchange` is its only wire; it keeps nothing.

    Both methods return at once: the engine has a thread, and an event loop, of its own.
    """

    def __init__(self) -> None:
        self._link = Link(time.monotonic)

    def begin(self, assignment: bytes, key: bytes | None) -> None:
        """Begin to work; without a `key`, with that of this machine (X12)."""
        thread = threading.Thread(
            target=_work, args=(read_assignment(assignment), key, self._link),
            name="clarityq-import", daemon=True,
        )  # fmt: skip
        thread.start()

    def exchange(self, grant: bytes) -> bytes:
        """Take in a grant and return the reply (`wire`)."""
        return pack(self._link.exchange(read_grant(grant)))


class _Job:
    """The job, as the run of a worker sees it."""

    #: Rows of other jobs are waited for by the coordinator.
    number = 0

    def __init__(self, link: Link, body_of: BodyCoder) -> None:
        self.journal = link
        self.body_of = body_of

    def lasted(self) -> None:
        """Do nothing: the coordinator notes it."""


def _work(assignment: Assignment, key: bytes | None, link: Link) -> None:
    try:
        finish = anyio.run(
            _run, assignment, _key(key, link), link, backend_options={"use_uvloop": has_uvloop()}
        )
    except ImporterError as error:
        finish = Finish(None, "", (), str(error))
    except Exception as error:  # noqa: BLE001 -- told to the coordinator, without what it holds
        finish = Finish(None, "", (), f"a defect of the importer ({type(error).__name__})")
    link.finished(finish)


def _key(given: bytes | None, link: Link) -> ApiKey:
    if given is not None:
        return ApiKey(given.decode(), read_again=link.another_key)
    if (own := key_of_the_surroundings()) is None:
        raise SettingsError(f"{VARIABLE} is not set there")
    return own


def has_key() -> bool:
    """Return whether this machine has a key of its own; it may turn out to be unfit."""
    return bool(os.environ.get(VARIABLE)) or any(secret_files())


async def _run(assignment: Assignment, key: ApiKey, link: Link) -> Finish:
    settings = ImportSettings.read(assignment.settings)
    control, clock = Control(), Clock()
    ask_first: set[str] = set()
    outcomes = dict.fromkeys(OutcomeKind, 0) | {OutcomeKind.SUCCEEDED: int(assignment.accepted)}
    before = Totals(0, outcomes, {}, {}, 0)
    resumed = ResumeState(before, RowSet(), {}, ask_first, assignment.stored)
    body_of = BodyCoder(settings.target.product_id, settings.target.service)
    tally = Tally(clock.monotonic())
    async with RotatingClient(settings, key, wall=clock.wall, is_known=True) as client:
        run = Run(
            settings, _Job(link, body_of), resumed, link.batches(resumed, ask_first), client,
            control, [link], clock, tally, is_marked=True,
        )  # fmt: skip
        run.allow_until(-math.inf)
        loop = asyncio.get_running_loop()

        def on_grant(grant: Grant) -> None:
            loop.call_soon_threadsafe(_apply, run, tally, link, grant)

        link.connect(on_grant, lambda: tally.seen(clock.monotonic(), run.asked_pause()))
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_watch, control, link, assignment.silence)
                await run.work()
                tasks.cancel_scope.cancel()
        finally:
            link.disconnect()
    in_doubt = [row.feedback.seq for row in run.in_doubt()]
    return Finish(control.end, control.message, in_doubt)


def _apply(run: Run, tally: Tally, link: Link, grant: Grant) -> None:
    tally.go_by(time.monotonic(), grant.told)
    run.share(grant.rate, grant.concurrency, grant.told.hold, lifts_pause=grant.told.lifts)
    run.allow_until(grant.until)
    if grant.cancelled:
        run.control.cancel(grant.end or RunEnd.SIGINT)
    elif grant.end is not None:
        run.control.stop(grant.end, grant.message)
    link.applied(grant)


async def _watch(control: Control, link: Link, silence: float) -> None:
    """End the work when the coordinator is gone."""
    while (left := silence - link.silent_for()) > 0:  # noqa: ASYNC110 -- grants come on a thread
        await anyio.sleep(min(left, _WATCH))
    link.cut()
    control.cancel(RunEnd.NO_WORKERS)
