"""What a run prints at its end: the outcomes, the verdict, and what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.table import Column, Table

from importer.cli.console import output
from importer.common.durations import format_duration
from importer.common.text import counted, shell_word
from importer.errors import ExitCode
from importer.jobs.commands import ONCE
from importer.model import OutcomeKind, Reason, RunEnd
from importer.reporting.left_overs import REPORT_NAME
from importer.reporting.summary import Summary
from importer.reporting.wording import WARNINGS, next_steps, words
from importer.settings.places import Place

#: In a shorter run, in seconds, what limited the speed is mostly its start.
_LONG_ENOUGH = 5.0


#: Options that concern the inputs and not the left-over files made of them.
NOT_OF_LEFT_OVERS = (
    *ONCE,
    "as_new",
    "limit",
    "format",
    "skip_lines",
    "sheet",
    "sql",
    "in_order",
    "inputs",
)


class Again(NamedTuple):
    """What one types next."""

    #: To go on with the same job, or to begin it again.
    resume: Sequence[str]
    #: With which options a left-over file is imported; None if that is not known.
    options: Sequence[str] | None
    #: The options for `retry`, which has the others from the job.
    of_retry: Sequence[str] = ()

    def import_file(self, path: Path) -> str:
        """Return how to import a left-over file as the inputs were."""
        if self.options is None:
            return "import that file with clarityq-import run"
        return command_line(["run", path_argument(path), *self.options])


def path_argument(path: Place) -> str:
    """Return a path as an argument; one that begins as an option does is named from its folder.

    An address is returned without what may be secret in it.
    """
    text = str(path)
    return f"./{text}" if text.startswith("-") and isinstance(path, Path) else text


def command_line(words: Sequence[str]) -> str:
    """Return what one types in a shell; `$CLARITYQ_…` stays a variable."""
    quoted = (f'"{word}"' if word.startswith("$CLARITYQ_") else shell_word(word) for word in words)
    return " ".join(["clarityq-import", *quoted])


def print_summary(summary: Summary, again: Again) -> None:
    """Print the outcomes, the verdict, and what comes next."""
    table = Table("outcome", Column("rows", justify="right"), "", box=None, pad_edge=False)
    for kind in OutcomeKind:
        reasons = ", ".join(
            f"{number:,} {words(reason)}"
            for (of, reason), number in sorted(summary.reasons.items())
            if of is kind and reason not in (Reason.LATER_ROW, Reason.RATING_SKIPPED)
        )
        table.add_row(str(kind), f"{summary.outcomes[kind]:,}", reasons)
    if summary.not_begun and summary.end is not RunEnd.DATA_LIMIT:
        table.add_row("  not begun", f"{summary.not_begun:,}", "no request was made for them yet")
    table.add_row("total", f"{summary.rows:,}")
    if summary.carried_over:
        table.add_row("  carried over", f"{summary.carried_over:,}", "from earlier jobs")
    table.add_row("conversations", f"{summary.conversations:,}")
    console = output()
    console.print()
    console.print(table)
    console.print()
    seconds = format_duration(max(0.0, summary.ended_at - summary.started_at))
    console.print(
        f"{_verdict(summary)} ({seconds}, {counted(summary.puts, 'PUT')})", soft_wrap=True
    )
    if summary.what_limited and summary.ended_at - summary.started_at > _LONG_ENOUGH:
        console.print(f"What limited the speed: {summary.what_limited}.", soft_wrap=True)
    for warning, number in summary.warnings.items():
        console.print(f"{counted(number, 'row')} {WARNINGS[warning]}.", soft_wrap=True)
    console.print(f"Job folder: {summary.folder}", soft_wrap=True)
    console.print(f"Report: {summary.folder / REPORT_NAME}", soft_wrap=True)
    for line in _next_steps(summary, again):
        console.print(line, soft_wrap=True)


def _verdict(summary: Summary) -> str:
    match summary.end:
        case RunEnd.FINISHED if summary.exit_code is ExitCode.OK:
            return "Done: every row is accounted for and nothing is left to do."
        case RunEnd.FINISHED if summary.exit_code is ExitCode.NOT_COMPLETED:
            return "Done, but for conversations that are not completed."
        case RunEnd.FINISHED:
            return "Done, but some rows were not imported."
        case RunEnd.TIME_BOX | RunEnd.LIMIT:
            return f"Stopped: {summary.message}. Every response so far is recorded."
        case RunEnd.DATA_LIMIT:
            return f"Not sent: {summary.message}."
        case RunEnd.SIGHUP | RunEnd.SIGINT | RunEnd.SIGTERM:
            return "Stopped. Every response so far is recorded."
        case _:
            return f"Aborted: {summary.message}."


def _accepting(again: Again) -> str:
    """Return how one lets the data through."""
    command = command_line(again.resume)
    if again.resume[0] == "batch":  # which has no options of its imports
        return f"write accept-change = true for this import, then {command}"
    return f"{command} --accept-change"


def _is_copied(summary: Summary) -> bool:
    """Return whether an input is no local file."""
    return not all(Path(name).is_absolute() for name in summary.inputs)


def _next_steps(summary: Summary, again: Again) -> list[str]:
    """Return what to do now, as commands to type."""
    same = command_line(again.resume)
    retry = command_line(["retry", path_argument(summary.folder), *again.of_retry])
    return next_steps(
        summary.end, summary.outcomes, summary.reasons, summary.files,
        same=same, accepting=_accepting(again),
        # A retry may be of other rows only, and what was copied is copied anew by its command.
        later=retry if again.resume[0] == "retry" or _is_copied(summary) else same,
        of_file=again.import_file, retry=retry,
    )  # fmt: skip
