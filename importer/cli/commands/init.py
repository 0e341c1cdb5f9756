"""`clarityq-import init`: ask what an import needs, and write it into `clarityq-import.toml`."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from importer.cli.commands.check import check_is_new
from importer.cli.config_file import DEFAULT_FILE
from importer.cli.help import command, examples, option
from importer.cli.options import INPUTS, PathName
from importer.common.text import counted, folded_name, shell_word, shown, trimmed
from importer.common.uuids import canonical_uuid
from importer.errors import InputError, SettingsError
from importer.feedback.null_markers import is_null_marker
from importer.feedback.ratings import PRESETS, RatingTable
from importer.model import Meaning
from importer.settings import FIELDS, NO_PRODUCT, ImportSettings
from importer.survey.findings import Word

if TYPE_CHECKING:
    from importer.workflows.draft import Draft

_NONE = "none"
_LATER = "later"
_YES, _NO = "yes", "no"
_MOST_WORDS = 20


@command(epilog=examples("init ratings.csv"))
@INPUTS
@option(
    "--write-config",
    type=PathName(),
    metavar="FILE.toml",
    default_text=str(DEFAULT_FILE),
    help="File to write.",
)
def init(inputs: tuple[Path, ...], write_config: Path | None) -> None:
    """Ask what an import of the files needs, and write it into a file of options.

    The questions are about product, columns, ratings and schedule. Nothing is sent, and no existing
    file is changed. Without a terminal: check --write-config.
    """
    if not _is_terminal():
        raise SettingsError(
            "init asks questions, and there is no terminal: use check --write-config FILE.toml"
        )
    path = write_config or DEFAULT_FILE
    check_is_new(path)
    from importer.cli.config_draft import NO_LIKELY_ENCODING  # noqa: PLC0415 -- heavy
    from importer.cli.config_draft import write_config as write  # noqa: PLC0415
    from importer.sources.columns import check_own_names  # noqa: PLC0415
    from importer.workflows.check_inputs import check_inputs  # noqa: PLC0415
    from importer.workflows.draft import draft_for  # noqa: PLC0415

    settings = ImportSettings.of(inputs=inputs, product_id=NO_PRODUCT)
    draft = draft_for(settings)
    check_own_names(str(inputs[0]), draft.header)
    values: dict[str, object] = {"product_id": _product()}
    if draft.encoding is not None:
        if not draft.encoding:
            click.echo(f"The encoding is not clear: {NO_LIKELY_ENCODING}.", err=True)
        values["encoding"] = _ask("Encoding of the file", draft.encoding or None, _encoding)
        draft.encoding = None
    if draft.skip_lines is not None:
        values["skip_lines"] = draft.skip_lines
        click.echo(
            f"The header seems to be in line {draft.skip_lines + 1:,}: what is above it is no part "
            "of the table.",
            err=True,
        )
    values["column"] = _columns(draft)
    draft.candidates.clear()
    settings = settings.replace(**values)
    click.echo("Reading the input …", err=True)
    try:
        found = check_inputs(settings)
    except InputError:
        write(path, inputs, {name: value for name, value in values.items() if value}, draft, {})
        click.echo(f"{path} is written with the answers so far.", err=True)
        raise
    values["null"] = nulls = _nulls(found.words)
    words = {word: one for word, one in found.words.items() if trimmed(word) not in nulls}
    values["ratings"] = ratings = _ratings(words)
    table = RatingTable.parse(ratings)
    draft.nulls.clear()
    words = {word: Word(one.rows, table.meaning(word)) for word, one in words.items()}
    chosen = {name: value for name, value in values.items() if value}
    undecided = write(path, inputs, chosen, draft, words)
    at = _ask("Every night at (HH:MM, or none)", _NONE, _time)
    _say_what_is_next(path, inputs, undecided, at)


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _ask(question: str, default: str | None, read: Callable[[str], str]) -> str:
    """Ask until there is an answer that can be used."""
    answer: str = click.prompt(question, default=default, value_proc=read, err=True)
    return answer


def _product() -> str:
    def read(text: str) -> str:
        if (product := canonical_uuid(text)) is None:
            raise click.UsageError("that is not a UUID: copy it from the dashboard")
        return product

    return _ask("Product (its UUID, from the dashboard)", None, read)


def _encoding(text: str) -> str:
    try:
        "".encode(text)
    except LookupError:
        raise click.UsageError("that is not known: try utf-8, cp1252 or utf-16") from None
    return text


def _columns(draft: Draft) -> dict[str, str]:
    """Return the source columns of the fields that have another name there."""
    click.echo(f"The columns are {', '.join(map(shown, draft.header))}.", err=True)
    who, *others = FIELDS
    columns = {who: _column(who, draft)}
    while True:
        found = {field: _column(field, draft) for field in others}
        if any(found.values()):
            break
        click.echo(f"Error: one of both is needed, {' or '.join(others)}", err=True)
    columns |= found
    return {field: name for field, name in columns.items() if name and folded_name(name) != field}


def _column(field: str, draft: Draft) -> str:
    """Ask for the source column of a field; nothing means that there is none."""
    is_needed = field == FIELDS[0]

    def read(text: str) -> str:
        if text == _NONE and not is_needed:
            return ""
        names = [name for name in draft.header if folded_name(name) == folded_name(text)]
        if not names:
            raise click.UsageError("there is no such column")
        if len(names) > 1:
            raise click.UsageError(
                f"there are {len(names)} such columns: give each a name of its own in the file"
            )
        if is_needed and draft.with_ids and names[0] not in draft.with_ids:
            raise click.UsageError("none of its first values is a UUID")
        return names[0]

    own = next((name for name in draft.header if folded_name(name) == field), None)
    likely = draft.candidates.get(field, ())
    usual = own or draft.columns.get(field) or (likely[0] if len(likely) == 1 else None)
    return _ask(f"Column of the {field}", usual if usual or is_needed else _NONE, read)


def _nulls(words: Mapping[str, Word]) -> list[str]:
    """Return the words that stand for no value at all."""
    unknown = [word for word, one in words.items() if one.meaning is None and is_null_marker(word)]
    if not unknown:
        return []
    counts = ", ".join(f"{shown(word)} ({words[word].rows:,})" for word in unknown)
    question = f"Does {counts} mean that there is no rating or comment (yes, no)"
    means_nothing = _ask(question, _YES, _one_of((_YES, _NO))) == _YES
    return [*dict.fromkeys(map(trimmed, unknown))] if means_nothing else []


def _ratings(words: Mapping[str, Word]) -> list[str]:
    """Return what the words mean, as `--ratings` takes it."""
    unknown = [word for word, one in words.items() if one.meaning is None]
    if not unknown:
        return []
    counts = ", ".join(f"{shown(word)} ({words[word].rows:,})" for word in unknown[:_MOST_WORDS])
    click.echo(f"Rating words without a meaning, with their rows: {counts}.", err=True)
    preset = _ask(
        f"Do they mean {' or '.join(PRESETS)}, or {_NONE} of these",
        _preset_for(unknown), _one_of((*PRESETS, _NONE)),
    )  # fmt: skip
    parts = [] if preset == _NONE else [preset]
    table = RatingTable.parse(parts)
    choices = (*(str(meaning) for meaning in Meaning), _LATER)
    left = (word for word in unknown if table.meaning(word) is None)
    for word in [*dict.fromkeys(map(table.entry_for, left))][:_MOST_WORDS]:
        if table.meaning(word) is not None:
            continue  # also what is another spelling of a word before
        meaning = _ask(f"{shown(word)} means {', '.join(choices)}", _LATER, _one_of(choices))
        if meaning != _LATER:
            parts.append(f"{word}={meaning}")
            table = RatingTable.parse(parts)
    return parts


def _preset_for(unknown: Sequence[str]) -> str:
    from importer.feedback.ratings import preset_for  # noqa: PLC0415

    return preset_for(unknown) or _NONE


def _one_of(choices: Sequence[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        for choice in choices:
            if choice.casefold() == text.strip().casefold():
                return choice
        raise click.UsageError(f"answer {', '.join(choices)}")

    return read


def _time(text: str) -> str:
    if text.strip().casefold() in ("", _NONE):
        return ""
    if not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", text.strip(), re.ASCII):
        raise click.UsageError("write a time such as 02:30, or none")
    return text.strip()


def _say_what_is_next(path: Path, inputs: Sequence[Path], undecided: int, at: str) -> None:
    todo = f": decide on {counted(undecided, 'line')} in it, now a comment" * bool(undecided)
    config = "" if path == DEFAULT_FILE else f" --config {shell_word(str(path))}"
    names = " ".join(shell_word(str(one)) for one in inputs)
    click.echo(f"\n{path} is written{todo}. Then, from this folder:")
    for command_line, what in (
        (f"clarityq-import check {names}{config}", "what an import would meet"),
        (f"clarityq-import run {names}{config} --sandbox", "a rehearsal"),
        (f"clarityq-import doctor {names}{config}", "key, service, limits"),
        (f"clarityq-import run {names}{config}", "the import itself"),
    ):
        click.echo(f"  {command_line}    # {what}")
    if at:
        hour, minute = at.split(":")
        # cron's PATH does not hold it.
        program = Path(sys.executable).with_name("clarityq-import")
        program = program if program.exists() else Path(program.name)
        command_line = (
            f"cd {shell_word(str(Path.cwd()))} && {shell_word(str(program))} run {names}{config} "
            "--api-key-file key --skip-unchanged --carry-over --quiet"
        ).replace("%", "\\%")
        click.echo("\nFor `crontab -e`, with the key in a file that only you may read:")
        click.echo(f"{int(minute)} {int(hour)} * * * {command_line}")
        click.echo(
            "If each night's export has a name of its own, put the date into it: $(date +\\%F)."
        )
