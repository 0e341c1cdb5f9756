"""The options of the commands, and how their values become settings."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from importer.clarityq.api_key import ApiKey
from importer.cli.config_file import load_defaults
from importer.common.durations import format_duration, parse_duration
from importer.errors import SettingsError
from importer.feedback.ratings import RatingTable
from importer.settings import FailureLimit, ImportSettings, InputFormat, LongComments

_Command = TypeVar("_Command", bound=Callable[..., Any])

DEFAULTS = {
    field.name: field.default
    for field in dataclasses.fields(ImportSettings)
    if field.default is not dataclasses.MISSING
}

#: A product for commands that need none to do their work.
NO_PRODUCT = "00000000-0000-0000-0000-000000000000"


class _Parsed(click.ParamType[Any]):
    """A type whose values are read by one function that raises `ValueError`."""

    envvar_list_splitter = ","

    def __init__(self, name: str, parse: Callable[[Any], object]) -> None:
        self.name = name
        self._parse = parse

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _limit(value: object) -> FailureLimit:
    return value if isinstance(value, FailureLimit) else FailureLimit.parse(str(value))


DURATION = _Parsed("duration", parse_duration)
LIST_TEXT = _Parsed("text", str)
PATH = click.Path(path_type=Path)

INPUTS = click.argument("inputs", nargs=-1, required=True, type=PATH, metavar="INPUT...")


def _duration(flag: str, help_text: str) -> Callable[[_Command], _Command]:
    name = flag.removeprefix("--").replace("-", "_")
    default = DEFAULTS[name]
    assert isinstance(default, float)  # noqa: S101 -- a duration of ImportSettings
    return click.option(flag, type=DURATION, show_default=format_duration(default), help=help_text)


CONFIG = click.option(
    "--config", type=PATH, is_eager=True, expose_value=False,
    callback=lambda ctx, _, path: load_defaults(ctx, path),
    help="TOML file with values for these options.  [default: clarityq-import.toml, if it exists]",
)  # fmt: skip
JOBS_DIR = click.option(
    "--jobs-dir", type=PATH, show_default=str(DEFAULTS["jobs_dir"]), help="Folder of the jobs."
)
FAULT = click.option(
    "--fault", "fault", multiple=True, type=LIST_TEXT, metavar="NAME=VALUE",
    help="Fault of the sandbox, such as 5xx=1% or not-completed=5%:10s. Repeatable.",
)  # fmt: skip

READING = (
    CONFIG,
    click.option("--format", type=click.Choice([f.value for f in InputFormat]),
                 help="Format of the inputs.  [default: by their names]"),
    click.option("--delimiter", type=LIST_TEXT,
                 help="Delimiter of CSV files; 'tab' is one too.  [default: detected]"),
    click.option("--encoding", show_default="utf-8", help="Encoding of CSV files."),
    click.option("--column", multiple=True, type=LIST_TEXT, metavar="FIELD=NAME",
                 help="Source column of conversation_id, rating or comment. Repeatable."),
    click.option("--ratings", multiple=True, type=LIST_TEXT, metavar="TABLE",
                 help="What rating words mean: thumbs, stars, WORD=MEANING, or a TOML table. "
                      "Repeatable; later ones win."),
    click.option("--long-comments", type=click.Choice([c.value for c in LongComments]),
                 show_default="reject", help="What becomes of comments over 2,000 characters."),
    click.option("--rate", type=float, help="Most requests per second.  [default: no cap]"),
)  # fmt: skip

SENDING = (
    click.option("--base-url", show_default=str(DEFAULTS["base_url"]),
                 help="Address of the service."),
    click.option("--api-key-file", type=PATH, help="File that holds the API key."),
    click.option("--concurrency", type=int, show_default=str(DEFAULTS["concurrency"]),
                 help="Most requests in flight."),
    _duration("--defer-first", "First wait for a conversation that is not completed."),
    _duration("--defer-max", "Longest wait between two looks at such a conversation."),
    _duration("--defer-for", "How long to wait for such a conversation in all."),
    click.option("--max-failures", type=_Parsed("limit", _limit), metavar="N|N%",
                 help="End the run when so many rows have failed.  [default: never]"),
    click.option("--canary", type=int, metavar="N",
                 help="Rows that go ahead of a new job; if all fail alike, no more are sent.  "
                      "[default: 20 of more than 1,000; 0: none]"),
    click.option("--max-attempts", type=int, show_default=str(DEFAULTS["max_attempts"]),
                 help="Attempts in a row for one row before it fails."),
    _duration("--retry-first", "First wait after a transient failure, at most; then doubled."),
    _duration("--retry-max", "Longest such wait."),
    _duration("--retry-after-max", "Longest Retry-After that is honoured."),
    _duration("--outage-for", "How long a service may be down before the run is aborted."),
    _duration("--connect-timeout", "Longest time to connect."),
    _duration("--read-timeout", "Longest silence while an answer is awaited."),
    _duration("--total-timeout", "Longest time for one attempt in all."),
    _duration("--late-effect", "How long a timed-out request may still take effect."),
    _duration("--grace", "How long requests in flight may take when the run is stopped."),
    click.option("--skip-unchanged", is_flag=True, default=None,
                 help="Send only what differs from what was last stored; keeps a ledger."),
    click.option("--refresh-after", type=DURATION, metavar="DURATION",
                 help="Send unchanged rows again that were stored so long ago.  [default: never]"),
    click.option("--carry-over", is_flag=True, default=None,
                 help="First send what earlier jobs have left over; keeps a ledger."),
    click.option("--max-duration", type=DURATION, metavar="DURATION",
                 help="Stop in good order after so long; run again to go on.  [default: never]"),
    click.option("--wait-for-lock", type=DURATION, metavar="DURATION", show_default="0 s",
                 help="How long to wait for another run of the same job or product to end."),
    click.option("--metrics-file", type=PATH, metavar="FILE",
                 help="Write the run's figures there as a Prometheus text file."),
    click.option("--notify-url", metavar="URL", help="POST the summary there as JSON, at the end."),
    click.option("--telemetry", is_flag=True, default=None,
                 help="Export a trace and metrics with OpenTelemetry (needs the extra otel)."),
    JOBS_DIR,
    click.option("--restart", is_flag=True, default=None,
                 help="Start over, even if an unfinished job could go on."),
    click.option("--ca-file", type=PATH, help="Certificates of an additional CA, in PEM."),
    click.option("--trust-env", is_flag=True, default=None,
                 help="Use the proxies that the environment names."),
)  # fmt: skip


def jobs_folder(given: Path | None) -> Path:
    """Return the folder of the jobs: the one that was given, or the usual one."""
    return given or Path(str(DEFAULTS["jobs_dir"]))


def with_options(
    options: Sequence[Callable[[Any], Any]],
) -> Callable[[_Command], _Command]:
    """Return a decorator that gives a command these options, in this order."""

    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def build_settings(inputs: Sequence[Path], options: dict[str, Any]) -> ImportSettings:
    """Return the settings for the options that were given. Raises `SettingsError`."""
    values = {name: value for name, value in options.items() if value is not None}
    values["columns"] = dict(_pair(text) for text in values.pop("column", ()))
    values["ratings"] = RatingTable.parse(values.pop("ratings", ()))
    if "format" in values:
        values["format"] = InputFormat(values["format"])
    if "long_comments" in values:
        values["long_comments"] = LongComments(values["long_comments"])
    if values.get("delimiter") in ("tab", "\\t"):
        values["delimiter"] = "\t"
    return ImportSettings(inputs=inputs, **values)


def _pair(text: str) -> tuple[str, str]:
    field, equals, name = text.partition("=")
    if not equals or not name.strip():
        raise SettingsError(f"--column {text!r} is not FIELD=NAME, such as rating=stars")
    return field.strip(), name


def find_key(api_key_file: Path | None) -> ApiKey:
    """Return the API key from the file, the environment, or a prompt. Raises `SettingsError`."""
    if api_key_file is not None:
        try:
            return ApiKey(api_key_file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            raise SettingsError(
                f"the file that --api-key-file names cannot be read: {why} "
                "(its name is not shown, in case it is the key itself)"
            ) from None
    if text := os.environ.get("CLARITYQ_API_KEY"):
        return ApiKey(text)
    if sys.stdin.isatty():
        return ApiKey(click.prompt("API key", hide_input=True, err=True))
    raise SettingsError(
        "there is no API key: set CLARITYQ_API_KEY or give --api-key-file "
        "(or try the import with --sandbox, which needs none)"
    )
