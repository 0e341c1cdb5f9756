"""Digests by which one can tell later whether inputs and outcomes are still the same.

The canonical form of outcomes is CSV in UTF-8 with line feeds, a header and one line for each row
that has an outcome, by its number in the job. Only `updated_at` is in quotes, where there is one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from importer.common.files import atomic_write
from importer.errors import SettingsError
from importer.jobs.inputs import check_is_no_input, files_of_inputs
from importer.jobs.journal_file import JournalFile
from importer.jobs.journal_lines import CANONICAL_COLUMNS
from importer.jobs.journal_reader import JournalReader

_LINES_AT_ONCE = 2000


class Digests(NamedTuple):
    """SHA-256 of what a job read and of what became of it, in hexadecimal digits."""

    #: Of the content of each input, as it was read, by the name that the journal has for it.
    inputs: dict[str, str]
    #: Of the outcomes in their canonical form.
    outcomes: str

    @classmethod
    def of(cls, journal: JournalFile) -> Digests:
        """Return the digests of a job. Reads all its outcomes, and no input."""
        inputs = {file.path: digest_of_blocks(file.blocks) for file in journal.inputs()}
        digest = hashlib.sha256()
        for part in _parts(journal):
            digest.update(part)
        return cls(inputs, digest.hexdigest())

    @classmethod
    def of_json(cls, summary: Any) -> Digests:  # noqa: ANN401 -- what a file holds
        """Return the digests that a `summary.json` holds. Raises `ValueError` if it has none."""
        try:
            found = summary["digests"]
            return cls(
                {str(one["input"]): str(one["sha256"]) for one in found["inputs"]},
                str(found["outcomes"]),
            )
        except (LookupError, TypeError):
            raise ValueError("it holds no digests") from None

    def as_json(self) -> dict[str, object]:
        """Return the digests as `summary.json` holds them."""
        inputs = [{"input": name, "sha256": digest} for name, digest in self.inputs.items()]
        return {"inputs": inputs, "outcomes": self.outcomes}


def digest_of_blocks(blocks: Iterable[int]) -> str:
    """Return the digest of an input, given those of its blocks one after the other."""
    return hashlib.sha256(bytes(blocks)).hexdigest()


def write_canonical(folder: Path, path: Path) -> int:
    """Write the outcomes of the job in `folder` in their canonical form; return how many.

    Raises `SettingsError` if the path cannot be written, `JournalError` if the journal cannot be
    read.
    """
    lines = -1
    with JournalReader(folder) as journal:
        check_is_no_input(path, files_of_inputs(folder, journal.inputs()))
    try:
        with (
            JournalReader(folder) as journal,
            atomic_write(path) as temporary,
            temporary.open("wb") as file,
        ):
            for part in _parts(journal):
                file.write(part)
                lines += part.count(b"\n")
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}") from None
    return lines


def _parts(journal: JournalFile) -> Iterator[bytes]:
    yield f"{','.join(CANONICAL_COLUMNS)}\n".encode()
    lines = journal.canonical()
    while some := list(islice(lines, _LINES_AT_ONCE)):
        yield "".join(some).encode("utf-8", "surrogatepass")
