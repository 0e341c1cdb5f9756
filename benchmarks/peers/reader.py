"""The importer's own reader without the rest of a run, or `check`; also without its quick tier.

usage: reader FILE check|run quick|exact. The command prints the CPU seconds of the work alone.
"""

from __future__ import annotations

import gc
import sys
import time
from pathlib import Path

from benchmarks.bench import PRODUCT
from importer.common.row_set import RowSet
from importer.engine.reader import Input, read_rows
from importer.feedback.normalise import Normaliser
from importer.settings import ImportSettings
from importer.sources import base
from importer.sources.csv import file as csv_file
from importer.sources.parquet import file as parquet_file
from importer.sources.registry import open_source
from importer.workflows.check_inputs import check_inputs


def _main(path: Path, what: str, way: str) -> None:
    if way == "exact":
        for module in (base, csv_file, parquet_file):
            module.BY_COLUMN_FROM = 1 << 62  # type: ignore[attr-defined]
    gc.set_threshold(100_000)  # as the command does
    settings = ImportSettings.of(inputs=[path], product_id=PRODUCT)
    began = time.process_time()
    if what == "check":
        rows = check_inputs(settings).rows
    else:
        inputs = [Input(open_source(path, settings), Normaliser(settings.mapping.ratings))]
        rows = sum(len(batch) for batch in read_rows(inputs, RowSet()))
    sys.stdout.write(f"{rows} {time.process_time() - began:.3f}\n")


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
