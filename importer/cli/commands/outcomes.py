"""`clarityq-import outcomes`: the outcome of every row of a job, as a table."""

from __future__ import annotations

from pathlib import Path

import click

from importer.cli.config_file import CONFIG
from importer.cli.console import messages
from importer.cli.help import command, examples, option
from importer.cli.options import JOBS_DIR, PathName, jobs_folder
from importer.common.text import counted
from importer.jobs.folders import find_job


@command(epilog=examples("outcomes ratings-2026 -o outcomes.parquet"))
@click.argument("job")
@option(
    "-o",
    "--output",
    type=PathName(),
    required=True,
    metavar="FILE",
    help="A .csv or .parquet file to write.",
)
@JOBS_DIR
@CONFIG
def outcomes(jobs_dir: Path | None, job: str, output: Path) -> None:
    """Write one line for each settled row of JOB, in input order.

    Its columns: seq, file, row, outcome, conversation_id, reason, detail, http_status, attempts,
    updated_at, warning, settled_at.
    """
    folder = find_job(jobs_folder(jobs_dir), job)
    from importer.reporting.outcomes_table import write_outcomes  # noqa: PLC0415 -- heavy

    rows = write_outcomes(folder, output)
    messages().print(f"{counted(rows, 'row')} of {folder.name} written to {output}.")
