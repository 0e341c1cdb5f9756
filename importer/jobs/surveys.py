"""Jobs that have no journal yet: their inputs are being read, or were not read to the end."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from importer.common.files import atomic_write
from importer.common.text import is_or_are, listed
from importer.errors import JournalError
from importer.jobs.commands import FILE_KEPT, Again
from importer.jobs.ends import before_the_next
from importer.jobs.folders import job_folders, latest_like, unfinished_surveys
from importer.jobs.identity import ProductKey, product_key
from importer.jobs.journal_head import read_head
from importer.jobs.journal_reader import JournalReader
from importer.jobs.key_source import key_facts, key_words, note_on_key
from importer.jobs.lock import is_held
from importer.jobs.own_commands import jobs_dir_of, resuming
from importer.jobs.records import BEGUN_AT, JobRecord
from importer.settings import ImportSettings

#: Says in the folder of such a job what its command is, when it began, and what its inputs held.
_NOTE_NAME = "begun.json"
_INPUTS = "inputs"
#: So many bytes at each end of a file, and its size, tell its content from other exports'.
_TELLING_BYTES = 1 << 16
_ARE_NEWEST = "its rows are the newest of their conversations then"


class UnreadJob(NamedTuple):
    """A job that has no journal yet."""

    folder: Path
    #: When it began, in Unix seconds.
    began_at: float
    #: None if it is not known, nor its command.
    product: ProductKey | None = None
    #: The command that begins it anew; empty if it is not known.
    command: str = ""
    #: The one that shows what that would change; empty if there is none, as for an undo.
    plan: str = ""
    #: The next job of its product counts as newer, and takes over what others have left.
    carries_over: bool = False
    #: What its inputs held, by path; empty if it is not known.
    held: Mapping[str, str] = MappingProxyType({})
    #: Why they do not hold that any more, in words; empty if they do.
    changed: str = ""
    #: A later job of the same command has begun: its inputs are called the same.
    is_passed: bool = False

    @property
    def but(self) -> str:
        """What is to be known before its commands are given; empty if nothing is."""
        if self.is_passed:
            return f", if what it was to read is kept as {FILE_KEPT} ({self.changed})"
        return self.changed and f" ({self.changed})"

    @property
    def begins(self) -> str:
        """How it is begun, in words, where no job of its product has begun since."""
        told = f":\n  {self.command}{note_on_key(self.command)}" if self.command else ""
        before = f",{before_the_next(has_sent=False)}" if self.carries_over else ""
        return f"Its own command begins it{before}{self.but}{told}"

    @property
    def begins_as_newest(self) -> str:
        """The same where jobs of its product have begun since: its rows count as newer."""
        if not self.plan:
            begins = self._replace(carries_over=False).begins
            return begins if self.command else f"{begins}, and {_ARE_NEWEST}"
        return (
            f"To see what its rows would change by now{self.but}:\n  {self.plan}\n"
            f"To import them, as the newest of their conversations:\n  {self.command}"
            f"{note_on_key(self.command)}"
        )


def note_survey(
    folder: Path, settings: ImportSettings, key_source: Sequence[str], inputs: Sequence[Path]
) -> None:
    """Note in the folder of a job that is about to begin what is known of it already.

    `inputs` are its files, as far as nothing else keeps what they hold.
    """
    product = product_key(settings)
    facts = {
        "product_id": product.product_id,
        "base_url": product.service,
        "settings": settings.as_record(),
        BEGUN_AT: time.time(),
        **key_facts(key_source),
    }
    with (
        suppress(OSError),  # what cannot be read or written is told where it is needed
        atomic_write(folder / _NOTE_NAME) as temporary,
        temporary.open("w", encoding="utf-8") as file,
    ):
        held = {str(path.absolute()): _content_of(path) for path in inputs}
        json.dump({**facts, _INPUTS: held}, file)


def drop_note(folder: Path) -> None:
    """Remove the note: the job has a journal now, or will have none."""
    with suppress(OSError):
        (folder / _NOTE_NAME).unlink()


def surveys_in(jobs_dir: Path) -> list[UnreadJob]:
    """Return the jobs in a jobs folder that have no journal."""
    found = []
    for folder in unfinished_surveys(jobs_dir):
        with suppress(OSError):  # it has just been removed
            found.append(_survey(folder))
    return found


def _survey(folder: Path) -> UnreadJob:
    began_at = folder.stat().st_mtime  # if nothing else says it: each new file there moves it
    try:
        facts = json.loads((folder / _NOTE_NAME).read_text("utf-8"))
        began_at = float(facts.get(BEGUN_AT, began_at))
        held = dict(facts.get(_INPUTS, {}))
        changed = _how_changed(held)
        is_passed = bool(changed) and _is_passed(folder)
        record = {**facts["settings"], **jobs_dir_of(folder)}
        if is_passed:
            record["inputs"] = [FILE_KEPT]
        again = Again([*resuming(record), *key_words(facts)], [])
        return UnreadJob(
            folder, began_at, ProductKey.of(facts), again.same(), again.plan(),
            bool(record.get("carry_over")), held, changed, is_passed,
        )  # fmt: skip
    except Exception:  # noqa: BLE001 -- of an interrupted writing, copied, or of another version
        return UnreadJob(folder, began_at)


def _is_passed(folder: Path) -> bool:
    return latest_like(folder) != folder


def _how_changed(held: Mapping[str, str]) -> str:
    """Return, in words, which of these files do not hold any more what they have held."""
    gone = [path for path in held if not Path(path).exists()]
    now = {path: _content_of(Path(path)) for path in held if path not in gone}
    changed = [path for path, content in now.items() if content != held[path]]
    told = [f"{listed(changed)} changed since it began"] if changed else []
    told += [f"{listed(gone)} {is_or_are(len(gone))} gone"] if gone else []
    return ", and ".join(told)


def _content_of(path: Path) -> str:
    """Return what tells the content of a file from others, of which little is read for that.

    Raises `OSError`.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        digest = hashlib.sha256(file.read(_TELLING_BYTES))
        file.seek(max(0, size - _TELLING_BYTES))
        digest.update(file.read())
    return f"{size}-{digest.hexdigest()[:32]}"


