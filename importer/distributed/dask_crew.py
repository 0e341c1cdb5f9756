"""Workers of a Dask cluster: started on this machine, or attached to. The only file that knows it.

Workers that are started here can be reached by nobody else: all connections are encrypted, with
certificates that live as long as the run.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import anyio
import dask
from distributed import Client, LocalCluster, nanny
from distributed.process import AsyncProcess
from distributed.security import Security

from importer.clarityq.key_sources import VARIABLE
from importer.distributed.crew import WorkerLostError
from importer.distributed.worker import Worker, has_key
from importer.engine.control import Control
from importer.errors import SettingsError, StoppedError
from importer.model import exit_code
from importer.settings.groups import Scale

_PACKAGE = "clarityq-importer"
#: Seconds until a scheduler has to answer.
_CONNECT = 10
#: Seconds that the end of the processes may take.
_CLOSE = 10
#: Seconds between two looks at the processes of a run that was stopped while they start.
_LOOK = 0.1
#: A signal to the whole group of processes is for the command, which tells its workers.
_FOR_THE_COMMAND = (signal.SIGINT, signal.SIGTERM)
#: What Dask logs to, and what it is made of.
_LOGGERS = ("distributed", "tornado", "asyncio")
_OPTIONS = {
    # What was told to a worker is not kept to be looked at.
    "distributed.admin.low-level-log-length": 0,
    "distributed.worker.daemon": True,
    # What Dask measures of itself all the time takes a twentieth of a core, and nobody looks at it.
    "distributed.admin.system-monitor.interval": "1h",
    "distributed.admin.tick.interval": "1s",
    "distributed.worker.profile.enabled": False,
}


class DaskCrew:
    """A `crew.Crew` of the workers that a client sees."""

    def __init__(self, client: Any, most: int | None, *, hands_key_over: bool) -> None:
        self.most = most
        self.hands_key_over = hands_key_over
        self._client = client

    async def addresses(self) -> Collection[str]:
        """See `Crew`."""
        try:
            return list(await self._client.nthreads())
        except Exception as error:  # noqa: BLE001 -- whatever it is, nobody can tell
            raise WorkerLostError(f"the scheduler does not answer ({_words(error)})") from None

    async def engage(self, address: str) -> DaskWire:
        """See `Crew`."""
        try:
            future = self._client.submit(
                Worker, actor=True, pure=False, workers=[address], allow_other_workers=False
            )
            try:
                return DaskWire(future, await future)
            except BaseException:
                future.release()
                raise
        except Exception as error:  # noqa: BLE001 -- whatever it is, that worker cannot be used
            raise WorkerLostError(_words(error)) from None


class DaskWire:
    """A `crew.Wire` to an actor."""

    def __init__(self, future: Any, actor: Any) -> None:
        self._future = future
        self._actor = actor

    async def begin(self, assignment: bytes, key: bytes | None) -> None:
        """See `Wire`."""
        try:
            await self._actor.begin(assignment, key)
        except Exception as error:  # noqa: BLE001 -- as above
            raise WorkerLostError(_words(error)) from None

    async def exchange(self, grant: bytes) -> bytes:
        """See `Wire`."""
        try:
            return bytes(await self._actor.exchange(grant))
        except Exception as error:  # noqa: BLE001 -- as above
            raise WorkerLostError(_words(error)) from None

    def close(self) -> None:
        """See `Wire`."""
        self._future.release()


@asynccontextmanager
async def dask_crew(scale: Scale, control: Control) -> AsyncIterator[DaskCrew]:
    """Start the workers that are wanted, or attach to those of a cluster.

    Raises `SettingsError`, and `StoppedError` if the run is stopped while they start.
    """
    with _silence(), dask.config.set(_OPTIONS), _connections_may_be_lost():
        stack = AsyncExitStack()
        try:
            if scale.cluster is None:
                crew = await _started(stack, scale.workers or 1, control)
            else:
                crew = await _attached(stack, scale.cluster, scale.workers)
            yield crew
        finally:
            # However the processes end, the job is done: it changes nothing.
            with anyio.move_on_after(_CLOSE, shield=True), suppress(Exception):
                await stack.aclose()


@contextmanager
def _silence() -> Iterator[None]:
    """Silence Dask's own logging, which holds addresses and tracebacks: the run tells of errors."""
    before = {logger: logger.level for logger in map(logging.getLogger, _LOGGERS)}
    for logger in before:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in before.items():
            logger.setLevel(level)


@contextmanager
def _connections_may_be_lost() -> Iterator[None]:
    """Let nobody be told of connections that Dask's own tasks lose.

    Nothing waits for these tasks, so what they raise would go to the event loop's handler. That a
    worker is gone, the run finds out by itself.
    """
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), OSError):
            (before or type(loop).default_exception_handler)(loop, context)

    loop.set_exception_handler(handle)
    try:
        yield
    finally:
        loop.set_exception_handler(before)


