"""Files that cannot be imported: each one gets its message, and no other exception."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from importer.errors import InputError
from importer.settings import ImportSettings
from importer.sources.registry import open_source
from tests.support.data import conversation

TEXT = b"conversation_id,rating\n" + f"{conversation(1)},POSITIVE\n".encode() * 2000


def parquet_bytes(tmp_path: Path, rows: int = 1000) -> bytes:
    path = tmp_path / "made.parquet"
    ids = [conversation(number) for number in range(rows)]
    pq.write_table(pa.table({"conversation_id": pa.array(ids, pa.string()), "rating": ids}), path)
    return path.read_bytes()


def read_all(path: Path, settings_for: Callable[..., ImportSettings]) -> None:
    source = open_source(path, settings_for(path))
    for _ in source.batches(1, 100):
        pass


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("in.csv", b"", "is empty"),
        ("in.csv", b"\n\r\n\n", "nothing but blank lines"),
        ("in.csv", TEXT.decode().encode("utf-16"), "--encoding utf-16"),
        ("in.csv", TEXT.decode().encode("utf-16-le"), "NUL bytes"),
        ("in.csv", gzip.compress(TEXT), "ends in .gz"),
        ("in.csv", b"PK\x03\x04 and so on", "Excel"),
        ("in.csv", bytes(range(1, 256)), "no column 'conversation_id'"),
        ("in.csv.gz", TEXT, "not what its name says"),
        ("in.csv.gz", gzip.compress(TEXT)[:-20], "cut off"),
        ("in.csv.zst", TEXT, "not what its name says"),
        ("in.parquet", TEXT, "is not a Parquet file"),
        ("in.parquet", b"PAR1", "is not a Parquet file"),
        ("in.xlsx", b"anything", "--format csv or parquet"),
        ("in", b"anything", "--format csv or parquet"),
    ],
)
def test_a_file_that_cannot_be_used_is_explained(
    tmp_path: Path,
    settings_for: Callable[..., ImportSettings],
    name: str,
    content: bytes,
    message: str,
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as raised:
        read_all(path, settings_for)
    assert str(path) in str(raised.value)


def test_parquet_that_is_cut_off_or_misnamed_or_empty(
    tmp_path: Path, settings_for: Callable[..., ImportSettings]
) -> None:
    whole = parquet_bytes(tmp_path)
    for name, content, message in [
        ("cut.parquet", whole[:-100], "cut off"),
        ("misnamed.csv", whole, "--format parquet"),
        ("holed.parquet", whole[:200] + bytes(2000) + whole[2200:], "damaged"),
    ]:
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(InputError, match=message):
            read_all(path, settings_for)


def test_things_that_are_no_files(
    tmp_path: Path, settings_for: Callable[..., ImportSettings]
) -> None:
    (tmp_path / "ratings.csv").write_bytes(TEXT)
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    for name, message in [
        ("", "is a directory"),
        ("rating.csv", r"No such file.*did you mean .*ratings\.csv"),
        ("no/such/folder.csv", "No such file"),
        ("pipe.csv", "not a regular file"),
        ("loop.csv", "symbolic links"),
    ]:
        with pytest.raises(InputError, match=message):
            read_all(tmp_path / name, settings_for)
