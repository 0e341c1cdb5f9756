"""`clarityq-import check`: read the input as an import would, and say what it would meet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from importer.cli.commands.ratings_draft import write_draft
from importer.cli.config_file import CONFIG, files_read
from importer.cli.console import messages, output
from importer.cli.help import command, examples, option
from importer.cli.options import INPUTS, NO_PRODUCT, PathName, given, options_from, settings_of
from importer.common.durations import format_duration
from importer.common.text import counted, did_you_mean, shell_word, shown, trimmed
from importer.errors import ExitCode
from importer.feedback.normalise import COMMENT_LIMIT
from importer.feedback.null_markers import is_null_marker
from importer.feedback.ratings import PRESETS, RatingTable
from importer.model import Reason
from importer.reporting.wording import HOW_TO_FIX, words
from importer.settings import ImportSettings, LongComments
from importer.settings.groups import Pacing, Reading, RowMapping

if TYPE_CHECKING:
    from importer.workflows.check_inputs import Findings

#: Requests per second for which the duration is told when no --rate is given.
_RATES = (100.0, 1000.0)
_MOST_WORDS_SHOWN = 30
_MOST_UNKNOWN_SHOWN = 3


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
@options_from(Reading, RowMapping)
@options_from(Pacing, only=("rate",))
@CONFIG
@click.pass_context
def check(
    ctx: click.Context,
    /,
    inputs: tuple[Path, ...],
    write_ratings: Path | None,
    **options: Any,
) -> ExitCode:
    """Validate files without sending anything.

    Exit code 0: every row can be sent. 1: some rows would be rejected. 2: a file cannot be read.
    """
    settings = settings_of({**given(options), "inputs": inputs, "product_id": NO_PRODUCT})
    for file in files_read(ctx):
        messages().print(f"configuration: {file}", soft_wrap=True)
    return review(settings, write_ratings)


def review(settings: ImportSettings, write_ratings: Path | None = None) -> ExitCode:
    """Inspect the inputs, print what was found, and draft a rating table if that is asked for."""
    from importer.workflows.check_inputs import check_inputs  # noqa: PLC0415 -- --help does without

    found = check_inputs(settings)
    console = output()
    _print(found, settings, console)
    if write_ratings is not None:
        undecided = write_draft(write_ratings, found.words, found.meanings)
        todo = f"; decide on {counted(undecided, 'word')} in it" if undecided else ""
        console.print(
            f"{write_ratings} is written{todo}, and give it as "
            f"--ratings {shell_word(str(write_ratings))}"
        )
    return ExitCode.ROWS_NOT_IMPORTED if found.rejected else ExitCode.OK


def _print(found: Findings, settings: ImportSettings, console: Console) -> None:
    console.print(_verdict(found))
    console.print(
        f"{counted(found.rows, 'row')} read: {found.sendable:,} can be sent, "
        f"{found.rejected:,} would be rejected, {found.skipped:,} skipped."
    )
    _print_problems(found, console)
    _print_words(found, settings, console)
    _print_remarks(found, settings, console)
    _print_fixes(found, console)
    if settings.pacing.rate is not None:
        rates: tuple[float, ...] = (settings.pacing.rate,)
    else:
        rates = _RATES if found.sendable else ()
    for rate in rates:
        console.print(
            f"At {rate:,g} requests/s the import takes about "
            f"{format_duration(found.sendable / rate)}."
        )


def _verdict(found: Findings) -> str:
    if not found.rejected:
        return "Ready: every row can be sent or is to be skipped."
    if not found.sendable:
        return "Not ready: no row can be sent. See below what to fix."
    return "Not quite ready: some rows would be rejected. See below what to fix."


def _print_problems(found: Findings, console: Console) -> None:
    if not found.problems:
        return
    several = len({e.file for p in found.problems.values() for e in p.examples}) > 1
    table = Table("rejected because", "rows", "for example", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for reason, problem in sorted(found.problems.items(), key=lambda item: -item[1].rows):
        for place, example in enumerate(problem.examples):
            where = f"row {example.row:,}"
            if example.line is not None:
                where += f" (line {example.line:,})"
            if several:
                where = f"{example.file} {where}"
            table.add_row(
                words(reason) if not place else "",
                f"{problem.rows:,}" if not place else "",
                f"{where}: {example.detail}",
            )
    console.print()
    console.print(table)


def _print_words(found: Findings, settings: ImportSettings, console: Console) -> None:
    if not found.words:
        return
    table = Table("rating", "rows", "becomes", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for word, number in found.words.most_common(_MOST_WORDS_SHOWN):
        meaning = found.meanings[word]
        fate = str(meaning) if meaning else f"rejected{_nearest(word, settings)}"
        table.add_row(shown(word), f"{number:,}", fate)
    console.print()
    console.print(table)
    hidden = len(found.words) - _MOST_WORDS_SHOWN
    if hidden > 0 or found.more_words:
        console.print(f"… and {counted(max(hidden, 1), 'more word')}, or more")
    console.print()


def _print_remarks(found: Findings, settings: ImportSettings, console: Console) -> None:
    for remark in found.remarks:
        console.print(remark, soft_wrap=True)
    if found.long_comments:
        fate = (
            "to be cut (--long-comments truncate)"
            if settings.mapping.long_comments is LongComments.TRUNCATE
            else "to be rejected (--long-comments truncate would cut instead)"
        )
        console.print(
            f"{counted(found.long_comments, 'comment')} over {COMMENT_LIMIT:,} characters, {fate}."
        )
    if found.comment_only:
        console.print(
            f"{counted(found.comment_only, 'row')} with a comment only: sending one erases the "
            "rating that the conversation may have, since feedback is replaced as a whole."
        )
    if found.repeated_conversations:
        examples = ", ".join(
            f"{text} ({number:,} rows)" for text, number in found.repeated_examples
        )
        console.print(
            f"{counted(found.repeated_conversations, 'conversation')} of {found.conversations:,} "
            "with more than one row. The last row of each wins: "
            f"{counted(found.superseded, 'earlier row')} will be superseded. "
            f"For example: {examples}."
        )
    if found.remarks or found.long_comments or found.comment_only or found.repeated_conversations:
        console.print()


def _print_fixes(found: Findings, console: Console) -> None:
    """Print what to do about each problem, as text that can be pasted."""
    if not found.problems:
        return
    console.print("To fix:")
    for reason, _ in sorted(found.problems.items(), key=lambda item: -item[1].rows):
        step = _fix_ratings(found) if reason is Reason.UNKNOWN_RATING else HOW_TO_FIX[reason]
        console.print(f"- {words(reason)}: {step}", soft_wrap=True)
    console.print()


def _fix_ratings(found: Findings) -> str:
    """Return how to make unknown words known. SKIP is not proposed: it drops comments as well."""
    unknown = [word for word, meaning in found.meanings.items() if meaning is None]
    options = []
    known = {preset: _words_known_by(preset, unknown) for preset in PRESETS}
    preset = max(known, key=lambda name: len(known[name]))
    if 2 * len(known[preset]) > len(unknown):
        options.append(f"--ratings {preset}")
        unknown = [word for word in unknown if word not in known[preset]]
    nulls = dict.fromkeys(trimmed(word) for word in unknown if is_null_marker(word))
    options += [f"--null {shell_word(word)}" for word in nulls]
    unknown = [word for word in unknown if not is_null_marker(word)]
    steps = [f"add {' '.join(options)}"] if options else []
    if unknown:
        more = " and others" if len(unknown) > _MOST_UNKNOWN_SHOWN else ""
        words_shown = ", ".join(shown(trimmed(word)) for word in unknown[:_MOST_UNKNOWN_SHOWN])
        steps.append(
            f"give {words_shown}{more} a meaning: "
            "--write-ratings ratings.toml drafts a table of all words (POSITIVE, NEGATIVE, CLEAR "
            "for no rating, or SKIP, which leaves out the comments of these rows as well)"
        )
    return ", and ".join(steps)


def _words_known_by(preset: str, words: list[str]) -> list[str]:
    table = RatingTable.parse([preset])
    return [word for word in words if table.meaning(word)]


def _nearest(word: str, settings: ImportSettings) -> str:
    known = [known.upper() for known in settings.mapping.ratings.words]
    return did_you_mean(word.strip().upper(), known, cutoff=0.75)
