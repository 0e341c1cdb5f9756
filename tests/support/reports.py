"""Reports of runs that last longer than a test."""

import sqlite3
from contextlib import closing

from importer.jobs.journal_file import FILE_NAME
from importer.reporting.report import write_report
from importer.reporting.summary import Summary


def lengthened(summary: Summary, moments: int = 30) -> None:
    """Write the job's report anew, as if its latest run had had so many moments."""
    with closing(sqlite3.connect(summary.folder / FILE_NAME)) as journal, journal:
        journal.execute("DELETE FROM moment")
        journal.executemany(
            "INSERT INTO moment VALUES (?, 1.0, ?, 8, 16, 3, 0.004, 0.02, 'nothing', ?)",
            [
                (summary.started_at + n / 1000, 10 * n, f'{{"200": {10 * n}, "503": {n % 3}}}')
                for n in range(moments)
            ],
        )
    write_report(summary)
