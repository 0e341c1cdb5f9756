"""Writes `docs/options.md` from the commands themselves: `python -m importer.cli.reference`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

import click

from importer.cli.app import cli

_HEAD = """\
# Commands and options

Made from the program by `python -m importer.cli.reference > docs/options.md`. Each option can also
be set as `CLARITYQ_OPTION_NAME` and in `clarityq-import.toml` (see [reference.md](reference.md)).
"""


def options_page() -> str:
    """Return the page, in Markdown."""
    with click.Context(cli, info_name="clarityq-import", **cli.context_settings) as top:
        return "\n".join([_HEAD, *_sections(cli, top)])


def _sections(group: click.Group, parent: click.Context) -> Iterator[str]:
    """Yield a section for each command of the group, and for those below it."""
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        assert command is not None  # noqa: S101 -- it was listed
        with click.Context(command, info_name=name, parent=parent) as ctx:
            yield _section(command, ctx)
            if isinstance(command, click.Group):
                yield from _sections(command, ctx)


def _section(command: click.Command, ctx: click.Context) -> str:
    usage = " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)])
    lines = [
        f"## {ctx.command_path.removeprefix('clarityq-import ')}",
        "",
        f"`{usage}`",
        "",
        inspect.cleandoc(command.help or ""),
        "",
        "| option | what it does |",
        "|---|---|",
    ]
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None and isinstance(parameter, click.Option):
            flags, text = (part.replace("|", "\\|") for part in record)
            lines.append(f"| `{flags}` | {' '.join(text.split())} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.stdout.write(options_page())
