"""`clarityq-import outcomes`: the outcome of every row of a job, as a table."""

from __future__ import annotations

from pathlib import Path

import click

from importer.cli.config_file import CONFIG
from importer.cli.console import messages
from importer.cli.console import output as console
from importer.cli.help import command, examples, option
from importer.cli.options import JOBS_DIR, PathName, jobs_folder
from importer.common.text import counted
from importer.errors import ExitCode, SettingsError
from importer.jobs.find_job import find_job
from importer.jobs.journal_file import FILE_NAME


@command(
    epilog=examples(
        "outcomes ratings-2026 -o outcomes.parquet",
        "outcomes --verify archive/summary.json",
    )
)
@click.argument("job", required=False)
@option(
    "-o",
    "--output",
    type=PathName(),
    metavar="FILE",
    help="A .csv or .parquet file to write.",
    default_text="needed, but with --verify",
)
@option(
    "--canonical",
    is_flag=True,
    help="Write the form of which the report and summary.json hold the SHA-256.",
)
@option(
    "--verify",
    type=PathName(),
    metavar="SUMMARY",
    help="Say whether the inputs and outcomes of a job are still those of this summary.json.",
    default_text="a table is written",
)
@JOBS_DIR
@CONFIG
def outcomes(
    jobs_dir: Path | None,
    job: str | None,
    output: Path | None,
    verify: Path | None,
    *,
    canonical: bool,
) -> ExitCode:
    """Write one line for each row of JOB that is not pending, in input order.

    Its columns: seq, file, row, outcome, conversation_id, reason, detail, http_status, attempts,
    updated_at, warning, settled_at. With --verify, JOB is the one that SUMMARY names, unless it is
    given.
    """
    if verify is not None:
        if output is not None or canonical:
            raise SettingsError("--verify writes nothing: leave out --output and --canonical")
        return _verified(jobs_folder(jobs_dir), job, verify)
    if job is None or output is None:
        raise click.UsageError("name a JOB and a file to write (-o FILE), or a summary to --verify")
    folder = find_job(jobs_folder(jobs_dir), job)
    if canonical:
        from importer.reporting.digests import write_canonical  # noqa: PLC0415 -- seldom needed

        rows = write_canonical(folder, output)
    else:
        from importer.reporting.outcomes_table import write_outcomes  # noqa: PLC0415 -- heavy

        rows = write_outcomes(folder, output)
    messages().print(f"{counted(rows, 'row')} of {folder.name} written to {output}.")
    return ExitCode.OK


def _verified(jobs_dir: Path, job: str | None, summary: Path) -> ExitCode:
    from importer.workflows.verify import (  # noqa: PLC0415 -- heavy, seldom needed
        Agreement,
        read_summary,
        verify,
    )

    named, digests = read_summary(summary)
    beside = summary.absolute().parent
    if job is None and beside.name == named and (beside / FILE_NAME).is_file():
        folder = beside
    else:
        folder = find_job(jobs_dir, job or named)
    code = ExitCode.OK
    for found in verify(folder, digests):
        because = f" ({found.detail})" if found.detail else ""
        console().print(f"{found.agreement}: {found.what}{because}", soft_wrap=True)
        if found.agreement is not Agreement.SAME:
            code = ExitCode.ROWS_NOT_IMPORTED
    return code
