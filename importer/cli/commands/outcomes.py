"""`clarityq-import outcomes`: the outcome of every row of a job, as a table."""

from __future__ import annotations

from pathlib import Path

import click

from importer.cli.config_file import CONTEXT
from importer.cli.console import messages
from importer.cli.options import CONFIG, JOBS_DIR, PATH, jobs_folder
from importer.common.text import counted
from importer.jobs.folders import find_job


@click.command(context_settings=CONTEXT)
@CONFIG
@JOBS_DIR
@click.argument("job")
@click.option("-o", "--output", type=PATH, required=True, help="A .csv or .parquet file to write.")
def outcomes(jobs_dir: Path | None, job: str, output: Path) -> None:
    """Write one line for each settled row of JOB, in input order.

    Its columns: seq, file, row, outcome, conversation_id, reason, detail, http_status, attempts,
    updated_at, warning, settled_at.
    """
    folder = find_job(jobs_folder(jobs_dir), job)
    from importer.reporting.outcomes_table import write_outcomes  # noqa: PLC0415 -- heavy

    rows = write_outcomes(folder, output)
    messages().print(f"{counted(rows, 'row')} of {folder.name} written to {output}.")
