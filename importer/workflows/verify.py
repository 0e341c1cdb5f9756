"""Whether a job's inputs and outcomes are still those of which a summary holds the digests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from importer.common.text import counted
from importer.errors import ImporterError, SettingsError
from importer.jobs.copies import file_of
from importer.jobs.forget import Tombs
from importer.jobs.journal_reader import JournalReader
from importer.jobs.records import InputFile
from importer.reporting.digests import Digests, digest_of_blocks
from importer.sources.base import BATCH_ROWS
from importer.sources.copies.carriers import open_recorded
from importer.workflows.open_inputs import settings_to_read


class Agreement(StrEnum):
    """How what is there now compares with a digest."""

    SAME = "same"
    DIFFERS = "differs"
    #: It is not there any more, or cannot be read.
    GONE = "gone"


class Verified(NamedTuple):
    """What became of one thing of which there is a digest."""

    #: The name of an input, or `outcomes`.
    what: str
    agreement: Agreement
    #: More of it in words; empty if there is nothing to say.
    detail: str = ""


def read_summary(path: Path) -> tuple[str, Digests]:
    """Return the job that a `summary.json` names, and its digests. Raises `SettingsError`."""
    try:
        summary = json.loads(path.read_text("utf-8"))
        return str(summary["job"]), Digests.of_json(summary)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except (ValueError, LookupError, TypeError) as error:
        raise SettingsError(f"{path} is no summary that can be compared: {error}") from None


def verify(folder: Path, digests: Digests) -> Iterator[Verified]:
    """Compare the job in `folder` with `digests`: each input is read once, then the outcomes.

    Raises `JournalError` if the journal cannot be read.
    """
    with JournalReader(folder) as journal:
        files = journal.inputs()
        record = json.loads(journal.facts()["settings"])
        known = {file.path for file in files}
        for name in digests.inputs:
            if name not in known:
                yield Verified(name, Agreement.DIFFERS, "the job has no such input")
        for position, file in enumerate(files):
            yield _input(folder, position, file, record, digests.inputs.get(file.path))
        forgotten = len(Tombs(journal).as_ids)
        if Digests.of(journal).outcomes == digests.outcomes:
            yield Verified("outcomes", Agreement.SAME)
        elif forgotten:
            told = f"{counted(forgotten, 'conversation')} of it forgotten: see forgotten-….json"
            yield Verified("outcomes", Agreement.DIFFERS, told)
        else:
            yield Verified("outcomes", Agreement.DIFFERS)


def _input(
    folder: Path, position: int, file: InputFile, record: dict[str, object], expected: str | None
) -> Verified:
    if expected is None:
        return Verified(file.path, Agreement.DIFFERS, "the summary does not have it")
    path = file_of(folder, position, file)
    if not path.exists():
        return Verified(file.path, Agreement.GONE, "it is not there any more")
    try:
        found = _digest(path, file, record)
    except ImporterError as error:
        return Verified(file.path, Agreement.GONE, f"it cannot be read: {error}")
    return Verified(file.path, Agreement.SAME if found == expected else Agreement.DIFFERS)


def _digest(path: Path, file: InputFile, record: dict[str, object]) -> str:
    """Read an input as the job has read it, and return its digest."""
    with closing(open_recorded(path, file.path, settings_to_read(path, record))) as source:
        return digest_of_blocks(b"".join(part.digest() for part in source.parts(1, BATCH_ROWS)))
