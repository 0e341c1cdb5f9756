"""Documents the options from their declarations: `python -m importer.cli.reference docs`.

`options.md` describes the commands and options, `clarityq-import.schema.json` the TOML file.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from importer.cli.app import cli
from importer.cli.config_file import options_below
from importer.cli.help import OTHER, OWN, sections, title_of
from importer.cli.options import RUN_GROUPS
from importer.settings.derive import json_schema, options_of
from importer.settings.kinds import FLAG
from importer.settings.option import REQUIRED, Group, Option

_HEAD = """\
# Commands and options

Made from the program by `python -m importer.cli.reference docs`. [Options](#options) tells how each
can be set; [reference.md](reference.md) explains what is behind them.
"""

_OPTIONS = """\
## Options

Each is set as an argument (`--retry-first 1s`), in the environment (`CLARITYQ_RETRY_FIRST=1s`), or
in a TOML file: flat (`retry_first = "1s"`) or in the table of its group (`[retries] first = "1s"`).
There is a [JSON Schema](clarityq-import.schema.json) of the file. A program writes
`ImportSettings.of(retry_first="1s")`.

Marks: *job*: with another value it is another job. *secret*: kept out of the journal, the report
and messages. *guarded*: not taken from a `clarityq-import.toml` that was merely found in the
working directory.
"""

_VARIABLES = """\
### Variables that are no options

| variable | what it holds |
|---|---|
| `CLARITYQ_API_KEY` | The API key, where no option says that it comes from elsewhere. |
| `CLARITYQ_CONFIG` | The file that `--config` would name. |
| `CLARITYQ_SQL_URL` | The address of the database that `--sql` reads from. |
| `CREDENTIALS_DIRECTORY` | The folder of secrets that systemd makes for `LoadCredential=`. |
| `SSL_CERT_FILE`, `SSL_CERT_DIR` | Certificate authorities in the place of the system's. |
| `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY` | Proxies, used only with `--trust-env`. |
| `NO_COLOR`, `TERM` | No colours; `TERM=dumb` shows lines of progress in place of a live view. |

Object stores, databases and OpenTelemetry read variables of their own: see
[sources.md](sources.md), and `OTEL_` in [L6](reference.md#log-and-other-systems).
"""


def options_page() -> str:
    """Return `options.md`."""
    lines = [_HEAD]
    with _root() as top:
        for ctx in _commands(top):
            lines += _about_command(ctx)
        lines.append(_OPTIONS)
        for group in RUN_GROUPS:
            lines += _about_group(group)
        lines += _about_others(top)
    lines.append(_VARIABLES)
    return "\n".join(lines)


def schema_page() -> str:
    """Return `clarityq-import.schema.json`."""
    with _root() as top:
        others = {
            name: {"description": option.help, **_schema_of(option)}
            for name, option in options_below(top)
            if name not in options_of(RUN_GROUPS) and name != "config"
        }
    return json.dumps(json_schema(RUN_GROUPS, others), indent=2, ensure_ascii=False) + "\n"


def _root() -> click.Context:
    return click.Context(cli, info_name="clarityq-import", **cli.context_settings)


def _commands(parent: click.Context) -> Iterator[click.Context]:
    """Yield a context for each command below the parent's."""
    group = parent.command
    assert isinstance(group, click.Group)  # noqa: S101 -- called for groups only
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        assert command is not None  # noqa: S101 -- it was listed
        with click.Context(command, info_name=name, parent=parent) as ctx:
            yield ctx
            if isinstance(command, click.Group):
                yield from _commands(ctx)


def _about_command(ctx: click.Context) -> list[str]:
    command = ctx.command
    usage = " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)])
    lines = [
        f"## {ctx.command_path.removeprefix('clarityq-import ')}", "",
        f"`{usage}`", "",
        inspect.cleandoc(command.help or ""), "",
        "```sh", *(line.strip() for line in (command.epilog or "").splitlines()[2:]), "```", "",
    ]  # fmt: skip
    found = sections(ctx)
    if own := found.get(OWN):
        lines += _table(own, ctx)
    parts = [
        _part(group, found[title_of(group)]) for group in RUN_GROUPS if title_of(group) in found
    ]
    return [*lines, *([f"Options: {'; '.join(parts)}; `--config`.", ""] if parts else [])]


def _part(group: type[Group], options: list[click.Option]) -> str:
    """Return the link to a group, with those of its options that a command takes if not all."""
    link = f"[{title_of(group)}](#{title_of(group).lower().replace(' ', '-')})"
    if len(options) == sum(bool(option.flag) for option in group.options):
        return link
    return f"{link} ({', '.join(f'`{option.opts[0]}`' for option in options)})"


def _about_others(top: click.Context) -> list[str]:
    """Return the section of what is neither in a group nor a command's own."""
    run = next(ctx for ctx in _commands(top) if ctx.info_name == "run")
    others = [*sections(run)[OTHER], *cli.params]
    shown = [one for one in others if isinstance(one, click.Option) and "--help" not in one.opts]
    return ["### Other", "", *_table(shown, run)]


def _table(options: Iterable[click.Option], ctx: click.Context) -> list[str]:
    lines = ["| option | default | what it does |", "|---|---|---|"]
    for option in options:
        flags, text = option.get_help_record(ctx) or ("", "")
        default = option.get_help_extra(ctx).get("default", "")
        lines.append(_row(f"`{flags}`", default, text.split("  [")[0]))
    return [*lines, ""]


def _about_group(group: type[Group]) -> list[str]:
    lines = [
        f"### {title_of(group)}", "",
        f"{inspect.cleandoc(group.__doc__ or '')} Table `[{group.table}]`.", "",
        "| option | in the table | default | what it does |", "|---|---|---|---|",
    ]  # fmt: skip
    for option in group.options:
        if option.flag:
            flag = f"{option.flag} {option.kind.metavar}".strip()
            default = "required" if option.default is REQUIRED else option.default_text
            if option.kind is FLAG:
                default = "off"
            lines.append(_row(f"`{flag}`", f"`{option.field}`", default, _what(option)))
    return [*lines, ""]


def _what(option: Option) -> str:
    text = option.help
    if option.between is not None:
        text += f" From {option.bounds}."
    marks = [name for name, marked in (("job", option.identity), ("secret", option.secret),
                                       ("guarded", option.guarded)) if marked]  # fmt: skip
    return f"{text} *{', '.join(marks)}*" if marks else text


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _schema_of(option: click.Option) -> dict[str, object]:
    """Return the schema of an option that is a command's own."""
    if option.is_flag:
        return {"type": "boolean"}
    if isinstance(option.type, click.Choice):
        one: dict[str, object] = {"enum": list(option.type.choices)}
        return {"anyOf": [one, {"type": "array", "items": one}]} if option.multiple else one
    return {"type": "integer" if isinstance(option.type, click.types.IntParamType) else "string"}


def main(folder: Path) -> None:
    """Write both files into a folder."""
    (folder / "options.md").write_text(options_page(), "utf-8")
    (folder / "clarityq-import.schema.json").write_text(schema_page(), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
