"""What a run prints at its end: the outcomes, the verdict, and what comes next."""

from __future__ import annotations

from rich.table import Column, Table

from importer.cli.console import output
from importer.common.durations import format_duration
from importer.common.text import counted, sentence
from importer.model import OutcomeKind, Reason, RunEnd
from importer.reporting.left_overs import REPORT_NAME
from importer.reporting.summary import Summary
from importer.reporting.wording import WARNINGS, words

#: In a shorter run, in seconds, what limited the speed is mostly its start.
_LONG_ENOUGH = 5.0


def print_summary(summary: Summary) -> None:
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
    if summary.not_carried_over:
        told = "left over from earlier jobs, and too old (--carry-over-for)"
        table.add_row("not carried over", f"{summary.not_carried_over:,}", told)
    table.add_row("conversations", f"{summary.conversations:,}")
    console = output()
    console.print()
    console.print(table)
    console.print()
    seconds = format_duration(max(0.0, summary.ended_at - summary.started_at))
    puts = counted(summary.puts, "PUT")
    if summary.outcomes[OutcomeKind.PENDING] or summary.runs > 1:
        seconds += " for this run"
        puts += " for all rows that are done"
    console.print(f"{summary.verdict} ({seconds}, {puts})", soft_wrap=not console.is_terminal)
    if summary.what_limited and summary.ended_at - summary.started_at > _LONG_ENOUGH:
        console.print(f"What limited the speed: {summary.what_limited}.", soft_wrap=True)
    for warning, number in summary.warnings.items():
        console.print(f"{counted(number, 'row')} {WARNINGS[warning]}.", soft_wrap=True)
    for remark in summary.remarks:
        console.print(sentence(remark), soft_wrap=True)
    if summary.label is not None:
        console.print(f"Label: {summary.label}", soft_wrap=True)
    console.print(f"Job folder: {summary.folder}", soft_wrap=True)
    console.print(f"Report: {summary.folder / REPORT_NAME}", soft_wrap=True)
    for step in summary.next_steps:
        console.print(str(step), soft_wrap=True)
