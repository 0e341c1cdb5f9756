"""Inputs of any size, the same each time.

A process of its own makes them (`python -m benchmarks.data FILE ROWS`): a process that is
measured inherits the peak memory of the one that starts it.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from uuid import UUID

COLUMNS = ("conversation_id", "rating", "comment")
_BLOCK = 100_000


def ratings(folder: Path, rows: int) -> Path:
    """Return a CSV file of conversations that differ, all POSITIVE and without a comment."""
    return _made(folder / f"ratings-{rows}.csv", rows)


def ratings_changed(folder: Path, rows: int) -> Path:
    """Return the same with one rating in a hundred CLEAR."""
    return _made(folder / f"changed-{rows}.csv", rows)


def ratings_in_parquet(folder: Path, rows: int) -> Path:
    """Return the same as Parquet, with row groups of a million rows."""
    return _made(folder / f"ratings-{rows}.parquet", rows)


def feedback(folder: Path, rows: int) -> Path:
    """Return a CSV file with comments of all lengths, about 125 bytes a row."""
    return _made(folder / f"feedback-{rows}.csv", rows)


def feedback_with_odd_lines(folder: Path, rows: int, share: float) -> Path:
    """Return the same where a share of the lines, from 0 to 1, is odd: most of them malformed."""
    return _made(folder / f"odd-{round(1 / share)}-{rows}.csv", rows)


def feedback_repeated(folder: Path, rows: int) -> Path:
    """Return the same where 3 rows in 10 repeat a conversation, far apart, with another rating."""
    return _made(folder / f"repeated-{rows}.csv", rows)


def ratings_only(folder: Path, rows: int) -> Path:
    """Return a CSV file of ids and ratings without a column of comments."""
    return _made(folder / f"bare-{rows}.csv", rows)


def feedback_in_parquet(folder: Path, rows: int) -> Path:
    """Return feedback with comments as Parquet."""
    return _made(folder / f"feedback-{rows}.parquet", rows)


def _made(path: Path, rows: int) -> Path:
    if not path.exists():
        command = [sys.executable, "-m", "benchmarks.data", str(path), str(rows)]
        subprocess.run(command, check=True)
    return path


def _write_ratings(path: Path, rows: int, *, changed_every: int | None = None) -> None:
    with path.open("w") as file:
        file.write(",".join(COLUMNS) + "\n")
        for number, who in enumerate(one for ids in _ids(rows) for one in ids):
            changed = changed_every is not None and number % changed_every == 0
            file.write(f"{who},{'CLEAR' if changed else 'POSITIVE'},\n")


def _write_ratings_in_parquet(path: Path, rows: int) -> None:
    import pyarrow as pa  # noqa: PLC0415 -- heavy, and to be measured by nobody
    import pyarrow.parquet as pq  # noqa: PLC0415 -- as above

    schema = pa.schema([(name, pa.string()) for name in COLUMNS])
    with pq.ParquetWriter(path, schema) as writer:
        ids = (one for block in _ids(rows) for one in block)
        while group := list(islice(ids, 1_000_000)):
            columns = [group, ["POSITIVE"] * len(group), [""] * len(group)]
            writer.write_table(pa.table(columns, schema=schema), row_group_size=1_000_000)


def _write_feedback(path: Path, rows: int) -> None:
    with path.open("w") as file:
        file.write(",".join(COLUMNS) + "\n")
        file.writelines(
            f'{who},{rating},"{comment}"\n' for who, rating, comment in rows_of_feedback(rows)
        )


def _write_odd(path: Path, rows: int, odd_every: int) -> None:
    dice = random.Random(3)
    with path.open("wb") as file:
        file.write(",".join(COLUMNS).encode() + b"\n")
        for who, rating, comment in rows_of_feedback(rows):
            end = f',"{comment}"'.encode()
            if dice.randrange(odd_every) == 0:
                # Too many fields, too few, a bad byte, an open quote; and quotes that are right.
                odd = [end + b",more", b"", b",caf\xe9", b',"so" he said', b',he said "so"']
                end = dice.choice(odd)
            file.write(f"{who},{rating}".encode() + end + b"\n")


def _write_repeated(path: Path, rows: int) -> None:
    with path.open("w") as file:
        file.write(",".join(COLUMNS) + "\n")
        first = rows * 7 // 10
        for number in (first, rows - first):
            file.writelines(
                f'{who},{"POSITIVE" if number == first else "NEGATIVE"},"{comment}"\n'
                for who, _, comment in rows_of_feedback(number)
            )


def _write_bare(path: Path, rows: int) -> None:
    with path.open("w") as file:
        file.write(",".join(COLUMNS[:2]) + "\n")
        file.writelines(f"{who},{rating or 'CLEAR'}\n" for who, rating, _ in rows_of_feedback(rows))


def _write_feedback_in_parquet(path: Path, rows: int) -> None:
    import pyarrow as pa  # noqa: PLC0415 -- heavy, and to be measured by nobody
    import pyarrow.parquet as pq  # noqa: PLC0415 -- as above

    schema = pa.schema([(name, pa.string()) for name in COLUMNS])
    with pq.ParquetWriter(path, schema) as writer:
        found = rows_of_feedback(rows)
        while group := list(islice(found, _BLOCK)):
            columns = [list(column) for column in zip(*group, strict=True)]
            writer.write_table(pa.table(columns, schema=schema))


def rows_of_feedback(rows: int) -> Iterator[tuple[str, str, str]]:
    """Yield the rows of `feedback`."""
    dice = random.Random(2)
    comments = [
        " ".join(dice.choices(["fine", "slow", "wrong", "thanks", "unclear"], k=n))
        for n in range(1, 41)
    ]
    for ids in _ids(rows):
        for n, who in enumerate(ids):
            yield who, ("POSITIVE", "NEGATIVE", "")[n % 3], comments[n % 40]


def _ids(rows: int) -> Iterator[list[str]]:
    dice = random.Random(1)
    for start in range(0, rows, _BLOCK):
        number = min(_BLOCK, rows - start)
        yield [str(UUID(int=dice.getrandbits(128), version=4)) for _ in range(number)]


def _main(path: Path, rows: int) -> None:
    kind, *_ = path.name.split("-")
    match kind, path.suffix:
        case "feedback", ".parquet":
            _write_feedback_in_parquet(path, rows)
        case _, ".parquet":
            _write_ratings_in_parquet(path, rows)
        case "feedback", _:
            _write_feedback(path, rows)
        case "odd", _:
            _write_odd(path, rows, int(path.name.split("-")[1]))
        case "repeated", _:
            _write_repeated(path, rows)
        case "bare", _:
            _write_bare(path, rows)
        case _:
            _write_ratings(path, rows, changed_every=100 if kind == "changed" else None)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]))
