"""The rows that earlier jobs have left over, as the first input of a new job."""

from __future__ import annotations

import csv
from pathlib import Path

from importer.common.files import private_opener
from importer.jobs.ledger import Ledger
from importer.settings import FIELDS, ImportSettings

#: The name of that input, in the job's own folder.
CARRIED_OVER = "carried_over.csv"


def write_carried_over(path: Path, ledger: Ledger, settings: ImportSettings) -> bool:
    """Write what the ledger knows to be left over to `path`; return whether there is any.

    The columns have the names that they have in the other inputs; the ratings are the API's words.
    """
    with open(
        path, "w", encoding="utf-8", errors="surrogatepass", newline="", opener=private_opener
    ) as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow([settings.mapping.columns.get(field, field) for field in FIELDS])
        any_rows = False
        for cells in ledger.left_overs():
            writer.writerow(cells)
            any_rows = True
    if not any_rows:
        path.unlink()
    return any_rows