def surveys_begun_by(folder: Path) -> list[UnreadJob]:
    """Return the other surveys of the product whose inputs held what those of that one hold."""
    own = _survey(folder)
    alike = sorted(own.held.values())
    return [
        survey
        for survey in surveys_in(folder.parent)
        if alike
        and survey.folder != folder
        and survey.product == own.product
        and sorted(survey.held.values()) == alike
    ]


def remove_surveys(surveys: Iterable[UnreadJob]) -> None:
    """Remove what is left of these, as far as that is possible: another job has their rows."""
    for survey in surveys:
        shutil.rmtree(survey.folder, ignore_errors=True)


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
                f"over. {survey.begins_as_newest}"
            )


def unread_before(
    jobs: Sequence[JobRecord], folder: Path, closed: Sequence[JobRecord]
) -> list[UnreadJob]:
    """Return the jobs that were stopped before they had a journal, just before the one in `folder`.

    That is after the job before it among `jobs`, all of its product, without those that it has
    `closed`, which tell nothing any more. Whose command is not known is left out.
    """
    with JournalReader(folder) as journal:
        facts = journal.facts()
    number, began_at = int(facts["number"]), float(facts[BEGUN_AT])
    gone = {job.number for job in closed}
    before = (job.began_at for job in jobs if job.number < number and job.number not in gone)
    since, product = max(before, default=0.0), ProductKey.of(facts)
    return [
        survey
        for survey in surveys_in(folder.parent)
        if survey.product == product and since < survey.began_at < began_at
    ]


def has_later(survey: UnreadJob) -> bool:
    """Return whether a job of its product has begun since."""
    for folder in job_folders(survey.folder.parent):
        with suppress(JournalError):
            head = read_head(folder)
            if head.product == survey.product and head.began_at > survey.began_at:
                return True
    return False
