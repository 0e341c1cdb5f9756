"""A run is told from outside to stop: how soon, and who hears of it."""

import anyio
import pytest

from importer.engine.control import Control
from importer.model import RunEnd

pytestmark = pytest.mark.anyio


async def test_what_is_in_flight_may_finish_within_the_grace_of_the_run_or_of_the_reason() -> None:
    at_once, usual, given = Control(), Control(), Control()
    at_once.stop(RunEnd.SIGTERM)
    assert at_once.scope.deadline <= anyio.current_time()
    for control in (usual, given):
        control.allow_grace(500)
    usual.stop(RunEnd.SIGTERM)
    given.stop(RunEnd.SERVICE_DOWN, grace=2000)
    assert usual.scope.deadline > anyio.current_time() + 400
    assert given.scope.deadline > anyio.current_time() + 1900


async def test_the_first_reason_is_kept_with_its_words_and_its_grace() -> None:
    control = Control()
    assert (control.stopped(), control.end, control.message) == (False, None, "")
    control.stop(RunEnd.SERVICE_DOWN, "it has failed for an hour", grace=2000)
    deadline = control.scope.deadline
    control.stop(RunEnd.SIGINT, "another")
    assert control.stopped()
    assert (control.end, control.message) == (RunEnd.SERVICE_DOWN, "it has failed for an hour")
    assert control.scope.deadline == deadline


async def test_who_waits_for_a_change_hears_of_a_stop() -> None:
    control = Control()
    heard = False

    async def listen() -> None:
        nonlocal heard
        await control.changed.wait()
        heard = True

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listen)
        await anyio.wait_all_tasks_blocked()
        control.stop(RunEnd.SIGTERM)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    assert heard


async def test_a_cancelled_run_ends_without_any_grace() -> None:
    control = Control()
    control.allow_grace(500)
    with anyio.fail_after(60), control.scope:
        control.cancel(RunEnd.NO_WORKERS)
        await anyio.sleep_forever()
    assert control.scope.cancelled_caught
    assert control.end is RunEnd.NO_WORKERS
