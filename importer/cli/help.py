"""Commands whose help shows their options in sections, each with its default and variable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from importer.errors import InputError, SettingsError
from importer.settings.option import Group, Option

_Function = TypeVar("_Function", bound=Callable[..., Any])

#: The section of options that are no part of a group.
OWN = "Options"
#: The section that comes last.
OTHER = "Other"


def title_of(group: type[Group]) -> str:
    """Return the title of the section with a group's options."""
    return group.table.replace("_", " ").capitalize()


class CommandOption(click.Option):
    """An option in a section of the help; `declared` is the one of a group that it is made from.

    Without `allow_from_autoenv` it is an argument only: no variable and no file sets it.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        section: str = OWN,
        default_text: str = "",
        declared: Option | None = None,
        **details: Any,
    ) -> None:
        super().__init__(names, **details)
        self.section = section
        self.default_text = default_text
        self.declared = declared

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"CLARITYQ_{(self.name or '').upper()}"

    def get_help_extra(self, ctx: click.Context) -> click.types.OptionHelpExtra:
        """Return what the help says of it in brackets."""
        extra = super().get_help_extra(ctx)
        if self.allow_from_autoenv:
            extra["envvars"] = (self.variable,)
        if self.default_text:
            extra["default"] = self.default_text
        return extra


class _Sections:
    """Writes the options of a command by section."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, options in sections(ctx).items():
            records = filter(None, (option.get_help_record(ctx) for option in options))
            if shown := list(records):  # all of a section may be hidden
                with formatter.section(title):
                    formatter.write_dl(shown)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)


def sections(ctx: click.Context) -> dict[str, list[click.Option]]:
    """Return the options of a context's command by section, in the order of its help."""
    found: dict[str, list[click.Option]] = {}
    for parameter in ctx.command.get_params(ctx):
        if isinstance(parameter, click.Option):
            found.setdefault(getattr(parameter, "section", OTHER), []).append(parameter)
    return {**{title: found[title] for title in found if title != OTHER}, OTHER: found[OTHER]}


class Command(_Sections, click.Command):
    """A command with sections in its help.

    An error of it that names options also names what has set those that are no arguments.
    """

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 -- as click has it
        """See `click.Command`."""
        try:
            return super().invoke(ctx)
        except (InputError, SettingsError) as error:
            from importer.cli.config_file import origins_of, with_origins  # noqa: PLC0415 -- above

            error.args = (with_origins(str(error), origins_of(ctx)),)
            raise


class CommandGroup(_Sections, click.Group):
    """A group of commands with sections in its help."""

    command_class = Command


_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def command(*, cls: type[Command] = Command, **details: Any) -> Callable[[_Function], Command]:
    """Return the decorator `click.command` for a `Command`."""
    return click.command(cls=cls, context_settings=_CONTEXT, **details)


def command_group(**details: Any) -> Callable[[_Function], CommandGroup]:
    """Return the decorator `click.group` for a `CommandGroup`."""
    return click.group(cls=CommandGroup, context_settings=_CONTEXT, **details)


def option(
    *names: str, cls: type[CommandOption] = CommandOption, **details: Any
) -> Callable[[_Function], _Function]:
    """Return the decorator `click.option` for a `CommandOption`."""
    return click.option(*names, cls=cls, **details)


def json_flag(text: str) -> Callable[[_Function], _Function]:
    """Return the decorator for the flag `--json` of a command, an argument only."""
    return option("--json", "as_json", is_flag=True, allow_from_autoenv=False, help=text)


def examples(*lines: str) -> str:
    """Return the end of a command's help: what one may type after the program's name."""
    return "\n".join(["\b", "Examples:", *(f"  clarityq-import {line}" for line in lines)])
