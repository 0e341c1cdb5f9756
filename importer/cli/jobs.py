"""`clarityq-import jobs`: the jobs in the jobs folder and how they ended."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from importer.cli.configuration import PREFIX
from importer.cli.console import output
from importer.cli.options import CONFIG, DEFAULTS, JOBS_DIR
from importer.errors import JournalError
from importer.jobs import is_held, job_folders
from importer.journal.sqlite import SqliteJournal
from importer.model import OutcomeKind, exit_code


@click.command(context_settings={"auto_envvar_prefix": PREFIX})
@CONFIG
@JOBS_DIR
def jobs(jobs_dir: Path | None) -> None:
    """List the jobs with their outcomes, the oldest first."""
    folder = jobs_dir or Path(str(DEFAULTS["jobs_dir"]))
    folders = job_folders(folder)
    if not folders:
        click.echo(f"There are no jobs in {folder}.")
        return
    table = Table("job", "started (UTC)", "state", "exit", "rows", "outcomes", box=None)
    lines = sorted((_line(job) for job in folders), key=lambda line: line[0])
    for _, cells in lines:
        table.add_row(*cells)
    output().print(table)


def _line(folder: Path) -> tuple[float, list[Any]]:
    try:
        journal = SqliteJournal(folder)
    except JournalError as error:
        return 0.0, [folder.name, "", "unreadable", "", "", str(error)]
    try:
        run, totals = journal.last_run(), journal.totals()
    finally:
        journal.close()
    if run is None:
        return 0.0, [folder.name, "", "empty", "", "", ""]
    if run.end is not None:
        state, code = str(run.end), str(int(exit_code(run.end, totals.outcomes)))
    else:
        state, code = ("running" if is_held(folder) else "interrupted"), ""
    counts = ", ".join(f"{totals.outcomes[k]:,} {k}" for k in OutcomeKind if totals.outcomes[k])
    started = datetime.fromtimestamp(run.started_at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return run.started_at, [folder.name, started, state, code, f"{totals.rows:,}", counts]
