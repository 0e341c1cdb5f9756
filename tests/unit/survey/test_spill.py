"""Rows that are too many for memory come back from disk as they were, and need the room for it."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from importer.errors import ScratchError
from importer.survey.spill import KEY, PARTS, Columns, Spill

SEQ = np.dtype(np.int64)


def block(first: int, rows: int) -> Columns:
    """Return rows with these numbers, whose keys begin with one of four bytes."""
    keys = b"".join(bytes([40 + seq % 4]) + bytes(15) for seq in range(first, first + rows))
    return {
        "key": np.frombuffer(keys, KEY),
        "seq": np.arange(first, first + rows, dtype=SEQ),
    }


def have_free(free: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))


@pytest.mark.parametrize("most", [1, 100, 250, 10_000])
def test_a_part_has_its_rows_in_the_order_of_adding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(Spill, "MOST", most)
    have_free(24 * 300 if most < 10_000 else 0, monkeypatch)
    spill = Spill(tmp_path, {"key": KEY, "seq": SEQ})
    assert spill.part(40)["seq"].tolist() == []
    for number in range(3):
        spill.add(block(100 * number, 100), (number + 1) / 3)
        found = {part: spill.part(part)["seq"].tolist() for part in range(PARTS)}
        for part, seqs in found.items():
            rest = part - 40
            known = range(100 * number + 100) if 0 <= rest < 4 else ()
            assert seqs == [seq for seq in known if seq % 4 == rest]
    assert not list(tmp_path.iterdir()), "its file has no name"
    spill.close()


def test_where_too_little_is_free_for_all_rows_none_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Spill, "MOST", 100)
    have_free(24 * 400 - 1, monkeypatch)
    spill = Spill(tmp_path, {"key": KEY, "seq": SEQ})
    spill.add(block(0, 99), 0.25)
    with pytest.raises(ScratchError, match=r"of free space, .*\(24 bytes a row\)"):
        spill.add(block(99, 1), 0.25)


def test_a_disk_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Spill, "MOST", 100)
    have_free(10**9, monkeypatch)
    spill = Spill(tmp_path / "gone", {"key": KEY, "seq": SEQ})
    with pytest.raises(ScratchError, match=r"gone: No such file or directory\. Free some disk"):
        spill.add(block(0, 100), 1.0)
