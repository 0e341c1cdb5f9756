"""The command group and its last line of defence: every expected error becomes one message."""

from __future__ import annotations

import errno
import gc
import os
import platform
import signal
import sys
from functools import partial
from importlib import import_module
from itertools import pairwise
from types import FrameType

import click

from importer.cli.streams import Streams
from importer.common.text import nearest
from importer.errors import ExitCode, ImporterError, SettingsError, StoppedError

#: New objects between two passes of the garbage collector. What start-up makes stays, and a run
#: makes hardly any cycles.
_COLLECT_AFTER = 100_000
_NOTABLE = ("aiohttp", "anyio", "pandas", "pyarrow", "tenacity")


class _LazyGroup(click.Group):
    """Imports a command's module when it is used, so that `--help` stays quick."""

    _commands = (
        "init", "check", "plan", "run", "retry", "undo", "batch", "jobs", "explain", "outcomes",
        "forget", "doctor", "sandbox",
    )  # fmt: skip

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        return list(self._commands)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in self._commands:
            return None
        command = getattr(import_module(f"importer.cli.commands.{name}"), name)
        assert isinstance(command, click.Command)  # noqa: S101 -- each module defines its command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self._commands and (meant := nearest(args[0], self._commands)):
            ctx.fail(f"No such command {args[0]!r}. Did you mean {meant!r}?")
        return super().resolve_command(ctx, args)


def _print_versions(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    """Print what a bug report should hold, and leave."""
    if not asked or ctx.resilient_parsing:
        return
    from importlib.metadata import version  # noqa: PLC0415 -- heavy, and seldom needed

    click.echo(f"clarityq-import {version('clarityq-importer')}")
    parts = [f"Python {platform.python_version()} on {platform.system()}"]
    click.echo(", ".join(parts + [f"{name} {version(name)}" for name in _NOTABLE]))
    ctx.exit()


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_versions,
    help="Show the version and exit.",
)  # fmt: skip
def cli() -> None:
    """Import feedback from files, buckets and databases into ClarityQ.

    The API key comes from --api-key-file or --api-key-command, from CLARITYQ_API_KEY, from the
    secrets of systemd or a container, or from a prompt. Every option can also be set as
    CLARITYQ_OPTION_NAME or in clarityq-import.toml; arguments win over the environment, and the
    environment over the file.
    """


def main() -> None:
    """Run the command and leave with its exit code."""
    if platform.system() == "Windows":
        click.echo(
            "Error: this is for Linux and macOS; on Windows use WSL or a container", err=True
        )
        sys.exit(ExitCode.USAGE)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):  # until a run has its own way to stop
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _stop)
    streams = Streams.take_over()
    gc.set_threshold(_COLLECT_AFTER)
    # Arrow's own allocator keeps what it has freed; the system's gives it back.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    # numpy would start threads for linear algebra, which take half of the time that it loads.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # uvloop would start four threads, with a stack each, to look up a single name.
    os.environ.setdefault("UV_THREADPOOL_SIZE", "1")
    sys.unraisablehook = partial(_end_all_the_same, streams)
    code = _run_command()
    _let_signals_end_it()
    streams.finish()
    sys.exit(code)


def _stop(number: int, _: FrameType | None) -> None:
    raise StoppedError(ExitCode(128 + number))


def _let_signals_end_it() -> None:
    """Let another signal end the process at once: nothing is left but to say why, and to leave."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def _end_all_the_same(streams: Streams, ignored: sys.UnraisableHookArgs) -> None:
    """End here and now if what a signal raised came up where Python ignores it: in a finalizer."""
    match ignored.exc_value:
        case KeyboardInterrupt():
            code = ExitCode.SIGINT
        case StoppedError(exit_code=code):
            pass
        case _:
            sys.__unraisablehook__(ignored)
            return
    _let_signals_end_it()
    click.echo("\nStopped.", err=True)
    streams.finish()
    os._exit(code)


def _run_command() -> int:
    """Run the command; tell what went wrong, and return the exit code."""
    try:
        return int(cli.main(prog_name="clarityq-import", standalone_mode=False) or 0)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        if _logs_json():
            return _fail(SettingsError(error.format_message()))
        error.show()
        return ExitCode.USAGE
    except (KeyboardInterrupt, click.Abort):
        _let_signals_end_it()
        click.echo("\nStopped.", err=True)
        return ExitCode.SIGINT
    except ImporterError as error:
        return _fail(error)
    except OSError as error:
        if error.errno == errno.ENOMEM:  # also of a module that could not be read
            return _fail_unexpectedly(MemoryError())
        if error.filename is not None:
            return _fail(SettingsError(f"{os.fsdecode(error.filename)}: {error.strerror}"))
        return _fail_unexpectedly(error)
    except Exception as error:  # noqa: BLE001 -- no exception without words
        return _fail_unexpectedly(error)


def _fail(error: ImporterError) -> int:
    _let_signals_end_it()
    from importer.cli.hiding import without_keys  # noqa: PLC0415 -- heavy, and --help does without

    told = without_keys(str(error))
    if _logs_json():
        from importer.cli.log_view import log_failure  # noqa: PLC0415 -- heavy, seldom needed

        log_failure(told, error.exit_code)
        return error.exit_code
    from importer.cli.console import plain  # noqa: PLC0415 -- heavy, and --help does without

    click.echo(f"Error: {plain(told)}", err=True)
    return error.exit_code


def _logs_json() -> bool:
    """Return whether the log is to be JSON, also where the options could not be read."""
    words = [part for word in sys.argv[1:] for part in word.split("=", 1)]
    asked = [after for word, after in pairwise(words) if word == "--log-format"]
    if not asked:
        from importer.cli.config_file import log_format_said  # noqa: PLC0415 -- seldom needed

        asked = [os.environ.get("CLARITYQ_LOG_FORMAT") or log_format_said(words)]
    return asked[-1] == "json"


def _fail_unexpectedly(error: Exception) -> int:
    _let_signals_end_it()
    try:
        from importer.cli.defects import explained  # noqa: PLC0415 -- seldom needed

        return _fail(explained(error, None, keys=[os.environ.get("CLARITYQ_API_KEY", "")]))
    except (MemoryError, ImportError, SyntaxError):
        # What explains it does not fit either; a module that is compiled for it has wrong syntax.
        click.echo("Error: there is not enough memory for this", err=True)
        return ExitCode.ABORTED
