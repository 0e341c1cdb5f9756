"""A source holds a few of its rows at a time, however many there are and however long they are."""

import gc
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from importer.settings import ImportSettings
from importer.sources.base import BATCH_ROWS
from importer.sources.registry import open_source
from tests.support.data import PRODUCT, conversation
from tests.support.kinds import COPIED, open_kind

#: Bytes that reading may hold at a time: far fewer than the table has.
MOST = 16_000_000
HEADER = ("conversation_id", "rating", "comment", "transcript")
LONG = "said this and that. " * 300

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _without_collector() -> Iterator[None]:
    """The command lets it run seldom: what it would free by then may be all of a file."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


# What is compressed otherwise is read as gzip is; a workbook is held in memory, as is said.
@pytest.mark.parametrize("kind", [".csv", ".csv.gz", ".parquet", ".jsonl", ".json", *COPIED])
def test_memory_does_not_grow_with_the_rows(kind: str, tmp_path: Path) -> None:
    rows = [(conversation(n), "up", f"{n}", f"{n} {LONG}") for n in range(6000)]
    assert sum(len(row[3]) for row in rows) > 2 * MOST
    source = open_kind(kind, tmp_path, HEADER, rows)
    del rows
    next(iter(source.parts(1, BATCH_ROWS)))  # which loads what it needs
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    try:
        columns = max(pa.total_allocated_bytes() - before for _ in source.parts(1, BATCH_ROWS))
        objects = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert columns + objects < MOST


def test_what_was_read_needs_no_collector_to_go(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    said = [LONG, f'{LONG}, "so" he said']
    lines = [f"{conversation(n)},up,{said[n % 2]}\n" for n in range(2000)]
    path.write_text("conversation_id,rating,comment\n" + "".join(lines))
    assert path.stat().st_size > 10_000_000
    source = open_source(path, ImportSettings.of(inputs=[path], product_id=PRODUCT))
    tracemalloc.start()
    try:
        assert sum(1 for _ in source.parts(1, BATCH_ROWS))
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()


def test_names_of_members_that_are_no_columns_do_not_stay(tmp_path: Path) -> None:
    path = tmp_path / "keyed by ids.jsonl"
    with path.open("w") as file:
        for n in range(10_200):
            late = {f"m{n}-{m}": 1 for m in range(1000)} if n >= 10_000 else {}
            file.write(json.dumps({"conversation_id": conversation(n), "rating": "up", **late}))
            file.write("\n")
    source = open_source(path, ImportSettings.of(inputs=[path], product_id=PRODUCT))
    tracemalloc.start()
    try:
        assert sum(1 for _ in source.parts(1, BATCH_ROWS))
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()
    assert "m10000-0, m10000-1, m10000-10," in source.remarks()[-1]
    assert "(in 200,000 places)" in source.remarks()[-1]