class _Processes:
    """The processes that Dask starts in a block; those that are left at its end are killed.

    The signals of `_FOR_THE_COMMAND` never reach them, not even while Python starts there: what a
    thread does not hear, the processes that it starts do not hear either.
    """

    def __init__(self) -> None:
        self._all: list[AsyncProcess] = []

    def __enter__(self) -> _Processes:
        vars(nanny)["AsyncProcess"] = self._make
        return self

    def __exit__(self, *_: object) -> None:
        vars(nanny)["AsyncProcess"] = AsyncProcess
        self.kill()

    def _make(self, *args: Any, **kwargs: Any) -> AsyncProcess:
        heard = signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_THE_COMMAND)
        try:
            process = AsyncProcess(*args, **kwargs)  # with a thread of its own, which starts it
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, heard)
        self._all.append(process)
        return process

    def kill(self) -> None:
        """Kill those that are there."""
        for process in self._all:
            if process.is_alive():
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)

    async def kill_when_stopped(self, control: Control) -> None:
        """Kill those that are there, and those that come, from when the run is to stop."""
        while True:
            if control.end is not None:
                self.kill()
            await control.changed.wait(_LOOK)

    def how_one_ended(self) -> str:
        """Return how one that was killed has ended; empty if there is none."""
        codes = (process.exitcode for process in self._all)
        killed_by = next((-code for code in codes if code is not None and code < 0), None)
        if killed_by is None:
            return ""
        named = killed_by in {*signal.Signals}  # those for real time have no names
        name = signal.Signals(killed_by).name if named else f"signal {killed_by}"
        return f"{name} ended the process of one"


async def _started(stack: AsyncExitStack, workers: int, control: Control) -> DaskCrew:
    processes = stack.enter_context(_Processes())
    try:
        async with anyio.create_task_group() as watching:
            watching.start_soon(processes.kill_when_stopped, control)
            crew = await _local(stack, workers)
            watching.cancel_scope.cancel()
    except Exception as error:  # noqa: BLE001 -- said in words, whatever it is
        if control.end is not None:
            raise StoppedError(
                exit_code(control.end, {}), "stopped while workers started: nothing was sent"
            ) from None
        why = processes.how_one_ended() or _words(error)
        raise SettingsError(f"--workers {workers}: they could not be started ({why})") from None
    return crew


async def _local(stack: AsyncExitStack, workers: int) -> DaskCrew:
    cluster = await stack.enter_async_context(
        LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, asynchronous=True,
            host="127.0.0.1", dashboard_address="127.0.0.1:0", memory_limit=None,
            silence_logs=logging.CRITICAL, security=Security.temporary(),
        )
    )  # fmt: skip
    # Through the scheduler, which is in this process, each message would be encrypted twice.
    client = Client(cluster, asynchronous=True, direct_to_workers=True)
    await stack.enter_async_context(client)
    return DaskCrew(client, workers, hands_key_over=True)


async def _attached(stack: AsyncExitStack, cluster: str, workers: int | None) -> DaskCrew:
    where: dict[str, Any] = {"address": cluster}
    if "://" not in cluster:
        if not await anyio.Path(cluster).is_file():
            raise SettingsError(
                f"--cluster {cluster}: there is no such scheduler file, and an address begins with "
                "tls:// or tcp://"
            )
        where = {"scheduler_file": cluster}
    try:
        client = Client(**where, asynchronous=True, timeout=_CONNECT)
        await stack.enter_async_context(client)
    except Exception as error:  # noqa: BLE001 -- said in words, whatever it is
        raise SettingsError(
            f"--cluster {cluster}: no scheduler answers there ({_words(error)})"
        ) from None
    await _check_versions(client, cluster)
    is_private = _address_of(client).startswith("tls://")
    if not is_private and not all((await client.run(has_key)).values()):
        raise SettingsError(
            f"--cluster {cluster}: the way there is not encrypted, so the API key is not sent: set "
            f"{VARIABLE} for each worker, or give each the secret, or use tls://"
        )
    return DaskCrew(client, workers, hands_key_over=is_private)


async def _check_versions(client: Any, cluster: str) -> None:
    """Raise `SettingsError` unless the same importer is everywhere.

    Nothing of the importer is sent before: a worker without it would end itself.
    """
    mine = version(_PACKAGE)
    there = dict(await client.run(version, _PACKAGE, on_error="return"))
    if not there:
        raise SettingsError(f"--cluster {cluster}: the cluster has no workers")
    try:
        there["the scheduler"] = await client.run_on_scheduler(version, _PACKAGE)
    except PackageNotFoundError as error:
        there["the scheduler"] = error
    for where, found in there.items():
        if found != mine:
            missing = isinstance(found, PackageNotFoundError)
            what = f"no {_PACKAGE}" if missing else f"{_PACKAGE} {found}"
            raise SettingsError(
                f"--cluster {cluster}: {where} has {what}, and this is {mine}: install the same "
                "version everywhere"
            )


def _address_of(client: Any) -> str:
    return str(client.scheduler.address)


def _words(error: BaseException) -> str:
    """Return what an error says, of a group the first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error).partition("\n")[0] or type(error).__name__
