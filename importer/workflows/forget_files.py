"""Takes conversations out of the files of a job that stand beside its journal."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from importer.common.files import atomic_write, clear_unfinished
from importer.errors import ImporterError
from importer.jobs.bodies import FILE_NAME as BODIES
from importer.jobs.bodies import keep_bodies, read_bodies
from importer.jobs.copies import copies_folder, remove_copies
from importer.jobs.forget import Forgotten
from importer.jobs.inputs import UNDO_NAME
from importer.jobs.keys import key_of
from importer.reporting.edited_files import with_edited
from importer.reporting.left_overs import LEFT_OVER_NAMES, REPORT_NAME
from importer.sources.base import BATCH_ROWS, RowPart, RowSource
from importer.sources.copies.carriers import open_copy
from importer.sources.kept_bytes import KEEP_BYTES
from importer.sources.registry import open_source
from importer.workflows.open_inputs import settings_to_read

#: Bytes of a file that are searched at once, and how far two such pieces overlap.
_PIECE, _OVERLAP = 1 << 20, 256
#: What a file that cannot be read as what it should be raises.
_UNREADABLE = (ImporterError, OSError, ValueError, csv.Error)

Record = Mapping[str, Any]


def forget_bodies(folder: Path, forgotten: Forgotten) -> int:
    """Take the conversations out of what the job has kept; return how many bodies went."""
    gone = sum(forgotten.is_in(body.conversation_id) for body in read_bodies(folder))
    if gone:
        bodies = read_bodies(folder)
        keep_bodies(folder, (b for b in bodies if b.conversation_id not in forgotten.ids))
    return gone


def forget_lines(path: Path, forgotten: Forgotten) -> int:
    """Take the conversations out of a file of JSON lines; return how many lines went."""
    if not path.exists():
        return 0
    with path.open(encoding="utf-8") as file:
        gone = sum(map(forgotten.is_in, file))
    if gone:
        with (
            path.open(encoding="utf-8") as old,
            atomic_write(path, durable=True) as temporary,
            temporary.open("w", encoding="utf-8") as new,
        ):
            new.writelines(line for line in old if not forgotten.is_in(line))
    return gone


def forget_left_overs(folder: Path, record: Record, forgotten: Forgotten) -> int:
    """Take the conversations out of the left-over files of a job; return how many rows went.

    A file is removed if no row stays, or if it cannot be read and holds one of them, which counts
    as a row. Any other may hold hours of somebody's work, and stays as it is.
    """
    gone = 0
    for path in (path for name in LEFT_OVER_NAMES for path in with_edited(folder, name)):
        try:
            gone += _forget_rows(path, record, forgotten)
        except _UNREADABLE:
            if holds(path, forgotten):
                path.unlink()
                gone += 1
    return gone


def _forget_rows(path: Path, record: Record, forgotten: Forgotten) -> int:
    changes = {"trust_quotes": True, "skip_lines": 0, "format": "csv", "sheet": None}
    source = open_source(path, settings_to_read(path, record, **changes))
    try:
        rows = [forgotten.is_in_one_of(cells) for cells in _cells(source)]
        gone = sum(rows)
        if gone == len(rows):
            path.unlink()
        elif gone:
            with (
                atomic_write(path) as temporary,
                temporary.open("w", encoding=source.encoding, errors=KEEP_BYTES, newline="") as to,
            ):
                writer = csv.writer(to, delimiter=source.delimiter, lineterminator="\r\n")
                writer.writerow(source.header)
                writer.writerows(
                    cells for cells in _cells(source) if not any(map(forgotten.is_in, cells))
                )
        return gone
    finally:
        source.close()


def forget_copies(folder: Path, record: Record, forgotten: Forgotten) -> int:
    """Remove the copies of inputs that hold one of the conversations; return how many.

    One that cannot be read, such as one that is not whole, is removed as well.
    """
    gone = 0
    for path in copies_folder(folder).glob("*"):
        try:
            source = open_copy(path, path.name, settings_to_read(path, record))
            try:
                is_there = sum(map(forgotten.is_in_one_of, _cells(source))) > 0
            finally:
                source.close()
        except _UNREADABLE:
            is_there = True
        if is_there:
            path.unlink()
            gone += 1
    return gone


def _cells(source: RowSource) -> Iterator[list[str]]:
    """Yield the cells of all rows, with all their columns, as they stand in the file."""
    rows = sum(
        len(part.rows) if isinstance(part, RowPart) else len(part)
        for part in source.parts(1, BATCH_ROWS)
    )
    for original in source.originals(range(1, rows + 1)):
        yield list(original.cells)


def drop_files(folder: Path) -> None:
    """Remove the files of a job that hold comments."""
    for name in (*LEFT_OVER_NAMES, BODIES, UNDO_NAME, REPORT_NAME):
        for path in with_edited(folder, name):
            path.unlink()
    clear_unfinished(folder)
    remove_copies(folder)


def holds(path: Path, forgotten: Forgotten) -> bool:
    """Return whether the bytes of a file hold one of the ids: as text, or as a key or a UUID."""
    keys = {key_of(one) for one in forgotten.ids}
    pattern = re.compile(b"|".join(re.escape(raw) for key in keys for raw in (key, key[::-1])))
    is_there = False
    with path.open("rb") as file:
        before = b""
        while piece := file.read(_PIECE):
            data = before + piece
            # As UTF-16 every other byte of an id is zero.
            is_there |= forgotten.is_in(data.replace(b"\0", b"").decode("latin-1"))
            raw = pattern.findall(data)
            is_there |= forgotten.note_keys([*raw, *(key[::-1] for key in raw)])
            before = data[-_OVERLAP:]
    return is_there
