"""Jobs that have no journal yet: their inputs are being read, or were not read to the end."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from importer.common.files import atomic_write
from importer.jobs.commands import command_line, jobs_dir_of, resuming
from importer.jobs.folders import unfinished_surveys
from importer.jobs.identity import ProductKey, product_key
from importer.jobs.journal_file import key_facts, key_words
from importer.jobs.lock import is_held
from importer.jobs.records import BEGUN_AT
from importer.settings import ImportSettings

#: Says in the folder of such a job what its command is, and when it began.
_NOTE_NAME = "begun.json"


class Survey(NamedTuple):
    """A job that has no journal yet."""

    folder: Path
    #: When it began, in Unix seconds.
    began_at: float
    #: None if it is not known.
    product: ProductKey | None = None
    #: The command that begins it anew; empty if it is not known.
    command: str = ""


def note_survey(folder: Path, settings: ImportSettings, key_source: Sequence[str]) -> None:
    """Note in the folder of a job that is about to begin what is known of it already."""
    product = product_key(settings)
    facts = {
        "product_id": product.product_id,
        "base_url": product.service,
        "settings": settings.as_record(),
        BEGUN_AT: time.time(),
        **key_facts(key_source),
    }
    with (
        suppress(OSError),  # what cannot be written is told where it is needed
        atomic_write(folder / _NOTE_NAME) as temporary,
        temporary.open("w", encoding="utf-8") as file,
    ):
        json.dump(facts, file)


def drop_note(folder: Path) -> None:
    """Remove the note: the job has a journal now, or will have none."""
    with suppress(OSError):
        (folder / _NOTE_NAME).unlink(missing_ok=True)


def surveys_in(jobs_dir: Path) -> list[Survey]:
    """Return the jobs in a jobs folder that have no journal."""
    found = []
    for folder in unfinished_surveys(jobs_dir):
        with suppress(OSError):  # it has just been removed
            found.append(_survey(folder))
    return found


def _survey(folder: Path) -> Survey:
    began_at = folder.stat().st_mtime  # if nothing else says it: each new file there moves it
    try:
        facts = json.loads((folder / _NOTE_NAME).read_text("utf-8"))
        began_at = float(facts.get(BEGUN_AT, began_at))
        words = resuming({**facts["settings"], **jobs_dir_of(folder)})
        return Survey(
            folder, began_at, ProductKey.of(facts), command_line([*words, *key_words(facts)])
        )
    except (OSError, ValueError, LookupError, TypeError):  # of an interrupted writing, or copied
        return Survey(folder, began_at)


def stopped_surveys(jobs_dir: Path, since: float, product: ProductKey) -> Iterator[str]:
    """Yield what a person should know of jobs that were stopped before they had a journal.

    Only of those since then (Unix seconds): earlier ones were told before. They may be of other
    products than the one that is held; whose is at work is not stopped.
    """
    for survey in surveys_in(jobs_dir):
        other = survey.product if survey.product != product else None
        if survey.began_at > since and not (other and is_held(jobs_dir, other.name)):
            yield (
                f"{survey.folder} was stopped before its inputs were read to the end: nothing of "
                "it was sent, how many rows they have is not known, and no other job takes it "
                "over. Its own command begins it, and its rows are the newest of their "
                f"conversations then{survey.command and ': '}{survey.command}"
            )
