"""The same table in each kind of source that can be read."""

import bz2
import csv
import gzip
import json
import lzma
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from importer.settings import ImportSettings
from importer.settings.places import FrameAddress, SourceAddress
from importer.sources.base import RowSource
from importer.sources.copies.carriers import open_copy, take_copy
from importer.sources.copies.partial_copy import CopyWatch
from tests.support.data import PRODUCT
from tests.support.file_server import FileServer, serving

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Table = Sequence[Sequence[str]]


def _csv(path: Path, header: Sequence[str], rows: Table) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def _packed(
    pack: Callable[[bytes], bytes],
) -> Callable[[Path, Sequence[str], Table], None]:
    def write(path: Path, header: Sequence[str], rows: Table) -> None:
        _csv(path, header, rows)
        path.write_bytes(pack(path.read_bytes()))

    return write


def _zip(path: Path, header: Sequence[str], rows: Table) -> None:
    inner = path.with_suffix(".csv")
    _csv(inner, header, rows)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(inner, "feedback.csv")
    inner.unlink()


def _parquet(path: Path, header: Sequence[str], rows: Table) -> None:
    table = pa.table({name: [row[at] for row in rows] for at, name in enumerate(header)})
    pq.write_table(table, path, row_group_size=1000)


def _lines(path: Path, header: Sequence[str], rows: Table) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(dict(zip(header, row, strict=True))) + "\n")


def _array(path: Path, header: Sequence[str], rows: Table) -> None:
    objects = [dict(zip(header, row, strict=True)) for row in rows]
    path.write_text(json.dumps(objects, indent=1, ensure_ascii=False), "utf-8")


def _workbook(path: Path, header: Sequence[str], rows: Table) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    pytest.importorskip("python_calamine")
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("feedback")
    for row in [header, *rows]:
        sheet.append(row)
    book.save(path)


#: How to write a file of each kind, by the ending of its name.
KINDS: dict[str, Callable[[Path, Sequence[str], Table], None]] = {
    ".csv": _csv,
    ".csv.gz": _packed(gzip.compress),
    ".csv.zst": _packed(zstd.compress),
    ".csv.bz2": _packed(bz2.compress),
    ".csv.xz": _packed(lzma.compress),
    ".zip": _zip,
    ".parquet": _parquet,
    ".jsonl": _lines,
    ".json": _array,
    ".xlsx": _workbook,
}


def write_kind(ending: str, path: Path, header: Sequence[str], rows: Table) -> Path:
    """Write a table as a file of that kind, and return its path with the ending."""
    file = path.with_name(path.name + ending)
    KINDS[ending](file, header, rows)
    return file


#: Kinds of sources that are copied.
COPIED = ("https", "query", "frame")


def take_kind(
    kind: str, folder: Path, header: Sequence[str], rows: Table, watch: CopyWatch | None = None
) -> tuple[Path, str, ImportSettings]:
    """Put a table into a source of that kind, and copy it where that is what is read.

    Return the file that is read, its name, and the settings to open it with (`open_copy`). Each
    time it is another source, in a folder of its own within `folder`.
    """
    folder = Path(tempfile.mkdtemp(dir=folder))
    if kind in KINDS:
        path = write_kind(kind, folder / "in", header, rows)
        return path, str(path), ImportSettings.of(inputs=[path], product_id=PRODUCT)
    copies = folder / "copies"
    copies.mkdir()
    if kind == "https":
        content = write_kind(".csv", folder / "in", header, rows).read_bytes()
        with serving(FileServer(content)) as server:
            return _copied(SourceAddress(f"{server.url}/in.csv"), copies, watch)
    if kind == "frame":
        table = pa.table({name: [row[at] for row in rows] for at, name in enumerate(header)})
        return _copied(FrameAddress(table), copies, watch)
    pytest.importorskip("sqlalchemy")
    pd.DataFrame(rows, columns=list(header)).to_sql(
        "feedback", f"sqlite:///{folder}/there.db", index=False
    )
    query = "SELECT * FROM feedback ORDER BY rowid"
    return _copied(SourceAddress(f"sqlite:///{folder}/there.db"), copies, watch, query)


def _copied(
    address: SourceAddress, folder: Path, watch: CopyWatch | None, sql: str | None = None
) -> tuple[Path, str, ImportSettings]:
    settings = ImportSettings.of(inputs=[address], product_id=PRODUCT, sql=sql)
    path = take_copy(address, 1, folder, settings, watch or CopyWatch()).path
    return path, address.label, settings


def open_kind(kind: str, folder: Path, header: Sequence[str], rows: Table) -> RowSource:
    """Open a table in a source of that kind; see `take_kind`."""
    return open_copy(*take_kind(kind, folder, header, rows))
