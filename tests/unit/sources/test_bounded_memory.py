"""A source holds a few of its rows at a time, however many there are and however long they are."""

import gc
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pytest

from importer.sources.base import BATCH_ROWS
from tests.support.data import conversation
from tests.support.kinds import COPIED, open_kind

#: Bytes that reading may hold at a time: far fewer than the table has.
MOST = 16_000_000
HEADER = ("conversation_id", "rating", "comment", "transcript")
LONG = "said this and that. " * 300

pytestmark = pytest.mark.slow


# What is compressed otherwise is read as gzip is; a workbook is held in memory, as is said.
@pytest.mark.parametrize("kind", [".csv", ".csv.gz", ".parquet", ".jsonl", ".json", *COPIED])
def test_memory_does_not_grow_with_the_rows(kind: str, tmp_path: Path) -> None:
    rows = [(conversation(n), "up", f"{n}", f"{n} {LONG}") for n in range(6000)]
    assert sum(len(row[3]) for row in rows) > 2 * MOST
    source = open_kind(kind, tmp_path, HEADER, rows)
    del rows
    next(iter(source.parts(1, BATCH_ROWS)))  # which loads what it needs
    gc.collect()
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    try:
        columns = max(pa.total_allocated_bytes() - before for _ in source.parts(1, BATCH_ROWS))
        objects = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert columns + objects < MOST
