"""What a job sends, kept beside its journal for a later `undo` (`--keep-bodies`).

One compressed file that only its owner may read. It is written before the job begins and not
changed after that, so a body is known whatever becomes of the run.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from importer.common.files import atomic_write
from importer.errors import JournalError
from importer.model import Feedback, Meaning

FILE_NAME = "bodies.jsonl.gz"
_LEVEL = 3


class Body(NamedTuple):
    """What is sent for a conversation."""

    conversation_id: str
    rating: Meaning | None
    comment: str | None


def write_bodies(folder: Path, rows: Iterable[Feedback]) -> None:
    """Write what the job in `folder` is going to send. Raises `JournalError`."""
    keep_bodies(folder, (Body(row.conversation_id, row.rating, row.comment) for row in rows))


def keep_bodies(folder: Path, bodies: Iterable[Body]) -> None:
    """Write these bodies as those of the job in `folder`. Raises `JournalError`."""
    path = folder / FILE_NAME
    try:
        with (
            atomic_write(path, durable=True) as temporary,
            temporary.open("wb") as raw,
            # Without a time the same bodies are the same file.
            gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as file,
        ):
            for body in bodies:
                file.write(json.dumps(body).encode() + b"\n")
    except OSError as error:
        raise JournalError(
            f"{path} cannot be written: {error.strerror}. Free some disk space, or leave out "
            "--keep-bodies"
        ) from None


def read_bodies(folder: Path) -> Iterator[Body]:
    """Yield what the job in `folder` has kept, in no order; nothing if it has kept nothing.

    Raises `JournalError` if the file is damaged.
    """
    path = folder / FILE_NAME
    try:
        with gzip.open(path) as file:
            for line in file:
                conversation_id, rating, comment = json.loads(line)
                yield Body(conversation_id, rating and Meaning(rating), comment)
    except FileNotFoundError:
        return
    except (OSError, EOFError, ValueError, TypeError) as error:
        raise JournalError(
            f"{path} cannot be read: {error}. Without this file nothing is known of what it held: "
            "move it away to go on so"
        ) from None
