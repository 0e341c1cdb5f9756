"""The conversations of which an undo does not know what they held before: how it is with them now.

It leaves them as they are, or clears what earlier jobs had set there, and later jobs may set them
again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from math import inf
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from importer.errors import JournalError
from importer.jobs.folders import job_folders
from importer.jobs.identity import ProductKey
from importer.jobs.inputs import undone_job
from importer.jobs.journal_reader import JournalReader
from importer.jobs.records import (
    CLEARED_OF,
    CLEARS_OF,
    LEAVES_STORED,
    NOT_TAKEN_BACK,
    job_number,
)
from importer.jobs.undo_void import TakenBack, taken_back

#: Conversations of a job with more rows are not looked for in others.
_MOST_ROWS = 1_000_000


class NotRestored(NamedTuple):
    """How many conversations an undo did not restore, and no later job has set since."""

    #: It left them as they were.
    left: int
    #: It clears them, by the earlier jobs that came last to them, oldest first.
    cleared: Mapping[str, int]
    #: How many there were in all.
    of: int
    #: It clears them, and does not leave them.
    clears: bool
    #: A later job has set one of them, if only until that job was taken back.
    is_touched: bool = False

    @property
    def set_since(self) -> int:
        """How many of them later jobs have set, and were not taken back."""
        return self.of - self.left - sum(self.cleared.values())


def not_restored(folder: Path, *, of_undo: bool, so_far: bool = False) -> NotRestored:
    """Return how it is with those of the undo in `folder`.

    Or of the one that had nothing to send, so that it is no job: then `folder` is that of the job
    that was taken back, which may be an undo itself, and it is not `of_undo`. Of one that was given
    up what it has cleared `so_far` counts; nothing if that is not known. What nobody has noted, or
    was noted where nothing is any more, is as it was when the undo began. Raises `JournalError` if
    the journal in `folder` cannot be read.
    """
    begun = _as_begun(folder, of_undo=of_undo)
    left, cleared = begun.left, begun.cleared
    keys = _keys(begun)
    if so_far:
        cleared = cleared_so_far(folder) or {}
    of = left + sum(cleared.values())
    if keys is None:
        return NotRestored(left, cleared, of, bool(cleared))
    stays, by = keys
    if so_far:
        by = _set_by(folder, by)
    since, is_touched = _set_since(folder, stays.union(*by.values()))
    rest = {job: len(some - since) for job, some in by.items() if some - since}
    return NotRestored(len(stays - since), rest, of, bool(cleared), is_touched)


def cleared_so_far(folder: Path) -> dict[str, int] | None:
    """Return how many conversations of which earlier jobs the undo in `folder` has cleared by now.

    None if that is not known. Raises `JournalError` if its journal cannot be read.
    """
    keys = _keys(_as_begun(folder, of_undo=True))
    if keys is None:
        return None
    return {job: len(some) for job, some in _set_by(folder, keys[1]).items()}


def _set_by(folder: Path, by: Mapping[str, set[bytes]]) -> dict[str, set[bytes]]:
    """Return those of the conversations, by job, that the one in `folder` has set."""
    with JournalReader(folder) as journal:
        done = journal.set_among(set[bytes]().union(*by.values()))
    return {job: some & done for job, some in by.items()}


def is_set_by(folder: Path, other: Path, most: int, *, of_undo: bool) -> bool:
    """Return whether the job in `other` has set one of those of the undo in `folder`.

    `of_undo`: see `not_restored`. With more than `most` of them that is not looked for. Raises
    `JournalError`.
    """
    begun = _as_begun(folder, of_undo=of_undo)
    keys = _keys(begun) if begun.left + sum(begun.cleared.values()) <= most else None
    if keys is None or not (among := keys[0].union(*keys[1].values())):
        return False
    with JournalReader(other) as journal:
        return bool(journal.set_among(among))


class GoneOver(NamedTuple):
    """What is to be imported again after earlier jobs, as these go over what it has set."""

    #: The names of the jobs, in the order in which they began, and in how many conversations.
    jobs: Mapping[str, int]
    #: One of the earlier jobs was imported again.
    is_begun: bool


def gone_over(folder: Path, names: Collection[str], undone: str, undo: float = inf) -> GoneOver:
    """Return which later jobs are gone over when those of these `names` are imported again.

    All are of the product of the job in `folder`. Without undos, the job `undone`, others that were
    taken back, and those that were imported again themselves since that began, which is after the
    job of the number `undo`. Of several with the same inputs it is the latest. Of large jobs
    nothing is found; another journal that cannot be read is passed over. Raises `JournalError`.
    """
    jobs = _of_product(folder)
    void = taken_back({job.number: job.told for job in jobs})
    digests = {job.number: job.digests for job in jobs}
    again = {job.digests for job in jobs if job.folder.name in names and all(job.digests)}
    begun = min((n for n, some in digests.items() if n > undo and some in again), default=inf)
    latest = {some: n for n, some in digests.items() if all(some)}
    keys, found = set[bytes](), dict[str, int]()
    for job in jobs:
        is_again = job.folder.name in names
        if not is_again and (
            not keys
            or job.number in void
            or job.folder.name == undone
            or job.undone is not None
            or job.number > begun
            or latest.get(job.digests, job.number) != job.number
            or job.digests in again
        ):
            continue
        with suppress(JournalError), JournalReader(job.folder) as journal:
            if sum(file.rows for file in journal.inputs()) > _MOST_ROWS:
                return GoneOver({}, begun < inf)
            number = 0 if is_again else len(journal.set_among(keys))
            if number:
                found[job.folder.name] = number
            if is_again or number:
                keys |= journal.all_set()
    return GoneOver(found, begun < inf)


class _Job(NamedTuple):
    """What is asked of a job of the product."""

    number: int
    folder: Path
    #: The name of the job that it takes back.
    undone: str | None
    #: Those of its inputs.
    digests: tuple[str, ...]
    told: TakenBack


def _of_product(folder: Path) -> list[_Job]:
    """Return all jobs of the product of the one in `folder` by number, if they can be read.

    Raises `JournalError` if the journal there cannot be.
    """
    with JournalReader(folder) as journal:
        product = ProductKey.of(journal.facts())
    found = []
    for path in job_folders(folder.parent):
        with suppress(JournalError), JournalReader(path) as journal:
            if ProductKey.of(facts := journal.facts()) == product:
                found.append((job_number(facts["number"]), path, facts, journal.inputs()))
    numbers, jobs = {path.name: number for number, path, *_ in found}, list[_Job]()
    for number, path, facts, inputs in sorted(found, key=itemgetter(0)):
        undone = undone_job(file.path for file in inputs)
        told = TakenBack.of(undone, facts, numbers)
        jobs.append(_Job(number, path, undone, tuple(file.digest for file in inputs), told))
    return jobs


class _Begun(NamedTuple):
    """What was noted when an undo began."""

    left: int
    cleared: dict[str, int]
    #: The folder of the job that is taken back.
    undone: Path
    #: The number of the undo; None if it is no job.
    number: int | None


def _as_begun(folder: Path, *, of_undo: bool) -> _Begun:
    with JournalReader(folder) as journal:
        facts = journal.facts()
        undone = undone_job(file.path for file in journal.inputs())
    left, cleared = (LEAVES_STORED, CLEARS_OF) if of_undo else (NOT_TAKEN_BACK, CLEARED_OF)
    return _Begun(
        int(facts.get(left, 0)),
        json.loads(facts.get(cleared, "{}")),
        folder.parent / undone if of_undo and undone else folder,
        job_number(facts["number"]) if of_undo else None,
    )


def _keys(begun: _Begun) -> tuple[set[bytes], dict[str, set[bytes]]] | None:
    """Return which conversations are left and, by earlier job, cleared; None if not all are known.

    They were noted as the latest before the undo.
    """
    left, cleared, undone, number = begun
    if not (left or cleared):
        return set(), {}
    lines: list[tuple[int, bytes, int]] = []
    with suppress(JournalError), JournalReader(undone) as journal:
        lines = journal.unknown_before()
    latest = max((since for since, _, _ in lines if number is None or since < number), default=0)
    by: dict[int, set[bytes]] = {}
    for since, key, job in sorted(lines):
        if since == latest:
            by.setdefault(job, set()).add(key)
    if left:
        stays = set[bytes]().union(*by.values())
        return (stays, {}) if len(stays) == left else None
    known = [some for _, some in sorted(by.items())]
    if [len(some) for some in known] != [*cleared.values()]:
        return None
    return set(), dict(zip(cleared, known, strict=True))


def _set_since(folder: Path, keys: Collection[bytes]) -> tuple[set[bytes], bool]:
    """Return which of the conversations later jobs have set, and whether one has set any.

    Without those that were taken back, and their undos: all is as it was before them.
    """
    if not keys:
        return set(), False
    jobs = _of_product(folder)
    # Nothing is later than a job that is gone by now.
    own = next((job.number for job in jobs if job.folder.name == folder.name), inf)
    later = [job for job in jobs if job.number > own]
    told = {job.number: job.told for job in later}
    void = taken_back(told)
    void |= {job for job, one in told.items() if one.undoes in void}
    since, is_touched = set[bytes](), False
    for job in later:
        with suppress(JournalError), JournalReader(job.folder) as journal:
            found = journal.set_among(keys)
            is_touched = is_touched or bool(found)
            since |= found if job.number not in void else set()
    return since, is_touched
