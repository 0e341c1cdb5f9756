"""Other systems are told as well of a run that does not even begin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from importer.cli import help as command_help
from importer.cli.console import messages
from importer.cli.options import given
from importer.errors import ImporterError, SettingsError
from importer.reporting.exporters.http_post import Network
from importer.settings.derive import build
from importer.settings.groups import Exports, Reading, Target
from importer.settings.option import Group
from importer.workflows.publish import Audience, Telling


class ToldCommand(command_help.Command):
    """A command that tells other systems as well if its options cannot be used."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """See `click.Command`."""
        words = list(args)  # click takes what it has read out of `args`
        try:
            return super().make_context(info_name, args, parent, **extra)
        except (click.UsageError, ImporterError):
            readable = click.Context(
                self, parent, info_name, resilient_parsing=True, ignore_unknown_options=True
            )
            self.parse_args(readable, words)
            with failure_told(given(readable.params)):
                raise


@contextmanager
def failure_told(values: Mapping[str, object]) -> Iterator[None]:
    """Tell those that the options name (by flat name) if the block, which precedes a run, raises.

    An option that is wrong itself counts as not given. A dry run is no run.
    """
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        if not values.get("dry_run"):
            for problem in Telling(_audience(values)).failed(_cause(error)):
                messages().print(problem, soft_wrap=True)
        raise


def _cause(error: BaseException) -> BaseException:
    """Return the exception that means the same without click."""
    if isinstance(error, click.ClickException):
        return SettingsError(error.format_message())
    return KeyboardInterrupt() if isinstance(error, click.Abort) else error


def _audience(values: Mapping[str, object]) -> Audience:
    target, reading = _readable(Target, values), _readable(Reading, values)
    exports = build(Exports, _readable(Exports, values))
    network = Network(bool(target.get("trust_env")), target.get("ca_file"))
    service = "sandbox" if target.get("sandbox") else target.get("base_url", "")
    inputs = [str(path) for path in reading.get("inputs", ())]
    return Audience(exports, network, target.get("product_id", ""), service, inputs)


def _readable(group: type[Group], values: Mapping[str, object]) -> dict[str, Any]:
    """Return those of the values that belong to a group and can be read, by flat name."""
    read: dict[str, Any] = {}
    for option in group.options:
        if option.name in values:
            try:
                read[option.name] = option.read(values[option.name])
            except ValueError:
                continue
    return read
