"""The import as a function, for programs, notebooks and the command line alike."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from anyio import to_thread
from anyio.from_thread import start_blocking_portal

from importer.clarityq.api_key import ApiKey
from importer.engine.control import Control, Observer
from importer.errors import SettingsError
from importer.reporting.exporters.webhook import notify
from importer.reporting.summary import Summary
from importer.sandbox.faults import Faults
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings
from importer.workflows.import_job import run_import_job


async def run_import(
    settings: ImportSettings,
    *,
    api_key: str | ApiKey | None = None,
    faults: Faults | None = None,
    control: Control | None = None,
    observers: Sequence[Observer] = (),
) -> Summary:
    """Import the inputs of `settings`, or go on where an earlier run of the same job stopped.

    Without `api_key`, the key is taken from the environment (`CLARITYQ_API_KEY`). With
    `settings.sandbox` a stand-in with `faults` is started for the run and needs no key. `control`
    stops the run from another task.

    Returns the job's summary, also when the run was stopped or aborted: its `end` tells. Raises an
    `ImporterError` when the run could not start, or when its journal could not be written.
    """
    if settings.sandbox:
        async with Sandbox(faults) as sandbox:
            settings = replace(settings, base_url=sandbox.url)
            key = ApiKey("sandbox")
            summary = await run_import_job(settings, key, control=control, observers=observers)
        await _tell(settings, summary, observers)
        return summary
    if api_key is None:
        api_key = os.environ.get("CLARITYQ_API_KEY") or None
    if api_key is None:
        raise SettingsError("there is no API key: set CLARITYQ_API_KEY or pass api_key")
    key = api_key if isinstance(api_key, ApiKey) else ApiKey(api_key)
    summary = await run_import_job(settings, key, control=control, observers=observers)
    await _tell(settings, summary, observers)
    return summary


async def _tell(settings: ImportSettings, summary: Summary, observers: Sequence[Observer]) -> None:
    """Tell the outside how the run ended. What goes wrong here does not change how it did."""
    problems = []
    if settings.metrics_file is not None:
        from importer.reporting.exporters.prometheus import write_metrics  # noqa: PLC0415 -- seldom needed

        try:
            write_metrics(settings.metrics_file, summary)
        except SettingsError as error:
            problems.append(str(error))
    if settings.telemetry:
        problems.append(await to_thread.run_sync(_export, summary))
    if settings.notify_url is not None:
        problems.append(await notify(settings.notify_url, summary.as_json()))
    for observer in observers:
        for problem in filter(None, problems):
            observer.noticed(problem)


def _export(summary: Summary) -> str:
    try:
        from importer.reporting.exporters.opentelemetry import export  # noqa: PLC0415 -- an extra
    except ImportError:
        return "--telemetry needs the extra: pip install 'clarityq-importer[otel]'"
    export(summary)
    return ""


def run_import_blocking(
    settings: ImportSettings,
    *,
    api_key: str | ApiKey | None = None,
    faults: Faults | None = None,
    observers: Sequence[Observer] = (),
) -> Summary:
    """Do what `run_import` does and return when it is done.

    May be called where an event loop is running, as in a notebook: the import has its own thread.
    """
    with start_blocking_portal() as portal:
        return portal.call(
            partial(run_import, settings, api_key=api_key, faults=faults, observers=observers)
        )
