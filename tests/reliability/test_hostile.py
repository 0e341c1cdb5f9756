"""Hostile input: whatever it holds, it arrives as it is or is rejected, and breaks nothing."""

from __future__ import annotations

import csv
import gzip
import io
import random
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from importer.api import run_import
from importer.errors import InputError
from importer.model import OutcomeKind
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings
from importer.sources.registry import open_source
from tests.support.data import PRODUCT, conversation, write_csv
from tests.support.mutations import mutate

Make = Callable[..., ImportSettings]

HOSTILE = [
    "=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\tx", "\x00nul", "\x1b[2J\x1b]0;title\x07",
    "\u202eevil\u202c", "\u2066x\u2069", "a\u0000b", "\ufeffmark", "\u2028line\u2029", "\x85",
    "\r", "\r\n\r\n", '"', '""', '";', "'; DROP TABLE", "<script>alert(1)</script>", "\ud83d",
    "Z\u0351\u036b\u0343", "\U0010ffff", "\ufffe", "NaN", "null", "None", "1e999", "0" * 2000,
]  # fmt: skip
#: A lone surrogate is no character: it cannot be written in UTF-8, so no file holds one as text.
WRITABLE = [text for text in HOSTILE if not text.startswith("\ud83d")]


@pytest.mark.anyio
@pytest.mark.parametrize("form", ["csv", "parquet"])
async def test_hostile_comments_arrive_as_they_are(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path, form: str
) -> None:
    comments = [text for text in WRITABLE if text.strip()]
    rows = [(conversation(n), "POSITIVE", text) for n, text in enumerate(comments)]
    path = tmp_path / f"in.{form}"
    if form == "csv":
        write_csv(path, rows)
    else:
        columns = zip(
            ("conversation_id", "rating", "comment"), zip(*rows, strict=True), strict=True
        )
        pq.write_table(pa.table({name: list(cells) for name, cells in columns}), path)
    summary = await run_import(settings_for(path, base_url=sandbox.url), api_key="any")
    assert summary.outcomes[OutcomeKind.SUCCEEDED] == len(rows)
    assert [sandbox.feedback[who].comment for who, _, _ in rows] == comments


def test_hostile_cells_and_names_do_not_reach_the_terminal_raw(tmp_path: Path) -> None:
    path = tmp_path / "in \x1b[31m\u202e.csv"
    header = ["conversation_id", "rating", "comment", "\x1b[2J\u202e"]
    rows = [(text, text, text, text) for text in WRITABLE]
    rows += [(conversation(1), text, text, text) for text in WRITABLE]
    write_csv(path, rows, header)
    for command in (
        ["check", str(path)],
        ["run", str(path), "--product-id", PRODUCT, "--sandbox"],
        ["run", str(path), "--product-id", PRODUCT, "--sandbox", "--log-format", "json"],
        ["check", str(path), "--column", "rating=nothing"],
        ["jobs"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "importer", *command], capture_output=True, check=False
        )
        shown = (done.stdout + done.stderr).decode()
        assert "Traceback" not in shown
        raw = {character for character in shown if not character.isprintable()} - {"\n"}
        assert not raw, (command, raw)

    (left_over,) = Path("clarityq-jobs").glob("*-1/rejected.csv")
    with left_over.open(newline="", encoding="utf-8") as file:
        copies = [tuple(row[:4]) for row in csv.reader(file)]
    assert copies[0] == tuple(header)
    assert Counter(copies[1:]) <= Counter(rows), "the cells are the originals'"


def sources() -> list[tuple[str, bytes]]:
    """Return small valid files, by name, that the fuzzer starts from."""
    rows = [(conversation(n), "POSITIVE", text) for n, text in enumerate(WRITABLE)]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("conversation_id", "rating", "comment"), *rows])
    ids = [bytes.fromhex(who.replace("-", "")) for who, _, _ in rows]
    files = [
        ("in.csv", text.getvalue().encode()),
        ("in.csv.gz", gzip.compress(text.getvalue().encode())),
    ]
    for columns, compression in [
        ({"conversation_id": [who for who, _, _ in rows], "comment": WRITABLE}, "snappy"),
        ({"conversation_id": pa.array(ids, pa.binary(16)), "rating": [True] * len(ids)}, "none"),
        ({"conversation_id": pa.array(ids), "rating": [1.0] * len(ids)}, "zstd"),
        (
            {
                "conversation_id": pa.array([who for who, _, _ in rows]).dictionary_encode(),
                "rating": pa.array([1] * len(ids), pa.int8()),
                "when": pa.array([2**62] * len(ids), pa.timestamp("ns", "Mars/Olympus")),
                "more": pa.array([[text] for text in WRITABLE]),
            },
            "none",
        ),
    ]:
        file = io.BytesIO()
        pq.write_table(pa.table(columns), file, row_group_size=10, compression=compression)
        files.append(("in.parquet", file.getvalue()))
    return files


SOURCES = sources()


def read(folder: Path, name: str, content: bytes) -> int:
    """Read a file as a run does; return its rows, or 0 if it is refused with a message."""
    path = folder / name
    path.write_bytes(content)
    settings = ImportSettings.of(inputs=[path], product_id=PRODUCT)
    rows = 0
    with suppress(InputError):
        source = open_source(path, settings)
        try:
            for batch in source.batches(1, 7):
                rows += len(batch)
            assert sum(1 for _ in source.originals(range(1, rows + 1))) == rows
        finally:
            source.close()
    return rows


def fuzz(dice: random.Random, folder: Path, figures: Counter[str]) -> None:
    name, content = dice.choice(SOURCES)
    figures["rows of mutated files"] += read(folder, name, mutate(dice, content))
    figures["mutated files"] += 1


def test_mutated_files_make_rows_or_a_message(tmp_path: Path, figures: Counter[str]) -> None:
    dice = random.Random(7)
    for _ in range(1000):
        fuzz(dice, tmp_path, figures)


@pytest.mark.slow
@pytest.mark.long
def test_mutated_files_for_long(tmp_path: Path, budget: float, figures: Counter[str]) -> None:
    dice = random.Random()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    until = time.monotonic() + budget / 10
    while time.monotonic() < until:
        fuzz(dice, tmp_path, figures)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 200 * 1024, "KiB: what a damaged file claims is not believed"
