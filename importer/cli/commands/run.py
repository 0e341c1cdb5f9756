"""`clarityq-import run`: import, show how it goes, and say what comes next."""

from __future__ import annotations

import asyncio
import gc
import json
import mmap
import os
import resource
import sys
from collections.abc import Collection, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
import click
from click.core import ParameterSource

from importer.clarityq.api_key import ApiKey
from importer.clarityq.key_sources import is_open_to_others
from importer.cli.cannot_start import ToldCommand, failure_told
from importer.cli.commands.plan import preview
from importer.cli.config_file import (
    CONFIG,
    config_arguments,
    ever_configured,
    files_read,
    with_inputs,
)
from importer.cli.console import messages, output
from importer.cli.defects import explained, folder_at_work
from importer.cli.help import command, examples
from importer.cli.log_view import log_configuration, logging_to_stderr, run_not_logged
from importer.cli.options import (
    INPUTS,
    RUN_GROUPS,
    Display,
    KeySource,
    LogFormat,
    Request,
    find_key,
    key_arguments,
    options_from,
)
from importer.cli.signals import EndingSignals
from importer.cli.summary_view import print_summary
from importer.common.event_loop import has_uvloop
from importer.common.memory import use_few_arenas
from importer.engine.control import Control
from importer.errors import (
    ExitCode,
    ImporterError,
    JournalError,
    SettingsError,
    StoppedError,
)
from importer.jobs.commands import NOT_OF_LEFT_OVERS, ONCE, Again, not_for_left_overs, path_argument
from importer.jobs.inputs import check_is_no_input
from importer.jobs.journal_head import read_head
from importer.model import RunEnd
from importer.reporting.next_steps import to_begin
from importer.reporting.outcomes_table import check_outcomes_path, write_outcomes
from importer.reporting.steps import Step
from importer.reporting.summary import Summary
from importer.reporting.wording import TO_RESUME
from importer.sandbox.faults import Faults
from importer.settings import ImportSettings
from importer.settings.derive import arguments, values_of
from importer.settings.option import Group
from importer.settings.places import Place
from importer.workflows.log_observer import log_notice

if TYPE_CHECKING:
    from importer.cli.live_view import LiveObserver

#: Bytes of a thread's stack where the system sets no limit, or a low one.
_LEAST_STACK = 4 << 20


@command(
    cls=ToldCommand,
    epilog=examples(
        "run ratings.csv --product-id 7d0f… --ratings thumbs",
        "run old.csv.gz s3://exports/new.parquet --product-id 7d0f… --rate 50 --max-failures 1%",
        "run ratings.csv --product-id 7d0f… --sandbox --fault 5xx=1%",
    ),
)
@INPUTS
@options_from(*RUN_GROUPS)
@CONFIG
@click.pass_context
def run(ctx: click.Context, /, inputs: tuple[Place, ...], **options: Any) -> ExitCode:
    """Import the rows of files and other sources, in the order given, as one job.

    An INPUT is a file, a folder, an address, or - for standard input. The same command on the same
    inputs resumes an unfinished job.
    """
    values = with_inputs(ctx, options, inputs)
    with failure_told(values):
        request = Request.of(values)
    again = Again(
        ["run", *map(path_argument, inputs), *typed(ctx, without=ONCE)],
        typed(ctx, without=NOT_OF_LEFT_OVERS),
        typed(ctx, groups=(KeySource,)),
        key_arguments(request.key),
        not_for_left_overs(ever_configured(ctx)),
    )
    code, _ = perform(request, again, files_read(ctx))
    return code


