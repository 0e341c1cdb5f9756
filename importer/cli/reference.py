"""Writes `docs/options.md` from the commands themselves: `python -m importer.cli.reference`."""

from __future__ import annotations

import inspect
import sys

import click

from importer.cli.main import cli

_HEAD = """\
# Commands and options

Made from the program by `python -m importer.cli.reference > docs/options.md`. Each option can also
be set as `CLARITYQ_OPTION_NAME` and in `clarityq-import.toml` (see [reference.md](reference.md)).
"""


def options_page() -> str:
    """Return the page, in Markdown."""
    parts = [_HEAD]
    with click.Context(cli, info_name="clarityq-import") as top:
        for name in cli.list_commands(top):
            command = cli.get_command(top, name)
            assert command is not None  # noqa: S101 -- it was listed
            with click.Context(command, info_name=name, parent=top) as ctx:
                parts.append(_section(command, ctx))
    return "\n".join(parts)


def _section(command: click.Command, ctx: click.Context) -> str:
    usage = " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)])
    lines = [
        f"## {command.name}",
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
