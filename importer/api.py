"""The import as functions, for programs, notebooks and the command line alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from anyio.from_thread import start_blocking_portal

from importer.clarityq.api_key import ApiKey
from importer.clarityq.key_sources import key_of_the_surroundings
from importer.engine.control import Control
from importer.engine.progress import Observer, Progress
from importer.errors import SettingsError
from importer.jobs.commands import Again
from importer.model import RunEnd
from importer.reporting.summary import Summary
from importer.sandbox.faults import Faults
from importer.settings import ImportSettings
from importer.workflows.import_job import run_import_job
from importer.workflows.log_observer import LogObserver, log_end
from importer.workflows.publish import every_end_told

Tell = Callable[[Progress], None]


async def run_import(
    settings: ImportSettings,
    *,
    api_key: str | ApiKey | None = None,
    progress: Tell | None = None,
    observers: Sequence[Observer] = (),
    control: Control | None = None,
    faults: Faults | None = None,
    again: Again | None = None,
) -> Summary:
    """Import the inputs of `settings`, or resume the job if an earlier run has not finished it.

    Without `api_key`, the key is taken from the environment (`CLARITYQ_API_KEY`) or from the
    secrets of systemd or the container. `progress` is called several times a second with how the
    run stands, on its event loop; `observers` are told more, and the logger `importer` is told the
    same as the command line. `control` stops the run from another task. With the option `sandbox` a
    mock server with `faults` is started for the run and needs no key. `again` are the commands that
    the summary names, if they are not to be made of `settings`.

    Returns the job's summary, also when the run was stopped or aborted: its `end` tells. Raises an
    `ImporterError` when the run could not start, or when its journal could not be written.
    """
    _check(settings, api_key, progress, observers, control, faults)
    told_so: list[Observer] = [*observers, LogObserver()]
    if progress is not None:
        told_so.append(_Told(progress))
    async with every_end_told(settings, told_so) as told:
        summary = await _import(
            settings, api_key, faults, control, told_so, again or Again.of(settings)
        )
        told(summary)
    log_end(summary)
    return summary


async def _import(
    settings: ImportSettings,
    api_key: str | ApiKey | None,
    faults: Faults | None,
    control: Control | None,
    observers: Sequence[Observer],
    again: Again,
) -> Summary:
    if settings.target.sandbox:
        from importer.sandbox.server import Sandbox  # noqa: PLC0415 -- heavy, and only for rehearsals

        async with Sandbox(faults) as sandbox:
            settings = settings.replace(base_url=sandbox.url)
            key = ApiKey("sandbox")
            return await run_import_job(
                settings, key, control=control, observers=observers, again=again
            )
    if api_key is None:
        api_key = key_of_the_surroundings()
    if api_key is None:
        raise SettingsError("there is no API key: set CLARITYQ_API_KEY or pass api_key")
    key = api_key if isinstance(api_key, ApiKey) else ApiKey(api_key)
    return await run_import_job(settings, key, control=control, observers=observers, again=again)


def run_import_blocking(
    settings: ImportSettings,
    *,
    api_key: str | ApiKey | None = None,
    progress: Tell | None = None,
    observers: Sequence[Observer] = (),
    faults: Faults | None = None,
) -> Summary:
    """Do what `run_import` does and return when it is done.

    May be called where an event loop is running, as in a notebook: the import has its own thread,
    on which `progress` and `observers` are called. Ctrl-C, or a notebook's "interrupt", stops it
    cleanly before `KeyboardInterrupt` is raised; a second one cancels it.
    """
    with start_blocking_portal() as portal:
        control = portal.call(Control)
        done = portal.start_task_soon(
            partial(
                run_import, settings, api_key=api_key, progress=progress, observers=observers,
                control=control, faults=faults,
            )
        )  # fmt: skip
        try:
            return done.result()
        except KeyboardInterrupt:
            portal.call(control.stop, RunEnd.SIGINT)
            done.exception()  # which waits until it has stopped
            raise


class _Told(Observer):
    """Passes on how a run stands."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def progressed(self, progress: Progress) -> None:
        self._tell(progress)


def _check(
    settings: object,
    api_key: object,
    progress: object,
    observers: object,
    control: object,
    faults: object,
) -> None:
    """Raise `SettingsError` for an argument of another type, without its value."""
    made = "ImportSettings.of(inputs=…, product_id=…) makes one"
    kinds: dict[str, tuple[object, type | tuple[type, ...], str]] = {
        "settings": (settings, ImportSettings, f"an ImportSettings: {made}"),
        "api_key": (api_key, (str, ApiKey, type(None)), "a text"),
        "observers": (observers, Sequence, "a list of observers"),
        "control": (control, (Control, type(None)), "a Control"),
        "faults": (faults, (Faults, type(None)), "Faults: Faults.parse(['5xx=1%']) makes some"),
    }
    for name, (value, kind, what) in kinds.items():
        if not isinstance(value, kind):
            raise SettingsError(f"{name} must be {what}; it is of type {type(value).__name__}")
    if progress is not None and not callable(progress):
        raise SettingsError(
            f"progress must be a function of one argument; it is of type {type(progress).__name__}"
        )
    for observer in observers if isinstance(observers, Sequence) else ():
        if not isinstance(observer, Observer):
            raise SettingsError(
                f"observers must derive from importer.Observer, or have its methods; one is of "
                f"type {type(observer).__name__}"
            )
    if faults not in (None, Faults()) and not settings.target.sandbox:  # type: ignore[attr-defined]
        raise SettingsError("faults are of the sandbox: give sandbox=True, or leave them out")
