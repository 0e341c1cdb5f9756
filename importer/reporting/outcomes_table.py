"""The outcomes of a job as a table: one line for each row that has an outcome, in input order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, TYPE_CHECKING

from importer.common.files import atomic_write
from importer.common.text import printable
from importer.errors import SettingsError
from importer.jobs.forget import Tombs
from importer.jobs.inputs import check_is_no_input, files_of_inputs
from importer.jobs.journal_reader import JournalReader
from importer.model import Outcome

if TYPE_CHECKING:
    import pandas as pd

_CATEGORIES = ("outcome", "reason", "warning")
_ROWS_AT_ONCE = 100_000
#: Stands before the digest that a forgotten row has in place of its conversation (U9).
_FORGOTTEN = "forgotten-"


def outcomes_frame(folder: Path) -> pd.DataFrame:
    """Return the outcomes of the job in `folder`.

    The index is the row's place in the job, from 1; `file` and `row` are its place in the input.
    Raises `JournalError`.
    """
    import pandas as pd  # noqa: PLC0415 -- heavy, and only needed here

    frame = pd.concat(list(_frames(folder)))
    for name in _CATEGORIES:
        frame[name] = frame[name].astype("category")
    return frame.set_index("seq")


def check_outcomes_path(path: Path, inputs: Iterable[Path]) -> None:
    """Raise `SettingsError` unless outcomes can be written to a file of this name.

    It is none of the `inputs`.
    """
    check_is_no_input(path, inputs)
    if path.suffix not in (".csv", ".parquet"):
        raise SettingsError(f"{path}: outcomes are written to a .csv or a .parquet file")
    if not path.absolute().parent.is_dir():
        raise SettingsError(f"{path} cannot be written: there is no folder {path.parent}")
    if path.is_dir():
        raise SettingsError(f"{path} cannot be written: it is a folder")
    try:
        with NamedTemporaryFile(dir=path.absolute().parent, prefix=f".{path.name[:40]}-"):
            pass
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}") from None


def write_outcomes(folder: Path, path: Path) -> int:
    """Write the outcomes as `.csv` or `.parquet`; return how many. Memory does not grow with them.

    Raises `SettingsError` for another ending or a path that cannot be written, `JournalError` if
    the journal cannot be read.
    """
    with JournalReader(folder) as journal:
        check_outcomes_path(path, files_of_inputs(folder, journal.inputs()))
    try:
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            write = _write_csv if path.suffix == ".csv" else _write_parquet
            return write(_frames(folder), file)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}") from None


def _write_csv(frames: Iterator[pd.DataFrame], file: IO[bytes]) -> int:
    rows = 0
    for frame in frames:
        frame.to_csv(file, index=False, header=not rows)
        rows += len(frame)
    return rows


def _write_parquet(frames: Iterator[pd.DataFrame], file: IO[bytes]) -> int:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    text = pa.string()
    schema = pa.schema(
        [
            ("seq", pa.int64()), ("file", text), ("row", pa.int64()), ("outcome", text),
            ("conversation_id", text), ("reason", text), ("detail", text),
            ("http_status", pa.int64()), ("attempts", pa.int64()), ("updated_at", text),
            ("warning", text), ("settled_at", pa.timestamp("ms", "UTC")),
        ]
    )  # fmt: skip
    rows = 0
    with pq.ParquetWriter(file, schema) as writer:
        for frame in frames:
            table = pa.Table.from_pandas(frame, schema, preserve_index=False, safe=False)
            writer.write_table(table)
            rows += len(frame)
    return rows


def _frames(folder: Path) -> Iterator[pd.DataFrame]:
    """Yield the outcomes in frames of a bounded size, at least one."""
    import pandas as pd  # noqa: PLC0415

    with JournalReader(folder) as journal:
        gone = Tombs(journal).as_ids
        paths, starts = zip(*journal.places(), strict=True)
        inputs = [printable(path) for path in paths]
        outcomes = journal.outcomes()
        first = True
        while (chunk := list(islice(outcomes, _ROWS_AT_ONCE))) or first:
            frame = pd.DataFrame(chunk, columns=list(Outcome._fields), dtype=object)
            frame = frame.rename(columns={"kind": "outcome"})
            if gone:  # what stands for an id is not to be taken for one
                ids = frame["conversation_id"]
                frame["conversation_id"] = ids.mask(ids.isin(gone), _FORGOTTEN + ids)
            place = pd.Series(starts, dtype="int64").searchsorted(frame["seq"], side="right") - 1
            frame.insert(1, "file", pd.Series([inputs[at] for at in place], dtype=object))
            frame.insert(
                2,
                "row",
                [seq - starts[at] + 1 for seq, at in zip(frame["seq"], place, strict=True)],
            )
            frame["settled_at"] = pd.to_datetime(
                frame["settled_at"].astype("float64"), unit="s", utc=True
            )
            yield frame.astype(
                {"seq": "int64", "row": "int64", "http_status": "Int64", "attempts": "int64"}
            )
            first = False
