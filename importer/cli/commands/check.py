"""`clarityq-import check`: read the input as an import would, and say what it would meet."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from importer.cli.config_file import CONFIG, files_read, with_inputs
from importer.cli.console import messages, output, tell
from importer.cli.help import command, examples, json_flag, option
from importer.cli.options import (
    INPUTS,
    PathName,
    options_from,
    settings_of,
    written,
)
from importer.cli.ratings_draft import write_draft
from importer.common.text import counted, listed, shell_word
from importer.errors import ExitCode, InputError, MissingColumnError, SettingsError
from importer.settings import NO_PRODUCT, ImportSettings
from importer.settings.groups import AbortRules, Pacing, Reading, RowMapping, Target
from importer.settings.places import Place

if TYPE_CHECKING:
    from importer.cli.config_draft import Finish


@command(
    epilog=examples(
        "check ratings.csv",
        "check legacy.csv --encoding cp1252 --column rating=Stars --ratings stars",
        "check ratings.csv --write-ratings ratings.toml",
    )
)
@INPUTS
@option(
    "--write-ratings",
    type=PathName(),
    metavar="FILE.toml",
    help="Draft a rating table from the words that are found.",
)
@option(
    "--write-config",
    type=PathName(),
    metavar="FILE.toml",
    help="Draft a file with the options that the inputs need.",
)
@json_flag("Print what is found as JSON.")
@options_from(Reading, RowMapping)
@options_from(AbortRules, only=("max_rejected",))
@options_from(Pacing, only=("rate",))
@options_from(Target, only=("ca_file", "trust_env"))
@CONFIG
@click.pass_context
def check(
    ctx: click.Context,
    /,
    inputs: tuple[Place, ...],
    write_ratings: Path | None,
    write_config: Path | None,
    *,
    as_json: bool,
    **options: Any,
) -> ExitCode:
    """Validate files without sending anything.

    Exit code 0: every row can be sent. 1: some rows would be rejected, or a draft is written that
    leaves open which column holds what. 2: a file cannot be read. 7: more rows would be rejected
    than --max-rejected allows.
    """
    check_is_new(write_ratings, write_config)
    settings = settings_of({**with_inputs(ctx, options, inputs), "product_id": NO_PRODUCT})
    for file in files_read(ctx):
        messages().print(f"configuration: {file}", soft_wrap=True)
    if write_config is None:
        return _review(settings, write_ratings, None, as_json=as_json)
    from importer.cli.config_draft import draft_config  # noqa: PLC0415 -- seldom needed

    console = messages() if as_json else output()
    given_skip = settings.reading.skip_lines
    settings, finish = draft_config(
        write_config, settings, written(options), console, write_ratings
    )
    if (skip := settings.reading.skip_lines) != given_skip:
        console.print(f"Drafted: the header is in line {skip + 1:,}, so skip_lines is {skip:,}.\n")
    return _review(settings, write_ratings, finish, as_json=as_json)


def check_is_new(*paths: Path | None) -> None:
    """Raise `SettingsError` if one of the files, which are to be written, cannot be a new one."""
    names = [path.absolute() for path in paths if path is not None]
    if len({*names}) < len(names):
        raise SettingsError(f"{names[0].name} cannot be written twice: name two files")
    for path in paths:
        if path is not None and os.path.lexists(path):
            raise SettingsError(f"{path} already exists: remove it or name another file")
        if path is not None and not path.parent.is_dir():
            raise SettingsError(f"{path} cannot be written: there is no folder {path.parent}")


def _review(
    settings: ImportSettings,
    write_ratings: Path | None,
    finish: Finish | None,
    *,
    as_json: bool,
) -> ExitCode:
    """Survey the inputs, print what was found, and draft a rating table if that is asked for.

    `finish` is called with the rating words, also if the inputs cannot be read.
    """
    from importer.cli import findings_view  # noqa: PLC0415 -- --help does without
    from importer.cli.survey_view import print_json, watched_survey  # noqa: PLC0415
    from importer.survey.data_limits import exceeded_limit  # noqa: PLC0415
    from importer.workflows.check_inputs import check_inputs  # noqa: PLC0415

    console = messages() if as_json else output()
    try:
        with watched_survey() as progress:
            found = check_inputs(settings, progress, tell)
    except InputError as error:
        fields = finish({}) if finish is not None else ()
        if not fields or not isinstance(error, MissingColumnError):
            raise
        console.print(
            f"Nothing is checked yet: first decide there which column holds {listed(fields)}."
        )
        if as_json:
            print_json(ExitCode.ROWS_NOT_IMPORTED)
        return ExitCode.ROWS_NOT_IMPORTED
    limit = exceeded_limit(settings.abort_rules, found)
    code = ExitCode.ROWS_NOT_IMPORTED if found.rejected else ExitCode.OK
    if limit is not None:
        code = ExitCode.DATA_LIMIT
    if as_json:
        print_json(code, limit, findings=found.as_json())
    else:
        findings_view.print_findings(found, settings, output())
        findings_view.print_durations(found.valid - found.superseded, settings, output())
        if limit is not None:
            output().print(f"Not to be sent: {limit}.")
    if write_ratings is not None:
        rows = {word: one.rows for word, one in found.words.items()}
        meanings = {word: one.meaning for word, one in found.words.items()}
        tables = [*settings.mapping.ratings.given, str(write_ratings)]
        table_options = " ".join(f"--ratings {shell_word(part)}" for part in tables)
        undecided = write_draft(write_ratings, rows, meanings, table_options)
        todo = f"; decide on {counted(undecided, 'word')} in it" if undecided else ""
        how = f"give it as {table_options}"
        if finish is not None and found.words:
            how = "the configuration names it"
        console.print(f"{write_ratings} is written{todo}, and {how}", soft_wrap=True)
    if finish is not None:
        finish(found.words)
    return code
