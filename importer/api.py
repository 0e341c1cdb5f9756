"""The import as a function, for programs, notebooks and the command line alike."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from anyio.from_thread import start_blocking_portal

from importer.clarityq.api_key import ApiKey
from importer.clarityq.key_sources import key_of_the_surroundings
from importer.engine.control import Control
from importer.engine.progress import Observer
from importer.errors import SettingsError
from importer.reporting.summary import Summary
from importer.sandbox.faults import Faults
from importer.settings import ImportSettings
from importer.workflows.import_job import run_import_job
from importer.workflows.publish import every_end_told


async def run_import(
    settings: ImportSettings,
    *,
    api_key: str | ApiKey | None = None,
    faults: Faults | None = None,
    control: Control | None = None,
    observers: Sequence[Observer] = (),
) -> Summary:
    """Import the inputs of `settings`, or resume the job if an earlier run has not finished it.

    Without `api_key`, the key is taken from the environment (`CLARITYQ_API_KEY`) or from the
    secrets of systemd or the container. With the option `sandbox` a mock server with `faults` is
    started for the run and needs no key. `control` stops the run from another task.

    Returns the job's summary, also when the run was stopped or aborted: its `end` tells. Raises an
    `ImporterError` when the run could not start, or when its journal could not be written.
    """
    async with every_end_told(settings, observers) as told:
        summary = await _import(settings, api_key, faults, control, observers)
        told(summary)
    return summary


async def _import(
    settings: ImportSettings,
    api_key: str | ApiKey | None,
    faults: Faults | None,
    control: Control | None,
    observers: Sequence[Observer],
) -> Summary:
    if settings.target.sandbox:
        from importer.sandbox.server import Sandbox  # noqa: PLC0415 -- heavy, and only for rehearsals

        async with Sandbox(faults) as sandbox:
            settings = settings.replace(base_url=sandbox.url)
            key = ApiKey("sandbox")
            return await run_import_job(settings, key, control=control, observers=observers)
    if api_key is None:
        api_key = key_of_the_surroundings()
    if api_key is None:
        raise SettingsError("there is no API key: set CLARITYQ_API_KEY or pass api_key")
    key = api_key if isinstance(api_key, ApiKey) else ApiKey(api_key)
    return await run_import_job(settings, key, control=control, observers=observers)


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
