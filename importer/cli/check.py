"""`clarityq-import check`: read the input as an import would, and say what it would meet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from importer.cli.configuration import PREFIX
from importer.cli.console import output
from importer.cli.options import INPUTS, NO_PRODUCT, READING, build_settings, with_options
from importer.errors import ExitCode
from importer.normalise import COMMENT_LIMIT, shown
from importer.quantities import counted, format_duration
from importer.settings import ImportSettings, LongComments

if TYPE_CHECKING:
    from importer.inspection import Inspection

#: Requests per second for which the duration is told when no --rate is given.
_RATES = (100.0, 1000.0)
_MOST_WORDS_SHOWN = 30


@click.command(context_settings={"auto_envvar_prefix": PREFIX})
@INPUTS
@with_options(READING)
def check(inputs: tuple[Path, ...], **options: Any) -> ExitCode:
    """Tell what an import of these files would meet. Nothing is sent.

    Exit code 0: every row can be sent. 1: some rows would be rejected. 2: a file cannot be read.
    """
    settings = build_settings(inputs, {**options, "product_id": NO_PRODUCT})
    from importer.inspection import inspect_inputs  # noqa: PLC0415 -- --help does without

    found = inspect_inputs(settings)
    _print(found, settings, output())
    return ExitCode.ROWS_NOT_IMPORTED if found.rejected else ExitCode.OK


def _print(found: Inspection, settings: ImportSettings, console: Console) -> None:
    console.print(
        f"{counted(found.rows, 'row')} read: {found.sendable:,} can be sent, "
        f"{found.rejected:,} would be rejected, {found.skipped:,} skipped."
    )
    _print_problems(found, console)
    _print_words(found, console)
    _print_remarks(found, settings, console)
    rates = (settings.rate,) if settings.rate is not None else _RATES
    for rate in rates:
        console.print(
            f"At {rate:,g} requests/s the import takes about "
            f"{format_duration(found.sendable / rate)}."
        )


def _print_problems(found: Inspection, console: Console) -> None:
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
                str(reason).replace("_", " ") if not place else "",
                f"{problem.rows:,}" if not place else "",
                f"{where}: {example.detail}",
            )
    console.print()
    console.print(table)


def _print_words(found: Inspection, console: Console) -> None:
    if not found.words:
        return
    table = Table("rating", "rows", "becomes", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for word, number in found.words.most_common(_MOST_WORDS_SHOWN):
        meaning = found.meanings[word]
        table.add_row(shown(word), f"{number:,}", str(meaning) if meaning else "rejected")
    console.print()
    console.print(table)
    hidden = len(found.words) - _MOST_WORDS_SHOWN
    if hidden > 0 or found.more_words:
        console.print(f"… and {counted(max(hidden, 1), 'more word')}, or more")
    if None in found.meanings.values():
        console.print(
            "Words that are rejected need a meaning: --ratings thumbs, --ratings stars, or "
            "--ratings 'WORD=POSITIVE' (or NEGATIVE, CLEAR, SKIP), once for each."
        )
    console.print()


def _print_remarks(found: Inspection, settings: ImportSettings, console: Console) -> None:
    if found.long_comments:
        fate = (
            "to be cut (--long-comments truncate)"
            if settings.long_comments is LongComments.TRUNCATE
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
            f"{counted(found.superseded, 'earlier row')} will be superseded. Such are {examples}."
        )