def typed(
    ctx: click.Context,
    *,
    without: Collection[str] = (),
    groups: Sequence[type[Group]] = RUN_GROUPS,
) -> list[str]:
    """Return the options of `groups` that were given to a command as arguments, but some `without`.

    The configuration file that was named is among them.
    """
    values = {
        name: value
        for name, value in ctx.params.items()
        if name not in without and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    return [*arguments(values, groups), *config_arguments(ctx)]


def perform(
    request: Request, again: Again, files: Sequence[Path]
) -> tuple[ExitCode, Summary | None]:
    """Do what is asked for, show how it goes, and say what to type next (see `Again`).

    `files` are the configuration files that were read. Returns the exit code, and the summary if
    something was imported.
    """
    use_few_arenas()
    settings, _, rehearsal, display = request
    as_json = display.log_format is LogFormat.JSON
    with ExitStack() as stack:
        stack.enter_context(logging_to_stderr(as_json=as_json, quiet=display.quiet))
        log_configuration(files)
        if rehearsal.dry_run:
            return preview(request, as_json=as_json), None
        with failure_told(values_of(settings.groups())):
            key = _prepared(request)
        live: LiveObserver | None = None
        if _is_terminal() and not display.quiet and not as_json:
            from importer.cli.live_view import LiveObserver  # noqa: PLC0415 -- for terminals only

            stack.enter_context(run_not_logged())
            live = stack.enter_context(LiveObserver())
        try:
            with EndingSignals() as signals:
                summary = anyio.run(
                    _run, settings, key, rehearsal.fault, again, live, signals,
                    backend_options={"use_uvloop": has_uvloop()},
                )  # fmt: skip
        except StoppedError as error:
            step = to_begin(
                "To begin again", again.same(), carries_over=settings.ledger.carry_over,
                has_sent=False,
            )  # fmt: skip
            raise StoppedError(error.exit_code, f"{error}\n{step}") from None
        except JournalError as error:
            raise JournalError(f"{error}\n{_to_resume(settings, again)}") from None
        except ImporterError:
            raise
        except Exception as error:  # noqa: BLE001 -- no exception without words
            raise explained(
                error, folder_at_work(settings), resume=str(_to_resume(settings, again)),
                keys=[] if key is None else key.all_known(),
            ) from None  # fmt: skip
    try:
        _show(summary, display)
    except (StoppedError, KeyboardInterrupt) as error:
        code = error.exit_code if isinstance(error, StoppedError) else ExitCode.SIGINT
        told = f"stopped after the import had ended: {summary.folder} tells how"
        raise StoppedError(code, told) from None
    return summary.exit_code, summary


def _show(summary: Summary, display: Display) -> None:
    """Show how an import has ended, and write its outcomes if they are asked for.

    A signal while they are written is raised when all is shown.
    """
    as_json = display.log_format is LogFormat.JSON
    stopped: StoppedError | KeyboardInterrupt | None = None
    if display.outcomes is not None:
        try:
            write_outcomes(summary.folder, display.outcomes)
        except (ImporterError, KeyboardInterrupt) as error:
            # The job has ended as it has; what could be tried was tried before.
            stopped = error if isinstance(error, (StoppedError, KeyboardInterrupt)) else None
            told = f"--outcomes: {'stopped while it was being written' if stopped else error}"
            if as_json:
                with logging_to_stderr(as_json=True, quiet=True):
                    log_notice(told)
            else:
                messages().print(told, soft_wrap=True)
    if as_json:
        line = json.dumps({"event": "summary", **summary.as_json()})
        output().print(line, soft_wrap=True)
    elif not display.quiet or summary.exit_code is not ExitCode.OK or summary.next_steps:
        print_summary(summary)
    if stopped is not None:
        raise stopped


def _to_resume(settings: ImportSettings, again: Again) -> Step:
    """Return how the job that a run of `settings` was at work on is resumed, and until when."""
    folder, has_sent = folder_at_work(settings), False
    if folder is not None and settings.ledger.carry_over:
        with suppress(JournalError, SettingsError):  # it may be what is damaged
            has_sent = read_head(folder).sent_anything
    return to_begin(
        TO_RESUME[RunEnd.KILLED], again.same(), carries_over=settings.ledger.carry_over,
        has_sent=has_sent,
    )  # fmt: skip


def _prepared(request: Request) -> ApiKey | None:
    """Check what can be checked before a run, and return the key that it needs, if any."""
    settings, key_source, rehearsal, display = request
    if rehearsal.fault != Faults() and not settings.target.sandbox:
        raise SettingsError("--fault is for the sandbox: add --sandbox, or leave it out")
    local = [place for place in settings.reading.inputs if isinstance(place, Path)]
    if display.outcomes is not None:
        check_outcomes_path(display.outcomes, local)
    if settings.exports.metrics_file is not None:
        check_is_no_input(settings.exports.metrics_file, local)
    if settings.target.sandbox:
        return None
    key = find_key(key_source)
    if key_source.file is not None and is_open_to_others(key_source.file):
        log_notice("other users may read the file that --api-key-file names: chmod 600 it")
    return key


async def _run(
    settings: ImportSettings,
    key: ApiKey | None,
    faults: Faults,
    again: Again,
    live: LiveObserver | None,
    signals: EndingSignals,
) -> Summary:
    control = Control()
    signals.stop(control, log_notice if live is None else live.noticed)
    from importer.api import run_import  # noqa: PLC0415 -- heavy, and --help does without

    await _start_resolver()
    # What is loaded by now stays: the collector need not look at it again and again.
    gc.freeze()
    return await run_import(
        settings,
        api_key=key,
        faults=faults,
        control=control,
        observers=[] if live is None else [live],
        again=again,
    )


async def _start_resolver() -> None:
    """Let the event loop start the thread that looks up names, while there is surely room for it.

    uvloop ends the process without a word if it cannot. Raises `MemoryError` in place of that.
    """
    stack, _ = resource.getrlimit(resource.RLIMIT_STACK)
    try:
        mmap.mmap(-1, max(_LEAST_STACK, stack) + _LEAST_STACK).close()
    except OSError:
        raise MemoryError from None
    await asyncio.get_running_loop().getaddrinfo("127.0.0.1", None)


def _is_terminal() -> bool:
    """Return whether standard error can show lines that change."""
    return sys.stderr.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")
