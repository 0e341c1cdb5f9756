"""Tells other systems of a run: that it has started, and how it ended, however it ended."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, Self

from anyio import CancelScope, to_thread

from importer.engine.progress import Observer
from importer.errors import ExitCode, ImporterError, one_error
from importer.jobs.inputs import check_is_no_input
from importer.reporting.exporters.deliveries import Deliveries
from importer.reporting.exporters.http_post import Network
from importer.reporting.notices import Ending, Start
from importer.reporting.summary import Summary
from importer.settings import ImportSettings
from importer.settings.groups import Exports

#: Seconds by which telling may delay the end of a run.
_LONGEST = 10.0
_NO_EXTRA = "--telemetry needs the extra: pip install 'clarityq-importer[otel]'"


class Audience(NamedTuple):
    """Who is told of a run, and what they are told of it before it begins."""

    exports: Exports
    network: Network
    product_id: str
    base_url: str
    #: As they were given.
    inputs: Sequence[str]

    @classmethod
    def of(cls, settings: ImportSettings) -> Self:
        """Return the audience of an import."""
        target = settings.target
        return cls(
            settings.exports, Network(target.trust_env, target.ca_file), target.product_id,
            target.service, [str(path) for path in settings.reading.inputs],
        )  # fmt: skip


class Telling:
    """Tells the audience of one run, whose start is now. Nothing that goes wrong is raised."""

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        names = [_name(path) for path in audience.inputs]
        self._start = Start(audience.product_id, audience.base_url, names, time.time())
        self._deliveries = Deliveries()

    def started(self) -> None:
        """Tell that the run starts; returns immediately."""
        exports, network = self._audience.exports, self._audience.network
        self._tell_others(exports, network, self._start)

    def foreseen(self) -> list[str]:
        """Return what will go wrong at the end, as far as that shows now, in words."""
        exports, problems = self._audience.exports, []
        path = exports.metrics_file
        if path is not None and not os.access(path.absolute().parent, os.W_OK):
            problems.append(f"--metrics-file {path}: its folder is missing or read-only")
        if exports.telemetry and find_spec("opentelemetry") is None:
            problems.append(_NO_EXTRA)
        return problems

    def ended(self, summary: Summary) -> list[str]:
        """Tell how the run ended, within 10 s; return what went wrong, in words."""
        return self._tell_end(summary.exit_code, summary.message, summary.ended_at, summary)

    def failed(self, error: BaseException) -> list[str]:
        """Tell that the run could not start or broke off; as `ended`."""
        return self._tell_end(*_reason(error), time.time(), None)

    def _tell_end(
        self, code: ExitCode, message: str, ended_at: float, summary: Summary | None
    ) -> list[str]:
        exports, network = self._audience.exports, self._audience.network
        ending = Ending(
            self._start, code, message, ended_at, code in exports.success_codes, summary
        )
        if exports.metrics_file is not None:
            inputs = [Path(name) for name in self._audience.inputs if "://" not in name]
            write = partial(_write_metrics, exports.metrics_file, inputs, ending)
            self._deliveries.deliver("--metrics-file", write)
        if exports.telemetry:
            self._deliveries.deliver("--telemetry", partial(_export, ending))
        self._tell_others(exports, network, ending)
        return self._deliveries.finish(_LONGEST)

    def _tell_others(self, exports: Exports, network: Network, told: Start | Ending) -> None:
        if exports.notify_url is not None:
            from importer.reporting.exporters.webhook import notify  # noqa: PLC0415 -- seldom needed

            url, form = exports.notify_url, exports.notify_format
            self._deliveries.deliver("--notify-url", partial(notify, url, form, told, network))
        if exports.ping_url is not None:
            from importer.reporting.exporters.ping import ping  # noqa: PLC0415 -- seldom needed

            self._deliveries.deliver("--ping-url", partial(ping, exports.ping_url, told, network))


@asynccontextmanager
async def every_end_told(
    settings: ImportSettings, observers: Sequence[Observer]
) -> AsyncIterator[Callable[[Summary], None]]:
    """Tell that a run starts, and how it ends: by what the block raises, or by the summary.

    Yields the function that takes the summary. What goes wrong with telling is told to the
    observers. Of a group of exceptions that holds nothing unexpected, the first is raised.
    """
    telling = Telling(Audience.of(settings))
    telling.started()
    for observer in observers:
        for problem in telling.foreseen():
            observer.noticed(problem)
    summaries: list[Summary] = []
    try:
        with one_error():
            yield summaries.append
    except BaseException as error:
        await _noticed(partial(telling.failed, error), observers)
        raise
    for summary in summaries:
        await _noticed(partial(telling.ended, summary), observers)


async def _noticed(tell: Callable[[], list[str]], observers: Sequence[Observer]) -> None:
    # A run that was cancelled is told of as well.
    with CancelScope(shield=True):
        problems = await to_thread.run_sync(tell)
    for observer in observers:
        for problem in problems:
            observer.noticed(problem)


def _reason(error: BaseException) -> tuple[ExitCode, str]:
    """Return the exit code that `error` leads to, and why in words that hold no secret."""
    match error:
        case ImporterError():
            return error.exit_code, str(error)
        case KeyboardInterrupt():
            return ExitCode.SIGINT, "it was interrupted before it had begun"
        case asyncio.CancelledError():
            return ExitCode.ABORTED, "the program that ran it has cancelled it"
        case _:
            what = type(error).__name__
            return ExitCode.DEFECT, f"a defect of the importer ({what}): please report it"


def _name(path: str) -> str:
    """Return the name of an input; the query of an address may hold a token."""
    return path.partition("?")[0].rpartition("/")[2] if "://" in path else path.rpartition("/")[2]


def _write_metrics(path: Path, inputs: Sequence[Path], ending: Ending) -> str:
    from importer.reporting.exporters.prometheus import (  # noqa: PLC0415 -- seldom needed
        write_metrics,
    )

    try:
        check_is_no_input(path, inputs)
        write_metrics(path, ending)
    except ImporterError as error:
        return str(error)
    return ""


def _export(ending: Ending) -> str:
    try:
        from importer.reporting.exporters.opentelemetry import export  # noqa: PLC0415 -- an extra
    except ImportError:
        return _NO_EXTRA
    export(ending)
    return ""
