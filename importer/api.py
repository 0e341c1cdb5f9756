"""The import as functions, for programs, notebooks and the command line alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import wait
from functools import partial

from anyio.from_thread import start_blocking_portal

from importer.clarityq.api_key import ApiKey
from importer.clarityq.key_sources import key_of_the_surroundings
from importer.engine.control import Control
from importer.engine.progress import Observer, Progress
from importer.errors import SettingsError, first_of
from importer.jobs.commands import Again
from importer.model import RunEnd
from importer.reporting.summary import Summary
from importer.sandbox.faults import Faults
from importer.settings import NO_PRODUCT, ImportSettings
from importer.survey.findings import Findings
from importer.survey.progress import SurveyProgress
from importer.workflows.check_inputs import check_inputs as survey
from importer.workflows.import_job import run_import_job
from importer.workflows.log_observer import LogObserver, log_end
from importer.workflows.plan_import import Preview, Resumed, plan_import
from importer.workflows.publish import every_end_told

#: Seconds until an interrupt is seen, at the latest.
_GLANCE = 0.5

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
    same as the command line. `control` stops the run from a callback or another task. With the
    option `sandbox` a mock server with `faults` is started for the run and needs no key. `again`
    are the commands that the summary names, if they are not to be made of `settings`.

    Returns the job's summary, also when the run was stopped or aborted: its `end` tells. Raises an
    `ImporterError` when the run could not start, or when its journal could not be written, and what
    a callback has raised.
    """
    _check(settings, api_key, progress, observers, control, faults)
    told_so: list[Observer] = [*observers, LogObserver()]
    if progress is not None:
        told_so.append(_Told(progress))
    try:
        async with every_end_told(settings, told_so) as told:
            summary = await _import(
                settings, api_key, faults, control, told_so, again or Again.of(settings)
            )
            told(summary)
    except ExceptionGroup as group:  # such as what a callback has raised
        raise first_of(group)  # noqa: B904 -- it keeps its own cause
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
    control: Control | None = None,
    faults: Faults | None = None,
) -> Summary:
    """Do what `run_import` does and return when it is done.

    May be called where an event loop is running, as in a notebook: the import has its own thread,
    on which `progress` and `observers` are called; they may stop it with `control`. Ctrl-C, or a
    notebook's "interrupt", stops it cleanly before `KeyboardInterrupt` is raised; a second one
    cancels it.
    """
    with start_blocking_portal() as portal:
        control = control or Control()
        done = portal.start_task_soon(
            partial(
                run_import, settings, api_key=api_key, progress=progress, observers=observers,
                control=control, faults=faults,
            )
        )  # fmt: skip
        try:
            # Not every signal ends a wait: it is seen when the wait is over.
            while not done.done():
                wait([done], timeout=_GLANCE)
            return done.result()
        except KeyboardInterrupt:
            portal.call(control.stop, RunEnd.SIGINT)
            done.exception()  # which waits until it has stopped
            raise


def check_inputs(
    inputs: object,
    *,
    progress: Callable[[SurveyProgress], None] | None = None,
    **options: object,
) -> Findings:
    """Read the inputs as an import would, and return what it would meet; send nothing.

    `inputs` are files, addresses or data frames, as `ImportSettings.of` takes them, with its
    `options` (no product is needed); or `ImportSettings`, of which the `options` change some.
    `progress` is told how far it is.

    Raises an `ImporterError` if an input cannot be read, or an option cannot be used.
    """
    if isinstance(inputs, ImportSettings):
        settings = inputs.replace(**options)
    else:
        options.setdefault("product_id", NO_PRODUCT)
        settings = ImportSettings.of(inputs=inputs, retry=None, **options)
    return survey(settings, progress or _nobody)


def plan(
    settings: ImportSettings, *, progress: Callable[[SurveyProgress], None] | None = None
) -> Preview | Resumed:
    """Return what a run with these settings would send now, and what that would change.

    The inputs are compared with the earlier jobs of the product. No job begins, nothing is sent and
    no key is needed. Where a run would resume a job, that is returned instead.

    Raises an `ImporterError` where the run would not begin.
    """
    if not isinstance(settings, ImportSettings):
        raise _wrong("settings", _SETTINGS, settings)
    return plan_import(settings, progress or _nobody)


def _nobody(_: SurveyProgress) -> None:
    """Is told, and does nothing."""


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
    if not isinstance(settings, ImportSettings):
        raise _wrong("settings", _SETTINGS, settings)
    if not isinstance(api_key, str | ApiKey | None):
        raise _wrong("api_key", "a text", api_key)
    if progress is not None and not callable(progress):
        raise _wrong("progress", "a function of one argument", progress)
    if not isinstance(observers, Sequence):
        raise _wrong("observers", "a list", observers)
    for observer in observers:
        if not isinstance(observer, Observer):
            raise _wrong("each of the observers", "a class derived from Observer", observer)
    if not isinstance(control, Control | None):
        raise _wrong("control", "a Control", control)
    if not isinstance(faults, Faults | None):
        raise _wrong("faults", "made by Faults.parse(['5xx=1%'])", faults)
    if faults not in (None, Faults()) and not settings.target.sandbox:
        raise SettingsError("faults are of the sandbox: give sandbox=True, or leave them out")


_SETTINGS = "made by ImportSettings.of(inputs=…, product_id=…)"


def _wrong(name: str, what: str, value: object) -> SettingsError:
    return SettingsError(f"{name} must be {what}; it is of type {type(value).__name__}")
