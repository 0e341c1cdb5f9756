"""Rows as columns of numbers, kept on disk in 256 parts while there are too many for memory.

A part holds the conversations whose keys begin with the same byte, so it can be dealt with alone.
The file has no name: it goes with the process, however that ends.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from importer.common.text import counted
from importer.errors import ScratchError

PARTS = 256
#: The dtype of a key. Nothing else of 16 bytes is moved as quickly.
KEY = np.dtype(np.complex128)

Column = np.ndarray[Any, np.dtype[Any]]
Columns = Mapping[str, Column]


class Spill:
    """Takes rows in blocks and gives them back by part; a part has them in the order of adding.

    `kinds` are the columns by name; one of them is `key`. `folder` is where the file goes.
    """

    #: Rows that are kept in memory.
    MOST = 1 << 18

    def __init__(self, folder: Path, kinds: Mapping[str, np.dtype[Any]]) -> None:
        self._folder = folder
        self._kinds = kinds
        self._waiting: list[Columns] = []
        self._rows = 0
        self._file: Any = None
        #: For each chunk of the file: where each column begins, and the first row of each part.
        self._chunks: list[tuple[dict[str, int], list[int]]] = []
        self._end = 0
        #: What is in memory by part, and where each part begins.
        self._rest: tuple[Columns, list[int]] | None = None

    def close(self) -> None:
        """Give back the disk space."""
        if self._file is not None:
            self._file.close()

    def add(self, columns: Columns, share: float) -> None:
        """Take rows. `share` says how much of all rows these and those before are, from 0 to 1.

        Raises `ScratchError` if there is no room for all of them.
        """
        self._waiting.append(columns)
        self._rest = None
        self._rows += len(columns["key"])
        if self._rows >= self.MOST:
            self._write(share)

    def part(self, number: int) -> Columns:
        """Return the rows of a part (0 to 255)."""
        pieces = [*self._read(number)]
        if self._waiting:
            if self._rest is None:
                self._rest = self._split()
            columns, starts = self._rest
            pieces.append(
                {name: one[starts[number] : starts[number + 1]] for name, one in columns.items()}
            )
        return {
            name: np.concatenate([piece[name] for piece in pieces] or [np.empty(0, kind)])
            for name, kind in self._kinds.items()
        }

    def _split(self) -> tuple[Columns, list[int]]:
        """Return what is in memory by part, and where each part begins."""
        columns = {
            name: np.concatenate([block[name] for block in self._waiting]) for name in self._kinds
        }
        first = columns["key"].view(np.uint8)[:: KEY.itemsize]
        order = np.argsort(first, kind="stable")
        ends = np.cumsum(np.bincount(first, minlength=PARTS)).tolist()
        return {name: column[order] for name, column in columns.items()}, [0, *ends]

    def _write(self, share: float) -> None:
        try:
            if self._file is None:
                self._check_space(share)
                self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115
            columns, starts = self._split()
            places = {}
            for name, column in columns.items():
                places[name] = self._end
                self._end += _write_all(self._file.fileno(), column.view(np.uint8).data)
        except OSError as error:
            raise ScratchError(f"{self._folder}: {error.strerror}. {_REMEDY}") from None
        self._chunks.append((places, starts))
        self._waiting, self._rows = [], 0

    def _check_space(self, share: float) -> None:
        row = sum(kind.itemsize for kind in self._kinds.values())
        needed = int(self._rows / max(share, 1e-6)) * row
        free = shutil.disk_usage(self._folder).free
        if needed > free:
            raise ScratchError(
                f"{self._folder} has {free / 1e6:,.0f} MB of free space, and to survey the inputs "
                f"takes about {needed / 1e6:,.0f} MB for a while ({counted(row, 'byte')} a row). "
                f"{_REMEDY}"
            )

    def _read(self, number: int) -> Iterator[Columns]:
        for places, starts in self._chunks:
            start, rows = starts[number], starts[number + 1] - starts[number]
            piece = {}
            for name, kind in self._kinds.items():
                size = kind.itemsize
                raw = os.pread(self._file.fileno(), rows * size, places[name] + start * size)
                piece[name] = np.frombuffer(raw, kind)
            yield piece


_REMEDY = "Free some disk space there. Nothing was sent"


def _write_all(file: int, data: memoryview) -> int:
    """Write `data` and return its length."""
    written = 0
    while written < len(data):
        written += os.write(file, data[written:])
    return written
